"""Figures of slopes, mechanisms and checks."""

from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayes_npp.analysis.comparison import Heterogeneity, slope_frame
from bayes_npp.analysis.records import FitRecord, Mechanism
from bayes_npp.reporting.base.blocks import Figure
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.base.words import model_word, sentence
from bayes_npp.reporting.figures.drawing import legend_below, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

COLUMN_STYLE = {
    "subsample": ("Separate regressions (another model)", "#b0b0b0", "s"),
    "interacted": ("TWFE, exposure x group (no pooling)", "#c8553d", "o"),
    "pooled": ("Hierarchical (partial pooling)", "#1d4e89", "D"),
    "chosen": ("Hierarchical, errors as the checks ask", "#2a7f62", "v"),
}
MEDIATOR_COLOURS = ("#1d4e89", "#c8553d", "#2a7f62", "#8a6d3b")
SHOWN_RHO = 0.6


def forest_figure(comparison: Heterogeneity, result: Result) -> Figure:
    """The slopes of the groups under every model compared."""
    grouping, chosen = comparison.grouping, comparison.chosen_model != comparison.pooled_model
    frame = slope_frame(comparison)
    separate = any(slope.subsample is not None for slope in comparison.slopes)
    grey = "Grey: separate regressions, another model. " if separate else ""
    bare = " A hollow mark has no interval: too few units for a test." if frame["lo"].isna().any() else ""
    return Figure(
        f"slopes_{comparison.pooled_model}",
        f"Slope of {comparison.exposure} by {grouping}",
        f"Slope of {comparison.exposure} by {grouping}. {grey}Red: one TWFE regression with the "
        f"exposure interacted with {grouping}, 95 % confidence intervals. Blue: hierarchical model with "
        "partial pooling, 95 % equal-tailed posterior intervals"
        f"{'; green: the same with the error model behind the verdicts' if chosen else ''}. An interval that reaches "
        f"the edge goes on beyond it; its ends are in the table.{bare}",
        frame,
        lambda: forest(comparison),
    )


def shrinkage_figure(comparison: Heterogeneity, result: Result) -> Figure:
    """From no pooling to partial pooling."""
    return Figure(
        f"shrinkage_{comparison.pooled_model}",
        "Shrinkage",
        "What partial pooling does: arrows run from the interacted TWFE slope to the hierarchical one, the same "
        "estimand with and without pooling.",
        shrinkage_frame(comparison),
        lambda: shrinkage(comparison),
    )


def confounding_figure(mechanism: Mechanism, result: Result) -> Figure | None:
    """Indirect effects under confounding of mediator and outcome; None where they have no closed form."""
    curve = mechanism.curve
    if curve is None:
        return None
    return Figure(
        f"confounding_{mechanism.model}",
        "Indirect effects if errors of mediator and outcome correlate",
        "Indirect effects, averaged over observations, if something left out made the errors of mediator and outcome "
        "correlate by rho: their innovations, where errors have memory or scales of their own. At rho = 0 stands what "
        "the model assumes; a curve ends where the draws of the posterior do not reach.",
        curve,
        lambda: confounding(curve),
    )


def predictive_figure(record: FitRecord, result: Result) -> Figure | None:
    """Residuals beside what the error model produces; None of errors that are not checked."""
    if not record.predictive:
        return None
    return Figure(
        f"predictive_{record.model}",
        f"Posterior predictive checks of {record.model}",
        f"{sentence(model_word(result.study, record.model))}: the residuals of the data (dots) beside what the error "
        "model produces (bars, 95 % of replications).",
        predictive_frame(record),
        lambda: predictive(record),
    )


def confounding(curve: pd.DataFrame) -> "Drawing":
    """Indirect effects over the correlation between errors of mediator and outcome, averaged over observations."""
    overall = curve[curve["group"] == ""]
    names = list(dict.fromkeys(overall["mediator"]))
    figure, axes = new_figure(7.2, 3.6)
    axes.axhline(0, color="#444444", linewidth=0.8)
    axes.axvline(0, color="#444444", linewidth=0.8, linestyle=":")
    for name, colour in zip(names, MEDIATOR_COLOURS * len(names), strict=False):
        rows = overall[overall["mediator"] == name]
        axes.plot(rows["rho"], rows["estimate"], color=colour, label=name)
        axes.fill_between(rows["rho"], rows["lo"], rows["hi"], color=colour, alpha=0.15, linewidth=0)
    # Beyond |rho| of about .7 effects run away: the axis shows what happens around zero.
    near = overall[overall["rho"].abs() <= SHOWN_RHO]
    low, high = near["lo"].min(), near["hi"].max()
    axes.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    axes.set_xlabel("Correlation between the errors of mediator and outcome (rho)")
    axes.set_ylabel("Indirect effect (data's units), 95 % interval")
    legend_below(figure, axes)
    return figure


def forest(comparison: Heterogeneity) -> "Drawing":
    """Slopes of the groups in three columns with 95 % intervals."""
    table = slope_frame(comparison)
    groups = list(dict.fromkeys(table["group"]))
    figure, axes = new_figure(7.2, 1.1 + 0.85 * len(groups))
    axes.axvline(0, color="#444444", linewidth=0.8)
    columns = [c for c in COLUMN_STYLE if c in set(table["column"])]
    for c, column in enumerate(columns):
        label, colour, marker = COLUMN_STYLE[column]
        rows = table[table["column"] == column]
        height = np.array([groups.index(g) for g in rows["group"]]) + (c - (len(columns) - 1) / 2) * 0.22
        reach = np.abs(rows[["lo", "hi"]].to_numpy() - rows[["estimate"]].to_numpy()).T
        axes.errorbar(
            rows["estimate"], height, xerr=reach, fmt=marker, color=colour, label=label, markersize=5.5, capsize=2
        )
        bare = rows["lo"].isna().to_numpy()
        axes.plot(
            rows["estimate"][bare],
            height[bare],
            marker,
            color=colour,
            markerfacecolor="white",
            markersize=5.5,
            zorder=4,
        )
    _group_axis(axes, groups)
    # A group of very few units can have an interval far wider than the others: show it to the axis' edge, not beyond.
    inside = table[["lo", "hi"]].to_numpy()
    low, high = np.nanquantile(inside[:, 0], 0.1), np.nanquantile(inside[:, 1], 0.9)
    margin = 0.15 * (high - low)
    axes.set_xlim(
        min(low - margin, table["estimate"].min() - margin), max(high + margin, table["estimate"].max() + margin)
    )
    axes.set_xlabel(f"Slope of {comparison.exposure} (data's units), 95 % interval")
    legend_below(figure, axes)
    return figure


def shrinkage(comparison: Heterogeneity) -> "Drawing":
    """Arrows from the interacted (no pooling) slope to the partially pooled one."""
    table = shrinkage_frame(comparison)
    groups = list(table["group"])
    figure, axes = new_figure(7.2, 1.1 + 0.5 * len(groups))
    average = table["average"].iloc[0]
    axes.axvline(
        average, color="#1d4e89", linewidth=1, linestyle=":", label="Mean of the groups' slopes, partial pooling"
    )
    span = np.ptp(table[["interacted", "pooled"]].to_numpy())
    for row, slope in enumerate(table.itertuples()):
        if abs(slope.pooled - slope.interacted) < 0.01 * span:  # shorter than the arrow's own head
            continue
        axes.annotate(
            "",
            xy=(slope.pooled, row),
            xytext=(slope.interacted, row),
            arrowprops={"arrowstyle": "-|>", "color": "#555555", "shrinkA": 4, "shrinkB": 4},
        )
    for column in ("interacted", "pooled"):
        label, colour, marker = COLUMN_STYLE[column]
        axes.plot(table[column], range(len(groups)), marker, color=colour, label=label, markersize=7)
    _group_axis(axes, groups)
    axes.set_xlabel(f"Slope of {comparison.exposure} (data's units)")
    legend_below(figure, axes)
    return figure


def predictive(record: FitRecord) -> "Drawing":
    """What the residuals are, beside the range the error model can produce."""
    table = predictive_frame(record)
    figure, panels = new_figure(7.2, 2.5, columns=len(table))
    for axes, row in zip(np.atleast_1d(panels), table.itertuples(), strict=True):
        axes.hlines(0, row.lo, row.hi, color="#1d4e89", linewidth=7, alpha=0.45, label="95 % of replications")
        axes.plot(row.observed, 0, "o", color="#c8553d", markersize=8, label="Observed residuals")
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_title("\n".join(wrap(row.check, 17)), fontsize=8.5, loc="left")
        axes.set_xlabel("\n".join(wrap(row.meaning, 26)), fontsize=7.5)
        axes.margins(x=0.12)
    legend_below(figure, np.atleast_1d(panels)[0])
    return figure


def shrinkage_frame(comparison: Heterogeneity) -> pd.DataFrame:
    """Columns group, interacted, pooled, average."""
    average = next(pooled["estimate"] for name, _, pooled in comparison.averages if name == "mean_group_slope")
    rows = [(s.group, s.interacted["estimate"], s.pooled["estimate"], average) for s in comparison.slopes]
    return pd.DataFrame(rows, columns=["group", "interacted", "pooled", "average"])


def predictive_frame(record: FitRecord) -> pd.DataFrame:
    """Columns check, meaning, observed, lo, hi, p."""
    rows = [(c.name, c.meaning, c.observed, c.lo, c.hi, c.p) for c in record.predictive]
    return pd.DataFrame(rows, columns=["check", "meaning", "observed", "lo", "hi", "p"])


def _group_axis(axes: Any, groups: list[str]) -> None:
    axes.set_yticks(range(len(groups)), groups)
    axes.set_ylim(len(groups) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
