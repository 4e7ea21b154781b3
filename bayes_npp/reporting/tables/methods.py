"""What each method of mediation lets a reader conclude: one table over all mediation models of a study."""

from dataclasses import dataclass

import pandas as pd

from bayes_npp.analysis.readings import MechanismReading, MediatorReading, PathReading
from bayes_npp.reporting.base.cells import Table, interval, number, p_relation, relation
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.tables.mechanism import crossing_word


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
    conclusions = [_by_least_squares(reading, result) for reading in result.readings.paths]
    conclusions += [c for reading in result.readings.mechanisms.values() for c in _by_posterior(reading, result)]
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


def _by_least_squares(reading: PathReading, result: Result) -> Conclusion:
    first = result.estimates.select(model=reading.model, group="").iloc[0]
    exposure = result.study.spec(result.study.model(reading.model)).exposure
    method, mediator, a = str(first["estimator"]).split(",")[0], reading.mediator, reading.path_a
    link = f"{exposure} to {mediator} {number(a.row['estimate'])} {interval(a.row)}"
    if reading.indirect is not None:
        row = reading.indirect.row
        return Conclusion(
            mediator,
            reading.model,
            f"{method}, {row['covariance']}",
            "both paths and their product",
            f"indirect {number(row['estimate'])} {interval(row)}, {p_relation(row['p_value'])}",
            "an indirect association, if nothing moves mediator and outcome together"
            if reading.indirect.clear
            else "nothing about an indirect association: its interval includes zero",
        )
    if reading.path_b is not None:
        b = reading.path_b.row
        differ = "both paths differ" if a.clear and reading.path_b.clear else "not both paths differ"
        finds = f"{link}; {mediator} to {first['outcome']} {number(b['estimate'])} {interval(b)}"
        finds += f", {p_relation(b['p_value'])}"
        follows = f"{differ} from zero; their product is not tested"
        return Conclusion(mediator, reading.model, method, "both paths, one by one", finds, follows)
    moves = "they move together" if a.clear else "does not show that they move together"
    follows = f"{moves}; nothing about {mediator} and {first['outcome']}, so nothing about mediation"
    return Conclusion(mediator, reading.model, method, f"{exposure} to {mediator} only", link, follows)


def _by_posterior(mechanism: MechanismReading, result: Result) -> list[Conclusion]:
    errors = result.estimates.select(model=mechanism.model)["covariance"].iloc[0]
    out = []
    for reading in mechanism.mediators:
        row = reading.indirect.row
        finds = f"indirect {number(row['estimate'])} {interval(row)}, P(> 0) {relation(row['prob_positive'])}"
        follows = _follows(reading)
        if not mechanism.sampled:
            follows = "nothing: the sampler failed its diagnostics"
        elif mechanism.failing:
            follows += "; under an error model that fails its checks"
        estimates = "both paths, their product, the direct path, by group"
        out.append(Conclusion(reading.mediator, mechanism.model, f"posterior, {errors}", estimates, finds, follows))
    return out


def _follows(reading: MediatorReading) -> str:
    if not reading.indirect.clear:
        return "no indirect association is established"
    text = f"an indirect association that is {reading.indirect.sign}"
    if reading.crossing is None:
        return text
    return f"{text}, up to errors correlated by {crossing_word(reading.crossing, 'interval_includes')}"
