"""Mediation by least squares: the two-step practice, Baron and Kenny's steps, products of paths."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayes_npp.design.design import group_pairs
from bayes_npp.design.spec import Spec
from bayes_npp.errors import SpecError, nearest
from bayes_npp.estimates import LEVEL, Estimates, estimates_from_rows
from bayes_npp.frequentist.least_squares.clusters import UNIT, read_cluster, unit_level
from bayes_npp.frequentist.least_squares.few_clusters import PRODUCT_FAMILY, Support, support
from bayes_npp.frequentist.least_squares.inference import ESTIMATORS, joined, row_of, t_row
from bayes_npp.frequentist.mediation.bootstrap import bootstrap_paths
from bayes_npp.frequentist.mediation.equations import PathEquations, path_equations
from bayes_npp.frequentist.mediation.stacked import Stacked, stack
from bayes_npp.frequentist.mediation.steps import ALPHA, steps_note
from bayes_npp.panels.panel import Panel

METHODS = {
    "two_step": "two-step mechanism regressions",
    "baron_kenny": "Baron-Kenny regressions",
    "product": "product of paths",
}
PATH_FAMILY = "mediation path"  # in the table of simulated shares
INTERVALS = ("delta", "monte_carlo", "cluster_bootstrap")
MIN_DRAWS = 199  # the smallest number at which the 2.5 % points are order statistics with four draws beyond each
NOT_ESTIMATED = (
    "two-step practice: exposure to mediator only; the mediator's link to the outcome, an indirect effect and its "
    "uncertainty are not estimated"
)


@dataclass(frozen=True)
class Options:
    """How paths are estimated and their intervals made; see `mediation_paths`."""

    method: str
    effects: str
    covariance: str
    interval: str
    draws: int
    seed: int
    convention: str
    lags: int | None
    cluster: str = "unit"

    def check(self) -> None:
        """Refuse unknown options and those that do not combine.

        Raises
        ------
        SpecError
        """
        for key, known in (
            ("method", METHODS),
            ("effects", ("two-way", "unit", "time", "none")),
            ("interval", INTERVALS),
        ):
            value = getattr(self, key)
            if value not in known:
                raise SpecError(f"unknown {key} '{value}'", fix=nearest(value, known))
        if self.interval == "monte_carlo" and self.method != "product":
            raise SpecError(
                f"interval = 'monte_carlo' draws products of paths, and method = '{self.method}' has none",
                fix="Use method = 'product', or interval = 'delta'",
            )
        by_cluster = self.covariance == "clustered" or self.interval == "cluster_bootstrap"
        if read_cluster(self.cluster) != UNIT and not by_cluster:
            raise SpecError(
                f"cluster = {self.cluster!r} with covariance = '{self.covariance}'",
                fix="Clusters belong to covariance = 'clustered' or interval = 'cluster_bootstrap'",
            )
        if self.interval != "delta" and self.draws < MIN_DRAWS:
            raise SpecError(f"draws = {self.draws} are too few for 95 % intervals", fix=f"Use at least {MIN_DRAWS}")


@dataclass(frozen=True)
class Paths:
    """Estimated paths and what their intervals rest on.

    Positions of total, a_k, b_k and direct in every vector: 0, 1..K, K+1..2K, 2K+1.

    Attributes
    ----------
    mediators : tuple of str
    stacked : Stacked
    draws : ndarray, shape (B, 2 + 2 K), optional
        Of the joint normal (Monte Carlo) or of the bootstrap; None where too few clusters leave no interval.
    interval : str
    """

    mediators: tuple[str, ...]
    stacked: Stacked
    draws: np.ndarray | None
    interval: str

    @property
    def size(self) -> int:
        return len(self.stacked.coefficients)

    def a(self, k: int) -> int:
        return 1 + k

    def b(self, k: int) -> int:
        return 1 + len(self.mediators) + k

    @property
    def direct(self) -> int:
        return self.size - 1

    def rests(self, gradient: np.ndarray) -> Support:
        """What the test of an effect rests on, its gradient (P,) in total, paths and direct."""
        design = self.stacked.fits[0].design
        return support(self.stacked.spread, gradient, PRODUCT_FAMILY, len(design.units), len(design.times))

    def few_drawn(self, family: str) -> str:
        """What is said of drawn intervals that rest on few clusters; `family` in the table of simulated shares."""
        design, spread = self.stacked.fits[0].design, self.stacked.spread
        if self.interval == "cluster_bootstrap":
            spread = replace(spread, clusters=(unit_level(design),))
        sizes = (len(design.units), len(design.times))
        return support(spread, np.ones(self.size), family, *sizes, kind=self._drawn_kind).note

    @property
    def _drawn_kind(self) -> str:
        """The interval in the table of shares, where it is there: draws of the joint normal have clustered errors."""
        return self.interval if self.interval == "cluster_bootstrap" or self.stacked.spread.kind == "clustered" else "-"


def mediation_paths(
    panel: Panel,
    spec: Spec,
    mediators: Sequence[str],
    method: str = "two_step",
    effects: str = "two-way",
    covariance: str = "clustered",
    interval: str = "delta",
    *,
    draws: int = 9999,
    seed: int = 1,
    convention: str = "stata",
    lags: int | None = None,
    cluster: str = "unit",
) -> Estimates:
    """Paths from exposure over parallel mediators to outcome, by least squares on one common sample.

    Parameters
    ----------
    panel : Panel
    spec : Spec
        Outcome, exposure and controls; static, one slope. Rows complete in these and in every mediator are used by all
        equations, whatever the method.
    mediators : sequence of str
        K parallel mediators: none is in another's equation.
    method : {"two_step", "baron_kenny", "product"}
        two_step: each mediator on exposure and controls, nothing else (Jiang 2022). baron_kenny: the outcome on
        exposure and controls (total), each mediator on the same (a), the outcome on all of them (b, direct), with the
        reading of Baron and Kenny's (1986) steps as a note. product: these, indirect effects a_k b_k, their sum, shares
        mediated and differences between mediators.
    effects : {"two-way", "unit", "time", "none"}
        Of every equation.
    covariance, convention, lags
        As in `static.twfe`; jointly over the equations.
    cluster : str
        Of clustered errors and of the cluster bootstrap: "unit", or a column of which units are nested in.
    interval : {"delta", "monte_carlo", "cluster_bootstrap"}
        Of indirect effects. delta: first order with the paths' joint covariance, normal. monte_carlo:
        quantiles over draws of the paths from their joint normal. cluster_bootstrap: quantiles over resampled units,
        copies as new units, every effect estimated anew; for paths, direct and total too.
    draws, seed : int
        Of the last two.

    Returns
    -------
    Estimates
        `term` is the mediator in rows of paths, indirect effects and shares (`m1 - m2` in differences of indirect
        effects), the exposure in those of total_indirect, direct and total; `outcome` is that of the specification.
        Paths, direct and total have t intervals of their own regressions unless bootstrapped. p-values of drawn rows
        are twice the smaller share of draws on one side of zero. A share mediated is withheld where the interval of the
        total includes zero. `diagnostics` holds draws and failed_draws.

    Raises
    ------
    SpecError
        An unknown option, options that do not combine, a mediator with another role.
    PanelError
        An unknown column.
    DesignError
        A column that effects or other columns absorb, too few rows, too many failed bootstrap draws.

    Notes
    -----
    docs/statistics.md, section 3.5. Variance of sum_k w_k a_k b_k by the delta method: g'V g, g = w_k b_k in a_k and
    w_k a_k in b_k. Products are effects only if nothing left out moves mediator and outcome together (section 3.3).

    References
    ----------
    Baron & Kenny (1986), Journal of Personality and Social Psychology 51. Sobel (1982), Sociological Methodology 13.
    MacKinnon, Lockwood & Williams (2004), Multivariate Behavioral Research 39.
    """
    options = Options(method, effects, covariance, interval, draws, seed, convention, lags, cluster)
    options.check()
    return path_estimates(path_equations(panel, spec, mediators, effects, cluster), options, panel.source)


def path_estimates(equations: PathEquations, options: Options, source: str) -> Estimates:
    """What `mediation_paths` gives of a panel, of equations that are built."""
    options.check()
    paths, failed = estimate_paths(equations, options, source)
    spec = equations.spec
    exposure = spec.exposure or ""
    match options.method:
        case "two_step":
            rows = [{**row, "note": joined(NOT_ESTIMATED, row.get("note", ""))} for row in _path_rows(paths, "path_a")]
        case "baron_kenny":
            rows = [*_effect_rows(paths, exposure), *_path_rows(paths, "path_a"), *_path_rows(paths, "path_b")]
            rows[0]["note"] = joined(steps_note(rows), rows[0].get("note", ""))
        case _:
            rows = _product_rows(paths, exposure)
    if failed:
        lost = f"{failed} of {options.draws} bootstrap draws left out: they do not identify the paths"
        for row in rows:
            row["note"] = joined(row.get("note", ""), lost)
    design, fit = equations.outcome, paths.stacked.fits[0]
    how = f"{METHODS[options.method]}, {ESTIMATORS[options.effects]}"
    table = estimates_from_rows(
        rows,
        paradigm="frequentist",
        estimator=how,
        covariance=f"{options.draws} cluster bootstrap draws"
        if options.interval == "cluster_bootstrap"
        else fit.covariance_label,
        outcome=spec.outcome,
        level=LEVEL,
        interval="ci",
        **{**design.counted, "left_out": str(equations.left_out)},
        sample=_sample(equations),
    )
    diagnostics = {} if paths.draws is None else {"draws": options.draws, "failed_draws": failed}
    return Estimates(table.frame, diagnostics)


def estimate_paths(equations: PathEquations, options: Options, source: str) -> tuple[Paths, int]:
    """Paths with the draws that their intervals need, and how many draws of the bootstrap failed."""
    exposure = equations.spec.exposure or ""
    wanted = [
        (equations.total, exposure),
        *((design, exposure) for design in equations.by_mediator),
        *((equations.outcome, name) for name in equations.mediators),
        (equations.outcome, exposure),
    ]
    stacked = stack(wanted, options.effects, options.covariance, options.convention, options.lags, source)
    drawn, failed = None, 0
    paths = Paths(equations.mediators, stacked, None, options.interval)
    if options.interval == "monte_carlo" and not paths.rests(np.ones(paths.size)).refused:
        drawn = _normal_draws(stacked, options.draws, options.seed)
    elif options.interval == "cluster_bootstrap":
        drawn, failed = bootstrap_paths(equations, options.effects, options.draws, options.seed, source)
    return replace(paths, draws=drawn), failed


def _normal_draws(stacked: Stacked, draws: int, seed: int) -> np.ndarray:
    """Draws from the joint normal of the paths, whose covariance may be singular (total = direct + sum of a b)."""
    scale = stacked.spreads
    values, vectors = np.linalg.eigh(stacked.covariance / np.outer(scale, scale))
    root = vectors * np.sqrt(np.clip(values, 0, None))
    normal = np.random.default_rng(seed).standard_normal((draws, len(scale)))
    return stacked.coefficients + scale * (normal @ root.T)


def _path_rows(paths: Paths, estimand: str) -> list[dict[str, Any]]:
    place = paths.a if estimand == "path_a" else paths.b
    rows = [path_row(paths, place(k)) for k in range(len(paths.mediators))]
    return [{"term": n, "estimand": estimand, **row} for n, row in zip(paths.mediators, rows, strict=True)]


def _effect_rows(paths: Paths, exposure: str) -> list[dict[str, Any]]:
    return [
        {"term": exposure, "estimand": "total", **path_row(paths, 0)},
        {"term": exposure, "estimand": "direct", **path_row(paths, paths.direct)},
    ]


def _product_rows(paths: Paths, exposure: str) -> list[dict[str, Any]]:
    mediators, count = paths.mediators, len(paths.mediators)
    first, second = _path_rows(paths, "path_a"), _path_rows(paths, "path_b")
    total, direct = _effect_rows(paths, exposure)
    rows: list[dict[str, Any]] = []
    for k, name in enumerate(mediators):
        own = {"term": name, "estimand": "indirect", **product_row(paths, np.eye(count)[k])}
        rows += [first[k], second[k], own]
    every = {"term": exposure, "estimand": "total_indirect", **product_row(paths, np.ones(count))}
    rows += [every, direct, total]
    rows += [{"term": name, **_share(paths, k, total)} for k, name in enumerate(mediators)]
    for k, j in group_pairs(count):
        label = f"{mediators[k]} - {mediators[j]}"
        contrast = np.eye(count)[k] - np.eye(count)[j]
        rows.append({"term": label, "estimand": "indirect", **product_row(paths, contrast)})
    return rows


def path_row(paths: Paths, j: int) -> dict[str, Any]:
    """A path, direct or total: of its regression, or of the bootstrap."""
    estimate, fit = float(paths.stacked.coefficients[j]), paths.stacked.fits[j]
    if paths.interval == "cluster_bootstrap" and paths.draws is not None:
        return {"estimate": estimate, **_drawn(paths.draws[:, j], paths, PATH_FAMILY)}
    row = t_row(fit, paths.stacked.own(j), PATH_FAMILY)
    return {**row, "spread_kind": "se", "convention": fit.convention_label}


def product_row(paths: Paths, weights: np.ndarray) -> dict[str, Any]:
    """A weighted sum of indirect effects a_k b_k; weights have shape (K,)."""
    count, theta = len(paths.mediators), paths.stacked.coefficients
    a, b = theta[1 : 1 + count], theta[1 + count : 1 + 2 * count]
    estimate = float(weights @ (a * b))
    if paths.draws is not None:
        sampled = (paths.draws[:, 1 : 1 + count] * paths.draws[:, 1 + count : 1 + 2 * count]) @ weights
        return {"estimate": estimate, **_drawn(sampled, paths)}
    gradient = np.concatenate([[0.0], weights * b, weights * a, [0.0]])
    return {"estimate": estimate, **_delta(estimate, gradient, paths)}


def _share(paths: Paths, k: int, total: dict[str, Any]) -> dict[str, Any]:
    """Share of the total that a mediator carries; withheld where the total may be zero."""
    row: dict[str, Any] = {"estimand": "proportion_mediated"}
    if np.isnan(total["lo"]):
        note = f"withheld: the total has no interval; {total['note']}"
        return {**row, "estimate": np.nan, "convention": total["convention"], "note": note}
    if total["lo"] <= 0 <= total["hi"]:
        note = f"withheld: the 95 % interval of the total, [{total['lo']:.3g}, {total['hi']:.3g}], includes zero"
        return {**row, "estimate": np.nan, "convention": total["convention"], "note": note}
    theta, at, bt = paths.stacked.coefficients, paths.a(k), paths.b(k)
    whole = theta[0]
    share, note = float(theta[at] * theta[bt] / whole), ""
    if not 0 <= share <= 1:
        note = "outside 0 to 1: what this mediator carries and the rest differ in sign, no share in the usual sense"
    if paths.draws is not None:
        drawn = _drawn(paths.draws[:, at] * paths.draws[:, bt] / paths.draws[:, 0], paths)
        # A ratio has no variance: quantiles say what the draws can.
        blank = {"spread": np.nan, "spread_kind": ""}
        return {**row, "estimate": share, **drawn, **blank, "note": joined(note, drawn["note"])}
    gradient = np.zeros(paths.size)
    gradient[[0, at, bt]] = -share / whole, theta[bt] / whole, theta[at] / whole
    return {**row, "estimate": share, **_delta(share, gradient, paths, note)}


def _delta(estimate: float, gradient: np.ndarray, paths: Paths, note: str = "") -> dict[str, Any]:
    row = row_of(estimate, gradient, paths.stacked.spread, paths.rests(gradient), None, note=note)
    how = f"delta method, first order (Sobel), normal; paths: {_factor(paths)}"
    return {**row, "spread_kind": "se", "convention": how}


def _drawn(values: np.ndarray, paths: Paths, family: str = PRODUCT_FAMILY) -> dict[str, Any]:
    lo, hi = np.quantile(values, [ALPHA / 2, 1 - ALPHA / 2])
    beyond = min(int((values <= 0).sum()), int((values >= 0).sum()))
    if paths.interval == "monte_carlo":
        how = f"Monte Carlo, {len(values)} draws of the paths' joint normal; paths: {_factor(paths)}"
    else:
        clusters = unit_level(paths.stacked.fits[0].design)
        how = f"percentile, {len(values)} draws of {clusters.name} with replacement"
    return {
        "spread": float(values.std(ddof=1)),
        "spread_kind": "se",
        "lo": float(lo),
        "hi": float(hi),
        "p_value": min(1.0, 2 * (beyond + 1) / (len(values) + 1)),
        "convention": how,
        "note": paths.few_drawn(family),
    }


def _factor(paths: Paths) -> str:
    """Small-sample convention of the paths' covariance, without their reference distributions."""
    return paths.stacked.fits[0].convention_label.split(";")[0].split(", K =")[0]


def _sample(equations: PathEquations) -> str:
    if not equations.n_dropped:
        return "all"
    kept = "rows complete in outcome, exposure, controls and mediators"
    return f"all; {kept} ({equations.n_dropped} of {equations.n_dropped + equations.outcome.n_obs} left out)"
