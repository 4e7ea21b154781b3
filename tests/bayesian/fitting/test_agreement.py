"""Two engines, one posterior: every parameter's mean and SD, collapsed against full, within Monte Carlo error."""

import numpy as np
import pandas as pd
import pytest
from arviz_stats.base import array_stats

import bayes_npp as bn
from bayes_npp.bayesian.fitting.fit import fit_design, make_sampler
from bayes_npp.bayesian.fitting.posterior import reported
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.design.design import build_design
from tests.bands import normal_band
from tests.conftest import REFERENCE

# A full model compiles for 20 to 100 s; the fast lane has its density against the collapsed one, exactly, and one of
# its posteriors against integration on a grid.
pytestmark = pytest.mark.slow


def standard_errors(draws):
    """Monte Carlo standard errors of the mean and of the SD of draws (chain, draw)."""
    one = draws[None, None] if draws.ndim == 0 else draws
    return [float(array_stats.mcse(one, chain_axis=0, draw_axis=1, method=method)) for method in ("mean", "sd")]


def check_agreement(design, seed, draws=2000, full_accept=0.98):
    """Fits of both engines; every mean and SD differs by no more Monte Carlo errors than so many comparisons allow."""
    priors = load_priors("weakly_informative")
    fits = [
        fit_design(design, priors, make_sampler(engine, draws, 4, seed + 17, None, accept), engine)
        for engine, accept in (("collapsed", None), ("nuts", full_accept))
    ]
    for fit in fits:
        assert fit.diagnostics.divergences == 0, fit.engine
    parameters = [{str(k): v.to_numpy() for k, v in fit.tree["posterior"].data_vars.items()} for fit in fits]
    assert set(parameters[0]) == set(parameters[1])
    assert [fit.tree["posterior"][name].dims for fit in fits[:1] for name in sorted(parameters[0])] == [
        fits[1].tree["posterior"][name].dims for name in sorted(parameters[0])
    ]
    far, band = [], normal_band(2 * sum(array[0, 0].size for array in parameters[0].values()))
    for name in parameters[0]:
        both = [array.reshape(4, draws, -1) for array in (parameters[0][name], parameters[1][name])]
        for j in range(both[0].shape[2]):
            ours, theirs = both[0][..., j], both[1][..., j]
            errors = np.hypot(standard_errors(ours), standard_errors(theirs))
            gaps = abs(ours.mean() - theirs.mean()), abs(ours.std(ddof=1) - theirs.std(ddof=1))
            far += [
                (name, j, kind, gap / e)
                for kind, gap, e in zip(("mean", "sd"), gaps, errors, strict=True)
                if gap > band * e
            ]
    assert not far, far
    return fits


def test_reconstruction(study, seed):
    model = study.model("regions")
    fits = check_agreement(build_design(study.panel, study.spec(model), study.scales), seed)
    joint = [fit.tree["log_likelihood"]["y"].to_numpy().sum(axis=-1) for fit in fits]
    errors = np.hypot(standard_errors(joint[0]), standard_errors(joint[1]))
    assert abs(joint[0].mean() - joint[1].mean()) < normal_band(1) * errors[0]
    assert set(reported(dict.fromkeys(fits[0].tree["posterior"].data_vars))) >= {"slope_sd", "group_slope"}


def test_produc_with_regional_slopes(produc, seed):
    spec = bn.Spec(outcome="lgsp", exposure="lpcap", controls=("lpc", "lemp", "unemp"), slopes="region")
    check_agreement(build_design(produc, spec), seed)


def test_abdata_static(seed):
    panel = bn.read_panel(pd.read_csv(REFERENCE / "abdata.csv"), unit="id", time="year")
    check_agreement(build_design(panel, bn.Spec(outcome="n", exposure="w", controls=("k",))), seed)


def test_sleepstudy(seed):
    frame = pd.read_csv(REFERENCE / "sleepstudy.csv")
    panel = bn.read_panel(frame.assign(day=frame["Days"]), unit="Subject", time="day")
    spec = bn.Spec(
        outcome="Reaction",
        exposure="Days",
        slopes="unit",
        slope_correlation=True,
        time_effects="none",
        correlated_means=False,
    )
    check_agreement(build_design(panel, spec), seed)


FAMILY = {
    "iid": {},
    "ar1": {"errors": "ar1"},
    "unit scale": {"errors": "unit_scale"},
    "ar1 and unit scale": {"errors": "ar1+unit_scale"},
    "known": {"errors": "known", "se": "se"},
    "exchangeable": {"slope_pooling": "exchangeable"},
    "no pooling": {"slope_pooling": "none"},
    "group-by-period effects": {"group_time_effects": "group"},
    "nested": {"slopes": "group/unit"},
    "varying control": {"varying": ("control_1",)},
    "fixed units": {"unit_effects": "fixed"},
    "fixed periods": {"time_effects": "fixed"},
    "random effects": {"correlated_means": False},
}


@pytest.mark.parametrize("case", list(FAMILY))
def test_unbalanced_simulation(case, unbalanced, grouped_spec, seed):
    random = np.random.default_rng(7)
    panel = unbalanced.with_column("se", random.uniform(0.3, 0.6, len(unbalanced.frame)))
    spec = bn.Spec(**{**grouped_spec.model_dump(), **FAMILY[case]})
    check_agreement(build_design(panel, spec), seed)
