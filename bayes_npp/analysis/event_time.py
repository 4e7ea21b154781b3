"""Leads and lags of the exposure, by least squares and in the posterior."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayes_npp.analysis.ladder import behind_verdicts
from bayes_npp.analysis.records import FitRecord, Ladder
from bayes_npp.analysis.settings import RunSettings
from bayes_npp.analysis.stored_fits import fit_model, fit_record
from bayes_npp.bayesian.fitting.error_ladder import carried
from bayes_npp.bayesian.fitting.fit import Fit
from bayes_npp.bayesian.model.error_models import BASE, factors_of, named
from bayes_npp.design.event_time import place_of
from bayes_npp.design.spec import Spec
from bayes_npp.estimates import LEVEL
from bayes_npp.frequentist.hypotheses.event_time import event_time
from bayes_npp.study.file_names import JOINT
from bayes_npp.study.study import Study

TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)


@dataclass(frozen=True)
class EventTimes:
    """The exposure's coefficients by the periods that the outcome comes after it.

    Attributes
    ----------
    frame : DataFrame
        paradigm, place (below zero: the outcome comes before), term, estimate, lo, hi, p_value, prob_positive.
    leads_f, leads_p : float
        Joint test by least squares that all leads are zero.
    leads_df : str
    errors : str
        Of the posterior; empty without one.
    fit : FitRecord, optional
    n_obs : int
    without_factor : str
        Why the posterior lacks the common factor that stands behind the verdicts; empty where it does not.
    """

    frame: pd.DataFrame
    leads_f: float
    leads_p: float
    leads_df: str
    errors: str
    fit: FitRecord | None
    n_obs: int
    without_factor: str = ""

    @property
    def clear(self) -> tuple[str, ...]:
        """Paradigms in which the interval of a lead leaves zero out."""
        before = self.frame[self.frame["place"] < 0]
        apart = before[(before["lo"] > 0) | (before["hi"] < 0)]
        return tuple(dict.fromkeys(apart["paradigm"]))


def event_times(study: Study, ladders: Sequence[Ladder], settings: RunSettings) -> EventTimes | None:
    """Leads and lags as the study declares them; None where it does not."""
    declared = study.event_time
    if declared is None:
        return None
    roles = study.roles
    spec = Spec(outcome=roles.outcome, exposure=roles.exposure, controls=roles.controls)
    found = event_time(study.panel, spec, declared.leads, declared.lags)
    rows = [
        {"paradigm": "frequentist", "place": place, **{name: row[name] for name in ("term", "estimate", "lo", "hi")}}
        | {"p_value": row["p_value"], "prob_positive": np.nan}
        for _, row in found.frame.iterrows()
        if (place := place_of(row["term"], roles.exposure)) is not None
    ]
    model, record, errors, why = declared.beside(study.models), None, "", ""
    if model is not None:
        sample, names = declared.sample(study.sample)
        widened = declared.widened(behind_verdicts(model, ladders), names, sample)
        own = {"errors": _without_factors(widened.errors), "draws": model.draws, "tune": model.tune}
        without = widened.model_copy(update=own)
        if carried(lambda: sample.design(widened.spec(sample.roles)), widened.errors) is None:
            why = "leads and lags leave too few periods for it" if without.errors != widened.errors else ""
            widened = without
        fit, reused = fit_model(sample, widened, settings)
        if not fit.diagnostics.passed and without.errors != widened.errors:
            why = "with it the sampler failed its diagnostics"
            widened = without.model_copy(update={"name": f"{widened.name}{JOINT}without-factors"})
            fit, reused = fit_model(sample, widened, settings)
        record, errors = fit_record(f"{model.name}.event_time", fit, reused), widened.errors
        rows += posterior_rows(fit, roles.exposure)
    frame = pd.DataFrame(rows).sort_values(["paradigm", "place"], ascending=[False, True], ignore_index=True)
    n_obs = int(found.frame["n_obs"].iloc[0])
    tests = found.diagnostics
    return EventTimes(frame, tests["leads_f"], tests["leads_p"], tests["leads_df"], errors, record, n_obs, why)


def _without_factors(errors: str) -> str:
    """Errors less their common factors: these take more periods than leads and lags may leave, for panel or sampler."""
    return "+".join(part for part in named(errors) if not factors_of(part)) or BASE


def posterior_rows(fit: Fit, exposure: str) -> list[dict[str, object]]:
    """Slopes of the exposure and of its leads and lags in a fit, in the data's units."""
    scales, spec = fit.design.scales, fit.spec
    draws = {exposure: fit.slopes[:, 0]}
    controls = fit.values("control_slope")
    for k, name in enumerate(spec.controls):
        draws[name] = controls[:, k] * scales.outcome_sd / scales.divisors[name]
    out: list[dict[str, object]] = []
    for term, values in draws.items():
        place = place_of(term, exposure)
        if place is None:
            continue
        lo, hi = np.quantile(values, TAILS)
        row = {"paradigm": "bayesian", "place": place, "term": term, "estimate": values.mean(), "lo": lo, "hi": hi}
        out.append({**row, "p_value": np.nan, "prob_positive": float((values > 0).mean())})
    return out
