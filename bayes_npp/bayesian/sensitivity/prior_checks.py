"""Priors beside what they meet: overlap with the posterior, and the outcomes they would produce."""

import numpy as np
import pandas as pd

from bayes_npp.bayesian.fitting.fit import Fit
from bayes_npp.bayesian.model.generate import outcomes, prior_parameters
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.model.terms import ModelData
from bayes_npp.bayesian.priors.sets import check_priors
from bayes_npp.bayesian.priors.stated import Stated, stated_priors
from bayes_npp.design.design import build_design
from bayes_npp.design.spec import Spec
from bayes_npp.panels.panel import Panel

POINTS = 512
PREDICTIVE_DRAWS = 1000
TAILS = (0.025, 0.5, 0.975)


def prior_overlap(fit: Fit) -> pd.DataFrame:
    """Area that the prior and the posterior density of every top-level scalar share: near 1 the data say nothing new.

    Returns
    -------
    DataFrame
        parameter, prior, overlap (NaN of a flat prior). The posterior density is a kernel estimate.
    """
    from arviz_stats.base import array_stats

    rows = []
    log_prior = fit.tree["log_prior"].dataset
    names = [str(name) for name in fit.tree["posterior"].data_vars if name in log_prior]
    priors = fit.priors.on_within_scale(fit.design.scales)
    for name in (name for name in names if not name.endswith("_between")):
        prior = priors.of(name)
        values = fit.values(name).reshape(len(fit.values(name)), -1)
        labels = [name] if values.shape[1] == 1 else _labels(fit, name)
        for label, draws in zip(labels, values.T, strict=True):
            grid, density, _ = array_stats.kde(draws, grid_len=POINTS)
            shared = np.minimum(density, np.exp(prior.log_density(grid)))
            overlap = float(np.trapezoid(shared, grid)) if prior.proper else np.nan
            rows.append((label, str(fit.priors.of(name)), min(overlap, 1.0)))
    return pd.DataFrame(rows, columns=["parameter", "prior", "overlap"])


def _labels(fit: Fit, name: str) -> list[str]:
    variable = fit.tree["posterior"].dataset[name]
    dim = variable.dims[2]
    values = variable[dim].to_numpy() if dim in variable.coords else np.arange(variable.sizes[dim])
    return [f"{name}[{value}]" for value in values]


def prior_predictive(fit: Fit, seed: int = 1) -> pd.DataFrame:
    """What outcomes the priors would produce on this panel, in the data's units, beside the observed ones.

    Returns
    -------
    DataFrame
        quantity (SD over all rows; SD of changes within units; smallest and largest outcome), observed, and quantiles
        lo, median, hi of the prior predictive distribution.

    Raises
    ------
    SpecError
        A flat prior of the exposure or the controls.
    """
    return _implied_outcomes(fit.data, prior_parameters(fit.data, fit.priors, PREDICTIVE_DRAWS, seed), seed)


def prior_preview(panel: Panel, spec: Spec, priors: Stated = "weakly_informative", seed: int = 1) -> pd.DataFrame:
    """What a set of priors implies before any fit, in the data's units: slopes of the exposure, and outcomes.

    Parameters
    ----------
    panel : Panel
    spec : Spec
    priors : str, PriorSet or dict
        As in `bn.fit`.
    seed : int

    Returns
    -------
    DataFrame
        quantity, observed (of outcomes), lo, median, hi (2.5, 50 and 97.5 %): the common slope, the distance between
        two groups' slopes, and the rows of `prior_predictive`.

    Raises
    ------
    SpecError
        A flat prior of the exposure or the controls.
    """
    design = build_design(panel, spec)
    own = stated_priors(priors, design)
    check_priors(own, spec)
    data = prepare(design)
    truths = prior_parameters(data, own, PREDICTIVE_DRAWS, seed)
    rows = []
    if spec.exposure:
        unit = design.scales.outcome_sd / design.scales.divisors[spec.exposure]
        slopes = {f"slope of {spec.exposure}": truths["exposure_slope"]}
        if "slope_offset" in truths:
            offsets = truths["slope_offset"]
            slopes["distance between two groups' slopes"] = np.abs(offsets[:, 0] - offsets[:, 1])
        rows = [(name, np.nan, *np.quantile(draws * unit, TAILS)) for name, draws in slopes.items()]
    table = pd.DataFrame(rows, columns=["quantity", "observed", "lo", "median", "hi"])
    outcomes_too = _implied_outcomes(data, truths, seed)
    return pd.concat([table, outcomes_too], ignore_index=True) if rows else outcomes_too


def _implied_outcomes(data: ModelData, truths: dict[str, np.ndarray], seed: int) -> pd.DataFrame:
    """Rows of `prior_predictive`, from parameters drawn from their priors."""
    drawn = outcomes(truths, data, seed + 1, in_data_units=True)
    observed = data.design.outcome[None, :]
    same = np.diff(data.design.unit) == 0
    measures = {
        "SD over all rows": lambda y: y.std(axis=1),
        "SD of changes from row to row within units": lambda y: np.diff(y, axis=1)[:, same].std(axis=1),
        "smallest outcome": lambda y: y.min(axis=1),
        "largest outcome": lambda y: y.max(axis=1),
    }
    if not same.any():
        del measures["SD of changes from row to row within units"]
    rows = [(name, float(m(observed)[0]), *np.quantile(m(drawn), TAILS)) for name, m in measures.items()]
    return pd.DataFrame(rows, columns=["quantity", "observed", "lo", "median", "hi"])
