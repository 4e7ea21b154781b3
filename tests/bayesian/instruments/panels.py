"""Panels with instruments and known truth."""

import numpy as np
import pandas as pd

import bayes_npp as bn

SPEC = bn.Spec(outcome="y", exposure="x", controls=("c",), unit_effects="fixed", time_effects="fixed")


def changed(**changes):
    return bn.Spec(**{**SPEC.model_dump(), **changes})


def autocorrelated(rng, units, periods, rho):
    """Stationary AR(1) errors with innovations of SD one, unit by unit, shape (units * periods,)."""
    out = rng.standard_normal((units, periods))
    out[:, 0] /= np.sqrt(1 - rho**2)
    for t in range(1, periods):
        out[:, t] += rho * out[:, t - 1]
    return out.ravel()


def world(
    seed,
    units=30,
    periods=9,
    strength=1.0,
    slopes=(0.3,),
    instruments=1,
    correlation=0.6,
    rho=(0.0, 0.0),
    direct=0.0,
    missing=0.0,
):
    """y = slope x + .4 c + u, x = strength sum(z) + .5 c + v, corr(u, v) = correlation, effects shared by both."""
    rng = np.random.default_rng(seed)
    n = units * periods
    unit, time = np.repeat(np.arange(units), periods), np.tile(np.arange(periods), units)
    group = unit % len(slopes)
    z, c = rng.standard_normal((n, instruments)), rng.standard_normal(n)
    v, e = (autocorrelated(rng, units, periods, own) for own in rho)
    u = correlation * v + np.sqrt(1 - correlation**2) * e
    effects = rng.standard_normal(units)[unit] + rng.standard_normal(periods)[time]
    x = strength * z.sum(axis=1) + 0.5 * c + v + effects
    y = np.array(slopes)[group] * x + 0.4 * c + direct * z.sum(axis=1) + u + 2 * effects
    frame = pd.DataFrame({"unit": unit, "time": time, "group": group, "x": x, "c": c, "y": y})
    frame["group"] = frame["group"].map(lambda g: "abcdefg"[g])
    frame[[f"z{k + 1}" for k in range(instruments)]] = z
    return frame[rng.random(n) >= missing].reset_index(drop=True)


def panel_of(frame):
    return bn.read_panel(frame, unit="unit", time="time", group="group")
