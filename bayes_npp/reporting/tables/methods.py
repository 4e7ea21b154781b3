"""What each method of mediation lets a reader conclude: one table over all mediation models of a study."""

from dataclasses import dataclass

import pandas as pd

from bayes_npp.analysis.records import Mechanism
from bayes_npp.reporting.base.cells import Table, interval, number, p_relation, relation
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.tables.mechanism import Reading, confounded_from, readings
from bayes_npp.reporting.tables.paths import path_models


@dataclass(frozen=True)
class Conclusion:
    """What one model estimates of one mediator, what it finds, and what follows."""

    mediator: str
    model: str
    method: str
    estimates: str
    finds: str
    follows: str


def methods_table(result: Result) -> Table | None:
    """Methods side by side for every mediator; None unless the study has two of them."""
    conclusions = [c for model in path_models(result) for c in _by_least_squares(model, result)]
    conclusions += [c for mechanism in result.mechanisms for c in _by_posterior(mechanism, result)]
    if len({c.model for c in conclusions}) < 2:
        return None
    order = list(dict.fromkeys(c.mediator for c in conclusions))
    conclusions.sort(key=lambda c: order.index(c.mediator))
    frame = pd.DataFrame(
        {
            "mediator": [c.mediator for c in conclusions],
            "method": [f"{c.method} ('{c.model}')" for c in conclusions],
            "estimates": [c.estimates for c in conclusions],
            "finds": [c.finds for c in conclusions],
            "so one may conclude": [c.follows for c in conclusions],
        }
    )
    notes = (
        "Association throughout: no method can exclude that something left out moves a mediator and the outcome "
        "together; the posterior says how much of that its conclusion would bear (as a correlation of their errors).",
        "95 % intervals, confidence or equal-tailed posterior ones; averages over observations.",
    )
    return Table("mechanism_methods", "What each method lets one conclude", frame, notes)


def _by_least_squares(model: str, result: Result) -> list[Conclusion]:
    rows = result.estimates.select(model=model, group="")
    exposure, outcome = result.study.spec(result.study.model(model)).exposure, rows["outcome"].iloc[0]
    method = str(rows["estimator"].iloc[0]).split(",")[0]
    out = []
    for mediator in rows.loc[rows["estimand"] == "path_a", "term"]:
        own = rows[rows["term"] == mediator].set_index("estimand")
        a = own.loc["path_a"]
        link = f"{exposure} to {mediator} {number(a['estimate'])} {interval(a)}"
        if "indirect" in own.index:
            row = own.loc["indirect"]
            out.append(
                Conclusion(
                    mediator,
                    model,
                    f"{method}, {row['covariance']}",
                    "both paths and their product",
                    f"indirect {number(row['estimate'])} {interval(row)}, {p_relation(row['p_value'])}",
                    "nothing about an indirect association: its interval includes zero"
                    if row["lo"] <= 0 <= row["hi"]
                    else "an indirect association, if nothing moves mediator and outcome together",
                )
            )
        elif "path_b" in own.index:
            b = own.loc["path_b"]
            met = not (a["lo"] <= 0 <= a["hi"] or b["lo"] <= 0 <= b["hi"])
            finds = f"{link}; {mediator} to {outcome} {number(b['estimate'])} {interval(b)}, {p_relation(b['p_value'])}"
            follows = "both paths differ from zero; " if met else "not both paths differ from zero; "
            estimates = "both paths, one by one"
            out.append(Conclusion(mediator, model, method, estimates, finds, f"{follows}their product is not tested"))
        else:
            moves = "does not show that they move together" if a["lo"] <= 0 <= a["hi"] else "they move together"
            follows = f"{moves}; nothing about {mediator} and {outcome}, so nothing about mediation"
            out.append(Conclusion(mediator, model, method, f"{exposure} to {mediator} only", link, follows))
    return out


def _by_posterior(mechanism: Mechanism, result: Result) -> list[Conclusion]:
    errors = result.estimates.select(model=mechanism.model)["covariance"].iloc[0]
    contradicted = any(not check.passed for record in mechanism.fits for check in record.predictive)
    unreliable = any(not record.diagnostics.passed for record in mechanism.fits)
    out = []
    for reading in readings(mechanism, result):
        row = reading.indirect
        finds = f"indirect {number(row['estimate'])} {interval(row)}, P(> 0) {relation(row['prob_positive'])}"
        follows = _follows(reading, mechanism)
        if unreliable:
            follows = "nothing: the sampler failed its diagnostics"
        elif contradicted:
            follows += "; under an error model that fails its checks"
        estimates = "both paths, their product, the direct path, by group"
        out.append(Conclusion(reading.mediator, mechanism.model, f"posterior, {errors}", estimates, finds, follows))
    return out


def _follows(reading: Reading, mechanism: Mechanism) -> str:
    if reading.sign == "undecided":
        return "no indirect association is established"
    text = f"an indirect association that is {reading.sign}"
    rho = confounded_from(mechanism, reading.mediator)
    return text if rho is None else f"{text}, up to errors correlated by {rho}"
