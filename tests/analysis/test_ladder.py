"""The neighbours of a declared model."""

import pytest


@pytest.mark.parametrize("declared", ["ar1", "unit_scale+ar1", "period_scale+ar1"])
def test_declared_errors_are_one_rung_and_the_ladder_starts_at_the_simplest(declared):
    from bayes_npp.analysis.ladder import error_rungs
    from bayes_npp.bayesian.fitting.error_ladder import WITHOUT_FACTORS as ERRORS
    from bayes_npp.study.models import HierarchicalModel

    model = HierarchicalModel(name="own", kind="hierarchical", slopes="group", errors=declared)
    assert model.has_ladder
    errors = error_rungs(model)
    assert errors[0].label == "iid"
    own = [rung for rung in errors if rung.declared]
    assert [rung.model for rung in own] == [model]
    assert len(errors) == len(ERRORS) + (set(declared.split("+")) not in [set(e.split("+")) for e in ERRORS])


@pytest.mark.parametrize("errors", ["student_t", "known"])
def test_errors_that_are_data_or_do_not_collapse_have_no_ladder(errors):
    from bayes_npp.study.models import HierarchicalModel

    se = "se" if errors == "known" else None
    assert not HierarchicalModel(name="own", kind="hierarchical", slopes="group", errors=errors, se=se).has_ladder
