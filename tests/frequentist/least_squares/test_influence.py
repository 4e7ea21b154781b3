"""Who decides a slope: shares by dense dummies, slopes without units by regressions on the other units.

The default study's shares are those of the sketch of its report, computed there by another program.
"""

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.design.design import build_design
from bayes_npp.frequentist.least_squares.influence import slope_without, unit_influence
from tests.conftest import ROOT

SPEC = bn.Spec(outcome="y", exposure="x", controls=("c",))


@pytest.fixture(scope="module")
def frame():
    """Unbalanced, 9 units and 6 periods, of very different units of measurement."""
    rng = np.random.default_rng(3)
    made = pd.DataFrame([(f"u{i}", t) for i in range(9) for t in range(6)], columns=["unit", "time"])
    made["x"] = rng.normal(size=54) * np.repeat([1, 1, 1, 1, 1, 1, 1, 2, 5], 6) + made["time"]
    made["c"] = 1e6 * (rng.normal(size=54) + 0.5 * made["x"])
    made["y"] = 1e-3 * (0.4 * made["x"] + rng.normal(size=54))
    return made.drop(index=[3, 17, 40, 41])


def of(frame):
    return bn.read_panel(frame, unit="unit", time="time")


def test_shares_are_those_of_the_exposure_less_everything_else(frame):
    found = unit_influence(build_design(of(frame), SPEC)).set_index("unit")["share"]
    others = np.column_stack(
        [pd.get_dummies(frame["unit"]), pd.get_dummies(frame["time"]).iloc[:, 1:], frame["c"] / 1e6]
    ).astype(float)
    left = frame["x"] - others @ np.linalg.lstsq(others, frame["x"].to_numpy(), rcond=None)[0]
    expected = (left**2).groupby(frame["unit"]).sum() / (left**2).sum()
    np.testing.assert_allclose(found.loc[expected.index], expected, rtol=1e-9)
    assert found.sum() == pytest.approx(1.0)
    assert found.is_monotonic_decreasing


def test_slopes_without_units_are_regressions_on_the_others(frame):
    design = build_design(of(frame), SPEC)
    found = unit_influence(design).set_index("unit")
    whole = bn.twfe(of(frame), SPEC).frame["estimate"].iloc[0]
    assert slope_without(design, ()) == pytest.approx(whole, rel=1e-9)
    for unit in found.index:
        again = bn.twfe(of(frame[frame["unit"] != unit]), SPEC).frame["estimate"].iloc[0]
        assert found.loc[unit, "slope_without"] == pytest.approx(again, rel=1e-8)
        assert found.loc[unit, "change"] == pytest.approx(again - whole, rel=1e-6)
    pair = ["u8", "u7"]
    again = bn.twfe(of(frame[~frame["unit"].isin(pair)]), SPEC).frame["estimate"].iloc[0]
    assert slope_without(design, pair) == pytest.approx(again, rel=1e-8)


def test_a_slope_that_one_unit_identifies_is_none_without_it(frame):
    """Only one unit's exposure moves beside the period's: without it nothing is left."""
    own = frame.assign(x=np.where(frame["unit"] == "u8", frame["x"], frame["time"] * 1.0))
    found = unit_influence(build_design(of(own), bn.Spec(outcome="y", exposure="x"))).set_index("unit")
    assert np.isnan(found.loc["u8", "slope_without"])
    assert found.drop(index="u8")["slope_without"].notna().all()


def test_default_study():
    study = bn.load_study(ROOT / "models" / "digital_trade")
    roles = study.roles
    spec = bn.Spec(outcome=roles.outcome, exposure=roles.exposure, controls=roles.controls)
    found = unit_influence(build_design(study.panel, spec)).set_index("unit")["share"]
    expected = {"Qinghai": 0.1740, "Chongqing": 0.1656, "Beijing": 0.1208, "Shanghai": 0.1201, "Yunnan": 0.0954}
    assert found.head(5).to_dict() == pytest.approx(expected, abs=6e-5)
