"""Within estimates beside a lagged outcome (`lagged`, `within`): the numbers, Nickell's bias, long-run effects."""

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.errors import DesignError, SpecError
from tests.frequentist.dynamic.test_gmm_peer import dynamic_frame


def test_within_is_the_dummy_regression():
    """Coefficients of least squares on unit and period dummies; lags by time, so rows after a gap have none."""
    frame = dynamic_frame(1, 30, 6)
    table = bn.dynamic_within(
        bn.read_panel(frame, unit="id", time="year"), outcome="y", regressors=["L1.y", "x", "k"], covariance="classical"
    )
    before = frame.assign(year=frame["year"] + 1)[["id", "year", "y"]]
    rows = frame.merge(before, on=["id", "year"], suffixes=("", "_lag"))
    dummies = pd.get_dummies(rows[["id", "year"]].astype(str), dtype=float).to_numpy()
    x = np.column_stack([rows[["y_lag", "x", "k"]], dummies])
    beta = np.linalg.lstsq(x, rows["y"], rcond=None)[0]
    residual = rows["y"] - x @ beta
    rank = np.linalg.matrix_rank(x)
    covariance = residual @ residual / (len(rows) - rank) * np.linalg.pinv(x.T @ x)
    ours = table.frame[table.frame["estimand"] != "long_run"]
    np.testing.assert_allclose(ours["estimate"], beta[:3], rtol=1e-9)
    np.testing.assert_allclose(ours["spread"], np.sqrt(np.diag(covariance)[:3]), rtol=1e-9)
    long_run = table.select(term="x", estimand="long_run").iloc[0]
    gradient = np.array([beta[1] / (1 - beta[0]) ** 2, 1 / (1 - beta[0]), 0.0])
    assert long_run["estimate"] == pytest.approx(beta[1] / (1 - beta[0]))
    assert long_run["spread"] == pytest.approx(np.sqrt(gradient @ covariance[:3, :3] @ gradient))
    assert "Nickell-biased" in table.frame["estimator"][0]


def test_nickell_bias_is_of_the_size_said():
    """rho = .5, T = 6, no regressors that help: within is low by about (1 + rho) / (T - 1); GMM is not."""
    rng = np.random.default_rng(0)
    y = np.zeros((4000, 60))
    effect = rng.normal(size=4000)
    for t in range(1, 60):
        y[:, t] = 0.5 * y[:, t - 1] + effect + rng.normal(size=4000)
    units, years = np.meshgrid(np.arange(4000), np.arange(7), indexing="ij")
    noise = rng.normal(size=units.size)
    frame = pd.DataFrame({"id": units.ravel(), "year": years.ravel(), "y": y[:, -7:].ravel(), "x": noise})
    panel = bn.read_panel(frame, unit="id", time="year")
    within = bn.dynamic_within(panel, outcome="y", regressors=["L1.y", "x"]).frame.iloc[0]
    assert within["estimate"] - 0.5 == pytest.approx(-1.5 / 5, abs=0.06)
    gmm = bn.difference_gmm(panel, outcome="y", regressors=["L1.y", "x"], gmm=[("y", 2, 3)], iv=["x"]).frame.iloc[0]
    assert abs(gmm["estimate"] - 0.5) < 4 * gmm["spread"]
    assert gmm["spread"] < 0.05


def test_bad_input():
    panel = bn.read_panel(dynamic_frame(1, 30, 6), unit="id", time="year")
    with pytest.raises(SpecError, match="no lag of 'y'"):
        bn.dynamic_within(panel, outcome="y", regressors=["x", "k"])
    with pytest.raises(SpecError, match="unknown column 'q'"):
        bn.dynamic_within(panel, outcome="y", regressors=["L1.y", "q"])
    with pytest.raises(DesignError, match="complete rows"):
        bn.dynamic_within(panel, outcome="y", regressors=["L6.y", "x"])
