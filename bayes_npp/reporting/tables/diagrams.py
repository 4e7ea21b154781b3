"""A path diagram for every mediator, with the posterior of each path on its arrow."""

import pandas as pd

from bayes_npp.analysis.readings import MechanismReading, MediatorReading
from bayes_npp.analysis.records import Mechanism
from bayes_npp.reporting.base.blocks import Art, Heading
from bayes_npp.reporting.base.keys import estimate_key
from bayes_npp.reporting.base.numbers import chance, interval_of, of_row, rounded, tagged
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.base.small import paths
from bayes_npp.reporting.base.words import errors_word, model_word, sentence, variable_word
from bayes_npp.study.study import Study


def main_mechanism(result: Result) -> Mechanism | None:
    """The mechanism behind the first claim about paths, or the last declared."""
    names = [r.claim.model for r in result.ledger.records if r.claim.parsed.is_mechanism] if result.ledger else []
    found = [m for name in names for m in result.mechanisms if m.model == name]
    return next(iter([*found, *reversed(result.mechanisms)]), None)


def diagrams(mechanism: Mechanism, result: Result) -> list[Heading | Art]:
    """A heading and one diagram a mediator."""
    study = result.study
    reading = result.readings.mechanisms[mechanism.model]
    out: list[Heading | Art] = [Heading(sentence(titled_errors(study, mechanism.model)))]
    rows = result.estimates.select(model=mechanism.model, group="")
    direct = rows[rows["estimand"] == "direct"].iloc[0]
    names = [variable_word(study, name, unit=False) for name in (study.roles.exposure, study.roles.outcome)]
    for own in reading.mediators:
        labels = (_short(own.path_a.row), _short(own.path_b.row), _short(direct))
        mediator = variable_word(study, own.mediator, unit=False)
        clear = (own.path_a.clear, own.path_b.clear, bool(direct["lo"] > 0 or direct["hi"] < 0))
        words = f"{names[0]} to {mediator} {labels[0]}; {mediator} to {names[1]} {labels[1]}; direct {labels[2]}"
        art = paths(names[0], mediator, names[1], labels, clear, words)
        out.append(Art(_title(mediator, own, reading), _caption(own, direct), art))
    return out


def titled_errors(study: Study, name: str) -> str:
    """A model's title; the errors of one that has none stand behind its name."""
    model = study.model(name)
    return model.title or f"{model_word(study, name)}, {errors_word(study, str(getattr(model, 'errors', 'iid')))}"


def _short(row: pd.Series) -> str:
    return rounded(float(row["estimate"]), float(row["spread"]))


def _title(mediator: str, own: MediatorReading, reading: MechanismReading) -> str:
    if not reading.sampled:
        return f"{mediator}: nothing is read here, the sampler failed its diagnostics"
    if not own.indirect.clear:
        return f"{mediator}: no indirect association is established"
    under = ", under errors that fail a check" if reading.failing else ""
    if own.suppression:
        return f"{mediator}: suppression, the indirect and the direct association have opposite signs{under}"
    return f"{mediator}: the indirect association is {own.indirect.sign}{under}"


def _caption(own: MediatorReading, direct: pd.Series) -> str:
    row = own.indirect.row
    p = float(row["prob_positive"])
    shown = tagged(chance(p), p, f"estimates.csv:{estimate_key(row)}:prob_positive")
    parts = [
        f"Exposure to mediator {of_row(own.path_a.row)} {interval_of(own.path_a.row)}, mediator to outcome "
        f"{of_row(own.path_b.row)} {interval_of(own.path_b.row)}, direct {of_row(direct)} {interval_of(direct)}.",
        f"Their product, the indirect association: {of_row(row)} {interval_of(row)}, probability of being "
        f"positive {shown}.",
        "Dashed: a path whose sign is open. To read these as effects, nothing left out may move mediator and "
        "outcome together.",
    ]
    return " ".join(parts)
