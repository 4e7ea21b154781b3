"""Weighted points against chains of the same posterior: every parameter, data sets of five sources, hard posteriors."""

import numpy as np
import pandas as pd
import pytest
from arviz_stats.base import array_stats

import bayes_npp as bn
from bayes_npp.bayesian.fitting.fit import fit_design, make_sampler
from bayes_npp.bayesian.fitting.posterior import reported
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.design.design import build_design
from bayes_npp.panels.simulation import simulate
from tests.bands import normal_band
from tests.conftest import REFERENCE

PRIORS = load_priors("weakly_informative")
LEAST_BAND = 4.0  # Monte Carlo errors, whatever the number of comparisons


def agree(panel, spec, seed, scales=None, draws=2000):
    """Fit by weighted points and by chains; means and SDs of all that is reported within their Monte Carlo errors."""
    design = build_design(panel, spec) if scales is None else build_design(panel, spec, scales)
    weighted = fit_design(design, PRIORS, make_sampler("importance", draws, 4, seed), "importance")
    chains = fit_design(design, PRIORS, make_sampler("collapsed", draws, 4, seed + 1), "collapsed")
    assert weighted.diagnostics.passed, weighted.diagnostics.verdict
    assert chains.diagnostics.passed, chains.diagnostics.verdict
    ours, theirs = (
        reported({str(name): values.to_numpy() for name, values in fit.tree["posterior"].data_vars.items()})
        for fit in (weighted, chains)
    )
    assert set(ours) == set(theirs)
    band = max(LEAST_BAND, normal_band(2 * sum(values[0, 0].size for values in ours.values())))
    far = []
    for name in ours:
        both = [values.reshape(4, draws, -1) for values in (ours[name], theirs[name])]
        for j in range(both[0].shape[2]):
            own, other = both[0][..., j], both[1][..., j]
            sd = other.std()
            if sd == 0 and own.std() == 0:
                continue
            for kind, gap in (("mean", own.mean() - other.mean()), ("sd", own.std() - sd)):
                of_chains = float(array_stats.mcse(other, chain_axis=0, draw_axis=1, method=kind))
                # Of the points, and of independent draws of coefficients; the SD's own, for any kurtosis.
                squared = (own - own.mean()) ** 2
                of_draws = own.std() if kind == "mean" else squared.std() / (2 * own.std())
                of_points = of_draws * np.hypot(weighted.diagnostics.mcse, 1 / np.sqrt(own.size))
                if abs(gap) > band * np.hypot(of_chains, of_points):
                    far.append((name, j, kind, gap / np.hypot(of_chains, of_points)))
    assert not far, far
    return weighted


def sleepstudy():
    frame = pd.read_csv(REFERENCE / "sleepstudy.csv")
    panel = bn.read_panel(frame.assign(day=frame["Days"]), unit="Subject", time="day")
    options = {"slopes": "unit", "slope_correlation": True, "time_effects": "none", "correlated_means": False}
    return panel, bn.Spec(outcome="Reaction", exposure="Days", **options)


def abdata():
    panel = bn.read_panel(pd.read_csv(REFERENCE / "abdata.csv"), unit="id", time="year")
    return panel, bn.Spec(outcome="n", exposure="w", controls=("k",))


ERRORS = {"iid": {}, "ar1": {"errors": "ar1"}, "known": {"errors": "known", "se": "se"}}


def with_errors(panel, spec, errors):
    """The errors of a case; known standard errors are a column of about the size of the residuals."""
    outcome = panel.numbers(spec.outcome)
    size = 0.3 * np.nanstd(outcome)
    marked = panel.with_column("se", np.random.default_rng(7).uniform(size, 2 * size, len(panel.frame)))
    return marked, bn.Spec(**{**spec.model_dump(), **ERRORS[errors]})


def test_the_default_family_agrees(unbalanced, grouped_spec):
    agree(unbalanced, grouped_spec, seed=11)


@pytest.mark.slow
@pytest.mark.parametrize("errors", list(ERRORS))
@pytest.mark.parametrize("data", ["reconstruction", "produc", "abdata", "sleepstudy", "unbalanced"])
def test_points_and_chains_agree(data, errors, study, produc, unbalanced, grouped_spec, seed):
    scales = None
    if data == "reconstruction":
        panel, spec, scales = study.panel, study.spec(study.model("regions")), study.scales
        if errors == "known":
            scales = None  # of a column that is not the study's
    elif data == "produc":
        panel = produc
        spec = bn.Spec(outcome="lgsp", exposure="lpcap", controls=("lpc", "lemp", "unemp"), slopes="region")
    elif data == "unbalanced":
        panel, spec = unbalanced, grouped_spec
    else:
        panel, spec = {"abdata": abdata, "sleepstudy": sleepstudy}[data]()
    marked, own = with_errors(panel, spec, errors)
    if (data, errors) == ("abdata", "ar1"):  # a ridge to an autocorrelation of .98, where unit effects near zero: k .5
        fit = bn.fit(marked, own, draws=2000, seed=seed + 5)
        if fit.engine == "collapsed":
            assert fit.why.startswith("importance weights failed: Pareto k")
            return
    agree(marked, own, seed + 5, scales)


def simulated(**options):
    frame = simulate(**{"n_units": 24, "n_periods": 8, "error_sd": 0.5, "seed": 3, **options}).frame
    return bn.read_panel(frame, unit="unit", time="time", group="group")


HARD = {
    # All slopes alike, so that their SD piles up at zero.
    "funnel": ({"slopes": {"a": 0.3, "b": 0.3, "c": 0.3}}, {"slopes": "group"}),
    "funnel of units": ({"slopes": {"a": 0.3, "b": 0.3}}, {"slopes": "unit", "slope_correlation": True}),
    "no unit effects": ({"unit_sd": 0.0, "confounding": 0.0, "time_sd": 0.0}, {}),
    "root at one": ({"autocorrelation": 0.999, "error_sd": 0.3}, {"errors": "ar1"}),
    "root at one, unit slopes": ({"autocorrelation": 0.99, "unit_slope_sd": 0.3}, {"errors": "ar1", "slopes": "unit"}),
    "few units": ({"n_units": 5, "n_periods": 4}, {"errors": "ar1"}),
    "two periods": ({"n_units": 40, "n_periods": 2}, {}),
}


IN_SLOW = ("funnel of units", "root at one, unit slopes")  # of their parts the fast lane has each


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.slow(minutes=1) if case in IN_SLOW else ()) for case in HARD]
)
def test_hard_posteriors_are_right_or_refused(case, seed):
    """Where the points do not pass, chains are run and the fit says so; where they pass, they agree with chains."""
    options, changes = HARD[case]
    panel, spec = simulated(**options), bn.Spec(outcome="outcome", exposure="exposure", **changes)
    fit = bn.fit(panel, spec, seed=seed + 2)
    if fit.engine == "collapsed":
        assert fit.why
        return
    assert fit.diagnostics.passed
    agree(panel, spec, seed + 3)
