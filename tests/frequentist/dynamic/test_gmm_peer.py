"""The same dynamic panels in gretl: random unbalanced panels, coefficient by coefficient.

Units enter late, leave early and miss years, but the years with a known lag follow one another, and every unit has two:
across a gap gretl takes the difference to the last year it has, we (and Stata) take none; a unit with a single such
year has a level equation here and none in gretl. Both are held to literal loops in test_gmm.py.
"""

import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.frequentist.dynamic.fit import fit_gmm
from bayes_npp.frequentist.dynamic.moments import Equations, build_moments

GRETL = shutil.which("gretlcli")
pytestmark = [pytest.mark.peer, pytest.mark.skipif(GRETL is None, reason="gretl is not installed")]

# gretl prints 12 digits of coefficients and errors on request, test statistics with 6.
COEFFICIENT, ERROR, STATISTIC = 1e-6, 1e-5, 1e-4


def dynamic_frame(seed: int, n_units: int, n_periods: int, rho: float = 0.5) -> pd.DataFrame:
    """y on its lag, a predetermined x and an exogenous k; a tenth of the rows and some last years missing."""
    rng = np.random.default_rng(seed)
    effect = rng.normal(size=n_units)
    y = np.zeros((n_units, n_periods + 60))
    x, k = np.zeros_like(y), np.zeros_like(y)
    for t in range(1, y.shape[1]):
        k[:, t] = 0.6 * k[:, t - 1] + rng.normal(size=n_units)
        x[:, t] = 0.5 * x[:, t - 1] + 0.3 * y[:, t - 1] + 0.3 * effect + rng.normal(size=n_units)
        y[:, t] = rho * y[:, t - 1] + 0.4 * x[:, t] - 0.3 * k[:, t] + effect + rng.normal(size=n_units)
    units, periods = np.meshgrid(np.arange(n_units), np.arange(n_periods), indexing="ij")
    frame = pd.DataFrame(
        {
            "id": units.ravel() + 1,
            "year": periods.ravel() + 2001,
            "y": y[:, 60:].ravel(),
            "x": x[:, 60:].ravel(),
            "k": k[:, 60:].ravel(),
        }
    )
    kept = (rng.random(len(frame)) > 0.1).reshape(n_units, n_periods)
    for unit in kept:
        usable = np.flatnonzero(unit[1:] & unit[:-1])
        if len(usable) < 2 or np.ptp(usable) >= len(usable):
            unit[:] = np.arange(n_periods) < rng.integers(3, n_periods + 1)
    return frame[kept.ravel()].reset_index(drop=True)


def gretl(tmp_path, frame: pd.DataFrame, command: str) -> tuple[np.ndarray, dict[str, float]]:
    """Coefficients and standard errors (rows), and the printed test statistics."""
    frame.to_csv(tmp_path / "panel.csv", index=False)
    script = tmp_path / "model.inp"
    script.write_text(
        f'open "{tmp_path / "panel.csv"}" --quiet\nsetobs id year --panel-vars\n{command}\n'
        "matrix both = $coeff ~ $stderr\nloop i=1..rows(both) --quiet\n"
        '  printf "row %.12g %.12g\\n", both[i,1], both[i,2]\nendloop\n',
        encoding="utf-8",
    )
    out = subprocess.run([str(GRETL), "-b", str(script)], capture_output=True, text=True, check=True).stdout
    rows = np.array([[float(v) for v in match] for match in re.findall(r"^row (\S+) (\S+)$", out, re.M)])
    patterns = {
        "ar1": r"AR\(1\) errors: z = (\S+)",
        "ar2": r"AR\(2\) errors: z = (\S+)",
        "sargan": r"Sargan .*= (\S+) \[",
        "hansen": r"Hansen .*= (\S+) \[",
        "n_instruments": r"Number of instruments = (\d+)",
    }
    found = {name: re.search(pattern, out) for name, pattern in patterns.items()}
    return rows, {name: float(match.group(1)) for name, match in found.items() if match}


def assert_same(table: bn.Estimates, rows: np.ndarray, statistics: dict[str, float], order: list[str]) -> None:
    ours = table.frame[table.frame["estimand"] != "long_run"].set_index("term").loc[order]
    np.testing.assert_allclose(ours["estimate"], rows[:, 0], rtol=COEFFICIENT, atol=1e-9)
    np.testing.assert_allclose(ours["spread"], rows[:, 1], rtol=ERROR)
    for name, value in statistics.items():
        assert table.diagnostics[name] == pytest.approx(value, rel=STATISTIC), name


DIFFERENCE = "dpanel 1 ; y x k ; GMM(y,2,4) GMM(x,1,3) k"
SYSTEM = "dpanel 1 ; y x k const ; GMM(y,2,4) GMM(x,1,3) GMMlevel(y,1,1) GMMlevel(x,0,0) k --system"
REGRESSORS = ["L1.y", "x", "k"]
INSTRUMENTS = [("y", 2, 4), ("x", 1, 3)]


@pytest.mark.parametrize("seed", [1, *(pytest.param(k, marks=pytest.mark.slow(minutes=1)) for k in (2, 3))])
@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("collapse", [False, True])
@pytest.mark.parametrize(
    ("kind", "dummies"),
    # gretl's DPD style leaves dummies untransformed in the transformed equation: another model, not compared.
    [("difference", False), ("difference", True), ("system", False), ("system", True), ("system, h = 2", False)],
)
def test_gretl_gets_the_same(tmp_path, seed, steps, collapse, dummies, kind):
    frame = dynamic_frame(seed, 80, 7)
    command = DIFFERENCE if kind == "difference" else SYSTEM
    command += " --two-step" * (steps == 2) + " --collapse" * collapse + " --time-dummies" * dummies
    command += " --dpdstyle" * (kind == "system, h = 2")
    rows, statistics = gretl(tmp_path, frame, command)
    options = {
        "outcome": "y",
        "regressors": REGRESSORS,
        "gmm": INSTRUMENTS,
        "iv": ["k"],
        "steps": steps,
        "collapse": collapse,
    }
    panel = bn.read_panel(frame, unit="id", time="year")
    if kind == "difference":
        table = bn.difference_gmm(panel, **options, time_dummies="differenced" if dummies else None)
        order = REGRESSORS
    else:
        table = bn.system_gmm(
            panel, **options, time_dummies="level" if dummies else None, h=3 if kind == "system" else 2
        )
        order = [*REGRESSORS, "intercept"]
    order = order + [term for term in table.frame["term"] if term.startswith("time[")]
    if kind == "system, h = 2":
        ours, theirs = table.diagnostics["sargan"], statistics.pop("sargan")
        if steps == 1:
            assert theirs == pytest.approx(ours * ratio_of_variances(panel, collapse), rel=STATISTIC)
    assert_same(table, rows, statistics, order)


def ratio_of_variances(panel: bn.Panel, collapse: bool) -> float:
    """Our one-step error variance over that of gretl's DPD style, which everything else agrees with.

    Ours is of the transformed residuals, half their squares over n level equations. gretl takes half the squared
    residuals of the level equations, effects of units included, over n - k.
    """
    m = build_moments(panel, Equations("y", tuple(REGRESSORS), tuple(INSTRUMENTS), ("k",), True, collapse=collapse))
    fit = fit_gmm(m, 1, True, True, 2)
    level = fit.first_residuals[:, m.n_transformed :]
    return fit.error_variance / ((level**2).sum() / 2 / (m.n_obs - len(m.names)))
