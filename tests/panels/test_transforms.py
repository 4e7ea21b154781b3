"""Each transform against a value worked out by hand, and the window's role."""

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.errors import VariableError
from bayes_npp.panels.indices import entropy_weights, min_max


@pytest.fixture
def panel():
    frame = pd.DataFrame(
        {
            "unit": ["a"] * 4 + ["b"] * 4,
            "year": [2000, 2001, 2002, 2004] * 2,
            "x": [1.0, 2, 3, 4, 10, 20, 30, 40],
            "y": [2.0, 4, np.nan, 8, np.nan, 5, 5, 5],
            "s2": [40.0] * 8,
            "s3": [30.0, 35, 40, 45, 50, 55, 60, 65],
        }
    )
    return bn.read_panel(frame, unit="unit", time="year", window=(2001, 2004))


def column(panel, **declared):
    return bn.derive(panel, [{"name": "z", **declared}]).frame["z"]


def test_arithmetic(panel):
    assert column(panel, ratio=["y", "x"])[:2].tolist() == [2, 2]
    assert column(panel, ratio=["y", "x"], scale=100.0)[0] == 200
    assert np.isnan(column(panel, sum=["x", "y"])[2])
    assert column(panel, sum=["x", "s2", "s3"])[0] == 71
    assert column(panel, log="x")[0] == 0
    assert column(panel, log1p="x")[0] == pytest.approx(np.log(2))
    assert column(panel, scale="x", by=0.5)[1] == 1


def test_lags_go_by_time_reach_before_the_window_and_stop_at_gaps(panel):
    lag = column(panel, lag="x")
    assert lag[:3].isna().tolist() == [True, False, False]
    assert lag[1] == 1
    assert np.isnan(lag[3])  # 2003 is missing: the row before is two years earlier
    assert column(panel, lag="x", periods=2)[3] == 3
    assert column(panel, lead="x")[0] == 2
    assert np.isnan(column(panel, lead="x")[2])


def test_structure_level_with_remainder(panel):
    level = column(panel, structure_level=["s2", "s3"], remainder=True)
    assert level[0] == pytest.approx((30 + 2 * 40 + 3 * 30) / 100)
    shares = column(panel, structure_level=["s2", "s3"], total=70.0)
    assert shares[0] == pytest.approx((40 + 2 * 30) / 70)


def test_interpolation_by_calendar_time_inside_the_observed_range_only(panel):
    derived = bn.derive(panel, [{"name": "z", "interpolate": "y"}])
    assert derived.frame["z"][2] == pytest.approx(4 + 4 / 3)
    assert np.isnan(derived.frame["z"][4])
    assert [(c.unit, c.time) for c in derived.filled] == [("a", 2002)]


def test_statistics_come_from_the_window(panel):
    standard = column(panel, standardise="x")
    inside = panel.in_window
    assert standard[inside].mean() == pytest.approx(0, abs=1e-12)
    assert standard[inside].std() == pytest.approx(1)
    trimmed = column(panel, winsorise="x", p=0.1)
    low, high = np.quantile(panel.frame["x"][inside], [0.1, 0.9])
    assert (trimmed.min(), trimmed.max()) == (pytest.approx(low), pytest.approx(high))


def test_winsorising_within_periods(panel):
    trimmed = column(panel, winsorise="x", p=0.25, within="period")
    assert trimmed[1] == pytest.approx(np.quantile([2, 20], 0.25))


def test_entropy_index_by_hand():
    values = np.array([[1.0, 10], [2, 30], [4, 20]])
    scaled = min_max(values, np.array([1, -1]), ("a", "b"))
    np.testing.assert_allclose(scaled, [[0, 1], [1 / 3, 0], [1, 0.5]])
    weights, entropy = entropy_weights(scaled, 1e-4)
    shares = (scaled[:, 0] + 1e-4) / (scaled[:, 0] + 1e-4).sum()
    assert entropy[0] == pytest.approx(-(shares * np.log(shares)).sum() / np.log(3))
    assert weights[0] == pytest.approx((1 - entropy[0]) / (2 - entropy.sum()))


def test_pca_index_is_the_first_component_of_the_correlation_matrix(study):
    panel = study.panel
    names = panel.index_weights.query("index == 'npp_pca'")["indicator"]
    inside = panel.frame[panel.in_window]
    correlation = np.corrcoef(inside[list(names)].to_numpy().T)
    values, vectors = np.linalg.eigh(correlation)
    loadings = panel.index_weights.query("index == 'npp_pca'")["weight"].to_numpy()
    np.testing.assert_allclose(np.abs(vectors[:, -1]), np.abs(loadings), rtol=1e-8)
    assert inside["npp_pca"].var() == pytest.approx(values[-1], rel=1e-8)
    assert loadings.sum() > 0


def test_baseline_split(panel):
    split = column(panel, baseline_split="x", at=2001, labels=["small", "large"])
    assert split.tolist() == ["small"] * 4 + ["large"] * 4
    with pytest.raises(bn.BayesNppError, match="missing in 2000 for b"):
        column(panel, baseline_split="y", at=2000)


def test_shift_share():
    """Two shares of period 1 times the mean of each shift over the other units; a blank shift counts in no mean."""
    frame = pd.DataFrame(
        {
            "unit": ["a", "a", "b", "b", "c", "c"],
            "year": [1, 2, 1, 2, 1, 2],
            "s": [0.2, 0.9, 0.5, 0.9, 0.3, 0.9],
            "t": [0.8, 0.1, 0.5, 0.1, 0.7, 0.1],
            "v": [1.0, 2.0, 3.0, 4.0, np.nan, 6.0],
            "w": [1.0, 1.0, 2.0, 2.0, 3.0, 3.0],
        }
    )
    panel = bn.read_panel(frame, unit="unit", time="year")
    declared = {"name": "z", "shift_share": ["s", "t"], "shifts": ["v", "w"], "at": 1}
    z = bn.derive(panel, [declared]).frame["z"].tolist()
    left = [3.0, 5.0, 1.0, 4.0, 2.0, 3.0]  # means of v without the unit
    other = [2.5, 2.5, 2.0, 2.0, 1.5, 1.5]
    shares = [(0.2, 0.8)] * 2 + [(0.5, 0.5)] * 2 + [(0.3, 0.7)] * 2
    assert z == pytest.approx([s * a + t * b for (s, t), a, b in zip(shares, left, other, strict=True)])
    whole = bn.derive(panel, [{**declared, "leave_one_out": False}]).frame["z"].tolist()
    assert whole[0] == pytest.approx(0.2 * 2.0 + 0.8 * 2.0)
    with pytest.raises(VariableError, match="2 shares and 1 shifts"):
        bn.derive(panel, [{**declared, "shifts": ["v"]}])
    holes = bn.read_panel(frame.assign(s=frame["s"].where(frame.index != 2)), unit="unit", time="year")
    with pytest.raises(VariableError, match="share 's' is missing in 1 for b"):
        bn.derive(holes, [declared])
