"""Predictive accuracy of a fit: rows, units and future periods held out, with the coefficients integrated exactly.

Every function returns an `Accuracy`, and `SpecError` says where a model predicts nothing of the kind.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import logsumexp

from bayes_npp.bayesian.collapsed.collapsed import collapse, on_grid, why_not_collapsible
from bayes_npp.bayesian.collapsed.posterior import Collapsed
from bayes_npp.bayesian.collapsed.restrict import carry, restrict, unidentified
from bayes_npp.bayesian.comparison.held_out import HeldOut
from bayes_npp.bayesian.comparison.row_density import NODES, row_log_density
from bayes_npp.bayesian.comparison.scores import Accuracy
from bayes_npp.bayesian.fitting.fit import Fit
from bayes_npp.bayesian.fitting.posterior import CHUNK_CELLS
from bayes_npp.bayesian.fitting.psis import BAD_K, expected, importance
from bayes_npp.bayesian.fitting.refit import SHORT, Start, sample_thetas
from bayes_npp.bayesian.fitting.sample import Sampler
from bayes_npp.bayesian.model.error_models import memory_of, shape_of
from bayes_npp.bayesian.model.loadings import loads
from bayes_npp.design.design import Design
from bayes_npp.errors import SpecError

SCORED_DRAWS = 1000  # of theta; more add nothing to a weighted mean


def loo(fit: Fit, mend: bool = True, sampler: Sampler = SHORT) -> Accuracy:
    """PSIS leave-one-out: every row given the coefficients and, under AR(1) errors, the other rows of its unit.

    Parameters
    ----------
    fit : Fit
        Of either engine.
    mend : bool
        Score rows with a Pareto k above 0.7 again by `leave_one_row_out`, which integrates the coefficients; `n_exact`
        counts them. Student-t errors have no such score: their `n_bad` stays.
    sampler : Sampler
        Of refits, where a row's k is bad even so.

    References
    ----------
    Vehtari, Gelman & Gabry (2017), Statistics and Computing.
    """
    _check_rows(fit)
    integrated = memory_of(fit.spec.errors) and shape_of(fit.spec.errors)
    cells = CHUNK_CELLS // (2 * len(NODES) if integrated else 2)
    draws = max(400, cells // fit.design.n_obs)
    scores, k_hat = expected(row_log_density(fit.parameters(draws), fit.data))
    bad = np.flatnonzero(~(k_hat <= BAD_K))
    n_exact, note = 0, ""
    if mend and len(bad) and not why_not_collapsible(fit.spec):
        blocks = [np.array([row]) for row in bad]
        if not unidentified(fit.collapsed, blocks):
            scores[bad], k_hat[bad], _, note = _held_out_rows(fit, blocks, sampler)
            n_exact = len(bad)
    labels = _row_labels(fit.design)
    return Accuracy("loo", labels, scores - np.log(fit.design.scales.outcome_sd), k_hat, n_exact, note)


def leave_one_row_out(fit: Fit, folds: int | None = None, sampler: Sampler = SHORT, seed: int = 1) -> Accuracy:
    """Cross-validation of rows, coefficients integrated: log p(y_it | rows outside its fold).

    Given theta the density is p(y_it, y_rest | theta) / p(y_rest | theta), exactly. Draws of theta are the fit's,
    weighted by PSIS; where the k of a fold is above 0.7 they come from a refit without it. Defined for fixed effects.

    Parameters
    ----------
    fit : Fit
    folds : int, optional
        Default: every row on its own. Rows of a unit are dealt to different folds, at random.
    sampler : Sampler
        Of refits.
    seed : int
        Of the folds.

    Raises
    ------
    SpecError
        Student-t errors; a fold that alone identifies a fixed effect or a flat slope.
    """
    _check_collapsible(fit)
    n_obs = fit.design.n_obs
    _check_rows(fit)
    fold = np.arange(n_obs) if folds is None else deal(fit.design, folds, seed)
    blocks = np.split(np.argsort(fold, kind="stable"), np.cumsum(np.bincount(fold))[:-1])
    lost = unidentified(fit.collapsed, blocks)
    labels = _row_labels(fit.design)
    if lost:
        raise SpecError(
            f"only row '{labels[blocks[lost[0]][0]]}' (or its fold) identifies an effect or slope with a flat prior",
            fix="Give it a prior, drop the row, or use more folds",
        )
    scores, k_hat, n_exact, failures = _held_out_rows(fit, blocks, sampler)
    order = np.concatenate(blocks)
    pointwise, all_k = np.empty(n_obs), np.empty(n_obs)
    pointwise[order], all_k[order] = scores, k_hat
    note = "; ".join(part for part in ("" if folds is None else f"{folds} folds", failures) if part)
    pointwise -= np.log(fit.design.scales.outcome_sd)
    return Accuracy("leave_one_row_out", labels, pointwise, all_k, n_exact, note)


def leave_one_unit_out(fit: Fit, sampler: Sampler = SHORT, mend: bool = True) -> Accuracy:
    """All rows of a unit given all rows of the others: what the model says about a unit it has not seen.

    Given theta the density is exact, with the coefficients and the unit's own effects and error scale integrated. Draws
    of theta are the fit's, weighted by PSIS; where the k of a unit is above 0.7 they come from a refit without it (with
    loadings weighted too: the refit projects columns with slopes on its own rows).

    Parameters
    ----------
    fit : Fit
    sampler : Sampler
        Of refits.
    mend : bool
        Refit without the units whose k is above 0.7; otherwise `n_bad` counts them.

    Raises
    ------
    SpecError
        Fixed effects or trends of units, or fixed loadings, which nothing but the unit itself identifies; Student-t
        errors; a unit that alone identifies a fixed period or a flat slope.

    References
    ----------
    Merkle, Furr & Rabe-Hesketh (2019), Psychometrika: units held out with their effects integrated.
    """
    _check_collapsible(fit)
    if fit.spec.unit_effects == "fixed":
        raise SpecError(
            "fixed effects of units say nothing about a unit that is not there", fix="Use unit_effects = 'partial'"
        )
    if any(not column.scale for column in fit.data.time_columns):
        raise SpecError(
            "fixed trends or loadings of units say nothing about a unit that is not there",
            fix="Use unit_trends = 'partial' and exposure_factor = 'partial'",
        )
    design = fit.design
    blocks = np.split(np.arange(design.n_obs), fit.data.segments[1:])
    lost = unidentified(fit.collapsed, blocks)
    if lost:
        raise SpecError(
            f"only unit '{design.units[lost[0]]}' identifies an effect or slope with a flat prior",
            fix="Give it a prior",
        )
    scores, k_hat = expected(HeldOut(fit.collapsed, fit.priors).units(_thetas(fit, SCORED_DRAWS)))
    random, n_exact, failed = np.random.default_rng(sampler.seed), 0, 0
    for i in np.flatnonzero(~(k_hat <= BAD_K)) if mend else ():
        train = collapse(restrict(fit.data, np.setdiff1d(np.arange(design.n_obs), blocks[i])), fit.priors)
        thetas, passed = _sample(train, replace(sampler, seed=sampler.seed + int(i)))
        at_all = carry(thetas, train, fit.collapsed, random)
        if loads(fit.spec):
            scores[i], k_hat[i] = on_all_rows(fit, int(i), at_all, train.log_likelihoods(thetas))
        else:
            scores[i], k_hat[i] = _mean(HeldOut(fit.collapsed, fit.priors).units(at_all)[:, i]), np.nan
        n_exact, failed = n_exact + 1, failed + (not passed)
    sizes = np.array([len(rows) for rows in blocks])
    scores -= sizes * np.log(design.scales.outcome_sd)
    return Accuracy("leave_one_unit_out", design.units, scores, k_hat, n_exact, _failures(failed))


def leave_future_out(fit: Fit, first: int | None = None, sampler: Sampler = SHORT) -> Accuracy:
    """Each later period given the periods before it, by refits: all its rows of units seen before, jointly.

    The effect of the new period is integrated over its prior given its SD. Columns, correlated effects included, are
    those of the whole panel: they are functions of regressors, whose future is taken as known.

    Parameters
    ----------
    fit : Fit
        Its data and priors; its draws are not used.
    first : int, optional
        Periods of the first training set. Default: half of them, at least two.
    sampler : Sampler

    Raises
    ------
    SpecError
        Fixed effects of periods; Student-t errors; units that load on columns of time; no period left to predict, or
        too few to identify a flat slope.

    References
    ----------
    Buerkner, Gabry & Vehtari (2020), Journal of Statistical Computation and Simulation.
    """
    _check_collapsible(fit)
    design = fit.design
    if fit.spec.time_effects == "fixed":
        raise SpecError(
            "fixed effects of periods say nothing about a period that is not there", fix="Use time_effects = 'partial'"
        )
    if loads(fit.spec):
        raise SpecError(
            "units load on columns of time: columns with slopes are projected on the periods to be predicted too",
            fix="Use leave_one_row_out or leave_one_unit_out",
        )
    n_times = len(design.times)
    first = max(2, (n_times + 1) // 2) if first is None else first
    if not 1 <= first < n_times:
        raise SpecError(f"first = {first} leaves no period to predict of {n_times}", fix="Use 1 to periods - 1")
    scores, labels, failed, unseen = [], [], 0, 0
    random = np.random.default_rng(sampler.seed)
    for period in range(first, n_times):
        past = np.flatnonzero(design.time < period)
        here = np.flatnonzero(design.time == period)
        known = here[np.isin(design.unit[here], design.unit[past])]
        unseen += len(here) - len(known)
        if not len(known):
            continue
        both = collapse(restrict(fit.data, np.union1d(past, known)), fit.priors)
        ahead = np.flatnonzero(both.data.design.time == period)
        if unidentified(both, [ahead]):
            raise SpecError(
                f"the periods before {design.times[period]} do not identify a slope with a flat prior",
                fix="Give it a prior, or start later (first)",
            )
        train = collapse(restrict(fit.data, past), fit.priors)
        thetas, passed = _sample(train, replace(sampler, seed=sampler.seed + period))
        failed += not passed
        density = both.log_likelihoods(carry(thetas, train, both, random)) - train.log_likelihoods(thetas)
        scores.append(_mean(density) - len(known) * np.log(design.scales.outcome_sd))
        labels.append(str(design.times[period]))
    notes = [f"{unseen} rows of units not seen before are left out"] if unseen else []
    notes += [_failures(failed)] if failed else []
    k_hat = np.full(len(scores), np.nan)
    return Accuracy("leave_future_out", tuple(labels), np.array(scores), k_hat, note="; ".join(notes))


METHODS: dict[str, Callable[..., Accuracy]] = {
    "loo": loo,
    "leave_one_row_out": leave_one_row_out,
    "leave_one_unit_out": leave_one_unit_out,
    "leave_future_out": leave_future_out,
}


def accuracy(fit: Fit, method: str, **options: Any) -> Accuracy:
    """Score a fit by one of `METHODS`; where the score is undefined the record says why instead of an error."""
    if method not in METHODS:
        raise SpecError(f"unknown method '{method}'", fix=f"Use {', '.join(METHODS)}")
    try:
        return METHODS[method](fit, **options)
    except SpecError as error:
        return Accuracy(method, reason=error.problem)


def on_all_rows(fit: Fit, unit: int, thetas: np.ndarray, refit: np.ndarray) -> tuple[float, float]:
    """Log density of a unit given the others at draws of a refit without it, and k of the weights of these draws.

    Where columns with slopes are projected in the metric of theta, the model's own projection is on all rows and the
    refit's on the rows left. Weights are the ratio of the two likelihoods of these, `refit` (S,) the refit's.
    """
    own = HeldOut(fit.collapsed, fit.priors).units(thetas, given_scale=True)[:, unit]
    rest = fit.collapsed.log_likelihoods(thetas) - own
    log_weights, k = importance((refit - rest)[:, None])
    return float(logsumexp(log_weights[:, 0] + own)), float(k[0])


def _held_out_rows(fit: Fit, blocks: Sequence[np.ndarray], sampler: Sampler) -> tuple[np.ndarray, np.ndarray, int, str]:
    """Log densities of the rows of each block given all rows outside it, their k, how many came from refits, a note.

    In the order of the concatenated blocks; standardised outcome.
    """
    rows, random = np.arange(fit.design.n_obs), np.random.default_rng(sampler.seed)
    scores, k_hat = np.empty(len(rows)), np.empty(len(rows))
    thetas, n_exact, failed = _thetas(fit, max(400, min(SCORED_DRAWS, CHUNK_CELLS // len(rows)))), 0, 0
    # Every row at once, unless the blocks are few: then each is a ratio of two likelihoods.
    single, grid = all(len(block) == 1 for block in blocks), on_grid(fit.spec)
    at_once = single and (len(blocks) > len(rows) / 20 or grid)
    if grid and not single:
        raise SpecError(
            f"folds of rows with errors = '{fit.spec.errors}': columns change with the rows", fix="Leave out one row"
        )
    whole, start = fit.collapsed.log_likelihoods(thetas), None
    if at_once:
        scores, k_hat = expected(HeldOut(fit.collapsed, fit.priors).rows(thetas))
    if grid:  # no refits: columns with slopes would be projected on other rows
        order = np.concatenate(blocks)
        return scores[order], k_hat[order], 0, ""
    for number, block in enumerate(blocks):
        if at_once and k_hat[block[0]] <= BAD_K:
            continue
        rest = np.setdiff1d(rows, block)
        train = collapse(restrict(fit.data, rest), fit.priors)
        base = train.log_likelihoods(carry(thetas, fit.collapsed, train, random))
        log_weights, k = importance((whole - base)[:, None])
        k_hat[block] = k[0]
        if k[0] <= BAD_K:
            draws, here = thetas, fit.collapsed
        else:
            start = start or Start.of_fit(fit)
            draws, passed = _sample(train, replace(sampler, seed=sampler.seed + number), start)
            failed += not passed
            base, here = train.log_likelihoods(draws), train
            log_weights = np.full((len(draws), 1), -np.log(len(draws)))
            k_hat[block], n_exact = np.nan, n_exact + len(block)
        for row in block:
            one = collapse(restrict(fit.data, np.append(rest, row)), fit.priors)
            density = one.log_likelihoods(carry(draws, here, one, random)) - base
            scores[row] = logsumexp(log_weights[:, 0] + density)
    order = np.concatenate(blocks)
    return scores[order], k_hat[order], n_exact, _failures(failed)


def _failures(count: int) -> str:
    return f"diagnostics of {count} refits failed" if count else ""


def _thetas(fit: Fit, draws: int) -> np.ndarray:
    """Evenly spaced draws of the collapsed sampler's theta, the fit's own where it has them; shape (S, d)."""
    return _some(fit.thetas if fit.is_collapsed else _sample(fit.collapsed, SHORT)[0], draws)


def _some(thetas: np.ndarray, draws: int) -> np.ndarray:
    return thetas[np.linspace(0, len(thetas) - 1, min(draws, len(thetas))).astype(int)]


def _sample(collapsed: Collapsed, sampler: Sampler, start: Start | None = None) -> tuple[np.ndarray, bool]:
    """Draws of theta (S, d) and whether their diagnostics passed."""
    thetas, diagnostics = sample_thetas(collapsed, sampler, start)
    return thetas, diagnostics.passed


def _mean(log_density: np.ndarray) -> np.ndarray:
    """Log of the mean over draws."""
    return logsumexp(log_density, axis=0) - np.log(len(log_density))


def deal(design: Design, folds: int, seed: int) -> np.ndarray:
    """Fold of every row: shuffled within its unit, then dealt in turn, so that a unit's rows are in different folds."""
    if not 2 <= folds <= design.n_obs:
        raise SpecError(f"{folds} folds of {design.n_obs} rows", fix="Use 2 to as many as there are rows")
    order = np.lexsort((np.random.default_rng(seed).random(design.n_obs), design.unit))
    out = np.empty(design.n_obs, dtype=int)
    out[order] = np.arange(design.n_obs) % folds
    return out


def _check_rows(fit: Fit) -> None:
    if fit.spec.dynamic:
        raise SpecError(
            "a row of a dynamic model cannot be left out: its outcome is the lag of the next row",
            fix="Use leave_one_unit_out or leave_future_out",
        )


def _check_collapsible(fit: Fit) -> None:
    reason = why_not_collapsible(fit.spec)
    if reason:
        raise SpecError(f"held-out rows need coefficients that integrate out: {reason}", fix="Score the model by loo")


def _row_labels(design: Design) -> tuple[str, ...]:
    return tuple(f"{design.units[u]} {design.times[t]}" for u, t in zip(design.unit, design.time, strict=True))
