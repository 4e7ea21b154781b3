"""Known-truth panels: simulated rows with the parameters that made them. Never called data."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayes_npp.errors import SpecError
from bayes_npp.records import Shown


@dataclass(frozen=True, repr=False)
class Simulation(Shown):
    """A simulated panel.

    Attributes
    ----------
    frame : DataFrame
        Columns unit, time, group, outcome, exposure, control_1 ... control_K.
    truth : dict
        Every parameter: slopes by group, control coefficients, SDs, unit and period effects.
    """

    frame: pd.DataFrame
    truth: dict[str, Any]


def simulate_dynamic(
    n_units: int = 100,
    n_periods: int = 8,
    persistence: float = 0.6,
    slope: float = 0.4,
    unit_sd: float = 1.0,
    time_sd: float = 0.3,
    error_sd: float = 1.0,
    confounding: float = 0.5,
    burn_in: int = 50,
    missing: float = 0.0,
    seed: int = 1,
) -> Simulation:
    """Simulate y_t = persistence y_(t-1) + x slope + unit + period + error, with an initial period before the others.

    The regressor is an AR(1) with coefficient one half, correlated with the effects of units and periods.

    Parameters
    ----------
    burn_in : int
        Periods before the first that is kept, from an outcome of zero; 0 starts all units there.
    missing : float
        Share of rows deleted at random, as gaps and as late entries.
    seed : int

    Returns
    -------
    Simulation
        Columns unit, time (0 to `n_periods`), outcome, exposure.

    Raises
    ------
    SpecError
        Persistence outside (-1, 1), sizes or shares out of range.
    """
    if not -1 < persistence < 1 or not 0 <= missing < 1 or min(unit_sd, time_sd, error_sd) < 0:
        raise SpecError(
            "persistence must be inside (-1, 1), missing in [0, 1) and SDs at least 0", fix="Correct the argument"
        )
    if n_units < 2 or n_periods < 2 or burn_in < 0:
        raise SpecError("too few units or periods", fix="Use at least two of each")
    random = np.random.default_rng(seed)
    total = burn_in + n_periods + 1
    unit_effect = unit_sd * random.standard_normal(n_units)
    time_effect = time_sd * random.standard_normal(total)
    own = random.standard_normal((n_units, total))
    errors = error_sd * random.standard_normal((n_units, total))
    y, x = np.zeros((n_units, total)), own.copy()
    for t in range(1, total):
        x[:, t] = 0.5 * x[:, t - 1] + own[:, t]
    x += confounding * (unit_effect[:, None] + time_effect)
    for t in range(1, total):
        y[:, t] = persistence * y[:, t - 1] + slope * x[:, t] + unit_effect + time_effect[t] + errors[:, t]
    width, kept = len(str(n_units)), slice(burn_in, total)
    frame = pd.DataFrame(
        {
            "unit": np.repeat([f"unit {i + 1:0{width}d}" for i in range(n_units)], n_periods + 1),
            "time": np.tile(np.arange(n_periods + 1), n_units),
            "outcome": y[:, kept].ravel(),
            "exposure": x[:, kept].ravel(),
        }
    )
    if missing:
        frame = frame[random.random(len(frame)) >= missing].reset_index(drop=True)
    truth = {
        "persistence": persistence,
        "short_run": slope,
        "long_run": slope / (1 - persistence),
        "unit_sd": unit_sd,
        "time_sd": time_sd,
        "error_sd": error_sd,
        "unit_effects": unit_effect.tolist(),
        "seed": seed,
    }
    return Simulation(frame, truth)


def simulate_mediation(
    n_units: int = 30,
    n_periods: int = 9,
    path_a: dict[str, tuple[float, ...]] | None = None,
    path_b: dict[str, tuple[float, ...]] | None = None,
    direct: dict[str, float] | None = None,
    rho: tuple[float, ...] | None = None,
    unit_sd: float = 1.0,
    time_sd: float = 0.3,
    error_sd: float = 0.5,
    confounding: float = 0.5,
    seed: int = 1,
    serial: dict[str, tuple[float, ...]] | None = None,
) -> Simulation:
    """Simulate mediators a_k[group] x + effects + error, y = direct[group] x + sum b_k[group] mediator_k + the same.

    Parameters
    ----------
    path_a, path_b : dict, optional
        For each group its paths, one a mediator. Default: one group "all", one mediator, .5 and .4.
    direct : dict, optional
        Default 0.2 in every group.
    rho : tuple of float, optional
        Correlation of each mediator's error with the outcome's; the mediators' errors are independent of each other.
    unit_sd, time_sd, error_sd, confounding, seed
        As in `simulate`; effects and errors of each equation are its own.
    serial : dict, optional
        For each group the slopes of mediator 1 in the equation of mediator 2, of 2 in that of 3, and so on. Default: 0.

    Returns
    -------
    Simulation
        Columns unit, time, group, outcome, exposure, mediator_1 ... mediator_K.

    Raises
    ------
    SpecError
        Groups or numbers of paths that differ, a rho that is impossible.
    """
    path_a = path_a or {"all": (0.5,)}
    path_b = path_b or dict.fromkeys(path_a, (0.4,) * len(next(iter(path_a.values()))))
    direct = direct or dict.fromkeys(path_a, 0.2)
    sizes = {len(paths) for paths in (*path_a.values(), *path_b.values())}
    if not path_a.keys() == path_b.keys() == direct.keys() or len(sizes) != 1:
        raise SpecError("groups or numbers of mediators differ between paths", fix="Give every group every path")
    n_mediators = sizes.pop()
    serial = serial or dict.fromkeys(path_a, (0.0,) * (n_mediators - 1))
    if serial.keys() != path_a.keys() or {len(slopes) for slopes in serial.values()} != {n_mediators - 1}:
        raise SpecError(
            "serial needs a slope fewer than there are mediators, for each group", fix="Correct the argument"
        )
    shared = np.array(rho or (0.0,) * n_mediators)
    if len(shared) != n_mediators or (shared**2).sum() >= 1:
        raise SpecError("rho needs a value a mediator, their squares below one in all", fix="Correct the argument")
    random = np.random.default_rng(seed)
    unit, time = np.repeat(np.arange(n_units), n_periods), np.tile(np.arange(n_periods), n_units)
    labels = list(path_a)
    group = unit % len(labels)
    effects = [
        (unit_sd * random.standard_normal(n_units))[unit] + (time_sd * random.standard_normal(n_periods))[time]
        for _ in range(n_mediators + 1)
    ]
    own = random.standard_normal((len(unit), n_mediators + 1))
    own[:, -1] = own[:, :-1] @ shared + np.sqrt(1 - (shared**2).sum()) * own[:, -1]
    exposure = confounding * sum(effects) + random.standard_normal(len(unit))
    a, b = (np.array([paths[label] for label in labels])[group] for paths in (path_a, path_b))
    mediators = a * exposure[:, None] + np.column_stack(effects[:-1]) + error_sd * own[:, :-1]
    for k in range(n_mediators - 1):
        mediators[:, k + 1] += np.array([serial[label][k] for label in labels])[group] * mediators[:, k]
    slope = np.array([direct[label] for label in labels])[group]
    outcome = slope * exposure + (b * mediators).sum(axis=1) + effects[-1] + error_sd * own[:, -1]
    width = len(str(n_units))
    frame = pd.DataFrame(
        {
            "unit": [f"unit {i + 1:0{width}d}" for i in unit],
            "time": time + 1,
            "group": [labels[g] for g in group],
            "outcome": outcome,
            "exposure": exposure,
            **{f"mediator_{k + 1}": mediators[:, k] for k in range(n_mediators)},
        }
    )
    truth = {"path_a": path_a, "path_b": path_b, "direct": direct, "rho": shared.tolist(), "error_sd": error_sd}
    truth["serial"] = serial
    return Simulation(frame, {**truth, "unit_sd": unit_sd, "time_sd": time_sd, "seed": seed})


def simulate(
    n_units: int = 30,
    n_periods: int = 9,
    slopes: dict[str, float] | None = None,
    controls: tuple[float, ...] = (0.5,),
    unit_sd: float = 1.0,
    time_sd: float = 0.3,
    error_sd: float = 0.5,
    confounding: float = 0.5,
    missing: float = 0.0,
    seed: int = 1,
    autocorrelation: float = 0.0,
    unit_scale_sd: float = 0.0,
    degrees: float | None = None,
    unit_slope_sd: float = 0.0,
    regressor_persistence: float = 0.0,
) -> Simulation:
    """Simulate y = x slope[group] + controls + unit + period + error, with regressors correlated with both effects.

    Parameters
    ----------
    slopes : dict, optional
        Slope of each group; units are dealt to the groups in turn. Default: one group "all" with slope 0.3.
    controls : tuple of float
        Coefficients of the controls.
    unit_sd, time_sd, error_sd : float
        SDs of unit effects, period effects and independent normal errors.
    confounding : float
        Loading of the regressors on the unit and period effects; 0 makes random effects right without means.
    missing : float
        Share of rows deleted at random (an unbalanced panel with gaps); every unit keeps at least two rows.
    seed : int
    autocorrelation : float
        Of stationary AR(1) errors, between -1 and 1; `error_sd` is then the innovations'.
    unit_scale_sd : float
        SD of the logs of units' error scales.
    degrees : float, optional
        Student-t innovations with these degrees of freedom, above 2 and scaled to SD one; normal ones without.
    unit_slope_sd : float
        SD of units' deviations from their group's slope.
    regressor_persistence : float
        Autocorrelation within units of the regressors' own part, whose SD stays one.

    Raises
    ------
    SpecError
        Sizes or shares out of range.
    """
    slopes = slopes or {"all": 0.3}
    if n_units < len(slopes) or n_units < 2 or n_periods < 2:
        raise SpecError("too few units or periods", fix="Use at least two of each and one unit a group")
    if not 0 <= missing < 1 or min(unit_sd, time_sd, error_sd) < 0:
        raise SpecError("missing must be in [0, 1) and SDs at least 0", fix="Correct the argument")
    if not max(abs(autocorrelation), abs(regressor_persistence)) < 1:
        raise SpecError("autocorrelation and persistence must be inside (-1, 1)", fix="Correct the argument")
    if min(unit_scale_sd, unit_slope_sd) < 0 or (degrees is not None and degrees <= 2):
        raise SpecError("SDs must be at least 0 and degrees above 2", fix="Correct the argument")
    random = np.random.default_rng(seed)
    unit = np.repeat(np.arange(n_units), n_periods)
    time = np.tile(np.arange(n_periods), n_units)
    labels = list(slopes)
    group = unit % len(labels)
    unit_effect = unit_sd * random.standard_normal(n_units)
    time_effect = time_sd * random.standard_normal(n_periods)
    common = confounding * (unit_effect[unit] + time_effect[time])
    own = random.standard_normal((n_units, n_periods, 1 + len(controls)))
    for t in range(1, n_periods if regressor_persistence else 1):
        own[:, t] = regressor_persistence * own[:, t - 1] + np.sqrt(1 - regressor_persistence**2) * own[:, t]
    columns = common[:, None] + own.reshape(len(unit), -1)
    slope = np.array([slopes[label] for label in labels])
    outcome = columns[:, 0] * slope[group] + columns[:, 1:] @ np.array(controls)
    errors = error_sd * random.standard_normal(len(unit))
    # Drawn from streams of their own, so that panels without these features stay what they were.
    more = np.random.default_rng([seed, 1])
    unit_slope = unit_slope_sd * more.standard_normal(n_units)
    unit_scale = np.exp(unit_scale_sd * more.standard_normal(n_units))
    if degrees is not None:
        errors = errors * np.sqrt((degrees - 2) / more.chisquare(degrees, len(unit)))
    errors = (errors * unit_scale[unit]).reshape(n_units, n_periods)
    errors[:, 0] /= np.sqrt(1 - autocorrelation**2)
    for t in range(1, n_periods):
        errors[:, t] += autocorrelation * errors[:, t - 1]
    outcome = outcome + columns[:, 0] * unit_slope[unit] + unit_effect[unit] + time_effect[time] + errors.ravel()
    width = len(str(n_units))
    frame = pd.DataFrame(
        {
            "unit": [f"unit {i + 1:0{width}d}" for i in unit],
            "time": time + 1,
            "group": [labels[g] for g in group],
            "outcome": outcome,
            "exposure": columns[:, 0],
            **{f"control_{k + 1}": columns[:, k + 1] for k in range(len(controls))},
        }
    )
    if missing:
        keep = random.random(len(frame)) >= missing
        keep |= frame.groupby("unit").cumcount().to_numpy() < 2
        frame = frame[keep].reset_index(drop=True)
    truth = {
        "slopes": dict(slopes),
        "controls": list(controls),
        "unit_sd": unit_sd,
        "time_sd": time_sd,
        "error_sd": error_sd,
        "autocorrelation": autocorrelation,
        "unit_scale_sd": unit_scale_sd,
        "degrees": degrees,
        "unit_slope_sd": unit_slope_sd,
        "regressor_persistence": regressor_persistence,
        "unit_slopes": unit_slope.tolist(),
        "unit_scales": unit_scale.tolist(),
        "unit_effects": unit_effect.tolist(),
        "time_effects": time_effect.tolist(),
        "seed": seed,
    }
    return Simulation(frame, truth)
