"""Figures of common factors: each over time, with a loading of every unit beside it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayes_npp.analysis.records import FitRecord
from bayes_npp.reporting.base.blocks import Block, Details, Figure
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.base.words import model_word, unit_word, variable_word
from bayes_npp.reporting.figures.drawing import legend_below, new_figure
from bayes_npp.reporting.tables.rungs import main_ladder

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

COLOURS = ("#1d4e89", "#c8553d")
NAMED = 40  # units named on an axis


def factor_figures(result: Result) -> list[Block]:
    """Factors of the fits behind the verdicts, or of the first fit that has some; all but one folded away.

    Beside fits behind verdicts those of other rungs, ruled out or richer, are in factors.csv only.
    """
    records = {record.model: record for record in _in_order(result) if record.factors is not None}
    behind = {ladder.errors.record.model for ladder in result.ladders} & set(records)
    if behind:
        declared = {model.name for model in result.study.models}
        records = {name: record for name, record in records.items() if name in behind | declared}
    figures = [factor_figure(record, result) for record in records.values()]
    return [*figures[:1], *(Details(figure.title, (figure,)) for figure in figures[1:])]


def _in_order(result: Result) -> Iterable[FitRecord]:
    """Fits of ladders, those behind verdicts first and the main ladder's before others', then declared ones."""
    main = main_ladder(result)
    ladders = [main, *(one for one in result.ladders if one is not main)] if main else []
    yield from (ladder.errors.record for ladder in ladders)
    yield from (record for ladder in ladders for record in ladder.errors.records.values())
    yield from result.fits


def factor_figure(record: FitRecord, result: Result) -> Figure:
    """Factors over time and loadings by unit of one fit that has some."""
    frame = record.factors
    if frame is None:
        raise ValueError(f"'{record.model}' has no common factor")
    unit, model = unit_word(result.study), model_word(result.study, record.model)
    outcome = variable_word(result.study, result.study.roles.outcome, unit=False)
    many = "s" if frame["factor"].nunique() > 1 else ""
    caption = (
        f"What the {model} finds in what the regression leaves, with 95 % intervals. Left: the factor{many} over time, "
        f"mean square about one. Right: the loading of each {unit}, how much its {outcome} moves where the factor "
        "rises by one, beyond what slopes explain. Signs are free: here a factor ends above where it begins."
    )
    return Figure(
        f"factors_{record.model}",
        f"The common factor{many} of the {model}",
        caption,
        frame.drop(columns="fit"),
        lambda: factors_drawn(frame, unit),
    )


def factors_drawn(frame: pd.DataFrame, unit: str) -> "Drawing":
    """Factors over time on the left; on the right loadings by unit, sorted by the first factor's."""
    own, loadings = frame[frame["of"] == "period"], frame[frame["of"] == "unit"]
    first = loadings[loadings["factor"] == 1].sort_values("mean", kind="stable")
    place = {label: at for at, label in enumerate(first["label"])}
    figure, (left, right) = new_figure(7.2, 1.3 + 0.1 * min(len(place), NAMED), columns=2)
    number = own["factor"].nunique()
    for k, colour in zip(range(1, number + 1), COLOURS, strict=False):
        rows = own[own["factor"] == k]
        at = np.arange(len(rows))
        left.plot(at, rows["mean"], color=colour, marker="o", markersize=3.5, label=f"factor {k}")
        left.fill_between(at, rows["lo"], rows["hi"], color=colour, alpha=0.15, linewidth=0)
        rows = loadings[loadings["factor"] == k]
        height = np.array([place[label] for label in rows["label"]]) + (k - 1 - (number - 1) / 2) * 0.3
        right.hlines(height, rows["lo"], rows["hi"], color=colour, linewidth=1)
        right.plot(rows["mean"], height, "o", color=colour, markersize=3)
    periods = own.loc[own["factor"] == 1, "label"].tolist()
    step = max(1, len(periods) // 8)
    left.set_xticks(range(0, len(periods), step), periods[::step], rotation=45 if len(periods) > 8 else 0)
    left.axhline(0, color="#444444", linewidth=0.8)
    left.set_title("Factor over time", fontsize=10)
    right.axvline(0, color="#444444", linewidth=0.8)
    right.set_title("Loadings", fontsize=10)
    if len(place) <= NAMED:
        right.set_yticks(range(len(place)), list(place), fontsize=6)
    else:
        right.set_yticks([])
        right.set_ylabel(f"every {unit}, by its loading")
    if number > 1:
        legend_below(figure, left)
    return figure
