"""Serial mediators and lagged paths: least squares, a recursion by hand, a relabelled panel, known truths."""

from dataclasses import replace

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.bayesian.fitting.fit import fit_design, make_sampler
from bayes_npp.bayesian.mediation.confounding import at_rho, averaged, crossings, sensitivity
from bayes_npp.bayesian.mediation.equations import Paths, equation_designs
from bayes_npp.bayesian.mediation.mediation import VARIABLES, Mediation, assemble
from bayes_npp.bayesian.mediation.missing import MissingCells
from bayes_npp.bayesian.model.generate import outcomes, prior_parameters
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.bayesian.validation.calibration import RANKED_DRAWS
from bayes_npp.design.design import build_design
from bayes_npp.errors import SpecError
from tests.bands import miscalibrated
from tests.bayesian.mediation.panels import GROUPED, SPEC, flat_slopes, simulated

TWO = ("mediator_1", "mediator_2")
LINK = (TWO,)


def serial_panel(**truth) -> bn.Panel:
    given = {
        "n_units": 60,
        "n_periods": 8,
        "path_a": {"all": (0.5, 0.2)},
        "path_b": {"all": (0.3, 0.6)},
        "serial": {"all": (0.7,)},
        "seed": 3,
    }
    return simulated(**{**given, **truth})


@pytest.fixture(scope="module")
def chain():
    return bn.mediate(serial_panel(), SPEC, TWO, priors=flat_slopes(), serial=LINK, draws=2000, seed=1)


def test_paths_equal_least_squares(chain):
    """Flat priors: every path is the two-way fixed-effects coefficient of its own equation."""
    panel = serial_panel()
    equations = {
        "mediator_1": bn.Spec(outcome="mediator_1", exposure="exposure"),
        "mediator_2": bn.Spec(outcome="mediator_2", exposure="exposure", controls=("mediator_1",)),
        "outcome": bn.Spec(outcome="outcome", exposure="exposure", controls=TWO),
    }
    rows = {
        name: bn.twfe(panel, spec, covariance="classical").frame.set_index("term") for name, spec in equations.items()
    }
    for draws, row in (
        (chain.path_a[:, 0, 0], rows["mediator_1"].loc["exposure"]),
        (chain.path_a[:, 1, 0], rows["mediator_2"].loc["exposure"]),
        (chain.links[TWO][:, 0], rows["mediator_2"].loc["mediator_1"]),
        (chain.path_b[:, 0, 0], rows["outcome"].loc["mediator_1"]),
        (chain.path_b[:, 1, 0], rows["outcome"].loc["mediator_2"]),
        (chain.direct[:, 0], rows["outcome"].loc["exposure"]),
    ):
        assert draws.mean() == pytest.approx(row["estimate"], abs=4 * row["spread"] / np.sqrt(len(draws)))
        assert draws.std() == pytest.approx(row["spread"], rel=0.08)


def test_total_is_what_a_recursion_gives(chain):
    """One unit of exposure, passed on equation by equation."""
    first = chain.path_a[:, 0]
    second = chain.path_a[:, 1] + chain.links[TWO] * first
    total = chain.direct + chain.path_b[:, 0] * first + chain.path_b[:, 1] * second
    np.testing.assert_allclose(chain.indirect.sum(axis=1) + chain.direct, total, rtol=1e-12)
    assert chain.terms == ("mediator_1", "mediator_2", "mediator_1 -> mediator_2")


def test_the_truth_is_recovered_by_chain_and_by_group():
    panel = serial_panel(
        path_a={"north": (0.8, 0.2), "south": (0.3, 0.2)},
        path_b={"north": (0.3, 0.6), "south": (0.3, 0.2)},
        serial={"north": (0.7,), "south": (0.1,)},
    )
    fit = bn.mediate(panel, GROUPED, TWO, serial=LINK, seed=2)
    frame = fit.estimates().frame
    truth = {"north": (0.24, 0.12, 0.8 * 0.7 * 0.6), "south": (0.09, 0.04, 0.3 * 0.1 * 0.2)}
    for group, effects in truth.items():
        for term, effect in zip(fit.terms, effects, strict=True):
            row = frame[(frame["term"] == term) & (frame["group"] == group) & (frame["estimand"] == "indirect")].iloc[0]
            assert abs(row["estimate"] - effect) < 3.5 * row["spread"]
    links = frame[(frame["term"] == "mediator_1 -> mediator_2") & (frame["estimand"] == "coefficient")]
    assert list(links["group"]) == ["", "north", "south"]
    assert abs(links["estimate"].iloc[1] - 0.7) < 3.5 * links["spread"].iloc[1]
    assert links["spread"].iloc[1] < 0.1
    contrasts = frame[frame["group"].str.contains(" - ") & (frame["estimand"] == "indirect")]
    assert list(contrasts["term"]) == list(fit.terms)


def test_three_mediators_have_every_chain():
    names = ("a", "b", "c")
    paths = Paths(serial=(("a", "b"), ("b", "c"), ("a", "c")))
    assert paths.chains(names) == (("a",), ("b",), ("c",), ("a", "b"), ("a", "c"), ("b", "c"), ("a", "b", "c"))
    panel = serial_panel(path_a={"all": (0.5, 0.2, 0.1)}, path_b={"all": (0.1, 0.2, 0.6)}, serial={"all": (0.7, 0.8)})
    order = ("mediator_3", "mediator_1", "mediator_2")
    links = (("mediator_2", "mediator_3"), ("mediator_1", "mediator_2"))
    fit = bn.mediate(panel, SPEC, order, serial=links, draws=500, seed=1)
    longest = fit.indirect[:, fit.terms.index("mediator_1 -> mediator_2 -> mediator_3"), 0]
    assert abs(longest.mean() - 0.5 * 0.7 * 0.8 * 0.6) < 3.5 * longest.std()


@pytest.mark.parametrize("slopes", [None, "group"])
def test_the_true_rho_recovers_the_truth_in_series(slopes):
    rho = (0.5, -0.4)
    groups = ["all"] if slopes is None else ["north", "south"]
    serial = dict(zip(groups, [(0.7,), (0.2,)], strict=False))
    panel = serial_panel(
        n_units=200,
        path_a=dict.fromkeys(groups, (0.5, 0.2)),
        path_b=dict.fromkeys(groups, (0.3, 0.6)),
        serial=serial,
        rho=rho,
    )
    spec = bn.Spec(**{**SPEC.model_dump(), "slopes": slopes})
    fit = bn.mediate(panel, spec, TWO, priors=flat_slopes(), serial=LINK, draws=250, seed=1)
    moved = at_rho(fit, np.array(rho))
    weights = np.exp(moved.log_weights)
    weights /= weights.sum()
    for g, group in enumerate(fit.groups or ("all",)):
        truth = np.array([0.15, 0.12, 0.5 * serial[group][0] * 0.6])
        naive = (fit.indirect[..., g].mean(axis=0) - truth) / fit.indirect[..., g].std(axis=0)
        mean = weights @ moved.indirect[..., g]
        sd = np.sqrt(weights @ (moved.indirect[..., g] - mean) ** 2)
        assert np.abs(naive).max() > 5
        np.testing.assert_array_less(np.abs(mean - truth), 3.5 * sd)
    total = moved.indirect.sum(axis=1) + moved.direct
    before = fit.indirect.sum(axis=1) + fit.direct
    if slopes is None:
        np.testing.assert_allclose(total, before, rtol=1e-9)
    else:  # deviations of groups have a prior that is not flat
        np.testing.assert_array_less(np.abs(weights @ total - before.mean(axis=0)), 0.2 * before.std(axis=0))


@pytest.mark.slow(minutes=1)
def test_sensitivity_follows_every_chain_of_a_mediator(chain):
    curve = sensitivity(chain, (0.0, 0.3)).set_index(["mediator", "rho"])["estimate"]
    means = chain.indirect.mean(axis=(0, 2))
    assert curve["mediator_1", 0.0] == pytest.approx(means[0] + means[2])
    assert curve["mediator_2", 0.0] == pytest.approx(means[1] + means[2])
    assert curve["all together", 0.0] == pytest.approx(means.sum())
    assert set(crossings(chain)["mediator"]) == {*TWO, "all together"}
    assert list(averaged(chain, np.linspace(-0.3, 0.3, 50))["mediator"]) == list(chain.terms)


@pytest.mark.parametrize(("lags", "shared"), [((2, 0), "all rows"), ((2, 1), "nine periods in ten")])
def test_lags_are_a_relabelled_panel(lags, shared):
    """A world without lags, exposure and mediator dated earlier: the same equations, row by row.

    Priors are on the scales of the rows that both equations share. With a lagged mediator these are fewer, and means
    differ by up to .005 posterior SD; without one everything is the same.
    """
    panel = simulated(n_units=20, n_periods=10, seed=5)
    plain = bn.mediate(panel, SPEC, ["mediator_1"], draws=300, seed=1)
    frame = panel.frame
    moved = frame[["unit", "time", "group", "outcome"]]
    for name, periods in (("exposure", sum(lags)), ("mediator_1", lags[1])):
        earlier = frame[["unit", "time", name]].assign(time=frame["time"] - periods)
        moved = moved.merge(earlier, on=["unit", "time"], how="outer")
    relabelled = bn.read_panel(moved, unit="unit", time="time")
    fit = bn.mediate(relabelled, SPEC, ["mediator_1"], lags=lags, draws=300, seed=1)
    for name in ("path_a", "path_b", "direct"):
        ours, theirs = getattr(fit, name), getattr(plain, name)
        if shared == "all rows":
            np.testing.assert_allclose(ours, theirs, rtol=1e-6)
        else:
            np.testing.assert_allclose(ours.mean(axis=0), theirs.mean(axis=0), rtol=0, atol=0.01 * theirs.std())
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=0.1 * theirs.std())
    with pytest.raises(SpecError, match="lagged paths"):
        sensitivity(fit)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"serial": (TWO, TWO[::-1])}, "form a cycle: mediator_. -> mediator_. -> mediator_."),
        ({"serial": (("mediator_1", "mediator_1"),)}, "form a cycle"),
        ({"serial": (("mediator_1", "outcome"),)}, "'outcome' is no mediator"),
        ({"serial": (TWO, TWO)}, "declared twice"),
        ({"lags": (-1, 0)}, "none negative"),
        ({"lags": (0, 9)}, "complete rows"),
    ],
)
def test_bad_input(changes, message):
    with pytest.raises(bn.BayesNppError, match=message):
        bn.mediate(serial_panel(), SPEC, TWO, **changes)


def test_sensitivity_where_one_path_alone_varies_by_group():
    panel = serial_panel(
        n_units=20,
        **{name: dict.fromkeys(("north", "south"), (0.5, 0.2)) for name in ("path_a", "path_b")},
        serial=None,
    )
    fit = bn.mediate(panel, GROUPED, TWO, varying=("a",), draws=200, seed=1)
    found = sensitivity(fit, (0.0, 0.1)).set_index(["mediator", "group", "rho"])
    own = fit.estimates().select(estimand="indirect", term="mediator_1", group="north").iloc[0]
    assert found.loc[("mediator_1", "north", 0.0), "estimate"] == pytest.approx(own["estimate"])
    assert found.loc[("mediator_1", "north", 0.1), "estimate"] < own["estimate"]
    assert (found["k_hat"] < 0.7).all()


def drawn_from_the_prior(template, paths, priors, seed):
    """Parameters of every equation from their priors, and the panel they imply: mediators first, outcome last."""
    spec, panel = GROUPED, template
    designs, _ = equation_designs(panel, spec, TWO, paths)
    scales = {design.spec.outcome: design.scales for design in designs}
    truth, own = {}, []
    for number, name in enumerate((*TWO, spec.outcome)):
        design = build_design(panel, designs[number].spec, scales[name])
        data = prepare(design)
        drawn = prior_parameters(data, priors, 1, seed=[seed, number])
        truth[name] = {v: drawn[v] for v in VARIABLES if v in drawn}
        values = outcomes(drawn, data, [seed, number, 1], in_data_units=True)[0]
        panel = panel.with_column(name, values)
        own.append(replace(design, outcome=values))
    return truth, own


@pytest.mark.slow(minutes=6)
@pytest.mark.parametrize("serial", [(), LINK])
def test_ranks_of_effects_are_uniform(serial, seed):
    """Simulation-based calibration of the whole model: mediators simulated, then the outcome on them, all refitted."""
    template = simulated(n_units=24, n_periods=6, path_a=dict.fromkeys(("g1", "g2", "g3"), (0.5, 0.2)), seed=2)
    paths, priors = Paths(serial=serial), load_priors("weakly_informative")
    ranks, failed = {}, 0
    for k in range(seed, seed + 200):
        truth, designs = drawn_from_the_prior(template, paths, priors, k)
        sampler = make_sampler("collapsed", 1500, 2, k)
        fits = {design.spec.outcome: fit_design(design, priors, sampler, "collapsed") for design in designs}
        whole = MissingCells("drop")
        fit = assemble(GROUPED, TWO, paths, fits, whole)
        failed += bool(fit.failures)
        known = Mediation(GROUPED, TWO, paths, fits, truth, None, -np.inf, 0, whole)
        for name, value in effects_of(known).items():
            drawn = effects_of(fit)[name][:: len(fit.direct) // RANKED_DRAWS][:RANKED_DRAWS]
            ranks.setdefault(name, []).append(int((drawn < value[0]).sum()))
    assert miscalibrated({name: np.array(values) for name, values in ranks.items()}, RANKED_DRAWS) == {}
    assert failed <= 4


def effects_of(fit: Mediation) -> dict[str, np.ndarray]:
    out = {"direct": fit.direct @ fit.shares, "total": (fit.direct + fit.indirect.sum(axis=1)) @ fit.shares}
    for k, name in enumerate(fit.terms):
        out[name] = fit.indirect[:, k] @ fit.shares
        out[f"{name}, first group"] = fit.indirect[:, k, 0]
    out["contrast"] = fit.indirect[:, 0, 0] - fit.indirect[:, 0, 1]
    return out
