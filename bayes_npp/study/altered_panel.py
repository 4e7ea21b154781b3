"""A panel altered for a robustness row: columns replaced, units dropped, window narrowed, values winsorised."""

from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd

from bayes_npp.design.scales import Scales, within_sds
from bayes_npp.errors import SpecError, nearest
from bayes_npp.panels.labels import clean
from bayes_npp.panels.panel import Panel
from bayes_npp.panels.transforms import Winsorise
from bayes_npp.panels.variation import constant


def moments(panel: Panel, name: str) -> tuple[float, float]:
    """Mean and SD (n - 1) over the window."""
    values = panel.numbers(name)[panel.in_window]
    values = values[~np.isnan(values)]
    if len(values) < 2 or constant(values):
        raise SpecError(f"column '{name}' does not vary in the window", fix="Choose another column")
    return float(values.mean()), float(values.std(ddof=1))


def within_sd(panel: Panel, name: str, scales: Scales) -> float:
    """SD over the window within the effects that the study's scales are taken within."""
    moments(panel, name)  # refuses a constant
    values = panel.numbers(name)
    rows = panel.in_window & ~np.isnan(values)
    unit = pd.factorize(panel.frame[panel.unit][rows])[0]
    time = np.zeros(len(unit), dtype=int) if panel.time is None else pd.factorize(panel.frame[panel.time][rows])[0]
    return float(within_sds(values[rows, None], unit, time, scales.removed)[0][0])


def rescaled(panel: Panel, name: str, scales: Scales) -> Panel:
    """With a column moved and scaled to mean and SD of the study's outcome."""
    mean, sd = moments(panel, name)
    return panel.with_column(name, scales.outcome_mean + (panel.numbers(name) - mean) / sd * scales.total_sd)


def without(panel: Panel, units: tuple[str, ...]) -> Panel:
    """Without the named units."""
    names = panel.frame[panel.unit].astype(str)
    known = names[panel.in_window].unique()
    units = tuple(clean(unit) for unit in units)
    for unit in units:
        if unit not in known:
            raise SpecError(f"unknown unit '{unit}' in drop_units", fix=nearest(unit, known))
    kept = ~names.isin(units).to_numpy()
    return replace(panel, frame=panel.frame[kept].reset_index(drop=True), file_rows=panel.file_rows[kept])


def narrowed(panel: Panel, declared: tuple[int | str, int | str]) -> Panel:
    """With a narrower window, declared in the file's keys."""
    if panel.time is None:
        raise SpecError("a window needs a time column", fix="Leave window out")
    times = panel.frame[panel.time]
    first, last = panel.window or (int(times.min()), int(times.max()))
    window, label = panel.calendar.bounds(*declared), panel.calendar.label
    if not first <= window[0] < window[1] <= last:
        raise SpecError(
            f"window [{declared[0]}, {declared[1]}] is not inside the study's",
            fix=f"It runs from {label(first)} to {label(last)}",
        )
    return replace(panel, window=window)


def lost(panel: Panel, name: str) -> str:
    """What a lag or lead costs in the window, and whether periods outside it served."""
    assert panel.time is not None
    inside = panel.in_window
    missing = np.isnan(panel.numbers(name)) & inside
    if not missing.any():
        return "periods outside the window serve it, no row is lost"
    times = panel.frame[panel.time]
    whole = [panel.calendar.label(t) for t, own in times[inside].groupby(times[inside]) if missing[own.index].all()]
    place = f", all of {', '.join(whole)}" if whole else ""
    return f"{missing.sum()} rows without it left out{place}"


def winsorised(panel: Panel, names: tuple[str, ...], p: float, within_period: bool) -> Panel:
    """With columns set to their quantiles of p and 1 - p beyond them; columns of two values are kept."""
    within: Literal["window", "period"] = "period" if within_period else "window"
    new = {}
    for name in names:
        values = panel.numbers(name)[panel.in_window]
        if len(np.unique(values[~np.isnan(values)])) > 2:
            new[name] = Winsorise(name=name, winsorise=name, p=p, within=within).values(panel)
    frame = panel.frame.copy(deep=False)
    for name, values in new.items():
        frame[name] = values
    return replace(panel, frame=frame)


def periods(by: int) -> str:
    """How many periods, in words."""
    return "one period" if abs(by) == 1 else f"{abs(by)} periods"
