"""Models that cannot be estimated: one named error each, before anything is sampled."""

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.bayesian.fitting import fit as fit_module
from bayes_npp.bayesian.priors.sets import load_priors, prior_set

SPEC = {"outcome": "outcome", "exposure": "exposure", "controls": ("control_1",)}


@pytest.fixture(autouse=True)
def no_sampling(monkeypatch):
    def fail(*args, **options):
        raise AssertionError("it sampled")

    monkeypatch.setattr(fit_module, "draw_thetas", fail)
    monkeypatch.setattr(fit_module, "draw", fail)


@pytest.fixture
def frame():
    return bn.simulate(12, 6, {"a": 0.3, "b": 0.1}, seed=1).frame


def fit(frame, **spec):
    panel = bn.read_panel(frame, unit="unit", time="time")
    return bn.fit(panel, bn.Spec(**{**SPEC, **spec}))


def test_one_group(frame):
    with pytest.raises(bn.BayesNppError, match="slopes = 'group' has only one group"):
        fit(frame.assign(group="a"), slopes="group")


def test_a_unit_in_two_groups(frame):
    frame = frame.assign(group=np.where((frame["unit"] == "unit 03") & (frame["time"] > 3), "b", frame["group"]))
    with pytest.raises(bn.BayesNppError, match="unit 'unit 03' is in two groups of 'group', 'a' and 'b'"):
        fit(frame, slopes="group")


def test_a_group_without_rows():
    frame = bn.simulate(12, 6, {"a": 0.3, "b": 0.1, "c": 0.2}, seed=1).frame
    frame.loc[frame["group"] == "b", "exposure"] = np.nan
    with pytest.raises(bn.BayesNppError, match="group 'b' of 'group' has no complete row"):
        fit(frame, slopes="group")


def test_an_exposure_that_does_not_vary_within_a_group(frame):
    frame.loc[frame["group"] == "b", "exposure"] = 1.0
    with pytest.raises(bn.BayesNppError, match="'exposure:b'"):
        fit(frame, slopes="group")


@pytest.mark.parametrize("slopes", [None, "group", "unit"])
def test_an_exposure_constant_within_units(frame, slopes):
    with pytest.raises(bn.BayesNppError, match=r"exposure.* does not vary once the effects are removed"):
        fit(frame.assign(exposure=frame["unit"].factorize()[0].astype(float)), slopes=slopes)


def test_slopes_by_unit_of_what_no_unit_varies(frame):
    constant = frame.assign(exposure=frame["unit"].factorize()[0].astype(float))
    with pytest.raises(bn.BayesNppError, match="constant within every unit"):
        fit(constant, slopes="unit", correlated_means=False, unit_effects="none")


def test_one_period(frame):
    with pytest.raises(bn.BayesNppError, match="fewer than two units or periods"):
        fit(frame[frame["time"] == 1])


def test_a_cross_section_asked_for_a_panel_model(frame):
    panel = bn.read_panel(frame[frame["time"] == 1], unit="unit", time=None)
    with pytest.raises(bn.BayesNppError, match="needs a time column"):
        bn.fit(panel, bn.Spec(**SPEC))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"errors": "ar2"}, "unknown error model 'ar2'"),
        ({"errors": "iid+ar1"}, "does not combine"),
        ({"errors": "ar1+ar1"}, "does not combine"),
        ({"errors": "known"}, "belong together"),
        ({"se": "se"}, "belong together"),
        ({"exposure": None, "slopes": "group"}, "slopes without an exposure"),
        ({"varying": ("control_1",)}, "varying belongs to slopes"),
        ({"slopes": "group", "varying": ("control_2",)}, "varying names 'control_2'"),
        ({"slopes": "group", "slope_correlation": True}, "slope_correlation belongs to unit slopes"),
        ({"slopes": "unit", "slope_correlation": True, "unit_effects": "fixed"}, "slope_correlation belongs"),
        ({"slope_pooling": "none"}, "slope_pooling = 'none' belongs"),
    ],
)
def test_specifications_that_make_no_sense(spec, words):
    with pytest.raises(bn.BayesNppError, match=words):
        bn.Spec(**{**SPEC, **spec})


def test_standard_errors_must_be_positive(frame):
    frame["se"] = 0.2
    frame.loc[7, "se"] = 0.0
    with pytest.raises(bn.BayesNppError, match=r"row .*standard error 'se' is not positive"):
        fit(frame, errors="known", se="se")


def test_a_prior_set_without_the_prior_a_model_needs(frame):
    base = load_priors("weakly_informative").prior
    short = prior_set("mine", {slot: prior for slot, prior in base.items() if slot != "autocorrelation"})
    panel = bn.read_panel(frame, unit="unit", time="time")
    with pytest.raises(bn.BayesNppError, match="prior set 'mine' has no prior for 'autocorrelation'"):
        bn.fit(panel, bn.Spec(**SPEC, errors="ar1"), priors=short)


def test_least_squares_has_no_slopes_of_units(frame):
    panel = bn.read_panel(frame, unit="unit", time="time")
    with pytest.raises(bn.BayesNppError, match="Slopes by unit belong to hierarchical models"):
        bn.twfe(panel, bn.Spec(**SPEC, slopes="unit"))
