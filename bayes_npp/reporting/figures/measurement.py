"""The specification curve of measurement: one column a variant, its slopes above and its choices below.

Source of the layout: Simonsohn, Simmons & Nelson (2020), Nature Human Behaviour 4, 1208-1214.
"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayes_npp.analysis.records import MeasurementRecord
from bayes_npp.reporting.base.blocks import Figure
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.base.words import lower, variable_word
from bayes_npp.reporting.figures.drawing import legend_below, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

TWFE, DECLARED, CHOSEN = "#c8553d", "#1d4e89", "#2a7f62"
LOGS = {"none": "indicators as they are", "ln": "logs of indicators", "ln1p": "logs of one plus indicators"}
WEIGHTS = {"critic": "CRITIC weights", "pca": "first component", "entropy": "entropy weights", "equal": "equal weights"}


def measurement_figure(records: list[MeasurementRecord], result: Result) -> Figure:
    """The specification curve of one declared model, by `curve_frame`."""
    frame = curve_frame(records)
    exposure = lower(variable_word(result.study, result.study.roles.exposure, unit=False))
    return Figure(
        f"measurement_{records[0].declared}",
        "Specification curve over the ways to measure",
        "Specification curve over the ways to measure: slopes with 95 % intervals above, the choices behind each "
        "below. Variants share nearly all their data and are not independent evidence.",
        frame,
        lambda: measurement_curve(frame, exposure, [record.errors for record in records]),
    )


def curve_frame(records: list[MeasurementRecord]) -> pd.DataFrame:
    """Variants of one declared model in order of their TWFE estimate, with the posterior of each error model.

    Parameters
    ----------
    records : list of MeasurementRecord
        Of one declared model, as declared first.

    Returns
    -------
    DataFrame
        variant, weights, logs, left_out, exposure, twfe, twfe_lo, twfe_hi, mean, lo, hi and, where there are other
        errors, chosen_mean, chosen_lo, chosen_hi (NaN for a variant not fitted with them).
    """
    names = ["variant", "weights", "logs", "left_out", "exposure", "twfe", "twfe_lo", "twfe_hi", "mean", "lo", "hi"]
    frame = records[0].variants[names]
    for record in records[1:]:
        other = record.variants[["variant", "mean", "lo", "hi"]].rename(columns=lambda n: f"chosen_{n}")
        frame = frame.merge(other.rename(columns={"chosen_variant": "variant"}), on="variant", how="left")
    return frame.sort_values("twfe", kind="stable").reset_index(drop=True)


def measurement_curve(frame: pd.DataFrame, exposure: str, errors: list[str]) -> "Drawing":
    """Draw `curve_frame`; `errors` names the declared error model and the other."""
    choices = _choices(frame)
    figure, _ = new_figure(8.6, 3.6 + 0.19 * len(choices))
    figure.clear()
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3.0, 0.19 * len(choices)])
    at = np.arange(len(frame))
    above.axhline(0, color="#444444", linewidth=0.8)
    series = [("twfe", "two-way fixed effects, clustered by unit", TWFE, "s", -0.22)]
    series.append(("", f"posterior, {errors[0]} errors", DECLARED, "o", 0.0))
    if len(errors) > 1:
        series.append(("chosen", f"posterior, {errors[1]} errors", CHOSEN, "v", 0.22))
    for prefix, label, colour, marker, shift in series:
        middle = frame["twfe"] if prefix == "twfe" else frame[f"{prefix}_mean" if prefix else "mean"]
        ends = frame[[f"{prefix}_{end}" if prefix else end for end in ("lo", "hi")]].to_numpy()
        reach = np.abs(ends - middle.to_numpy()[:, None]).T
        style = {"fmt": marker, "color": colour, "markersize": 3.2, "linewidth": 0.9}
        above.errorbar(at + shift, middle, yerr=reach, label=label, **style)
    above.set_ylabel(f"Slope of {exposure}, 95 %")
    for y, (_, mask) in enumerate(choices):
        below.plot(at, np.full(len(at), y), ".", color="#e3e6ea", markersize=3)
        below.plot(at[mask], np.full(mask.sum(), y), ".", color="#1c2430", markersize=5.5)
    below.set_yticks(range(len(choices)), [label for label, _ in choices], fontsize=7)
    below.set_ylim(len(choices) - 0.5, -0.5)
    below.tick_params(axis="both", length=0)
    below.set_xticks([])
    declared = int(np.flatnonzero(frame["variant"].str.endswith(", as declared"))[0])
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
        axes.axvline(declared, color="#b0b0b0", linewidth=6, alpha=0.35, zorder=0)
    below.set_xlabel("One column a variant, in order of its estimate by fixed effects; shaded: as declared", fontsize=8)
    legend_below(figure, above)
    return figure


def _choices(frame: pd.DataFrame) -> list[tuple[str, np.ndarray]]:
    """Labels of the choices and which variants make them."""
    out = [
        (WEIGHTS[name], (frame["weights"] == name).to_numpy()) for name in WEIGHTS if (frame["weights"] == name).any()
    ]
    logs = [name for name in LOGS if (frame["logs"] == name).any()]
    out += [(LOGS[name], (frame["logs"] == name).to_numpy()) for name in logs]
    left_out = sorted(set(frame["left_out"]) - {""})
    out += [(f"without {name}", (frame["left_out"] == name).to_numpy()) for name in left_out]
    exposures = dict.fromkeys(name for name in frame["exposure"] if name)
    return out + [(f"{name} as the exposure", (frame["exposure"] == name).to_numpy()) for name in exposures]
