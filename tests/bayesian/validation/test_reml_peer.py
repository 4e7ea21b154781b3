"""The same restricted likelihoods in R's lme4.

Tolerances as in test_reference.py: 1e-5 relative; lme4's optimiser is told to go on to 1e-12.
"""

import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.validation.reml import Reml, maximise
from bayes_npp.design.design import build_design
from tests.bayesian.validation.test_reml import radon

pytestmark = [pytest.mark.peer, pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed")]


def reml(panel: bn.Panel, **spec) -> Reml:
    return maximise(prepare(build_design(panel, bn.Spec(**spec, correlated_means=False))))


def lme4(tmp_path, frame: pd.DataFrame, formula: str) -> pd.Series:
    """SDs, fixed coefficients (`b`) with errors, conditional SDs (`u`) by name; the criterion."""
    frame.to_csv(tmp_path / "data.csv", index=False)
    script = tmp_path / "model.R"
    script.write_text(
        f"""if (!requireNamespace("lme4", quietly = TRUE)) quit(status = 3)
        d <- read.csv("{tmp_path / "data.csv"}")
        tight <- lme4::lmerControl(optCtrl = list(xtol_abs = 1e-12, ftol_abs = 1e-14))
        m <- lme4::lmer({formula}, d, control = tight)
        sd <- as.data.frame(lme4::VarCorr(m)); b <- coef(summary(m))
        u <- as.data.frame(lme4::ranef(m, condVar = TRUE))
        cat(sprintf("sd:%s %.12g\\n", sd$grp, sd$sdcor), sep = "")
        cat(sprintf("b:%s %.12g\\nse:%s %.12g\\n", rownames(b), b[, 1], rownames(b), b[, 2]), sep = "")
        cat(sprintf("u:%s:%s %.12g\\n", u$grpvar, u$grp, u$condsd), sep = "")
        cat(sprintf("reml %.12g\\n", as.numeric(logLik(m))))
        """,
        encoding="utf-8",
    )
    done = subprocess.run(["Rscript", str(script)], capture_output=True, text=True)
    if done.returncode == 3:
        pytest.skip("R's lme4 is not installed")
    assert done.returncode == 0, done.stderr
    cells = [line.rsplit(" ", 1) for line in done.stdout.splitlines()]
    return pd.Series({name: float(value) for name, value in cells})


def test_radon(tmp_path):
    panel = radon()
    ours = reml(panel, outcome="log_radon", exposure="floor", controls=("log_uranium",), time_effects="none")
    theirs = lme4(tmp_path, panel.frame, "log_radon ~ floor + log_uranium + (1 | county)")
    scales, n = ours.data.design.scales, ours.data.design.n_obs
    assert ours.values["unit_sd"] * scales.outcome_sd == pytest.approx(theirs["sd:county"], rel=1e-5)
    assert ours.values["error_sd"] * scales.outcome_sd == pytest.approx(theirs["sd:Residual"], rel=1e-5)
    unit = scales.outcome_sd / scales.divisors["floor"]
    assert ours.mean["exposure_slope"] * unit == pytest.approx(theirs["b:floor"], rel=1e-5)
    assert ours.sd["exposure_slope"] * unit == pytest.approx(theirs["se:floor"], rel=1e-5)
    # Standardising the outcome by s and columns by d multiplies densities by s^(n - 3) / (d_1 d_2).
    jacobian = (n - 3) * np.log(scales.outcome_sd) + np.log(
        [scales.divisors[c] for c in ("floor", "log_uranium")]
    ).sum()
    assert ours.log_likelihood - jacobian == pytest.approx(theirs["reml"], abs=1e-5)


@pytest.mark.slow(minutes=1)
def test_three_crossed_effects(tmp_path, produc):
    panel = bn.read_panel(produc.frame, unit="state", time="year", group="region")
    ours = reml(
        panel,
        outcome="lgsp",
        exposure="lpcap",
        controls=("lpc", "lemp", "unemp"),
        group_time_effects="region",
    )
    frame = panel.frame.assign(cell=panel.frame["region"].astype(str) + " " + panel.frame["year"].astype(str))
    formula = "lgsp ~ lpcap + lpc + lemp + unemp + (1 | state) + (1 | year) + (1 | cell)"
    theirs = lme4(tmp_path, frame, formula)
    design, sd = ours.data.design, ours.data.design.scales.outcome_sd
    effects = {
        "state": ("unit", ours.unit_sd[:, 0], design.units),
        "year": ("time", ours.sd["time_effect"], design.times),
        "cell": ("group_time", ours.sd["group_time_effect"], design.group_times),
    }
    for name, (own, sds, labels) in effects.items():
        assert ours.values[f"{own}_sd"] * sd == pytest.approx(theirs[f"sd:{name}"], rel=1e-5)
        expected = theirs[[f"u:{name}:{label}" for label in labels]]
        np.testing.assert_allclose(sds * sd, expected, rtol=1e-5)
