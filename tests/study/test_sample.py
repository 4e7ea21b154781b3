"""A sample builds each design once, and never hands out that of another panel."""

from dataclasses import replace

import numpy as np
import pytest

from bayes_npp.design.design import build_design
from bayes_npp.study import sample as module
from bayes_npp.study.checks import check_study
from bayes_npp.study.models import HierarchicalModel, MediationModel
from bayes_npp.study.study import load_study
from tests.conftest import TINY


@pytest.fixture
def tiny():
    return load_study(TINY)


def test_designs_are_built_once_for_checks_and_fits(tiny, monkeypatch):
    built = []

    def build(panel, spec, *rest, **options):
        built.append((id(panel), spec))
        return build_design(panel, spec, *rest, **options)

    monkeypatch.setattr(module, "build_design", build)
    check_study(tiny)
    after = len(built)
    for model in tiny.models:
        if isinstance(model, HierarchicalModel):
            tiny.sample.design(tiny.spec(model))
        if isinstance(model, MediationModel):
            assert model.treated(tiny.sample) is model.treated(tiny.sample)
    assert len(built) == after
    assert len(set(built)) == len(built) - 1  # the baseline, once for its scales and once with them


def test_another_panel_gets_designs_of_its_own(tiny):
    spec = tiny.spec(tiny.model("plain"))
    first = tiny.sample.design(spec)
    assert tiny.sample.design(spec) is first
    doubled = tiny.panel.with_column("made", 2 * tiny.panel.numbers("made"))
    other = replace(tiny.sample, panel=doubled)
    np.testing.assert_allclose(other.design(spec).outcome, 2 * first.outcome)
    assert other.design(spec).scales == first.scales


def test_a_robustness_row_keeps_the_scales_of_the_baseline(tiny):
    for _, _, altered in tiny.altered:
        assert altered.data.scales.outcome_sd == tiny.sample.scales.outcome_sd
        assert altered.data.panel is not tiny.panel
