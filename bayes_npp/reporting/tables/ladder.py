"""Tables of a ladder: error models, pooling, and spreads beside standard errors."""

import pandas as pd

from bayes_npp.analysis.records import ErrorChoice, Ladder
from bayes_npp.analysis.stacking import ERRORS
from bayes_npp.bayesian.model.error_models import BASE, label_of
from bayes_npp.estimates import ESTIMANDS
from bayes_npp.reporting.base.cells import Table, cell, interval, number, probability
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.base.words import period_word

METHODS = {
    "leave_one_row_out": "one row",
    "leave_one_unit_out": "one unit",
    "leave_future_out": "the next {period}",
}
AVERAGE = "average_slope_twfe_weighted"
# What a model's average slope may be, the first that it has being told: without correlated means there is none with
# TWFE's weights, and one slope of all is its own average whatever the weights.
WEIGHTS = {AVERAGE: "TWFE's weights", "average_slope": "observations' weights", "coefficient": "any weights"}


def error_table(ladder: Ladder, result: Result) -> Table:
    """What each error model says of the slopes, whether the data allow it, and which one the rule picks."""
    rows = []
    compared = result.accuracy[(result.accuracy["ladder"] == ladder.model) & (result.accuracy["part"] == ERRORS)]
    weights = compared.set_index("model")
    for errors, record in ladder.errors.records.items():
        unit_out = weights.loc[errors]
        checks = {check.name: f"{number(check.observed)}, {check.verdict}" for check in record.predictive}
        alike = ladder.errors.homogeneity[errors]
        low, high = alike.range
        score = ladder.errors.scores[errors]
        rows.append(
            {
                "errors": label_of(errors) + (" (chosen)" if errors == ladder.errors.chosen else ""),
                f"average slope, {average_weights(result, ladder.model)}": cell(average_row(result, record.model)),
                **checks,
                "Bayes factor for equal slopes": f"{factor(alike.factor)} ({factor(low)} to {factor(high)})",
                "elpd, row left out (k > 0.7)": f"{score.elpd:.0f} ({score.n_bad})",
                "elpd, unit left out (k > 0.7)": f"{unit_out.elpd:.0f} ({unit_out.n_bad_k})"
                if unit_out.defined
                else "",
                "stacking weight": f"{unit_out.weight:.2f}" if unit_out.defined else "",
                "sampler": "passed" if record.diagnostics.passed else "FAILED",
            }
        )
    first = ladder.errors.homogeneity[ladder.errors.chosen]
    notes = (
        ladder.errors.rule,
        "Checks: lag-one correlation of innovations within units; largest innovation SD of a unit over the median "
        "unit's; root mean square correlation of two units' innovations; largest innovation SD of a period over the "
        "median period's. Failed: outside what the model reproduces.",
        "elpd: PSIS leave-one-out of the outcome in the data's units; in brackets the rows or units whose Pareto k is "
        "above 0.7, for which it is unreliable. Stacking weights are of units left out. They describe; they choose no "
        "errors.",
        f"Bayes factor of one common slope against slopes that differ with SD ~ {first.prior}; in brackets its range "
        "when that prior's scale is divided and multiplied by up to four. Above 3 for equal slopes, below 1/3 against.",
    )
    return Table(f"errors_{ladder.model}", f"Which errors? '{ladder.model}'", pd.DataFrame(rows), notes)


def pooling_table(ladder: Ladder, result: Result) -> Table:
    """Complete, partial and no pooling of slopes, units and periods: what each says of every group."""
    frame = result.estimates.frame
    own = frame[(frame["model"] == ladder.model) & (frame["estimand"] == "group_slope")]
    rows = []
    for rung in ladder.pooling:
        slopes = frame[(frame["model"] == rung.model) & (frame["estimand"] == "group_slope")].set_index("group")
        average = average_row(result, rung.model)
        by_group = {group: _short(slopes.loc[group] if group in slopes.index else average) for group in own["group"]}
        rows.append(
            {
                "what is pooled": rung.part,
                "effects or pooling": rung.label + (" (declared)" if rung.declared else ""),
                **by_group,
                f"average, {average_weights(result, ladder.model)}": _short(average),
            }
        )
    notes = (
        "Posterior mean and 95 % equal-tailed interval; errors as declared. Slopes: complete pooling is one slope for "
        "all groups, none gives each its own prior. Units and periods: no effects, partially pooled, or fixed effects.",
        "Columns enter with their unit and period parts (correlated effects), so pooling of the effects moves slopes "
        "only a little.",
    )
    title = f"The ladder of pooling: '{ladder.model}'"
    return Table(f"pooling_{ladder.model}", title, pd.DataFrame(rows), notes)


def accuracy_table(ladder: Ladder, result: Result) -> Table:
    """How well each way to pool predicts rows, units and periods it has not seen."""
    period = period_word(result.study)
    rows = [
        {
            "what is pooled": line.part,
            "left out": METHODS[line.method].format(period=period),
            "effects or pooling": line.model,
            "elpd (SE)": f"{line.elpd:.1f} ({line.se:.1f})" if line.defined else "",
            "less the best (SE)": f"{_no_minus_zero(line.elpd_diff)} ({line.se_diff:.1f})" if line.defined else "",
            "stacking weight": f"{line.weight:.2f}" if line.defined else "",
            "k > 0.7": str(line.n_bad_k) if line.defined else "",
            "note": line.note,
        }
        for line in result.accuracy[result.accuracy["ladder"] == ladder.model].itertuples()
        if line.part != ERRORS
    ]
    notes = (
        "Log predictive density of the outcome in the data's units, coefficients integrated out exactly given the "
        "scales; draws of the scales weighted by PSIS, sampled anew where Pareto k is above 0.7. Errors as declared.",
        "One row left out compares the whole ladder; one unit is undefined for fixed effects of units, a coming "
        f"{period} for fixed effects of periods. A difference within two of its standard errors decides nothing.",
    )
    return Table(f"accuracy_{ladder.model}", f"Predictive accuracy: '{ladder.model}'", pd.DataFrame(rows), notes)


def spread_table(ladder: Ladder, result: Result) -> Table:
    """Posterior SDs beside classical, clustered and Driscoll-Kraay standard errors of the same slopes."""
    spreads = result.spreads[result.spreads["model"] == ladder.model]
    models = {"posterior SD, declared errors": ladder.model}
    if ladder.errors.record.model != ladder.model:
        models["posterior SD, errors as the checks ask"] = ladder.errors.record.model
    rows = []
    for (estimand, group), own in spreads.groupby(["estimand", "group"], sort=False):
        row = {"slope": group or ESTIMANDS[str(estimand)]}
        row |= {f"{line.covariance} SE": number(line.se) for line in own.itertuples()}
        for label, name in models.items():
            found = result.estimates.select(model=name, estimand=str(estimand))
            spread = found.loc[found["group"] == group, "spread"]
            row[label] = "" if spread.empty else number(spread.iloc[0])  # no average of TWFE's without correlated means
        rows.append(row)
    notes = (
        "Standard errors of TWFE with the exposure interacted with every group, Stata's convention. With flat priors, "
        "fixed effects and independent errors the posterior mean is TWFE's coefficient and the posterior SD close to "
        "the classical standard error; clustered and Driscoll-Kraay errors answer for dependence that it assumes away.",
    )
    title = f"One slope, several spreads: '{ladder.model}'"
    return Table(f"spreads_{ladder.model}", title, pd.DataFrame(rows), notes)


def factor(value: float) -> str:
    """A Bayes factor in words a table has room for."""
    if value >= 1000:
        return "> 1000"
    return "< 0.001" if value < 0.001 else f"{value:.3g}"


def choice_sentence(choice: ErrorChoice) -> str:
    """What the rule chose and whether the choice passes."""
    failed = [check for check in choice.records[BASE].predictive if not check.passed]
    because = ", ".join(f"{check.name} ({number(check.observed)})" for check in failed)
    start = f"Independent errors fail the checks of {because}" if failed else "Independent errors pass every check"
    chosen = f"the verdicts rest on errors that are {label_of(choice.chosen)}"
    left = [check for check in choice.record.predictive if not check.passed]
    if not left:
        return f"{start}; {chosen}, which pass."
    seen = "; ".join(
        f"{check.name} {number(check.observed)} (P {probability(check.p)}), the model produces {number(check.lo)} to "
        f"{number(check.hi)}"
        for check in left
    )
    return f"{start}; {chosen}, but these still fail: {seen}. No verdict is firm under a model the data contradict."


def average_row(result: Result, model: str) -> pd.Series:
    """The average slope of a model, the first of `WEIGHTS` that it has."""

    def found() -> pd.Series:
        rows = result.estimates.select(model=model, term=result.study.roles.exposure, group="")
        return next(own for name in WEIGHTS if len(own := rows[rows["estimand"] == name])).iloc[0]

    return result.once(f"average row of {model}", found)


def average_weights(result: Result, model: str) -> str:
    """Whose weights the average slope of a model has, in words."""
    return WEIGHTS[str(average_row(result, model)["estimand"])]


def _short(row: pd.Series) -> str:
    return f"{number(row['estimate'])} {interval(row)}"


def _no_minus_zero(value: float) -> str:
    return f"{round(value, 1) + 0.0:.1f}"
