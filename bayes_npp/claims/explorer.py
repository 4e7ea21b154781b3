"""What a page needs to answer claims about slopes under priors that its reader states.

Given the other scales and shapes the likelihood of the average slope b and of the groups' offsets u is normal in (b, u)
(`slope_likelihood`), so that b ~ N(mu, s^2), u ~ N(0, tau^2) and a prior of tau integrate out of every stored draw
exactly (tau on a grid). What is left, the marginal likelihood of the draw's other parameters, weighs the draw against
the prior it was drawn under. So a few hundred draws answer any such prior whose weights are good.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayes_npp.analysis.ladder import behind_verdicts
from bayes_npp.analysis.records import Ladder
from bayes_npp.analysis.settings import RunSettings
from bayes_npp.analysis.stored_fits import fit_model
from bayes_npp.bayesian.collapsed.slope_likelihood import log_tau_weights, slope_likelihood, slope_marginal
from bayes_npp.bayesian.fitting.fit import Fit
from bayes_npp.bayesian.priors.families import PriorSpec
from bayes_npp.bayesian.priors.sets import PriorSet, load_priors
from bayes_npp.bayesian.sensitivity.sensitivity import NAMED_SETS
from bayes_npp.claims.choices import DECLARED
from bayes_npp.claims.ledger import ClaimRecord, Ledger
from bayes_npp.design.slope_contrasts import slope_weights
from bayes_npp.study.models import HierarchicalModel
from bayes_npp.study.study import Study

DRAWS = 500  # plainly thinned: the slopes are integrated out of each, so that only the other scales are sampled
MOST_GROUPS = 8  # of which a page holds the likelihood
FAMILIES = ("half_normal", "half_student_t", "half_cauchy", "exponential")


@dataclass(frozen=True)
class Stored:
    """A fit's slopes, ready for other priors; everything standardised.

    Attributes
    ----------
    errors : str
    precision : ndarray, shape (S, K, K)
        Of (b, u) in the likelihood, at S draws of the other scales and shapes.
    linear : ndarray, shape (S, K)
        Precision times the maximiser.
    own : ndarray, shape (S,)
        Log likelihood under the fit's own priors, slopes integrated out, up to what no prior of slopes changes.
    efficiency : float
        Effective number of draws per draw.
    passed : bool
        The sampler's diagnostics.
    errors_fit : bool
        The posterior predictive checks of the errors.
    """

    errors: str
    precision: np.ndarray
    linear: np.ndarray
    own: np.ndarray
    efficiency: float
    passed: bool
    errors_fit: bool


@dataclass(frozen=True)
class Preset:
    """Priors of the average slope, N(centre, scale^2), and of the SD of the groups' differences; standardised."""

    name: str
    centre: float
    scale: float
    differences: PriorSpec | None


@dataclass(frozen=True)
class Explored:
    """A hierarchical model whose claims a reader can ask again.

    Attributes
    ----------
    model : str
    unit : float
        SD of the outcome over that of the exposure: a standardised slope times it is one in the data's units.
    groups : int
    fits : tuple of Stored
        Declared errors first, those behind the verdicts among them.
    claims : tuple of (ClaimRecord, ndarray)
        With the weights (K,) on (b, u) of what the claim compares with its number, in the data's units.
    presets : tuple of Preset
        The first is the model's own.
    behind : str
        Errors behind the verdicts.
    why_not : str
        Why nothing can be asked; then `fits` is empty.
    """

    model: str
    unit: float
    groups: int
    fits: tuple[Stored, ...]
    claims: tuple[tuple[ClaimRecord, np.ndarray], ...]
    presets: tuple[Preset, ...]
    behind: str
    why_not: str = ""


def explorable(
    study: Study, ledger: Ledger | None, ladders: Sequence[Ladder], settings: RunSettings
) -> tuple[Explored, ...]:
    """Every hierarchical model with claims about slopes, under its declared errors and under every rung that counts."""
    if ledger is None:
        return ()
    before = settings.fitted_before()
    out = []
    for model in study.models:
        records = [record for record in ledger.records if record.claim.model == model.name]
        if not isinstance(model, HierarchicalModel) or not records or records[0].claim.parsed.is_mechanism:
            continue
        ladder = next((one for one in ladders if one.model == model.name), None)
        behind = behind_verdicts(model, ladders)
        fits = {}
        for rung in _rungs(model, behind, ladder):
            fit, _ = fit_model(study.sample, rung, before)
            checked = ladder.errors.records.get(rung.errors) if ladder else None
            fits[rung.errors] = (fit, checked is None or checked.errors_fit)
        out.append(_explored(model.name, records, fits, behind.errors))
    return tuple(out)


def _rungs(model: HierarchicalModel, behind: HierarchicalModel, ladder: Ladder | None) -> list[HierarchicalModel]:
    """The declared errors, those behind the verdicts, and every other rung whose checks pass."""
    if ladder is None:
        return [behind]
    own = ladder.errors
    passing = [errors for errors, record in own.records.items() if record.errors_fit and errors in own.models]
    names = dict.fromkeys([*([model.errors] if model.errors in own.models else []), behind.errors, *passing])
    return [own.models.get(errors, behind) for errors in names]


def _explored(model: str, records: Sequence[ClaimRecord], fits: dict[str, tuple[Fit, bool]], behind: str) -> Explored:
    fit = fits[behind][0]
    groups = len(fit.design.groups)
    unit = fit.design.scales.outcome_sd / fit.design.scales.divisors[fit.design.spec.exposure or ""]
    reasons = [reason for one, _ in fits.values() if (reason := why_not_explored(one))]
    if reasons:
        return Explored(model, unit, groups, (), tuple((own, np.empty(0)) for own in records), (), behind, reasons[0])
    weights = [slope_weights(record.claim.parsed, fit.design) for record in records]
    claims = tuple((own, _coefficients(fit, unit * w)) for own, w in zip(records, weights, strict=True))
    kept = tuple(stored(errors, one, fitting) for errors, (one, fitting) in fits.items())
    return Explored(model, unit, groups, kept, claims, tuple(_presets(fit.priors, groups)), behind)


def why_not_explored(fit: Fit) -> str:
    """Why the slopes of a fit cannot be integrated out again; empty where they can."""
    spec = fit.spec
    if spec.slope_pooling == "none":
        return "its slopes are not pooled, so that there is no prior of their differences"
    if len(fit.design.groups) > MOST_GROUPS:
        return f"it has more than {MOST_GROUPS} groups, and their likelihood is too large for a page"
    if not fit.is_collapsed:
        return "its coefficients do not integrate out of the likelihood"
    if not fit.priors["exposure"].collapses:
        return "its prior of the average slope is not normal, so that the slope is sampled"
    return ""


def _coefficients(fit: Fit, weights: np.ndarray) -> np.ndarray:
    """Weights on (b, u) of weights on the groups' slopes."""
    if not fit.design.groups:
        return weights
    return np.concatenate([[weights.sum()], weights @ fit.data.slope_basis])


def stored(errors: str, fit: Fit, errors_fit: bool) -> Stored:
    """The likelihood of a fit's slopes at plainly thinned draws of its other scales and shapes."""
    thetas = fit.thetas
    some = np.linspace(0, len(thetas) - 1, min(DRAWS, len(thetas))).astype(int)
    effective = fit.diagnostics.effective if len(fit.collapsed.elements) else float(len(thetas))
    likelihood = slope_likelihood(fit.collapsed, np.ascontiguousarray(thetas[some]))
    prior = fit.priors["slope_sd"] if likelihood.linear.shape[1] > 1 else None
    marginal = slope_marginal(likelihood, fit.priors["exposure"]) - likelihood.core[:, None]
    own = np.logaddexp.reduce(marginal + log_tau_weights(prior), axis=1)
    return Stored(
        errors=errors,
        precision=likelihood.precision,
        linear=likelihood.linear,
        own=own,
        efficiency=min(1.0, effective / len(some)),
        passed=fit.diagnostics.passed,
        errors_fit=errors_fit,
    )


def _presets(declared: PriorSet, groups: int) -> list[Preset]:
    """The model's own priors, then those of the named sets that a page can state."""
    sets = [(DECLARED, declared), *((name.replace("_", " "), load_priors(name)) for name in NAMED_SETS)]
    out: list[Preset] = []
    for name, priors in sets:
        slope = priors["exposure"]
        differences = priors["slope_sd"] if groups else None
        if slope.family == "normal" and (differences is None or differences.family in FAMILIES):
            own = slope.parameters
            found = Preset(name, float(own["mu"]), float(own["sigma"]), differences)
            if not any(_same(found, other) for other in out):
                out.append(found)
    return out


def _same(one: Preset, other: Preset) -> bool:
    """Whether two presets are the same priors, whatever the reasons given for them."""
    return (one.centre, one.scale, str(one.differences)) == (other.centre, other.scale, str(other.differences))
