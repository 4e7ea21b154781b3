"""Posteriors without a chain: densities that integrate to one, closed forms, quadrature, and what has to be refused."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import bayes_npp as bn
from bayes_npp.bayesian.collapsed import kernel
from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.fitting.collapsed_draws import draw_thetas, enough_points
from bayes_npp.bayesian.fitting.diagnostics import WeightDiagnostics, diagnostics_from
from bayes_npp.bayesian.fitting.fit import make_sampler, restore
from bayes_npp.bayesian.fitting.importance import judge, propose, resampled, scrambled, weigh, why_not
from bayes_npp.bayesian.fitting.modes import Mode, find_mode
from bayes_npp.bayesian.fitting.pairs import pair
from bayes_npp.bayesian.fitting.proposal import Proposal, SplitT, along_axes, missed
from bayes_npp.bayesian.fitting.tables import both_sides, tabulate
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.priors.families import PriorSpec
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.design.design import build_design
from bayes_npp.errors import ImportanceError, SpecError
from bayes_npp.store import read_tree, write_tree

PRIORS = load_priors("weakly_informative")


def collapsed_of(panel, spec, priors=PRIORS, **changes):
    design = build_design(panel, bn.Spec(**{**spec.model_dump(), **changes}))
    return collapse(prepare(design), priors)


@pytest.fixture(scope="module")
def serial(unbalanced, grouped_spec):
    """Five elements, serial correlation and the spread of units among them."""
    return collapsed_of(unbalanced, grouped_spec, errors="ar1")


def test_tables_integrate_to_one_and_draw_what_they_say():
    """A skewed density: its mass by quadrature, and its quantiles by the inverse of its distribution function."""
    knots = both_sides(np.array([[0.8, 2.0], [1.0, 1.0]]))
    table = tabulate(knots, np.stack([stats.skewnorm.logpdf(knots[0], 4), -0.5 * knots[1] ** 2]))
    grid = np.linspace(-40, 80, 1_200_001)
    for row in range(2):
        density = np.exp(table.log_density(np.full(len(grid), row), grid))
        cumulated = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(grid))])
        assert cumulated[-1] == pytest.approx(1, abs=1e-6)
        u = np.array([1e-6, 0.01, 0.3, 0.5, 0.9, 0.999, 1 - 1e-6])
        drawn = table.draw(np.full(len(u), row), u)
        np.testing.assert_allclose(np.interp(drawn, grid, cumulated), u, atol=1e-6)


def test_a_steep_table_has_its_mass_where_it_is_high():
    """Falls of thousands between two knots, as of a scale that the data know well, and knots that are lost."""
    knots = np.array([[-1.0, 0.0, 1.0, 2.0], [-1.0, 0.0, 1.0, 2.0]])
    table = tabulate(knots, np.array([[-5000.0, 0.0, -4000.0, -1e6], [np.nan, -np.inf, 0.0, -1.0]]))
    for row, top in ((0, 0.0), (1, 1.0)):
        drawn = table.draw(np.full(5, row), np.array([0.0001, 0.2, 0.5, 0.8, 0.9999]))
        assert np.isfinite(drawn).all()
        assert abs(np.median(drawn) - top) < 1.0
        assert np.isfinite(table.log_density(np.full(5, row), drawn)).all()


def test_each_side_of_a_split_density_has_its_own_width():
    """Its mean by quadrature; with the widths' mean on both sides it would be zero, and so would its height jump."""
    part = SplitT(Mode(np.array([1.0]), 0.0, np.array([[2.0]])), np.array([[0.5, 3.0]]))
    grid = np.linspace(-3000, 3000, 3_000_001)
    density = np.exp(part.log_density(grid[:, None]))
    mass = np.trapezoid(density, grid)
    assert mass == pytest.approx(1, abs=1e-5)
    u = (np.arange(400_000) + 0.5) / 400_000
    drawn = part.draw(u[:, None])[:, 0]
    assert drawn.mean() == pytest.approx(np.trapezoid(grid * density, grid), abs=2e-2)
    assert (drawn < 1).mean() == pytest.approx(0.5 / 3.5, abs=1e-4)


def test_every_part_of_a_proposal_is_a_density_it_draws_from(serial):
    """Means of ratios of two densities under either are one: the table of two elements, the axes, what is added."""
    mode = find_mode(serial)
    names = [element.variable for element in serial.elements]
    tails, axes = along_axes(mode, lambda thetas: serial.evaluate(thetas)[0])
    both = pair(serial, mode, (names.index("autocorrelation"), names.index("unit_sd")))
    proposal = propose(serial, mode)
    thetas = proposal.draw(scrambled(proposal.dimension, 16, 256, (1, 0)))
    added = missed(mode, thetas, serial.evaluate(thetas)[0] - proposal.log_density(thetas))
    assert sum(proposal.shares) == pytest.approx(1)
    mixed = Proposal((tails, axes, both, added), (0.3, 0.3, 0.3, 0.1))
    thetas = mixed.draw(scrambled(mixed.dimension, 16, 512, (2, 0)))
    for part in (tails, axes, both, added):
        ratios = np.exp(part.log_density(thetas) - mixed.log_density(thetas)).reshape(16, -1).mean(axis=1)
        # Sixteen scramblings: five standard errors of their mean.
        assert abs(ratios.mean() - 1) < 5 * ratios.std(ddof=1) / 4 + 1e-3, type(part)
        # Both sides of E_p[q / (p + q)] = E_q[p / (p + q)], which holds if draws and density of p are of one thing.
        own = part.draw(scrambled(part.dimension, 16, 512, (3, 0)).reshape(-1, part.dimension))
        left, right = (
            (1 / (1 + np.exp(one.log_density(at) - other.log_density(at)))).reshape(16, -1).mean(axis=1)
            for at, one, other in ((own, part, mixed), (thetas, mixed, part))
        )
        assert abs(left.mean() - right.mean()) < 5 * np.hypot(left.std(ddof=1), right.std(ddof=1)) / 4 + 1e-3


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"errors": "ar1"},
        {"slopes": "unit", "slope_correlation": True},
        {"unit_effects": "fixed", "time_effects": "fixed"},
        {"unit_trends": "partial"},
        {"group_time_effects": "group", "varying": ("control_1",)},
    ],
    ids=str,
)
def test_the_density_of_many_points_is_that_of_each(changes, unbalanced, grouped_spec):
    heavy = PriorSpec(family="student_t", nu=3.0, mu=0.0, sigma=0.3, reason="stays in theta")
    for priors in (PRIORS, PRIORS.replaced(controls=heavy)):
        collapsed = collapsed_of(unbalanced, grouped_spec, priors, **changes)
        thetas = 0.5 * np.random.default_rng(3).standard_normal((40, collapsed.size))
        found, means = collapsed.evaluate(thetas)
        np.testing.assert_allclose(found, [collapsed.log_density(theta)[0] for theta in thetas], rtol=1e-11)
        draws = [
            collapsed.coefficients(np.tile(theta, (4000, 1)), 1, with_units=False)["collapsed_coefficients"]
            for theta in thetas[:1]
        ]
        error = draws[0].std(axis=0) / np.sqrt(4000)
        assert (np.abs(draws[0].mean(axis=0) - means[0]) < 5 * error + 1e-12).all()


def test_draws_of_one_theta_differ_and_cost_one_factorisation(serial):
    """Coefficients of repeated draws of theta are independent; their order does not matter."""
    thetas = 0.3 * np.random.default_rng(1).standard_normal((5, serial.size))[[0, 3, 0, 1, 1, 0, 4]]
    drawn = serial.coefficients(thetas, 5, with_units=True)
    assert len(np.unique(drawn["exposure_slope"])) == 7
    one_by_one = np.concatenate([serial.log_likelihoods(theta[None]) for theta in thetas])
    np.testing.assert_allclose(drawn["collapsed_log_likelihood"], one_by_one, rtol=1e-12)


def test_one_scale_by_quadrature():
    """Eight schools: mean, SD and tail of the spread of effects, and of their mean, against a fine grid."""
    frame = pd.DataFrame(
        {"school": list("abcdefgh"), "y": [28.0, 8, -3, 7, -1, 1, 18, 12], "se": [15.0, 10, 16, 11, 9, 11, 10, 18]}
    )
    panel = bn.read_panel(frame, unit="school", time=None)
    options = {"unit_effects": "partial", "time_effects": "none", "correlated_means": False}
    spec = bn.Spec(outcome="y", errors="known", se="se", **options)
    collapsed = collapsed_of(panel, spec)
    assert collapsed.size == 1
    found = weigh(collapsed, seed=1)
    grid = np.linspace(-30, 12, 40_001)[:, None]
    log_density, means = collapsed.evaluate(grid)
    density = np.exp(log_density - log_density.max())
    density /= density.sum()
    flat, weights = found.thetas.reshape(-1, 1), found.weights.ravel() / 4
    for values, exact in (
        (collapsed.constrained(flat)["unit_sd"], collapsed.constrained(grid)["unit_sd"]),
        (collapsed.evaluate(flat)[1][:, 0], means[:, 0]),
    ):
        mean = density @ exact
        sd = np.sqrt(density @ (exact - mean) ** 2)
        assert weights @ values == pytest.approx(mean, abs=0.01 * sd)
        assert np.sqrt(weights @ (values - mean) ** 2) == pytest.approx(sd, rel=0.02)
        assert weights @ (values > mean + 2 * sd) == pytest.approx(density @ (exact > mean + 2 * sd), abs=0.003)
    assert found.diagnostics.passed


def mixture(means, shares, sds, size=2):
    """What `find_mode` asks of a posterior, for a mixture of round normals."""
    means, sds = np.array(means, dtype=float), np.array(sds, dtype=float)

    def log_density(theta):
        away = (theta - means) / sds[:, None]
        each = np.log(shares) - size * np.log(sds) - 0.5 * (away**2).sum(axis=1)
        top = each.max()
        own = np.exp(each - top)
        gradient = -(own[:, None] * away / sds[:, None]).sum(axis=0) / own.sum()
        return top + np.log(own.sum()), gradient

    def climb(start):
        found = optimize.minimize(lambda theta: tuple(-part for part in log_density(theta)), start, jac=True)
        return found.x, -found.fun, np.abs(found.jac).max()

    elements = tuple(SimpleNamespace(variable=f"x{j}", prior=SimpleNamespace(typical=1.0)) for j in range(size))
    priors = SimpleNamespace(support=np.full(size, kernel.REAL_LINE))
    own = {"elements": elements, "priors": priors, "start": np.zeros(size), "size": size}
    return SimpleNamespace(log_density=log_density, climb=climb, **own)


def test_dispersed_starts_see_a_second_mode():
    """Half of the mass ten SDs away is missed by points around one mode with the best of k; the starts find it."""
    two = mixture([[0, 0], [4, 0]], [0.5, 0.5], [0.4, 0.4])
    with pytest.raises(ImportanceError, match=r"2 modes, 10\.0 SDs"):
        find_mode(two)
    np.testing.assert_allclose(find_mode(mixture([[0, 0], [4, 0]], [1 - 1e-9, 1e-9], [0.4, 0.4])).at, 0, atol=1e-4)
    np.testing.assert_allclose(find_mode(two, near=np.array([0.1, 0.1])).at, 0, atol=1e-4)  # what starts are for


def test_a_climb_that_stops_on_a_slope_far_below_is_no_mode(monkeypatch):
    """A line search that gives up leaves a climb where it was, thousands below the mode: no second mode, no edge."""
    one = mixture([[0.0, 0.0]], [1.0], [0.05])
    climb = one.climb

    def stuck(start):
        value, slope = one.log_density(start)
        return (start, value, np.abs(slope).max()) if np.abs(start).max() > 1 else climb(start)

    one.climb = stuck
    np.testing.assert_allclose(find_mode(one).at, 0, atol=1e-4)
    monkeypatch.setattr("bayes_npp.bayesian.fitting.modes.LOST", np.inf)
    with pytest.raises(ImportanceError):  # an end on a slope that may have mass is one
        find_mode(one)


def test_the_mode_of_a_neighbour_saves_the_other_starts(serial):
    mode = find_mode(serial)
    again = find_mode(serial, near=mode.at + 0.1)
    np.testing.assert_allclose(mode.along(again.at[None]), 0, atol=0.01)
    np.testing.assert_allclose(mode.theta(mode.along(serial.start[None])), serial.start[None], atol=1e-9)


def conflict(distance):
    """A slope that the data put at `distance` and a sharp prior with heavy tails at zero, four SEs apart."""
    random = np.random.default_rng(8)
    n, t = 20, 8
    frame = pd.DataFrame([(u, s) for u in range(n) for s in range(t)], columns=["unit", "time"])
    frame["x"] = random.standard_normal(n * t)
    noise = random.standard_normal(n * t)
    frame["y"] = distance * frame["x"] + noise
    panel = bn.read_panel(frame.astype({"unit": str}), unit="unit", time="time")
    sharp = PriorSpec(family="student_t", nu=1.0, mu=0.0, sigma=0.004, reason="sharp, with heavy tails")
    spec = bn.Spec(outcome="y", exposure="x", unit_effects="none", time_effects="none", correlated_means=False)
    return panel, spec, PRIORS.replaced(exposure=sharp)


def test_two_modes_are_refused_and_left_to_chains():
    panel, spec, priors = conflict(0.33)
    with pytest.raises(ImportanceError, match="2 modes"):
        bn.fit(panel, spec, priors=priors, engine="importance", seed=1)
    fit = bn.fit(panel, spec, priors=priors, seed=1)
    assert fit.engine == "collapsed"
    assert "2 modes" in fit.why


def test_the_worst_estimated_is_named_where_scales_are_made_of_others(unbalanced, grouped_spec):
    """Scales of periods are functions of elements of theta; every function of theta has its own name."""
    spec = grouped_spec.model_copy(update={"errors": "period_scale", "exposure_factor": "partial"})
    priors = load_priors("weakly_informative")
    collapsed = collapse(prepare(build_design(unbalanced, spec)), priors)
    random = np.random.default_rng(1)
    thetas = 0.3 * random.standard_normal((64, collapsed.size))
    given = collapsed.constrained(thetas)
    assert set(given) > {element.variable for element in collapsed.elements}
    for name, values in given.items():
        means = np.zeros((64, len(collapsed.prior_means)))
        draws = {one: np.zeros_like(v) for one, v in given.items()} | {name: values}
        own = SimpleNamespace(columns=collapsed.columns, constrained=lambda thetas, draws=draws: draws)
        assert judge(own, thetas, means, random.standard_normal(64), np.full((4, 16), 1 / 64)).worst == name


def test_what_is_not_tried_says_why(unbalanced, grouped_spec):
    scales = collapsed_of(unbalanced, grouped_spec, errors="unit_scale")
    assert why_not(scales) == "every unit has a scale of its own"
    with pytest.raises(ImportanceError, match="every unit has a scale"):
        weigh(scales, 1)
    drawn = draw_thetas(scales, make_sampler("auto", 50, 2, 1), "auto")
    assert (drawn.points, drawn.why) == (None, "every unit has a scale of its own")
    many = collapsed_of(
        unbalanced, grouped_spec, slopes="group/unit", varying=("control_1", "control_2"), group_time_effects="group"
    )
    assert why_not(many) == "10 scales and shapes, more than 8"
    with pytest.raises(SpecError, match="Student-t"):
        bn.fit(unbalanced, grouped_spec.model_copy(update={"errors": "student_t"}), engine="importance")


def test_copies_are_expectations_rounded_in_random_order(serial):
    found = weigh(serial, seed=3)
    draws = resampled(found, 1000, 4, seed=3)
    weights = found.weights.reshape(4, -1)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    for chain in range(4):
        points = found.thetas.reshape(4, -1, serial.size)[chain]
        copies = (draws[chain][:, None, 0] == points[:, 0]).sum(axis=0)
        assert (np.abs(copies - 1000 * weights[chain]) < 1).all()
        # Every second draw is a sample too, which every second point of a Sobol sequence is not.
        gap = draws[chain][::2].mean(axis=0) - draws[chain][1::2].mean(axis=0)
        assert (np.abs(gap) < 5 * draws[chain].std(axis=0) / np.sqrt(250)).all()
    again = resampled(weigh(serial, seed=3), 1000, 4, seed=3)
    np.testing.assert_array_equal(draws, again)
    assert not np.array_equal(draws, resampled(weigh(serial, seed=4), 1000, 4, seed=4))


@pytest.mark.parametrize(("draws", "chains", "scramblings"), [(500, 1, 16), (500, 2, 16), (400, 3, 18), (4000, 4, 16)])
def test_scramblings_are_as_many_for_each_chain(draws, chains, scramblings, unbalanced, grouped_spec):
    sampler = make_sampler("importance", draws, chains, 1)
    found = draw_thetas(collapsed_of(unbalanced, grouped_spec), sampler, "importance")
    assert found.thetas.shape[:2] == (chains, draws)
    assert found.points.weights.shape == (scramblings, enough_points(sampler))
    assert enough_points(sampler) == (512 if draws == 4000 else 128)


def test_weights_that_are_no_good_fail(serial):
    """One point with all the weight; scramblings that disagree; values that are no number."""
    found = weigh(serial, seed=1)
    thetas = found.thetas.reshape(-1, serial.size)
    means = serial.evaluate(thetas)[1]

    def judged(log_ratio):
        weights = np.exp(log_ratio - log_ratio.max()).reshape(4, -1)
        return judge(serial, thetas, means, log_ratio, (weights / weights.sum(axis=1, keepdims=True)).reshape(16, -1))

    even = judged(np.zeros(len(thetas)))
    assert even.kish == pytest.approx(len(thetas))
    spike = np.zeros(len(thetas))
    spike[7] = 20.0
    verdict = judged(spike).verdict
    assert "effective size" in verdict
    assert "MCSE between scramblings" in verdict
    assert "Pareto k" in judged(stats.genpareto.rvs(0.9, size=len(thetas), random_state=1)).verdict
    lost = WeightDiagnostics(0.1, 1000.0, 0.01, "x").with_draws({"x": np.array([[1.0, np.nan]])})
    assert lost.verdict.startswith("failed: draws that are not finite 1")


def test_a_fit_carries_its_weights(unbalanced, grouped_spec, tmp_path):
    fit = bn.fit(unbalanced, grouped_spec, seed=4)
    assert (fit.engine, fit.why) == ("importance", "")
    assert fit.diagnostics.passed
    assert [check.quantity for check in fit.diagnostics.checks] == [
        "Pareto k",
        "effective size",
        "MCSE between scramblings (SD)",
    ]
    assert diagnostics_from(json.loads(json.dumps(fit.diagnostics.as_dict()))) == fit.diagnostics
    points = fit.tree["weighted_points"]
    assert points["weight"].sizes == {"scrambling": 16, "point": 128}
    write_tree(fit.tree, tmp_path / "fit.nc")
    again = restore(read_tree(tmp_path / "fit.nc"), fit.design, fit.priors, fit.sampler)
    assert (again.engine, again.diagnostics) == (fit.engine, fit.diagnostics)
    assert again.estimates().frame.equals(fit.estimates().frame)
    # Probabilities are of the weighted points; those of the draws made of them differ by their Monte Carlo error.
    rows = fit.estimates().select(estimand="group_slope").iterrows()
    shares = (fit.slopes > 0).mean(axis=0)
    for (_, row), share in zip(rows, shares, strict=True):
        assert row["prob_positive"] == pytest.approx(share, abs=5 * np.sqrt(share * (1 - share) / 4000) + 1e-3)
    failed = replace(fit, diagnostics=replace(fit.diagnostics, k_hat=0.9))
    assert failed.estimates().frame["note"].str.contains("Pareto k 0.9").all()


def test_a_model_without_scales_is_exact():
    random = np.random.default_rng(5)
    frame = pd.DataFrame([(u, t) for u in "abcdef" for t in range(5)], columns=["unit", "time"])
    frame["x"], frame["se"] = random.standard_normal(30), 0.5
    frame["y"] = 2 * frame["x"] + 0.5 * random.standard_normal(30)
    known = bn.read_panel(frame, unit="unit", time="time")
    spec = bn.Spec(outcome="y", exposure="x", unit_effects="fixed", time_effects="fixed", errors="known", se="se")
    fit = bn.fit(known, spec, priors="diffuse", seed=1)
    assert (fit.engine, fit.diagnostics.k_hat, fit.diagnostics.kish) == ("importance", 0.0, 2048)
    chains = bn.fit(known, spec, priors="diffuse", engine="collapsed", seed=2)
    ours, theirs = fit.values("slope"), chains.values("slope")
    assert ours.mean() == pytest.approx(theirs.mean(), abs=5 * theirs.std() * np.sqrt(2 / 4000))
    assert fit.probability(np.ones(1)) == pytest.approx(chains.probability(np.ones(1)), rel=1e-9)
