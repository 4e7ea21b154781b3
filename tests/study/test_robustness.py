"""Robustness rows: each equals the same estimator on data altered by hand; absorbed trends equal dense dummies.

Tolerances: 1e-8 relative for the same algebra by another route; goldens as in frequentist/test_static.py.
"""

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.design.design import build_design
from bayes_npp.errors import BayesNppError, DesignError, SpecError
from bayes_npp.study.altered_panel import without
from bayes_npp.study.checks import check_study
from bayes_npp.study.header import Roles
from bayes_npp.study.model_spec import rows_of
from bayes_npp.study.models import FrequentistModel, HierarchicalModel
from bayes_npp.study.robustness import Robustness, alter
from bayes_npp.study.sample import Sample
from bayes_npp.study.study import load_study
from tests.conftest import REFERENCE, ROOT, SLOPES
from tests.study import pairs

GOLDEN = pd.read_csv(REFERENCE / "static_panel.csv")
TWFE = FrequentistModel(name="m", kind="twfe")


def test_golden_winsorised_row(produc, produc_spec):
    """The row of R: type-7 quantiles of the logged variables, outcome included."""
    roles = Roles(outcome="lgsp", exposure="lpcap", controls=("lpc", "lemp", "unemp"))
    row = Robustness(name="w", winsorise=0.01)
    altered = alter(Sample(produc, roles, build_design(produc, produc_spec).scales), TWFE, row)
    ours = bn.twfe(altered.data.panel, produc_spec, convention="sss").frame.set_index("term")
    golden = GOLDEN[GOLDEN["spec"] == "TWFE winsorised 1/99 each var | cluster sss"]
    assert len(golden) == 4
    for _, expected in golden.iterrows():
        term = expected["term"].removesuffix("_w").removesuffix(".w")
        assert ours.loc[term, "estimate"] == pytest.approx(expected["estimate"], rel=1e-6)
        assert ours.loc[term, "spread"] == pytest.approx(expected["se"], rel=1e-5)


ROLES = Roles(outcome="outcome", exposure="exposure", controls=("control_1", "control_2"))


def altered_row(panel, model=TWFE, **row):
    spec = bn.Spec(outcome="outcome", exposure="exposure", controls=("control_1", "control_2"))
    return alter(Sample(panel, ROLES, build_design(panel, spec).scales), model, Robustness(name="r", **row))


def estimate(altered):
    controls = altered.model.controls
    spec = bn.Spec(outcome=altered.data.roles.outcome, exposure=altered.data.roles.exposure, controls=controls)
    return bn.twfe(altered.data.panel, spec).frame.set_index("term")


def read(frame, window=None):
    return bn.read_panel(frame, unit="unit", time="time", group="group", window=window)


def test_units_dropped_and_window_narrowed(unbalanced):
    frame = unbalanced.frame
    gone = ("unit 03", "unit 11")
    by_hand = read(frame[~frame["unit"].isin(gone) & frame["time"].between(2, 6)])
    altered = altered_row(unbalanced, drop_units=gone, window=(2, 6))
    assert altered.sample == "without unit 03, unit 11; 2 to 6"
    assert altered.data.panel.place(0).startswith(unbalanced.place(0).split(", row")[0])
    spec = bn.Spec(outcome="outcome", exposure="exposure", controls=ROLES.controls)
    pd.testing.assert_frame_equal(estimate(altered), bn.twfe(by_hand, spec).frame.set_index("term"))
    assert len(unbalanced.frame) == len(frame)


def test_lag_and_lead_are_by_time_and_use_periods_beyond_the_window(unbalanced):
    frame = unbalanced.frame
    panel = read(frame, window=(2, 6))
    altered = altered_row(panel, lead=1, lag=1)
    later = frame.assign(time=frame["time"] - 1).rename(columns={"exposure": "later"})[["unit", "time", "later"]]
    earlier = frame.assign(time=frame["time"] + 1).rename(columns={"exposure": "earlier"})[["unit", "time", "earlier"]]
    joined = frame.merge(later, how="left").merge(earlier, how="left")
    joined = joined[joined["time"].between(2, 6)].dropna(subset=["later", "earlier"])
    assert {2, 6} <= set(joined["time"])
    spec = bn.Spec(outcome="outcome", exposure="earlier", controls=(*ROLES.controls, "later"))
    expected = bn.twfe(read(joined), spec).frame
    ours = estimate(altered)
    assert altered.placebo == "F1.exposure"
    assert list(ours.index) == ["L1.exposure", "control_1", "control_2", "F1.exposure"]
    np.testing.assert_allclose(ours["estimate"], expected["estimate"], rtol=1e-9)
    np.testing.assert_allclose(ours["spread"], expected["spread"], rtol=1e-9)
    assert ours["n_obs"].iloc[0] == len(joined)
    shuffled = read(frame.sample(frac=1, random_state=1), window=(2, 6))
    np.testing.assert_allclose(estimate(altered_row(shuffled, lead=1, lag=1))["estimate"], ours["estimate"], rtol=1e-9)


def test_what_a_lead_costs_is_said():
    panel = read(bn.simulate(10, 6, SLOPES, controls=(0.5, -0.4), seed=1).frame)
    assert "10 rows without it left out, all of 6" in altered_row(panel, lead=1).changed
    inside = read(panel.frame, window=(1, 5))
    assert "no row is lost" in altered_row(inside, lead=1).changed


def test_replaced_outcome_is_rescaled_to_the_baseline(unbalanced):
    panel = unbalanced.with_column("other", 100 + 7 * unbalanced.numbers("outcome") ** 3)
    altered = altered_row(panel, outcome="other", rescale=True, drop_units=("unit 01",))
    outcome = unbalanced.numbers("outcome")
    scale = outcome.std(ddof=1) / panel.numbers("other").std(ddof=1)
    spec = bn.Spec(outcome="other", exposure="exposure", controls=ROLES.controls)
    raw = bn.twfe(altered_row(panel, drop_units=("unit 01",)).data.panel, spec).frame.set_index("term")
    ours = estimate(altered)
    np.testing.assert_allclose(ours["estimate"], raw["estimate"] * scale, rtol=1e-9)
    np.testing.assert_allclose(ours["p_value"], raw["p_value"], rtol=1e-7)
    assert (ours["outcome"] == "other").all()
    assert "rescaled" in altered.changed


def test_winsorised_within_each_period_and_after_units_are_dropped(simulated):
    altered = altered_row(simulated, winsorise=0.1, within_period=True, drop_units=("unit 02",))
    frame = simulated.frame[simulated.frame["unit"] != "unit 02"].reset_index(drop=True)
    for name in ("outcome", "exposure", "control_1"):
        own = frame.groupby("time")[name]
        low, high = (own.transform(lambda v, q=q: np.quantile(v, q)) for q in (0.1, 0.9))
        np.testing.assert_allclose(altered.data.panel.numbers(name), frame[name].clip(low, high), rtol=1e-12)
    binary = simulated.with_column("control_2", (simulated.numbers("control_2") > 1.5).astype(float))
    kept = altered_row(binary, winsorise=0.2).data.panel
    np.testing.assert_array_equal(kept.numbers("control_2"), binary.numbers("control_2"))


def test_scales_are_the_baseline_s(simulated):
    model = HierarchicalModel(name="h", kind="hierarchical")
    spec = bn.Spec(outcome="outcome", exposure="exposure", controls=ROLES.controls)
    baseline = build_design(simulated, spec).scales
    altered = altered_row(simulated, model, winsorise=0.05, drop_units=("unit 04",), lead=1)
    assert altered.data.scales.divisors["exposure"] == altered.data.scales.divisors["F1.exposure"]
    assert altered.data.scales.divisors["exposure"] == baseline.divisors["exposure"]
    assert (altered.data.scales.outcome_mean, altered.data.scales.outcome_sd) == (
        baseline.outcome_mean,
        baseline.outcome_sd,
    )
    assert altered.model.ladder is False


HEADER = """
[study]
title = "rows"
panel = "panel.csv"
unit = "unit"
time = "time"
group = "group"
window = [2, 6]
[roles]
outcome = "outcome"
exposure = "exposure"
controls = ["control_1"]
[[model]]
name = "subsamples"
kind = "twfe"
subsamples = "group"
[[model]]
name = "baseline"
kind = "twfe"
[[model]]
name = "pooled"
kind = "pooled_ols"
[[model]]
name = "within"
kind = "dynamic_within"
[[model]]
name = "bayes"
kind = "hierarchical"
ladder = false
draws = 150
chains = 2
"""


def small_study(folder, *rows):
    bn.simulate(18, 7, SLOPES, controls=(0.5, -0.4), seed=6).frame.to_csv(folder / "panel.csv", index=False)
    text = "".join(f"[[robustness]]\n{row}\n" for row in rows)
    (folder / "study.toml").write_text(HEADER + text, encoding="utf-8")
    return folder


BAD = {
    "unknown unit": ('drop_units = ["unit 0l"]', "unknown unit 'unit 0l' in drop_units. The nearest known name is"),
    "unknown column": ('outcome = "outcom"', "unknown column 'outcom' in outcome. The nearest known name is 'outcome'"),
    "unknown model": ('models = ["baselin"]\nlead = 1', "unknown model 'baselin' in models. The nearest"),
    "other kind": ('models = ["within"]\nlead = 1', r"do not apply to 'within' \(kind = 'dynamic_within'\)"),
    "window": ("window = [1, 5]", r"window \[1, 5\] is not inside the study's. It runs from 2 to 6"),
    "nothing": ('note = "so what"', "nothing is altered"),
    "within": ("within_period = true\nlead = 1", "within_period belongs to winsorise"),
    "rescale": ("rescale = true\nlead = 1", "rescale belongs to a replaced outcome"),
    "pooled trends": ('unit_trends = "partial"', "unit_trends = 'partial' does not apply to 'baseline'"),
    "pooled loadings": ('exposure_factor = "partial"', "exposure_factor = 'partial' does not apply to 'baseline'"),
    "trends": (
        'models = ["bayes"]\nunit_trends = "part"',
        "'unit_trends' has the unknown value 'part'",
    ),
    "factors": (
        'models = ["bayes"]\nfactors = 1',
        "factors does not apply to 'bayes'",
    ),
    "averages": ('averages = ["control_3"]', "averages names 'control_3', which has no role here"),
    "factors and averages": ('averages = ["outcome"]\nfactors = 1', "factors and averages exclude each other"),
    "pooled factor": ('models = ["pooled"]\nexposure_factor = true', "exposure_factor needs unit effects"),
    "subsamples": ('models = ["subsamples"]\nfactors = 1', "factors does not apply to 'subsamples'"),
    "pooled": ('models = ["pooled"]\nunit_trends = true', "unit_trends needs unit effects"),
    "outcome": ('models = ["bayes"]\noutcome = "control_2"', "needs rescale = true"),
    "absorbed": ('controls = ["by_unit"]', "unknown column 'by_unit'"),
    "two roles": ('exposure = "control_1"', "'control_1' has two roles"),
    "winsorise": ("winsorise = 0.6", "'winsorise' has the wrong value 0.6"),
    "key": ("winsorize = 0.01", "unknown key 'winsorize'. The nearest known name is 'winsorise'"),
}


@pytest.mark.parametrize(
    ("value", "expected", "words"),
    [("true", "fixed", "with a flat prior"), ('"partial"', "partial", "partially pooled")],
)
@pytest.mark.parametrize("key", ["unit_trends", "exposure_factor"])
def test_hierarchical_models_take_what_units_load_on(tmp_path, key, value, expected, words):
    study = load_study(small_study(tmp_path, f'name = "r"\nmodels = ["bayes"]\n{key} = {value}'))
    check_study(study)
    ((_, _, altered),) = study.altered
    spec = altered.model.spec(altered.data.roles)
    assert getattr(spec, key) == {"unit_trends": {"fixed": True}}.get(key, {}).get(expected, expected)
    assert altered.changed.endswith(words)


def test_more_factors_than_the_panel_carries_are_found_too(tmp_path):
    with pytest.raises(DesignError, match=r"7 factor\(s\) are more than 18 units and 5 periods"):
        check_study(load_study(small_study(tmp_path, 'name = "r"\nfactors = 7')))


def test_factors_and_averages_replace_the_estimator_and_keep_the_sample(tmp_path):
    rows = ['name = "one"\nfactors = 1\ndrop_units = ["unit 01"]', 'name = "cce"\naverages = ["outcome"]']
    altered = [found for _, _, found in load_study(small_study(tmp_path, *rows)).altered]
    assert [found.model.kind for found in altered] == ["interactive_fe", "cce"]
    first = altered[0]
    assert rows_of(first.data.design(first.model.spec(first.data.roles))).startswith("85 rows")  # 17 units, 5 periods
    assert "without unit 01; 1 common factor with a loading of each unit's own" in altered[0].changed
    assert without(altered[1].data.panel, ("unit 01",)).frame["unit"].nunique() == 17


@pytest.mark.parametrize(("row", "message"), BAD.values(), ids=BAD)
def test_bad_rows_are_found_before_anything_is_estimated(row, message, tmp_path):
    folder = small_study(tmp_path, f'name = "r"\n{row}')
    with pytest.raises(SpecError, match=message) as caught:
        check_study(load_study(folder))
    assert "robustness" in str(caught.value)


def test_a_row_without_degrees_of_freedom_is_found_by_check(tmp_path):
    folder = small_study(tmp_path, 'name = "r"\nunit_trends = true\nwindow = [2, 3]')
    with pytest.raises(DesignError, match="robustness 'r' of 'baseline'"):
        check_study(load_study(folder))


def test_two_rows_of_one_name(tmp_path):
    with pytest.raises(SpecError, match="two robustness rows are named 'r'"):
        load_study(small_study(tmp_path, 'name = "r"\nlead = 1', 'name = "r"\nlag = 1'))


def test_the_default_study_declares_the_paper_s_rows():
    study = load_study(ROOT / "models" / "digital_trade")
    lines = "\n".join(check_study(study))
    for part in ("winsorised at 1 and 99 %", "without Beijing, Tianjin, Shanghai, Chongqing", "outcome npp_pca"):
        assert part in lines


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"exposure": "flat"}, "robustness 'again': column 'flat' does not vary in the window"),
        ({"controls": ["control_1", "flat"]}, "robustness 'again': column 'flat' does not vary in the window"),
        ({"outcome": "flat", "rescale": True}, "robustness 'again': column 'flat' does not vary in the window"),
        (None, "variable 'made': indicator 'flat' is constant in the window"),
    ],
    ids=["exposure", "control", "outcome", "indicator"],
)
def test_a_column_that_is_constant_up_to_rounding_is_refused_before_a_run(tmp_path, change, message):
    """The ratio of proportional columns, whose values differ by 1e-16."""
    content = pairs.content("twfe", ())
    threefold = {"name": "threefold", "scale": "second_exposure", "by": 3.0}
    content["variable"] = [threefold, {"name": "flat", "ratio": ["second_exposure", "threefold"]}, *content["variable"]]
    if change is None:
        content["variable"][2] = {**content["variable"][2], "positive": ["first", "second", "flat"]}
    else:
        content["robustness"] = [{"name": "again", "models": ["m"], **change}]
    pairs.write_panels(tmp_path)
    pairs.write_study(tmp_path, content)
    with pytest.raises(BayesNppError, match=message):
        check_study(load_study(tmp_path))
