"""The audit in words: each sentence renders a record that already holds the decision."""

import math

import pandas as pd

from bayes_npp.auditing.differences import SubsampleDifference
from bayes_npp.auditing.long_run import LongRun
from bayes_npp.auditing.printed import SOURCES, PrintedRow
from bayes_npp.auditing.record import Audit, Sentence
from bayes_npp.auditing.rows import THRESHOLD
from bayes_npp.auditing.text import probability_range, probability_relation, value_range
from bayes_npp.reporting.base.cells import number, probability


def sentences(audit: Audit) -> tuple[Sentence, ...]:
    """Sentences in reading order: what is printed, one coefficient at a time, differences, long runs."""
    out = [Sentence("result", _coverage(audit), "What is printed")]
    out += [Sentence("warning", text, "What is printed") for text in _silent_claims(audit)]
    out += [Sentence("warning", _contradiction(row), "What is printed") for row in audit.rows if row.contradictions]
    for row in audit.audited:
        out.append(Sentence("result", _credibility(row, audit), "One coefficient at a time"))
    out += [_difference(own) for own in audit.differences]
    out += [Sentence("result", _long_run(own), "Long run") for own in audit.long_runs]
    return tuple(out)


def _coverage(audit: Audit) -> str:
    printed, usable = len(audit.rows), len(audit.audited)
    text = f"{printed} published rows; {usable} print a coefficient and something that bounds its standard error."
    empty = sum(row.estimate is None for row in audit.rows)
    if empty:
        text += f" {empty} print no coefficient."
    zero = sum(row.estimate == 0 for row in audit.rows)
    if zero:
        text += f" {zero} print a coefficient of zero, which bounds nothing by its significance."
    bare = sum(bool(row.estimate) and not row.source for row in audit.rows)
    if bare:
        text += f" {bare} print nothing beside the coefficient."
    return text


def _silent_claims(audit: Audit) -> list[str]:
    """Claims of which no row can be audited."""
    usable = {row.labels["claim"] for row in audit.audited}
    claims = dict.fromkeys(row.labels["claim"] for row in audit.rows)
    texts = []
    for claim in claims:
        if claim in usable or not claim:
            continue
        own = [row for row in audit.rows if row.labels["claim"] == claim]
        shown = [f"{row.labels['sample'] or 'all'} {row.significance or 'no significance'}" for row in own]
        text = f"Claim '{claim}': no coefficient with a bound on its standard error is printed ({'; '.join(shown)})."
        if len({row.labels["sample"] for row in own}) > 1:
            text += (
                " Significance in one sample and not in another is no test of their difference, and nothing printed "
                "allows one."
            )
        texts.append(text)
    return texts


def _contradiction(row: PrintedRow) -> str:
    used = f" Its standard error is taken as {SOURCES[row.source]}." if row.source else ""
    return f"Printed numbers that contradict each other, {row.label}: {'; '.join(row.contradictions)}.{used}"


def _credibility(row: PrintedRow, audit: Audit) -> str:
    assert row.estimate is not None
    assert row.se is not None
    own = audit.reverse[(audit.reverse["row"] == row.line) & (audit.reverse["convention"] == THRESHOLD)]
    best, worst = own.iloc[0], own.iloc[1]
    error = value_range(row.se.lo, row.se.hi)
    start = f"{row.label}: {number(row.estimate)}, standard error {error} ({SOURCES[row.source]}). "
    sign = ">" if row.estimate > 0 else "<"
    if not best["credible"]:
        text = f"Not credible even under a flat prior: P({sign} 0) is at most 0.975 whatever the standard error."
    elif not worst["credible"]:
        text = f"Whether P({sign} 0) reaches 0.975 even under a flat prior depends on the standard error."
    else:
        prior_sd, limit = (value_range(best[name], worst[name]) for name in ("prior_sd", "limit"))
        text = f"P({sign} 0) falls to 0.975 at a sceptical prior SD of {prior_sd} (scepticism limit {limit})."
    return start + text + _risk(row, audit)


def _risk(row: PrintedRow, audit: Audit) -> str:
    """Type S and M at the smallest declared effect, for a coefficient that is significant whatever its error."""
    if not row.significant:
        return ""
    own = audit.risks[audit.risks["row"] == row.line]
    own = own[own["share"] == own["share"].min()]
    best, worst = own.iloc[0], own.iloc[1]
    return (
        f" If the true effect were {best['share']:g} of that, a significant estimate would exaggerate it "
        f"{_factor(best, worst)} on average and have the wrong sign with probability "
        f"{probability_range_of(best['type_s'], worst['type_s'])}."
    )


def _factor(best: pd.Series, worst: pd.Series) -> str:
    low, high = (f"{row['type_m']:.1f}" for row in (best, worst))
    return f"{low} times" if low == high else f"{low} to {high} times"


def probability_range_of(lo: float, hi: float) -> str:
    """A range of a risk, 'at most 0.21' where it may be as small as one likes."""
    if lo < 0.0005 <= hi:
        return f"at most {probability(hi)}"
    return probability(lo) if probability(lo) == probability(hi) else f"{probability(lo)} to {probability(hi)}"


def _difference(own: SubsampleDifference) -> Sentence:
    one, other = own.first.labels["sample"], own.second.labels["sample"]
    about = "Differences between subsamples"
    values = [number(row.estimate or 0.0) for row in (own.first, own.second)]
    place = f"{own.first.labels['term']}{_claim(own)}: {one} {values[0]} against {other} {values[1]}"
    if own.probability is None or own.p_value is None:
        text = f"{place}: print already implies that one standard error is more than the declared {own.cap:g} times"
        return Sentence("warning", f"{text} the other.", about)
    pattern = (
        " One is significant at 5 % and the other is not, which is no test of the difference (Gelman and Stern 2006)."
        if own.one_significant
        else ""
    )
    readings = {
        "clear": "the sign of the difference is clear whatever the standard errors",
        "undecided": "the sign of the difference is undecided whatever the standard errors",
        "open": "whether the sign of the difference is clear depends on what is not printed",
    }
    p_low, p_high = own.p_value.lo, own.p_value.hi
    text = (
        f"{place}.{pattern} P({one} > {other}) {probability_relation(own.probability)} "
        f"(p-value of the difference {probability_range_of(p_low, p_high)}) over all standard errors that print "
        f"allows, none more than {own.cap:g} times the other: {readings[own.reading]}."
    )
    if own.equal is not None:
        text += f" With equal standard errors P is {probability_range(own.equal)}."
    return Sentence("result", f"{text} {_crossing(own)}", about)


def _claim(own: SubsampleDifference) -> str:
    claim = own.first.labels["claim"]
    return f" (claim '{claim}')" if claim else ""


def _crossing(own: SubsampleDifference) -> str:
    """Where the probability falls to the level at which a sign is called clear."""
    se = own.crossings[own.clear]
    other = own.first if own.unknown is own.second else own.second
    start = f"With the largest standard error allowed for {other.labels['sample']}, P reaches {own.clear:g} "
    if se == 0:
        return f"{start}at no standard error of {own.unknown.labels['sample']}."
    if math.isinf(se):
        return f"{start}at every standard error of {own.unknown.labels['sample']} that is allowed."
    lowest = own.unknown.se.lo if own.unknown.se else 0.0
    bound = f" (print allows none below {lowest:.4g})" if lowest else ""
    return f"{start}only up to a standard error of {own.unknown.labels['sample']} of {se:.4g}{bound}."


def _long_run(own: LongRun) -> str:
    if own.long_run is None or own.persistence is None or own.short_run is None:
        return f"{own.label}: no long run, {own.reason}."
    text = (
        f"{own.label}: short run {number(own.short_run)}, lagged outcome {number(own.persistence)}, so long run "
        f"{number(own.short_run)} / (1 - {number(own.persistence)}) = {number(own.long_run)}"
    )
    if own.se is not None and math.isfinite(own.se.hi):
        text += (
            f", delta-method standard error {value_range(own.se.lo, own.se.hi)} over every correlation of the "
            "coefficients"
        )
    else:
        text += "; print bounds no standard error for it"
    return f"{text}. Neither is comparable with a static coefficient."
