"""Known columns of time, and which panels carry loadings."""

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.bayesian.model.loadings import loads
from bayes_npp.bayesian.model.time_columns import time_columns
from bayes_npp.design.design import build_design


def test_known_columns_of_time_are_of_mean_square_one():
    changes = {"unit_trends": "fixed", "exposure_factor": "partial"}
    frame = bn.simulate(12, 9, {"a": 0.5}, missing=0.1, seed=5).frame
    panel = bn.read_panel(frame, unit="unit", time="time")
    design = build_design(panel, bn.Spec(outcome="outcome", exposure="exposure", **changes))
    trend, factor = time_columns(design)
    assert (trend.variable, trend.scale, factor.variable, factor.scale) == (
        "unit_trend",
        "",
        "exposure_loading",
        "exposure_loading_sd",
    )
    np.testing.assert_allclose(np.diff(trend.values), trend.values[1] - trend.values[0])
    for column in (trend, factor):
        assert column.values.sum() == pytest.approx(0, abs=1e-6)
        assert (column.values**2).mean() == pytest.approx(1)


@pytest.mark.parametrize("said", [True, "fixed"])
def test_true_means_fixed(said):
    spec = bn.Spec(outcome="y", exposure="x", unit_trends=said)
    assert spec.unit_trends is True
    assert loads(spec)
    assert not loads(bn.Spec(outcome="y", exposure="x", unit_trends="none"))
    assert bn.Spec(outcome="y", exposure="x", unit_trends="partial").unit_trends == "partial"
