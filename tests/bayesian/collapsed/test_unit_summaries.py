"""A large panel keeps sums and moments: the same numbers as from all rows and all effects, to rounding."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from bayes_npp.bayesian.collapsed import unit_summaries
from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.fitting.collapsed_draws import ThetaDraws
from bayes_npp.bayesian.fitting.fit import assemble_collapsed, fit_design, make_sampler
from bayes_npp.bayesian.fitting.posterior import in_data_units, pointwise
from bayes_npp.bayesian.fitting.sample import Sampler
from bayes_npp.bayesian.model.likelihood import log_likelihood
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.design.design import build_design
from tests.bayesian.collapsed.test_collapsed_models import a_spec, panel

EFFECTS = {
    "none": {"unit": "none", "slopes": "group"},
    "partial": {"slopes": "group"},
    "fixed": {"unit": "fixed", "slopes": "group"},
    "slopes": {"slopes": "unit", "slope_correlation": True},
    "nested, varying": {"slopes": "group/unit", "varying": ("control_1",)},
}


def with_effects(collapsed, thetas, draws, seed):
    """The draws with every effect of a unit beside them, from the blocks."""
    out, blocks = dict(draws), []
    for _, block in unit_summaries.unit_effects(collapsed, thetas, draws["collapsed_coefficients"], seed):
        blocks.append(block)
    for j, term in enumerate(collapsed.effects):
        values = np.concatenate(blocks, axis=1)[:, :, j]
        out[term.variable] = values if term.at < 0 else values[:, None]
    if collapsed.data.unit.kind == "fixed":
        out["intercept"] = out["unit_effect"].mean(axis=1)
        out["unit_effect"] = out["unit_effect"] - out["intercept"][:, None]
    return out


@pytest.mark.parametrize("errors", ["iid", "ar1", "unit_scale", "ar1+unit_scale", "known"])
@pytest.mark.parametrize("effects", list(EFFECTS))
def test_cross_products_give_the_sum_of_the_rows(errors, effects, monkeypatch):
    """The log likelihood at the same effects of units, and their moments, over several blocks of units."""
    monkeypatch.setattr(unit_summaries, "UNITS", 5)
    data = prepare(build_design(panel(13, 0.3), a_spec(errors, **EFFECTS[effects])))
    collapsed = collapse(data, load_priors("weakly_informative"))
    thetas = 0.3 * np.random.default_rng(1).standard_normal((7, collapsed.size))
    draws = collapsed.coefficients(thetas, 4, with_units=False)
    found = unit_summaries.from_draws(collapsed, thetas, draws, 5)
    whole = with_effects(collapsed, thetas, draws, 5)
    np.testing.assert_allclose(found.log_likelihood, log_likelihood(whole, data).sum(axis=-1), rtol=1e-9)
    if effects == "fixed":
        np.testing.assert_allclose(found.level, whole["intercept"], rtol=1e-12)
    if data.design.spec.unit_slopes:
        whole |= in_data_units(whole, data)
        again = unit_summaries.slopes_of_units(collapsed, thetas, draws, 5)
        np.testing.assert_allclose(again, whole["slope_of_unit"], rtol=1e-12)
    names = {name.removesuffix("_mean") for name in found.moments if name.endswith("_mean")}
    assert names == whole.keys() & {"unit_effect", "unit_slope", "unit_control_slope", "slope_of_unit"}
    for name in names:
        np.testing.assert_allclose(found.moments[f"{name}_mean"], whole[name].mean(axis=0), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found.moments[f"{name}_sd"], whole[name].std(axis=0, ddof=1), rtol=1e-9)


def test_draws_of_coefficients_do_not_depend_on_the_number_of_threads(monkeypatch):
    data = prepare(build_design(panel(13, 0.3), a_spec("ar1", slopes="unit")))
    collapsed = collapse(data, load_priors("weakly_informative"))
    thetas = 0.3 * np.random.default_rng(1).standard_normal((31, collapsed.size))
    one = collapsed.coefficients(thetas, 4, with_units=True)
    monkeypatch.setattr("bayes_npp.bayesian.collapsed.parts.PARALLEL_ABOVE", 0)
    for name, values in collapsed.coefficients(thetas, 4, with_units=True).items():
        np.testing.assert_array_equal(values, one[name], err_msg=name)


def test_the_log_likelihood_in_parts_is_that_of_all_draws(monkeypatch):
    data = prepare(build_design(panel(13, 0.3), a_spec("ar1+unit_scale", slopes="group")))
    collapsed = collapse(data, load_priors("weakly_informative"))
    thetas = 0.3 * np.random.default_rng(1).standard_normal((34, collapsed.size))
    draws = collapsed.coefficients(thetas, 4, with_units=True)
    draws = {name: values.reshape(2, 17, *values.shape[1:]) for name, values in draws.items()}
    whole = pointwise(draws, data)
    monkeypatch.setattr("bayes_npp.bayesian.fitting.posterior.CACHE_CELLS", 0)
    monkeypatch.setattr("bayes_npp.bayesian.fitting.posterior.PART_CELLS", 500)
    np.testing.assert_allclose(pointwise(draws, data), whole, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("errors", ["iid", "ar1"])
def test_predictive_checks_of_a_large_panel_take_the_effects_of_units(errors, monkeypatch):
    """Without them the errors would hold the effects, whose serial correlation no error model passes."""
    design = build_design(panel(13, 0.3), a_spec(errors, slopes="unit"))
    priors, sampler = load_priors("weakly_informative"), make_sampler("collapsed", 500, 4, 3)
    small = fit_design(design, priors, sampler, "collapsed")
    monkeypatch.setattr("bayes_npp.bayesian.fitting.collapsed_draws.POINTWISE_CELLS", 1)
    large = fit_design(design, priors, sampler, "collapsed")
    assert large.parameters(5).keys() >= {"unit_effect", "unit_slope"}
    for one, other in zip(small.predictive_checks(), large.predictive_checks(), strict=True):
        assert abs(one.observed - other.observed) < 0.25 * (one.hi - one.lo)
        assert abs(one.p - other.p) < 0.1


LARGE = [
    ("iid", "partial", "group", 13),
    ("iid", "partial", "group", 200),
    ("iid", "fixed", "group", 200),
    ("ar1", "partial", "group", 13),
    ("iid", "partial", "unit", 13),
]


@pytest.mark.parametrize(("errors", "unit", "slopes", "n_units"), LARGE)
def test_a_large_panel_keeps_sums_and_moments_of_the_same_posterior(errors, unit, slopes, n_units, monkeypatch):
    few_patterns = panel(n_units, 0.3 if n_units < 100 else 0.05)
    data = prepare(build_design(few_patterns, a_spec(errors, unit, slopes=slopes)))
    priors, sampler = load_priors("weakly_informative"), Sampler(draws=1000, tune=400, chains=4, seed=3)
    small = fit_design(data.design, priors, sampler, "collapsed")
    monkeypatch.setattr("bayes_npp.bayesian.fitting.collapsed_draws.POINTWISE_CELLS", 1)
    stats_only = small.tree["sample_stats"].to_dataset().drop_vars(["theta", "collapsed_log_likelihood"])
    thetas = small.tree["sample_stats"]["theta"].to_numpy()
    large = assemble_collapsed(
        collapse(data, priors), priors, replace(sampler, seed=99), ThetaDraws(thetas, stats_only)
    )
    pointwise = small.tree["log_likelihood"]["y"].to_numpy().sum(axis=-1).ravel()
    sums = large.tree["log_likelihood"]["y_total"].to_numpy().ravel()
    # Both are draws of one distribution given the same theta: 4,000 nearly independent draws each.
    size = len(sums)
    assert abs(sums.mean() - pointwise.mean()) < 5 * pointwise.std() * np.sqrt(2 / size)
    assert sums.std() == pytest.approx(pointwise.std(), rel=5 / np.sqrt(size))
    assert stats.ks_2samp(sums, pointwise).pvalue > 1e-4
    assert "unit_effect" not in large.tree["posterior"]
    # Moments are exact averages for one intercept a unit under independent errors, elsewhere from draws of their own.
    sets = 1 if (errors, unit, slopes) == ("iid", "partial", "group") else 2
    moments = large.tree["unit_moments"]
    for name in ("unit_effect", "unit_slope", "slope_of_unit") if slopes == "unit" else ("unit_effect",):
        drawn = small.values(name)
        sd, error = drawn.std(axis=0), np.sqrt(sets / size)
        assert np.abs((moments[f"{name}_mean"].to_numpy() - drawn.mean(axis=0)) / sd).max() < 5 * error
        np.testing.assert_allclose(moments[f"{name}_sd"].to_numpy(), sd, rtol=5 * error / np.sqrt(2))
    frames = [fit.estimates().frame for fit in (small, large)]
    assert frames[0][["term", "group", "estimand"]].equals(frames[1][["term", "group", "estimand"]])
    np.testing.assert_allclose(*(frame["estimate"] for frame in frames), atol=0.05)
