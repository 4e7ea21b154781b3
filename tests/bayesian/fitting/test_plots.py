"""Plots of a fit: every function of arviz-plots that applies to a regression, and those that choose what they show."""

import subprocess
import sys

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.errors import SpecError

pytestmark = pytest.mark.filterwarnings("ignore")  # of small samples, and of those that matplotlib gives
SLOPES = {"var_names": ["group_slope", "error_sd"]}
# Functions of the gallery, with what they need of a tree of so many variables.
PLOTS = {
    "autocorr": SLOPES,
    "bf": {"var_names": ["group_slope"]},
    "convergence_dist": SLOPES,
    "dgof": SLOPES,
    "dgof_dist": SLOPES,
    "dist": SLOPES,
    "energy": {},
    "ess": SLOPES,
    "ess_evolution": SLOPES,
    "forest": SLOPES,
    "lm": {"x": "exposure", "y": "y"},
    "loo_interval": {},
    "loo_pava": {},
    "loo_pit": {},
    "mcse": SLOPES,
    "pair": SLOPES,
    "pair_focus": {"focus_var": "error_sd", **SLOPES},
    "parallel": SLOPES,
    "ppc_censored": {},
    "ppc_dist": {},
    "ppc_dist_pit": {},
    "ppc_interval": {},
    "ppc_pava": {},
    "ppc_pava_residuals": {"x_var": "exposure"},
    "ppc_pit": {},
    "ppc_tstat": {},
    "prior_posterior": SLOPES,
    "psense_dist": SLOPES,
    "psense_quantities": SLOPES,
    "rank": SLOPES,
    "rank_dist": SLOPES,
    "ridge": SLOPES,
    "trace": SLOPES,
    "trace_dist": SLOPES,
}
NOT_OF_ONE_FIT = {
    "ecdf_pit": "draws of simulation-based calibration, a group prior_sbc",
    "ppc_rootogram": "outcomes that are counts",
}


@pytest.fixture(scope="module")
def fit(unbalanced, grouped_spec):
    return bn.fit(unbalanced, grouped_spec, draws=100, chains=2, seed=4)


@pytest.fixture(scope="module")
def chains(unbalanced, grouped_spec):
    """By chains, whose energy is in the tree."""
    return bn.fit(unbalanced, grouped_spec, engine="collapsed", draws=100, tune=200, chains=2, seed=4)


@pytest.fixture(autouse=True)
def no_window():
    import matplotlib.pyplot as plt

    plt.switch_backend("agg")
    yield
    plt.close("all")


def test_the_gallery_is_known(fit):
    own = {"forest", "pooling", "checks", "factor", "tree"}
    assert {*PLOTS, *NOT_OF_ONE_FIT} | own == set(dir(fit.plot))
    lines = repr(fit.plot).splitlines()
    assert lines[:2] == ["Plots", "  forest, pooling, checks, factor"]
    assert lines[2].startswith("  of arviz-plots: autocorr, bf, ")


@pytest.mark.slow(minutes=2)
@pytest.mark.parametrize("name", PLOTS)
def test_every_plot_of_the_gallery(name, fit, chains):
    source = chains if name == "energy" else fit
    assert getattr(source.plot, name)(backend="matplotlib", **PLOTS[name]) is not None


@pytest.mark.slow(minutes=2)
def test_comparisons_take_two_trees(fit, chains):
    import arviz_plots
    import arviz_stats

    trees = {"weights": fit.plot.tree(), "chains": chains.plot.tree()}
    assert arviz_plots.plot_compare(arviz_stats.compare(trees), backend="matplotlib") is not None
    scored = arviz_stats.loo(trees["weights"], pointwise=True)
    assert arviz_plots.plot_khat(scored, backend="matplotlib") is not None
    shown = arviz_plots.combine_plots(
        trees["weights"], [(arviz_plots.plot_trace, {}), (arviz_plots.plot_rank, {})], var_names=["error_sd"]
    )
    assert shown is not None


def test_the_dimension_of_groups_does_not_clash_with_that_of_prior_and_posterior(fit):
    """`plot_prior_posterior` concatenates along a dimension "group", which our tree has and `plot.tree` renames."""
    import arviz_plots

    with pytest.raises(ValueError, match="conflicting sizes for dimension 'group'"):
        arviz_plots.plot_prior_posterior(fit.whole_tree(), var_names=["group_slope"], backend="none")
    shown = fit.plot.prior_posterior(var_names=["group_slope"], backend="none")
    assert list(shown.viz["plot"]["group_slope"]["slope_group"]) == ["north", "south", "west"]
    assert "group" in fit.tree["posterior"].dims  # the public name stays
    assert "group" in fit.whole_tree()["prior"].dims


def test_forest_shows_the_slopes_there_are(fit, unbalanced, grouped_spec):
    assert set(fit.plot.forest(backend="none").data.data_vars) == {"group_slope"}
    plain = bn.Spec(outcome="outcome", exposure="exposure")
    common = bn.fit(unbalanced, plain, draws=100, chains=2, seed=4)
    assert set(common.plot.forest(backend="none").data.data_vars) == {"slope"}
    with pytest.raises(SpecError, match="pooling is shown of slopes by a grouping column"):
        common.plot.pooling()
    with pytest.raises(SpecError, match="'iid' have no common factor"):
        common.plot.factor()
    with pytest.raises(SpecError, match="no plot 'forrest' of a fit") as error:
        _ = common.plot.forrest
    assert "forest" in str(error.value)
    levels = bn.Spec(outcome="outcome", correlated_means=False)
    with pytest.raises(SpecError, match="no slope to draw"):
        bn.fit(unbalanced, levels, draws=100, chains=2, seed=4).plot.forest()


def test_pooling_is_the_fits_it_says(fit, unbalanced, grouped_spec):
    """The data drawn are those of fits made by hand, and pooling draws the groups together."""
    drawn = fit.plot.pooling(backend="none").data["slope"].sel(column="forest", drop=True)
    means = drawn.mean(["chain", "draw"]).transpose("model", "group").to_pandas()
    own = bn.fit(
        unbalanced, bn.Spec(**{**grouped_spec.model_dump(), "slope_pooling": "none"}), draws=100, chains=2, seed=4
    )
    one = bn.fit(unbalanced, bn.Spec(**{**grouped_spec.model_dump(), "slopes": None}), draws=100, chains=2, seed=4)
    np.testing.assert_allclose(means.loc["no pooling"], own.slopes.mean(axis=0))
    np.testing.assert_allclose(means.loc["partial"], fit.slopes.mean(axis=0))
    np.testing.assert_allclose(means.loc["complete"], one.slopes.mean())
    assert np.ptp(means.loc["partial"]) < np.ptp(means.loc["no pooling"])


def test_checks_are_those_of_the_fit(fit):
    shown = fit.plot.checks(backend="none").data
    for check in fit.checks:
        lo, hi = np.quantile(shown[check.name], [0.025, 0.975])
        assert (lo, hi) == (check.lo, check.hi)


@pytest.mark.slow(minutes=3)
def test_factors_over_time_and_by_unit(unbalanced, grouped_spec):
    spec = bn.Spec(**{**grouped_spec.model_dump(), "errors": "factor"})
    fit = bn.fit(unbalanced, spec, draws=100, chains=2, seed=4)
    assert fit.plot.factor(backend="none").data["factor"].sizes["time"] == 7
    assert fit.plot.factor(var_names=["loading"], backend="none").data["loading"].sizes["unit"] == 24


def test_no_plotting_library_is_imported_before_a_plot():
    heavy = "arviz_plots", "matplotlib"
    code = f"import sys; import bayes_npp as bn; bn.Fit; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
