"""Contours of an estimate beside an omitted confounder, with confounders as strong as controls marked."""

from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayes_npp.claims.confounding import ClaimConfounding
from bayes_npp.frequentist.hypotheses.confounding import Confounding
from bayes_npp.reporting.base.blocks import Figure
from bayes_npp.reporting.base.numbers import with_minus
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.base.words import lower, variable_word
from bayes_npp.reporting.figures.drawing import legend_below, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

STEPS = 41
LEVELS = 7
# A shape and a colour for every control; shapes alone tell five apart.
MARKS = (("D", "#1d4e89"), ("o", "#2a7f62"), ("s", "#8a6d3b"), ("^", "#555555"), ("v", "#1c2430"))


def contour_figure(one: ClaimConfounding, result: Result) -> Figure | None:
    """The estimate behind a claim over the strength of a confounder; None where there is none."""
    found = one.found
    if found is None:
        return None
    study = result.study
    what = "difference" if one.about == "difference" else "slope"
    exposure = lower(variable_word(study, found.term, unit=False))
    frame = contour_frame(found)
    return Figure(
        f"omitted_{one.claim.id}",
        f"What an omitted confounder would leave of {one.claim.id}",
        f"The {what} of {exposure} by least squares that a confounder leaves, by the share of what controls and "
        f"effects leave of the exposure (across) and of the outcome (up) that it explains. Lower left: no confounder, "
        f"{found.estimate:.3g}. Thick: nothing is left. Joined marks: confounders once, twice and three "
        "times as strong as a control.",
        frame,
        lambda: contours(found, frame),
    )


def contour_frame(found: Confounding) -> pd.DataFrame:
    """What the figure is drawn from: r2_dz, r2_yz, estimate, on a grid; then the bounds with their benchmark and k."""
    marks = found.bounds.dropna(subset=["r2_dz"])
    across, up = _reach(marks["r2_dz"], found), _reach(marks["r2_yz"], found)
    r2_dz, r2_yz = np.linspace(0, across, STEPS), np.linspace(0, up, STEPS)
    one, two = np.meshgrid(r2_dz, r2_yz)
    grid = pd.DataFrame({"r2_dz": one.ravel(), "r2_yz": two.ravel(), "estimate": found.grid(r2_dz, r2_yz).ravel()})
    grid.insert(0, "what", "grid")
    own = (
        marks[["r2_dz", "r2_yz", "estimate"]]
        .astype(float)
        .assign(what=[f"{k:g} x {name}" for name, k in zip(marks["benchmark"], marks["k"], strict=True)])
    )
    return pd.concat([grid, own[["what", "r2_dz", "r2_yz", "estimate"]]], ignore_index=True)


def _reach(values: pd.Series, found: Confounding) -> float:
    """How far an axis goes: past the robustness value and past the marks, never to one."""
    return float(min(0.95, 1.15 * max([found.robustness_value * 1.3, 0.05, *values])))


def contours(found: Confounding, frame: pd.DataFrame) -> "Drawing":
    """Lines of equal adjusted estimates, the one at zero thick."""
    grid = frame[frame["what"] == "grid"]
    r2_dz, r2_yz = grid["r2_dz"].unique(), grid["r2_yz"].unique()
    values = grid["estimate"].to_numpy().reshape(len(r2_yz), len(r2_dz))
    figure, axes = new_figure(6.4, 3.6)
    levels = [level for level in np.linspace(values.min(), values.max(), LEVELS)[1:-1] if abs(level) > 1e-12]
    lines = axes.contour(r2_dz, r2_yz, values, levels=sorted(levels), colors="#b0b0b0", linewidths=0.8)
    axes.clabel(lines, fmt=lambda level: with_minus(f"{level:.3g}"), fontsize=8)
    if values.min() < 0 < values.max():
        axes.contour(r2_dz, r2_yz, values, levels=[0.0], colors="#c8553d", linewidths=2.2)
    marks = frame[frame["what"] != "grid"]
    benchmark = marks["what"].str.split(" x ", n=1).str[1]
    for (name, own), (marker, colour) in zip(marks.groupby(benchmark, sort=False), cycle(MARKS), strict=False):
        axes.plot(
            own["r2_dz"],
            own["r2_yz"],
            f"{marker}-",
            color=colour,
            markersize=5,
            linewidth=0.9,
            clip_on=False,
            label=name,
        )
    if len(marks):
        legend_below(figure, axes)
    axes.set_xlabel("Share of the exposure that it explains")
    axes.set_ylabel("Share of the outcome that it explains")
    return figure
