"""Draws summarised: what is no number leaves no probability (`estimates`)."""

import numpy as np
import pytest

from bayes_npp.design.slope_contrasts import Contrasts
from bayes_npp.estimates import drawn_share, normal_tail, positive, row_of_draws, summarise

DRAWS = np.random.default_rng(1).normal(1.0, 1.0, size=(3, 400))


@pytest.mark.parametrize("cell", [np.nan, np.inf, -np.inf])
def test_draws_that_are_no_numbers_have_no_summary(cell):
    """Before: a NaN was not above zero, so that one mean of NaN stood beside a probability."""
    draws = DRAWS.copy()
    draws[1, 7] = cell
    for found in (summarise(draws[1]), row_of_draws(draws[1], estimand="group_slope")):
        assert all(np.isnan(value) for name, value in found.items() if name != "estimand")
    every = summarise(draws, axis=1)
    for name, wanted in summarise(DRAWS, axis=1).items():
        assert np.isnan(every[name]).tolist() == [False, True, False]
        np.testing.assert_array_equal(every[name][[0, 2]], wanted[[0, 2]])
    assert np.isnan(drawn_share(positive(draws[1])))
    assert np.isnan(drawn_share(np.full(400, 1 / 400) @ positive(draws[1]), effective=400.0))
    asked = Contrasts(np.eye(3), np.zeros(3), np.ones(3))
    assert np.isnan(drawn_share(asked.holds(draws), axis=1)).tolist() == [False, True, False]


def test_shares_of_numbers_are_what_they_were():
    assert positive(np.array([-1.0, 0.0, 1e-300])).tolist() == [0.0, 0.0, 1.0]
    assert drawn_share(positive(DRAWS)) == drawn_share(DRAWS > 0)


def test_a_tail_at_no_number_is_none():
    assert np.isnan(normal_tail(np.array([np.nan, np.inf, -np.inf]))).all()
    assert normal_tail(0.0) == 0.5
    assert 0 < normal_tail(-1e6) < normal_tail(1e6) < 1
