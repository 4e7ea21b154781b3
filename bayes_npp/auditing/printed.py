"""Printed rows: which standard errors the printed digits, t, p or significance allow, and where they contradict."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from bayes_npp.auditing.significance import STARS, Range, half_digit, parse_significance
from bayes_npp.claims.evidence import MATTHEWS
from bayes_npp.errors import SpecError

LABELS = ("claim", "table", "column", "model", "sample", "estimator", "outcome", "term", "note")
NORMAL = "normal"
SOURCES = {
    "se": "printed",
    "t": "implied by t",
    "p": "implied by p",
    "significance": "bounded by the significance",
    "": "nothing printed",
}


@dataclass(frozen=True)
class PrintedRow:
    """A printed coefficient and the standard errors it may have.

    Parameters
    ----------
    line : int
        Row of the file, the header being row 1.
    labels : dict
        `LABELS` as printed, white space collapsed.
    estimate : float or None
    se : Range or None
        Standard errors that agree with what is printed, given the printed estimate; None without an estimate.
    source : str
        What the range comes from: se, t, p, significance, or nothing.
    reference : str
        Distribution behind p and significance: normal, or t(df).
    significance : str
        As printed.
    contradictions : tuple of str
        Printed numbers of the row that do not fit each other.
    """

    line: int
    labels: dict[str, str]
    estimate: float | None
    se: Range | None
    source: str
    reference: str
    significance: str
    contradictions: tuple[str, ...] = ()

    @property
    def z(self) -> Range:
        """|estimate| / standard error, lowest and highest."""
        assert self.estimate is not None
        assert self.se is not None
        size = abs(self.estimate)
        return Range(_over(size, self.se.hi), _over(size, self.se.lo))

    @property
    def significant(self) -> bool:
        """Whether the coefficient is significant at 5 % (normal, two-sided) whatever its standard error."""
        return self.z.lo >= MATTHEWS

    @property
    def label(self) -> str:
        """Where the coefficient stands in the paper: table and column, or model; sample; term."""
        own = self.labels
        place = f"table {own['table']}" if own["table"] else f"'{own['model']}'" if own["model"] else f"row {self.line}"
        place += f" ({own['column']})" if own["table"] and own["column"] else ""
        outcome = f" on {own['outcome']}" if own["outcome"] else ""
        return ", ".join(part for part in (place, own["sample"], own["term"] + outcome) if part)


def printed_rows(
    frame: pd.DataFrame, place: str, stars: tuple[float, ...] = STARS, reference: str = "auto"
) -> tuple[PrintedRow, ...]:
    """Read every row of a table of published numbers.

    Parameters
    ----------
    frame : DataFrame
        As `published.read_published` returns it: text as printed.
    place : str
        The file, for messages.
    stars : tuple of float
        Levels of one, two, ... stars.
    reference : str
        `auto`: Student's t with n_units - 1 degrees of freedom where n_units is printed (Stata's choice with errors
        clustered by unit), normal elsewhere. `normal`: normal everywhere.

    Raises
    ------
    SpecError
        A number out of its range, or a significance that cannot be read: file, row and column.
    """
    return tuple(_row(row, line, place, stars, reference) for line, (_, row) in enumerate(frame.iterrows(), start=2))


def _row(row: pd.Series, line: int, place: str, stars: tuple[float, ...], reference: str) -> PrintedRow:
    where = f"{place}, row {line}"
    text = {name: str(row[name]).strip() for name in row.index}
    value = {name: _number(text[name], name, where) for name in ("estimate", "se", "t", "p", "n_units")}
    try:
        level = parse_significance(text["significance"], stars)
    except SpecError as error:
        raise SpecError(error.problem, place=f"{where}, column 'significance'", fix=error.fix) from None
    units = value["n_units"]
    student = None if units is None else units - 1
    df = student if reference == "auto" else None
    name = NORMAL if df is None else f"t({df:g})"
    labels = {label: " ".join(text[label].split()) for label in LABELS}
    estimate = value["estimate"]
    se, source = None, ""
    p = _around(text["p"], top=1.0)
    if estimate is not None:
        z = _z(text, p, level, df)
        source = next((key for key in ("se", "t", "p", "significance") if key in z), "")
        se = _around(text["se"]) if source == "se" else _standard_errors(abs(estimate), z.get(source))
    contradictions = tuple(_contradictions(value, text, p, level, student))
    return PrintedRow(line, labels, estimate, se, source, name, text["significance"], contradictions)


def _number(text: str, name: str, where: str) -> float | None:
    if not text:
        return None
    try:
        number = float(text.lstrip("<>"))
    except ValueError:
        number = math.nan
    wanted = {
        "se": (number >= 0, "a standard error must not be negative"),
        "p": (0 <= number <= 1, "a p-value lies between 0 and 1"),
        "n_units": (number >= 2 and number == int(number) if math.isfinite(number) else False, "it counts units"),
    }
    fits, why = wanted.get(name, (True, ""))
    if not math.isfinite(number) or not fits:
        why = why or "a finite number was expected"
        raise SpecError(f"column '{name}' has the value {text!r}: {why}", place=where, fix="Write it as printed")
    return number


def _around(text: str, top: float = math.inf) -> Range | None:
    """What a printed number that cannot be negative may have been before it was rounded, or within its bound."""
    if not text:
        return None
    if text[0] in "<>":
        bound = float(text[1:])
        return Range(0.0, min(bound, top)) if text[0] == "<" else Range(bound, top)
    number, half = abs(float(text)), half_digit(text)
    return Range(max(number - half, 0.0), min(number + half, top))


def _z(text: dict[str, str], p: Range | None, level: Range | None, df: float | None) -> dict[str, Range]:
    """Ranges of |estimate| / se that each printed number allows by itself."""
    found = {}
    estimate, se = _around(text["estimate"]), _around(text["se"])
    if estimate is not None and se is not None:
        found["se"] = Range(_over(estimate.lo, se.hi), _over(estimate.hi, se.lo))
    t = _around(text["t"])
    if t is not None:
        found["t"] = t
    for name, range_ in (("p", p), ("significance", level)):
        if range_ is not None:
            found[name] = Range(_critical(range_.hi, df), _critical(range_.lo, df))
    return found


def _standard_errors(size: float, z: Range | None) -> Range:
    """Standard errors of an estimate of that size, taken as exact, over a range of z."""
    if z is None or size == 0:
        return Range(0.0, math.inf)
    return Range(_over(size, z.hi), _over(size, z.lo))


def _over(value: float, by: float) -> float:
    if math.isinf(by) or value == 0:
        return 0.0
    return value / by if by else math.inf


def _critical(p: float, df: float | None) -> float:
    """Where the reference distribution leaves p in its two tails."""
    from scipy.special import ndtri, stdtrit

    if p <= 0:
        return math.inf
    quantile = -ndtri(p / 2) if df is None else -stdtrit(df, p / 2)
    return max(float(quantile), 0.0)


def _contradictions(
    value: dict[str, float | None], text: dict[str, str], p: Range | None, level: Range | None, student: float | None
) -> Iterator[str]:
    """Pairs of printed numbers that no rounding reconciles, under the normal reference or t(n_units - 1)."""
    estimate, t = value["estimate"], value["t"]
    if estimate and t and estimate * t < 0:
        yield f"estimate {text['estimate']} and t {text['t']} differ in sign"
    references = [None] if student is None else [None, student]
    by_reference = [_z(text, p, level, df) for df in references]
    names = [name for name in ("se", "t", "p", "significance") if name in by_reference[0]]
    shown = {
        "se": f"estimate {text['estimate']} with standard error {text['se']}",
        "t": f"t {text['t']}",
        "p": f"p {text['p']}",
        "significance": f"significance {text['significance']}",
    }
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            if first == "p" and p is not None and level is not None:
                agree = p.meets(level)
            else:
                agree = any(z[first].meets(z[second]) for z in by_reference)
            if not agree:
                tried = "normal" if student is None else f"normal and t({student:g})"
                under = "" if {first, second} in ({"se", "t"}, {"p", "significance"}) else f" ({tried} reference)"
                yield f"{shown[first]} does not fit {shown[second]}{under}"
