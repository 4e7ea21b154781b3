"""Figures of the ledger: probabilities over priors, slopes by prior scale, the specification curve."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayes_npp.bayesian.sensitivity.sensitivity import Sensitivity
from bayes_npp.reporting.base.blocks import Figure
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.figures.drawing import legend_below, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

type Answered = tuple[str, Sensitivity]

ACROSS = 3  # panels in a row
COLOURS = ("#b0b0b0", "#1d4e89", "#2a7f62", "#c8553d", "#8a6d3b")


def priors_figure(own: Answered, result: Result) -> Figure:
    """Probability of every claim over the grid of priors."""
    assert result.ledger is not None
    frame = result.ledger.lowest_by_priors(own[0])
    return Figure(
        f"priors_{own[0]}",
        "Probability of the claims over priors",
        "Posterior probability of each claim over the grid of priors: the lowest over the priors not shown.",
        frame,
        lambda: heat_map(frame),
    )


def pooling_figure(own: Answered, result: Result) -> Figure:
    """Slopes from pooled to free."""
    frame = own[1].slopes
    return Figure(
        f"pooling_{own[0]}",
        "Slopes as the prior that pools them widens",
        "Slopes, posterior means and 95 % intervals, as the prior of how much they differ widens. Left, the prior "
        "pools; right, it leaves each group to itself.",
        frame,
        lambda: slopes_by_prior(frame),
    )


def sceptic_figure(own: Answered, result: Result) -> Figure:
    """Probability of every claim from a sceptical to a flat prior."""
    curves = [found.curve.assign(proposition=str(found.proposition)) for found in own[1].reverse]
    frame, level = pd.concat(curves, ignore_index=True), own[1].reverse[0].level
    return Figure(
        f"sceptic_{own[0]}",
        "Probability of the claims as their own prior widens",
        "Reverse Bayes: probability of each claim as the zero-mean prior on its own estimand widens; dotted, "
        f"{level:g}.",
        frame,
        lambda: sceptic(frame, level),
    )


def curve_figure(own: Answered, result: Result) -> Figure:
    """The specification curve of every claim."""
    assert result.ledger is not None
    frame = result.ledger.curves[own[0]]
    return Figure(
        f"specification_{own[0]}",
        "Samples and estimators",
        "Every declared sample under every estimator, 95 % intervals. Cells share their data and are not independent "
        "evidence.",
        frame,
        lambda: specification(frame),
    )


def heat_map(frame: pd.DataFrame) -> "Drawing":
    """Probability of each proposition over two axes of the grid, the lowest over the others."""
    propositions = list(dict.fromkeys(frame["proposition"]))
    first, *second = (c for c in frame if c not in ("proposition", "lowest", "highest"))
    down = list(dict.fromkeys(frame[first]))
    across = list(dict.fromkeys(frame[second[0]])) if second else [""]
    figure, panels = _panels(len(propositions), 3.6, 1.8 + 0.34 * len(down) + 0.9)
    for position, (axes, proposition) in enumerate(zip(panels, propositions, strict=True)):
        own = frame[frame["proposition"] == proposition].set_index([first, *second])["lowest"]
        cells = pd.MultiIndex.from_product([down, across]) if second else pd.Index(down)
        values = own.reindex(cells).to_numpy().reshape(len(down), len(across))  # a thinned grid leaves cells empty
        shown = axes.imshow(values, vmin=0, vmax=1, cmap="RdBu", aspect="auto")
        for (i, j), value in np.ndenumerate(values):
            axes.text(
                j, i, "" if np.isnan(value) else f"{value:.2f}", ha="center", va="center", fontsize=6, color=_ink(value)
            )
        axes.set_xticks(range(len(across)), across, rotation=60, ha="right", fontsize=6)
        axes.set_yticks(range(len(down)), down if position % ACROSS == 0 else [""] * len(down), fontsize=6)
        axes.set_title(proposition, fontsize=8)
        axes.spines[:].set_visible(False)
        axes.set_xlabel(f"Prior of {second[0]}" if second else "", fontsize=8)
    panels[0].set_ylabel(f"Prior of {first}", fontsize=8)
    figure.colorbar(shown, ax=panels, label="Probability, lowest over the other priors", shrink=0.8)
    return figure


def _panels(count: int, width: float, height: float) -> tuple["Drawing", list[Any]]:
    """A figure with a panel for each proposition, inches wide and high, in rows that a page has room for."""
    columns, rows = min(count, ACROSS), -(-count // ACROSS)
    figure, axes = new_figure(2.2 + width * columns, height * rows, columns, rows)
    every = list(np.ravel(axes))
    for spare in every[count:]:
        spare.remove()
    return figure, every[:count]


def _ink(value: float) -> str:
    """The colour of a number on its cell, which is the same in the dark: none of `drawing.THEME`."""
    return "#fdfdfd" if abs(value - 0.5) > 0.35 else "#101010"


def slopes_by_prior(frame: pd.DataFrame) -> "Drawing":
    """Every group's slope and interval as the prior that pools slopes widens."""
    groups = list(dict.fromkeys(frame["group"]))
    scales = list(dict.fromkeys(frame["scale"]))
    figure, axes = new_figure(7.2, 3.4)
    axes.axhline(0, color="#444444", linewidth=0.8)
    for number, group in enumerate(groups):
        own = frame[frame["group"] == group]
        at = np.arange(len(own)) + (number - (len(groups) - 1) / 2) * min(0.18, 0.7 / len(groups))
        colour = COLOURS[(number + 1) % len(COLOURS)]
        axes.vlines(at, own["lo"], own["hi"], color=colour, linewidth=1.3)
        axes.plot(at, own["mean"], "o", color=colour, markersize=3, label=str(group))
    axes.set_xticks(range(len(scales)), [f"{scale:.2g}" for scale in scales])
    what = "the slopes' SD" if (frame["prior"] == "slope_sd").all() else "the slope"
    axes.set_xlabel(f"Scale of the prior of {what} (standardised units): from pooled to free")
    axes.set_ylabel("Slope, 95 % interval (data's units)")
    legend_below(figure, axes)
    return figure


def sceptic(frame: pd.DataFrame, level: float) -> "Drawing":
    """Probability of each claim as the prior on its own estimand widens; `level` is the bar of support."""
    figure, axes = new_figure(7.2, 3.4)
    axes.axhline(level, color="#444444", linewidth=0.8, linestyle=":")
    axes.axhline(0.5, color="#dddddd", linewidth=0.8)
    for number, (proposition, rows) in enumerate(frame.groupby("proposition", sort=False)):
        colour = COLOURS[(number + 1) % len(COLOURS)]
        axes.plot(rows["prior_sd"], rows["probability"], color=colour, label=str(proposition), linewidth=1.3)
    axes.set_xscale("log")
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("SD of the zero-mean prior on what the claim is about (data's units)")
    axes.set_ylabel("Posterior probability of the claim")
    legend_below(figure, axes)
    return figure


def specification(curve: pd.DataFrame) -> "Drawing":
    """Estimates of every cell with 95 % intervals, one panel a proposition."""
    propositions = list(dict.fromkeys(curve["proposition"]))
    samples = list(dict.fromkeys(curve["sample"]))
    estimators = list(dict.fromkeys(curve["estimator"]))
    figure, panels = _panels(len(propositions), 2.7, 1.4 + 0.42 * len(samples))
    for position, (axes, proposition) in enumerate(zip(panels, propositions, strict=True)):
        axes.axvline(0, color="#444444", linewidth=0.8)
        for number, estimator in enumerate(estimators):
            own = curve[(curve["proposition"] == proposition) & (curve["estimator"] == estimator)]
            own = own.dropna(subset="estimate")
            at = [samples.index(s) + (number - (len(estimators) - 1) / 2) * 0.22 for s in own["sample"]]
            colour = COLOURS[number % len(COLOURS)]
            axes.hlines(at, own["lo"], own["hi"], color=colour, linewidth=1.3)
            axes.plot(own["estimate"], at, "o", color=colour, markersize=3, label=estimator)
        axes.set_yticks(range(len(samples)), samples if position % ACROSS == 0 else [""] * len(samples), fontsize=7)
        axes.set_ylim(len(samples) - 0.5, -0.5)  # a row is a row in every panel
        axes.set_title(proposition, fontsize=7)
        axes.tick_params(axis="x", labelsize=7)
    middle = panels[-1 if len(panels) > ACROSS else len(panels) // 2]
    middle.set_xlabel("What the proposition compares with its number, 95 % interval (data's units)", fontsize=8)
    legend_below(figure, middle)
    return figure
