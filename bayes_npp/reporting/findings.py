"""What a run says, one finding at a time: sentences rendered from records that already hold the decision."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import groupby

import pandas as pd

from bayes_npp.analysis.comparison import Difference, Heterogeneity
from bayes_npp.analysis.records import FitRecord, Ladder, Mechanism
from bayes_npp.claims.ledger import ClaimRecord
from bayes_npp.reporting.base.blocks import Finding, Findings
from bayes_npp.reporting.base.cells import interval, number, reason, relation
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.base.words import variable_word
from bayes_npp.reporting.tables.claims import claim_sentence, verdicts_sentence
from bayes_npp.reporting.tables.ladder import average_row, average_weights, choice_sentence, factor
from bayes_npp.reporting.tables.measurement import average_sentence, overlap_sentence, variant_sentence
from bayes_npp.reporting.tables.mechanism import chain_sentence, mediator_sentence
from bayes_npp.reporting.tables.paths import path_models, path_sentence
from bayes_npp.reporting.tables.replication import replication_sentence


def finding_blocks(result: Result) -> list[Findings]:
    """Findings, those about one thing together."""
    groups = groupby(result.once("findings", lambda: findings(result)), key=lambda finding: finding.about)
    return [Findings(about, tuple(found)) for about, found in groups]


def findings(result: Result) -> tuple[Finding, ...]:
    """Findings in reading order: warnings about a fit directly after what rests on it."""
    out: list[Finding] = []
    reproduction = result.readings.reproduction
    if reproduction is not None:
        status = "result" if reproduction.whole else "warning"
        out += _under("Replication", [Finding(status, replication_sentence(reproduction))])
    if result.ledger is not None:
        counted = Finding("result", verdicts_sentence(result.ledger))
        out += _under("The claims", [counted, *(_claim(record) for record in result.ledger.records)])
    for comparison in result.comparisons:
        own = _pattern(comparison, result)
        own.append(_differences(comparison))
        ladder = next((ladder for ladder in result.ladders if ladder.model == comparison.pooled_model), None)
        if ladder:
            own += _choice(ladder, result)
        else:
            own += [f for record in result.fits if record.model == comparison.pooled_model for f in _errors(record)]
        own.append(_average(comparison))
        out += _under(f"Slopes by {comparison.grouping}", own)
    out += _under("Robustness", _robustness(result))
    out += _under("Measurement", _measurement(result))
    out += _under("Dynamics", [_dynamic(model, result) for model in result.gmm])
    mechanisms = [finding for mechanism in result.mechanisms for finding in _mechanism(mechanism, result)]
    mechanisms += [Finding("result", path_sentence(result, model)) for model in path_models(result)]
    out += _under("Mechanisms", mechanisms)
    compared = {comparison.pooled_model for comparison in result.comparisons}
    fits = [f for record in result.fits if record.model not in compared for f in _errors(record)]
    fits += [_convergence(record) for record in result.every_fit if not record.diagnostics.passed]
    return (*out, *_under("Other fits", fits))


def _claim(record: ClaimRecord) -> Finding:
    return Finding("result", claim_sentence(record))


def _under(about: str, found: list[Finding]) -> list[Finding]:
    """Findings under a heading."""
    return [replace(finding, about=about) for finding in found]


def _pattern(comparison: Heterogeneity, result: Result) -> list[Finding]:
    significant, others = comparison.significance_pattern
    if not significant or not others:
        return []
    units = {s.group: s.subsample["n_units"] for s in comparison.slopes if s.subsample is not None}
    here, there = (_listed(tuple(f"{g} ({units[g]} units)" for g in names)) for names in (significant, others))
    exposure = _shown(result)(comparison.exposure)
    text = (
        f"Separate regressions: the slope of {exposure} has p < 0.05 in {here} and not in {there}. This is the pattern "
        "from which a stronger association in the first is usually read; it tests no difference."
    )
    return [Finding("result", text)]


def _differences(comparison: Heterogeneity) -> Finding:
    undecided = [d for d in comparison.differences if d.reading == "undecided"]
    open_pairs = "; ".join(f"{d.label} (P(> 0) {relation(d.verdict['prob_positive'])})" for d in undecided)
    if not comparison.clear:
        answer = f"no sign is clear: {open_pairs}"
    else:
        answer = "the sign is clear for " + "; ".join(_difference(d) for d in comparison.clear)
        answer += f". It is undecided for {open_pairs}" if undecided else ""
    errors = comparison.differences[0].verdict["covariance"]
    return Finding("result", f"Differences as differences (one model, partial pooling, {errors}): {answer}.")


def _difference(difference: Difference) -> str:
    row = difference.verdict
    return (
        f"{difference.label}, {number(row['estimate'])} (95 % interval {interval(row)}, "
        f"P(> 0) {relation(row['prob_positive'])})"
    )


def _errors(record: FitRecord) -> list[Finding]:
    failed = [check for check in record.predictive if not check.passed]
    if not failed:
        return []
    seen = "; ".join(
        f"{check.meaning} {number(check.observed)}, where the model produces {number(check.lo)} to {number(check.hi)}"
        for check in failed
    )
    text = (
        f"The error model behind '{record.model}' fails its posterior predictive checks: {seen}. Its intervals and "
        "probabilities answer for a model the data contradict: shown as what that model says, they are no verdict."
    )
    return [Finding("warning", text)]


def _choice(ladder: Ladder, result: Result) -> list[Finding]:
    """The error model behind the verdicts, and whether slopes differ under it at all."""
    choice = ladder.errors
    alike = choice.homogeneity[choice.chosen]
    low, high = alike.range
    text = (
        f"Do the slopes differ at all? Bayes factor for one common slope {factor(alike.factor)} (from {factor(low)} to "
        f"{factor(high)} over the prior's scale) with {choice.chosen} errors: {alike.reading}. With iid errors it "
        f"would be {factor(choice.homogeneity['iid'].factor)}."
    )
    row = average_row(result, choice.record.model)
    average = f" The average slope with {average_weights(result, choice.record.model)} is then {_estimate(row)}."
    status = "result" if choice.passed else "warning"
    return [Finding(status, choice_sentence(choice) + average), Finding("result", text)]


def _average(comparison: Heterogeneity) -> Finding:
    _, interacted, pooled = comparison.averages[0]
    twfe = interacted if comparison.plain is None else comparison.plain
    text = (
        f"Average slope with TWFE's own weights: {_estimate(twfe)} (standard error {number(twfe['spread'])}, "
        f"{twfe['covariance']}) for {twfe['estimator']}, {_estimate(pooled)} (posterior SD {number(pooled['spread'])}, "
        f"{pooled['covariance']}) for the hierarchical model. One estimand; the two spreads answer for different "
        "assumptions about the errors."
    )
    return Finding("result", text)


def _dynamic(model: str, result: Result) -> Finding:
    """What a GMM model says of persistence and of the exposure, and whether its tests mean anything."""
    tests = result.gmm[model]
    rows = result.estimates.select(model=model)
    outcome, exposure = result.study.roles.outcome, result.study.roles.exposure
    lag = rows[rows["term"] == f"L1.{outcome}"].iloc[0]
    short, long = (
        rows[(rows["term"] == exposure) & (rows["estimand"] == e)].iloc[0] for e in ("short_run", "long_run")
    )
    shown = _shown(result)
    steady = reason(long) if pd.isna(long["estimate"]) else f"long run {_estimate(long)}"
    name = f"{lag['estimator'][0].upper()}{lag['estimator'][1:]}"
    text = (
        f"{name} ('{model}', {tests['n_instruments']} instruments, {lag['n_units']} units): lagged {shown(outcome)} "
        f"{_estimate(lag)}; short-run slope of {shown(exposure)} {_estimate(short)}; {steady}. A short-run slope "
        "answers another question than a static one."
    )
    if tests["warnings"]:
        return Finding("warning", f"{text} {'. '.join(w[0].upper() + w[1:] for w in tests['warnings'])}.")
    return Finding("result", text)


def _mechanism(mechanism: Mechanism, result: Result) -> list[Finding]:
    """What a mediation model says of each mediator, and whether its error model fits."""
    rows, reading = result.estimates.select(model=mechanism.model), result.readings.mechanisms[mechanism.model]
    exposure, outcome, errors = result.study.roles.exposure, rows["outcome"].iloc[0], rows["covariance"].iloc[0]
    shown = _shown(result)
    sentences = [mediator_sentence(mediator, exposure, outcome, shown) for mediator in reading.mediators]
    sentences.append(chain_sentence(reading, shown))
    said = " ".join(sentences).strip() if reading.sampled else "Nothing is read: the sampler failed its diagnostics."
    out = [Finding("result" if reading.sampled else "warning", f"Mechanism ('{mechanism.model}', {errors}). {said}")]
    if mechanism.missing:
        status = "warning" if reading.warns else "result"
        out.append(Finding(status, f"Cells behind '{mechanism.model}': {mechanism.missing.removeprefix('WARNING: ')}."))
    if reading.failing:
        text = (
            f"The errors behind '{mechanism.model}' fail the checks of {', '.join(reading.failing)}: its intervals "
            "and probabilities answer for a model the data contradict."
        )
        out.append(Finding("warning", text))
    return out


def _robustness(result: Result) -> list[Finding]:
    """How far the declared rows move the slope, and whether a placebo finds one where there should be none."""
    exposure, out = _shown(result)(result.study.roles.exposure), []
    for found in result.readings.ranges:
        (low, lowest), (high, highest) = found.lowest, found.highest
        text = (
            f"'{found.declared}' as declared: {_estimate(found.own)}. Over its rows of robustness the slope of "
            f"{exposure} runs from {_estimate(low)} ({lowest.changed}), to {_estimate(high)} "
            f"({highest.changed})."
        )
        out.append(Finding("result", text))
    for placebo in result.readings.placebos:
        if placebo.slope.clear:
            text = (
                f"Placebo ('{placebo.model}'): the exposure of a later period has a slope of "
                f"{_estimate(placebo.slope.row)}. Under strict exogeneity it is zero; every slope here rests on strict "
                "exogeneity."
            )
            out.append(Finding("warning", text))
    return out


def _measurement(result: Result) -> list[Finding]:
    """What other measures of outcome and exposure change, and what they share by construction."""
    out = []
    for record in result.measurement:
        status = "result" if record.passed else "failure"
        out.append(Finding(status, variant_sentence(record, result.study.roles.outcome, _shown(result))))
        if len(record.averages):
            out.append(Finding(status, average_sentence(record)))
    if result.study.overlaps or result.measurement:
        status = "warning" if result.study.overlaps else "result"
        out.append(Finding(status, overlap_sentence(result.study.overlaps)))
    return out


def _convergence(record: FitRecord) -> Finding:
    verdict = record.diagnostics.verdict
    text = f"The fit '{record.model}' did not pass the sampler's diagnostics ({verdict}). Do not use it."
    return Finding("failure", text)


def _shown(result: Result) -> Callable[[str], str]:
    """What a variable is called in a sentence."""
    return partial(variable_word, result.study, unit=False)


def _estimate(row: pd.Series) -> str:
    return f"{number(row['estimate'])}, 95 % interval {interval(row)}"


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
