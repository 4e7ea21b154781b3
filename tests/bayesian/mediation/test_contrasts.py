"""Quantities of propositions about paths are those of the draws."""

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.bayesian.mediation.contrasts import path_draws
from bayes_npp.design.propositions import parse_proposition
from bayes_npp.errors import SpecError
from tests.bayesian.mediation.panels import GROUPED, SPEC, TWO, simulated


@pytest.fixture(scope="module")
def fit():
    panel = simulated(n_units=16, n_periods=6, **TWO, seed=3)
    return bn.mediate(panel, GROUPED, ["mediator_1", "mediator_2"], draws=100, chains=2, seed=1)


def test_paths_by_hand(fit):
    west = fit.groups.index("west")
    through = fit.path_a * fit.path_b
    expected = {
        "path_a[mediator_2] > 0": fit.path_a[:, 1] @ fit.shares,
        "indirect[mediator_1, west] > 0": through[:, 0, west],
        "indirect[mediator_1] > indirect[mediator_2]": (through[:, 0] - through[:, 1]) @ fit.shares,
        "total[west] > 0": through.sum(axis=1)[:, west] + fit.direct[:, west],
        "total_indirect > direct": (through.sum(axis=1) - fit.direct) @ fit.shares,
    }
    for text, draws in expected.items():
        np.testing.assert_allclose(path_draws(parse_proposition(text), fit), draws, rtol=1e-12, err_msg=text)


def test_what_is_no_path_or_no_group(fit):
    with pytest.raises(SpecError, match="is no path"):
        path_draws(parse_proposition("average_slope > 0"), fit)
    with pytest.raises(SpecError, match="unknown label 'north'"):
        path_draws(parse_proposition("direct[north] > 0"), fit)
    plain = bn.mediate(simulated(n_units=16, n_periods=6, seed=3), SPEC, ["mediator_1"], draws=100, chains=2, seed=1)
    with pytest.raises(SpecError, match="slopes by none"):
        path_draws(parse_proposition("direct[west] > 0"), plain)
