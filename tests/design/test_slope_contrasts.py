"""Propositions about slopes as weights on the slopes of the groups."""

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.design.design import build_design, twfe_weights
from bayes_npp.design.propositions import parse_proposition
from bayes_npp.design.slope_contrasts import contrasts, slope_weights
from bayes_npp.errors import SpecError
from tests.conftest import SLOPES


@pytest.fixture(scope="module")
def design(unbalanced, grouped_spec):
    return build_design(unbalanced, grouped_spec)


def test_weights_by_hand(design):
    assert design.groups == tuple(SLOPES)
    shares = np.bincount(design.group) / design.n_obs
    expected = {
        "slope[south] > 0": [0, 1, 0],
        "slope[north] > slope[west]": [1, 0, -1],
        "mean_group_slope > 0": [1 / 3] * 3,
        "average_slope > 0": shares,
        "average_slope_twfe_weighted > 0": twfe_weights(design),
        "average_slope > slope[west]": shares - [0, 0, 1],
    }
    for text, weights in expected.items():
        np.testing.assert_allclose(slope_weights(parse_proposition(text), design), weights, rtol=1e-12, err_msg=text)


def test_a_proposition_holds_where_its_contrast_passes_the_cutoff(design):
    both = contrasts([parse_proposition("slope[south] > 0.5"), parse_proposition("slope[north] < slope[west]")], design)
    slopes = np.array([[0.0, 0.6, 1.0], [1.0, 0.4, 0.0], [0.0, 0.5, 0.0]])
    assert both.holds(both.values(slopes)).tolist() == [[True, False, False], [True, False, False]]


def test_what_a_design_does_not_estimate(design, unbalanced, grouped_spec):
    with pytest.raises(SpecError, match="with itself"):
        slope_weights(parse_proposition("slope[north] > slope[north]"), design)
    plain = build_design(unbalanced, bn.Spec(**{**grouped_spec.model_dump(), "slopes": None}))
    with pytest.raises(SpecError, match="slopes by none"):
        slope_weights(parse_proposition("slope[north] > 0"), plain)
    assert slope_weights(parse_proposition("slope > 0"), plain).tolist() == [1.0]
