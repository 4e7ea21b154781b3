"""Equations, instruments and gaps against literal loops."""

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from tests.frequentist.dynamic.panels import balanced, rows_of
from tests.frequentist.dynamic.test_gmm_peer import dynamic_frame


def literal(
    frame: pd.DataFrame, system: bool, fod: bool, h: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rows, instruments and the first-step weight by loops over units and years, lags looked up in a dictionary."""
    cells = {(r.id, r.year): r for r in frame.itertuples()}
    years = range(frame["year"].min(), frame["year"].max() + 1)
    keys: dict[tuple, int] = {}
    units = []
    for unit in frame["id"].unique():
        full = [t for t in years if (unit, t) in cells and (unit, t - 1) in cells]
        at = {t: (cells[unit, t].y, cells[unit, t - 1].y, cells[unit, t].x, cells[unit, t].k) for t in full}
        rows = []  # (regressand and regressors, instruments, what it does to the errors)
        for t in full:
            if fod:
                later = [s for s in full if s > t]
                if not later:
                    continue
                c = np.sqrt(len(later) / (len(later) + 1))
                error = {t: c, **dict.fromkeys(later, -c / len(later))}
                date = t + 1
            elif t - 1 in full:
                error, date = {t: 1.0, t - 1: -1.0}, t
            else:
                continue
            value = sum(w * np.array(at[s]) for s, w in error.items())
            z = {("iv",): value[3]}
            for name, first, last in (("y", 2, 4), ("x", 1, 3)):
                for lag in range(first, last + 1):
                    if (unit, date - lag) in cells:
                        z["gmm", name, date, lag] = getattr(cells[unit, date - lag], name)
            rows.append((np.append(value, 0.0), z, error, "transformed"))
        if system:
            for t in full:
                z = {("iv",): at[t][3], ("one",): 1.0}
                for name, lag in (("y", 1), ("x", 0)):
                    if (unit, t - lag) in cells and (unit, t - lag - 1) in cells:
                        change = getattr(cells[unit, t - lag], name) - getattr(cells[unit, t - lag - 1], name)
                        z["level", name, t] = change
                rows.append((np.append(at[t], 1.0), z, {t: 1.0}, "level"))
        for _, z, _, _ in rows:
            for key in z:
                keys.setdefault(key, len(keys))
        units.append(rows)
    weight = np.zeros((len(keys), len(keys)))
    values, instruments, scores = [], [], []
    for rows in units:
        if not rows:
            continue
        z = np.zeros((len(rows), len(keys)))
        for i, (_, cellsz, _, _) in enumerate(rows):
            for key, value in cellsz.items():
                z[i, keys[key]] = value
        hh = np.array([[sum(a[2].get(t, 0) * b[2].get(t, 0) for t in years) for b in rows] for a in rows], dtype=float)
        if h == 1:
            hh = np.eye(len(rows))
        if h == 2:
            hh *= np.array([[a[3] == b[3] for b in rows] for a in rows])
        weight += z.T @ hh @ z
        values.append(np.array([r[0] for r in rows]))
        instruments.append(z)
    y = [v[:, 0] for v in values]
    x = [v[:, 1:] if system else v[:, 1:4] for v in values]
    cross = sum(z.T @ v for z, v in zip(instruments, x, strict=True))
    target = sum(z.T @ v for z, v in zip(instruments, y, strict=True))
    w = np.linalg.pinv(weight)
    one = np.linalg.solve(cross.T @ w @ cross, cross.T @ w @ target)
    for z, xx, yy in zip(instruments, x, y, strict=True):
        scores.append(z.T @ (yy - xx @ one))
    s = sum(np.outer(v, v) for v in scores)
    bread = np.linalg.inv(cross.T @ w @ cross)
    robust = bread @ cross.T @ w @ s @ w @ cross @ bread
    w2 = np.linalg.pinv(s)
    two = np.linalg.solve(cross.T @ w2 @ cross, cross.T @ w2 @ target)
    return one, np.sqrt(np.diag(robust)), two, np.sqrt(np.diag(np.linalg.inv(cross.T @ w2 @ cross)))


@pytest.mark.parametrize("system", [False, True])
@pytest.mark.parametrize("transform", ["fd", "fod"])
@pytest.mark.parametrize("h", [1, 2, 3])
def test_gaps_by_literal_loops(system, transform, h):
    frame = dynamic_frame(11, 90, 7)
    rng = np.random.default_rng(0)
    frame = frame[rng.random(len(frame)) > 0.15]  # gaps inside units, units with a single usable year
    panel = bn.read_panel(frame, unit="id", time="year")
    one, one_se, two, two_se = literal(frame, system, transform == "fod", h)
    estimator = bn.system_gmm if system else bn.difference_gmm
    shared = {
        "outcome": "y",
        "regressors": ["L1.y", "x", "k"],
        "gmm": [("y", 2, 4), ("x", 1, 3)],
        "iv": ["k"],
        "transform": transform,
        "h": h,
    }
    first = rows_of(estimator(panel, **shared, steps=1))
    second = rows_of(estimator(panel, **shared, steps=2, windmeijer=False))
    np.testing.assert_allclose(first["estimate"], one, rtol=1e-8)
    np.testing.assert_allclose(first["spread"], one_se, rtol=1e-8)
    np.testing.assert_allclose(second["estimate"], two, rtol=1e-7)
    np.testing.assert_allclose(second["spread"], two_se, rtol=1e-7)


def test_forward_deviations_equal_differences_with_all_instruments():
    """Arellano & Bover (1995): with every valid lag the transformation does not matter, on a balanced panel."""
    frame = balanced(5, 120, 7)
    shared = {"outcome": "y", "regressors": ["L1.y", "x"], "gmm": [("y", 2, None), ("x", 1, None)], "steps": 1}
    panel = bn.read_panel(frame, unit="id", time="year")
    fd = rows_of(bn.difference_gmm(panel, **shared))
    fod = rows_of(bn.difference_gmm(panel, **shared, transform="fod"))
    np.testing.assert_allclose(fod["estimate"], fd["estimate"], rtol=1e-8)
    np.testing.assert_allclose(fod["spread"], fd["spread"], rtol=1e-8)


def test_years_before_the_window_serve(abdata):
    frame = abdata.frame
    window = bn.read_panel(frame, unit="id", time="year", window=(1980, 1984))
    cut = bn.read_panel(frame[frame["year"] >= 1980], unit="id", time="year")
    options = {"outcome": "n", "regressors": ["L1.n", "w", "k"], "gmm": [("n", 2, 3), ("w", 1, 2)], "iv": ["k"]}
    assert bn.difference_gmm(window, **options).frame["n_obs"][0] > bn.difference_gmm(cut, **options).frame["n_obs"][0]
