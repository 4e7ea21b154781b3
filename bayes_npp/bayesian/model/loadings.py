"""Columns of time on which every unit has a coefficient of its own: common factors.

With loadings, a column with a slope enters as its residual from the joint projection on units, periods and unit x
columns of time in the metric of the errors, so that slopes are fixed-effects GLS with the columns of time interacted,
whatever the loadings correlate with. Its part on unit x column keeps coefficients of its own. See docs/statistics.md,
section 6.
"""

from collections.abc import Iterator

import numpy as np

from bayes_npp.bayesian.model.error_models import factors_of
from bayes_npp.bayesian.model.terms import ModelData, Term
from bayes_npp.design.projection import contrast_basis
from bayes_npp.design.spec import Spec
from bayes_npp.errors import DesignError

# Variables of columns with slopes, and of what they keep of unit x columns of time.
SLOPED = ("free_slope", "exposure_slope", "control_slope", "slope_offset", "control_offset")
PART = "loading_between"
FEWEST_PERIODS = 6


def loads(spec: Spec) -> bool:
    """Whether units load on columns of time."""
    return factors_of(spec.errors) > 0


def check_loadings(spec: Spec, n_times: int, source: str) -> None:
    """Raise `DesignError` for a panel too short for its factors: T below 6, or more than (T - 3) / 3 of them."""
    number = factors_of(spec.errors)
    if not number:
        return
    if n_times < FEWEST_PERIODS:
        raise DesignError(
            f"errors = '{spec.errors}' in a panel of {n_times} periods",
            place=source,
            fix=f"A common factor takes at least {FEWEST_PERIODS} periods: use errors without it",
        )
    most = min(2, (n_times - 3) // 3)
    if number > most:
        raise DesignError(
            f"errors = '{spec.errors}' in a panel of {n_times} periods, which carries {most} common factor",
            place=source,
            fix="Use 'factor'; two take at least 9 periods",
        )


def loading_terms(data: ModelData) -> Iterator[Term]:
    """Coefficients of units on columns of time, beyond their intercepts; values of the columns are in theta."""
    for k in range(factors_of(data.design.spec.errors)):
        yield Term("loading", np.empty((data.design.n_obs, 1)), scale="loading_sd", at=k, slot="loading_sd")


def part_term(data: ModelData, columns: tuple[Term, ...]) -> Term:
    """What columns with slopes keep of unit x columns of time: a coefficient for each column and pair of loadings."""
    number = len(tuple(loading_terms(data)))
    width = sum(term.width for term in columns if term.variable in SLOPED) * number**2
    return Term(PART, np.empty((data.design.n_obs, width)), slot="between")


def factor_basis(n_times: int) -> np.ndarray:
    """Orthonormal contrasts of periods, shape (T, T - 1)."""
    return contrast_basis(np.empty((n_times, 0)))


def factors_from(direction: np.ndarray, n_times: int) -> np.ndarray:
    """Factors of length sqrt(T - 1), shape (..., K, T), from their free coordinates (..., K (T - 1))."""
    h = direction.reshape(*direction.shape[:-1], -1, n_times - 1)
    return np.sqrt(n_times - 1) * (h / np.linalg.norm(h, axis=-1, keepdims=True)) @ factor_basis(n_times).T


def aligned(parameters: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Parameters with the signs of factors and loadings turned, and factors ordered, so that draws agree.

    The likelihood does not know signs, nor which of two factors is which: neither is a result. Each draw's factors are
    matched with those of the draw before in the running mean, by the largest absolute inner products.

    Parameters
    ----------
    parameters : dict of ndarray
        `factor` (S, K, T), `loading` (S, K, N), `loading_sd` (S, K).
    """
    factor = parameters["factor"]
    n_factors = factor.shape[1]
    reference = factor[0].copy()
    signs, order = np.ones(factor.shape[:2]), np.tile(np.arange(n_factors), (len(factor), 1))
    for _ in range(3):
        inner = np.einsum("skt,jt->skj", factor, reference)
        if n_factors == 2:
            kept = np.abs(inner[:, 0, 0]) + np.abs(inner[:, 1, 1])
            turned = kept < np.abs(inner[:, 0, 1]) + np.abs(inner[:, 1, 0])
            order = np.where(turned[:, None], [1, 0], [0, 1])
        matched = np.take_along_axis(factor, order[:, :, None], axis=1)
        signs = np.sign(np.einsum("skt,kt->sk", matched, reference))
        signs[signs == 0] = 1.0
        reference = (matched * signs[:, :, None]).mean(axis=0)
    # The sign of the mean factor: its last period above its first.
    signs = signs * np.where(reference[:, -1] >= reference[:, 0], 1.0, -1.0)
    out = dict(parameters)
    for name in ("factor", "loading"):
        if name in out:
            out[name] = np.take_along_axis(out[name], order[:, :, None], axis=1) * signs[:, :, None]
    out["loading_sd"] = np.take_along_axis(out["loading_sd"], order, axis=1)
    return out
