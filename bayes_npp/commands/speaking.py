"""How much a command says: notes, which --quiet leaves out, and what must be heard."""

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from bayes_npp.errors import BayesNppError

if TYPE_CHECKING:
    from bayes_npp.analysis.progress import Progress

_LOUD = {"quiet": False, "verbose": False}
_STARTED = time.monotonic()


def speaking(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options -v and --quiet."""
    quiet = click.option(
        "--quiet", is_flag=True, expose_value=False, callback=_set, help="Only failures and the result."
    )
    verbose = click.option(
        "-v", "--verbose", is_flag=True, expose_value=False, callback=_set, help="Every step as a line with its time."
    )
    return quiet(verbose(command))


def _set(context: click.Context, option: click.Parameter, value: bool) -> None:
    asked: dict[str, bool] = context.meta.setdefault(__name__, {})
    asked[str(option.name)] = _LOUD[str(option.name)] = value
    if asked.get("quiet") and asked.get("verbose"):
        raise BayesNppError("-v and --quiet exclude each other", fix="Say one of them")


def say(line: str) -> None:
    """Say what must be heard."""
    click.echo(line, err=True)


def note(line: str) -> None:
    """Say what is good to know; nothing with --quiet."""
    if not _LOUD["quiet"]:
        say(f"{time.monotonic() - _STARTED:7.1f} s  {line}" if _LOUD["verbose"] else line)


def progress() -> "Progress":
    """Bars on a terminal, lines elsewhere and with -v, nothing with --quiet."""
    from bayes_npp.analysis.progress import Bars, Progress

    if _LOUD["quiet"]:
        return Progress()
    return Bars() if sys.stderr.isatty() and not _LOUD["verbose"] else Progress(note)
