"""What an omitted confounder would do to each claim: a sentence, a picture, and the numbers behind them."""

import numpy as np
import pandas as pd

from bayes_npp.claims.confounding import ClaimConfounding
from bayes_npp.reporting.base.blocks import Block, Details, Heading, Paragraph
from bayes_npp.reporting.base.cells import Table, number
from bayes_npp.reporting.base.keys import key_of
from bayes_npp.reporting.base.numbers import chance, tagged
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.base.words import lower, sentence, variable_word

KEY = ("claim", "benchmark", "k", "quantity")


def confounded_first(result: Result) -> list[ClaimConfounding]:
    """The first claim that an omitted confounder is asked about, of which the page has words and a picture."""
    return [one for one in result.confounding if one.found is not None][:1]


def confounding_lead(one: ClaimConfounding, result: Result) -> list[Block]:
    """What is asked, and the answer for one claim."""
    return [
        Heading("Could something that was left out explain it?"),
        Paragraph(
            "A confounder moves exposure and outcome alike and is not among the controls. No test can find it. What "
            "can be said is how strong it would have to be, and the controls that are there give a scale for that."
        ),
        Paragraph(_said(one, result)),
    ]


def confounding_folds(result: Result) -> list[Block]:
    """Every claim, and the bounds of the first, folded away; those of the others are in confounding.csv."""
    shown = [one for one in result.confounding if one.found is not None]
    if not shown:
        return []
    out: list[Block] = [
        Details("Every claim beside an omitted confounder", (_claims_table(result.confounding, result),))
    ]
    found = shown[0].found
    if found is not None and len(found.bounds):  # controls give the scale: without any there are none
        out.append(Details(f"Bounds: {shown[0].claim.id}", (_bounds_table(shown[0], result),)))
    return out


def _ref(one: ClaimConfounding, quantity: str, benchmark: str = "", k: float | None = None) -> str:
    row = pd.Series({"claim": one.claim.id, "benchmark": benchmark, "k": k, "quantity": quantity})
    return f"confounding.csv:{key_of(row, KEY)}:value"


def _number(one: ClaimConfounding, text: str, value: float, quantity: str, benchmark: str = "") -> str:
    return tagged(text, value, _ref(one, quantity, benchmark))


def _share(one: ClaimConfounding, quantity: str, value: float) -> str:
    return _number(one, f"{value:.3f}", value, quantity)


def _said(one: ClaimConfounding, result: Result) -> str:
    """Sentences about one claim."""
    found = one.found
    assert found is not None
    what = {"difference": "difference", "first path": "path from exposure to mediator"}.get(one.about, "slope")
    text = (
        f"{one.claim.id}. To take the whole {what} away a confounder would have to explain "
        f"a share of {_share(one, 'robustness_value', found.robustness_value)} of what is left of the exposure and of "
        "the outcome"
    )
    alpha = found.robustness_value_alpha_clustered
    if np.isnan(alpha):
        text += "."
    elif alpha > 0:
        shown = _share(one, "robustness_value_alpha_clustered", alpha)
        text += f"; to make it insignificant at {100 * found.alpha:g} % (errors clustered by unit), {shown}."
    else:
        text += f". It is not significant at {100 * found.alpha:g} % as it is (errors clustered by unit)."
    return f"{text} {_in_probability(one, result)}".strip()


def _in_probability(one: ClaimConfounding, result: Result) -> str:
    """The sentence about the claim's probability."""
    if np.isnan(one.probability):
        return sentence(f"{one.why_not}.") if one.why_not else ""
    support = result.study.claim_rules.support
    own = _number(one, chance(one.probability, (support,)), one.probability, "probability")
    near = one.nearest
    if near is None and any(cross.k == 0 for cross in one.crossings):
        return f"The probability of the claim is {own} without any confounder, below the bar of support."
    if near is None:
        none = "no confounder as strong as a control takes it to the bar of support"
        return f"The probability of the claim is {own}, and {none}."
    name = lower(variable_word(result.study, near.benchmark, unit=False))
    k = _number(
        one, f"{near.k:.0f}" if near.k >= 10 else f"{near.k:.2f}", near.k, "falls_to_support_at", near.benchmark
    )
    strong = f"a confounder {k} times as strong as {name}"
    return f"The probability of the claim is {own}; {strong} would take it to the bar of support."


def _claims_table(found: tuple[ClaimConfounding, ...], result: Result) -> Table:
    support = result.study.claim_rules.support
    rows, reasons = [], {}
    for one in found:
        own = one.found
        if one.why_not:
            reasons[one.claim.id] = one.why_not
        if own is None:
            rows.append({"claim": one.claim.id, "about": "none"})
            continue
        near, worst = one.nearest, _under_prior(one)
        reached = "" if np.isnan(one.probability) else f"below {support:g} as it is"
        if near is not None:
            reached = f"{near.k:.2g} x {near.benchmark}"
        elif not np.isnan(one.probability) and not any(cross.k == 0 for cross in one.crossings):
            reached = "never"
        rows.append(
            {
                "claim": one.claim.id,
                "about": one.about,
                "estimate": number(own.estimate),
                "partial R2": number(own.partial_r2),
                "robustness value": number(own.robustness_value),
                "at 0.05, classical": number(own.robustness_value_alpha),
                "at 0.05, clustered": number(own.robustness_value_alpha_clustered),
                "probability": "" if np.isnan(one.probability) else chance(one.probability, (support,)),
                "with a confounder of unknown strength": worst,
                f"falls to {support:g} at": reached,
            }
        )
    notes = (
        "Robustness value: the share of exposure and of outcome, of what controls and effects leave, that a confounder "
        "would have to explain to take the estimate to zero, or to insignificance at 0.05 (Cinelli & Hazlett 2020).",
        f"Unknown strength: exponential with a mean of {result.study.confounding.mean_multiple:g} times the strongest "
        "control, for or against the claim alike. The probability that falls is beside a confounder that speaks for "
        "the claim.",
        *(f"{claim}: {reason}." for claim, reason in reasons.items()),
    )
    return Table("confounding", "Claims beside an omitted confounder", pd.DataFrame(rows).fillna(""), notes)


def _under_prior(one: ClaimConfounding) -> str:
    """The probability nearest one half over the benchmarks."""
    values = [value for _, value in one.under_prior if not np.isnan(value)]
    return chance(min(values, key=lambda value: abs(value - 0.5))) if values else ""


def _bounds_table(one: ClaimConfounding, result: Result) -> Table:
    found = one.found
    assert found is not None
    asked = {} if one.posterior.empty else one.posterior.set_index(["benchmark", "k"])["probability"].to_dict()
    rows = []
    for row in found.bounds.itertuples(index=False):
        p = asked.get((row.benchmark, row.k), np.nan)
        rows.append(
            {
                "a confounder": f"{row.k:g} x {row.benchmark}",
                "explains of the exposure": number(row.r2_dz),
                "of the outcome": number(row.r2_yz),
                "leaves": number(row.estimate) if not np.isnan(row.estimate) else row.note,
                "standard error": number(row.se),
                "interval": "" if np.isnan(row.lo) else f"[{number(row.lo)}, {number(row.hi)}]",
                "probability of the claim": "" if np.isnan(p) else chance(p, (result.study.claim_rules.support,)),
            }
        )
    notes = (
        f"Least squares, {found.df} degrees of freedom, classical standard errors: the algebra of omitted variables is "
        "theirs. Partial R2 of controls with exposure and outcome give the scale.",
    )
    name = f"confounding_bounds_{one.claim.id}"
    return Table(name, f"What a confounder would leave: {one.claim.id}", pd.DataFrame(rows), notes)
