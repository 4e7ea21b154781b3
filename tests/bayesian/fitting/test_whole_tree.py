"""The tree with every group that ArviZ knows, and ArviZ's plots of it."""

import numpy as np
import pytest

import bayes_npp as bn


@pytest.fixture(scope="module")
def tree(unbalanced, grouped_spec):
    fit = bn.fit(unbalanced, grouped_spec, draws=100, chains=2, seed=4)
    return fit.whole_tree(draws=200)


def test_groups_and_coordinates(tree):
    assert {"posterior_predictive", "prior", "prior_predictive"} <= set(tree.children)
    for name in ("posterior", "posterior_predictive", "log_likelihood"):
        own = tree[name].dataset
        assert list(own["chain"].to_numpy()) == [0, 1]
        assert own.sizes["draw"] == 100
    assert set(tree["prior"].dataset.data_vars) <= set(tree["posterior"].dataset.data_vars)
    observed = tree["observed_data"].dataset["y"].to_numpy()
    drawn = tree["posterior_predictive"].dataset["y"].to_numpy()
    assert drawn.shape == (2, 100, len(observed))
    assert np.corrcoef(drawn.mean(axis=(0, 1)), observed)[0, 1] > 0.9
    assert tree["prior_predictive"].dataset["y"].shape == (1, 200, len(observed))


PLOTS = {
    "plot_forest": {"var_names": ["group_slope"]},
    "plot_dist": {"var_names": ["group_slope"]},
    "plot_trace_dist": {"var_names": ["error_sd"]},
    "plot_rank_dist": {"var_names": ["error_sd"]},
    "plot_ess": {"var_names": ["error_sd"]},
    "plot_ppc_dist": {},
    "plot_psense_dist": {"var_names": ["error_sd"]},
}


@pytest.mark.slow(minutes=3)
@pytest.mark.parametrize("name", PLOTS)
@pytest.mark.filterwarnings("ignore")
def test_plots_of_arviz_draw_it(tree, name):
    import arviz_plots

    assert getattr(arviz_plots, name)(tree, backend="none", **PLOTS[name]) is not None
