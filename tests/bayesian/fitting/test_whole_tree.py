"""The tree with every group that ArviZ knows."""

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


def test_groups_on_request(unbalanced, grouped_spec):
    """A flat prior has no draws, and is in the way only of those who ask for them."""
    flat = {"exposure": {"family": "flat"}}
    fit = bn.fit(unbalanced, grouped_spec, priors=flat, draws=100, chains=2, seed=4)
    assert "posterior_predictive" in fit.whole_tree(groups=("posterior_predictive",)).children
    with pytest.raises(bn.BayesNppError, match="flat"):
        fit.whole_tree()
    fit = bn.fit(unbalanced, grouped_spec, draws=100, chains=2, seed=4)
    own = fit.whole_tree(groups=("posterior_predictive",))
    assert not {"prior", "prior_predictive"} & set(own.children)
    again = fit.whole_tree(draws=200, groups=("prior_predictive",))
    assert not {"prior", "posterior_predictive"} & set(again.children)
    with pytest.raises(bn.BayesNppError, match="unknown group 'priors' of the tree"):
        fit.whole_tree(groups=("priors",))
