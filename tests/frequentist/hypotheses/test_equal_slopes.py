"""Tests of equal slopes: R's interaction row, separate regressions, a dense computation, size under the null.

Tolerances: goldens as in frequentist/test_static.py; identities of the same algebra 1e-9 relative.
"""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayes_npp as bn
from bayes_npp.design.design import build_design
from bayes_npp.errors import DesignError, SpecError
from bayes_npp.frequentist.hypotheses.equal_slopes import equal_slopes
from tests.conftest import REFERENCE

GOLDEN = pd.read_csv(REFERENCE / "static_panel.csv")


def dense(outcome, regressors, dummies, unit):
    """Coefficients and their clustered covariance (HC0 sandwich), by least squares on every dummy."""
    everything = np.column_stack([outcome, regressors])
    left = everything - dummies @ np.linalg.lstsq(dummies, everything, rcond=1e-10)[0]
    y, x = left[:, 0], left[:, 1:]
    bread = np.linalg.inv(x.T @ x)
    beta = bread @ x.T @ y
    sums = pd.DataFrame(x * (y - x @ beta)[:, None]).groupby(np.asarray(unit)).sum().to_numpy()
    return beta, bread @ sums.T @ sums @ bread


def test_golden_interaction_of_produc(produc):
    """Two groups: the pair is R's interaction coefficient, and F its t squared."""
    rows = GOLDEN[GOLDEN["spec"].str.startswith("TWFE interaction")].set_index("term")
    south = np.where(produc.frame["region"].isin([5, 6, 7]), "south", "rest")
    spec = bn.Spec(outcome="lgsp", exposure="lpcap", controls=("lpc", "lemp", "unemp"), slopes="south")
    test = equal_slopes(build_design(produc.with_column("south", south), spec), convention="sss")
    (pair,) = test.pairs
    sign = 1 if pair.groups.startswith("south") else -1
    assert sign * pair.difference == pytest.approx(rows.loc["lpcap:south", "estimate"], rel=1e-6)
    assert pair.se == pytest.approx(rows.loc["lpcap:south", "se"], rel=1e-5)
    assert test.statistic == pytest.approx(rows.loc["lpcap:south", "stat"] ** 2, rel=1e-5)
    assert test.distribution == "F(1, 47)"
    assert test.p_value == pytest.approx(pair.p_value, rel=1e-9)
    assert pair.p_holm == pair.p_value


def test_fully_interacted_is_separate_regressions(produc, produc_spec):
    """Nine regions of produc: coefficients of R's subsamples; each difference has the sum of two variances."""
    spec = bn.Spec(**{**produc_spec.model_dump(), "slopes": "region"})
    test = equal_slopes(build_design(produc, spec), convention="hc0", separate=True)
    for region in ("1", "5", "8"):
        row = GOLDEN[(GOLDEN["spec"] == f"TWFE subsample region=={region} | cluster sss") & (GOLDEN["term"] == "lpcap")]
        assert test.slopes[region] == pytest.approx(row["estimate"].iloc[0], rel=1e-6)
    alone = bn.twfe(produc, produc_spec, convention="hc0", subsamples="region").frame
    alone = alone[alone["estimand"] == "subsample_slope"].set_index("group")
    assert test.slopes == pytest.approx(alone["estimate"].to_dict(), rel=1e-9)
    assert len(test.pairs) == 36
    for pair in test.pairs:
        one, two = pair.groups.split(" - ")
        assert pair.difference == pytest.approx(alone.loc[one, "estimate"] - alone.loc[two, "estimate"], abs=1e-9)
        assert pair.se == pytest.approx(np.hypot(alone.loc[one, "spread"], alone.loc[two, "spread"]), rel=1e-8)
    assert (test.n_units, test.fewest_units) == (48, 3)
    # Three states make no test: the joint one and every pair with them are refused, and say whose fault it is.
    small = {region for region, states in produc.frame.groupby("region")["state"].nunique().items() if states < 4}
    assert np.isnan(test.statistic)
    assert np.isnan(test.p_value)
    for region in map(str, small):
        assert f"group '{region}' has no test: no p-value, no interval: 3 units in the group" in test.note
    for pair in test.pairs:
        assert np.isnan(pair.p_value) == np.isnan(pair.p_holm) == bool(pair.note)
        assert bool(pair.note) == bool(set(pair.groups.split(" - ")) & set(map(str, small)))
    # Independent estimates: the Wald statistic is the precision-weighted spread of the slopes.
    frame = produc.frame[~produc.frame["region"].isin(small)]
    test = equal_slopes(
        build_design(bn.read_panel(frame, unit="state", time="year"), spec), convention="hc0", separate=True
    )
    alone = alone.loc[list(test.slopes)]
    precision = alone["spread"] ** -2
    mean = (precision * alone["estimate"]).sum() / precision.sum()
    wald = (precision * (alone["estimate"] - mean) ** 2).sum()
    assert len(alone) == 9 - len(small) >= 6
    assert test.statistic == pytest.approx(wald / (len(alone) - 1), rel=1e-7)
    assert test.distribution == f"F({len(alone) - 1}, {frame['state'].nunique() - 1})"
    assert "units in the group as clusters" in test.note  # of the smallest group


@pytest.mark.parametrize("separate", [False, True])
def test_joint_test_equals_dense_dummies(separate, simulated, grouped_spec):
    data = simulated.frame
    groups = list(dict.fromkeys(data["group"]))
    member = np.column_stack([data["group"] == g for g in groups]).astype(float)
    controls = data[["control_1", "control_2"]].to_numpy()
    cells = pd.get_dummies(data["time"])
    if separate:
        controls = np.column_stack([member * controls[:, [k]] for k in range(2)])
        cells = pd.get_dummies(data["group"] + data["time"].astype(str))
    x = np.column_stack([member * data[["exposure"]].to_numpy(), controls])
    dummies = np.column_stack([pd.get_dummies(data["unit"]), cells]).astype(float)
    beta, covariance = dense(data["outcome"].to_numpy(), x, dummies, data["unit"])
    contrast = np.zeros((2, len(beta)))
    contrast[[0, 1], [0, 1]], contrast[[0, 1], [1, 2]] = 1, -1
    gaps = contrast @ beta
    wald = gaps @ np.linalg.solve(contrast @ covariance @ contrast.T, gaps)
    test = equal_slopes(build_design(simulated, grouped_spec), convention="hc0", separate=separate)
    assert list(test.slopes.values()) == pytest.approx(beta[:3].tolist(), rel=1e-8)
    assert test.statistic == pytest.approx(wald / 2, rel=1e-7)
    assert test.p_value == pytest.approx(stats.f.sf(wald / 2, 2, 23), rel=1e-6)


def test_pairs_are_the_rows_of_twfe(simulated, grouped_spec):
    rows = bn.twfe(simulated, grouped_spec).frame
    rows = rows[rows["estimand"] == "slope_difference"].set_index("group")
    for pair in equal_slopes(build_design(simulated, grouped_spec)).pairs:
        row = rows.loc[pair.groups]
        assert (pair.difference, pair.se, pair.p_value) == pytest.approx(
            (row["estimate"], row["spread"], row["p_value"]), rel=1e-9
        )


def test_full_interaction_keeps_what_the_specification_absorbs(simulated, grouped_spec):
    """Unit trends stay with their units: separate regressions with trends, one after the other."""
    spec = bn.Spec(**{**grouped_spec.model_dump(), "unit_trends": True})
    plain = bn.Spec(**{**spec.model_dump(), "slopes": None})
    test = equal_slopes(build_design(simulated, spec), separate=True)
    alone = bn.twfe(simulated, plain, subsamples="group").frame
    alone = alone[alone["estimand"] == "subsample_slope"].set_index("group")["estimate"]
    assert test.slopes == pytest.approx(alone.to_dict(), rel=1e-8)


def test_size_is_exact_under_normal_errors(monkeypatch):
    """Classical errors, equal slopes: p-values are uniform (Kolmogorov-Smirnov), jointly and fully interacted."""
    monkeypatch.setattr("gc.collect", lambda: 0)  # statsmodels' Holm collects garbage at every call: half a second here
    random = np.random.default_rng(5)
    unit, time = np.repeat(np.arange(12), 6), np.tile(np.arange(6), 12)
    frame = pd.DataFrame({"unit": unit, "time": time, "group": np.array(list("abc"))[unit % 3]})
    frame["x"] = random.standard_normal(72) + time * (unit % 4) / 4
    p_values: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(150):
        frame["y"] = 0.4 * frame["x"] + unit + random.standard_normal(72)
        panel = bn.read_panel(frame, unit="unit", time="time", group="group")
        for separate, found in p_values.items():
            spec = bn.Spec(outcome="y", exposure="x", slopes="group")
            found.append(equal_slopes(build_design(panel, spec), "classical", separate=separate).p_value)
    for found in p_values.values():
        assert stats.kstest(found, "uniform").pvalue > 0.01


def test_holm_by_hand(simulated, grouped_spec):
    """Three pairs in the order of their p-values: times 3, 2 and 1, never below the one before."""
    pairs = sorted(equal_slopes(build_design(simulated, grouped_spec)).pairs, key=lambda pair: pair.p_value)
    smallest, middle, largest = (pair.p_value for pair in pairs)
    expected = np.minimum(np.maximum.accumulate([3 * smallest, 2 * middle, largest]), 1)
    np.testing.assert_allclose([pair.p_holm for pair in pairs], expected, rtol=1e-12)


def test_bad_input_is_named(simulated, grouped_spec):
    with pytest.raises(SpecError, match="needs slopes by a grouping column"):
        equal_slopes(build_design(simulated, bn.Spec(**{**grouped_spec.model_dump(), "slopes": None})))
    moved = simulated.frame["group"].where(simulated.frame["time"] < 3, "north")
    with pytest.raises(DesignError, match="is in two groups"):
        equal_slopes(build_design(simulated.with_column("group", moved), grouped_spec))
    each = simulated.with_column("alone", simulated.frame["unit"])
    with pytest.raises(DesignError, match=r"no test of equal slopes: the slope of group .* 1 units in the group"):
        equal_slopes(build_design(each, bn.Spec(outcome="outcome", exposure="exposure", slopes="alone")))
