"""External truth: lme4's REML fits, posteriordb's eight schools, rstanarm's sleepstudy.

Tolerances: REML to 1e-5 relative, as the contract says (they agree to 1e-6; lme4 stops its optimiser a little before
the maximum, ours is polished by Newton's method); posterior means, SDs and quantiles within 4 Monte Carlo standard
errors of both sides together.
"""

import json

import numpy as np
import pandas as pd
import pytest
from arviz_stats.base import array_stats

import bayes_npp as bn
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.priors.families import PriorSpec
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.bayesian.validation.reml import maximise
from bayes_npp.design.design import build_design
from tests.conftest import REFERENCE

MIXED = {"correlated_means": False}


@pytest.fixture(scope="module")
def lme4():
    frame = pd.read_csv(REFERENCE / "lme4.csv")
    return {spec: rows.set_index("term") for spec, rows in frame.groupby("spec")}


@pytest.fixture(scope="module")
def sleep_panel():
    frame = pd.read_csv(REFERENCE / "sleepstudy.csv")
    return bn.read_panel(frame.assign(day=frame["Days"]), unit="Subject", time="day")


def weighted_moments(draws, weights):
    """Mean and SD of weighted draws (chain, draw), and their Monte Carlo standard errors.

    An estimator of weighted draws is the mean of its influence on them, whose error is that of any mean of a chain.
    """
    mean = (weights * draws).sum()
    sd = np.sqrt((weights * (draws - mean) ** 2).sum())
    scaled = weights * weights.size
    influences = scaled * (draws - mean), scaled * ((draws - mean) ** 2 - sd**2) / (2 * sd)
    return mean, sd, np.array([float(array_stats.mcse(x, chain_axis=0, draw_axis=1)) for x in influences])


def reml(panel, spec):
    return maximise(prepare(build_design(panel, spec)))


def test_random_intercepts_are_lme4s(sleep_panel, lme4):
    golden = lme4["sleep_ri|REML"]
    spec = bn.Spec(outcome="Reaction", exposure="Days", time_effects="none", **MIXED)
    ours = reml(sleep_panel, spec)
    sd = ours.data.design.scales.outcome_sd
    assert ours.values["unit_sd"] * sd == pytest.approx(golden.loc["sd:Subject:(Intercept)", "estimate"], rel=1e-5)
    assert ours.values["error_sd"] * sd == pytest.approx(golden.loc["sd:Residual:NA", "estimate"], rel=1e-5)
    slope = sd / ours.data.design.scales.divisors["Days"]
    assert ours.mean["exposure_slope"] * slope == pytest.approx(golden.loc["b:Days", "estimate"], rel=1e-5)
    assert ours.sd["exposure_slope"] * slope == pytest.approx(golden.loc["b:Days", "se"], rel=1e-5)
    # lme4's intercept is at Days = 0; ours at the mean of Days, 4.5.
    at_zero = (
        ours.data.design.scales.outcome_mean + sd * ours.mean["intercept"] - 4.5 * slope * ours.mean["exposure_slope"]
    )
    assert at_zero == pytest.approx(golden.loc["b:(Intercept)", "estimate"], rel=1e-5)
    for i, label in enumerate(ours.data.design.units):
        row = golden.loc[f"u:Subject[{label}]:(Intercept)"]
        assert ours.mean["unit_effect"][i] * sd == pytest.approx(row["estimate"], rel=1e-5)
        assert ours.unit_sd[i, 0] * sd == pytest.approx(row["se"], rel=1e-5)


def test_correlated_slopes_are_lme4s(sleep_panel, lme4):
    golden = lme4["sleep_rs|REML"]
    spec = bn.Spec(
        outcome="Reaction", exposure="Days", slopes="unit", slope_correlation=True, time_effects="none", **MIXED
    )
    ours = reml(sleep_panel, spec)
    sd = ours.data.design.scales.outcome_sd
    slope = sd / ours.data.design.scales.divisors["Days"]
    expected = {
        "unit_sd": ("sd:Subject:(Intercept)", sd),
        "unit_slope_sd": ("sd:Subject:Days", slope),
        "slope_correlation": ("cor:Subject:(Intercept):Days", 1.0),
        "error_sd": ("sd:Residual:NA", sd),
    }
    for name, (term, unit) in expected.items():
        assert ours.values[name] * unit == pytest.approx(golden.loc[term, "estimate"], rel=1e-5)
    assert ours.mean["exposure_slope"] * slope == pytest.approx(golden.loc["b:Days", "estimate"], rel=1e-5)
    assert ours.sd["exposure_slope"] * slope == pytest.approx(golden.loc["b:Days", "se"], rel=1e-5)
    for i, label in enumerate(ours.data.design.units):
        for j, (term, unit) in enumerate((("(Intercept)", sd), ("Days", slope))):
            row = golden.loc[f"u:Subject[{label}]:{term}"]
            mean = (ours.mean["unit_effect"], ours.mean["unit_slope"])[j][i]
            assert mean * unit == pytest.approx(row["estimate"], rel=1e-5)
            assert ours.unit_sd[i, j] * unit == pytest.approx(row["se"], rel=1e-5)


def test_crossed_effects_are_lme4s(produc, lme4):
    golden = lme4["produc_state_year|REML"]
    spec = bn.Spec(outcome="lgsp", exposure="lpcap", controls=("lpc", "lemp", "unemp"), **MIXED)
    ours = reml(produc, spec)
    scales = ours.data.design.scales
    for name, term in {"unit_sd": "state", "time_sd": "year"}.items():
        expected = golden.loc[f"sd:{term}:(Intercept)", "estimate"]
        assert ours.values[name] * scales.outcome_sd == pytest.approx(expected, rel=1e-5)
    expected = golden.loc["sd:Residual:NA", "estimate"]
    assert ours.values["error_sd"] * scales.outcome_sd == pytest.approx(expected, rel=1e-5)
    for k, name in enumerate(("lpcap", "lpc", "lemp", "unemp")):
        unit = scales.outcome_sd / scales.divisors[name]
        mean = ours.mean["exposure_slope"] if k == 0 else ours.mean["control_slope"][k - 1]
        se = ours.sd["exposure_slope"] if k == 0 else ours.sd["control_slope"][k - 1]
        assert mean * unit == pytest.approx(golden.loc[f"b:{name}_c", "estimate"], rel=1e-5)
        assert se * unit == pytest.approx(golden.loc[f"b:{name}_c", "se"], rel=1e-5)
    level = scales.outcome_mean + scales.outcome_sd * ours.mean["intercept"]
    assert level == pytest.approx(golden.loc["b:(Intercept)", "estimate"], rel=1e-5)
    assert ours.sd["intercept"] * scales.outcome_sd == pytest.approx(golden.loc["b:(Intercept)", "se"], rel=1e-5)
    for i, label in enumerate(ours.data.design.units):
        row = golden.loc[f"u:state[{label}]:(Intercept)"]
        # BLUPs are of the size .09; one is 1.3e-5, where lme4's stopping point shows: 1e-5 of their SD.
        assert ours.mean["unit_effect"][i] * scales.outcome_sd == pytest.approx(row["estimate"], rel=1e-5, abs=9e-7)
        assert ours.unit_sd[i, 0] * scales.outcome_sd == pytest.approx(row["se"], rel=1e-5)
    for t, label in enumerate(ours.data.design.times):
        row = golden.loc[f"u:year[{label}]:(Intercept)"]
        assert ours.mean["time_effect"][t] * scales.outcome_sd == pytest.approx(row["estimate"], rel=1e-5)
        assert ours.sd["time_effect"][t] * scales.outcome_sd == pytest.approx(row["se"], rel=1e-5)


def test_reml_criterion_is_the_dense_one(sleep_panel):
    """The maximum, and the criterion there, against REML written out with dense matrices."""
    spec = bn.Spec(outcome="Reaction", exposure="Days", time_effects="none", **MIXED)
    ours = reml(sleep_panel, spec)
    data = ours.data
    x = np.column_stack([np.ones(data.design.n_obs), data.slope_columns])
    same = (data.design.unit[:, None] == data.design.unit).astype(float)
    v = ours.values["unit_sd"] ** 2 * same + ours.values["error_sd"] ** 2 * np.eye(len(same))
    solved = np.linalg.solve(v, x)
    information = x.T @ solved
    beta = np.linalg.solve(information, solved.T @ data.outcome)
    residual = data.outcome - x @ beta
    n, p = x.shape
    expected = -0.5 * ((n - p) * np.log(2 * np.pi) + np.linalg.slogdet(v)[1] + np.linalg.slogdet(information)[1])
    expected -= 0.5 * residual @ np.linalg.solve(v, residual)
    assert ours.log_likelihood == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("slopes", "published"), [(None, 1786.465), ("unit", 1743.628)])
def test_reml_criterion_is_lme4s(slopes, published, sleep_panel):
    """lme4 prints 1786.5 and 1743.6 for these models (Bates et al. 2015 the second), in the data's units.

    Standardising y by s and Days by d multiplies densities by s^(n - 2) / d.
    """
    correlated = {"slopes": slopes, "slope_correlation": slopes is not None}
    spec = bn.Spec(outcome="Reaction", exposure="Days", time_effects="none", **correlated, **MIXED)
    ours = reml(sleep_panel, spec)
    scales, n = ours.data.design.scales, ours.data.design.n_obs
    criterion = 2 * (n - 2) * np.log(scales.outcome_sd) + 2 * np.log(scales.divisors["Days"]) - 2 * ours.log_likelihood
    assert criterion == pytest.approx(published, abs=1e-3)


def test_eight_schools_are_posteriordbs():
    content = json.loads((REFERENCE / "eight_schools.json").read_text())
    frame = pd.DataFrame({"school": [f"school {j}" for j in range(1, 9)], "y": content["y"], "se": content["sigma"]})
    panel = bn.read_panel(frame.astype({"y": float, "se": float}), unit="school", time=None)
    spec = bn.Spec(
        outcome="y", unit_effects="partial", time_effects="none", correlated_means=False, errors="known", se="se"
    )
    design = build_design(panel, spec)
    centre, sd = design.scales.outcome_mean, design.scales.outcome_sd
    priors = load_priors("weakly_informative").replaced(
        intercept=PriorSpec(family="normal", mu=-centre / sd, sigma=5 / sd, reason="mu ~ N(0, 5)"),
        unit_sd=PriorSpec(family="half_cauchy", scale=5 / sd, reason="tau ~ half-Cauchy(5)"),
    )
    fit = bn.fit(panel, spec, priors=priors, draws=4000, seed=3)
    assert (fit.engine, fit.diagnostics.verdict) == ("importance", "passed")
    golden = pd.read_csv(REFERENCE / "eight_schools.csv").set_index("param")
    mu = centre + sd * fit.values("intercept")
    theta = mu[:, None] + sd * fit.values("unit_effect")
    ours = {"mu": mu, "tau": sd * fit.values("unit_sd"), **{f"theta[{j + 1}]": theta[:, j] for j in range(8)}}
    for name, draws in ours.items():
        row = golden.loc[name]
        chains = draws.reshape(4, -1)
        mean, spread, errors = weighted_moments(chains, np.full(chains.shape, 1 / chains.size))
        # Its 10,000 draws are thinned to independence: their errors are ours for as many independent draws.
        theirs = errors * np.sqrt(array_stats.ess(chains, chain_axis=0, draw_axis=1) / row["n_draws"])
        assert abs(mean - row["mean"]) < 4 * np.hypot(errors, theirs)[0], name
        assert abs(spread - row["sd"]) < 4 * np.hypot(errors, theirs)[1], name
        for level, column in ((0.05, "q05"), (0.25, "q25"), (0.5, "q50"), (0.75, "q75"), (0.95, "q95")):
            error = float(array_stats.mcse(chains, chain_axis=0, draw_axis=1, method="quantile", prob=level))
            gap = np.quantile(draws, level) - row[column]
            assert abs(gap) < 4 * np.hypot(error, error * theirs[0] / errors[0]), (name, column)


def test_sleepstudy_is_rstanarms(sleep_panel):
    """Same priors, by importance weights from ours to rstanarm's covariance prior.

    decov(1, 1, 1, 1): SD_j = error_sd tau sqrt(2 pi_j), tau ~ Gamma(1, 1), (pi_1, pi_2) ~ Dirichlet(1, 1), correlation
    uniform. With v_j = (SD_j / error_sd)^2 and T = v_1 + v_2 = 2 tau^2 the density of the SDs given error_sd is
    exp(-tau) / (4 tau T) times the Jacobian 4 SD_1 SD_2 / error_sd^4.
    """
    spec = bn.Spec(
        outcome="Reaction", exposure="Days", slopes="unit", slope_correlation=True, time_effects="none", **MIXED
    )
    design = build_design(sleep_panel, spec)
    sd, centre, days = design.scales.outcome_sd, design.scales.outcome_mean, design.scales.divisors["Days"]
    level_sd = design.scales.total_sd  # of the priors of the level and of effects
    wide = {"family": "half_student_t", "nu": 4.0, "reason": "a wide proposal"}
    priors = load_priors("weakly_informative").replaced(
        intercept=PriorSpec(
            family="normal", mu=(298.508 - centre) / level_sd, sigma=140.822 / level_sd, reason="rstanarm's"
        ),
        exposure=PriorSpec(family="normal", mu=0.0, sigma=48.8915 * days / sd, reason="rstanarm's"),
        error_sd=PriorSpec(family="exponential", scale=1 / (0.0177529 * sd), reason="rstanarm's"),
        unit_sd=PriorSpec(sigma=0.6, **wide),
        unit_slope_sd=PriorSpec(sigma=0.4, **wide),
        slope_correlation=PriorSpec(family="uniform", lower=-1.0, upper=1.0, reason="LKJ(1)"),
    )
    fit = bn.fit(sleep_panel, spec, priors=priors, draws=4000, seed=5)
    assert fit.diagnostics.passed, fit.diagnostics.verdict
    # The SDs of rstanarm are in ms and ms per day; its intercepts are at Days = 0, as the raw unit slopes make ours.
    sds = np.column_stack([fit.values("unit_sd") * sd, fit.values("unit_slope_sd") * sd / days])
    error = fit.values("error_sd") * sd
    total = (sds**2).sum(axis=1) / error**2
    tau = np.sqrt(total / 2)
    log_target = -tau - np.log(4 * tau * total) + np.log(4 * sds.prod(axis=1)) - 4 * np.log(error)
    log_own = priors["unit_sd"].log_density(sds[:, 0] / level_sd)
    log_own += priors["unit_slope_sd"].log_density(sds[:, 1] * days / sd)
    log_weights, k_hat = array_stats.psislw(log_own - log_target)  # it takes log likelihoods: weights are their inverse
    assert float(k_hat) < 0.5
    weights = np.exp(log_weights - np.max(log_weights))
    weights /= weights.sum()
    golden = pd.read_csv(REFERENCE / "bayes_sleepstudy_rstanarm.csv").set_index("variable")
    slope = fit.values("exposure_slope") * sd / days
    level = centre + sd * fit.values("intercept") - 4.5 * slope
    ours = {"(Intercept)": level, "Days": slope, "sigma": error}
    ours["Sigma[Subject:(Intercept),(Intercept)]"] = sds[:, 0] ** 2
    ours["Sigma[Subject:Days,Days]"] = sds[:, 1] ** 2
    ours["Sigma[Subject:Days,(Intercept)]"] = sds.prod(axis=1) * fit.values("slope_correlation")
    effects, slopes = fit.values("unit_effect") * sd, fit.values("unit_slope") * sd / days
    for i, label in enumerate(design.units):
        ours[f"b[(Intercept) Subject:{label}]"] = effects[:, i]
        ours[f"b[Days Subject:{label}]"] = slopes[:, i]
    assert set(golden.index) - set(ours) <= {"mean_PPD", "log-posterior"}
    for name in set(ours) & set(golden.index):
        row = golden.loc[name]
        mean, spread, errors = weighted_moments(ours[name].reshape(4, -1), weights.reshape(4, -1))
        assert abs(mean - row["mean"]) < 4 * np.hypot(errors[0], row["mcse_mean"]), name
        assert abs(spread - row["sd"]) < 4 * np.hypot(errors[1], row["mcse_sd"]), name
