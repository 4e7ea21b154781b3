"""Log predictive densities of held-out data as one record; stacking weights and the table that compares models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from bayes_npp.bayesian.fitting.psis import BAD_K
from bayes_npp.errors import SpecError

COLUMNS = ("model", "method", "n", "elpd", "se", "elpd_diff", "se_diff", "weight", "n_bad_k", "n_exact", "note")


@dataclass(frozen=True)
class Accuracy:
    """How well a model predicts data it has not seen.

    Attributes
    ----------
    method : str
    labels : tuple of str
        What was held out: rows ("unit period"), units or periods.
    pointwise : ndarray, shape (len(labels),)
        Log predictive density of each, of the outcome in the data's units.
    k_hat : ndarray, shape (len(labels),)
        Pareto k of the importance weights; NaN where the score comes from a refit and needs none.
    n_exact : int
        Scores with a bad k under the first weights, computed again exactly.
    note : str
        What else a reader must know, such as held-out rows that no model can score.
    reason : str
        Why the score is undefined; empty where it is defined.
    """

    method: str
    labels: tuple[str, ...] = ()
    pointwise: np.ndarray = field(default_factory=lambda: np.empty(0))
    k_hat: np.ndarray = field(default_factory=lambda: np.empty(0))
    n_exact: int = 0
    note: str = ""
    reason: str = ""

    @property
    def defined(self) -> bool:
        return not self.reason

    @property
    def elpd(self) -> float:
        """Sum of the log predictive densities; NaN where undefined."""
        return float(self.pointwise.sum()) if self.defined else np.nan

    @property
    def se(self) -> float:
        """Standard error of the sum, from its spread over what was held out; NaN for fewer than two."""
        return _se(self.pointwise)

    @property
    def n_bad(self) -> int:
        """Scores that remain unreliable: k above `BAD_K`."""
        return int((self.k_hat > BAD_K).sum())


def stacking(pointwise: Sequence[np.ndarray]) -> np.ndarray:
    """Stacking: weights of models, on the simplex, that maximise the log score of their mixture.

    Parameters
    ----------
    pointwise : sequence of K ndarrays, shape (n,)
        Log predictive densities of the same held-out data.

    Returns
    -------
    ndarray, shape (K,)

    Raises
    ------
    SpecError
        No model, or models scored on different numbers of points.

    References
    ----------
    Yao, Vehtari, Simpson & Gelman (2018), Bayesian Analysis.
    """
    import xarray as xr
    from arviz_stats import ELPDData, compare

    if not len(pointwise) or len({len(scores) for scores in pointwise}) > 1:
        raise SpecError("stacking needs models scored on the same points", fix="Score them on the same rows")
    best = np.max(pointwise, axis=0)  # a constant a point moves no maximum, and joint densities would underflow
    nothing = {"se": 0.0, "p": 0.0, "n_samples": 0, "scale": "log", "warning": False, "good_k": BAD_K}
    models = {
        str(k): ELPDData(
            elpd=(scores - best).sum(), n_data_points=len(best), elpd_i=xr.DataArray(scores - best), **nothing
        )
        for k, scores in enumerate(pointwise)
    }
    found = compare(models, method="stacking", round_to="none")["weight"]
    weights = np.clip([found[name] for name in models], 0, None)
    return weights / weights.sum()


def comparison_table(scores: Mapping[str, Accuracy]) -> pd.DataFrame:
    """Models by predictive accuracy, the best first and undefined ones last.

    `elpd_diff` is to the best model and `se_diff` its standard error over the same held-out data (paired); `weight` is
    of stacking. `n_bad_k` counts unreliable scores, `n_exact` those that were unreliable and computed again.

    Raises
    ------
    SpecError
        Models scored by different methods or on different data.
    """
    defined = {name: score for name, score in scores.items() if score.defined}
    if len({score.method for score in scores.values()}) > 1:
        raise SpecError("scores of different methods do not compare", fix="Make a table for each method")
    if len({score.labels for score in defined.values()}) > 1:
        raise SpecError(
            "the models are scored on different data",
            fix="Fit them to the same rows: complete cases of every variable, one transform",
        )
    order = sorted(defined, key=lambda name: -defined[name].elpd)
    weights = dict(zip(order, stacking([defined[name].pointwise for name in order]) if order else (), strict=True))
    rows = []
    for name in (*order, *(name for name in scores if name not in defined)):
        score = scores[name]
        row = {"model": name, "method": score.method, "n": len(score.labels), "elpd": score.elpd, "se": score.se}
        if score.defined:
            difference = score.pointwise - defined[order[0]].pointwise
            row |= {"elpd_diff": difference.sum(), "se_diff": _se(difference), "weight": weights[name]}
            row |= {"n_bad_k": score.n_bad, "n_exact": score.n_exact, "note": score.note}
        else:
            row |= {"n_bad_k": 0, "n_exact": 0, "note": f"undefined: {score.reason}"}
        rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _se(values: np.ndarray) -> float:
    return float(np.sqrt(len(values)) * values.std(ddof=1)) if len(values) > 1 else np.nan
