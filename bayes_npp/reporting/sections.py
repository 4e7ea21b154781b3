"""The sections of the report, in reading order: the one list of what stands where, for HTML and Markdown alike.

To add a table or a figure: write a function in a file of its own, and name it in a row here. A function takes the
`Result` and returns a block, several, or None where there is nothing to show. Inside `each` it also takes what the
section is repeated for. A section without a block is left out.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bayes_npp.reporting.base.blocks import Block, Bullets, Details, Heading, Paragraph, Part, Sides
from bayes_npp.reporting.base.cells import Table
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.figures.claims import curve_figure, pooling_figure, priors_figure, sceptic_figure
from bayes_npp.reporting.figures.measurement import measurement_figure
from bayes_npp.reporting.figures.slopes import confounding_figure, forest_figure, predictive_figure, shrinkage_figure
from bayes_npp.reporting.findings import finding_blocks
from bayes_npp.reporting.tables.checks import diagnostics_table, predictive_table, sampler_note, specification_table
from bayes_npp.reporting.tables.claims import (
    answered,
    curve_table,
    evidence_table,
    ledger_table,
    power_table,
    prior_overlap_table,
    prior_predictive_table,
    sets_table,
)
from bayes_npp.reporting.tables.descriptives import descriptive_table
from bayes_npp.reporting.tables.equality import equality_table
from bayes_npp.reporting.tables.inputs import prior_table, published_table, weight_table
from bayes_npp.reporting.tables.ladder import accuracy_table, error_table, pooling_table, spread_table
from bayes_npp.reporting.tables.measurement import (
    average_group_table,
    average_table,
    left_out_table,
    measured,
    overlap_table,
    variant_table,
)
from bayes_npp.reporting.tables.mechanism import confounding_table, contrast_table, effect_table, missing_table
from bayes_npp.reporting.tables.methods import methods_table
from bayes_npp.reporting.tables.paper import further_models, paper_tables
from bayes_npp.reporting.tables.paths import path_tables
from bayes_npp.reporting.tables.replication import replication_table
from bayes_npp.reporting.tables.robustness import robustness_table
from bayes_npp.reporting.tables.slopes import average_table as average_slope_table
from bayes_npp.reporting.tables.slopes import difference_table, slope_table
from bayes_npp.reporting.tables.unanswered import unanswered_table
from bayes_npp.study.notices import study_notices

type Shown = Block | Iterable[Block] | None
type Content = Callable[[Result], Shown]


@dataclass(frozen=True)
class Section:
    """A heading and the functions whose blocks stand below it; no heading where the blocks bring their own."""

    heading: str
    contents: tuple[Content, ...]


def lay_out(result: Result) -> tuple[Part, ...]:
    """Every section of `SECTIONS` that has something to show."""
    parts = [Part(section.heading, _all(content(result) for content in section.contents)) for section in SECTIONS]
    return tuple(part for part in parts if part.blocks)


def each[T](things: Callable[[Result], Iterable[T]], *contents: Callable[[T, Result], Shown]) -> Content:
    """The contents once for every one of the things that a result has."""
    return lambda result: _all(content(thing, result) for thing in things(result) for content in contents)


def folded[T](table: Callable[[T, Result], Table | None]) -> Callable[[T, Result], Details | None]:
    """A table that HTML folds away under its title."""

    def content(thing: T, result: Result) -> Details | None:
        found = table(thing, result)
        return None if found is None else Details(found.title, (found,))

    return content


def _all(found: Iterable[Shown]) -> tuple[Block, ...]:
    blocks: list[Block] = []
    for shown in found:
        if isinstance(shown, Iterable):
            blocks += shown
        elif shown is not None:
            blocks.append(shown)
    return tuple(blocks)


def _what_the_data_are(result: Result) -> Sides:
    header = result.study.header
    return Sides((("They are", header.data_are), ("They are not", header.data_are_not)))


def _panel(result: Result) -> Paragraph:
    panel = result.study.panel
    cells = "; ".join(f"{cell.variable}, {cell.unit} {cell.time} ({cell.value:.4g})" for cell in panel.filled)
    filled = f"Filled by interpolation between a unit's own years: {cells}." if cells else "No cell is interpolated."
    return Paragraph(f"Panel: {panel.balance()}. {filled}")


def _warnings(result: Result) -> Bullets | None:
    said = tuple(f"Warning: {notice}." for notice in study_notices(result.study))
    return Bullets(said) if said else None


def _association(result: Result) -> Paragraph:
    text = (
        "Every slope here is an association given controls, unit and period effects. To read one as an effect takes "
        "strict exogeneity of the exposure: no shock to the outcome may move the exposure in any year, and nothing "
        "left out may move both within a unit over time."
    )
    return Paragraph(text, note=True)


def _doubts(result: Result) -> Bullets | None:
    doubts = result.study.header.doubts
    return Bullets(tuple(doubts)) if doubts else None


def _how_it_was_made(result: Result) -> Paragraph:
    return Paragraph(
        "Every estimate is in `estimates.csv` with its estimand, standard-error convention and interval kind; hashes "
        "of data and specification, versions, seeds and wall times are in `manifest.json`."
    )


SECTIONS = (
    Section("", (finding_blocks, each(lambda result: result.comparisons, forest_figure))),
    Section(
        "What the data are, and what they are not",
        (_what_the_data_are, _panel, _warnings, descriptive_table, _association),
    ),
    Section(
        "The claims",
        (
            ledger_table,
            evidence_table,
            unanswered_table,
            each(
                answered,
                lambda own, _: Heading(f"Would one still believe it under other priors? {own[0]}"),
                priors_figure,
                pooling_figure,
                sceptic_figure,
                folded(sets_table),
                folded(power_table),
                folded(prior_overlap_table),
                folded(prior_predictive_table),
                curve_figure,
                folded(curve_table),
            ),
        ),
    ),
    Section("The paper's tables, on these data", (paper_tables,)),
    Section("", (further_models,)),
    Section(
        "",
        (
            each(
                lambda result: result.comparisons,
                lambda comparison, _: Heading(f"Slopes by {comparison.grouping}", level=2),
                slope_table,
                shrinkage_figure,
                difference_table,
                equality_table,
                average_slope_table,
            ),
        ),
    ),
    Section("Which errors do the data ask for?", (specification_table,)),
    Section(
        "",
        (
            each(
                lambda result: result.ladders,
                lambda ladder, _: Heading(f"What the errors and the pooling change: {ladder.model}", level=2),
                error_table,
                spread_table,
                pooling_table,
                accuracy_table,
            ),
        ),
    ),
    Section("Robustness", (robustness_table,)),
    Section("Mechanisms: what each method lets one conclude", (methods_table,)),
    Section(
        "How outcome and exposure are measured",
        (
            each(measured, measurement_figure),
            each(measured, variant_table, folded(left_out_table), average_table, folded(average_group_table)),
            overlap_table,
        ),
    ),
    Section(
        "",
        (
            each(
                lambda result: result.mechanisms,
                lambda mechanism, _: Heading(f"Mechanism: {mechanism.model}", level=2),
                effect_table,
                contrast_table,
                missing_table,
                confounding_table,
                confounding_figure,
            ),
        ),
    ),
    Section("Mechanism by least squares", (path_tables,)),
    Section("The paper, reproduced", (replication_table,)),
    Section("The paper, with its own variables", (published_table,)),
    Section("What a careful reader doubts", (_doubts,)),
    Section(
        "Can the posterior be believed?",
        (
            diagnostics_table,
            predictive_table,
            each(lambda result: result.fits, predictive_figure, prior_table, sampler_note),
        ),
    ),
    Section("Indices", (weight_table,)),
    Section("How this was made", (_how_it_was_made,)),
)
