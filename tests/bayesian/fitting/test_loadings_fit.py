"""Fits of models in which units load on columns of time, end to end."""

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.bayesian.comparison.accuracy import leave_one_row_out, leave_one_unit_out, loo
from bayes_npp.bayesian.comparison.homogeneity import homogeneity
from bayes_npp.bayesian.fitting.fit import restore
from bayes_npp.bayesian.sensitivity.power_scaling import power_scaling
from bayes_npp.errors import SpecError

GROWTH = np.array([0.0, 1, 2, 3, 5, 6, 8, 9, 9])


def shared_world(seed, loading_sd=0.7, n_units=30, missing=0.0):
    """A factor that outcome and exposure share, loadings correlated .8; true slope .15."""
    frame = bn.simulate(n_units, 9, {"a": 0.15, "b": 0.15}, missing=missing, seed=seed).frame
    random = np.random.default_rng(seed)
    loadings = random.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], n_units)
    unit = frame["unit"].factorize()[0]
    f = (GROWTH - GROWTH.mean()) / GROWTH.std()
    shift = loadings[unit, 0] * f[frame["time"].factorize(sort=True)[0]]
    frame["exposure"] += shift
    frame["outcome"] += 0.15 * shift + loading_sd * loadings[unit, 1] * f[frame["time"].factorize(sort=True)[0]]
    return bn.read_panel(frame, unit="unit", time="time", group="group")


def spec_of(errors, **changes):
    return bn.Spec(outcome="outcome", exposure="exposure", errors=errors, **changes)


@pytest.fixture(scope="module")
def fit():
    return bn.fit(shared_world(3), spec_of("factor", slopes="group"), draws=400, chains=2, seed=1)


def test_a_factor_that_the_exposure_shares_is_taken_out(fit):
    biased = bn.twfe(shared_world(3), spec_of("iid")).frame["estimate"].iloc[0]
    row = fit.estimates().frame.iloc[0]
    assert row["estimand"] == "average_slope_twfe_weighted"
    assert biased > 0.3
    assert abs(row["estimate"] - 0.15) < 4 * row["spread"]
    assert row["spread"] < 0.1


def test_tree_has_factor_loadings_and_common_component(fit):
    posterior = fit.tree["posterior"]
    assert posterior["factor"].dims == ("chain", "draw", "factor_number", "time")
    assert posterior["loading"].dims == ("chain", "draw", "factor_number", "unit")
    assert posterior["common_component"].dims == ("chain", "draw", "unit", "time")
    assert posterior["loading_sd"].attrs["prior_role"] == "top"
    assert posterior["loading"].attrs["prior_role"] == "group"
    factor = fit.values("factor")[:, 0]
    np.testing.assert_allclose((factor**2).sum(axis=1), 8)
    np.testing.assert_allclose(factor.sum(axis=1), 0, atol=1e-9)
    f = (GROWTH - GROWTH.mean()) / GROWTH.std() * np.sqrt(8 / 9)
    assert np.corrcoef(factor.mean(axis=0), f)[0, 1] > 0.98  # the sign too: it grows
    assert factor.std(axis=0).max() < 0.3
    terms = fit.estimates().frame["term"].tolist()
    assert "loading_sd" in terms


def test_what_is_asked_of_a_fit_is_answered(fit):
    assert {check.name: check.passed for check in fit.predictive_checks()} == {
        "serial correlation": True,
        "spread by unit": True,
        "cross-sectional dependence": True,
        "spread by period": True,
    }
    assert homogeneity(fit).factor > 0
    for score in (loo(fit), leave_one_row_out(fit), leave_one_unit_out(fit)):
        assert score.defined
        assert np.isfinite(score.pointwise).all()
    again = restore(fit.tree, fit.design, fit.priors, fit.sampler)
    assert again.estimates().frame.equals(fit.estimates().frame)


def test_the_exposure_s_own_factor_is_taken_out_too():
    fit = bn.fit(shared_world(4), spec_of("iid", exposure_factor="partial"), draws=300, chains=2, seed=1)
    row = fit.estimates().frame.iloc[0]
    assert abs(row["estimate"] - 0.15) < 4 * row["spread"]
    assert fit.tree["posterior"]["exposure_loading"].dims == ("chain", "draw", "unit")
    flat = bn.fit(shared_world(4), spec_of("iid", exposure_factor="fixed"), draws=300, chains=2, seed=1)
    assert flat.estimates().frame["estimate"].iloc[0] == pytest.approx(row["estimate"], abs=row["spread"])
    assert len(flat.checks) == 4  # there are no parts of factors: a variable without columns
    assert "loading_between" not in flat.tree["log_prior"]
    with pytest.raises(SpecError, match=r"say nothing about a unit that is not there.*exposure_factor = 'partial'"):
        leave_one_unit_out(flat)
    assert (
        "exposure" in power_scaling(flat, {"x": flat.tree["posterior"]["exposure_slope"].to_numpy()})["prior"].tolist()
    )
    trends = bn.fit(shared_world(4), spec_of("ar1", unit_trends="fixed"), draws=200, chains=2, seed=1)
    assert trends.tree["posterior"]["unit_trend"].dims == ("chain", "draw", "unit")


@pytest.mark.slow(minutes=5)
def test_figures_of_the_default_study(study):
    """docs/statistics.md, section 6: AR(1), unit scales, one factor. Slope -.0003 (SD .0078) under another program."""
    controls = ("ln_gdp_pc", "urbanization", "tax_share")
    spec = bn.Spec(
        outcome="npp", exposure="openness", controls=controls, slopes="region", errors="ar1+unit_scale+factor"
    )
    fit = bn.fit(study.panel, spec, seed=1, tune=1000, target_accept=0.95)
    row = fit.estimates().frame.iloc[0]
    assert row["estimate"] == pytest.approx(-0.0003, abs=0.002)
    assert row["spread"] == pytest.approx(0.0078, abs=0.0008)
    checks = {check.name: check for check in fit.predictive_checks()}
    assert all(check.passed for check in checks.values())
    # 1.53 (1.28 to 1.84) over the scales fitted to the units; over the common scale, new scales in the replications:
    assert checks["spread by unit"].observed == pytest.approx(7.7, abs=0.8)
    assert checks["spread by unit"].hi > 15
    assert checks["cross-sectional dependence"].observed == pytest.approx(0.345, abs=0.01)


def test_folds_of_rows_are_refused(fit):
    with pytest.raises(SpecError, match="columns change with the rows"):
        leave_one_row_out(fit, folds=5)


@pytest.mark.slow
def test_fixed_loadings_alone_in_the_full_model():
    """No loading is pooled, so that the part shared with the columns has no element: it was a traceback."""
    spec = spec_of("iid", exposure_factor="fixed")
    panel = shared_world(3, n_units=12)
    full = bn.fit(panel, spec, draws=500, chains=2, tune=500, seed=1, engine="nuts")
    own = bn.fit(panel, spec, draws=500, chains=2, seed=2)
    assert full.tree.posterior["loading_between"].size == 0
    assert abs(full.slopes.mean() - own.slopes.mean()) < 0.25 * own.slopes.std()
    assert full.slopes.std() == pytest.approx(own.slopes.std(), rel=0.15)
