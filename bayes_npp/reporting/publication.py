"""`table`: estimates of several models side by side as journals print them, in both paradigms."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pandas as pd

from bayes_npp.errors import EstimatesError, SpecError, nearest
from bayes_npp.estimates import ESTIMANDS, NOT_PASSED, Estimates
from bayes_npp.reporting.base.catalogue import ENGLISH, LANGUAGES
from bayes_npp.reporting.base.cells import Table, reason
from bayes_npp.reporting.base.numbers import DECIMALS, decimals
from bayes_npp.reporting.base.paper import PaperTable
from bayes_npp.reporting.base.translation import said_in
from bayes_npp.reporting.base.wording import plain_wording

STARS = (0.1, 0.05, 0.01)
LEFT_OUT = ("scale", "slope_difference")  # estimands that are shown where they are asked for
PLAIN = ("coefficient", "short_run", "subsample_slope")  # those that a term's name says
COLUMN = ("model", "estimator", "covariance", "outcome", "sample", "convention")  # what makes a column of its own
TESTS = (
    ("n_instruments", "Instruments"),
    ("ar1_p", "AR(1), p"),
    ("ar2_p", "AR(2), p"),
    ("hansen_p", "Hansen, p"),
    ("effective_f", "Effective F"),
)


def table(
    results: Iterable[Any] | Mapping[str, Any],
    *,
    title: str = "",
    label: str = "",
    terms: Sequence[str] | None = None,
    estimands: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    stars: bool | Sequence[float] = False,
    intervals: bool | None = None,
    digits: int = 3,
    notes: Sequence[str] = (),
    language: str = ENGLISH,
) -> PaperTable:
    """Estimates of several models side by side: a column a model, the standard error or posterior SD below each.

    Parameters
    ----------
    results : iterable, or mapping from heading to result
        `Estimates`, what has `estimates()` (a fit, a mediation), or rows of `Estimates.frame`. Rows of several models,
        outcomes or samples become several columns.
    title, label : str
        Caption, and label of LaTeX.
    terms, estimands : sequence of str, optional
        Only these rows, terms in this order. By default all but standard deviations, differences of slopes and
        dummies of periods.
    labels : mapping, optional
        Words for terms, groups and outcomes.
    stars : bool or sequence of float
        Levels of one, two, ... stars of p-values; True: 0.1, 0.05, 0.01. A posterior never has stars.
    intervals : bool, optional
        Show intervals; by default of posteriors only.
    digits : int
        Decimals, more where two significant digits of the spread need more.
    notes : sequence of str
        Further notes.
    language : str
        "en" or "zh" of the words that are not yours: rows below the estimates, notes.

    Returns
    -------
    PaperTable
        With `to_html()`, `to_markdown()`, `to_csv()`, `to_latex()` and `to_docx(path)`.

    Raises
    ------
    EstimatesError
        No results, something that has no estimates, two rows with one label, a term or estimand that no result has.
    SpecError
        Levels of stars or digits out of range; no such language.
    """
    if language not in LANGUAGES:
        raise SpecError(f"there is no table in '{language}'", fix=f"Choose one of {', '.join(LANGUAGES)}")
    levels = _levels(stars)
    if isinstance(digits, bool) or not isinstance(digits, int) or not 0 <= digits <= DECIMALS:
        raise SpecError(f"digits is {digits!r}", fix=f"Give a whole number from 0 to {DECIMALS}")
    columns = _columns(results, terms, estimands)
    words = dict(labels or {})
    keys = _rows(columns, terms)
    names = _labels(keys, words)
    shown: list[list[str]] = []
    for key in keys:
        cells = [_cell(column, key, levels, intervals, digits) for column in columns]
        height = max(map(len, cells))
        shown += [
            [names[key] if line == 0 else "", *(cell[line] if line < len(cell) else "" for cell in cells)]
            for line in range(height)
        ]
    foot = _foot(columns, words)
    header = ["", *(f"({k}) {column.name}" for k, column in enumerate(columns, start=1))]
    frame = pd.DataFrame([*shown, *foot], columns=header)
    told = (*_notes(columns, keys, names, levels, intervals), *notes)
    name = label.removeprefix("tab:") or title or "estimates"
    content = Table(name, title, frame, told, rules=(len(shown),))
    return PaperTable(
        content if language == ENGLISH else content.worded(said_in(language, plain_wording, words)), label
    )


@dataclass(frozen=True)
class _Column:
    """What stands in one column: its heading, its rows by (term, group, estimand), tests of the fit as a whole."""

    name: str
    rows: dict[tuple[str, str, str], pd.Series]
    tests: dict[str, Any]

    @property
    def first(self) -> pd.Series:
        return next(iter(self.rows.values()))

    @property
    def bayesian(self) -> bool:
        return bool(self.first["paradigm"] == "bayesian")


def _columns(
    results: Iterable[Any] | Mapping[str, Any], terms: Sequence[str] | None, estimands: Sequence[str] | None
) -> list[_Column]:
    named: list[tuple[str, Any]]
    if isinstance(results, (Estimates, pd.DataFrame)) or hasattr(results, "estimates"):
        results = [results]
    named = list(results.items()) if isinstance(results, Mapping) else [("", own) for own in results]
    if not named:
        raise EstimatesError("there is no result to show", fix="Give at least one table of estimates")
    found = [(name, _estimates(own)) for name, own in named]
    every = pd.concat([own.frame for _, own in found], ignore_index=True)
    for asked, column in ((terms, "term"), (estimands, "estimand")):
        there = list(dict.fromkeys(every[column]))
        for name in asked or ():
            if name not in there:
                raise EstimatesError(f"no result has the {column} '{name}'", fix=nearest(name, there))
    columns: list[_Column] = []
    for name, own in found:
        frame = own.frame
        shown = frame["estimand"].isin(estimands) if estimands is not None else ~frame["estimand"].isin(LEFT_OUT)
        shown &= frame["term"].isin(terms) if terms is not None else ~frame["term"].str.startswith("time[")
        parts = list(frame[shown].groupby(list(COLUMN), sort=False))
        for _, rows in parts:
            first = rows.iloc[0]
            tests = own.diagnostics if len(parts) == 1 else {}
            heading = name or first["model"] or first["estimator"]
            columns.append(_Column(_distinguished(heading, first, parts), _by_key(rows, heading), tests))
    if not columns:
        raise EstimatesError("no row is left to show", fix="Name other terms or estimands")
    return columns


def _distinguished(heading: str, first: pd.Series, parts: Sequence[tuple[Any, pd.DataFrame]]) -> str:
    """A heading, with outcome and sample where several columns of one result differ by them."""
    for what in ("outcome", "sample"):
        if len({rows.iloc[0][what] for _, rows in parts if rows.iloc[0]["model"] == first["model"]}) > 1:
            heading += f", {first[what]}"
    return heading


def _estimates(own: Any) -> Estimates:
    if hasattr(own, "estimates"):
        own = own.estimates() if callable(own.estimates) else own.estimates
    if isinstance(own, pd.DataFrame):
        return Estimates(own)
    if not isinstance(own, Estimates):
        raise EstimatesError(f"{type(own).__name__} has no estimates", fix="Give Estimates, or a fit that has them")
    return own


def _by_key(rows: pd.DataFrame, heading: str) -> dict[tuple[str, str, str], pd.Series]:
    out: dict[tuple[str, str, str], pd.Series] = {}
    for _, row in rows.iterrows():
        key = (row["term"], row["group"], row["estimand"])
        if key in out:
            said = " ".join(part for part in key if part)
            raise EstimatesError(f"two rows of '{heading}' are one ({said})", fix="Give them as two results")
        out[key] = row
    return out


def _rows(columns: Sequence[_Column], terms: Sequence[str] | None) -> list[tuple[str, str, str]]:
    """Every row once, in the order in which columns have them, the constant last."""
    keys = list(dict.fromkeys(key for column in columns for key in column.rows))
    if terms is not None:
        return sorted(keys, key=lambda key: list(terms).index(key[0]))
    return sorted(keys, key=lambda key: key[0] == "intercept")


def _labels(keys: Sequence[tuple[str, str, str]], words: Mapping[str, str]) -> dict[tuple[str, str, str], str]:
    """What each row is called: its term, its group, and its estimand where the two do not say it."""
    out = {}
    for term, group, estimand in keys:
        text = words.get(term, term)
        text += f", {words.get(group, group)}" if group else ""
        twins = [own for own in keys if own[:2] == (term, group)]
        if len(twins) > 1 and estimand not in PLAIN:
            text += f": {ESTIMANDS[estimand]}"
        out[term, group, estimand] = text
    return out


def _cell(
    column: _Column, key: tuple[str, str, str], levels: Sequence[float], intervals: bool | None, digits: int
) -> list[str]:
    """Estimate, spread in round brackets, interval in square ones, a line each; a dash where there is none."""
    row = column.rows.get(key)
    if row is None:
        return [""]
    if pd.isna(row["estimate"]):
        return ["none"]
    spread = row["spread"]
    scale = spread if pd.notna(spread) else (row["hi"] - row["lo"]) / 4
    star = ""
    if row["paradigm"] != "bayesian" and pd.notna(row["p_value"]):
        star = "*" * sum(row["p_value"] < level for level in levels)
    lines = [_number(row["estimate"], scale, digits) + star]
    if pd.notna(spread):
        lines.append(f"({_number(spread, scale, digits)})")
    wanted = row["paradigm"] == "bayesian" if intervals is None else intervals
    if (wanted or pd.isna(spread)) and pd.notna(row["lo"]) and pd.notna(row["hi"]):
        lines.append(f"[{_number(row['lo'], scale, digits)}, {_number(row['hi'], scale, digits)}]")
    return lines


def _number(value: float, spread: float, digits: int) -> str:
    needed = max(digits, decimals(spread))
    if 0 < spread < 10.0**-DECIMALS:
        return f"{value:.2g}"
    text = f"{value:.{needed}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def _foot(columns: Sequence[_Column], words: Mapping[str, str]) -> list[list[str]]:
    """Outcome, estimator, kind of spread, sizes; tests of dynamic panels and instruments; samplers that failed."""
    firsts = [column.first for column in columns]
    outcomes = [words.get(row["outcome"], row["outcome"]) for row in firsts]
    lines = [["Outcome", *outcomes]]
    lines.append(["Estimator", *(row["estimator"] for row in firsts)])
    lines.append(["Errors", *(row["covariance"] for row in firsts)])
    for text, name in (("Observations", "n_obs"), ("Units", "n_units"), ("Periods", "n_periods")):
        lines.append([text, *("" if pd.isna(row[name]) else str(row[name]) for row in firsts)])
    for name, text in TESTS:
        values = [column.tests.get(name) for column in columns]
        if any(value is not None for value in values):
            lines.append([text, *(_test(value) for value in values)])
    if any(map(_failed, columns)):
        lines.append(["Sampler", *("FAILED" if _failed(column) else "" for column in columns)])
    return lines


def _test(value: Any) -> str:
    if value is None or pd.isna(value):
        return "" if value is None else "none"
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def _failed(column: _Column) -> bool:
    return column.bayesian and any(str(row["note"]).startswith(NOT_PASSED) for row in column.rows.values())


def _notes(
    columns: Sequence[_Column],
    keys: Sequence[tuple[str, str, str]],
    names: Mapping[tuple[str, str, str], str],
    levels: Sequence[float],
    intervals: bool | None,
) -> list[str]:
    """What brackets, stars and names mean, the convention of each column, and what has no number."""
    notes = []
    for number, column in enumerate(columns, start=1):
        row = column.first
        level = "" if pd.isna(row["level"]) else f"{row['level'] * 100:g} % "
        if column.bayesian:
            kind = {"eti": "equal-tailed ", "hdi": "highest-density "}.get(row["interval"], "")
            seen = "" if intervals is False else f", {level}{kind}interval in square brackets"
            text = f"posterior mean, posterior SD in round brackets{seen}; {row['covariance']}; {row['convention']}"
        else:
            seen = f", {level}confidence interval in square brackets" if intervals else ""
            text = f"estimate, standard error in round brackets{seen}; {row['covariance']}; {row['convention']}"
        notes.append(f"({number}): {text.rstrip('; ')}.")
        if row["note"] and pd.notna(row["estimate"]):
            notes.append(f"({number}): {row['note']}.")
        if _failed(column):
            notes.append(f"({number}): the sampler failed its diagnostics; these numbers are not to be used.")
        missing = column.tests.get("not_computable", {})
        notes += [f"({number}), {text}: {missing[name[:-2]]}." for name, text in TESTS if missing.get(name[:-2])]
        for key, own in column.rows.items():
            if pd.isna(own["estimate"]):
                notes.append(f"({number}), {names[key]}: {reason(own) or 'not estimated'}.")
    for estimand in dict.fromkeys(key[2] for key in keys if key[2] not in PLAIN):
        said = [names[key] for key in keys if key[2] == estimand]
        if not all(ESTIMANDS[estimand] in name for name in said):
            notes.append(f"{'; '.join(said)}: {ESTIMANDS[estimand]}.")
    if levels:
        meant = ", ".join(f"{'*' * k} p < {level:g}" for k, level in enumerate(levels, start=1))
        posterior = " Posteriors have no p-values and no stars." if any(c.bayesian for c in columns) else ""
        notes.append(f"{meant}.{posterior}")
    return notes


def _levels(stars: bool | Sequence[float]) -> tuple[float, ...]:
    """Levels of one, two, ... stars, falling."""
    if isinstance(stars, bool):
        return STARS if stars else ()
    levels = tuple(float(level) for level in stars)
    falling = all(one > other for one, other in pairwise(levels))
    if not levels or not falling or not all(0 < level < 1 for level in levels):
        raise SpecError(f"stars is {stars!r}", fix="Give levels between 0 and 1 that fall, such as (0.1, 0.05, 0.01)")
    return levels
