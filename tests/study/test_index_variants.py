"""Indices drawn around their weights, zeros under logarithms."""

import numpy as np
import pytest

from bayes_npp.analysis.index_posteriors import (
    variants_of,
)
from bayes_npp.errors import VariableError
from bayes_npp.study.checks import check_study
from bayes_npp.study.index_variants import drawn_indices, index_of
from bayes_npp.study.study import load_study
from tests.analysis.test_measurement import STUDY, write


def test_zeros_follow_the_declared_rule(tmp_path):
    text = STUDY.replace('"third"]', '"zero"]').replace("draws = 5\n", "draws = 0\n{}")
    study = load_study(write(tmp_path, text.format("")))
    with pytest.raises(VariableError, match=r"ln of indicator 'zero' = 0 does not exist.*log_shift"):
        check_study(study)
    for more in ("log_shift = 0.5\n", 'logs = ["ln1p"]\n'):
        found = variants_of(load_study(write(tmp_path, text.format(more))))
        assert any("ln(1 + x)" in v.label or "ln(x + 0.5)" in v.label for v in found)


@pytest.mark.parametrize("source", ["bootstrap", "dirichlet"])
def test_drawn_weights(study, source):
    index = index_of(study.variables, "npp")
    columns, weights = drawn_indices(study.panel, study.roles, index, source, 200, 150.0, 5)
    again = drawn_indices(study.panel, study.roles, index, source, 200, 150.0, 5)
    assert np.array_equal(weights, again[1])
    assert np.array_equal(columns, again[0], equal_nan=True)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    table = study.panel.index_weights
    estimated = table.loc[table["index"] == "npp", "weight"].to_numpy(dtype=float)
    np.testing.assert_allclose(weights[0], estimated, rtol=1e-10)
    np.testing.assert_allclose(columns[0], study.panel.numbers("npp"), rtol=1e-8)
    spread = weights[1:].std(axis=0)
    if source == "dirichlet":
        exact = np.sqrt(estimated * (1 - estimated) / 151)
        np.testing.assert_allclose(spread, exact, rtol=0.25)
        np.testing.assert_allclose(weights[1:].mean(axis=0), estimated, atol=4 * exact.max() / np.sqrt(200))
    else:
        assert (spread > 0.002).all()
