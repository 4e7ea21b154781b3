"""The one table every estimator returns: schema, vocabulary of estimands, validation."""

import html
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from bayes_npp.errors import EstimatesError
from bayes_npp.records import MOST_LINES, Shown

LEVEL = 0.95  # of every interval
NOT_PASSED = "sampler: failed"  # begins the note of every row of a fit that failed them
TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
ESTIMANDS = {
    "average_slope_twfe_weighted": "average slope, weighted as two-way fixed effects weight it",
    "average_slope": "average slope over observations",
    "mean_group_slope": "unweighted mean of the groups' slopes",
    "population_slope": "mean of the population of groups",
    "group_slope": "slope in the group, other coefficients and effects shared",
    "subsample_slope": "slope in a regression on the group alone (controls and period effects are its own)",
    "slope_difference": "difference of two groups' slopes in one model",
    "pooled_slope": "one slope under its model, with weights of its own",
    "mean_unit_slope": "mean of the units' own slopes",
    "coefficient": "coefficient",
    "scale": "standard deviation",
    "short_run": "short-run effect",
    "long_run": "long-run effect",
    "path_a": "exposure to mediator",
    "path_b": "mediator to outcome",
    "indirect": "indirect effect",
    "total_indirect": "sum of indirect effects",
    "direct": "direct effect",
    "total": "total effect",
    "proportion_mediated": "share mediated",
}
KINDS = {
    "study": "text",
    "model": "text",
    "paradigm": "text",
    "estimator": "text",
    "covariance": "text",
    "outcome": "text",
    "term": "text",
    "group": "text",
    "estimand": "text",
    "estimate": "number",
    "spread": "number",
    "spread_kind": "text",
    "lo": "number",
    "hi": "number",
    "level": "number",
    "interval": "text",
    "p_value": "number",
    "prob_positive": "number",
    "n_obs": "count",
    "n_units": "count",
    "n_periods": "count",
    "sample": "text",
    "convention": "text",
    "note": "text",
}
COLUMNS = tuple(KINDS)
TEXT_COLUMNS = tuple(name for name, kind in KINDS.items() if kind == "text")
ALLOWED = {
    "paradigm": ["frequentist", "bayesian", "published"],
    "spread_kind": ["se", "sd", ""],
    "interval": ["ci", "eti", "hdi", ""],
    "estimand": list(ESTIMANDS),
}


SUMMARY = ("term", "group", "estimand", "estimate", "spread", "lo", "hi", "p_value", "prob_positive")


@dataclass(frozen=True, repr=False)
class Estimates(Shown):
    """Rows of estimates in the data's units.

    Attributes
    ----------
    frame : DataFrame
        Columns `COLUMNS`. `group` is empty for an overall row.
    diagnostics : dict
        Numbers that belong to the fit as a whole.
    """

    frame: pd.DataFrame
    diagnostics: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "frame", validate(self.frame))

    def select(self, **values: Any) -> pd.DataFrame:
        """Rows whose columns equal the given values."""
        rows = self.frame
        for column, value in values.items():
            if column not in COLUMNS:
                raise EstimatesError(f"unknown column '{column}'", fix=f"Columns: {', '.join(COLUMNS)}")
            rows = rows[rows[column] == value]
        return rows

    def named(self, study: str, model: str) -> "Estimates":
        """The same rows as those of a model of a study."""
        return Estimates(self.frame.assign(study=study, model=model), self.diagnostics)

    def summary(self) -> pd.DataFrame:
        """The columns that one reads: term, group, estimand, estimate, its spread, interval, p-value or P(> 0)."""
        told = [name for name in SUMMARY if name in SUMMARY[:5] or self.frame[name].notna().any()]
        return self.frame[told].copy()

    def headline(self) -> str:
        said = (" | ".join(dict.fromkeys(self.frame[name])) for name in ("estimator", "outcome", "covariance"))
        first, outcome, covariance = said
        return f"{type(self).__name__}: {first}; outcome {outcome}; {covariance}; {len(self.frame)} rows"

    def details(self) -> list[str]:
        """The first rows; `summary()` has them all."""
        shown = self.summary().drop(columns="estimand").head(MOST_LINES - 3)
        text = shown.to_string(index=False, float_format=lambda value: f"{value:.4g}", max_colwidth=30)
        rest = len(self.frame) - len(shown)
        return [*text.splitlines(), *([f"... and {rest} more: .summary(), .frame"] if rest else [])]

    def _repr_html_(self) -> str:
        shown = self.summary().head(MOST_LINES)
        rest = len(self.frame) - len(shown)
        table = shown.to_html(escape=True, index=False, float_format=lambda value: f"{value:.4g}")
        more = f"<p>... and {rest} more rows: <code>.summary()</code></p>" if rest else ""
        return f"<p>{html.escape(self.headline())}</p>{table}{more}"


class Tabled(Shown, ABC):
    """A posterior that shows the first rows of its estimates."""

    @abstractmethod
    def estimates(self) -> Estimates:
        """Its table."""

    def details(self) -> list[str]:
        return self.estimates().details()

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self.headline())}</p>{self.estimates()._repr_html_()}"


def positive(values: np.ndarray) -> np.ndarray:
    """1 where a value is above zero, 0 where it is not, NaN where it is no number: a share of these is none either."""
    return np.where(np.isfinite(values), values > 0, np.nan)


SMALLEST = 1e-10  # below it a tail of a normal distribution says more of the model than of the data


def drawn_share(holds: np.ndarray, axis: int | None = None, effective: float | None = None) -> Any:
    """Probability from draws in which something holds, (k + 1/2) / (S + 1): never 0 or 1, which no draws can show.

    Parameters
    ----------
    holds : ndarray
        1 where it holds and 0 where not (`positive`), or the probability of it given the rest of a draw. A NaN among
        them leaves no probability.
    axis : int, optional
        Over which draws lie; over all of the array without one.
    effective : float, optional
        Effective number of draws, where `holds` is a weighted mean of them already.

    References
    ----------
    Jeffreys' prior, as in Brown, Cai & DasGupta (2001), Statistical Science 16; with S + 1 as in plotting positions.
    """
    if effective is not None:
        return (holds * effective + 0.5) / (effective + 1)
    size = holds.size if axis is None else holds.shape[axis]
    return (holds.sum(axis=axis) + 0.5) / (size + 1)


def above_zero(p_value: np.ndarray | float) -> Any:
    """A p-value that is not 0 where a tail lies below the smallest number that there is: no statistic shows 0."""
    return np.maximum(p_value, np.finfo(float).tiny)


def normal_tail(z: np.ndarray | float) -> Any:
    """P(Z < z), Z standard normal, between `SMALLEST` and one less it: never 0 or 1 as printed; NaN of no number."""
    from scipy.special import ndtr

    return np.clip(ndtr(np.where(np.isfinite(z), z, np.nan)), SMALLEST, 1 - SMALLEST)


def summarise(draws: np.ndarray, axis: int | None = None) -> dict[str, Any]:
    """Mean, SD, equal-tailed interval of `LEVEL` and P(> 0) of draws.

    Parameters
    ----------
    draws : ndarray
    axis : int, optional
        Over which draws lie; over all of the array without one.

    Returns
    -------
    dict
        mean, sd, lo, hi, prob_positive: floats, or arrays of the other axes; NaN where a draw is not finite.
    """
    draws = np.where(np.isfinite(draws), draws, np.nan)
    lo, hi = np.quantile(draws, TAILS, axis=axis)
    out = {
        "mean": draws.mean(axis=axis),
        "sd": draws.std(axis=axis, ddof=1),
        "lo": lo,
        "hi": hi,
        "prob_positive": drawn_share(positive(draws), axis),
    }
    return {name: float(value) for name, value in out.items()} if axis is None else out


def proportion_mediated(indirect: np.ndarray, total: np.ndarray) -> dict[str, Any]:
    """Share mediated: median and quantiles of the ratio; withheld where the total may be zero."""
    row: dict[str, Any] = {"estimand": "proportion_mediated"}
    lo, hi = np.quantile(total, TAILS)
    if lo <= 0 <= hi:
        note = f"withheld: the 95 % interval of the total effect, [{lo:.3g}, {hi:.3g}], includes zero"
        return {**row, "estimate": np.nan, "note": note}
    ratio = indirect / total
    low, middle, high = np.quantile(ratio, [TAILS[0], 0.5, TAILS[1]])
    opposite = float((indirect * (total - indirect) < 0).mean())
    note = "posterior median"
    if opposite > 0.5:
        note += "; indirect and direct effect differ in sign: no share in the usual sense"
    values = {"estimate": float(middle), "lo": float(low), "hi": float(high), "note": note}
    return {**row, **values, "prob_positive": float(drawn_share(positive(ratio)))}


def row_of_draws(draws: np.ndarray, **labels: str) -> dict[str, Any]:
    """A row of the table from posterior draws (S,); a scale has no P(> 0), since it has no sign."""
    found = summarise(draws)
    found = {"estimate": found.pop("mean"), "spread": found.pop("sd"), **found}
    return {**labels, **found} if labels["estimand"] != "scale" else {**labels, **found, "prob_positive": np.nan}


def estimates_from_rows(rows: Iterable[dict[str, Any]], *, left_out: str = "", **shared: Any) -> Estimates:
    """Build a table from one mapping a row and values shared by all rows; absent columns are blank.

    `left_out` says how many rows of the panel the model leaves out, and ends every note.
    """
    frame = pd.DataFrame([{**shared, **row} for row in rows])
    if left_out:
        notes = frame["note"].fillna("") if "note" in frame else [""] * len(frame)
        frame["note"] = ["; ".join(part for part in (note, left_out) if part) for note in notes]
    return Estimates(frame)


def concat(tables: Iterable[Estimates]) -> Estimates:
    """Stack tables in order."""
    return Estimates(pd.concat([table.frame for table in tables], ignore_index=True))


def validate(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with every column of the schema, in order and of its type, or `EstimatesError`."""
    import pandera.pandas as pa

    unknown = [name for name in frame.columns if name not in COLUMNS]
    if unknown:
        raise EstimatesError(f"unknown column '{unknown[0]}'", fix=f"Columns: {', '.join(COLUMNS)}")
    full = frame.reindex(columns=list(COLUMNS)).reset_index(drop=True)
    for name, kind in KINDS.items():
        match kind:
            case "text":
                full[name] = full[name].astype(object).where(full[name].notna(), "").astype(str)
            case "number":
                full[name] = full[name].astype(float)
            case _:
                full[name] = pd.array(full[name], dtype="Int64")
    schema = pa.DataFrameSchema(
        {
            **{name: pa.Column(str, pa.Check.isin(allowed)) for name, allowed in ALLOWED.items()},
            "level": pa.Column(float, pa.Check.in_range(0, 1, include_min=False), nullable=True),
            "p_value": pa.Column(float, pa.Check.in_range(0, 1), nullable=True),
            "prob_positive": pa.Column(float, pa.Check.in_range(0, 1), nullable=True),
            "spread": pa.Column(float, pa.Check.ge(0), nullable=True),
        },
        checks=pa.Check(lambda rows: ~(rows["lo"] > rows["hi"]), error="lo is above hi"),
    )
    try:
        schema.validate(full)
    except pa.errors.SchemaError as error:
        reason = str(error).splitlines()[0]
        raise EstimatesError(f"the table of estimates breaks its schema ({reason})") from None
    return full


def write_csv(table: Estimates, path: Any) -> None:
    """Write `estimates.csv`: ten significant digits, blanks for missing values."""
    table.frame.to_csv(path, index=False, float_format="%.10g", lineterminator="\n")


def read_csv(path: Any) -> Estimates:
    """Read `estimates.csv` back."""
    frame = pd.read_csv(path, dtype=dict.fromkeys(TEXT_COLUMNS, str), keep_default_na=False, na_values=[""])
    frame = frame.replace({name: {np.nan: ""} for name in TEXT_COLUMNS}).drop(columns="key", errors="ignore")
    texts = frame[list(TEXT_COLUMNS)].replace(r"^'(?=[=+\-@])", "", regex=True)  # what a spreadsheet would have run
    return Estimates(frame.assign(**texts))
