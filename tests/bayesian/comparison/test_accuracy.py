"""Held-out densities against dense conditional normals, refits and quadrature; stacking against its maximum."""

import warnings
from dataclasses import replace
from itertools import pairwise

import arviz_stats
import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import logsumexp

import bayes_npp as bn
from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.collapsed.restrict import carry, restrict, unidentified
from bayes_npp.bayesian.comparison import accuracy as module
from bayes_npp.bayesian.comparison.accuracy import (
    METHODS,
    accuracy,
    leave_future_out,
    leave_one_row_out,
    leave_one_unit_out,
    loo,
)
from bayes_npp.bayesian.comparison.held_out import HeldOut
from bayes_npp.bayesian.comparison.row_density import row_log_density
from bayes_npp.bayesian.comparison.scores import Accuracy, comparison_table, stacking
from bayes_npp.bayesian.fitting.refit import sample_until_passed
from bayes_npp.bayesian.model.generate import prior_parameters
from bayes_npp.bayesian.model.likelihood import innovations
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.model.terms import fitted_values
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.design.design import build_design
from bayes_npp.errors import SpecError
from bayes_npp.panels.simulation import simulate

PRIORS = load_priors("weakly_informative")


@pytest.fixture(scope="module")
def small():
    frame = simulate(9, 6, {"a": 0.6, "b": 0.1}, missing=0.2, seed=8, autocorrelation=0.4, unit_scale_sd=0.4).frame
    frame["se"] = np.random.default_rng(5).uniform(0.3, 0.7, len(frame))
    return bn.read_panel(frame, unit="unit", time="time", group="group")


def spec_of(**changes):
    return bn.Spec(outcome="outcome", exposure="exposure", controls=("control_1",), slopes="group").model_copy(
        update=changes
    )


def data_of(panel, **changes):
    return prepare(build_design(panel, spec_of(**changes)))


def some_thetas(collapsed, count=2, seed=3):
    return 0.7 * np.random.default_rng(seed).standard_normal((count, collapsed.size)) - 0.5


def dense(data, values, unit_scale=None):
    """Mean, covariance and flat columns of the outcome given theta, written down from the model's definition."""
    design, prior = data.design, PRIORS.on_within_scale(data.design.scales)
    n, x = design.n_obs, data.slope_columns
    same = {name: (e.index[:, None] == e.index).astype(float) for name, e in data.effects.items()}
    covariance = x.sum(axis=1)[:, None] * x.sum(axis=1) * prior["exposure"].sigma ** 2
    covariance += data.control_columns @ data.control_columns.T * prior["controls"].sigma ** 2
    flat = []
    if not data.has_flat_level:
        covariance += prior["intercept"].sigma ** 2
    if x.shape[1] > 1:
        contrast = np.eye(x.shape[1]) - 1 / x.shape[1]
        covariance += values["slope_sd"] ** 2 * x @ contrast @ x.T
    for name, effect in data.effects.items():
        part = effect.leading[effect.index]
        covariance += part @ part.T * effect.size * prior["between"].sigma ** 2
        if effect.kind == "partial":
            covariance += values[f"{name}_sd"] ** 2 * same[name]
        elif effect.kind == "fixed":
            flat.append((effect.index[:, None] == np.arange(effect.size)).astype(float))
    if data.unit_slope_columns.size:
        column = data.unit_slope_columns[:, 0]
        covariance += values["unit_slope_sd"] ** 2 * same["unit"] * np.outer(column, column)
    scale = data.se if data.se is not None else np.full(n, values.get("error_sd", 1.0))
    if "unit_scale" in values:
        scale = scale * (values["unit_scale"] if unit_scale is None else unit_scale)[design.unit]
    errors = np.eye(n)
    if "autocorrelation" in values:
        rho, time = values["autocorrelation"], np.array(design.times)[design.time]
        own = design.unit[:, None] == design.unit
        errors = own * rho ** abs(time[:, None] - time) / (1 - rho**2)
    covariance += scale[:, None] * scale * errors
    return np.zeros(n), covariance, np.column_stack(flat) if flat else np.empty((n, 0))


def conditional(data, values, block, given, unit_scale=None):
    """log p(y_block | y_given) by kriging, with generalised least squares for flat columns."""
    mean, covariance, flat = dense(data, values, unit_scale)
    weight = np.linalg.solve(covariance[np.ix_(given, given)], covariance[np.ix_(given, block)])
    centre = mean[block] + weight.T @ (data.outcome - mean)[given]
    spread = covariance[np.ix_(block, block)] - weight.T @ covariance[np.ix_(given, block)]
    if flat.shape[1]:
        precision = np.linalg.inv(covariance[np.ix_(given, given)])
        gram = np.linalg.pinv(flat[given].T @ precision @ flat[given])
        left = flat[block] - weight.T @ flat[given]
        centre = centre + left @ gram @ flat[given].T @ precision @ (data.outcome - mean)[given]
        spread = spread + left @ gram @ left.T
    return stats.multivariate_normal.logpdf(data.outcome[block], centre, spread)


def at(collapsed, theta):
    return {name: array[0] for name, array in collapsed.constrained(theta[None]).items()}


MODELS = {
    "iid": {},
    "ar1": {"errors": "ar1"},
    "unit scale": {"errors": "unit_scale"},
    "both": {"errors": "ar1+unit_scale", "correlated_means": False},
    "known": {"errors": "known", "se": "se"},
    "unit slopes": {"slopes": "unit", "errors": "ar1"},
    "fixed": {"unit_effects": "fixed", "time_effects": "fixed", "errors": "ar1"},
    "no effects": {"unit_effects": "none", "time_effects": "none"},
}


@pytest.mark.parametrize("name", MODELS)
def test_rows_given_all_others_against_dense_conditionals(small, name):
    data = data_of(small, **MODELS[name])
    collapsed = collapse(data, PRIORS)
    thetas, rows = some_thetas(collapsed), np.arange(data.design.n_obs)
    ours = HeldOut(collapsed, PRIORS).rows(thetas)
    for s, theta in enumerate(thetas):
        for row in rows[::5]:
            expected = conditional(data, at(collapsed, theta), [row], np.delete(rows, row))
            assert ours[s, row] == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "fixed"])
def test_units_given_all_others_against_dense_conditionals(small, name):
    """A unit's own scale is integrated over its prior by adaptive quadrature here, on a grid there."""
    data = data_of(small, **MODELS[name])
    collapsed = collapse(data, PRIORS)
    thetas, unit = some_thetas(collapsed), data.design.unit
    ours = HeldOut(collapsed, PRIORS).units(thetas)
    for s, theta in enumerate(thetas):
        values = at(collapsed, theta)
        for i in (0, 4):
            block, given = np.flatnonzero(unit == i), np.flatnonzero(unit != i)
            expected = conditional(data, values, block, given)
            if "unit_scale" in values:

                def density(z, i=i, block=block, given=given, values=values):
                    scales = values["unit_scale"].copy()
                    scales[i] = np.exp(values["unit_scale_sd"] * z)
                    return stats.norm.pdf(z) * np.exp(conditional(data, values, block, given, scales))

                expected = np.log(integrate.quad(density, -6, 6, epsrel=1e-8)[0])
            assert ours[s, i] == pytest.approx(expected, abs=1e-6)  # of the grid's trapezoid rule


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("what", ["rows", "future"])
def test_ratios_of_restricted_likelihoods_are_conditional_densities(small, name, what):
    data = data_of(small, **MODELS[name])
    rows = np.arange(data.design.n_obs)
    block = rows[3::7] if what == "rows" else np.flatnonzero(data.design.time == 4)
    past = np.setdiff1d(rows, block) if what == "rows" else np.flatnonzero(data.design.time < 4)
    block = block[np.isin(data.design.unit[block], data.design.unit[past])]
    if name == "fixed" and what == "future":
        return
    both, train = (collapse(restrict(data, some), PRIORS) for some in (np.union1d(past, block), past))
    thetas = some_thetas(train)
    carried = carry(thetas, train, both, np.random.default_rng(1))
    ratio = both.log_likelihoods(carried) - train.log_likelihoods(thetas)
    for s, theta in enumerate(thetas):
        values = at(train, theta)
        if "unit_scale" in values:  # by unit of all the data
            scales = dict(zip(train.data.design.units, values["unit_scale"], strict=True))
            values["unit_scale"] = np.array([scales.get(label, 1.0) for label in data.design.units])
        assert ratio[s] == pytest.approx(conditional(data, values, block, past), abs=1e-7)


def test_scales_of_units_not_in_the_rows_come_from_their_prior(small):
    data = data_of(small, errors="unit_scale")
    full = collapse(data, PRIORS)
    part = collapse(restrict(data, np.flatnonzero(data.design.unit != 2)), PRIORS)
    thetas = np.repeat(some_thetas(part, 1), 4000, axis=0)
    carried = carry(thetas, part, full, np.random.default_rng(2))
    values = full.constrained(carried)
    logs = np.log(values["unit_scale"])
    assert part.size == full.size - 1
    np.testing.assert_array_equal(np.ptp(np.delete(logs, 2, axis=1), axis=0), 0)
    assert stats.kstest(logs[:, 2] / values["unit_scale_sd"][0], "norm").pvalue > 0.01
    np.testing.assert_array_equal(carry(carried, full, part, np.random.default_rng(2)), thetas)


def test_blocks_that_alone_identify_a_flat_coefficient(small):
    data = data_of(small, unit_effects="fixed")
    collapsed, rows = collapse(data, PRIORS), np.arange(data.design.n_obs)
    blocks = [rows[data.design.unit == 3], rows[data.design.unit == 3][:-1], rows[:1]]
    assert unidentified(collapsed, blocks) == [0]
    data = data_of(small, time_effects="fixed")
    collapsed = collapse(data, PRIORS)
    periods = [np.flatnonzero(data.design.time == 2), np.flatnonzero(data.design.time == 2)[1:]]
    assert unidentified(collapsed, periods) == [0]
    assert unidentified(collapse(data_of(small), PRIORS), periods) == []


@pytest.mark.parametrize("errors", ["ar1", "ar1+unit_scale", "ar1+student_t"])
def test_row_term_under_ar1_is_the_conditional_given_the_neighbours(small, errors):
    data = data_of(small, errors=errors)
    drawn = prior_parameters(data, PRIORS, draws=2, seed=4)
    ours = row_log_density(drawn, data)
    normal = "degrees" not in drawn
    for s in range(2):
        one = {name: values[s] for name, values in drawn.items()}
        error = data.outcome - fitted_values(one, data)
        rho, time = one["autocorrelation"], np.array(data.design.times)[data.design.time]
        for i in (1, 5):
            rows = np.flatnonzero(data.design.unit == i)
            scale = one["error_sd"] * (one["unit_scale"][i] if "unit_scale" in one else 1.0)
            covariance = scale**2 * rho ** abs(time[rows][:, None] - time[rows]) / (1 - rho**2)
            precision = np.linalg.inv(covariance)
            for k, row in enumerate(rows):
                if normal:
                    sd = precision[k, k] ** -0.5
                    expected = stats.norm.logpdf((precision @ error[rows])[k] / precision[k, k], 0, sd)
                else:
                    _, sds = innovations(one, data)

                    def joint(e, k=k, row=row, rows=rows, sds=sds, one=one, error=error, rho=rho):
                        moved = error[rows].copy()
                        moved[k] = e
                        gaps = data.gaps[rows]
                        own = moved - np.where(gaps > 0, rho**gaps * np.roll(moved, 1), 0.0)
                        near = [j for j in (k, k + 1) if j < len(rows)]
                        return np.exp(sum(stats.t.logpdf(own[j], one["degrees"], 0, sds[rows[j]]) for j in near))

                    ends = [rho ** data.gaps[row] * error[row - 1]] if k else [0.0]
                    if k + 1 < len(rows):
                        ends.append(error[row + 1] / rho ** data.gaps[row + 1])
                    split = sorted({error[row], *ends})
                    bounds = [-np.inf, *split, np.inf]
                    total = sum(integrate.quad(joint, *pair, limit=200)[0] for pair in pairwise(bounds))
                    expected = np.log(joint(error[row]) / total)
                # the Student-t normaliser is a sum over nodes, and quad's own tolerance is 1e-8
                assert ours[s, row] == pytest.approx(expected, abs=1e-8 if normal else 1e-5)


@pytest.fixture(scope="module")
def fitted(small):
    return bn.fit(small, spec_of(), draws=1000, chains=2, seed=5)


def test_loo_is_that_of_arviz_on_the_tree(fitted):
    ours = loo(fitted, mend=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that some k are bad is what the last column of ours says
        theirs = arviz_stats.loo(fitted.tree, pointwise=True)
    expected = theirs.elpd_i.to_numpy() - np.log(fitted.design.scales.outcome_sd)
    good = ours.k_hat < 0.5  # arviz guesses a relative efficiency, which moves the length of the smoothed tail
    np.testing.assert_allclose(ours.pointwise[good], expected[good], atol=0.02)
    assert ours.labels[0] == "unit 1 1"
    assert ours.n_exact == 0
    assert ours.se == pytest.approx(np.sqrt(len(expected) * expected.var(ddof=1)), rel=0.02)


def test_bad_rows_of_loo_are_scored_exactly(fitted, monkeypatch):
    monkeypatch.setattr(module, "BAD_K", 0.2)
    mended, plain, exact = loo(fitted), loo(fitted, mend=False), leave_one_row_out(fitted)
    bad = plain.k_hat > 0.2
    assert mended.n_exact == bad.sum() > 3
    np.testing.assert_array_equal(mended.pointwise[~bad], plain.pointwise[~bad])
    # refits of the few rows that are bad even so: the same seeds differ by position in the list
    np.testing.assert_allclose(mended.pointwise[bad], exact.pointwise[bad], atol=0.05)


@pytest.mark.slow(minutes=1)
def test_weighted_scores_are_those_of_refits(fitted, monkeypatch):
    """PSIS on the full fit against a refit without each fold or unit; both within Monte Carlo error of the truth."""
    sampler = replace(module.SHORT, draws=1000)
    weighted = leave_one_row_out(fitted, folds=8, seed=3), leave_one_unit_out(fitted), leave_one_row_out(fitted)
    monkeypatch.setattr(module, "BAD_K", -9.0)
    folds, units = leave_one_row_out(fitted, folds=8, sampler=sampler, seed=3), leave_one_unit_out(fitted, sampler)
    assert folds.n_exact == fitted.design.n_obs
    assert units.n_exact == len(fitted.design.units)
    assert np.isnan(folds.k_hat).all()
    # log means over about 1,000 draws of densities with a relative SD near 0.5 (rows) and 1 (units)
    np.testing.assert_allclose(weighted[0].pointwise, folds.pointwise, atol=0.12)
    np.testing.assert_allclose(weighted[1].pointwise, units.pointwise, atol=0.25)
    # a row held out alone has at least as much to go by on average
    assert weighted[2].elpd > folds.elpd - 1
    assert folds.note == "8 folds"


def test_folds_spread_the_rows_of_a_unit(fitted):
    design = fitted.design
    for folds in (2, 8, design.n_obs):
        dealt = module.deal(design, folds, seed=1)
        assert set(dealt) == set(range(folds))
        assert all(len(set(dealt[design.unit == i])) > 1 for i in range(len(design.units)))
    with pytest.raises(SpecError, match="1 folds"):
        leave_one_row_out(fitted, folds=1)


def test_future_periods_against_dense_conditionals_of_another_run(fitted):
    scored = leave_future_out(fitted, first=4)
    assert scored.labels == ("5", "6")
    data = fitted.data
    past = np.flatnonzero(data.design.time < 5)
    block = np.flatnonzero(data.design.time == 5)
    block = block[np.isin(data.design.unit[block], data.design.unit[past])]
    train = collapse(restrict(data, past), PRIORS)
    draws = sample_until_passed(train, PRIORS, replace(module.SHORT, seed=77), keep=1800).draws
    some = range(0, len(draws["error_sd"]), 3)
    densities = [conditional(data, {name: v[s] for name, v in draws.items()}, block, past) for s in some]
    expected = logsumexp(densities) - np.log(len(densities)) - len(block) * np.log(data.design.scales.outcome_sd)
    spread = np.std(np.exp(densities - np.max(densities))) / np.mean(np.exp(densities - np.max(densities)))
    # 400 draws here and 1,200 there
    assert scored.pointwise[1] == pytest.approx(expected, abs=4 * spread * np.hypot(400**-0.5, 1200**-0.5))


def test_undefined_scores_are_named(small, fitted):
    fixed = bn.fit(small, spec_of(unit_effects="fixed", time_effects="fixed"), draws=300, chains=2)
    with pytest.raises(SpecError, match="fixed effects of units") as error:
        leave_one_unit_out(fixed)
    assert error.value.fix
    with pytest.raises(SpecError, match="fixed effects of periods"):
        leave_future_out(fixed)
    with pytest.raises(SpecError, match="no period to predict"):
        leave_future_out(fitted, first=6)
    with pytest.raises(SpecError, match="unknown method"):
        accuracy(fitted, "aic")
    scores = {"partial": accuracy(fitted, "leave_one_unit_out"), "fixed": accuracy(fixed, "leave_one_unit_out")}
    without_refits = accuracy(fitted, "leave_one_unit_out", mend=False)
    kept = scores["partial"].k_hat <= module.BAD_K
    assert without_refits.pointwise[kept] == pytest.approx(scores["partial"].pointwise[kept])
    assert without_refits.n_exact == 0
    table = comparison_table(scores)
    assert list(table["model"]) == ["partial", "fixed"]
    assert table["note"].iloc[1].startswith("undefined: fixed effects of units")
    assert np.isnan(table["elpd"].iloc[1])
    assert table["weight"].iloc[0] == 1
    rows = {"partial": leave_one_row_out(fitted), "fixed": leave_one_row_out(fixed)}
    table = comparison_table(rows)
    best = rows[table["model"].iloc[0]].pointwise
    difference = rows[table["model"].iloc[1]].pointwise - best
    assert table["elpd_diff"].iloc[1] == pytest.approx(difference.sum())
    assert table["se_diff"].iloc[1] == pytest.approx(np.sqrt(len(best)) * difference.std(ddof=1))
    assert table["elpd_diff"].iloc[0] == 0
    assert set(METHODS) == {"loo", "leave_one_row_out", "leave_one_unit_out", "leave_future_out"}


def test_stacking_is_a_maximum():
    """Against the fixed point of Bayes' rule for mixture weights, and the first-order conditions of the maximum."""
    random = np.random.default_rng(9)
    scores = [random.normal(centre, 1.0, 200) for centre in (-1.0, -0.9, -1.3, -3.0)]
    weights = stacking(scores)
    density = np.exp(np.column_stack(scores))
    mixed = np.full(4, 0.25)
    for _ in range(20_000):
        mixed = mixed * (density / (density @ mixed)[:, None]).mean(axis=0)
    np.testing.assert_allclose(weights, mixed, atol=1e-5)
    gradient = (density / (density @ weights)[:, None]).mean(axis=0)
    np.testing.assert_allclose(gradient[weights > 1e-6], 1, atol=1e-5)
    assert (gradient <= 1 + 1e-5).all()
    np.testing.assert_allclose(stacking([s - 900.0 for s in scores]), weights, atol=1e-8)  # joint densities underflow
    assert stacking(scores[:1]) == 1
    with pytest.raises(SpecError, match="same points"):
        stacking([np.zeros(3), np.zeros(4)])


def test_models_scored_on_different_data_do_not_compare():
    one = Accuracy("loo", ("a", "b"), np.zeros(2), np.zeros(2))
    with pytest.raises(SpecError, match="different data"):
        comparison_table({"one": one, "two": Accuracy("loo", ("a", "c"), np.zeros(2), np.zeros(2))})
    with pytest.raises(SpecError, match="different methods"):
        comparison_table({"one": one, "two": Accuracy("leave_future_out", reason="none")})
    assert one.n_bad == 0
    assert Accuracy("loo", ("a", "b"), np.zeros(2), np.array([0.8, np.nan])).n_bad == 1
