"""Propositions under other priors: closed forms, the full model, conflicts on purpose, bad input.

Overlap and prior predictive outcomes are those of `prior_checks`.
"""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import bayes_npp as bn
from bayes_npp.bayesian.priors.families import PriorSpec
from bayes_npp.bayesian.priors.grid import cells, load_grid
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.bayesian.sensitivity.power_scaling import CONFLICT, power_scaling
from bayes_npp.bayesian.sensitivity.reverse_bayes import reverse_bayes
from bayes_npp.bayesian.sensitivity.sensitivity import sensitivity, slopes_by_scale
from bayes_npp.claims.evidence import MATTHEWS
from bayes_npp.claims.evidence import reverse_bayes as conjugate
from bayes_npp.design.propositions import parse_proposition
from bayes_npp.design.slope_contrasts import slope_weights
from bayes_npp.errors import SpecError
from bayes_npp.panels.simulation import simulate
from tests.bands import normal_band

SPEC = bn.Spec(outcome="outcome", exposure="exposure", controls=("control_1",))
GROUPED = bn.Spec(**{**SPEC.model_dump(), "slopes": "group"})
AVERAGE = parse_proposition("average_slope_twfe_weighted > 0")
NORTH = parse_proposition("slope[north] > slope[south]")


def panel_of(slope=0.12, south=None, n_units=20, seed=3):
    slopes = {"all": slope} if south is None else {"north": slope, "south": south}
    frame = simulate(n_units, 8, slopes, seed=seed).frame
    return bn.read_panel(frame, unit="unit", time="time", group="group")


@pytest.fixture(scope="module")
def plain():
    return bn.fit(panel_of(), SPEC, draws=2000, seed=1)


@pytest.fixture(scope="module")
def grouped():
    return bn.fit(panel_of(0.4, 0.05), GROUPED, draws=1000, seed=1)


def test_the_span_names_lowest_and_highest_and_their_priors(grouped):
    found = sensitivity(grouped, ("slope[north] > slope[south]",), seed=1, quick=True)
    line = found.span(NORTH)
    rows = found.rows()
    rows = rows[rows["kind"].isin(["prior grid", "prior set"]) & (rows["quantity"] == "probability")]
    rows = rows.assign(value=rows["value"].astype(float))
    low, high = rows.loc[rows["value"].idxmin()], rows.loc[rows["value"].idxmax()]
    assert line.startswith(f"slope[north] > slope[south]: lowest {low['value']:.3g} under {low['variant']}")
    assert f"highest {high['value']:.3g} under {high['variant']}" in line
    assert f"{found.probabilities[0]:.3g} as declared" in line
    assert found.range(NORTH) == (low["value"], high["value"])
    none = replace(found, grid=found.grid.assign(passed=False), sets=found.sets.assign(passed=False))
    assert "no other prior was answered" in none.span(NORTH)
    some = replace(found, grid=found.grid.assign(passed=False))
    assert f"{len(found.grid)} priors without an answer" in some.span(NORTH)
    assert "priors;" in some.span(NORTH) or "priors," in some.span(NORTH)


def test_reverse_bayes_is_conjugate_where_the_likelihood_is_normal(plain):
    """One slope: its likelihood is nearly normal, and the sceptical SD has a closed form in estimate and SE."""
    (found,) = reverse_bayes(plain, (AVERAGE,))
    flat = bn.fit(panel_of(), SPEC, priors="diffuse", draws=4000, seed=2).slopes[:, 0]
    for level in (0.975, 0.9):
        z = flat.mean() / flat.std()
        assert z > stats.norm.ppf(level)
        expected = flat.std() / np.sqrt((z / stats.norm.ppf(level)) ** 2 - 1)
        assert found.crossings[level] == (pytest.approx(expected, rel=0.12),)
    oracle = conjugate(float(flat.mean()), float(flat.std()), MATTHEWS)
    assert found.sceptical_sd() == pytest.approx(oracle.prior_sd, rel=0.12)
    assert found.scepticism_limit() == pytest.approx(1.96 * found.sceptical_sd())
    assert found.curve["probability"].iloc[0] == pytest.approx(0.5, abs=0.05)
    assert found.at_widest == pytest.approx((flat > 0).mean(), abs=0.02)


def test_a_claim_may_not_be_credible_under_any_prior():
    fit = bn.fit(panel_of(0.0, seed=6), SPEC, draws=500, seed=1)
    assert (fit.slopes > 0).mean() < 0.9
    (found,) = reverse_bayes(fit, (AVERAGE,), multiples=np.geomspace(0.01, 100, 9))
    assert found.crossings[0.975] == ()
    assert np.isnan(found.sceptical_sd())
    assert np.isnan(found.scepticism_limit())


def test_what_is_shrunk_and_the_prior_it_implies(grouped):
    difference, average = reverse_bayes(grouped, (NORTH, AVERAGE), multiples=np.array([0.1, 1.0, 10.0]))
    assert difference.shrunk == ("slope_sd",)
    assert average.shrunk == ("exposure", "slope_sd")
    scales = grouped.design.scales
    unit = scales.outcome_sd / scales.divisors["exposure"]
    random = np.random.default_rng(1)
    tau = np.abs(0.5 * random.standard_normal(200_000))
    offsets = tau[:, None] * random.standard_normal((200_000, 1)) * (grouped.data.slope_basis @ np.ones(1))
    beta = random.standard_normal(200_000)
    for found in (difference, average):
        weights = slope_weights(found.proposition, grouped.design)
        drawn = unit * ((beta[:, None] + offsets) @ weights)
        assert found.curve["prior_sd"].iloc[1] == pytest.approx(drawn.std(), rel=0.02)


def test_slopes_are_pooled_as_their_prior_narrows(grouped):
    found = slopes_by_scale(grouped, scales=np.array([0.001, 0.5, 50.0]))
    gaps = found.groupby("scale")["mean"].agg(np.ptp)
    free = bn.twfe(panel_of(0.4, 0.05), GROUPED).frame.set_index(["estimand", "group"])["estimate"]
    assert gaps[0.001] < 0.01
    assert gaps[0.5] < gaps[50.0]
    assert gaps[50.0] == pytest.approx(free["slope_difference", "north - south"], rel=0.05)
    same = grouped.estimates().select(estimand="group_slope").set_index("group")
    own = found[found["scale"] == 0.5].set_index("group")  # the fit's own prior
    for column, theirs in (("mean", "estimate"), ("lo", "lo"), ("hi", "hi")):
        np.testing.assert_allclose(own[column], same.loc[own.index, theirs], atol=0.012)


def test_the_one_slope_shrinks_with_its_own_prior(plain):
    # Not so narrow that the slope's share of the variance goes to the errors: noise is that of the wide prior.
    found = slopes_by_scale(plain, scales=np.array([0.1, 10.0])).set_index("scale")
    unit = plain.design.scales.outcome_sd / plain.design.scales.divisors["exposure"]
    noise = (plain.slopes.std() / unit) ** 2
    assert found.loc[0.1, "mean"] == pytest.approx(found.loc[10.0, "mean"] * 1e-2 / (1e-2 + noise), rel=0.05)


@pytest.mark.slow(minutes=4)
def test_refits_equal_full_model_refits(grouped, seed):
    """Five cells of the grid against the full PyMC model under the same priors."""
    answers = sensitivity(grouped, (str(NORTH), str(AVERAGE)), sets=())
    every = cells(load_grid("default"), grouped.priors, ("exposure", "slope_sd", "unit_sd", "time_sd", "error_sd"))
    assert len(every) == 200
    assert answers.grid["passed"].all()
    band = normal_band(2 * 2 * 5)
    for number in (0, 47, 110, 133, 199):
        full = bn.fit(panel_of(0.4, 0.05), GROUPED, priors=every[number][1], engine="nuts", draws=1000, seed=seed + 4)
        for proposition in (NORTH, AVERAGE):
            draws = full.slopes @ slope_weights(proposition, full.design)
            rows = answers.grid[answers.grid["cell"] == number + 1].set_index("proposition")
            row = rows.loc[str(proposition)]
            error = draws.std() * band * np.sqrt(2 / 800)  # of at least 800 independent draws in each
            assert row["mean"] == pytest.approx(draws.mean(), abs=error)
            assert row["probability"] == pytest.approx((draws > 0).mean(), abs=band * np.sqrt(0.25 * 2 / 800))
            assert row["hi"] - row["lo"] == pytest.approx(np.ptp(np.quantile(draws, [0.025, 0.975])), rel=0.2)


def arvizs_power_scaling(fit):
    """ArviZ's own summary of a claim's sensitivity to priors and likelihood."""
    from arviz_stats import psense_summary

    tree, weights = fit.tree.copy(), slope_weights(AVERAGE, fit.design)
    tree["posterior"] = tree["posterior"].dataset.assign(
        claim=(tree["posterior"]["group_slope"] * weights).sum("group")
    )
    priors = [str(name) for name in tree["log_prior"].data_vars]
    return psense_summary(tree, var_names=["claim"], prior_var_names=priors, round_to=9).loc["claim"]


def our_power_scaling(fit):
    found = power_scaling(fit, {str(AVERAGE): fit.slopes @ slope_weights(AVERAGE, fit.design)})
    return found[found["prior"] == "all"].iloc[0]


def test_power_scaling_is_arvizs_on_the_same_draws(grouped):
    ours, theirs = our_power_scaling(grouped), arvizs_power_scaling(grouped)
    assert ours["prior_sensitivity"] == pytest.approx(theirs["prior"], abs=1e-6)
    assert ours["likelihood_sensitivity"] == pytest.approx(theirs["likelihood"], abs=1e-6)


@pytest.mark.slow
def test_power_scaling_is_arvizs_on_the_full_model(seed):
    """From collapsed draws, against the full model's own densities of priors and outcomes."""
    panel, priors = panel_of(0.4, 0.05), load_priors("sceptical")
    own = our_power_scaling(bn.fit(panel, GROUPED, priors=priors, draws=2000, seed=seed + 1))
    full = bn.fit(panel, GROUPED, priors=priors, engine="nuts", draws=2000, seed=seed + 2)
    theirs = arvizs_power_scaling(full)
    assert own["prior_sensitivity"] == pytest.approx(theirs["prior"], abs=0.03)
    assert own["likelihood_sensitivity"] == pytest.approx(theirs["likelihood"], abs=0.04)


def test_a_conflict_on_purpose_is_flagged_and_a_harmless_prior_is_not(plain):
    far = PriorSpec(family="normal", mu=-1.5, sigma=0.15, reason="Far from the data on purpose.")
    wrong = bn.fit(panel_of(0.6), SPEC, priors=load_priors("weakly_informative").replaced(exposure=far), seed=1)
    rows = power_scaling(wrong, {"slope": wrong.slopes[:, 0]}).set_index("prior")
    assert rows.loc["exposure", "diagnosis"] == CONFLICT
    assert rows.loc["exposure", "prior_sensitivity"] > 0.05
    harmless = power_scaling(plain, {"slope": plain.slopes[:, 0]}).set_index("prior")
    assert harmless.loc["exposure", "diagnosis"] == ""
    assert (harmless["k_hat"] < 0.7).all()


def test_overlap_and_prior_predictive(plain):
    found = sensitivity(plain, (str(AVERAGE),), quick=True)
    overlap = found.overlap.set_index("parameter")["overlap"]
    assert ((overlap >= 0) & (overlap <= 1)).all()
    assert overlap["error_sd"] < 0.2  # the data know it well
    draws = plain.values("exposure_slope")
    normal = stats.norm(draws.mean(), draws.std())
    grid = np.linspace(-4, 4, 20_001)
    shared = np.trapezoid(np.minimum(normal.pdf(grid), stats.norm(0, 1).pdf(grid)), grid)
    assert overlap["exposure_slope"] == pytest.approx(shared, abs=0.04)
    predictive = found.predictive.set_index("quantity")
    assert (predictive["lo"] < predictive["median"]).all()
    assert predictive.loc["SD over all rows", "observed"] == pytest.approx(plain.design.outcome.std())
    rows = found.rows({str(AVERAGE): "H1"})
    assert set(rows.loc[rows["kind"] != "prior scale", "claim"]) == {"H1"}
    assert {"prior grid", "prior set", "prior scale", "power-scaling", "reverse Bayes"} == set(rows["kind"])
    low, high = found.range(AVERAGE)
    assert low <= found.probabilities[0] <= high + 0.02


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("slope[east] > 0", "unknown label 'east'"),
        ("slope > 0", "slopes by group"),
        ("indirect[m] > 0", "is a path"),
        (5, "'5' is no proposition"),
    ],
)
def test_propositions_a_fit_does_not_answer(text, message, grouped):
    with pytest.raises(SpecError, match=message):
        sensitivity(grouped, (text,))


def test_one_text_is_one_proposition(grouped):
    with pytest.raises(SpecError, match="'no claim' is no proposition"):
        sensitivity(grouped, "no claim")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the grid is empty"),
        ("axis = []", "the grid is empty"),
        ('[[axis]]\npriors = ["exposure"]\nreason = "r"\nchoices = []', "choices"),
        (
            '[[axis]]\npriors = ["slope_sd"]\nreason = "r"\nchoices = [{family = "normal", mu = 0.0, sigma = 1.0}]',
            "cannot have a normal",
        ),
        (
            '[[axis]]\npriors = ["slop_sd"]\nreason = "r"\nchoices = [{family = "half_normal", sigma = 1.0}]',
            "unknown prior 'slop_sd'",
        ),
        (
            '[[axis]]\npriors = ["slope_sd"]\nreason = "r"\nchoices = [{family = "half_normal"}]',
            "has the parameters sigma",
        ),
        (
            'nam = "x"\n[[axis]]\npriors = ["unit_sd"]\nreason = "r"\nchoices = [{family = "half_normal", sigma = 1}]',
            "unknown key 'nam'",
        ),
        (
            '[[axis]]\npriors = ["autocorrelation"]\nreason = "r"\n'
            'choices = [{family = "uniform", lower = 2.0, upper = 3.0}]',
            "leaves",
        ),
        ("axis = [", "not valid TOML"),
    ],
)
def test_bad_grids(content, message, tmp_path, grouped):
    (tmp_path / "grid.toml").write_text(content)
    with pytest.raises(SpecError, match=message):
        sensitivity(grouped, (str(NORTH),), grid=str(tmp_path / "grid.toml"))


def test_grids_by_name(plain):
    with pytest.raises(SpecError, match="unknown grid of priors 'defalt'"):
        load_grid("defalt")
    slots = ("exposure", "unit_sd", "time_sd", "error_sd")
    assert len(cells(load_grid("default"), plain.priors, slots)) == 20
    with pytest.raises(SpecError, match="no axis of grid"):
        cells(load_grid("default"), plain.priors, ("degrees",))
