"""Weights of indices by hand."""

import numpy as np
import pytest

from bayes_npp.errors import VariableError
from bayes_npp.panels import indices


def test_weights_by_hand():
    scaled = np.array([[0.0, 1.0, 0.0], [0.5, 0.5, 0.0], [1.0, 0.0, 1.0]])
    # SDs .5, .5, 1/sqrt 3; correlations r12 = -1, r13 = sqrt(3)/2, r23 = -sqrt(3)/2.
    root = np.sqrt(3) / 2
    information = np.array([0.5 * (2 + 1 - root), 0.5 * (2 + 1 + root), (1 - root + 1 + root) / np.sqrt(3)])
    np.testing.assert_allclose(indices.critic_weights(scaled), information / information.sum(), rtol=1e-12)
    np.testing.assert_allclose(indices.equal_weights(scaled), [1 / 3] * 3)
    index, weights, entropy = indices.combine(scaled, "critic", 1e-4)
    np.testing.assert_allclose(index, scaled @ weights)
    assert np.isnan(entropy).all()
    with pytest.raises(VariableError, match="perfectly correlated"):
        indices.critic_weights(np.column_stack([scaled[:, 0], scaled[:, 0]]))
