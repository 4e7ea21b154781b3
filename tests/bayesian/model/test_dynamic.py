"""The dynamic panel: known truth, dense linear algebra, a regression from the raw rows, the other engine, bad input."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import linalg

import bayes_npp as bn
from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.comparison import accuracy
from bayes_npp.bayesian.fitting.refit import SHORT, sample_until_passed
from bayes_npp.bayesian.model.dynamic import gaps_note, long_run_summary, quantities
from bayes_npp.bayesian.model.generate import outcomes, prior_parameters
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.model.terms import fitted_values
from bayes_npp.bayesian.priors.families import PriorSpec
from bayes_npp.bayesian.priors.sets import check_priors, load_priors, prior_set
from bayes_npp.bayesian.validation.calibration import calibrate
from bayes_npp.design.design import build_design
from bayes_npp.design.projection import two_way_parts
from bayes_npp.panels.simulation import simulate_dynamic
from tests.bands import share_band
from tests.bayesian import dense
from tests.bayesian.collapsed.test_collapsed_models import a_theta, assert_gradient, prior, shifted_priors, values_at
from tests.bayesian.fitting.test_agreement import check_agreement

SPEC = bn.Spec(outcome="outcome", exposure="exposure", dynamic=True)
TRUTH = {"persistence": 0.6, "short_run": 0.4, "long_run": 1.0}


def panel_of(frame, **options):
    return bn.read_panel(frame, unit="unit", time="time", **options)


def changed(**options):
    return bn.Spec(**{**SPEC.model_dump(), **options})


@cache
def unbalanced():
    """Late entries, gaps, a control and groups."""
    frame = simulate_dynamic(25, 7, missing=0.15, seed=8).frame
    frame["control"] = 0.4 * frame["exposure"] + np.random.default_rng(3).standard_normal(len(frame))
    frame["group"] = np.array(["north", "south"])[frame["unit"].factorize()[0] % 2]
    return frame


# --- Recovery ---


def posterior(seed, **options):
    """Draws of persistence, short-run and long-run effect on a simulated panel, and the within estimate of rho."""
    simulation = simulate_dynamic(seed=seed, **options)
    design = build_design(panel_of(simulation.frame), SPEC)
    priors = load_priors("weakly_informative")
    draws = sample_until_passed(collapse(prepare(design), priors), priors, replace(SHORT, seed=seed), keep=1800).draws
    rho, slope = draws["persistence"], draws["slope"]
    columns = np.column_stack([design.outcome, design.lag, design.exposure])
    within = two_way_parts(columns, design.unit, design.time).residual
    nickell = np.linalg.lstsq(within[:, 1:], within[:, 0], rcond=None)[0][0]
    return {"persistence": rho, "short_run": slope, "long_run": slope / (1 - rho)}, nickell


def test_persistence_is_recovered_where_fixed_effects_are_biased():
    # The posterior SD of rho is about .033 with 150 units, so the mean of 12 panels has a standard error of .01:
    # four of them about .6. Nickell's bias at rho = .6 and 8 periods is about -.18, six times that.
    draws, within = zip(*(posterior(seed, n_units=150) for seed in range(12)), strict=True)
    means = {name: np.mean([np.median(d[name]) for d in draws]) for name in TRUTH}
    assert abs(means["persistence"] - 0.6) < 0.04
    assert abs(np.mean(within) - 0.42) < 0.03
    assert abs(means["short_run"] - 0.4) < 0.03  # posterior SD .028
    assert abs(means["long_run"] - 1.0) < 0.15  # posterior SD .1


@pytest.mark.slow
@pytest.mark.parametrize("burn_in", [50, 0], ids=["stationary", "all units start at zero"])
def test_intervals_cover(burn_in, seed):
    # Fixed truths against proper priors: a coverage of .95 up to a small bias.
    fits = [posterior(seed + k, burn_in=burn_in)[0] for k in range(1000, 1200)]
    band = share_band(200, 0.95, comparisons=len(TRUTH))
    for name, truth in TRUTH.items():
        bounds = np.array([np.quantile(draws[name], [0.025, 0.975]) for draws in fits])
        coverage = np.mean((bounds[:, 0] < truth) & (truth < bounds[:, 1]))
        assert band[0] <= coverage <= band[1], (name, coverage)


# --- The density ---

MODELS = {
    "one slope": {},
    "no exposure": {"exposure": None},
    "fixed periods": {"time_effects": "fixed", "controls": ("control",)},
    "no periods": {"time_effects": "none"},
    "unit scales": {"errors": "unit_scale", "controls": ("control",)},
    "groups": {"slopes": "group", "controls": ("control",), "varying": ("control",)},
    "unpooled": {"slopes": "group", "slope_pooling": "none", "errors": "unit_scale"},
    "exchangeable": {"slopes": "group", "slope_pooling": "exchangeable", "group_time_effects": "group"},
}
RHO = {
    "uniform": prior("uniform", lower=-1.0, upper=1.0),
    "truncated_normal": prior("truncated_normal", mu=0.5, sigma=0.3, lower=-0.2, upper=0.99),
    "scaled_beta": prior("scaled_beta", alpha=4.0, beta=2.0),
}


@cache
def data_of(model):
    return prepare(build_design(panel_of(unbalanced()), changed(**MODELS[model])))


@pytest.mark.parametrize("family", RHO)
@pytest.mark.parametrize("model", MODELS)
def test_density_and_gradient(model, family):
    priors = shifted_priors().replaced(persistence=RHO[family])
    collapsed = collapse(data_of(model), priors)
    for seed in range(2):
        theta = a_theta(collapsed, seed)
        assert_gradient(collapsed, theta)
        values = values_at(collapsed, theta)
        assert np.ndim(values["persistence"]) == 0
        own = collapsed.log_density(theta, likelihood_only=True)[0]
        np.testing.assert_allclose(own, dense.log_likelihood(data_of(model), priors, values), rtol=1e-9)


@pytest.mark.parametrize("missing", [0.0, 0.15], ids=["balanced", "unbalanced"])
def test_the_model_is_the_regression_on_initial_conditions(missing):
    """Given rho and the scales, against generalised least squares on columns made from the raw rows.

    On y - rho y(-1): exposure, period dummies, unit means, initial exposure and outcome, entry periods. Priors are wide
    (between 1e3, exposure flat), so the two differ by terms of the order 1e-6.
    """
    frame = simulate_dynamic(30, 6, missing=missing, seed=5).frame
    panel = panel_of(frame)
    design = build_design(panel, changed(time_effects="fixed"))
    priors = load_priors("weakly_informative").replaced(
        exposure=prior("flat"), between=prior("normal", mu=0.0, sigma=1e3)
    )
    rho, unit_sd, error_sd = 0.55, 0.3, 0.4
    values = {"persistence": rho, "unit_sd": unit_sd, "error_sd": error_sd}
    names, mean, covariance = dense.conditional(prepare(design), priors, values)
    at = names.index(("exposure_slope", 0))

    rows = frame.merge(frame.assign(time=frame["time"] + 1), on=["unit", "time"], suffixes=("", "_0"))
    rows = rows.sort_values(["unit", "time"]).reset_index(drop=True)
    assert len(rows) == design.n_obs
    first = rows.groupby("unit").first()
    unit, time = pd.get_dummies(rows["unit"], dtype=float), pd.get_dummies(rows["time"], dtype=float)
    entry = pd.get_dummies(first["time"], dtype=float)
    # Means of the exposure less its period part, from a regression on both sets of dummies.
    both = np.column_stack([unit, time])
    fitted = np.linalg.lstsq(both, rows["exposure"].to_numpy(), rcond=None)[0][len(unit.columns) :]
    adjusted = rows["exposure"] - time.to_numpy() @ fitted
    levels = np.column_stack([adjusted.groupby(rows["unit"]).mean(), first[["exposure_0", "outcome_0"]], entry])
    columns = np.column_stack([rows["exposure"], time, unit.to_numpy() @ levels])
    own, columns = columns[:, 0], columns[:, 1:]
    scales = design.scales
    y = (rows["outcome"] - rho * rows["outcome_0"]).to_numpy() / scales.outcome_sd
    x = own / scales.divisors["exposure"]
    factor = linalg.cholesky(
        error_sd**2 * np.eye(len(y)) + unit_sd**2 * unit.to_numpy() @ unit.to_numpy().T, lower=True
    )
    x, y, columns = (linalg.solve_triangular(factor, part, lower=True) for part in (x, y, columns))
    x = x - columns @ np.linalg.lstsq(columns, x, rcond=None)[0]
    assert mean[at] == pytest.approx(x @ y / (x @ x), abs=1e-5)
    assert covariance[at, at] == pytest.approx(1 / (x @ x), rel=1e-5)


def test_initial_values_and_lags_enter_by_time():
    frame = unbalanced()
    shuffled = frame.sample(frac=1, random_state=1)
    design = build_design(panel_of(shuffled.sort_values("unit", kind="stable")), SPEC)
    raw = frame.set_index(["unit", "time"])
    periods = np.array(design.times)[design.time]
    for i, label in enumerate(design.units):
        own = design.unit == i
        keys = [(label, t - 1) for t in periods[own]]
        np.testing.assert_allclose(design.lag[own], raw.loc[keys, "outcome"])
        np.testing.assert_allclose(design.initial[i], raw.loc[keys[0], ["outcome", "exposure"]].astype(float))
    assert design.n_obs == sum((u, t - 1) in raw.index for u, t in raw.index)
    assert gaps_note(design).endswith("condition on the outcome that ends it")


def test_years_before_the_window_serve_and_a_blank_initial_regressor_delays_the_start():
    frame = simulate_dynamic(12, 6, seed=2).frame
    frame.loc[(frame["unit"] == "unit 03") & (frame["time"] == 2), "exposure"] = np.nan
    design = build_design(panel_of(frame, window=(3, 6)), SPEC)
    assert design.times == (3, 4, 5, 6)
    assert design.n_obs == 12 * 4 - 1
    assert design.n_dropped == 1
    late = frame[(frame["unit"] == "unit 03") & (frame["time"] == 3)]
    np.testing.assert_allclose(design.initial[2], late[["outcome", "exposure"]].to_numpy()[0])
    # A gap in the regressor alone later on drops its row, not the row after it, whose lag is known.
    frame.loc[(frame["unit"] == "unit 05") & (frame["time"] == 5), "exposure"] = np.nan
    assert build_design(panel_of(frame, window=(3, 6)), SPEC).n_obs == design.n_obs - 1


# --- The rest of the package ---


@pytest.fixture(scope="module")
def fitted():
    return bn.fit(panel_of(simulate_dynamic(60, 8, seed=1).frame), SPEC, draws=500, chains=2, seed=3)


def test_estimates(fitted):
    table = fitted.estimates()
    rows = table.frame.set_index("estimand")
    rho, slope = fitted.values("persistence"), fitted.values("slope")
    assert rows.loc["coefficient", "term"] == "L1.outcome"
    assert rows.loc["coefficient", "estimate"] == pytest.approx(rho.mean())
    assert rows.loc["short_run", "estimate"] == pytest.approx(slope.mean())
    long = rows.loc["long_run"]
    quantiles = np.quantile(slope / (1 - rho), [0.025, 0.5, 0.975])
    assert [long["lo"], long["estimate"], long["hi"]] == pytest.approx(quantiles)
    assert long["term"] == "exposure"
    assert long["interval"] == "eti"
    assert long["note"].startswith("posterior median")
    assert set(table.frame["estimator"]) == {"hierarchical, dynamic"}
    assert set(rows.index) == {"coefficient", "short_run", "long_run", "scale"}
    assert fitted.tree["posterior"]["persistence"].attrs["prior_role"] == "top"
    np.testing.assert_allclose(fitted.tree["log_prior"]["persistence"], np.log(0.5))


def test_estimates_by_group():
    fit = bn.fit(panel_of(unbalanced()), changed(slopes="group"), draws=200, chains=2, seed=3)
    frame = fit.estimates().frame
    for estimand in ("short_run", "long_run"):
        assert list(frame.loc[frame["estimand"] == estimand, "group"]) == ["", *fit.design.groups]
    short = frame[frame["estimand"] == "short_run"]["estimate"].to_numpy()
    assert short[0] == pytest.approx(fit.design.group_shares @ short[1:])
    assert list(frame.loc[frame["estimand"] == "slope_difference", "group"]) == [" - ".join(fit.design.groups)]


def test_fitted_values_are_one_period_ahead(fitted):
    parameters = fitted.parameters(20)
    without = {**parameters, "persistence": 0 * parameters["persistence"]}
    difference = fitted_values(parameters, fitted.data) - fitted_values(without, fitted.data)
    np.testing.assert_allclose(difference, parameters["persistence"][:, None] * fitted.data.lag)
    assert {check.name for check in fitted.predictive_checks()} >= {"serial correlation"}
    drawn = prior_parameters(fitted.data, fitted.priors, 50, seed=1)
    assert np.abs(drawn["persistence"]).max() < 1
    assert outcomes(drawn, fitted.data, seed=2).shape == (50, fitted.design.n_obs)


def test_whole_units_and_the_future_can_be_held_out(fitted):
    assert np.isfinite(accuracy.leave_one_unit_out(fitted).pointwise).all()
    for score in (accuracy.loo, accuracy.leave_one_row_out):
        with pytest.raises(bn.BayesNppError, match="its outcome is the lag of the next row"):
            score(fitted)


def test_long_run_effects_without_a_mean_are_flagged():
    random = np.random.default_rng(1)
    slope = 0.4 + 0.05 * random.standard_normal(20_000)
    calm = long_run_summary(slope / (1 - 0.5), "")
    assert calm["note"] == "posterior median"
    assert calm["spread"] == pytest.approx(0.1, rel=0.05)
    near_one = 1 - np.abs(0.02 * random.standard_normal(20_000))
    wild = long_run_summary(slope / (1 - near_one), "")
    assert np.isnan(wild["spread"])
    assert "heavy tails" in wild["note"]
    assert wild["estimate"] == pytest.approx(np.median(slope / (1 - near_one)))
    design = data_of("one slope").design
    notes = {labels["estimand"]: labels.get("note", "") for labels, _ in quantities(design, slope[:, None], near_one)}
    assert float(notes["long_run"].removeprefix("P(|rho| > 0.99) = ")) == pytest.approx(
        0.383, abs=0.012
    )  # P(|z| < 1/2)
    assert notes["short_run"] == ""


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"errors": "unit_scale", "slopes": "group"}], ids=["iid", "groups"])
def test_both_engines_agree(options, seed):
    frame = simulate_dynamic(60, 8, unit_sd=1.5, missing=0.05, seed=4).frame
    frame["group"] = np.array(["north", "south"])[frame["unit"].factorize()[0] % 2]
    fits = check_agreement(build_design(panel_of(frame), changed(**options)), seed)
    assert "persistence" in fits[0].tree["posterior"]


# --- Bad input ---


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unit_effects": "fixed"}, "Nickell"),
        ({"unit_effects": "none"}, "dynamic needs unit_effects = 'partial'"),
        ({"correlated_means": False}, "dynamic needs"),
        ({"errors": "ar1"}, "does not combine with errors = 'ar1'"),
        ({"errors": "ar1+unit_scale"}, "does not combine with errors = 'ar1"),
        ({"errors": "known", "se": "se"}, "does not combine with errors = 'known'"),
        ({"transform": "first_difference"}, "dynamic belongs to levels"),
        ({"slopes": "unit"}, "does not combine with slopes = 'unit'"),
        ({"slopes": "group/unit"}, "does not combine with slopes = 'group/unit'"),
    ],
)
def test_specifications_that_are_refused(options, message):
    with pytest.raises(bn.BayesNppError, match=message):
        changed(**options)


def test_panels_that_are_refused():
    frame = simulate_dynamic(12, 6, seed=1).frame
    every_other = frame[frame["time"] % 2 == 0]
    with pytest.raises(bn.BayesNppError, match="no row follows a period with outcome and regressors"):
        bn.fit(panel_of(every_other, step=1), SPEC)
    with pytest.raises(bn.BayesNppError, match="needs a time column"):
        build_design(bn.read_panel(frame.drop(columns="time").drop_duplicates("unit"), unit="unit", time=None), SPEC)
    few = frame[frame["unit"].isin(["unit 01", "unit 02", "unit 03", "unit 04"])]
    with pytest.raises(bn.BayesNppError, match="as many as the 4 units"):
        bn.fit(panel_of(few), SPEC)
    # One row a unit: what is a lag cannot be told from what is an initial value.
    waves = frame[frame["time"] < 2 + 2 * (frame["unit"].factorize()[0] % 2)]
    waves = waves[waves["time"] >= 2 * (waves["unit"].factorize()[0] % 2)]
    with pytest.raises(bn.BayesNppError, match="the lagged outcome does not vary beyond"):
        bn.fit(panel_of(waves), changed(exposure=None))


def test_priors_that_are_refused():
    base = load_priors("weakly_informative")
    without = prior_set("mine", {slot: own for slot, own in base.prior.items() if slot != "persistence"})
    check_priors(without, bn.Spec(outcome="outcome", exposure="exposure"))
    with pytest.raises(bn.BayesNppError, match="no prior for 'persistence'"):
        check_priors(without, SPEC)
    with pytest.raises(bn.BayesNppError, match="'persistence' cannot have a normal prior"):
        base.replaced(persistence=prior("normal", mu=0.0, sigma=1.0))
    with pytest.raises(bn.BayesNppError, match=r"the prior of 'persistence' leaves \(-1, 1\)"):
        base.replaced(persistence=PriorSpec(family="uniform", lower=0.0, upper=1.5, reason="explosive"))


def test_what_a_dynamic_model_does_not_do(fitted):
    panel = panel_of(simulate_dynamic(20, 6, seed=1).frame)
    with pytest.raises(bn.BayesNppError, match="not among the static estimators"):
        bn.twfe(panel, SPEC)
    with pytest.raises(bn.BayesNppError, match="a blank outcome is the lag of the row after it"):
        bn.predict(panel, SPEC)
    with pytest.raises(bn.BayesNppError, match="no fixed columns to simulate on"):
        calibrate(fitted.data, fitted.priors, 2)
    with pytest.raises(bn.BayesNppError, match="persistence must be inside"):
        simulate_dynamic(persistence=1.0)
    with pytest.raises(bn.BayesNppError, match="too few units or periods"):
        simulate_dynamic(n_periods=1)
