"""What a command says: notes, which --quiet leaves out, what must be heard, and its last lines."""

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from bayes_npp.errors import BayesNppError

if TYPE_CHECKING:
    from bayes_npp.analysis.progress import Progress

FAILED_DIAGNOSTICS = 3  # the exit code of a run in which a sampler failed
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


def named(line: str, told: Callable[[str], str]) -> str:
    """A line in another language, its first word a name, which stays."""
    name, colon, rest = line.partition(": ")
    return f"{name}{colon}{told(rest)}"


def say_fits(fits: tuple, told: Callable[[str], str] = str) -> None:
    """One line a fit: its name and what its checks gave, in the language of `told`."""
    for record in fits:
        note(named(f"{record.model}: {record.verdict}{' (stored fit)' * record.reused}", told))


def end(failures: tuple[str, ...], told: Callable[[str], str] = str) -> None:
    """Leave by the exit code of failed diagnostics, after naming the fits that failed them; go on without."""
    for failure in failures:
        say(f"{told('failed')}: {named(failure, told)}")
    if failures:
        sys.exit(FAILED_DIAGNOSTICS)


def progress() -> "Progress":
    """Bars on a terminal, lines elsewhere and with -v, nothing with --quiet."""
    from bayes_npp.analysis.progress import Bars, Progress

    if _LOUD["quiet"]:
        return Progress()
    return Bars() if sys.stderr.isatty() and not _LOUD["verbose"] else Progress(note)
