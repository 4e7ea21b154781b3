"""Panels and estimates that tests of GMM share."""

import pandas as pd

import bayes_npp as bn
from tests.frequentist.dynamic.test_gmm_peer import dynamic_frame


def rows_of(table: bn.Estimates) -> pd.DataFrame:
    return table.frame[table.frame["estimand"] != "long_run"].set_index("term")


def balanced(seed: int, n_units: int, n_periods: int, rho: float = 0.5) -> pd.DataFrame:
    """Every unit of `dynamic_frame` in every year."""
    frame = dynamic_frame(seed, 4 * n_units, n_periods, rho)
    full = frame.groupby("id").filter(lambda rows: len(rows) == n_periods)
    return full[full["id"].isin(full["id"].unique()[:n_units])]
