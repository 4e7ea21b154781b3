"""Figures of an audit: P(first > second) over the unknown standard error, and P(> 0) under sceptical priors."""

from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from bayes_npp.auditing.record import Audit
from bayes_npp.reporting.base.blocks import Figure
from bayes_npp.reporting.figures.drawing import legend_below, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

COLOURS = ("#444444", "#1d4e89", "#c8553d", "#2a7f62", "#8a6d3b", "#7a5195")
LONGEST = 46


def difference_figures(audit: Audit) -> list[Figure]:
    """One figure for each pair of subsamples of which print leaves a standard error open."""
    out = []
    for pair, own in audit.curve.groupby("pair"):
        difference = audit.differences[int(pair) - 1]
        one, other = difference.first.labels["sample"], difference.second.labels["sample"]
        caption = (
            f"P({one} > {other}) against the standard error that print leaves open, flat priors, independent samples. "
            "Line: the other standard error as large as it may be; band: all it may be. The cap of "
            f"{difference.cap:g} on the ratio of the two is a declaration."
        )
        title = "Probability of the difference against the unknown standard error"
        drawing = partial(difference_curve, own, audit.options.cap)
        out.append(Figure(f"audit_difference_{pair}", title, caption, own, drawing))
    return out


def posterior_figure(audit: Audit) -> list[Figure]:
    """Every coefficient under every prior; none where no coefficient can be audited."""
    if not len(audit.posteriors):
        return []
    caption = (
        "P(> 0) under a flat and under sceptical priors. A bar spans the standard errors that print allows; dashed "
        "0.975, dotted 0.95."
    )
    drawing = partial(sceptical_posteriors, audit.posteriors)
    return [Figure("audit_posteriors", "P(> 0) under sceptical priors", caption, audit.posteriors, drawing)]


def difference_curve(curve: pd.DataFrame, cap: float) -> "Drawing":
    """P(first > second) against the standard error known less well, with the band of the other and the cap."""
    first, second, varies = (_plain(curve[name].iloc[0]) for name in ("first", "second", "se_of"))
    other = second if varies == first else first
    figure, axes = new_figure(7.2, 3.8)
    axes.fill_between(
        curve["se"],
        curve["probability_lowest"],
        curve["probability_highest"],
        color="#1d4e89",
        alpha=0.15,
        linewidth=0,
        label=f"Every standard error of '{other}' that print and cap allow",
    )
    axes.plot(
        curve["se"], curve["probability_lowest"], color="#1d4e89", label=f"The largest standard error of '{other}'"
    )
    for level, style in ((0.975, "--"), (0.95, ":")):
        axes.axhline(level, color="#444444", linewidth=0.8, linestyle=style, label=f"P = {level:g}")
    inside = curve[curve["within_cap"]]
    if len(inside) < len(curve):
        axes.axvline(inside["se"].max(), color="#c8553d", linewidth=1.2, label=f"Declared cap: {cap:g} times the other")
    axes.set_ylim(min(0.5, curve["probability_lowest"].min()) - 0.01, 1.01)
    axes.set_xlim(curve["se"].min(), curve["se"].max())
    axes.set_xlabel(f"Standard error of '{varies}' (unknown)")
    axes.set_ylabel(f"P({first} > {second})")
    legend_below(figure, axes)
    return figure


def sceptical_posteriors(posteriors: pd.DataFrame) -> "Drawing":
    """P(> 0) of each coefficient under each prior, over the standard errors allowed."""
    names = posteriors.groupby("row", sort=False)["coefficient"].first()
    rows = list(names.index)
    priors = list(dict.fromkeys(posteriors["prior"]))
    figure, axes = new_figure(7.2, 1.3 + (0.35 + 0.11 * len(priors)) * len(names))
    for p, prior in enumerate(priors):
        own = posteriors[posteriors["prior"] == prior].groupby("row", sort=False)["prob_positive"]
        low, high = own.min(), own.max()
        height = [rows.index(row) + (p - (len(priors) - 1) / 2) * 0.7 / len(priors) for row in low.index]
        colour = COLOURS[p % len(COLOURS)]
        axes.hlines(height, low, high, color=colour, linewidth=2)
        axes.plot(low, height, "o", color=colour, markersize=4, label=_plain(prior))
        axes.plot(high, height, "o", color=colour, markersize=4)
    for level, style in ((0.975, "--"), (0.95, ":")):
        axes.axvline(level, color="#444444", linewidth=0.8, linestyle=style)
    axes.set_yticks(range(len(names)), [_plain(name) for name in names], fontsize=8)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(min(0.48, posteriors["prob_positive"].min() - 0.02), 1.02)
    axes.set_xlabel("P(> 0), from the largest to the smallest standard error allowed")
    legend_below(figure, axes)
    return figure


def _plain(text: str) -> str:
    """Text that is not mathematics, and not longer than an axis bears."""
    short = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    return short.replace("$", r"\$")
