"""Instruments of dynamic panels: how they are declared, and the columns they make."""

import re
from collections.abc import Sequence

import numpy as np

from bayes_npp.errors import SpecError, nearest
from bayes_npp.panels.panel import Panel

EQUATIONS = ("both", "transformed", "level")
LAG = re.compile(r"^L(\d*)\.(.+)$")

GmmInstrument = Sequence[str | int | None]  # (column, first lag, last lag or None[, equation])
IvInstrument = str | Sequence[str]  # column, or (column, equation)


def lag_of(term: str) -> tuple[str, int]:
    """The column behind a term and how many periods it lags: 'L2.n' is ('n', 2), 'n' is ('n', 0)."""
    match = LAG.match(term)
    return (match.group(2), int(match.group(1) or 1)) if match else (term, 0)


def shifted(values: np.ndarray, lag: int, fill: float) -> np.ndarray:
    """Values `lag` periods before along the last axis (after, if negative); `fill` where there are none."""
    out = np.full_like(values, fill)
    size = values.shape[-1]
    if abs(lag) < size:
        out[..., max(lag, 0) : size + min(lag, 0)] = values[..., max(-lag, 0) : size - max(lag, 0)]
    return out


def gmm_columns(
    values: np.ndarray, first: int, last: int | None, equation: str, valid: np.ndarray, n: int, collapse: bool
) -> list[np.ndarray]:
    """GMM-style instruments of a column, by equation; shapes (N, R, columns)."""
    n_units, n_rows = valid.shape
    known = np.where(np.isnan(values), 0.0, values)
    parts = []
    if equation != "level":
        lags = range(first, (n - 1 if last is None else min(last, n - 1)) + 1)
        dated = [shifted(known, lag, 0.0) * valid[:, :n] for lag in lags]
        parts.append(_by_period(dated, n_units, n_rows, 0, collapse))
    if equation != "transformed" and n_rows > n:
        change = values - shifted(values, 1, np.nan)
        change = np.where(np.isnan(change), 0.0, change)
        dated = [shifted(change, first - 1, 0.0) * valid[:, n:]]
        parts.append(_by_period(dated, n_units, n_rows, n, collapse))
    return parts


def _by_period(dated: list[np.ndarray], n_units: int, n_rows: int, offset: int, collapse: bool) -> np.ndarray:
    """Columns of values dated by equation: one a lag if collapsed, else one a period and lag."""
    if not dated:
        return np.zeros((n_units, n_rows, 0))
    n_periods = dated[0].shape[1]
    stacked = np.stack(dated, axis=-1)  # (N, P, lags)
    out = np.zeros((n_units, n_rows, len(dated) if collapse else n_periods * len(dated)))
    if collapse:
        out[:, offset : offset + n_periods] = stacked
    else:
        for t in range(n_periods):
            out[:, offset + t, t * len(dated) : (t + 1) * len(dated)] = stacked[:, t]
    return out


def only(block: np.ndarray, equation: str, n: int) -> np.ndarray:
    """The rows of one equation; the others zero."""
    block = block.copy()
    if equation == "level":
        block[:, :n] = 0.0
    if equation == "transformed":
        block[:, n:] = 0.0
    return block


def parse_gmm(entry: GmmInstrument, panel: Panel) -> tuple[str, int, int | None, str]:
    """Column, first lag, last lag and equation of a declared GMM-style instrument, or `SpecError`."""
    form = "Write (column, first lag, last lag) with a last lag of None for all, or add the equation"
    if isinstance(entry, str) or not 3 <= len(entry) <= 4:
        raise SpecError(f"gmm instrument {entry!r} is not (column, first lag, last lag)", fix=form)
    name, first, last = entry[:3]
    equation = entry[3] if len(entry) == 4 else "both"
    if not isinstance(name, str) or type(first) is not int or not (last is None or type(last) is int):
        raise SpecError(f"gmm instrument {entry!r} is not (column, first lag, last lag)", fix=form)
    if last is not None and last < first:
        raise SpecError(f"gmm instrument {entry!r}: the last lag is before the first", fix=form)
    if panel.time is not None and -first > panel.frame[panel.time].max() - panel.frame[panel.time].min():
        raise SpecError(f"gmm instrument {entry!r}: the first lead is longer than the panel", fix="Give the first lag")
    if equation not in EQUATIONS:
        raise SpecError(
            f"unknown equation '{equation}' of gmm instrument '{name}'", fix=nearest(str(equation), EQUATIONS)
        )
    check_column(name, panel, "gmm instruments")
    return name, first, last, str(equation)


def parse_iv(entry: IvInstrument, panel: Panel) -> tuple[str, str]:
    """Column and equation of a declared standard instrument, or `SpecError`."""
    name, equation = (entry, "both") if isinstance(entry, str) else (entry[0], entry[1] if len(entry) == 2 else "")
    if equation not in EQUATIONS:
        raise SpecError(f"unknown equation '{equation}' of iv instrument '{name}'", fix=nearest(equation, EQUATIONS))
    check_column(name, panel, "iv instruments")
    return name, equation


def check_column(term: str, panel: Panel, role: str) -> None:
    """Raise unless the panel has the column behind a term, and none that is called as its lag is."""
    name = lag_of(term)[0]
    if name != term and term in panel.frame:
        raise SpecError(
            f"column '{term}' has the name of a lag, and stands among the {role}",
            place=panel.source,
            fix="Rename the column: an estimator with lags would compute it anew",
        )
    if name not in panel.frame:
        raise SpecError(
            f"unknown column '{name}' among the {role}", place=panel.source, fix=nearest(name, panel.frame.columns)
        )
