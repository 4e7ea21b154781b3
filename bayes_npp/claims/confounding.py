"""What an omitted confounder of exposure and outcome would do to each claim."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from bayes_npp.analysis.ladder import behind_verdicts
from bayes_npp.analysis.records import Ladder
from bayes_npp.analysis.settings import RunSettings
from bayes_npp.analysis.stored_fits import fit_model
from bayes_npp.bayesian.fitting.fit import Fit
from bayes_npp.bayesian.sensitivity.omitted import Confounded, confounded, table
from bayes_npp.claims.ledger import ClaimRecord, Ledger
from bayes_npp.design.slope_contrasts import slope_weights
from bayes_npp.design.spec import Spec
from bayes_npp.errors import DesignError, SpecError
from bayes_npp.frequentist.hypotheses.confounding import Confounding, confounding_of
from bayes_npp.frequentist.hypotheses.proposition import regression_of
from bayes_npp.study.claims import Claim
from bayes_npp.study.models import HierarchicalModel, MediationModel
from bayes_npp.study.study import Study

Fitted = Callable[[HierarchicalModel], Fit]
PRODUCT = (
    "an indirect effect is a product of two paths; the first path is asked here, the second by the correlation of "
)
PRODUCT += "errors in the section on mechanisms"


@dataclass(frozen=True)
class Crossing:
    """Times as strong as a control at which the probability of a claim falls to its threshold.

    Zero: it is below without a confounder. Infinity: no confounder as strong as any multiple takes it there.
    """

    benchmark: str
    k: float


@dataclass(frozen=True)
class ClaimConfounding:
    """A claim beside an omitted confounder.

    Attributes
    ----------
    claim : Claim
    about : str
        "slope", "difference" or "first path".
    found : Confounding, optional
        By least squares; `why_not` says why there is none, or what it leaves out.
    probability : float
        Of the claim without a confounder; NaN where the posterior is not asked.
    posterior : DataFrame
        benchmark, k, probability.
    under_prior : tuple of (str, float)
        Benchmark, and the probability under the prior on the strength.
    crossings : tuple of Crossing
    why_not : str
    """

    claim: Claim
    about: str
    found: Confounding | None
    probability: float
    posterior: pd.DataFrame
    under_prior: tuple[tuple[str, float], ...] = ()
    crossings: tuple[Crossing, ...] = ()
    why_not: str = ""

    @property
    def nearest(self) -> Crossing | None:
        """The control of which the smallest multiple takes the probability to the threshold."""
        found = [one for one in self.crossings if 0 < one.k < np.inf]
        return min(found, key=lambda one: one.k, default=None)


def claims_confounded(
    study: Study, ledger: Ledger | None, ladders: Sequence[Ladder], settings: RunSettings
) -> tuple[ClaimConfounding, ...]:
    """Every claim of a study beside an omitted confounder; nothing without claims or controls."""
    if ledger is None or not study.confounding.named(study.roles):
        return ()

    @cache  # a fit is read, and its slopes are integrated out, once for all claims about it
    def fitted(model: HierarchicalModel) -> Fit:
        return fit_model(study.sample, behind_verdicts(model, ladders), settings.fitted_before())[0]

    return tuple(_one(study, record, fitted) for record in ledger.records)


def _one(study: Study, record: ClaimRecord, fitted: Fitted) -> ClaimConfounding:
    claim, model = record.claim, study.model(record.claim.model)
    try:
        if isinstance(model, MediationModel):
            return _first_path(study, claim, model)
        assert isinstance(model, HierarchicalModel)
        return _slope(study, claim, model, fitted)
    except (DesignError, SpecError) as error:
        return ClaimConfounding(claim, "slope", None, np.nan, pd.DataFrame(), why_not=error.problem)


def _slope(study: Study, claim: Claim, model: HierarchicalModel, fitted: Fitted) -> ClaimConfounding:
    """A claim about slopes: the combination that it compares with its number, in the regression that tests it."""
    p, rules = claim.parsed, study.confounding
    spec = study.spec(model)
    names = tuple(name for name in rules.named(study.roles) if name in spec.controls)
    plain = regression_of(
        Spec(outcome=spec.outcome, exposure=spec.exposure, controls=spec.controls, slopes=spec.slopes), p
    )
    design = study.sample.design(plain)
    found = confounding_of(
        design, slope_weights(p, design), names, multiples=rules.multiples, source=study.panel.source
    )
    about = "difference" if p.is_difference else "slope"
    fit = fitted(model)
    try:
        beside = confounded(fit, slope_weights(p, fit.design), p.threshold, p.sign, found.df)
    except SpecError as error:
        return ClaimConfounding(claim, about, found, np.nan, pd.DataFrame(), why_not=error.problem)
    return ClaimConfounding(
        claim,
        about,
        found,
        beside.probability(0.0, 0.0),
        table(beside, found.benchmarks, rules.multiples),
        tuple((one.name, beside.under_prior(one, rules.mean_multiple)) for one in found.benchmarks),
        _crossings(beside, found, study.claim_rules.support),
    )


def _crossings(beside: Confounded, found: Confounding, threshold: float) -> tuple[Crossing, ...]:
    return tuple(Crossing(one.name, beside.falls_to(one, threshold)) for one in found.benchmarks)


def _first_path(study: Study, claim: Claim, model: MediationModel) -> ClaimConfounding:
    """The path from the exposure to the mediator of a claim, with one slope."""
    labels = claim.parsed.left.labels
    mediators = model.own_mediators(study.roles)
    named = [label for label in labels if label in mediators]
    if claim.parsed.left.name not in ("indirect", "path_a") or not named:
        reason = f"'{claim.parsed.left}' is no single coefficient of a regression: {PRODUCT}"
        return ClaimConfounding(claim, "first path", None, np.nan, pd.DataFrame(), why_not=reason)
    roles = study.roles
    controls = model.own_controls(roles)
    names = tuple(name for name in study.confounding.named(roles) if name in controls)
    design = study.sample.design(Spec(outcome=named[0], exposure=roles.exposure, controls=controls))
    found = confounding_of(design, np.ones(1), names, multiples=study.confounding.multiples, source=study.panel.source)
    left = PRODUCT if claim.parsed.left.name == "indirect" else ""
    return ClaimConfounding(claim, "first path", found, np.nan, pd.DataFrame(), why_not=left)


def confounding_rows(found: Sequence[ClaimConfounding]) -> pd.DataFrame:
    """The rows of confounding.csv: claim, about, benchmark, k, quantity, value, note."""
    rows: list[tuple[object, ...]] = []
    for one in found:
        own = one.found
        head = (one.claim.id, one.about)
        if one.why_not:
            rows.append((*head, "", None, "not answered", None, one.why_not))
        if own is None:
            continue
        for name in (
            *("estimate", "se", "df", "partial_r2", "robustness_value", "robustness_value_alpha"),
            "robustness_value_alpha_clustered",
        ):
            rows.append((*head, "", None, name, getattr(own, name), ""))
        for benchmark in own.benchmarks:
            rows.append((*head, benchmark.name, None, "partial_r2_exposure", benchmark.r2_dx, ""))
            rows.append((*head, benchmark.name, None, "partial_r2_outcome", benchmark.r2_yx, ""))
        for row in own.bounds.itertuples(index=False):
            for name in ("r2_dz", "r2_yz", "estimate", "se", "lo", "hi"):
                rows.append((*head, row.benchmark, row.k, f"adjusted_{name}", getattr(row, name), row.note))
        if not np.isnan(one.probability):
            rows.append((*head, "", None, "probability", one.probability, "without a confounder"))
        if len(one.posterior):
            for name, k, value in one.posterior.itertuples(index=False):
                rows.append((*head, name, k, "probability", value, ""))
        rows += [(*head, name, None, "probability_under_prior", value, "") for name, value in one.under_prior]
        rows += [(*head, cross.benchmark, None, "falls_to_support_at", cross.k, "") for cross in one.crossings]
    return pd.DataFrame(rows, columns=["claim", "about", "benchmark", "k", "quantity", "value", "note"])
