"""Tables of a run as text cells, written as csv and tex and shown in the report (great_tables)."""

from pathlib import Path

import pandas as pd

from bayes_npp.analysis.comparison import CLEAR, Heterogeneity
from bayes_npp.analysis.records import FitRecord
from bayes_npp.estimates import ESTIMANDS
from bayes_npp.reporting.base.cells import (
    Table,
    cell,
    frequentist_note,
    number,
    p_relation,
    posterior_note,
    probability,
    same_estimand,
)
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.tables.claims import claim_tables
from bayes_npp.reporting.tables.equality import equality_tables
from bayes_npp.reporting.tables.ladder import accuracy_table, error_table, pooling_table, spread_table
from bayes_npp.reporting.tables.measurement import measurement_tables
from bayes_npp.reporting.tables.mechanism import mechanism_tables
from bayes_npp.reporting.tables.methods import methods_table
from bayes_npp.reporting.tables.paper import column_table, paper_tables
from bayes_npp.reporting.tables.paths import path_models, path_tables
from bayes_npp.reporting.tables.replication import replication_table
from bayes_npp.reporting.tables.robustness import robustness_table
from bayes_npp.store import write_text


def build_tables(result: Result) -> dict[str, Table]:
    """Every table of a run, by name."""
    frame = result.estimates.frame
    beside = {record.model for record in result.ladder_fits} | {record.model for record in result.robustness}
    declared = frame[~frame["model"].isin(beside)]
    single = [str(m) for m, rows in declared.groupby("model", sort=False) if (rows["group"] == "").all()]
    compared = {c.subsample_model for c in result.comparisons} | {c.interacted_model for c in result.comparisons}
    compared |= {c.pooled_model for c in result.comparisons}
    shown = {name for table in result.study.tables for name in table.columns}
    shown |= {mechanism.model for mechanism in result.mechanisms} | set(path_models(result))
    others = [m for m in dict.fromkeys(declared["model"]) if m not in compared and m not in single and m not in shown]
    single = [name for name in single if name not in shown]
    tables = paper_tables(result)
    if single:
        title = f"{'Further models' if tables else 'Baseline'}: {result.study.roles.outcome}"
        tables.append(column_table("baseline", title, single, result))
    tables += [group_table(result, model) for model in others]
    for comparison in result.comparisons:
        tables += [slope_table(comparison), difference_table(comparison), average_table(comparison, result)]
    if result.specification:
        tables.append(specification_table(result))
    for ladder in result.ladders:
        tables += [error_table(ladder, result), spread_table(ladder, result)]
        tables += [pooling_table(ladder, result), accuracy_table(ladder)]
    tables += equality_tables(result)
    if result.robustness:
        tables.append(robustness_table(result))
    tables += measurement_tables(result)
    for mechanism in result.mechanisms:
        tables += mechanism_tables(mechanism, result)
    tables += path_tables(result)
    methods = methods_table(result)
    if methods is not None:
        tables.append(methods)
    tables += claim_tables(result.ledger) if result.ledger is not None else []
    reproduced = replication_table(result)
    if reproduced is not None:
        tables.append(reproduced)
    elif result.study.published is not None:
        tables.append(published_table(result.study.published))
    if result.fits:
        tables.append(diagnostics_table(result))
        tables.append(predictive_table(result.fits))
        tables += [prior_table(record) for record in result.fits]
    if len(result.study.panel.index_weights):
        tables.append(weight_table(result.study.panel.index_weights))
    return {table.name: table for table in tables}


def write_tables(tables: dict[str, Table], folder: Path) -> None:
    """Write every table as csv and tex."""
    for table in tables.values():
        write_text(folder / f"{table.name}.csv", table.frame.to_csv(index=False, lineterminator="\n"))
        write_text(folder / f"{table.name}.tex", table.tex() + "\n")


def group_table(result: Result, model: str) -> Table:
    """Slopes by group of a model that has no counterpart to be compared with."""
    exposure = result.study.spec(result.study.model(model)).exposure
    rows = result.estimates.select(model=model, term=exposure)
    cells = [(ESTIMANDS[row["estimand"]], row["group"], cell(row)) for _, row in rows.iterrows()]
    frame = pd.DataFrame(cells, columns=["estimand", "group", "estimate"])
    first = rows.iloc[0]
    note = posterior_note(first) if first["paradigm"] == "bayesian" else frequentist_note(first)
    return Table(f"groups_{model}", f"Slopes of {exposure}: {model}", frame, (note,))


def slope_table(comparison: Heterogeneity) -> Table:
    """Three columns of group slopes."""
    columns = {
        "subsample": "separate regression (another model)",
        "interacted": "TWFE, exposure x group",
        "pooled": "hierarchical, partial pooling",
        "chosen": "hierarchical, errors as the checks ask",
    }
    rows = []
    for slope in comparison.slopes:
        row = {comparison.grouping: slope.group}
        for column, label in columns.items():
            source = getattr(slope, column)
            if source is not None:
                row[label] = cell(source)
        row["shrinkage (3rd - 2nd)"] = f"{slope.shrinkage:+.3f}"
        rows.append(row)
    first, pooled, chosen = comparison.slopes[0], comparison.slopes[0].pooled, comparison.slopes[0].chosen
    notes = [
        "Separate regressions free controls and period effects as well as the slope: another model, so no arrow and no "
        "difference leads from them to the other columns.",
        f"{frequentist_note(first.interacted)} Separate regressions count their own clusters.",
        posterior_note(pooled),
    ]
    if chosen is not None:
        notes.append(f"Last column: {posterior_note(chosen)}")
    for source in (pooled, chosen):
        if source is not None and source["note"]:
            notes.append(f"The hierarchical fit with {source['covariance']} FAILED: {source['note']}.")
    return Table(
        f"slopes_{comparison.pooled_model}",
        f"Slope of {comparison.exposure} by {comparison.grouping}",
        pd.DataFrame(rows),
        tuple(notes),
    )


def difference_table(comparison: Heterogeneity) -> Table:
    """Differences tested as differences, in both paradigms."""
    rows = [
        {
            "difference": d.label,
            "TWFE, exposure x group": cell(d.interacted),
            "partial pooling": cell(d.pooled),
            **({} if d.chosen is None else {"partial pooling, errors as the checks ask": cell(d.chosen)}),
            "sign, given the last model": d.reading,
        }
        for d in comparison.differences
    ]
    chosen = comparison.differences[0].chosen
    notes = (
        "Each line tests the difference itself; two separate significance tests do not (Gelman & Stern 2006).",
        f"Sign rule: clear if P(> 0) is at least {CLEAR} or at most {1 - CLEAR:.3f}, else undecided. Pairs are read "
        f"one at a time: no correction is made for reading {len(rows)} of them.",
        "Probabilities carry simulation error: one within 0.005 of a cut may fall on its other side with another seed.",
        posterior_note(comparison.differences[0].pooled),
        *([] if chosen is None else [f"Errors as the checks ask: {posterior_note(chosen)}"]),
        frequentist_note(comparison.differences[0].interacted),
    )
    return Table(
        f"differences_{comparison.pooled_model}",
        f"Differences between slopes by {comparison.grouping}",
        pd.DataFrame(rows),
        notes,
    )


def average_table(comparison: Heterogeneity, result: Result) -> Table:
    """Average slopes under each weighting, and TWFE's own weights."""
    rows = [
        {
            "average": ESTIMANDS[name],
            "TWFE, one slope": cell(comparison.plain) if same_estimand(comparison.plain, name) else "",
            "TWFE, exposure x group": cell(interacted),
            "partial pooling": cell(pooled),
        }
        for name, interacted, pooled in comparison.averages
    ]
    weights = result.weights[result.weights["model"] == comparison.pooled_model]
    listed = ", ".join(
        f"{w.group} {w.twfe_weight:.3f} (share {w.share_of_observations:.3f})" for w in weights.itertuples()
    )
    notes = (
        f"Weights TWFE gives the groups' slopes (share of observations in brackets): {listed}.",
        "With these weights the interacted slopes average to the coefficient of TWFE with one slope exactly; the "
        "standard errors differ because the residuals do.",
        frequentist_note(comparison.averages[0][1]),
        posterior_note(comparison.averages[0][2]),
    )
    return Table(
        f"averages_{comparison.pooled_model}",
        f"Average slope of {comparison.exposure}, by weighting",
        pd.DataFrame(rows),
        notes,
    )


def published_table(published: pd.DataFrame) -> Table:
    """Numbers as the paper prints them."""
    shown = ["claim", "table", "sample", "estimator", "outcome", "term", "estimate", "significance", "note"]
    return Table(
        name="published",
        title="The paper, with its own variables: as printed",
        frame=published[shown],
        notes=(
            "The paper's data are not public. These numbers are shown, never differenced with ours; a blank means that "
            "the paper's text does not print it.",
        ),
    )


def diagnostics_table(result: Result) -> Table:
    """Convergence of every fit of a declared model."""
    rows = []
    for record in (*result.fits, *(fit for mechanism in result.mechanisms for fit in mechanism.fits)):
        checks = {c.quantity: f"{c.value:.4g} ({c.threshold})" for c in record.diagnostics.checks}
        rows.append({"fit": record.model, **checks, "verdict": record.diagnostics.verdict})
    note = "Worst value over all sampled parameters; the needed value in brackets."
    return Table("diagnostics", "Did the sampler converge?", pd.DataFrame(rows), (note,))


def specification_table(result: Result) -> Table:
    """Tests on the baseline regression: which errors and which effects the data ask for."""
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


def predictive_table(fits: tuple[FitRecord, ...]) -> Table:
    """Posterior predictive checks of the error model."""
    rows = [
        {
            "fit": record.model,
            "check": f"{check.name}: {check.meaning}",
            "observed": number(check.observed),
            "replications, 95 %": f"{number(check.lo)} to {number(check.hi)}",
            "P(replicated >= observed)": probability(check.p),
            "verdict": check.verdict,
        }
        for record in fits
        for check in record.predictive
    ]
    note = (
        "Realised discrepancies over posterior draws (Gelman, Meng & Stern 1996); failed if the probability is below "
        "0.025 or above 0.975."
    )
    return Table("predictive", "Are the errors what the model says?", pd.DataFrame(rows), (note,))


def prior_table(record: FitRecord) -> Table:
    """Priors with their reasons."""
    rows = [
        {"parameter": slot, "prior": str(prior), "reason": prior.reason} for slot, prior in record.priors.prior.items()
    ]
    note = "On the standardised scale: outcome, exposure and controls in SDs of the study's baseline sample."
    title = f"Priors of '{record.model}': {record.priors.name}"
    return Table(f"priors_{record.model}", title, pd.DataFrame(rows), (note,))


def weight_table(weights: pd.DataFrame) -> Table:
    """Weights of the indices."""
    frame = weights.assign(
        weight=weights["weight"].map(lambda w: f"{w:.4f}"),
        entropy=weights["entropy"].map(lambda e: "" if pd.isna(e) else f"{e:.4f}"),
    )
    notes = (
        "Entropy: indicators min-max scaled over the window, weights proportional to 1 - entropy. PCA: loadings of the "
        "first principal component of the scaled indicators' correlation matrix. CRITIC: weights proportional to SD "
        "times the sum of 1 - correlation (Diakoulaki et al. 1995).",
    )
    return Table("index_weights", "How the indices are put together", frame, notes)
