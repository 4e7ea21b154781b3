"""Tables of slopes by group: one model alone, and the comparison of pooled and unpooled slopes."""

import pandas as pd

from bayes_npp.analysis.comparison import CLEAR, Heterogeneity
from bayes_npp.design.design import NEGATIVE
from bayes_npp.estimates import ESTIMANDS, NOT_PASSED
from bayes_npp.reporting.base.cells import Table, cell, frequentist_note, posterior_note, reason, same_estimand
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.base.words import lower, model_word, variable_word


def group_table(result: Result, model: str) -> Table:
    """Slopes by group of a model that has no counterpart to be compared with."""
    exposure = result.study.spec(result.study.model(model)).exposure
    rows = result.estimates.select(model=model, term=exposure)
    cells = [(ESTIMANDS[row["estimand"]], row["group"], cell(row)) for _, row in rows.iterrows()]
    frame = pd.DataFrame(cells, columns=["estimand", "group", "estimate"])
    first = rows.iloc[0]
    note = posterior_note(first) if first["paradigm"] == "bayesian" else frequentist_note(first)
    of, by = lower(variable_word(result.study, str(exposure), unit=False)), model_word(result.study, model)
    return Table(f"groups_{model}", f"Slopes of {of}: {by}", frame, (note,))


def slope_table(comparison: Heterogeneity, result: Result) -> Table:
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
        if source is not None and source["note"].startswith(NOT_PASSED):
            notes.append(f"The hierarchical fit with {source['covariance']} FAILED: {reason(source)}.")
    return Table(
        f"slopes_{comparison.pooled_model}",
        f"Slope of {comparison.exposure} by {comparison.grouping}",
        pd.DataFrame(rows),
        tuple(notes),
    )


def difference_table(comparison: Heterogeneity, result: Result) -> Table:
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


def weights_table(result: Result) -> Table | None:
    """The weights of two-way fixed effects on the groups of every hierarchical model with slopes; None without one."""
    weights = result.weights
    if weights.empty:
        return None
    rows = [
        {
            "model": w.model,
            "group": w.group,
            "weight of TWFE": f"{w.twfe_weight:.3f}",
            "share of observations": f"{w.share_of_observations:.3f}",
        }
        for w in weights.itertuples()
    ]
    below = [f"{w.group} ({w.model})" for w in weights.itertuples() if w.twfe_weight < NEGATIVE]
    notes = (
        "Two-way fixed effects with one slope estimate the average of the groups' slopes with these weights.",
        f"Below zero: {', '.join(below)}. With a negative weight the average can lie outside the range of the slopes, "
        "and no claim about it is firm."
        if below
        else "No weight is negative.",
    )
    return Table("twfe_weights", "Weights of two-way fixed effects on the groups", pd.DataFrame(rows), notes)
