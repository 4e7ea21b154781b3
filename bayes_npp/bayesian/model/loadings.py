"""Columns of time on which every unit has a coefficient of its own: common factors, trends, the exposure's factors.

With loadings, a column with a slope enters as its residual from the joint projection on units, periods and unit x
columns of time in the metric of the errors, so that slopes are fixed-effects GLS with the columns of time interacted,
whatever the loadings correlate with. Its part on unit x column keeps coefficients of its own. See docs/statistics.md,
section 6.
"""

from collections.abc import Iterator

import numpy as np

from bayes_npp.bayesian.model.error_models import factors_of, shape_of
from bayes_npp.bayesian.model.terms import WHOLE, ModelData, Term, terms
from bayes_npp.bayesian.priors.sets import PriorSet
from bayes_npp.design.design import Design
from bayes_npp.design.projection import contrast_basis
from bayes_npp.design.spec import Spec
from bayes_npp.errors import DesignError, SpecError

# Variables of columns with slopes, and of what they keep of unit x columns of time.
SLOPED = ("free_slope", "exposure_slope", "control_slope", "slope_offset", "control_offset")
PART = "loading_between"
FEWEST_PERIODS = 6
LENGTH_DEGREES = 24


def loads(spec: Spec) -> bool:
    """Whether units load on columns of time."""
    return bool(factors_of(spec.errors) or spec.unit_trends or spec.exposure_factor != "none")


def check_loadings(design: Design, source: str) -> None:
    """Raise what is wrong with loadings before anything is sampled.

    Raises
    ------
    SpecError
        No period effects, uncorrelated effects, slopes of units, period effects of groups, a lagged outcome.
    DesignError
        A panel too short for its factors (T below 6, or more than (T - 3) / 3 of them), or a unit with too few rows for
        its flat coefficients.
    """
    spec, number, n_times = design.spec, factors_of(design.spec.errors), len(design.times)
    if not loads(spec):
        return
    what = f"errors = '{spec.errors}'" if number else "exposure_factor" if not spec.unit_trends else "unit_trends"
    if spec.time_effects == "none":
        raise SpecError(
            f"{what} without period effects: what is common to all units would be taken for it",
            fix="Use time_effects = 'partial' or 'fixed'",
        )
    if not spec.correlated_means:
        raise SpecError(
            f"{what} with correlated_means = false: loadings that the exposure shares would bias its slope",
            fix="Leave correlated_means at true",
        )
    others = {
        "slopes of units": spec.unit_slopes,
        "period effects of groups": spec.group_time_effects,
        "a lagged outcome": spec.dynamic,
        "Student-t errors": shape_of(spec.errors),
        "known standard errors": spec.se,
    }
    for name, there in others.items():
        if there:
            raise SpecError(f"{what} does not combine with {name}", fix="Leave one of them out")
    if number and n_times < FEWEST_PERIODS:
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
    flat = (spec.unit_effects == "fixed") + (spec.unit_trends is True)
    flat += spec.exposure_factors * (spec.exposure_factor == "fixed")
    rows = np.bincount(design.unit)
    if flat > 1 and rows.min() < flat:
        raise DesignError(
            f"unit '{design.units[int(rows.argmin())]}' has {rows.min()} row(s) for {flat} flat coefficients",
            place=source,
            fix="Use 'partial', or leave the unit out",
        )


def loading_terms(data: ModelData) -> Iterator[Term]:
    """Coefficients of units on columns of time, beyond their intercepts; values of the columns are in theta."""
    nothing = np.empty((data.design.n_obs, 1))
    for column in data.time_columns:
        yield Term(column.variable, nothing, scale=column.scale or None, slot=column.scale)
    for k in range(factors_of(data.design.spec.errors)):
        yield Term("loading", nothing, scale="loading_sd", at=k, slot="loading_sd")


def sloped_terms(data: ModelData, priors: PriorSet) -> list[Term]:
    """Columns with slopes in the order of the collapsed posterior: coefficients that stay in theta come last."""
    every = [term for term in terms(data, priors) if term.variable in SLOPED]
    return sorted(every, key=lambda term: not term.scale and not priors[term.slot].collapses)


def sloped_coefficients(
    parameters: dict[str, np.ndarray], data: ModelData, priors: PriorSet
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Columns with slopes (n, k) and their coefficients (S, k) from parameters, `free_slope` among them."""
    out = []
    for term in sloped_terms(data, priors):
        values = parameters[term.variable]
        values = values if term.at == WHOLE else values[:, term.at]
        values = values.reshape(len(values), -1)
        out.append((term.rows(slice(None)), values if term.basis is None else values @ term.basis))
    return out


def part_term(data: ModelData, columns: tuple[Term, ...]) -> Term:
    """What columns with slopes keep of unit x columns of time: a coefficient for each column and pair of loadings."""
    number = sum(term.scale is not None for term in loading_terms(data))
    width = sum(term.width for term in columns if term.variable in SLOPED) * number**2
    return Term(PART, np.empty((data.design.n_obs, width)), slot=PART)


def length_degrees(n_times: int) -> int:
    """Degrees of freedom of the length of a factor's free coordinates beyond those of T - 1 standard normals.

    Only their direction means something, so their length may have any distribution. As a share of it the posterior of
    the direction is as wide at every length, and where the length is often small, as that of few normals is, steps that
    suit its mean are too long for it.
    """
    return max(0, LENGTH_DEGREES - (n_times - 1))


def factor_basis(n_times: int) -> np.ndarray:
    """Orthonormal contrasts of periods, shape (T, T - 1)."""
    return contrast_basis(np.empty((n_times, 0)))


def factors_from(direction: np.ndarray, n_times: int) -> np.ndarray:
    """Factors of length sqrt(T - 1), shape (..., K, T), from their free coordinates (..., K (T - 1))."""
    h = direction.reshape(*direction.shape[:-1], -1, n_times - 1)
    return np.sqrt(n_times - 1) * (h / np.linalg.norm(h, axis=-1, keepdims=True)) @ factor_basis(n_times).T


def aligned(parameters: dict[str, np.ndarray], known: int = 0) -> dict[str, np.ndarray]:
    """Parameters with the signs of factors and loadings turned, and factors ordered, so that draws agree.

    The likelihood does not know signs, nor which of two factors is which: neither is a result. Each draw's factors are
    matched with those of the draw before in the running mean, by the largest absolute inner products.

    Parameters
    ----------
    parameters : dict of ndarray
        `factor` (S, K, T), `loading` (S, K, N), `loading_sd` (S, K); perhaps `loading_between`.
    known : int
        Known columns of time with pooled coefficients, before the factors.
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
    if PART in out:
        fixed = np.tile(np.arange(known), (len(factor), 1))
        order, signs = np.hstack([fixed, order + known]), np.hstack([np.ones(fixed.shape), signs])
        pairs = out[PART].reshape(len(factor), order.shape[1], order.shape[1], -1)
        pairs = np.take_along_axis(pairs, order[:, :, None, None], axis=1)
        pairs = np.take_along_axis(pairs, order[:, None, :, None], axis=2)
        out[PART] = (pairs * signs[:, :, None, None] * signs[:, None, :, None]).reshape(out[PART].shape)
    return out


def common_component(parameters: dict[str, np.ndarray]) -> np.ndarray:
    """What factors give to each unit and period, shape (..., N, T)."""
    return np.swapaxes(parameters["loading"], -1, -2) @ parameters["factor"]
