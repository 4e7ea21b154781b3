"""A study on its paper's own data: printed numbers matched to estimates, with the difference and what it may be."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from bayes_npp.estimates import ESTIMANDS

COLUMNS = (
    "model",
    "sample",
    "outcome",
    "term",
    "quantity",
    "published",
    "digits",
    "ours",
    "difference",
    "tolerance",
    "within",
    "reason",
)
QUANTITIES = {"estimate": "estimate", "se": "spread", "p": "p_value", "n_obs": "n_obs", "n_units": "n_units"}
FREQUENTIST = "frequentist"
BOUNDS = "<>"


def replicate(
    published: pd.DataFrame,
    estimates: pd.DataFrame,
    models: Iterable[str],
    tolerance_estimate: float = 0.0,
    tolerance_se: float = 0.0,
) -> pd.DataFrame:
    """Match printed numbers to estimates by model, sample, outcome and term, and difference them.

    A row whose estimator names an estimand (such as indirect) is matched to that estimand; of an exposure, the indirect
    effect is the sum over mediators. Our sample is what stands before the first semicolon.

    Parameters
    ----------
    published : DataFrame
        As `published.read_published` returns it: text as printed.
    estimates : DataFrame
        Rows of `Estimates`.
    models : iterable of str
        Names of the study's models.
    tolerance_estimate, tolerance_se : float
        What the data allow beyond printing. An estimate may differ by this or half a printed digit, whichever is more;
        a standard error by half a printed digit plus this; a p-value by half a printed digit plus what these two
        move it; counts by nothing.

    Returns
    -------
    DataFrame
        One row a printed number: model, sample, outcome, term, quantity (estimate, se, p, n_obs, n_units), published
        (text), digits (decimals printed), ours, difference (ours less published), tolerance, within (True or False;
        None where nothing was matched), reason (why not).
    """
    ours = estimates[estimates["paradigm"] == FREQUENTIST]
    known = set(models)
    records: list[dict[str, Any]] = []
    for _, row in published.map(str.strip).iterrows():
        labels = {**row[["model", "sample", "outcome", "term"]], "sample": row["sample"] or "all"}
        found, reason = _match(row, labels, ours, known)
        for quantity in (name for name in QUANTITIES if row[name]):
            text = row[quantity]
            record = {**labels, "quantity": quantity, "published": text, "digits": _digits(text)}
            value = np.nan if found is None else float(found[QUANTITIES[quantity]])
            why = reason or ("" if np.isfinite(value) else "the estimate has none")
            allowed = _allowed(row, quantity, (tolerance_estimate, tolerance_se))
            if why:
                record |= {"ours": np.nan, "difference": np.nan, "tolerance": allowed, "within": None, "reason": why}
            else:
                difference = _difference(value, text)
                record |= {"ours": value, "difference": difference, "tolerance": allowed, "reason": ""}
                record["within"] = bool(abs(difference) <= allowed * (1 + 1e-9))
            records.append(record)
    return pd.DataFrame(records, columns=list(COLUMNS)).astype({"within": object})


def _allowed(row: pd.Series, quantity: str, tolerances: tuple[float, float]) -> float:
    """What a printed number of a row may differ by."""
    half = 0.5 * 10.0 ** -_digits(row[quantity])
    match quantity:
        case "estimate":
            return max(half, tolerances[0])
        case "se":
            return half + tolerances[1]
        case "p":
            return half + _moved_p(row, tolerances)
        case _:
            return 0.0


def _difference(value: float, printed: str) -> float:
    """Ours less a printed number; of a bound only what lies beyond it."""
    difference = value - float(printed.lstrip(BOUNDS))
    return {"<": max(difference, 0.0), ">": min(difference, 0.0)}.get(printed[:1], difference)


def _moved_p(row: pd.Series, tolerances: tuple[float, float]) -> float:
    """Most that a p-value (t, units less one) rises where estimate and standard error move by what they may."""
    from scipy import stats

    if not row["estimate"] or not row["se"] or row["se"][0] in BOUNDS or float(row["se"]) <= 0:
        return 0.0
    se = float(row["se"])
    t = abs(float(row["estimate"])) / se
    change = (_allowed(row, "estimate", tolerances) + t * _allowed(row, "se", tolerances)) / se
    reference = stats.t(float(row["n_units"]) - 1) if row["n_units"] else stats.norm()
    return float(2 * (reference.sf(max(t - change, 0.0)) - reference.sf(t)))


def _match(row: pd.Series, labels: dict[str, str], ours: pd.DataFrame, known: set[str]) -> tuple[pd.Series | None, str]:
    """Our row of a printed one, or why there is none."""
    if not labels["model"]:
        return None, "no model is named"
    if labels["model"] not in known:
        return None, f"the study has no model '{labels['model']}'"
    same = ours[ours["model"] == labels["model"]]
    for column in ("outcome", "term"):
        same = same[same[column] == labels[column]]
        if same.empty:
            return None, f"the model has no row of {column} '{labels[column]}'"
    same = same[same["sample"].str.split(";").str[0].str.strip() == labels["sample"]]
    if same.empty:
        return None, f"the model has no sample '{labels['sample']}'"
    estimand = row["estimator"]
    if estimand in ESTIMANDS:
        same = same[same["estimand"].isin([estimand, f"total_{estimand}"])]
    if len(same) != 1:
        return None, f"{len(same) or 'no'} rows of the model answer to it"
    return same.iloc[0], ""


def _digits(text: str) -> int:
    """Decimals of a number as printed."""
    exponent = Decimal(text.lstrip(BOUNDS)).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
