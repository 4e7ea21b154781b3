"""The ledger of claims in tables and sentences."""

import pandas as pd

from bayes_npp.bayesian.sensitivity.reverse_bayes import Scepticism
from bayes_npp.bayesian.sensitivity.sensitivity import Sensitivity
from bayes_npp.claims.ledger import ClaimRecord, Ledger
from bayes_npp.claims.verdicts import UNDECIDED, VERDICTS, rule_in_words
from bayes_npp.reporting.base.cells import Table, number, p_relation, probability, relation
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.base.words import KINDS
from bayes_npp.reporting.tables.ladder import factor


def ledger_table(result: Result) -> Table | None:
    """One row a claim: the paper's evidence, the test, the posterior, its range, the verdict; None without claims."""
    ledger = result.ledger
    if ledger is None:
        return None
    rows = [
        {
            "claim": f"{record.claim.id}. {record.claim.text}",
            "proposition": str(record.claim.parsed),
            "the paper": _printed(record),
            "frequentist test": _test(record),
            "probability": probability(record.probability),
            "over variants": f"{probability(record.lowest)} to {probability(record.highest)} ({varied(record)})",
            "verdict": record.verdict.name,
            "because": "; ".join(record.verdict.because),
            "lines": f"{record.verdict.answer_line}, {record.verdict.line}",
        }
        for record in ledger.records
    ]
    rules = ledger.rules
    behind = dict.fromkeys(f"{record.model} ({record.errors} errors)" for record in ledger.records)
    notes = [
        rule_in_words(rules.support, rules.contradict),
        "Lines: which line of the rule's first table gives the answer of the fit, and which of its second the verdict "
        "(docs/claims.md).",
        f"Posterior probabilities: {', '.join(behind)}. Over variants: the lowest and highest over priors (those that "
        "the grid does not name as declared), measures of outcome and exposure, samples (robustness rows), and errors: "
        "every richer error model that passes its checks. Elsewhere the errors are those behind the verdict. In "
        "brackets how many of each have a probability.",
        f"A claim is one-sided: {rules.support:g} is its bar. A sign elsewhere in this report is clear at 0.975, and "
        "p-values are two-sided.",
        "No claim is called negligible without a smallest effect that matters, which a claim declares as "
        "`smallest_effect`.",
        "The paper: its rows about the exposure as printed: sample, estimator, outcome, coefficient, significance. "
        "Each answers its own regression, none the proposition. Two columns, one with stars and one without, test no "
        "difference; the test here is of the proposition itself, two-sided.",
        "Associations given controls and effects; to read them as effects takes strict exogeneity of the exposure.",
    ]
    tests = dict.fromkeys(record.test.used for record in ledger.records if record.test is not None)
    notes.append(f"Frequentist tests: {'; '.join(tests)}.")
    return Table("claims", "The claims, one by one", pd.DataFrame(rows), tuple(notes))


def evidence_table(result: Result) -> Table | None:
    """How sceptical one may be, what homogeneity and a significance filter say; None without claims."""
    ledger = result.ledger
    if ledger is None:
        return None
    rows = []
    for record in ledger.records:
        reverse = record.scepticism
        risks = "; ".join(
            f"{number(effect)}: power {risk.power:.2f}, S {probability(risk.type_s)}, M {risk.type_m:.1f}"
            for effect, risk in record.risks
        )
        rows.append(
            {
                "proposition": str(record.claim.parsed),
                "estimate": f"{number(record.estimate)} [{number(record.lo)}, {number(record.hi)}]",
                "sceptical prior SD": "" if reverse is None else sceptical_sds(reverse),
                "Bayes factor, equal slopes": "" if record.homogeneity is None else factor(record.homogeneity.factor),
                "nearer than the smallest effect": "" if record.within is None else probability(record.within),
                "true effect: power, type S, type M": risks,
            }
        )
    notes = [
        "Estimate: posterior mean and 95 % equal-tailed interval of what the proposition compares with its number.",
        "Sceptical prior SD: of the zero-mean prior on the claim's own estimand at which its probability falls to "
        f"{ledger.rules.support:g} (0.9), in the data's units: the slopes' priors with their scales shrunk, so that a "
        "difference has a mixture of normals over the slopes' SD. Limit: 1.96 times the first, about the largest "
        "effect a sceptic who doubts the claim still holds plausible. A small one: only a very sceptical prior leaves "
        "the claim in doubt.",
        "If the true effect were this large, a test with the standard error of the one above would have this power "
        "(two-sided, 5 %, normal approximation); among significant estimates a share S would have the wrong sign, and "
        "M is by how much they exaggerate (Gelman & Carlin 2014).",
    ]
    if any(record.within is not None for record in ledger.records):
        notes.append(
            "Nearer than the smallest effect: posterior probability of a distance from the proposition's number below "
            "the smallest one that was declared to matter."
        )
    shown = pd.DataFrame(rows)
    shown = shown[[c for c in shown if c in ("proposition", "estimate") or (shown[c] != "").any()]]
    return Table("claim_evidence", "What the evidence for each claim is worth", shown, tuple(notes))


def verdicts_sentence(ledger: Ledger) -> str:
    """How many claims have which verdict."""
    names = [record.verdict.name for record in ledger.records]
    counts = ", ".join(f"{names.count(name) or 'none'} {name}" for name in VERDICTS)
    return f"{len(names)} claim{'s' if len(names) > 1 else ''}: {counts}. The rule is below their table."


def claim_sentence(record: ClaimRecord) -> str:
    """A claim and its verdict."""
    text = f"is {record.verdict.name}"
    if record.verdict.name == UNDECIDED:
        text += f" ({number(record.estimate)} [{number(record.lo)}, {number(record.hi)}])"
    because = "; ".join(record.verdict.because)
    test = ""
    if record.test is not None:
        test = f" Its frequentist test estimates {number(record.test.estimate)}, {p_relation(record.test.p_value)}"
        test += f"; the posterior ({record.errors} errors) {number(record.estimate)}."
    return (
        f"{record.claim.id}, '{record.claim.text}' ({record.claim.parsed}) {text}: {because}. Over variants its "
        f"probability runs from {probability(record.lowest)} to {probability(record.highest)} "
        f"({varied(record)}).{test}"
    )


def varied(record: ClaimRecord) -> str:
    """How many variants of each kind stand behind a range."""
    counts = {word: record.varied(kind) for kind, word in KINDS.items()}
    return ", ".join(f"{word} {count or 'not varied'}" for word, count in counts.items())


def _printed(record: ClaimRecord) -> str:
    rows = record.printed.to_dict("records")
    seen = []
    for row in rows:
        sample = "" if row["sample"] == "all" else f"{row['sample']},"
        estimate = "" if pd.isna(row["estimate"]) else str(row["estimate"])
        parts = (sample, row["estimator"], "on", f"{row['outcome']}:", estimate, row["significance"])
        seen.append(" ".join(part for part in parts if part))
    return "; ".join(dict.fromkeys(seen)) or "nothing printed"


def _test(record: ClaimRecord) -> str:
    if record.test is None:
        return record.no_test
    test = record.test
    return f"{number(test.estimate)} [{number(test.lo)}, {number(test.hi)}], {p_relation(test.p_value)}"


def sceptical_sds(reverse: Scepticism) -> str:
    """Every prior SD at which the probability passes a level, and whether a practically flat prior reaches it."""
    if reverse.hopeless:
        return "not credible even under a practically flat prior"
    parts = []
    for level, found in reverse.crossings.items():
        seen = ", ".join(number(sd) for sd in found) or "at no prior SD tried"
        parts.append(f"{level:g}: {seen}{'' if reverse.credible(level) else ', not under a practically flat prior'}")
    limit = reverse.scepticism_limit()
    return "; ".join(parts) + ("" if pd.isna(limit) else f"; limit {number(limit)}")


def answered(result: Result) -> list[tuple[str, Sensitivity]]:
    """Every model whose claims were answered under other priors, with the answers."""
    return [] if result.ledger is None else list(result.ledger.sensitivities.items())


def sets_table(own: tuple[str, Sensitivity], result: Result) -> Table:
    """Probabilities and estimates under named sets of priors."""
    model, sets = own[0], own[1].sets
    frame = pd.DataFrame(
        {
            "proposition": sets["proposition"],
            "priors": sets["priors"],
            "probability": [probability(p) for p in sets["probability"]],
            "Monte Carlo error": [f"{error:.3f}" for error in sets["mcse"]],
            "estimate": [
                f"{number(row['mean'])} [{number(row['lo'])}, {number(row['hi'])}]" for row in sets.to_dict("records")
            ],
            "sampler": ["passed" if passed else "failed" for passed in sets["passed"]],
        }
    )
    note = (
        "Posterior mean and 95 % equal-tailed interval, in the data's units; Monte Carlo standard error of the "
        "probability. The sets are in models/priors."
    )
    return Table(f"prior_sets_{model}", f"Under other priors: {model}", frame, (note,))


def power_table(own: tuple[str, Sensitivity], result: Result) -> Table:
    """How far slightly stronger or weaker priors move each estimand."""
    model, power = own[0], own[1].power
    frame = pd.DataFrame(
        {
            "estimand of": power["quantity"],
            "prior of": power["prior"],
            "sensitivity to the prior": [f"{v:.3f}" for v in power["prior_sensitivity"]],
            "sensitivity to the data": [f"{v:.3f}" for v in power["likelihood_sensitivity"]],
            "diagnosis": power["diagnosis"],
            "Pareto k": [f"{v:.2f}" for v in power["k_hat"]],
        }
    )
    notes = (
        "Power-scaling of top-level priors (Kallioinen et al. 2024): above 0.05 a slightly stronger or weaker prior "
        "moves the estimand. Above 0.05 for both, prior and data are in conflict; for the prior alone, the prior is "
        "strong or the data are weak.",
        "Pareto k of the weights at powers 0.8 and 1.25: above 0.7 weighting cannot say how far the prior moves it.",
    )
    return Table(f"power_{model}", f"Power-scaling: {model}", frame, notes)


def prior_overlap_table(own: tuple[str, Sensitivity], result: Result) -> Table:
    """What the data say beyond the prior, by parameter."""
    model, overlap = own[0], own[1].overlap
    shown = ["" if pd.isna(v) else f"{v:.2f}" for v in overlap["overlap"]]
    frame = overlap.assign(overlap=shown)
    note = "Area shared by prior and posterior density: near 1 the data say nothing new about the parameter."
    return Table(f"prior_overlap_{model}", f"Prior and posterior: {model}", frame, (note,))


def prior_predictive_table(own: tuple[str, Sensitivity], result: Result) -> Table:
    """Outcomes that the priors expect beside those observed."""
    model, predictive = own[0], own[1].predictive
    frame = pd.DataFrame(
        {
            "outcome": predictive["quantity"],
            "observed": [number(v) for v in predictive["observed"]],
            "the priors expect (median, 95 %)": [
                f"{number(row['median'])} [{number(row['lo'])}, {number(row['hi'])}]"
                for row in predictive.to_dict("records")
            ],
        }
    )
    note = "Outcomes the priors would produce on this panel before any is seen, in the data's units."
    return Table(f"prior_predictive_{model}", f"What the priors expect: {model}", frame, (note,))


def curve_table(own: tuple[str, Sensitivity], result: Result) -> Table:
    """Every declared sample under every estimator."""
    assert result.ledger is not None
    model, curve = own[0], result.ledger.curves[own[0]]
    cells = [
        row["reason"]
        if pd.isna(row["estimate"])
        else f"{number(row['estimate'])} [{number(row['lo'])}, {number(row['hi'])}], "
        + (p_relation(row["p_value"]) if pd.isna(row["probability"]) else f"P {relation(row['probability'])}")
        + (f" ({row['reason']})" if row["reason"] else "")
        for row in curve.to_dict("records")
    ]
    keys = ["proposition", "sample", "estimator"]
    wide = curve[keys].assign(cell=cells).set_index(keys)["cell"].unstack("estimator")
    order = curve[keys[:2]].drop_duplicates().apply(tuple, axis=1)
    wide = wide.loc[list(order), list(dict.fromkeys(curve["estimator"]))].reset_index()
    notes = (
        "Every cell that was declared, failures included. Cells share their data: how many of them are significant "
        "says nothing more than one of them does.",
        "Of the quantity each proposition compares with its number: 95 % interval; p-value (two-sided) or P, the "
        "posterior probability of the proposition.",
    )
    return Table(f"specification_{model}", f"Samples and estimators: {model}", wide.rename_axis(None, axis=1), notes)
