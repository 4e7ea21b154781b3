"""Paths a and b of a group that correlate."""

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.errors import SpecError
from tests.bayesian.mediation.panels import GROUPED, SPEC, simulated


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
    plain = bn.mediate(panel, GROUPED, ["mediator_1"], draws=2000, seed=1)
    tied = bn.mediate(panel, GROUPED, ["mediator_1"], draws=2000, path_correlation=True, seed=1)
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


def test_the_tie_follows_the_truth():
    """Posterior of the correlation: above its prior where paths correlate, below where they correlate negatively."""
    positive, negative = (
        bn.mediate(eight_groups(c), GROUPED, ["mediator_1"], draws=1000, path_correlation=True, seed=1)
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
