"""A posterior in linearmodels' words, and a fit saved and read in another process."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.bayesian.fitting import saved
from bayes_npp.bayesian.model.generate import outcomes
from bayes_npp.errors import OutputError

DRAWS = {"draws": 300, "chains": 2, "seed": 3}


@pytest.fixture(scope="module")
def grouped(unbalanced, grouped_spec):
    return bn.fit(unbalanced, grouped_spec, **DRAWS)


def test_coefficients_are_rows_of_the_estimates(grouped, grouped_spec):
    table = grouped.estimates()
    groups, controls = table.select(estimand="group_slope"), table.select(estimand="coefficient")
    names = [f"{grouped_spec.exposure}:{label}" for label in groups["group"]]
    np.testing.assert_allclose(grouped.params[names], groups["estimate"], rtol=1e-10)
    np.testing.assert_allclose(grouped.std_errors[names], groups["spread"], rtol=1e-10)
    np.testing.assert_allclose(grouped.conf_int().loc[names], groups[["lo", "hi"]], rtol=1e-10)
    for name in grouped_spec.controls:
        row = controls[controls["term"] == name].iloc[0]
        assert grouped.params[name] == pytest.approx(row["estimate"], rel=1e-10)
    np.testing.assert_allclose(np.sqrt(np.diag(grouped.cov)), grouped.std_errors, rtol=1e-10)
    assert list(grouped.summary().columns[:4]) == ["term", "group", "estimand", "estimate"]


def test_wald_test_measures_the_posterior(grouped):
    draws = grouped.coefficient_draws().to_numpy()
    first, second = grouped.params.index[:2]
    found = grouped.wald_test(f"`{first}` = `{second}`")
    gap = draws[:, 0] - draws[:, 1]
    assert found.stat == pytest.approx(gap.mean() ** 2 / gap.var(ddof=1), rel=1e-9)
    share = (np.abs(gap - gap.mean()) > np.abs(gap.mean())).mean()
    assert found.pval == pytest.approx(share, abs=1 / len(gap))


def test_fitted_values_and_residuals_add_up_to_the_outcome(grouped):
    total = grouped.fitted + grouped.residuals
    np.testing.assert_allclose(total, grouped.design.outcome, rtol=1e-12)
    assert total.index.names == ["unit", "time"]
    assert abs(grouped.residuals.mean()) < 0.05 * grouped.residuals.std()


SPECS = {
    "common": {"slopes": None},
    "groups": {},
    "varying": {"varying": ("control_1",)},
    "unit slopes": {"slopes": "group/unit"},
    "uncorrelated": {"correlated_means": False},
    "ar1": {"errors": "ar1+unit_scale"},
}


@pytest.mark.parametrize("name", SPECS)
def test_known_rows_are_predicted_as_they_were_fitted(unbalanced, grouped_spec, name):
    """Draw by draw: what regressors and effects say of the panel's own rows, and a slope more where x is one more."""
    own = bn.fit(unbalanced, bn.Spec(**{**grouped_spec.model_dump(), **SPECS[name]}), draws=50, chains=2, seed=2)
    here, there = own.predict(), own.predict(unbalanced)
    assert there.draws.shape == here.draws.shape
    np.testing.assert_allclose(there.draws, here.draws, atol=1e-8 * np.abs(here.draws).max())
    exposure = unbalanced.numbers(grouped_spec.exposure)
    moved = own.predict(unbalanced.with_column(grouped_spec.exposure, exposure + 1.0)).draws - here.draws
    if own.spec.unit_slopes:
        expected = own.slopes_of_units()[:, own.design.unit]
    else:
        group = np.zeros(own.design.n_obs, dtype=int) if own.design.group is None else own.design.group
        expected = own.slopes[:, group]
    np.testing.assert_allclose(moved, expected, atol=1e-7)


def test_outcomes_of_new_rows_have_the_errors_of_the_model(unbalanced, grouped_spec):
    own = bn.fit(unbalanced, grouped_spec, **DRAWS)
    mean, drawn = own.predict(unbalanced), own.predict(unbalanced, kind="outcome")
    gaps = drawn.draws - mean.draws
    sd = own.values("error_sd").mean() * own.design.scales.outcome_sd
    assert gaps.std() == pytest.approx(sd, rel=0.02)  # over 100,000 draws
    joint = own.predict(kind="outcome")
    np.testing.assert_array_equal(joint.draws, outcomes(own.parameters(600), own.data, 3, in_data_units=True))


def test_marginal_errors_of_ar1_are_those_of_single_rows(unbalanced, grouped_spec):
    own = bn.fit(unbalanced, bn.Spec(**{**grouped_spec.model_dump(), "errors": "ar1"}), **DRAWS)
    gaps = own.predict(unbalanced, kind="outcome").draws - own.predict(unbalanced).draws
    joint = own.predict(kind="outcome").draws - own.predict().draws
    assert gaps.std() == pytest.approx(joint.std(), rel=0.03)


def test_what_cannot_be_predicted_is_said(grouped, unbalanced):
    frame = unbalanced.frame.head(2).assign(unit="nowhere")
    with pytest.raises(bn.BayesNppError, match=r"nowhere.*bn.predict"):
        grouped.predict(bn.read_panel(frame.head(1), unit="unit", time="time", group="group"))
    with pytest.raises(bn.BayesNppError, match="kind"):
        grouped.predict(kind="median")


def test_saved_fit_is_the_same_in_another_process(grouped, unbalanced, tmp_path):
    path = tmp_path / "fit.nc"
    grouped.save(path)
    code = (
        "import sys, bayes_npp as bn; fit = bn.Fit.load(sys.argv[1]);"
        "fit.estimates().frame.to_pickle(sys.argv[2]); fit.predict(kind='outcome').frame.to_pickle(sys.argv[3]);"
        "print(repr(fit))"
    )
    table, rows = tmp_path / "table.pkl", tmp_path / "rows.pkl"
    command = [sys.executable, "-c", code, str(path), str(table), str(rows)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pd.testing.assert_frame_equal(pd.read_pickle(table), grouped.estimates().frame, check_exact=True)
    pd.testing.assert_frame_equal(pd.read_pickle(rows), grouped.predict(kind="outcome").frame, check_exact=True)
    assert done.stdout.strip() == repr(grouped)


@pytest.mark.slow(minutes=1)
@pytest.mark.parametrize("names", [("forest", "pooling"), ("checks", "trace_dist")])
def test_saved_fit_draws_the_same_plots_in_another_process(names, grouped, tmp_path):
    """Byte by byte; pooling fits twice more there, from the stored design, priors and seed."""
    from matplotlib import pyplot

    grouped.save(tmp_path / "fit.nc")
    code = (
        "import sys, matplotlib; matplotlib.use('agg'); import bayes_npp as bn; fit = bn.Fit.load(sys.argv[1])\n"
        f"for name in {names}:\n"
        "    getattr(fit.plot, name)(backend='matplotlib').savefig(sys.argv[2] + '/' + name + '.png')"
    )
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    command = [sys.executable, "-c", code, str(tmp_path / "fit.nc"), str(there)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pyplot.switch_backend("agg")
    for name in names:
        getattr(grouped.plot, name)(backend="matplotlib").savefig(here / f"{name}.png")
        assert (there / f"{name}.png").read_bytes() == (here / f"{name}.png").read_bytes(), name
    pyplot.close("all")


@pytest.mark.parametrize(
    "change", [{"transform": "first_difference"}, {"dynamic": True}, {"errors": "ar1+unit_scale"}, {"slopes": None}]
)
def test_design_survives(unbalanced, grouped_spec, tmp_path, change):
    own = bn.fit(unbalanced, bn.Spec(**{**grouped_spec.model_dump(), **change}), draws=50, chains=2, seed=2)
    own.save(tmp_path / "fit.nc")
    again = bn.Fit.load(tmp_path / "fit.nc")
    for name in saved.ARRAYS:
        np.testing.assert_array_equal(getattr(again.design, name), getattr(own.design, name))
    assert again.design.spec == own.design.spec
    assert again.priors == own.priors
    assert (again.design.units, again.design.times, again.design.groups) == (
        own.design.units,
        own.design.times,
        own.design.groups,
    )
    assert again.design.left_out == own.design.left_out
    pd.testing.assert_frame_equal(again.estimates().frame, own.estimates().frame, check_exact=True)


def test_files_that_hold_no_fit_are_refused(grouped, tmp_path):
    with pytest.raises(OutputError, match="no such file"):
        bn.Fit.load(tmp_path / "none.nc")
    path = tmp_path / "fit.nc"
    grouped.save(path)
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(OutputError):
        bn.Fit.load(path)
