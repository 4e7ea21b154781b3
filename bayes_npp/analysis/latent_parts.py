"""Latent parts of a fit in numbers: error scales of units, common factors and loadings."""

import numpy as np
import pandas as pd

from bayes_npp.bayesian.fitting.fit import Fit
from bayes_npp.estimates import summarise
from bayes_npp.panels.calendar import shown

FACTOR_COLUMNS = ("fit", "factor", "of", "label", "mean", "sd", "lo", "hi")


def error_scales(fit: Fit) -> pd.DataFrame | None:
    """Error SD of every unit over that of the median unit, the largest first; None without scales of units.

    Returns
    -------
    DataFrame
        unit, mean, sd, lo, hi (95 % equal-tailed) of the ratio in each draw.
    """
    if "unit_scale" not in fit.tree["posterior"]:
        return None
    scales = fit.values("unit_scale")
    ratio = scales / np.median(scales, axis=1, keepdims=True)
    rows = [{"unit": unit, **summarise(ratio[:, i])} for i, unit in enumerate(fit.design.units)]
    frame = pd.DataFrame(rows)[["unit", "mean", "sd", "lo", "hi"]]
    return frame.sort_values("mean", ascending=False, kind="stable", ignore_index=True)


def factor_rows(model: str, fit: Fit) -> pd.DataFrame | None:
    """Common factors over time and loadings by unit, signs aligned; None without factors.

    Returns
    -------
    DataFrame
        fit; factor (1, 2); of ("period": mean square about one; "unit": what the outcome moves, in its units, where
        the factor rises by one); label; mean, sd, lo, hi (95 % equal-tailed).
    """
    if "factor" not in fit.tree["posterior"]:
        return None
    factor, loading = fit.values("factor"), fit.values("loading") * fit.design.scales.outcome_sd
    rows = []
    for k in range(factor.shape[1]):
        for of, labels, values in (("period", shown(fit.design.times), factor), ("unit", fit.design.units, loading)):
            for j, label in enumerate(labels):
                own = {"fit": model, "factor": k + 1, "of": of, "label": str(label)}
                rows.append({**own, **summarise(values[:, k, j])})
    return pd.DataFrame(rows)[list(FACTOR_COLUMNS)]
