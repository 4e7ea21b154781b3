"""Panels whose last mediators are missing."""

import numpy as np
import pandas as pd

import bayes_npp as bn
from bayes_npp.bayesian.mediation.equations import Paths
from bayes_npp.bayesian.mediation.joint_fit import on_observed_scales
from bayes_npp.bayesian.mediation.missing import treat
from bayes_npp.bayesian.priors.sets import load_priors

PRIORS = load_priors("weakly_informative")


def panel_of(frame: pd.DataFrame) -> bn.Panel:
    return bn.read_panel(frame, unit="unit", time="time", group="group")


def late(n_units=12, n_periods=7, last=2, seed=1, **truth) -> pd.DataFrame:
    """A simulated panel without the last periods of mediator_1, and with a gap of one unit."""
    frame = bn.simulate_mediation(n_units, n_periods, seed=seed, **truth).frame
    frame.loc[frame["time"] > n_periods - last, "mediator_1"] = np.nan
    return frame


def joint_parts(frame: pd.DataFrame, spec: bn.Spec, mediators=("mediator_1",), serial=(), errors="ar1"):
    """Designs on observed scales and the missing rows."""
    treated = treat(panel_of(frame), spec, tuple(mediators), Paths(serial=serial), "impute", mediator_errors=errors)
    return on_observed_scales(treated.designs, treated.unknown), treated.unknown
