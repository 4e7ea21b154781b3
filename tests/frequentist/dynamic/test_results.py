"""GMM and the within estimator with a lagged outcome have the names of a regression."""

import numpy as np

import bayes_npp as bn


def test_gmm_and_the_biased_within_estimator_have_them_too(abdata):
    within = bn.dynamic_within(abdata, outcome="n", regressors=["L1.n", "w"])
    np.testing.assert_allclose(within.params, within.frame["estimate"].iloc[:2], rtol=1e-12)
    found = bn.difference_gmm(abdata, outcome="n", regressors=["L1.n", "w"], gmm=[("n", 2, 4)], iv=["w"])
    rows = found.frame.iloc[:2]
    np.testing.assert_allclose(found.params, rows["estimate"], rtol=1e-12)
    np.testing.assert_allclose(found.std_errors, rows["spread"], rtol=1e-12)
    np.testing.assert_allclose(found.pvalues, rows["p_value"], rtol=1e-9)
    np.testing.assert_allclose(found.conf_int(), rows[["lo", "hi"]], rtol=1e-9)
    # Residuals of differences: the change of n less coefficients times changes of its lag and of w.
    n, w = (abdata.frame.set_index(["id", "year"])[name].groupby("id") for name in ("n", "w"))
    expected = n.diff() - found.params["L1.n"] * n.diff().groupby("id").shift() - found.params["w"] * w.diff()
    own = found.residuals.reset_index("equation", drop=True)
    expected.index = own.index if len(own) == len(expected) else expected.index.set_names(["unit", "time"])
    np.testing.assert_allclose(own, expected.dropna().loc[own.index], rtol=1e-8, atol=1e-10)
    assert found.wald_test().df == 2
