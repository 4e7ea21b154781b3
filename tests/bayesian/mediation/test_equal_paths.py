"""Bayes factors of equal paths, against those of slopes and against the same equation with its variables exchanged."""

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.bayesian.comparison.homogeneity import homogeneity
from bayes_npp.bayesian.mediation.equal_paths import equal_paths
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.design.propositions import parse_proposition
from tests.bayesian.mediation.panels import GROUPED, TWO, simulated

MEDIATORS = ["mediator_1", "mediator_2"]


@pytest.fixture(scope="module")
def mediation():
    priors = load_priors("weakly_informative")
    priors = priors.replaced(controls=priors["exposure"])
    return bn.mediate(simulated(n_units=24, n_periods=6, **TWO, seed=3), GROUPED, MEDIATORS, priors, draws=500, seed=1)


def factor(text, mediation):
    return equal_paths(parse_proposition(text), mediation)


def test_paths_of_the_exposure_have_the_factor_of_its_slopes(mediation):
    for text, equation in (
        ("path_a[mediator_1, east] > path_a[mediator_1, west]", "mediator_1"),
        ("direct[east] > direct[west]", "outcome"),
    ):
        assert factor(text, mediation) == homogeneity(mediation.equations[equation])
    assert factor("path_a[mediator_1, east] > path_a[mediator_1, west]", mediation).factor < 1 / 3  # .6 and .1


def test_paths_of_a_mediator_have_the_factor_of_the_equation_with_exposure_and_mediator_exchanged(mediation):
    panel = simulated(n_units=24, n_periods=6, **TWO, seed=3)
    names = {"exposure": "mediator_1", "controls": ("exposure", "mediator_2")}
    spec = GROUPED.model_copy(update={**names, "varying": ("exposure", "mediator_2")})
    exchanged = homogeneity(bn.fit(panel, spec, mediation.equations["outcome"].priors, seed=2))
    found = factor("path_b[mediator_1, west] > path_b[mediator_1, east]", mediation)
    error = 4 * np.hypot(found.mcse, exchanged.mcse)
    assert np.log(found.factor) == pytest.approx(np.log(exchanged.factor), abs=error)
    assert error < 0.5
    other = factor("path_b[mediator_2, west] > path_b[mediator_2, east]", mediation)
    assert other.factor != found.factor


def test_indirect_effects_have_the_product_and_totals_the_largest(mediation):
    groups = ("[mediator_1, east] > {}[mediator_1, west]", "[mediator_2, east] > {}[mediator_2, west]")
    a, b, indirect = (
        [factor(name + text.format(name), mediation) for text in groups] for name in ("path_a", "path_b", "indirect")
    )
    for j in range(2):
        assert indirect[j].factor == pytest.approx(a[j].factor * b[j].factor)
        for (scale, own), (_, of_a), (_, of_b) in zip(indirect[j].by_scale, a[j].by_scale, b[j].by_scale, strict=True):
            assert own == pytest.approx(of_a * of_b), scale
    direct = factor("direct[east] > direct[west]", mediation)
    through = factor("total_indirect[east] > total_indirect[west]", mediation)
    assert through.factor == max(one.factor for one in indirect)
    assert factor("total[east] > total[west]", mediation).factor == max(through.factor, direct.factor)


def test_what_compares_no_groups_has_none(mediation):
    for text in (
        "indirect[mediator_1] > 0",
        "indirect[mediator_1, east] > 0",
        "indirect[mediator_1] > indirect[mediator_2]",
        "path_a[mediator_1, east] > path_a[mediator_1]",
    ):
        assert factor(text, mediation) is None
    one = bn.mediate(simulated(n_units=12, n_periods=6, **TWO), GROUPED, MEDIATORS, varying=("a",), draws=250, seed=1)
    assert factor("path_b[mediator_1, west] > path_b[mediator_1, east]", one) is None
    ours = factor("indirect[mediator_1, east] > indirect[mediator_1, west]", one)
    assert ours == homogeneity(one.equations["mediator_1"])  # path b is the same in both
