"""Paths a and b of a group that correlate."""

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.errors import SpecError
from tests.bayesian.mediation.panels import GROUPED, SPEC, TWO, simulated


def eight_groups(correlation: float) -> bn.Panel:
    """Eight groups whose paths a and b correlate."""
    random = np.random.default_rng(1)
    covariance = 0.16 * np.array([[1, correlation], [correlation, 1]])
    paths = random.multivariate_normal([0.3, 0.3], covariance, 8)
    a, b = ({f"g{i}": (float(pair[j]),) for i, pair in enumerate(paths)} for j in range(2))
    return simulated(n_units=64, n_periods=8, path_a=a, path_b=b, seed=3)


def test_tied_paths_equal_weighted_draws():
    """The tie in closed form against weights of the untied draws themselves, by an independent route."""
    panel = eight_groups(0.8)
    plain = bn.mediate(panel, GROUPED, ["mediator_1"], draws=2000, path_correlation=False, seed=1)
    tied = plain.with_ties(True)
    basis = plain.equations["outcome"].data.slope_basis
    values = {name: fit.values for name, fit in plain.equations.items()}
    u = values["mediator_1"]("slope_offset") @ basis / values["mediator_1"]("slope_sd")[:, None]
    v = values["outcome"]("control_offset")[:, 0] @ basis / values["outcome"]("control_slope_sd")[:, [0]]
    rho = load_priors("weakly_informative")["slope_correlation"].draw(np.random.default_rng(5), (len(u), 20))
    squares, product = (u**2 + v**2).sum(axis=1)[:, None], (u * v).sum(axis=1)[:, None]
    log_weights = -3.5 * np.log1p(-(rho**2)) - (rho**2 * squares - 2 * rho * product) / (2 * (1 - rho**2))
    weights = np.exp(log_weights - log_weights.max())
    weights /= weights.sum()
    assert tied.k_hat < 0.7
    mean = (weights * rho).sum()
    sd = np.sqrt((weights * rho**2).sum() - mean**2)
    assert tied.correlation.mean() == pytest.approx(mean, abs=4 * sd / np.sqrt(1000))
    assert tied.correlation.std() == pytest.approx(sd, rel=0.1)
    per_draw = weights.sum(axis=1)
    for name in ("path_a", "path_b", "indirect"):
        before, after = getattr(plain, name)[:, 0], getattr(tied, name)[:, 0]
        mean = per_draw @ before
        sd = np.sqrt(per_draw @ before**2 - mean**2)
        np.testing.assert_allclose((after.mean(axis=0) - mean) / sd, 0, atol=4 / np.sqrt(1000))
        np.testing.assert_allclose(after.std(axis=0) / sd, 1, atol=0.1)
    # Without the tie the means are others: the test can fail.
    moved = np.abs((plain.path_b[:, 0].mean(axis=0) - per_draw @ plain.path_b[:, 0]) / plain.path_b[:, 0].std(axis=0))
    assert moved.max() > 4 / np.sqrt(1000)


@pytest.mark.slow(minutes=1)
def test_the_tie_follows_the_truth():
    """Posterior of the correlation: above its prior where paths correlate, below where they correlate negatively."""
    positive, negative = (
        bn.mediate(eight_groups(c), GROUPED, ["mediator_1"], draws=500, path_correlation=True, seed=1)
        for c in (0.9, -0.9)
    )
    assert (positive.correlation > 0).mean() > 0.7
    assert (negative.correlation > 0).mean() < 0.3
    row = positive.estimates().select(term="path_correlation, mediator_1").iloc[0]
    assert row["estimate"] == pytest.approx(positive.correlation.mean())


def test_a_tie_takes_paths_by_group():
    with pytest.raises(SpecError, match="vary by group"):
        bn.mediate(eight_groups(0.5), SPEC, ["mediator_1"], path_correlation=True)
    with pytest.raises(SpecError, match="vary by group"):
        bn.mediate(eight_groups(0.5), GROUPED, ["mediator_1"], path_correlation=True, varying=("a",))


def test_paths_correlate_by_default_from_eight_groups_on():
    eight = bn.mediate(eight_groups(0.8), GROUPED, ["mediator_1"], draws=250, seed=1)
    assert eight.correlation is not None
    assert eight.estimates().frame["convention"].str.contains("paths a and b of a group may correlate").all()
    asked = bn.mediate(eight_groups(0.8), GROUPED, ["mediator_1"], draws=250, path_correlation=True, seed=1)
    np.testing.assert_array_equal(eight.indirect, asked.indirect)
    apart = eight.with_ties(False)
    assert apart.correlation is None
    assert apart.estimates().frame["convention"].str.contains("independent a priori").all()
    two = bn.mediate(simulated(n_units=12, n_periods=6, **TWO), GROUPED, ["mediator_1"], draws=250, seed=1)
    assert two.correlation is None
    assert two.can_tie
    np.testing.assert_array_equal(two.with_ties(True, seed=3).correlation, two.with_ties(True, seed=3).correlation)


def diary():
    """As large as Bolger and Laurenceau's diaries (2013, chapter 9; BLch9 of bmlm): 100 people, 21 days, paths of each.

    Mean paths .19 and .15, SDs .2, correlation .75: a mean product of .0585, of which the means make .0285.
    """
    random = np.random.default_rng(9)
    cross = 0.75 * 0.2 * 0.2
    a, b = random.multivariate_normal([0.19, 0.15], [[0.04, cross], [cross, 0.04]], 100).T
    x = random.standard_normal((100, 21))
    m = random.standard_normal((100, 1)) + a[:, None] * x + random.standard_normal((100, 21))
    y = random.standard_normal((100, 1)) + 0.1 * x + b[:, None] * m + random.standard_normal((100, 21))
    columns = {"outcome": y, "exposure": x, "mediator": m}
    keys = {"person": np.repeat([f"p{i:03d}" for i in range(100)], 21), "day": np.tile(np.arange(21), 100)}
    frame = pd.DataFrame({**keys, **{name: values.ravel() for name, values in columns.items()}})
    return bn.read_panel(frame, unit="person", time="day"), float((a * b).mean())


@pytest.mark.slow(minutes=5)
def test_the_average_indirect_effect_of_a_diary_is_covered_by_default():
    panel, truth = diary()
    spec = bn.Spec(outcome="outcome", exposure="exposure", slopes="unit", time_effects="none")
    found = bn.mediate(panel, spec, ["mediator"], draws=500, seed=1)
    assert found.correlation is not None
    assert len(found.groups) == 100
    own, apart = (
        one.estimates().select(estimand="indirect", term="mediator", group="").iloc[0]
        for one in (found, found.with_ties(False))
    )
    assert own["lo"] < truth < own["hi"]
    assert abs(own["estimate"] - truth) < own["spread"]
    # Independent priors pull the covariance of the paths, half of the truth here, towards zero.
    assert apart["estimate"] < own["estimate"] - 0.25 * own["spread"]
