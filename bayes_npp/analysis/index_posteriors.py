"""A model under every variant of its outcome's measurement, and averaged over indices of drawn weights."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.fitting.refit import SHORT, Refit, refit_each
from bayes_npp.bayesian.fitting.sample import Sampler
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.design.design import Design, build_design, group_pairs, twfe_weights
from bayes_npp.errors import SpecError
from bayes_npp.estimates import summarise
from bayes_npp.study.index_variants import Variant, drawn_indices, index_of, index_variants, variant_design
from bayes_npp.study.measurement import Measurement
from bayes_npp.study.models import HierarchicalModel
from bayes_npp.study.study import Study

INDEX_DRAWS = 1000  # draws of each posterior: as many of each, so that an average weights all alike
SENSITIVITY = ("claim", "kind", "variant", "quantity", "value")


@dataclass(frozen=True)
class VariantPosterior:
    """Posterior of the exposure's slopes under one variant.

    Attributes
    ----------
    variant : Variant
    design : Design
    slopes : ndarray, shape (INDEX_DRAWS, max(G, 1))
        As `Fit.slopes`, in units of the declared outcome over the declared exposure.
    verdict : str
        Of the sampler's diagnostics: "passed", or "failed" with the reason.
    """

    variant: Variant
    design: Design
    slopes: np.ndarray
    verdict: str

    @property
    def quantities(self) -> dict[tuple[str, str], np.ndarray]:
        """Draws by (estimand, group), as `slope_quantities`."""
        return slope_quantities(self.design, self.slopes)


@dataclass(frozen=True)
class AveragedPosterior:
    """Posteriors of indices with drawn weights, to be mixed equally.

    Attributes
    ----------
    source : str
        One of `measurement.SOURCES`.
    design : Design
        Of the declared index.
    slopes : ndarray, shape (M, INDEX_DRAWS, max(G, 1))
        One posterior an index.
    weights : ndarray, shape (1 + M, indicators)
        The estimated weights first.
    failed : int
        Posteriors whose sampler failed its diagnostics.
    """

    source: str
    design: Design
    slopes: np.ndarray
    weights: np.ndarray
    failed: int


def slope_quantities(design: Design, slopes: np.ndarray) -> dict[tuple[str, str], np.ndarray]:
    """Average slopes, slopes of groups and their differences from draws of slopes (S, max(G, 1)).

    Returns
    -------
    dict of ndarray, shape (S,)
        By (estimand, group); the group is empty for an average.
    """
    if not design.groups:
        return {("average_slope_twfe_weighted", ""): slopes[:, 0]}
    out = {
        ("average_slope_twfe_weighted", ""): slopes @ twfe_weights(design),
        ("average_slope", ""): slopes @ design.group_shares,
        ("mean_group_slope", ""): slopes.mean(axis=1),
    }
    groups = design.groups
    out |= {("group_slope", label): slopes[:, g] for g, label in enumerate(groups)}
    pairs = group_pairs(len(groups))
    out |= {("slope_difference", f"{groups[g]} - {groups[h]}"): slopes[:, g] - slopes[:, h] for g, h in pairs}
    return out


def variants_of(study: Study, left_out: bool = True) -> list[Variant]:
    """The variants that the study declares, with or without those that leave an indicator out."""
    measurement = declared_measurement(study)
    index = index_of(study.variables, measurement.index)
    variants = index_variants(study.panel, study.roles, index, measurement)
    return [variant for variant in variants if left_out or not variant.left_out]


def variant_posteriors(
    study: Study, model: HierarchicalModel, variants: Sequence[Variant], sampler: Sampler = SHORT
) -> list[VariantPosterior]:
    """Fit a model to each variant through the collapsed sampler; nothing is compiled between fits.

    Parameters
    ----------
    study : Study
    model : HierarchicalModel
        One of the study's, or a neighbour of one in errors or pooling.
    variants : sequence of Variant
        Such as `variants_of`.
    sampler : Sampler
        Its seed is the first variant's; the others count on.

    Returns
    -------
    list of VariantPosterior
        In the order of the variants.
    """
    spec, priors = study.spec(model), study.priors(model)
    designs = [variant_design(study.panel, spec, variant, study.scales) for variant in variants]
    found = refit_each([(collapse(prepare(design), priors), priors) for design in designs], sampler)
    return [
        VariantPosterior(variant, design, _kept(one), one.diagnostics.verdict)
        for variant, design, one in zip(variants, designs, found, strict=True)
    ]


def averaged_posterior(
    study: Study, model: HierarchicalModel, source: str, draws: int, seed: int, sampler: Sampler = SHORT
) -> AveragedPosterior:
    """Fit a model to indices of drawn weights: an average over measurement choices, not a posterior of one model.

    The weights are drawn without regard to the model (cut, no feedback: an index that fits better does not count more).

    Parameters
    ----------
    source : {"bootstrap", "dirichlet"}
    draws : int
        Indices M, one of at least.
    seed : int
        Of the weights.
    sampler : Sampler
    """
    measurement = declared_measurement(study)
    index = index_of(study.variables, measurement.index)
    columns, weights = drawn_indices(study.panel, study.roles, index, source, draws, measurement.dirichlet, seed)
    spec, priors = study.spec(model), study.priors(model)
    designs = [build_design(study.panel.with_column(spec.outcome, c), spec, study.scales) for c in columns[1:]]
    targets = [(collapse(prepare(design), priors), priors) for design in designs]
    found = refit_each(targets, sampler)
    return AveragedPosterior(
        source=source,
        design=study.sample.design(spec),
        slopes=np.array([_kept(one) for one in found]),
        weights=weights,
        failed=sum(not one.diagnostics.passed for one in found),
    )


def decompose(draws: np.ndarray) -> dict[str, float]:
    """Variance of an equal mixture of M posteriors (M, S) as within plus between indices, exactly.

    Returns
    -------
    dict
        mean, sd, lo, hi (95 %, equal-tailed) and prob_positive of the mixture; within_sd (root of the mean variance),
        between_sd (SD of the means) and index_share, between over total variance.
    """
    within, between, total = draws.var(axis=1).mean(), draws.mean(axis=1).var(), draws.var()
    return {
        **summarise(draws),
        "sd": float(np.sqrt(total)),
        "within_sd": float(np.sqrt(within)),
        "between_sd": float(np.sqrt(between)),
        "index_share": float(between / total),
    }


def over_variants[T](posteriors: Sequence[VariantPosterior], of: Callable[[VariantPosterior], T]) -> dict[str, T]:
    """A function of the posterior (such as a probability from its `slopes`) under every variant, by its label."""
    return {one.variant.label: of(one) for one in posteriors}


def sensitivity_rows(
    values: Mapping[str, Mapping[str, float]], claim: str = "", kind: str = "measurement"
) -> pd.DataFrame:
    """Values by variant and quantity as rows of sensitivity.csv: claim, kind, variant, quantity, value."""
    rows = [
        (claim, kind, variant, quantity, float(value))
        for variant, own in values.items()
        for quantity, value in own.items()
    ]
    return pd.DataFrame(rows, columns=list(SENSITIVITY))


def declared_measurement(study: Study) -> Measurement:
    """The study's [measurement] table, or `SpecError`."""
    if study.measurement is None:
        raise SpecError("the study declares no [measurement]", place=str(study.path), fix="Add the table")
    return study.measurement


def seeded(sampler: Sampler, seed: int) -> Sampler:
    """The same settings with another seed."""
    return replace(sampler, seed=seed)


def _kept(one: Refit) -> np.ndarray:
    """`INDEX_DRAWS` evenly spaced draws of the slopes, shape (INDEX_DRAWS, max(G, 1))."""
    return one.slopes[np.linspace(0, len(one.slopes) - 1, INDEX_DRAWS).astype(int)]
