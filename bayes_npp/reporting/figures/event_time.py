"""The exposure's coefficients before and after, in both paradigms."""

from typing import TYPE_CHECKING

import pandas as pd

from bayes_npp.reporting.base.blocks import Beside, Block, Figure, Heading, Paragraph
from bayes_npp.reporting.base.numbers import p_value
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.base.words import errors_word, lower, variable_word
from bayes_npp.reporting.figures.drawing import legend_below, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

STYLE = {
    "frequentist": ("Two-way fixed effects", "#c8553d", "D", -0.09),
    "bayesian": ("Posterior", "#1d4e89", "o", 0.09),
}


def event_time_blocks(result: Result) -> list[Block]:
    """What is asked, the joint test of the leads, and the picture."""
    found = result.event_time
    if found is None:
        return []
    study = result.study
    exposure = lower(variable_word(study, study.roles.exposure, unit=False))
    ref = "tests.csv:event time/leads:p_value"
    text = (
        f"A placebo: if {exposure} moves the outcome, its later values have nothing to say beside its present and "
        f"earlier ones. All leads zero, by least squares: {p_value(found.leads_p, ref)}. "
    )
    if found.clear:
        where = " and ".join(
            {"frequentist": "by least squares", "bayesian": "in the posterior"}[p] for p in found.clear
        )
        text += f"The interval of a lead leaves zero out {where}: the outcome moves first, or something moves both."
    else:
        text += "The interval of every lead holds zero."
    if found.without_factor:
        text += f" This posterior has no common factor, unlike the one behind the verdicts: {found.without_factor}."
    errors = f", {errors_word(study, found.errors)}" if found.errors else ""
    caption = (
        f"Coefficients of {exposure} in one model, by the periods that the outcome comes after it; left of the line "
        f"the outcome comes first. 95 % intervals; {found.n_obs} rows with all leads and lags{errors}."
    )
    title = "Before and after: leads and lags of the exposure"
    figure = Figure("event_time", title, caption, found.frame, lambda: before_and_after(found.frame))
    return [Beside((figure,), (Heading("Does the outcome move first?"), Paragraph(text)))]


def before_and_after(frame: pd.DataFrame) -> "Drawing":
    """Estimates and intervals by place, the paradigms beside each other."""
    figure, axes = new_figure(6.4, 2.9)
    axes.axhline(0, color="#444444", linewidth=0.8)
    axes.axvline(-0.5, color="#444444", linewidth=0.8, linestyle=":")
    for paradigm, rows in frame.groupby("paradigm", sort=False):
        label, colour, mark, aside = STYLE[str(paradigm)]
        x = rows["place"] + aside
        axes.vlines(x, rows["lo"], rows["hi"], color=colour, linewidth=1.4)
        axes.plot(x, rows["estimate"], mark, color=colour, markersize=5, label=label)
    axes.set_xticks(sorted(frame["place"].unique()))
    axes.set_xlabel("Periods that the outcome comes after the exposure")
    axes.set_ylabel("Slope")
    legend_below(figure, axes)
    return figure
