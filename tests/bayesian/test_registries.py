"""A part of an error model and a family of priors, made here from a record alone, go through all of a fit."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import bayes_npp as bn
from bayes_npp.bayesian.collapsed.collapsed import collapse, why_not_collapsible
from bayes_npp.bayesian.comparison.accuracy import loo
from bayes_npp.bayesian.fitting.error_ladder import decisive
from bayes_npp.bayesian.fitting.fit import Fit, choose_engine, make_sampler, restore
from bayes_npp.bayesian.fitting.posterior import build_tree
from bayes_npp.bayesian.model.error_models import ERROR_MODELS, ErrorModel, Scale, label_of
from bayes_npp.bayesian.model.generate import outcomes, prior_parameters
from bayes_npp.bayesian.model.likelihood import innovations, log_likelihood
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.model.pymc_model import build_model, separate
from bayes_npp.bayesian.priors.families import FAMILIES, Family, PriorSpec
from bayes_npp.bayesian.priors.sets import check_priors, check_support, load_priors, prior_set
from bayes_npp.design.design import build_design
from bayes_npp.errors import SpecError

pytestmark = pytest.mark.xdist_group("pymc")


def growth_of(data):
    """Periods since the middle of the panel, in units of its length."""
    time = np.array(data.design.times)[data.design.time]
    return (time - np.mean(data.design.times)) / np.ptp(data.design.times)


def grown_in_pymc(data, prior, sd):
    import pytensor.tensor as pt

    return sd * pt.exp(prior("growth") * growth_of(data))


GROWING = ErrorModel(
    label="independent, of a scale that grows",
    short="a scale that grows",
    priors={"growth": "real"},
    scale=Scale(
        rows=lambda parameters, data: np.exp(parameters["growth"][..., None] * growth_of(data)), pymc=grown_in_pymc
    ),
    mends=("spread by period",),
    not_collapsed="nobody has written its compiled density",
)


def chi_square_in_pymc(name, dims, nu):
    import pymc as pm

    return pm.ChiSquared(name, nu, dims=dims)


CHI_SQUARE = Family(
    parameters=("nu",),
    kinds=("positive",),
    log_density=lambda values, nu: stats.chi2.logpdf(values, nu),
    draw=lambda random, size, nu: random.chisquare(nu, size),
    pymc=chi_square_in_pymc,
    support="POSITIVE",
    code="GAMMA",
    coded=lambda nu: (nu / 2, 0.5),
    typical=lambda nu: nu,
)


@pytest.fixture
def growing(monkeypatch):
    monkeypatch.setitem(ERROR_MODELS, "growing", GROWING)


@pytest.fixture
def chi_square(monkeypatch):
    monkeypatch.setitem(FAMILIES, "chi_square", CHI_SQUARE)


@pytest.fixture(scope="module")
def panel():
    frame = bn.simulate(12, 6, {"a": 0.5, "b": 0.1}, controls=(0.4,), missing=0.1, seed=5).frame
    return bn.read_panel(frame, unit="unit", time="time", group="group")


def spec_of(errors):
    return bn.Spec(outcome="outcome", exposure="exposure", controls=("control_1",), slopes="group", errors=errors)


def with_growth(sigma=0.5):
    weak = load_priors("weakly_informative")
    growth = PriorSpec(family="normal", mu=0.0, sigma=sigma, reason="a test")
    return prior_set("with growth", {**weak.prior, "growth": growth})


def test_nobody_knows_the_new_part_before_it_is_there():
    with pytest.raises(SpecError, match="unknown error model 'growing'"):
        spec_of("growing")
    with pytest.raises(SpecError, match="unknown prior 'growth'"):
        with_growth()


def test_a_specification_takes_the_new_part(growing):
    assert spec_of("ar1+growing").error_parts == {"ar1", "growing"}
    assert spec_of("ar1 + growing").error_parts == {"ar1", "growing"}
    with pytest.raises(SpecError, match="The nearest known name is 'growing'"):
        spec_of("growin")
    with pytest.raises(SpecError, match=r"does not combine.*unit_scale, .*student_t, factor, factor2, growing"):
        spec_of("growing+iid")


def test_the_new_part_needs_its_prior(growing):
    with pytest.raises(SpecError, match="no prior for 'growth'"):
        check_priors(load_priors("weakly_informative"), spec_of("growing"))
    check_priors(with_growth(), spec_of("growing"))
    with pytest.raises(SpecError, match="'growth' cannot have a gamma prior"):
        check_support("growth", PriorSpec(family="gamma", alpha=1.0, beta=1.0, reason="a test"))


def test_the_engine_follows_the_record(growing, panel):
    assert choose_engine(spec_of("growing"), "auto") == "nuts"
    assert choose_engine(spec_of("unit_scale"), "auto") == "auto"
    with pytest.raises(SpecError, match="nobody has written its compiled density"):
        collapse(prepare(build_design(panel, spec_of("growing"))), with_growth())


def test_a_part_without_a_compiled_density_is_never_sampled_as_if_it_had_one(monkeypatch):
    """A record that gives no reason, and whose density was forgotten."""
    monkeypatch.setitem(ERROR_MODELS, "growing", replace(GROWING, not_collapsed=""))
    assert choose_engine(spec_of("ar1+growing"), "auto") == "nuts"
    assert why_not_collapsible(spec_of("ar1+growing")) == "'growing' is not in the compiled density"
    assert all(not why_not_collapsible(spec_of(errors)) for errors in ("iid", "ar1", "unit_scale", "ar1+unit_scale"))


@pytest.mark.parametrize("errors", ["growing", "ar1+growing", "unit_scale+growing+student_t"])
def test_pymc_and_numpy_have_one_likelihood(errors, growing, panel):
    """Row by row, at a random point of the full model's coordinates."""
    data, priors = prepare(build_design(panel, spec_of(errors))), with_growth()
    model = build_model(data, priors)
    rows = model.logp(vars=[model["y"]], sum=False, jacobian=False)
    names = [v.name for v in model.unobserved_value_vars]
    wanted = [*rows, *model.unobserved_value_vars]
    function = model.compile_fn(wanted, inputs=model.value_vars, point_fn=False, mode="FAST_COMPILE")
    random = np.random.default_rng(3)
    start = model.initial_point()
    point = [start[v.name] + 0.3 * random.standard_normal(start[v.name].shape) for v in model.value_vars]
    found, *values = function(*point)
    draws = {name: np.asarray(value)[None, None] for name, value in zip(names, values, strict=True)}
    parameters = separate(draws, data, priors, seed=1)
    assert abs(parameters["growth"][0, 0]) > 0.01
    np.testing.assert_allclose(log_likelihood(parameters, data)[0, 0], found, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize(
    "errors",
    [
        *(name for name in ERROR_MODELS if name not in ("known", "factor2")),
        *("ar1+unit_scale", "ar1+unit_scale+student_t", "ar1+period_scale", "ar1+unit_scale+factor"),
    ],
)
def test_innovations_undo_simulation(errors, panel):
    """Errors simulated from a model have innovations of the distribution and the SDs it says, gaps included."""
    data = prepare(build_design(panel, spec_of(errors)))
    truths = prior_parameters(data, load_priors("weakly_informative"), 4000, seed=1)
    truths = {name: np.broadcast_to(values[:1], values.shape) for name, values in truths.items()}
    own, sd = innovations(truths, replace(data, outcome=outcomes(truths, data, seed=2)))
    z = (own / sd).ravel()
    assert data.gaps.max() > 1
    known = stats.norm if "degrees" not in truths else stats.t(truths["degrees"][0])
    # The largest distance between two distribution functions, with a chance of one in ten thousand under independence.
    assert stats.kstest(z, known.cdf).statistic < stats.kstwo.ppf(1 - 1e-4, z.size)


def fit_of_prior_draws(panel, errors):
    """A Fit whose posterior is the prior: everything behind the sampler, without the sampler."""
    priors, sampler = with_growth(), make_sampler("nuts", 200, 1, 3)
    data = prepare(build_design(panel, spec_of(errors)))
    drawn = {name: values[None] for name, values in prior_parameters(data, priors, 200, seed=4).items()}
    stats_of_none = xr.Dataset({"energy": (("chain", "draw"), np.zeros((1, 200)))})
    tree = build_tree(drawn, data, priors, stats_of_none)
    return Fit(data, priors, sampler, "nuts", tree, None)


def test_everything_behind_the_sampler_takes_the_new_part(growing, panel):
    fit = fit_of_prior_draws(panel, "unit_scale+growing")
    posterior = fit.tree["posterior"]
    assert posterior["growth"].attrs["prior_role"] == "top"
    assert posterior["unit_scale"].attrs["prior_role"] == "group"
    assert posterior["unit_scale"].dims == ("chain", "draw", "unit")
    np.testing.assert_allclose(fit.tree["log_prior"]["growth"], stats.norm.logpdf(posterior["growth"], 0, 0.5))
    assert [check.name for check in fit.predictive_checks()] == [
        "serial correlation",
        "spread by unit",
        "cross-sectional dependence",
        "spread by period",
    ]
    score = loo(fit, mend=False)
    assert score.defined
    assert len(score.pointwise) == fit.design.n_obs


def test_the_ladder_and_its_tables_ask_the_record(growing):
    assert decisive() == (
        "serial correlation",
        "spread by unit",
        "spread by period",
    )
    assert decisive(("iid", "growing")) == ("spread by period",)
    assert label_of("growing") == "independent, of a scale that grows"
    assert label_of("growing+ar1") == "AR(1), a scale that grows"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"errors": "factor+factor"}, "has common factors twice"),
        ({"errors": "ar1+factor+factor2"}, "has common factors twice"),
        ({"errors": "student_t+factor"}, "does not combine"),
        ({"errors": "factor+iid"}, "does not combine"),
        ({"dynamic": True, "slopes": None}, "dynamic does not combine"),
    ],
)
def test_what_factors_do_not_go_with(changes, message):
    with pytest.raises(SpecError, match=message):
        bn.Spec(**{"outcome": "y", "exposure": "x", "errors": "factor", **changes})


def test_words_of_the_ladder():
    words = ["independent, one scale", "AR(1) within units", "independent, a scale for each unit"]
    assert [label_of(errors) for errors in ("iid", "ar1", "unit_scale")] == words
    assert label_of("ar1+unit_scale") == "AR(1), a scale for each unit"
    assert label_of("ar1+unit_scale+factor") == "AR(1), a scale for each unit, one common factor"
    assert decisive(("ar1+unit_scale+factor", "period_scale")) == (
        "serial correlation",
        "spread by unit",
        "cross-sectional dependence",
        "spread by period",
    )


@pytest.mark.slow
def test_the_new_part_is_sampled_and_stored(growing):
    """A panel whose error SD grows by a factor of e over its length: the posterior finds it, and is restored."""
    frame = bn.simulate(20, 8, {"a": 0.5, "b": 0.1}, controls=(0.4,), seed=5).frame
    spread = np.exp((frame["time"] - frame["time"].mean()) / np.ptp(frame["time"]))
    frame["outcome"] += 0.8 * spread * np.random.default_rng(1).standard_normal(len(frame))
    panel = bn.read_panel(frame, unit="unit", time="time", group="group")
    found = bn.fit(panel, spec_of("growing"), with_growth(1.0), draws=500, chains=2, seed=7)
    assert found.engine == "nuts"
    rows = found.estimates().frame.set_index("term")
    assert rows.loc["growth", "estimand"] == "coefficient"
    assert rows.loc["growth", "lo"] > 0.2
    again = restore(found.tree, found.design, found.priors, found.sampler)
    assert again.predictive_checks() == found.predictive_checks()


def test_a_new_family_goes_through_a_fit(chi_square, panel):
    """The record alone: the compiled density has gamma densities already, and a chi-square one is."""
    prior = PriorSpec(family="chi_square", nu=3.0, reason="a test")
    priors = load_priors("weakly_informative").replaced(unit_sd=prior, unit_scale_sd=prior)
    found = bn.fit(panel, spec_of("unit_scale"), priors, draws=200, chains=2, seed=2)
    assert found.engine == "collapsed"
    for name in ("unit_sd", "unit_scale_sd"):
        drawn = found.tree["posterior"][name]
        np.testing.assert_allclose(found.tree["log_prior"][name], stats.chi2.logpdf(drawn, 3.0), rtol=1e-12)
    # Exchanging the prior moves the density by the priors' ratio alone.
    collapsed, theta = found.collapsed, found.thetas[:1]
    other = collapsed.with_priors(priors.replaced(unit_sd=PriorSpec(family="half_normal", sigma=1.0, reason="a test")))
    moved, log_ratio = collapsed.moved_to(other, theta), collapsed.prior_ratio(other, theta)
    value, level = collapsed.constrained(theta)["unit_sd"][0], found.design.scales.level  # of the named family alone
    assert log_ratio[0] == pytest.approx(stats.halfnorm.logpdf(value, scale=level) - stats.chi2.logpdf(value, 3.0))
    at = [element.variable for element in collapsed.elements].index("unit_sd")
    jacobian = [
        np.log(one.priors.upper[at]) - np.log1p(np.exp(-own[0, at]))
        for one, own in ((collapsed, theta), (other, moved))
    ]
    difference = other.log_density(moved[0])[0] - collapsed.log_density(theta[0])[0]
    assert difference == pytest.approx(log_ratio[0] + jacobian[1] - jacobian[0], abs=1e-8)


def test_a_new_family_has_pymc_s_density(chi_square):
    import pymc as pm

    prior = PriorSpec(family="chi_square", nu=3.0, reason="a test")
    with pm.Model():
        variable = prior.definition.pymc("x", None, **prior.parameters)
    # PyTensor's log-gamma is off by some 1e-9.
    assert float(pm.logp(variable, 1.7).eval()) == pytest.approx(float(prior.log_density(np.array(1.7))), abs=1e-7)


def test_a_family_is_unknown_before_it_is_there():
    with pytest.raises(SpecError, match="key 'family' has the unknown value 'chi_square'"):
        PriorSpec(family="chi_square", nu=3.0, reason="a test")
