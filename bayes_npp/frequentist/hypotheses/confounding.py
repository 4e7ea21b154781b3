"""How strong would an omitted confounder have to be? Robustness values, bounds by controls, adjusted estimates."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import scipy

from bayes_npp.design.design import Design, build_design
from bayes_npp.design.omitted import Benchmark, bias_factor, robustness_value
from bayes_npp.design.spec import Spec
from bayes_npp.errors import SpecError, nearest
from bayes_npp.frequentist.least_squares.absorbed import absorb
from bayes_npp.frequentist.least_squares.few_clusters import FEWEST_CLUSTERS
from bayes_npp.frequentist.least_squares.static import linear_fit
from bayes_npp.panels.panel import Panel
from bayes_npp.records import Shown

BOUNDS = ("benchmark", "k", "r2_dz", "r2_yz", "estimate", "se", "lo", "hi", "note")
Effects = Literal["none", "unit", "time", "two-way"]


@dataclass(frozen=True, repr=False)
class Confounding(Shown):
    """What an omitted confounder could do to a slope, or to a combination of groups' slopes.

    Attributes
    ----------
    term : str
    estimate, se : float
        With the classical standard error.
    df : int
        Rows less the rank of all columns and absorbed effects.
    partial_r2 : float
        Of the exposure with the outcome.
    robustness_value : float
        Partial R2 with exposure and outcome alike that takes the share `q` of the estimate away.
    robustness_value_alpha : float
        That makes the adjusted estimate insignificant at `alpha`, classical standard error.
    robustness_value_alpha_clustered : float
        The same with errors clustered by unit; NaN where units have one row, or a group that it is about fewer than
        four units.
    clusters : int
        Units, of these errors.
    q, alpha : float
    benchmarks : tuple of Benchmark
        Partial R2 of the controls.
    bounds : DataFrame
        What a confounder `k` times as strong as a control leaves: benchmark, k, r2_dz, r2_yz, estimate, se, lo, hi,
        note. The bias is taken towards zero; `lo`, `hi` are of level 1 - alpha.
    """

    term: str
    estimate: float
    se: float
    df: int
    partial_r2: float
    robustness_value: float
    robustness_value_alpha: float
    robustness_value_alpha_clustered: float
    clusters: int
    q: float
    alpha: float
    benchmarks: tuple[Benchmark, ...]
    bounds: pd.DataFrame

    def headline(self) -> str:
        return f"{self.term}: {self.estimate:.4g}, and what an omitted confounder could do to it"

    def details(self) -> list[str]:
        """Robustness values and the strongest bound of every control."""
        clustered = self.robustness_value_alpha_clustered
        beside = "" if np.isnan(clustered) else f"; clustered {clustered:.4f}"
        values = (
            f"robustness value {self.robustness_value:.4f}, at alpha = {self.alpha:g} {self.robustness_value_alpha:.4f}"
        )
        lines = [f"{values}{beside}", f"partial R2 {self.partial_r2:.4g}, {self.df} degrees of freedom"]
        rows = self.bounds.itertuples(index=False)
        return lines + [f"{row.k:g} x {row.benchmark}: leaves {row.estimate:.4g}" for row in rows]

    def adjusted(self, r2_dz: float, r2_yz: float) -> tuple[float, float]:
        """Estimate, moved towards zero and beyond, and standard error beside a confounder of this strength.

        Notes
        -----
        bias = SE sqrt(r2_yz r2_dz / (1 - r2_dz) df); SE sqrt((1 - r2_yz) / (1 - r2_dz) df / (df - 1)).

        Raises
        ------
        SpecError
            A partial R2 outside [0, 1), of the outcome outside [0, 1].
        """
        if not (0 <= r2_dz < 1 and 0 <= r2_yz <= 1):
            raise SpecError(f"partial R2 of {r2_dz:g} and {r2_yz:g}", fix="They lie between 0 and 1")
        bias = self.se * bias_factor(r2_dz, r2_yz) * np.sqrt(self.df)
        se = self.se * np.sqrt((1 - r2_yz) / (1 - r2_dz) * self.df / (self.df - 1))
        return float(np.sign(self.estimate) * (abs(self.estimate) - bias)), float(se)

    def grid(self, r2_dz: np.ndarray, r2_yz: np.ndarray) -> np.ndarray:
        """Adjusted estimates on a grid, shape (len(r2_yz), len(r2_dz)), of which contours are drawn."""
        bias = self.se * np.sqrt(self.df) * bias_factor(r2_dz[None, :], r2_yz[:, None])
        return np.asarray(np.sign(self.estimate) * (abs(self.estimate) - bias))


def confounding(
    panel: Panel,
    spec: Spec,
    benchmarks: Sequence[str] | None = None,
    *,
    multiples: Sequence[float] = (1.0, 2.0, 3.0),
    effects: Effects | None = None,
    q: float = 1.0,
    alpha: float = 0.05,
) -> Confounding:
    """How strong a confounder of exposure and outcome would have to be to overturn a slope.

    Parameters
    ----------
    panel : Panel
    spec : Spec
        With one slope.
    benchmarks : sequence of str, optional
        Controls that a confounder is compared with; all of them unless given.
    multiples : sequence of float
        Times as strong as each.
    effects : {"none", "unit", "time", "two-way"}, optional
        Absorbed; two-way in a panel and none in a cross-section unless given.
    q : float
        Share of the estimate to take away.
    alpha : float

    Returns
    -------
    Confounding

    Raises
    ------
    SpecError
        Slopes by group or unit, a benchmark that is no control, impossible numbers.
    DesignError, PanelError
        As `twfe`.

    Notes
    -----
    docs/statistics.md, section 9. Least squares with unit effects in them says nothing of confounders that do not
    change; a confounder here is one that remains beside controls and effects.

    References
    ----------
    Cinelli & Hazlett (2020), Journal of the Royal Statistical Society B 82.
    """
    if spec.slopes:
        raise SpecError(
            "confounding takes a specification with one slope",
            fix="Leave slopes out; the claims of a study cover slopes of groups and their differences",
        )
    absorbed: Effects = effects or ("none" if panel.time is None else "two-way")
    if absorbed not in ("none", "unit", "time", "two-way"):
        raise SpecError(f"unknown effects '{effects}'", fix="Use 'none', 'unit', 'time' or 'two-way'")
    design = build_design(panel, spec)
    return confounding_of(
        design, np.ones(1), benchmarks, multiples=multiples, effects=absorbed, q=q, alpha=alpha, source=panel.source
    )


def confounding_of(
    design: Design,
    weights: np.ndarray,
    benchmarks: Sequence[str] | None = None,
    *,
    multiples: Sequence[float] = (1.0, 2.0, 3.0),
    effects: Effects = "two-way",
    q: float = 1.0,
    alpha: float = 0.05,
    source: str = "",
) -> Confounding:
    """`confounding` of weights w (max(G, 1),) on the groups' slopes: of the combination w'slopes.

    Notes
    -----
    With N a basis of the vectors orthogonal to w, slopes = w (w'slopes) / w'w + N rest, so that the combination is the
    coefficient of the column X w / w'w beside the columns X N: the algebra of one coefficient holds for it.

    Raises
    ------
    SpecError, DesignError
        As `confounding`.
    """
    names = tuple(design.spec.controls if benchmarks is None else benchmarks)
    for name in names:
        if name not in design.spec.controls:
            raise SpecError(f"benchmark '{name}' is no control", place=source, fix=nearest(name, design.spec.controls))
    _check_numbers(multiples, q, alpha)
    fit = linear_fit(design, effects, "classical", "stata", source=source)
    size = design.slope_columns.shape[1]
    combination = np.zeros(len(fit.names))
    combination[:size] = weights
    estimate = float(combination @ fit.coefficients)
    se = float(np.sqrt(combination @ fit.covariance @ combination))
    ratio = abs(estimate) / se / np.sqrt(fit.df)
    critical = float(scipy.stats.t.ppf(1 - alpha / 2, fit.df - 1)) / np.sqrt(fit.df - 1)
    clustered, clusters = _clustered(design, effects, combination, se, fit.df, alpha, source)
    if _named_units(design, weights) < FEWEST_CLUSTERS:
        clustered = np.nan
    found = Confounding(
        term=str(design.spec.exposure),
        estimate=estimate,
        se=se,
        df=fit.df,
        partial_r2=float(ratio**2 / (1 + ratio**2)),
        robustness_value=robustness_value(q * ratio),
        robustness_value_alpha=robustness_value(q * ratio, critical),
        robustness_value_alpha_clustered=np.nan if np.isnan(clustered) else robustness_value(q * ratio, clustered),
        clusters=clusters,
        q=q,
        alpha=alpha,
        benchmarks=_benchmarks(design, weights, effects, names),
        bounds=pd.DataFrame(columns=list(BOUNDS)),
    )
    return Confounding(**{**vars(found), "bounds": _bounds(found, multiples)})


def _named_units(design: Design, weights: np.ndarray) -> int:
    """Units of the smallest group that a slope or a difference is about; of all units for an average."""
    about = np.flatnonzero(weights)
    if len(about) > 1 and abs(weights.sum()) > 1e-9:
        return len(design.units)
    return int(design.group_units[about].min())


def _clustered(
    design: Design, effects: Effects, combination: np.ndarray, se: float, df: int, alpha: float, source: str
) -> tuple[float, int]:
    """What |t| / sqrt(df) has to exceed with errors clustered by unit; NaN where units have one row each."""
    n_units = len(design.units)
    if n_units == design.n_obs:
        return np.nan, 0
    fit = linear_fit(design, effects, "clustered", "stata", source=source)
    variance = fit.spread.variance(combination)
    critical = float(scipy.stats.t.ppf(1 - alpha / 2, n_units - 1))
    return critical * float(np.sqrt(variance)) / se / np.sqrt(df - 1), n_units


def _benchmarks(design: Design, weights: np.ndarray, effects: Effects, names: Sequence[str]) -> tuple[Benchmark, ...]:
    """Partial R2 of controls with the combination's column, and with the outcome beside it."""
    slopes = design.slope_columns
    first = slopes @ weights / (weights @ weights)
    rest = slopes @ np.linalg.svd(weights[None, :])[2][1:].T
    columns = np.column_stack([design.outcome, first, rest, design.controls])
    if effects == "none":
        columns = columns - columns.mean(axis=0)
    left = absorb(columns, design, effects).residual
    left = left / np.linalg.norm(left, axis=0)
    outcome, exposure, rest = left[:, 0], left[:, 1], left[:, 2 : 1 + slopes.shape[1]]
    controls = left[:, 1 + slopes.shape[1] :]
    out = []
    for name in names:
        at = design.spec.controls.index(name)
        others = np.column_stack([rest, np.delete(controls, at, axis=1)])
        out.append(
            Benchmark(
                name,
                _partial_r2(exposure, controls[:, at], others),
                _partial_r2(outcome, controls[:, at], np.column_stack([others, exposure])),
            )
        )
    return tuple(out)


def _partial_r2(target: np.ndarray, column: np.ndarray, others: np.ndarray) -> float:
    """Squared correlation of two columns less others."""
    both = np.column_stack([target, column])
    if others.shape[1]:
        both = both - others @ np.linalg.lstsq(others, both, rcond=None)[0]
    one, two = both.T
    return float((one @ two) ** 2 / ((one @ one) * (two @ two)))


def _bounds(found: Confounding, multiples: Sequence[float]) -> pd.DataFrame:
    quantile = float(scipy.stats.t.ppf(1 - found.alpha / 2, found.df - 1))
    rows = []
    for benchmark in found.benchmarks:
        for k in multiples:
            r2_dz, r2_yz = benchmark.strength(float(k))
            if np.isnan(r2_dz):
                note = (
                    f"no variable is so strong: {benchmark.most:.3g} times as strong would explain all of the exposure"
                )
                rows.append((benchmark.name, float(k), *[np.nan] * 6, note))
                continue
            estimate, se = found.adjusted(r2_dz, r2_yz)
            ends = estimate - quantile * se, estimate + quantile * se
            note = "it would explain all of the outcome that is left" if r2_yz >= 1 else ""
            rows.append((benchmark.name, float(k), r2_dz, r2_yz, estimate, se, *ends, note))
    return pd.DataFrame(rows, columns=list(BOUNDS))


def _check_numbers(multiples: Sequence[float], q: float, alpha: float) -> None:
    if not all(np.isfinite(k) and k > 0 for k in multiples):
        raise SpecError(f"multiples = {list(multiples)}", fix="Use numbers above zero")
    if not (q > 0 and 0 < alpha < 1):
        raise SpecError(f"q = {q:g}, alpha = {alpha:g}", fix="Use q above zero and alpha between 0 and 1")
