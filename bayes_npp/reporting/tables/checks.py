"""Tables of checks: of the sampler, of the error model, of the baseline regression's residuals."""

import pandas as pd

from bayes_npp.analysis.records import FitRecord
from bayes_npp.bayesian.fitting.predictive_checks import errors_verdict
from bayes_npp.reporting.base.blocks import Paragraph
from bayes_npp.reporting.base.cells import Table, number, p_relation, probability
from bayes_npp.reporting.base.result import Result

HOW = {
    "importance": "weighted points",
    "collapsed": "chains, coefficients integrated out",
    "nuts": "chains of all parameters",
    "gibbs": "chains with the missing cells",
}


def diagnostics_table(result: Result) -> Table | None:
    """Diagnostics of the draws of every fit of a declared model; None without a hierarchical one."""
    if not result.fits:
        return None
    rows = []
    verdicts: dict[str, list[str]] = {"draws": [], "errors": []}
    records = (*result.fits, *(fit for mechanism in result.mechanisms for fit in mechanism.fits))
    for record in records:
        checks = {c.quantity: f"{c.value:.4g} ({c.threshold})" for c in record.diagnostics.checks}
        rows.append({"fit": record.model, "sampled by": HOW[record.engine], **checks})
        verdicts["draws"].append(record.diagnostics.verdict)
        verdicts["errors"].append(errors_verdict(record.predictive).partition(" (")[0])
    notes = [
        "Worst value over all sampled parameters; the needed value in brackets. Draws that pass are of what the model "
        "says; whether the data allow the model is what the checks of the errors ask. They stand one by one under "
        "'Are the errors what the models say?'."
    ]
    if any(record.engine == "importance" for record in records):
        notes.append(
            "Weighted points are drawn from a density near the posterior, with weights that make them the posterior. "
            "They have no chains to compare. Pareto k says how far the largest weights can be trusted; the effective "
            "size is that of all weights; the MCSE is how far 16 separate sets of points differ, in posterior SDs."
        )
    notes += [f"Chains for {record.model}: {record.why}." for record in records if record.why]
    frame = pd.DataFrame(rows).fillna("").assign(**verdicts)
    return Table("diagnostics", "Can the draws be trusted?", frame, tuple(notes))


def specification_table(result: Result) -> Table | None:
    """Tests on the baseline regression: which errors and which effects the data ask for; None of a cross-section."""
    if not result.specification:
        return None
    rows = [
        {
            "test": test.name,
            "null hypothesis": test.null,
            "statistic": "none" if pd.isna(test.statistic) else f"{test.statistic:.2f}, {test.distribution}",
            "p-value": p_relation(test.p_value),
            "computed from": test.used + (f"; {test.note}" if pd.isna(test.p_value) else ""),
        }
        for test in result.specification
        if not isinstance(test, str)
    ]
    notes = [
        "On the study's outcome, exposure and controls. Rejected serial correlation speaks against classical errors, "
        "rejected independence of units against errors clustered by unit alone; a test that does not reject shows "
        "nothing. CD is computed from residuals less period effects, which hide a factor that all units share alike.",
        *(f"Not computed: {test}." for test in result.specification if isinstance(test, str)),
    ]
    columns = ["test", "null hypothesis", "statistic", "p-value", "computed from"]
    frame = pd.DataFrame(rows, columns=columns)
    return Table("specification", "Which errors do the data ask for?", frame, tuple(notes))


def predictive_table(result: Result) -> Table | None:
    """Posterior predictive checks of the error model of every declared fit; None without any."""
    if not any(record.predictive for record in result.fits):
        return None
    rows = [
        {
            "fit": record.model,
            "check": f"{check.name}: {check.meaning}",
            "observed": number(check.observed),
            "replications, 95 %": f"{number(check.lo)} to {number(check.hi)}",
            "P(replicated >= observed)": probability(check.p),
            "verdict": check.verdict,
        }
        for record in result.fits
        for check in record.predictive
    ]
    note = (
        "Realised discrepancies over posterior draws (Gelman, Meng & Stern 1996); failed if the probability is below "
        "0.025 or above 0.975."
    )
    return Table("predictive", "Are the errors what the model says?", pd.DataFrame(rows), (note,))


def sampler_note(record: FitRecord, result: Result) -> Paragraph:
    """How a fit was sampled, and what its correlated effects leave to partial pooling."""
    sampler = record.sampler
    if record.engine == "importance":
        text = (
            f"{sampler.chains * sampler.draws} draws from weighted points of the scales and shapes, and of the "
            f"coefficients given these exactly; no chain, seed {sampler.seed}."
        )
    else:
        text = (
            f"{sampler.chains} chains of {sampler.draws} draws after {sampler.tune} of warm-up, target acceptance "
            f"{sampler.target_accept}, seed {sampler.seed}."
        )
    for side, rank, size in record.between:
        name = "unit" if side == "unit" else "period"
        text += (
            f" Correlated effects span {rank} of the {size} {name} contrasts, so partial pooling of {name} effects "
            f"acts on the other {size - rank}."
        )
    for side in record.saturated:
        text += (
            f" The {side} parts of the regressors span all {side} effects, so columns enter as residuals there; slopes "
            "are unaffected."
        )
    return Paragraph(text, note=True)
