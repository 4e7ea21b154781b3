"""Driscoll-Kraay errors where periods are missing, and where keys of time do not say how far apart periods are."""

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.design.design import build_design
from bayes_npp.errors import DesignError
from bayes_npp.frequentist.least_squares.static import linear_fit

SPEC = bn.Spec(outcome="y", exposure="x", controls=("z",))
DK = "driscoll_kraay"
pytestmark = pytest.mark.filterwarnings("ignore::bayes_npp.errors.PanelWarning")


def panel_of(times, n_units=8, seed=3, **options):
    random = np.random.default_rng(seed)
    unit, time = np.repeat(np.arange(n_units), len(times)), np.tile(times, n_units)
    shock = dict(zip(times, random.standard_normal(len(times)).cumsum(), strict=True))
    frame = pd.DataFrame({"unit": [f"u{i}" for i in unit], "time": time})
    frame = frame.assign(**{name: random.standard_normal(len(unit)) for name in ("y", "x", "z")})
    moved = frame["time"].map(shock)
    frame["y"], frame["x"] = frame["y"] + moved * (1 + unit), frame["x"] + moved * (1 + unit)
    return bn.read_panel(frame, unit="unit", time="time", **options)


def by_hand(design, effects, last):
    """The long-run covariance over every pair of rows, by the distance of their periods."""
    fit = linear_fit(design, effects, "clustered", "stata")
    scores = fit.solved.influence * fit.residuals[:, None]
    year = np.array(design.times)[design.time]
    out = np.zeros((len(fit.names), len(fit.names)))
    for one, own in zip(scores, year, strict=True):
        for other, there in zip(scores, year, strict=True):
            out += max(0.0, 1 - abs(int(own) - int(there)) / (last + 1)) * np.outer(one, other)
    return out


@pytest.mark.parametrize("effects", ["none", "unit", "time", "two-way"])
@pytest.mark.parametrize("last", [0, 1, 3])
def test_lags_are_distances_of_periods(effects, last):
    """Before: 2004 and 2008 were one lag apart where no unit has 2005 to 2007."""
    panel = panel_of([2001, 2002, 2003, 2004, 2008, 2009, 2011])
    design = build_design(panel, SPEC)
    fit = linear_fit(design, effects, DK, "hc0", last)
    np.testing.assert_allclose(fit.covariance, by_hand(design, effects, last), rtol=1e-10, atol=1e-14)
    assert "no unit has a row in 4 period(s) between the first and the last: lags count them" in fit.note
    whole = linear_fit(build_design(panel_of(range(2001, 2008)), SPEC), effects, DK, "hc0", last)
    np.testing.assert_allclose(whole.covariance, by_hand(whole.design, effects, last), rtol=1e-10, atol=1e-14)
    assert "no unit" not in whole.note


def test_a_window_of_waves_counts_waves():
    """A common distance is one period, declared or not."""
    waves = [2000, 2002, 2004, 2006, 2008, 2010]
    frames = [
        bn.twfe(panel, SPEC, DK, lags=2).frame[["estimate", "spread", "p_value"]]
        for panel in (panel_of(waves), panel_of(waves, step=2), panel_of(list(range(6))))
    ]
    for other in frames[1:]:
        pd.testing.assert_frame_equal(frames[0], other, rtol=1e-10)


def test_keys_that_do_not_say_their_distances_are_refused():
    """Before: 20194 and 20201 were neighbours by position; by distance they would be seven apart."""
    quarters = [20191, 20192, 20193, 20194, 20201, 20202]
    undeclared = panel_of(quarters)
    for run in (
        lambda: bn.twfe(undeclared, SPEC, DK),
        lambda: bn.pooled_ols(undeclared, SPEC, DK),
        lambda: bn.mediation_paths(undeclared, bn.Spec(outcome="y", exposure="x"), ("z",), covariance=DK),
    ):
        with pytest.raises(DesignError, match="Driscoll-Kraay errors need to know which periods follow") as found:
            run()
        assert 'period = "quarter"' in str(found.value)
    assert bn.twfe(undeclared, SPEC).frame["p_value"].notna().all()
    assert bn.twfe(undeclared, SPEC, DK, lags=0).frame["p_value"].notna().all()
    declared = bn.twfe(panel_of(quarters, period="quarter"), SPEC, DK).frame
    plain = bn.twfe(panel_of(list(range(6))), SPEC, DK).frame
    pd.testing.assert_frame_equal(declared[["estimate", "spread"]], plain[["estimate", "spread"]], rtol=1e-10)
