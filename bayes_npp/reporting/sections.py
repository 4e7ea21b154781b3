"""The sections of the report, in reading order: the one list of what stands where, for HTML and Markdown alike.

To add a table or a figure: write a function in a file of its own, and name it in a row here. A function takes the
`Result` and returns a block, several, or None where there is nothing to show. Inside `each` it also takes what the
section is repeated for. A section without a block is left out.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from bayes_npp.analysis.records import FitRecord
from bayes_npp.claims.confounding import ClaimConfounding
from bayes_npp.reporting.base.blocks import Beside, Block, Details, Findings, Heading, Part
from bayes_npp.reporting.base.cells import Table
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.base.words import model_word, sentence, variable_word
from bayes_npp.reporting.board import board
from bayes_npp.reporting.explorer import explorer
from bayes_npp.reporting.figures.claims import curve_figure, pooling_figure, priors_figure, sceptic_figure
from bayes_npp.reporting.figures.confounding import contour_figure
from bayes_npp.reporting.figures.event_time import event_time_blocks
from bayes_npp.reporting.figures.factors import factor_figures
from bayes_npp.reporting.figures.measurement import measurement_figure
from bayes_npp.reporting.figures.slopes import confounding_figure, forest_figure, predictive_figure, shrinkage_figure
from bayes_npp.reporting.findings import finding_blocks
from bayes_npp.reporting.headings import (
    believed_heading,
    curve_shown,
    data_heading,
    fits_first,
    groups_heading,
    mechanism_heading,
    paper_heading,
    paper_short,
    robust_heading,
    why_heading,
    why_short,
)
from bayes_npp.reporting.opening import lead
from bayes_npp.reporting.tables.account import barg_table, equation, glossary, made, rules
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
from bayes_npp.reporting.tables.confounding import confounded_first, confounding_folds, confounding_lead
from bayes_npp.reporting.tables.descriptives import descriptive_table
from bayes_npp.reporting.tables.diagrams import diagrams, main_mechanism
from bayes_npp.reporting.tables.differences import difference_blocks
from bayes_npp.reporting.tables.equality import equality_table
from bayes_npp.reporting.tables.forest import (
    differences_cards,
    dynamic_cards,
    group_cards,
    robustness_cards,
)
from bayes_npp.reporting.tables.influence import influence_blocks
from bayes_npp.reporting.tables.inputs import prior_table, published_table, weight_table
from bayes_npp.reporting.tables.instruments import instrument_blocks
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
from bayes_npp.reporting.tables.panel import (
    association,
    doubts,
    multiples,
    notices,
    panel_line,
    shared_columns,
    what_the_data_are,
)
from bayes_npp.reporting.tables.paper import further_models, paper_tables
from bayes_npp.reporting.tables.paths import path_tables
from bayes_npp.reporting.tables.replication import replication_table
from bayes_npp.reporting.tables.robustness import robustness_table
from bayes_npp.reporting.tables.rungs import main_ladder, rung_cards
from bayes_npp.reporting.tables.slopes import average_table as average_slope_table
from bayes_npp.reporting.tables.slopes import difference_table, slope_table, weights_table
from bayes_npp.reporting.tables.summary import summary_cards
from bayes_npp.reporting.tables.unanswered import unanswered_table

type Shown = Block | Iterable[Block] | None
type Content = Callable[[Result], Shown]


@dataclass(frozen=True)
class Section:
    """A heading and the functions whose blocks stand below it; no heading where the blocks bring their own.

    A heading that states the section's finding is a function of the result. `anchor` is where links lead, `short` what
    the list of contents calls the section.
    """

    heading: str | Callable[[Result], str]
    contents: tuple[Content, ...]
    anchor: str = ""
    short: str | Callable[[Result], str] = ""


def lay_out(result: Result) -> Iterator[Part]:
    """Every section of `SECTIONS` that has something to show, one after the other."""
    for section in SECTIONS:
        blocks = _all(content(result) for content in section.contents)
        if blocks:
            heading, short = (own if isinstance(own, str) else own(result) for own in (section.heading, section.short))
            yield Part(heading, blocks, section.anchor, short)


def each[T](things: Callable[[Result], Iterable[T]], *contents: Callable[[T, Result], Shown]) -> Content:
    """The contents once for every one of the things that a result has."""
    return lambda result: _all(content(thing, result) for thing in things(result) for content in contents)


def fold_each[T](
    things: Callable[[Result], Iterable[T]],
    summary: Callable[[T, Result], str],
    *contents: Callable[[T, Result], Shown],
) -> Content:
    """The contents of every one of the things that a result has, folded away together."""

    def content(thing: T, result: Result) -> Details | None:
        blocks = _all(own(thing, result) for own in contents)
        return Details(summary(thing, result), blocks) if blocks else None

    return each(things, content)


def fold(summary: str, *contents: Content) -> Content:
    """Contents that HTML folds away together."""

    def content(result: Result) -> Details | None:
        blocks = _all(own(result) for own in contents)
        return Details(summary, blocks) if blocks else None

    return content


def each_folded(contents: Content) -> Content:
    """Tables folded away one by one under their titles; headings between them are left out."""

    def content(result: Result) -> list[Block]:
        return [Details(block.title, (block,)) for block in _all((contents(result),)) if isinstance(block, Table)]

    return content


def _all(found: Iterable[Shown]) -> tuple[Block, ...]:
    blocks: list[Block] = []
    for shown in found:
        if isinstance(shown, Iterable):
            blocks += shown
        elif shown is not None:
            blocks.append(shown)
    return tuple(blocks)


def _why(result: Result) -> tuple[Block, ...]:
    ladder = main_ladder(result)
    if ladder is None:
        return ()
    others = tuple(rung_cards(one, result) for one in result.ladders if one is not ladder)
    named = [model_word(result.study, one.model) for one in result.ladders if one is not ladder]
    folds = tuple(
        Details(f"The same ladder for the {name}", (replace(cards, name=f"why_{number}"),))
        for number, (name, cards) in enumerate(zip(named, others, strict=True), start=2)
    )
    return (rung_cards(ladder, result), *folds)


def _main_mechanism(result: Result) -> tuple[Block, ...]:
    main = main_mechanism(result)
    if main is None:
        return ()
    others = [one for one in result.mechanisms if one is not main]
    folds = tuple(Details(f"The {model_word(result.study, one.model)}", tuple(diagrams(one, result))) for one in others)
    curve = curve_shown(result)
    figure = None if curve is None else confounding_figure(curve, result)
    return (*diagrams(main, result), *([figure] if figure else []), *folds)


def _confounder(one: ClaimConfounding, result: Result) -> Beside | None:
    """What an omitted confounder would do to a claim: the picture, and beside it the words."""
    figure = contour_figure(one, result)
    return None if figure is None else Beside((figure,), tuple(confounding_lead(one, result)))


def _about(*names: str) -> Content:
    """Findings about something, in words, folded away."""

    def content(result: Result) -> Details | None:
        found = [block for block in finding_blocks(result) if any(block.about.startswith(name) for name in names)]
        return Details("In words", tuple(found)) if found else None

    return content


def _failures(result: Result) -> Findings | None:
    """Failed fits, where a reader cannot miss them."""
    found = [f for block in finding_blocks(result) for f in block.items if f.status == "failure"]
    return Findings("", tuple(found)) if found else None


def _sampled(record: FitRecord, result: Result) -> tuple[Block, ...]:
    return Heading(sentence(model_word(result.study, record.model))), sampler_note(record, result)


SECTIONS = (
    Section("", (lead,), anchor="answer"),
    Section(
        "Summary of findings",
        (
            summary_cards,
            _failures,
            fold("What the evidence for each claim is worth", ledger_table, evidence_table, unanswered_table),
            _about("The claims"),
        ),
        anchor="findings",
        short="Findings",
    ),
    Section(
        why_heading,
        (
            _why,
            factor_figures,
            influence_blocks,
            fold_each(
                lambda result: result.ladders,
                lambda one, result: f"The ladder of the {model_word(result.study, one.model)} in numbers",
                error_table,
                spread_table,
                pooling_table,
                accuracy_table,
            ),
            fold("Which errors do the data ask for?", specification_table),
        ),
        anchor="why",
        short=why_short,
    ),
    Section(
        data_heading,
        (
            what_the_data_are,
            shared_columns,
            multiples,
            descriptive_table,
            panel_line,
            notices,
            association,
            fold("What the roles share", overlap_table),
            fold("How the indices are put together", weight_table),
            doubts,
        ),
        anchor="data",
        short="Data",
    ),
    Section(
        groups_heading,
        (
            group_cards,
            differences_cards,
            difference_blocks,
            fold_each(
                lambda result: result.comparisons,
                lambda one, result: f"Slopes by {variable_word(result.study, one.grouping, unit=False)} in numbers",
                slope_table,
                forest_figure,
                shrinkage_figure,
                difference_table,
                equality_table,
                average_slope_table,
            ),
            fold("Weights of two-way fixed effects", weights_table),
            _about("Slopes by"),
        ),
        anchor="groups",
        short="Groups",
    ),
    Section(
        robust_heading,
        (
            each(measured, measurement_figure),
            robustness_cards,
            dynamic_cards,
            fold("Every row of robustness", robustness_table),
            event_time_blocks,
            instrument_blocks,
            each(confounded_first, _confounder),
            confounding_folds,
            fold_each(
                measured,
                lambda one, result: f"Other measures in the {model_word(result.study, one[0].declared)}, in numbers",
                variant_table,
                left_out_table,
                average_table,
                average_group_table,
            ),
            _about("Robustness", "Measurement", "Dynamics"),
        ),
        anchor="robustness",
        short="Robustness",
    ),
    Section("Try your own prior", (explorer,), anchor="try", short="Your prior"),
    Section("Every choice that was run", (board,), anchor="choices", short="Choices"),
    Section(
        mechanism_heading,
        (
            _main_mechanism,
            fold("What each method lets one conclude", methods_table),
            fold_each(
                lambda result: result.mechanisms,
                lambda one, result: f"The {model_word(result.study, one.model)} in numbers",
                effect_table,
                contrast_table,
                missing_table,
                confounding_table,
                lambda one, result: None if one is curve_shown(result) else confounding_figure(one, result),
            ),
            each_folded(path_tables),
            _about("Mechanisms"),
        ),
        anchor="mechanisms",
        short="Mechanisms",
    ),
    Section(
        paper_heading,
        (
            each_folded(paper_tables),
            fold("Printed and reproduced, number by number", replication_table),
            fold("The paper, with its own variables", published_table),
            each_folded(further_models),
            _about("Replication"),
        ),
        anchor="paper",
        short=paper_short,
    ),
    Section(
        believed_heading,
        (
            each(lambda result: fits_first(result)[:1], predictive_figure),
            fold("Did the draws converge, fit by fit?", diagnostics_table),
            fold("Are the errors what the models say?", predictive_table),
            fold(
                "Residuals of the other fits beside what their models make",
                each(lambda result: fits_first(result)[1:], predictive_figure),
            ),
            fold_each(
                answered,
                lambda one, result: f"Under other priors and samples: the {model_word(result.study, one[0])}",
                priors_figure,
                pooling_figure,
                sceptic_figure,
                sets_table,
                power_table,
                prior_overlap_table,
                prior_predictive_table,
                curve_figure,
                curve_table,
            ),
            fold("Priors, parameter by parameter", each(lambda result: result.fits, prior_table)),
            fold("How each fit was sampled", each(lambda result: result.fits, _sampled)),
            _about("Other fits"),
        ),
        anchor="believed",
        short="Checks",
    ),
    Section(
        "Methods",
        (equation, rules, fold("Checklist of Bayesian reporting", barg_table)),
        anchor="methods",
        short="Methods",
    ),
    Section(
        "How this was made", (made, lambda result: Details("Words", (glossary(result),))), anchor="made", short="Files"
    ),
)
