"""`bn.iv_hierarchical`: against 2SLS, the full PyMC model and known truth; weak instruments, exclusion, bad input.

`instruments.strength`, `instruments.rows` and `instruments.pymc_iv` are tested here too. Tolerances: Monte Carlo errors
where two samplers meet (4 of them); elsewhere beside each number.
"""

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.bayesian.instruments.density import collapse_instruments
from bayes_npp.bayesian.instruments.iv_hierarchical import restore_instruments
from bayes_npp.bayesian.instruments.strength import NEAR_PRIOR, Learned
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.errors import BayesNppError, ImportanceError, SpecError
from tests.bayesian.instruments.panels import SPEC, changed, panel_of, world

GROUPED = {"slopes": "group"}


@pytest.fixture(scope="module")
def strong():
    return panel_of(world(7, units=60, periods=8, strength=1.5))


@pytest.fixture(scope="module")
def grouped():
    return panel_of(world(7, slopes=(0.6, 0.1, -0.3)))


@pytest.fixture(scope="module")
def fit(grouped):
    return bn.iv_hierarchical(grouped, changed(**GROUPED), ["z1"])


def test_a_probability_is_asked_by_a_proposition_and_by_nothing_ill_formed(fit):
    shares = fit.design.group_shares
    assert fit.probability("average_slope > 0.1") == fit.probability(shares, 0.1)
    for asked in ("text", None, shares[:1]):
        with pytest.raises(BayesNppError, match="the probability asked for: "):
            fit.probability(asked)


def test_one_strong_instrument_is_two_stage_least_squares(strong):
    """Flat-ish priors, the correlation free: within a fifth of a standard error, and nearly its spread."""
    wide = {"set": "diffuse", "exposure": {"family": "normal", "sigma": 50.0}}
    row = bn.iv_hierarchical(strong, SPEC, ["z1"], priors=wide).estimates().frame.iloc[0]
    plain = bn.iv(strong, SPEC, ["z1"], covariance="classical").frame.iloc[0]
    assert row["estimand"] == plain["estimand"] == "pooled_slope"
    assert row["estimate"] == pytest.approx(plain["estimate"], abs=0.2 * plain["spread"])
    assert row["spread"] == pytest.approx(plain["spread"], rel=0.15)
    # Least squares is several standard errors away: the instrument is not idle.
    assert abs(bn.twfe(strong, SPEC).frame.iloc[0]["estimate"] - plain["estimate"]) > 4 * plain["spread"]


def test_rows(fit, grouped):
    """Averages, groups, differences, first stage, correlation: each from the draws, in the data's units."""
    table = fit.estimates()
    assert fit.engine == "importance"
    assert fit.passed
    rows = table.frame[table.frame["term"] == "x"]
    assert (
        rows["estimand"].tolist()
        == ["average_slope", "mean_group_slope", *["group_slope"] * 3] + ["slope_difference"] * 3
    )
    own = table.select(estimand="group_slope")
    assert own["estimate"].to_numpy() == pytest.approx(fit.slopes.mean(axis=0))
    assert own["estimate"].to_numpy() == pytest.approx([0.6, 0.1, -0.3], abs=4 * own["spread"].max())
    difference = table.select(group="a - c").iloc[0]
    assert difference["estimate"] == pytest.approx(own["estimate"].iloc[0] - own["estimate"].iloc[2], rel=1e-9)
    share = fit.design.group_shares @ own["estimate"].to_numpy()
    assert rows.iloc[0]["estimate"] == pytest.approx(share, rel=1e-9)
    first = table.select(term="z1").iloc[0]
    assert first["outcome"] == "x"
    assert first["estimate"] == pytest.approx(1.0, abs=4 * first["spread"])
    correlation = table.select(term="error_correlation").iloc[0]
    assert correlation["estimate"] == pytest.approx(0.6, abs=4 * correlation["spread"])
    scale = table.select(term="error_sd", outcome="x").iloc[0]
    assert scale["estimate"] == pytest.approx(1.0, abs=4 * scale["spread"])
    # A mean of normal tails is the share of draws in which it holds, up to that share's binomial error.
    for _, row in rows.iterrows():
        draws = fit.slopes[:, 0] - fit.slopes[:, 2] if row["group"] == "a - c" else None
        if draws is not None:
            assert row["prob_positive"] == pytest.approx((draws > 0).mean(), abs=0.03)


def test_units_of_the_data_do_not_matter(fit, grouped):
    frame = grouped.frame.assign(
        y=grouped.frame["y"] * 10 + 5, x=grouped.frame["x"] / 4 - 1, z1=grouped.frame["z1"] * 7
    )
    other = bn.iv_hierarchical(panel_of(frame), changed(**GROUPED), ["z1"]).estimates().frame
    mine = fit.estimates().frame
    factor = {("y", "x"): 40.0, ("y", "c"): 10.0, ("x", "z1"): 1 / 28, ("y", "error_sd"): 10.0, ("x", "error_sd"): 0.25}
    for (outcome, term), times in factor.items():
        ours = mine[(mine["outcome"] == outcome) & (mine["term"] == term)]["estimate"].to_numpy()
        theirs = other[(other["outcome"] == outcome) & (other["term"] == term)]["estimate"].to_numpy()
        assert theirs == pytest.approx(times * ours, rel=1e-3, abs=1e-3)


def test_functions_of_unit_and_of_period_do_not_matter(fit, grouped):
    """Effects are flat in both equations: what a unit or a period adds to any column is theirs, to rounding."""
    frame, rng = grouped.frame.copy(), np.random.default_rng(2)
    unit, time = (3 * rng.standard_normal(size) for size in (30, 9))
    for name in ("y", "x", "c", "z1"):
        frame[name] += unit[frame["unit"].astype(int)] + time[frame["time"].astype(int)]
    # Slopes by group: what is added to the exposure is no function of the unit times each group's own slope.
    spec, before = SPEC, bn.iv_hierarchical(grouped, SPEC, ["z1"]).estimates().frame
    after = bn.iv_hierarchical(panel_of(frame), spec, ["z1"]).estimates().frame
    assert after["estimate"].to_numpy() == pytest.approx(before["estimate"].to_numpy(), rel=1e-4, abs=1e-5)


def test_the_same_seed_gives_the_same_rows(fit, grouped):
    again = bn.iv_hierarchical(grouped, changed(**GROUPED), ["z1"])
    assert again.estimates().frame.equals(fit.estimates().frame)
    kept = restore_instruments(fit.tree, fit.equations, fit.priors, fit.sampler)
    assert kept.estimates().frame.equals(fit.estimates().frame)
    assert str(kept.diagnostics) == str(fit.diagnostics)
    assert len(repr(fit).splitlines()) <= 10


def test_a_weak_instrument_leaves_the_posterior_near_its_prior():
    """Strength zero against one: the ratio of SDs says it, and the first row's note.

    A useless instrument is correlated with the exposure by chance: with an F around one the ratio is some way below 1.
    """
    weak = bn.iv_hierarchical(panel_of(world(3, strength=0.0)), SPEC, ["z1"])
    assert weak.learned.near_prior
    assert 0.7 < weak.learned.ratio < 1.1
    assert "near the prior" in weak.estimates().frame.iloc[0]["note"]
    assert weak.learned.prior_sd == pytest.approx(weak.unit)  # the prior's sigma is one
    clear = bn.iv_hierarchical(panel_of(world(3, strength=1.0)), SPEC, ["z1"])
    assert not clear.learned.near_prior
    assert clear.learned.ratio < 0.2
    assert "near the prior" not in clear.estimates().frame.iloc[0]["note"]
    assert Learned(2.0, 1.0, NEAR_PRIOR).near_prior
    assert not Learned(2.0, 1.0, NEAR_PRIOR - 0.01).near_prior


def test_exclusion(strong):
    """A direct effect of the instrument biases 2SLS by direct / strength; its prior gives that doubt to the slope."""
    panel = panel_of(world(5, units=60, strength=1.0, direct=0.3))
    fit = bn.iv_hierarchical(panel, SPEC, ["z1"])
    rows = fit.under_exclusion((0.0, 0.1, 0.4))
    assert [row.sd for row in rows] == [0.0, 0.1, 0.4]
    assert rows[0].estimate == pytest.approx(fit.estimates().frame.iloc[0]["estimate"])
    assert rows[0].lo > 0.3  # the biased slope excludes the truth
    assert rows[2].lo < 0.3 < rows[2].hi
    assert rows[0].spread < rows[1].spread < rows[2].spread
    assert rows[0].probability > rows[2].probability
    declared = bn.iv_hierarchical(panel, SPEC, ["z1"], exclusion=0.4)
    row = declared.estimates().frame.iloc[0]
    assert row["estimate"] == pytest.approx(rows[2].estimate, abs=0.15 * rows[2].spread)
    assert row["spread"] == pytest.approx(rows[2].spread, rel=0.1)
    own = declared.estimates().select(term="z1", outcome="y")
    assert len(own) == 1
    assert fit.estimates().select(term="z1", outcome="y").empty


def test_no_correlation_is_the_hierarchical_model():
    """A correlation held at zero leaves the outcome's equation alone: the slope of `bn.fit` with fixed effects."""
    panel = panel_of(world(6, correlation=0.0))
    none = {"endogeneity": {"family": "normal", "mu": 0.0, "sigma": 1e-4}}
    row = bn.iv_hierarchical(panel, SPEC, ["z1"], priors=none).estimates().frame.iloc[0]
    plain = bn.fit(panel, SPEC).estimates().frame.iloc[0]
    assert row["estimate"] == pytest.approx(plain["estimate"], abs=0.05 * plain["spread"])
    assert row["spread"] == pytest.approx(plain["spread"], rel=0.05)


@pytest.mark.slow(minutes=4)
@pytest.mark.xdist_group("pymc")
@pytest.mark.parametrize(
    ("changes", "names", "exclusion", "made"),
    [
        ({}, ("z1",), 0.0, {"strength": 0.3}),
        ({"slopes": "group", "errors": "ar1"}, ("z1", "z2"), 0.2, {"slopes": (0.6, 0.1, -0.3), "rho": (0.5, 0.3)}),
        ({"unit_effects": "partial", "time_effects": "partial"}, ("z1",), 0.0, {"missing": 0.2}),
    ],
    ids=["one slope", "groups, AR(1), exclusion", "partial effects"],
)
def test_full_model(changes, names, exclusion, made):
    """Means of slopes, scales and shapes by importance, and by NUTS on every coefficient: 4 Monte Carlo errors."""
    from arviz_stats.base import array_stats

    panel = panel_of(world(11, units=20, periods=8, instruments=len(names), **made))
    spec, options = changed(**changes), {"exclusion": exclusion, "draws": 2000}
    ours = bn.iv_hierarchical(panel, spec, names, engine="importance", **options)
    full = bn.iv_hierarchical(panel, spec, names, engine="nuts", **options)
    assert ours.passed
    assert full.passed
    compared = 0
    for name, array in full.tree["posterior"].data_vars.items():
        theirs = array.to_numpy().reshape(*array.shape[:2], -1)
        mine = ours.values(str(name)).reshape(-1, theirs.shape[-1])
        for k in range(theirs.shape[-1]):
            error = float(array_stats.mcse(theirs[:, :, k], method="mean"))
            own = mine[:, k].std() / np.sqrt(ours.diagnostics.effective)
            assert mine[:, k].mean() == pytest.approx(theirs[:, :, k].mean(), abs=4 * np.hypot(error, own)), name
            assert mine[:, k].std() == pytest.approx(theirs[:, :, k].std(), rel=0.12), name
            compared += 1
    assert compared > 5
    shown, again = ours.estimates().frame, full.estimates().frame
    assert shown[["term", "group", "estimand"]].equals(again[["term", "group", "estimand"]])
    assert again["prob_positive"].iloc[0] == pytest.approx(shown["prob_positive"].iloc[0], abs=0.03)


@pytest.mark.parametrize(
    ("change", "options", "problem"),
    [
        ({}, {"instruments": ["c"]}, "instrument 'c' is a regressor"),
        ({}, {"instruments": ["x"]}, "instrument 'x' is a regressor"),
        ({}, {"instruments": ["y"]}, "instrument 'y' is the outcome"),
        ({}, {"instruments": []}, "no instrument"),
        ({}, {"instruments": ["z1", "z1"]}, "'z1' is named twice"),
        ({}, {"instruments": ["w"]}, "w"),
        ({"z1": "unit"}, {}, "instrument 'z1' does not vary once the effects are removed"),
        ({"z1": "time"}, {}, "instrument 'z1' does not vary once the effects are removed"),
        ({"z1": "unit"}, {"spec": {"unit_effects": "partial"}}, "instrument 'z1' does not vary"),
        ({"z1": "twice"}, {}, "instrument 'z1' is a linear combination of x, c"),
        ({"z1": "blank"}, {}, "instrument 'z1' is blank in every row"),
        ({}, {"exclusion": -0.1}, "exclusion = -0.1"),
        ({}, {"exclusion": np.nan}, "exclusion = nan"),
        ({}, {"engine": "collapsed"}, "engine = 'collapsed' with instruments"),
        ({}, {"priors": {"exposure": {"family": "flat"}}}, "a flat prior of the exposure's slope with instruments"),
        ({}, {"priors": {"exposure": {"family": "laplace", "scale": 1.0}}}, "a laplace prior of 'exposure'"),
        ({}, {"spec": {"errors": "factor"}}, "errors = 'factor' with instruments"),
        ({}, {"spec": {"errors": "unit_scale"}}, "errors = 'unit_scale' with instruments"),
        ({}, {"spec": {"errors": "ar1+unit_scale"}}, "errors = 'ar1\\+unit_scale' with instruments"),
        ({}, {"spec": {"errors": "student_t"}}, "errors = 'student_t' with instruments"),
        ({}, {"spec": {"slopes": "unit"}}, "slopes = 'unit' with instruments"),
        ({}, {"spec": {"unit_trends": True}}, "unit_trends with instruments"),
        ({}, {"spec": {"exposure_factor": "fixed"}}, "exposure_factor with instruments"),
        ({}, {"spec": {"transform": "first_difference"}}, "transform = 'first_difference' with instruments"),
        ({}, {"spec": {"exposure": None}}, "instruments without an exposure"),
    ],
)
def test_bad_input(change, options, problem):
    frame = world(3, units=10, periods=5, slopes=(0.3, 0.2))
    values = {"unit": frame["unit"] * 1.5, "time": frame["time"] ** 2.0, "twice": 2 * frame["c"], "blank": np.nan}
    panel = panel_of(frame.assign(**{name: values[how] for name, how in change.items()}))
    spec = changed(**options.pop("spec", {}))
    with pytest.raises(BayesNppError, match=problem):
        bn.iv_hierarchical(panel, spec, options.pop("instruments", ["z1"]), **options)


def test_a_set_without_the_priors_of_instruments_is_refused(strong):
    priors = load_priors("weakly_informative")
    without = priors.model_copy(update={"prior": {k: v for k, v in priors.prior.items() if k != "endogeneity"}})
    with pytest.raises(SpecError, match="has no prior for 'endogeneity'"):
        bn.iv_hierarchical(strong, SPEC, ["z1"], priors=without)


def test_more_scales_than_importance_takes_are_the_full_model_s(grouped):
    spec = changed(slopes="group", errors="ar1", unit_effects="partial", time_effects="partial")
    with pytest.raises(ImportanceError, match="10 scales and shapes, more than 8"):
        bn.iv_hierarchical(grouped, spec, ["z1"], engine="importance")


def test_blank_instruments_are_rows_left_out():
    frame = world(3)
    holes = frame.assign(z1=frame["z1"].where(frame.index % 10 != 0))
    row = bn.iv_hierarchical(panel_of(holes), SPEC, ["z1"]).estimates().frame.iloc[0]
    assert row["n_obs"] == holes["z1"].notna().sum()
    assert "rows left out" in row["note"]


def test_the_pymc_model_has_the_declared_priors(strong):
    """Its density at a point is that of priors, coefficients and rows, added by hand."""
    from scipy import stats

    from bayes_npp.bayesian.instruments.equations import build_equations
    from bayes_npp.bayesian.instruments.pymc_iv import build_iv_model
    from tests.bayesian.quick import quick_mode

    frame = world(3, units=6, periods=5)
    spec = changed(unit_effects="none", time_effects="none", correlated_means=False, controls=())
    equations = build_equations(panel_of(frame), spec, ("z1",))
    collapsed = collapse_instruments(equations, load_priors("weakly_informative"))
    model = build_iv_model(collapsed)
    point = model.initial_point()
    rng = np.random.default_rng(1)
    point["coefficient_raw"] = rng.standard_normal(len(point["coefficient_raw"]))
    values = {"exposure_error_sd": 0.8, "error_sd": 1.3, "endogeneity": 0.7}
    for variable in model.value_vars:
        name = variable.name.removesuffix("_log__")
        if name in values:
            point[variable.name] = np.log(values[name]) if variable.name.endswith("_log__") else np.array(values[name])
    import pytensor

    inputs = list(model.value_vars)
    found = pytensor.function(inputs, model.logp(jacobian=False), mode=quick_mode())(*(point[v.name] for v in inputs))
    raw, at, coefficients = point["coefficient_raw"], 0, {}
    for term in collapsed.columns:
        known = collapsed.layout.column_sd[at : at + term.width]
        coefficients[term.variable] = raw[at : at + term.width] * known
        at += term.width
    x, y = equations.exposure, equations.outcome
    v = x.outcome - coefficients["exposure_intercept"] - x.control_columns @ coefficients["first_stage"]
    independent = 1.3 / np.hypot(1, 0.7)
    k = 0.7 * independent / 0.8
    e = y.outcome - coefficients["intercept"] - y.slope_columns[:, 0] * coefficients["exposure_slope"] - k * v
    expected = stats.norm.logpdf(v, 0, 0.8).sum() + stats.norm.logpdf(e, 0, independent).sum()
    expected += stats.norm.logpdf(raw).sum() + stats.halfnorm.logpdf([0.8, 1.3]).sum()
    expected += np.log(0.5) - 1.5 * np.log1p(0.7**2)  # a uniform correlation
    assert float(np.sum(found)) == pytest.approx(expected, rel=1e-9)
