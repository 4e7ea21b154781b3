"""Commands with which one starts: a new study, the keys of one, a look at the installation."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from bayes_npp.errors import BayesNppError


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("panel", type=click.Path(path_type=Path), required=False)
@click.option("--example", help="Copy a study that travels with the package: digital_trade, fiscal_tfp.")
@click.option("--unit", help="Column of units.")
@click.option("--time", help="Column of periods.")
@click.option("--group", help="Column whose groups get slopes of their own.")
@click.option("--outcome", help="Column to explain.")
@click.option("--exposure", help="Column whose slope is asked for.")
@click.option("--controls", help="Columns held constant, separated by commas.")
@click.option("--force", is_flag=True, help="Write over a study that is there.")
def new(folder: Path, panel: Path | None, example: str | None, controls: str | None, force: bool, **roles: Any) -> None:
    """Write a study into FOLDER from a PANEL file: what is not said is guessed, and asked for on a terminal.

    The study passes check and runs as it is. Then open FOLDER/study.toml: roles are yours to choose.
    """
    from bayes_npp.study.starting import copy_example, new_study

    if (panel is None) == (example is None):
        raise BayesNppError("a new study needs a panel or an example", fix="Give PANEL, or --example digital_trade")
    if panel is None:
        started = copy_example(folder, example or "", force)
    else:
        own = None if controls is None else [name.strip() for name in controls.split(",") if name.strip()]
        ask = _ask if sys.stdin.isatty() and sys.stderr.isatty() else None
        started = new_study(folder, panel, controls=own, ask=ask, force=force, **roles)
    for line in started.guessed:
        click.echo(f"guessed: {line}", err=True)
    click.echo(str(started.path))


def _ask(question: str, choices: Sequence[str], guess: str) -> str:
    """A choice on the terminal; the guess where the answer is empty."""
    click.echo(f"{question} {', '.join(choices)}", err=True)
    kind = click.Choice(list(choices))
    return str(click.prompt("", default=guess, err=True, prompt_suffix="> ", type=kind, show_choices=False))


@click.command()
@click.option("--markdown", is_flag=True, help="The page docs/study.md instead.")
def schema(markdown: bool) -> None:
    """Print the JSON schema of a study file: editors complete its keys and mark what is wrong.

    With Taplo or Even Better TOML: bayes-npp schema > study.schema.json, and #:schema ./study.schema.json as the first
    line of study.toml.
    """
    import json

    from bayes_npp.study.schema import json_schema, study_page

    text = study_page() if markdown else json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    click.echo(text, nl=False)


@click.command()
def doctor() -> None:
    """Say what is installed, whether compiled code is kept, and whether a model can be fitted here."""
    from bayes_npp.commands.diagnosis import diagnose

    found = diagnose()
    for check in found:
        click.echo(f"{'ok' if check.passed else 'FAILED'}: {check.name}: {check.text}")
    if not all(check.passed for check in found):
        raise BayesNppError("something is not as it should be", fix="Mend what is marked FAILED above")


STARTING = (new, schema, doctor)
