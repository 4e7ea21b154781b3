"""Every exception of the package: one base class, one message form (place, problem, fix)."""

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class BayesNppError(Exception):
    """Base of every error a user can cause or meet.

    Parameters
    ----------
    problem : str
        What is wrong, without a final full stop.
    place : str
        Where: a file and key, a row and column.
    fix : str
        How to mend it, a sentence without a final full stop.
    """

    exit_code = 2

    def __init__(self, problem: str, *, place: str = "", fix: str = "") -> None:
        self.problem, self.place, self.fix = problem, place, fix
        message = f"{place + ': ' if place else ''}{problem}.{' ' + fix + '.' if fix else ''}"
        super().__init__(" ".join(message.split()))  # one line, whatever a file's keys and cells hold

    def at(self, place: str) -> "BayesNppError":
        """Return the same error with an outer place put before its own."""
        return type(self)(self.problem, place=", ".join(p for p in (place, self.place) if p), fix=self.fix)


class PanelError(BayesNppError):
    """The panel file or frame cannot be read as unit x period rows."""


class VariableError(BayesNppError):
    """A derived variable cannot be computed as declared."""


class SpecError(BayesNppError):
    """A study file, specification or prior set is not valid."""


class DesignError(BayesNppError):
    """The specification cannot be estimated on this panel."""


class EstimatesError(BayesNppError):
    """A table of estimates breaks its schema, or two estimands were mixed."""


class OutputError(BayesNppError):
    """A result could not be written or read back."""

    exit_code = 4


class SamplingError(BayesNppError):
    """A sampler gave fewer draws than it was asked for: nothing of it is kept."""

    exit_code = 1


class ImportanceError(SamplingError):
    """A posterior that importance sampling cannot be trusted with: a chain can, with engine = "collapsed"."""

    exit_code = 2


class PanelWarning(UserWarning):
    """Something in a panel that may be wrong: nothing is changed, and a script may turn it into an error."""


class CacheWarning(UserWarning):
    """Compiled code cannot be kept, or was broken where it was kept: it takes a minute more, and no number changes."""


@contextmanager
def located(place: str) -> Iterator[None]:
    """Errors raised inside have `place` put before their own."""
    try:
        yield
    except BayesNppError as error:
        raise error.at(place) from None


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint naming the known name closest to `name`, or the known names when none is close."""
    known = [str(k) for k in known]
    close = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    if close:
        return f"The nearest known name is '{close[0]}'"
    shown = ", ".join(known[:30]) + (", ..." if len(known) > 30 else "")
    return f"Known: {shown}"
