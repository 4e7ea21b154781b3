"""Errors of a mediation's equations: by name, or picked by the ladder of each equation."""

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.errors import SpecError


@pytest.fixture(scope="module")
def panel():
    """A mediator with AR(1) errors, an outcome with independent ones."""
    frame = bn.simulate(20, 10, error_sd=0.4, autocorrelation=0.8, seed=21).frame
    frame = frame.rename(columns={"outcome": "mediator"})
    noise = np.random.default_rng(5).normal(size=len(frame))
    frame["outcome"] = 0.4 * frame["mediator"] + 0.3 * frame["exposure"] + 0.5 * noise
    return bn.read_panel(frame, unit="unit", time="time")


SPEC = bn.Spec(outcome="outcome", exposure="exposure", controls=("control_1",))
OPTIONS = {"mediators": ("mediator",), "draws": 400, "seed": 2}


def test_every_equation_climbs_its_own_ladder(panel):
    found = bn.mediate(panel, SPEC, errors="auto", **OPTIONS)
    mediator, outcome = found.equations["mediator"], found.equations["outcome"]
    assert [rung.errors for rung in mediator.ladder] == ["iid", "ar1"]
    assert [rung.errors for rung in outcome.ladder] == ["iid"]
    assert found.errors == "iid errors, ar1 of mediators"
    assert found.spec.errors == "iid"
    by_name = bn.mediate(panel, SPEC, mediator_errors={"mediator": "ar1"}, **OPTIONS)
    assert by_name.estimates().frame.equals(found.estimates().frame)
    assert not by_name.estimates().frame["note"].str.contains("errors of").any()
    plain = bn.mediate(panel, SPEC, **OPTIONS)
    assert plain.estimates().frame["note"].str.contains("errors of mediator failed serial correlation").all()


def test_with_named_errors_of_mediators_the_outcome_climbs_alone(panel):
    found = bn.mediate(panel, SPEC, errors="auto", mediator_errors="ar1+unit_scale", **OPTIONS)
    assert found.equations["mediator"].ladder == ()
    assert found.equations["mediator"].spec.errors == "ar1+unit_scale"
    assert found.equations["outcome"].ladder


def test_errors_of_an_unknown_mediator_are_refused(panel):
    with pytest.raises(SpecError, match="mediator_errors names 'mediatr'"):
        bn.mediate(panel, SPEC, mediator_errors={"mediatr": "ar1"}, **OPTIONS)


def test_cells_imputed_with_the_equations_take_named_errors(panel):
    frame = panel.frame.copy()
    frame.loc[3, "mediator"] = np.nan
    holed = bn.read_panel(frame, unit="unit", time="time")
    with pytest.raises(SpecError, match="does not combine with missing = 'impute'"):
        bn.mediate(holed, SPEC, errors="auto", missing="impute", **OPTIONS)
