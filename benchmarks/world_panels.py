"""Worlds of known truth in which the ledger's rule is tried: how their panels are made, and what is true there."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pandas as pd

import bayes_npp as bn

UNITS, PERIODS, GROUPS = 30, 9, ("A", "B", "C", "D")
PERSISTENCE = 0.7  # of the exposure and the control; where they have none, AR(1) errors harm nobody
ERROR_SD, LOADINGS, CORRELATION = 0.5, (0.0, 0.15, 0.25, 0.4, 0.7), 0.8
SAME, NONE = dict.fromkeys(GROUPS, 0.15), dict.fromkeys(GROUPS, 0.0)
CLEAR = dict.fromkeys(GROUPS, 0.235)  # about five standard errors of the fit with independent errors
DIFFERENT = dict(zip(GROUPS, (0.45, 0.25, 0.1, -0.05), strict=True))
AR1, UNIT_SCALES = {"autocorrelation": 0.6}, {"unit_scale_sd": 0.6}
NEGATIVE = {"A": 0.9, "B": 0.9, "C": 0.2}
MOVES = {"A": 0.6, "B": 0.42, "C": 1.0}  # of the exposure a period, which makes weights of -.25, -.60 and 1.85
PATHS = dict.fromkeys(GROUPS, (0.5,))
NO_LADDER = "ladder = false"


@dataclass(frozen=True)
class World:
    """A kind of panel, the study that is made of it, and what is true.

    Attributes
    ----------
    made : str
        How its panels are made, in words.
    frame : callable
        Panel by seed.
    slopes : dict
        True slope of every group; of mediation the true indirect effect.
    model, rows : str
        Keys of the model and robustness rows beyond the plain study, as TOML.
    wrong : tuple of str
        Answers about the average that are wrong where they are unqualified.
    right : str
        The answer about the average that is right; empty where none is.
    smallest : float, optional
        The smallest effect that the study declares.
    power : int
        In how many replications right answers, too, are put to everything that could weaken them.
    every : int
        One in so many replications is made: the others' chains would take too long.
    """

    made: str
    frame: Callable[[int], pd.DataFrame]
    slopes: dict[str, float]
    wrong: tuple[str, ...] = ("contradicted",)
    right: str = "supported"
    model: str = ""
    rows: str = ""
    smallest: float | None = None
    power: int = 0
    every: int = 1
    kind: str = field(default="hierarchical")


def plain(seed: int, **options: object) -> pd.DataFrame:
    """The package's own simulation."""
    return bn.simulate(UNITS, PERIODS, seed=seed, regressor_persistence=PERSISTENCE, **options).frame


def unit_trends(seed: int) -> pd.DataFrame:
    """Trends of units in the exposure and, correlated with them, in the outcome."""
    frame, random = plain(seed, slopes=NONE), np.random.default_rng([21, 1, seed])
    own, shared = random.standard_normal((2, UNITS))
    away = np.arange(PERIODS) - (PERIODS - 1) / 2
    frame["exposure"] += 0.3 * np.outer(shared, away).ravel()
    other = CORRELATION * shared + np.sqrt(1 - CORRELATION**2) * own
    frame["outcome"] += 0.2 * np.outer(other, away).ravel()
    return frame


def common_factor(seed: int, loading: float) -> pd.DataFrame:
    """One factor with loadings of SD one in the exposure and, correlated with them, of SD `loading` in the outcome."""
    frame, random = plain(seed, slopes=NONE), np.random.default_rng([21, 2, seed])
    factor, shared, own = (random.standard_normal(size) for size in (PERIODS, UNITS, UNITS))
    frame["exposure"] += np.outer(shared, factor).ravel()
    other = CORRELATION * shared + np.sqrt(1 - CORRELATION**2) * own
    frame["outcome"] += loading * np.outer(other, factor).ravel()
    return frame


def heavy_years(seed: int) -> pd.DataFrame:
    """Errors of two years with four times the SD of the others."""
    frame, random = plain(seed, slopes=NONE, error_sd=0.0), np.random.default_rng([21, 3, seed])
    sds = np.where(np.isin(np.arange(PERIODS), random.choice(PERIODS, 2, replace=False)), 4.0, 1.0)
    frame["outcome"] += (ERROR_SD * sds * random.standard_normal((UNITS, PERIODS))).ravel()
    return frame


def clusters(seed: int, shared: bool) -> pd.DataFrame:
    """Six clusters across the groups: shocks of a cluster and year are half the variance of errors and exposure."""
    frame, random = plain(seed, slopes=NONE, error_sd=0.0), np.random.default_rng([21, 4, seed])
    cluster = np.repeat(np.arange(6), UNITS // 6)
    shocks, others = random.standard_normal((2, 6, PERIODS))
    own = random.standard_normal((UNITS, PERIODS))
    frame["outcome"] += ERROR_SD * np.sqrt(0.5) * (shocks[cluster] + own).ravel()
    frame["exposure"] += (shocks if shared else others)[cluster].ravel()
    return frame


def negative_weights(seed: int) -> pd.DataFrame:
    """The exposure grows at another pace in each group: two-way fixed effects weigh two of the three below zero."""
    random = np.random.default_rng([21, 5, seed])
    unit, time = np.repeat(np.arange(UNITS), PERIODS), np.tile(np.arange(PERIODS), UNITS)
    group = np.array(list(NEGATIVE))[unit % 3]
    pace, slope = (np.array([own[g] for g in group]) for own in (MOVES, NEGATIVE))
    exposure = pace * time + 0.2 * random.standard_normal(len(unit))
    control, errors = random.standard_normal((2, len(unit)))
    effects = random.standard_normal(UNITS)[unit] + 0.3 * random.standard_normal(PERIODS)[time]
    outcome = slope * exposure + 0.5 * control + effects + 0.2 * errors
    keys = {"unit": [f"unit {i + 1:02d}" for i in unit], "time": time + 1, "group": group}
    return pd.DataFrame({**keys, "outcome": outcome, "exposure": exposure, "control_1": control})


def mediated(seed: int, **paths: object) -> pd.DataFrame:
    """The package's own simulation of mediation."""
    return bn.simulate_mediation(UNITS, PERIODS, seed=seed, **paths).frame


WRONG_OF_NONE = {"slopes": NONE, "wrong": ("supported",), "right": ""}
FACTORS = {
    f"no effect, a common factor: loading SD {loading:g}": World(
        f"a factor moves the exposure (loadings of SD 1) and the outcome (SD {loading:g}, correlation {CORRELATION:g})",
        partial(common_factor, loading=loading),
        every=4 if loading > 0.3 else 1,
        **WRONG_OF_NONE,
    )
    for loading in LOADINGS
}
WORLDS = {
    "one slope": World("slope .15 everywhere", partial(plain, slopes=SAME), SAME),
    "one slope, AR(1) .6": World("the same, errors AR(1) with .6", partial(plain, slopes=SAME, **AR1), SAME),
    "one slope, unit scales": World(
        "the same, error SDs of units log-normal (SD of logs .6)",
        partial(plain, slopes=SAME, **UNIT_SCALES),
        SAME,
        every=2,
    ),
    "strong differences": World("slopes .45, .25, .1 and -.05", partial(plain, slopes=DIFFERENT), DIFFERENT),
    "strong differences, AR(1) .6": World("the same", partial(plain, slopes=DIFFERENT, **AR1), DIFFERENT),
    "strong differences, unit scales": World(
        "the same", partial(plain, slopes=DIFFERENT, **UNIT_SCALES), DIFFERENT, every=4
    ),
    "no effect": World("slope zero", partial(plain, slopes=NONE), **WRONG_OF_NONE),
    "no path to the outcome": World(
        "the exposure moves the mediator (.5), the mediator does not move the outcome",
        partial(mediated, path_a={"all": (0.5,)}, path_b={"all": (0.0,)}),
        {"all": 0.0},
        wrong=("supported",),
        right="",
        kind="mediation",
    ),
    "no effect, unit trends in both": World(
        "trends of units in exposure and outcome, correlated by .8; the study declares a row with unit trends",
        unit_trends,
        every=2,
        rows='[[robustness]]\nname = "unit_trends"\nunit_trends = true\nmodels = ["plain"]\n',
        **WRONG_OF_NONE,
    ),
    **FACTORS,
    "no effect, heavy years": World(
        "errors of two years of nine with four times the SD", heavy_years, every=2, **WRONG_OF_NONE
    ),
    "one slope, declared without a ladder": World(
        "independent errors, declared as such", partial(plain, slopes=SAME), SAME, model=NO_LADDER
    ),
    "one slope, AR(1) declared without a ladder": World(
        "AR(1) errors, declared as such",
        partial(plain, slopes=SAME, **AR1),
        SAME,
        model=f'errors = "ar1"\n{NO_LADDER}',
    ),
    "one slope, unit scales declared without a ladder": World(
        "error SDs of units, declared as such",
        partial(plain, slopes=SAME, **UNIT_SCALES),
        SAME,
        model=f'errors = "unit_scale"\n{NO_LADDER}',
        every=2,
    ),
    "equal paths": World(
        "paths .5 and .4 in every group; differences of indirect effects",
        partial(mediated, path_a=PATHS, path_b=dict.fromkeys(GROUPS, (0.4,))),
        dict.fromkeys(GROUPS, 0.2),
        model='slopes = "group"',
        every=2,
        kind="mediation",
    ),
    "negative weights": World(
        "slopes .9, .9 and .2, which two-way fixed effects weigh by about -.25, -.60 and 1.85",
        negative_weights,
        NEGATIVE,
        right="",
    ),
    "a precise zero": World(
        "slope zero, error SD .1; the study declares .05 as the smallest effect",
        partial(plain, slopes=NONE, error_sd=0.1),
        NONE,
        wrong=("supported", "contradicted"),
        right="negligible",
        smallest=0.05,
        power=20,
        every=2,
    ),
    "no effect, clusters": World(
        "shocks of six clusters in errors and exposure, each its own", partial(clusters, shared=False), **WRONG_OF_NONE
    ),
    "no effect, clusters that the exposure shares": World(
        "the same shocks in errors and exposure", partial(clusters, shared=True), every=4, **WRONG_OF_NONE
    ),
    "a slope of five standard errors": World(
        "slope .235 everywhere, independent errors", partial(plain, slopes=CLEAR), CLEAR, power=40, every=2
    ),
}
EXCEPTED = "no effect, clusters that the exposure shares"
