"""What least squares says of a claim: tails of its own t, leads, weights (`counterparts`)."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayes_npp as bn
from bayes_npp.analysis.stored_fits import fit_record
from bayes_npp.bayesian.comparison.homogeneity import homogeneity
from bayes_npp.claims.counterparts import leads, near, smallest_effects, tail, within, wrong_weights
from bayes_npp.claims.slopes import over_errors
from bayes_npp.design.design import build_design, twfe_weights
from bayes_npp.design.propositions import parse_proposition
from bayes_npp.design.slope_contrasts import slope_weights
from bayes_npp.frequentist.hypotheses.equal_slopes import equal_slopes
from bayes_npp.frequentist.hypotheses.proposition import proposition_test, regression_of
from bayes_npp.study.claims import Claim
from bayes_npp.study.study import load_study

GROUPED = bn.Spec(outcome="outcome", exposure="exposure", controls=("control_1",), slopes="group")
STUDY = """
[study]
title = "Leads"
panel = "panel.csv"
unit = "unit"
time = "time"
group = "group"
[roles]
outcome = "outcome"
exposure = "exposure"
[[model]]
name = "slopes"
kind = "hierarchical"
slopes = "group"
[[model]]
name = "twfe"
kind = "twfe"
[[robustness]]
name = "next_year"
lead = 1
"""


@pytest.fixture(scope="module")
def panel():
    frame = bn.simulate(18, 7, {"a": 0.4, "b": 0.1, "c": 0.0}, seed=4).frame
    return bn.read_panel(frame, unit="unit", time="time", group="group")


@pytest.mark.parametrize("text", ["average_slope > 0", "slope[a] < 0.2", "slope[a] > slope[b]", "slope[b] > slope[a]"])
def test_the_tail_is_that_of_t_at_the_rows_own_degrees_of_freedom(panel, text):
    p = parse_proposition(text)
    test = proposition_test(build_design(panel, regression_of(GROUPED, p)), p)
    assert test.df == 17
    t = p.sign * (test.estimate - p.threshold) / test.se
    assert tail(test, p) == pytest.approx(stats.t.cdf(t, 17), rel=1e-12)
    assert 2 * min(tail(test, p), 1 - tail(test, p)) == pytest.approx(test.p_value, rel=1e-9)
    away = (test.estimate - p.threshold) / test.se
    inside = stats.t.cdf(away + 0.3 / test.se, 17) - stats.t.cdf(away - 0.3 / test.se, 17)
    assert within(test, p, 0.3) == pytest.approx(inside, rel=1e-12)
    assert np.isnan(within(test, p, None))
    joint = equal_slopes(build_design(panel, GROUPED)).p_value
    assert test.joint_p == pytest.approx(joint if p.is_difference else np.nan, nan_ok=True)


def test_a_lead_whose_interval_excludes_zero_is_named(tmp_path):
    random = np.random.default_rng(2)
    unit, time = np.repeat(np.arange(20), 9), np.tile(np.arange(9) + 2000, 20)
    x = random.standard_normal(180)
    frame = pd.DataFrame({"unit": [f"u{i:02d}" for i in unit], "time": time, "exposure": x})
    frame["group"] = np.where(unit < 10, "a", "b")
    ahead = frame.groupby("unit")["exposure"].shift(-1).fillna(0.0)
    (tmp_path / "study.toml").write_text(STUDY)
    for size, wanted in ((0.0, ()), (2.0, ("next_year",))):
        frame["outcome"] = x + size * ahead + random.standard_normal(180)
        frame.to_csv(tmp_path / "panel.csv", index=False)
        study = load_study(tmp_path)
        assert leads(study.sample, study.model("slopes"), study.robustness) == wanted


def test_weights_below_zero_and_averages_of_opposite_sign_are_named():
    whole, other = parse_proposition("average_slope_twfe_weighted > 0"), parse_proposition("average_slope > 0")
    found = {"negative": 0, "opposite": 0}
    for seed in range(40):
        random = np.random.default_rng(seed)
        frame = bn.simulate(12, 4, {"a": 0.4, "b": 0.1}, seed=seed).frame
        member = frame["group"] == "a"
        frame["control_1"] = frame["exposure"] * np.where(member, 2.0, 1.0) + random.normal(0, 0.3, len(frame)) * (
            1 + seed % 8 * 2
        )
        design = build_design(bn.read_panel(frame, unit="unit", time="time", group="group"), GROUPED)
        weights = twfe_weights(design)
        slopes = np.array([1.0, -0.8])
        said = wrong_weights(design, whole, slopes)
        assert wrong_weights(design, other, slopes) == ""
        if weights.min() < 0:
            group = design.groups[int(weights.argmin())]
            assert f"negative weight ({group} {weights.min():.2f})" in said
            found["negative"] += 1
        elif (weights @ slopes) * (design.group_shares @ slopes) < 0:
            assert "differ in sign" in said
            assert "differ in sign" in wrong_weights(design, whole, slopes, 0.001)
            assert wrong_weights(design, whole, slopes, 2.0) == ""  # both nearer to zero than what would matter
            found["opposite"] += 1
        else:
            assert said == ""
    assert min(found.values()) > 0


def test_near_is_the_normal_with_that_mean_and_interval():
    p = parse_proposition("average_slope > 0.1")
    lo, hi = stats.norm.interval(0.95, 0.15, 0.02)
    rows = pd.DataFrame([{"mean": 0.15, "lo": lo, "hi": hi}])
    wanted = stats.norm.cdf(0.16, 0.15, 0.02) - stats.norm.cdf(0.04, 0.15, 0.02)
    assert near(rows, p, 0.06)[0] == pytest.approx(wanted, rel=1e-9)
    assert np.isnan(near(rows, p, None)).all()


def test_smallest_effects_stand_by_proposition():
    own = {"text": "t", "model": "m", "proposition": "average_slope > 0"}
    assert smallest_effects([Claim(id="a", **own)]) == {}
    assert smallest_effects([Claim(id="a", **own, smallest_effect=0.1)]) == {"average_slope > 0": 0.1}


def test_richer_errors_answer_with_their_own_probability_and_bayes_factor(panel):
    fit = bn.fit(panel, GROUPED, errors="ar1", seed=1)
    record = fit_record("slopes--errors-ar1", fit, False)
    for text in ("average_slope > 0", "slope[a] > slope[b]"):
        p = parse_proposition(text)
        (row,) = over_errors({"ar1": (fit, record)}, None, p, 0.1).to_dict("records")
        weights = slope_weights(p, fit.design)
        assert (row["kind"], row["variant"], row["counted"]) == ("errors", "ar1", True)
        assert row["probability"] == fit.probability(weights, 0.0, 1)
        assert row["within"] == pytest.approx((np.abs(fit.slopes @ weights) < 0.1).mean(), abs=0.001)
        expected = float(homogeneity(fit).factor < 1 / 3) if p.is_difference else np.nan
        assert row["differ"] == pytest.approx(expected, nan_ok=True)
