"""Headings that state the finding of a section, from records that already hold the decision."""

from bayes_npp.analysis.records import FitRecord, Mechanism
from bayes_npp.reporting.base.numbers import of_row
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.base.words import counted, listed, sentence, unit_word, variable_word
from bayes_npp.reporting.tables.diagrams import main_mechanism
from bayes_npp.reporting.tables.forest import headline
from bayes_npp.reporting.tables.ladder import average_row
from bayes_npp.reporting.tables.rungs import main_ladder, moves_from


def data_heading(result: Result) -> str:
    """How much data there are, and whether the roles share them."""
    balance = result.study.panel.balance()
    units = counted(balance.n_units, unit_word(result.study), unit_word(result.study, plural=True))
    shared = ", and outcome and exposure share what they are made of" if _both_shared(result) else ""
    return f"The data: {units}, {counted(balance.n_periods, 'period')}, {balance.n_rows} rows{shared}"


def _both_shared(result: Result) -> bool:
    roles = result.study.roles
    return any({roles.outcome, roles.exposure} <= {n for _, n, _ in o.parts} for o in result.study.overlaps)


def why_heading(result: Result) -> str:
    """From which slope to which."""
    ladder = main_ladder(result)
    if ladder is None:
        return "Who decides the slope"
    own = average_row(result, ladder.errors.record.model)
    baseline = moves_from(result, own)
    if baseline is None:
        return f"What the errors change: the average slope is {of_row(own)}"
    return f"Why {of_row(baseline)} becomes {of_row(own)}"


def groups_heading(result: Result) -> str:
    """Whether any difference between groups has a clear sign."""
    return sentence("; ".join(headline(own, result) for own in result.comparisons)) or "Slopes by group"


def robust_heading(result: Result) -> str:
    """How far the slope moves, and what the placebo and the instruments say."""
    parts = [
        f"the slope runs from {of_row(own.lowest[0])} to {of_row(own.highest[0])} over other samples"
        for own in result.readings.ranges[:1]
    ]
    if any(placebo.slope.clear for placebo in result.readings.placebos):
        parts.append("the placebo is not zero")
    if any(tests["warnings"] for tests in result.gmm.values()):
        parts.append("Hansen's test is no support where instruments outnumber units")
    if parts:
        return sentence("; ".join(parts))
    shown = {
        "measures": bool(result.measurement),
        "robustness": bool(result.robustness),
        "dynamics": bool((result.estimates.frame["estimand"] == "short_run").any()),
        "leads and lags": result.event_time is not None,
        "instruments": bool(result.instruments or result.instrument_posteriors),
        "omitted confounders": bool(result.confounding),
    }
    return sentence(listed([name for name, there in shown.items() if there])) or "Robustness"


def mechanism_heading(result: Result) -> str:
    """Whether an indirect association is established."""
    mechanism = main_mechanism(result)
    if mechanism is None:
        return "Mechanisms by least squares"
    reading = result.readings.mechanisms[mechanism.model]
    clear = [variable_word(result.study, own.mediator, unit=False) for own in reading.mediators if own.indirect.clear]
    if not reading.sampled:
        return "Mechanisms: the sampler failed its diagnostics"
    if clear:
        under = ", under errors that fail a check" if reading.failing else ""
        return f"Mechanisms: an indirect association through {listed(clear)}{under}"
    return "Mechanisms: no indirect association is established"


def believed_heading(result: Result) -> str:
    """Whether samplers converged and errors fit."""
    failed = sum(not record.diagnostics.passed for record in result.every_fit)
    equations = [record for mechanism in result.mechanisms for record in mechanism.fits]
    failing = [record for record in equations if not record.errors_fit]
    checks = [*(record for record in result.fits if not record.errors_fit), *failing]
    sampler = f"the sampler failed in {counted(failed, 'fit')}" if failed else "every sampler converged"
    ladder = main_ladder(result)
    if ladder is not None:
        fit = "pass every check" if ladder.errors.record.errors_fit else "fail a check"
        about = " about slopes" if equations else ""
        errors = f"the errors behind the verdicts{about} {fit}"
        errors += f", those of mechanisms fail checks in {counted(len(failing), 'fit')}" if failing else ""
    elif result.fits and not any(record.predictive for record in (*result.fits, *equations)):
        errors = "errors are not checked"
    else:
        errors = f"errors fail checks in {counted(len(checks), 'fit')}" if checks else "errors pass every check"
    return f"Can it be believed? {sentence(sampler)}; {errors}"


def paper_heading(result: Result) -> str:
    """How many printed numbers are reproduced, where that is known."""
    reproduction = result.readings.reproduction
    if reproduction is not None:
        return f"The paper's tables: {reproduction.reproduced} of {reproduction.printed} printed numbers are reproduced"
    return "The paper's tables, on these data" if _of_paper(result) else "Regressions on these data"


def paper_short(result: Result) -> str:
    """What the list of contents calls the section of regressions."""
    return "Paper's tables" if _of_paper(result) else "Regressions"


def why_short(result: Result) -> str:
    """What the list of contents calls the section about what moves the slope."""
    return "Who decides" if main_ladder(result) is None else "Why it moves"


def _of_paper(result: Result) -> bool:
    return bool(result.study.header.published or result.study.tables)


def fits_first(result: Result) -> list[FitRecord]:
    """The fits behind verdicts first, then the other declared ones."""
    ladder = main_ladder(result)
    first = [] if ladder is None else [ladder.errors.record]
    return [*first, *(record for record in result.fits if record not in first)]


def curve_shown(result: Result) -> Mechanism | None:
    """The mechanism whose confounding curve stands beside the diagrams."""
    main = main_mechanism(result)
    ordered = [*([main] if main else []), *(one for one in result.mechanisms if one is not main)]
    return next((one for one in ordered if one.curve is not None), None)
