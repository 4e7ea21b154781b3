"""Are the slopes of groups equal? Joint and pairwise tests in one regression, of interactions and of subsamples."""

from dataclasses import dataclass, replace

import numpy as np
import scipy

from bayes_npp.design.design import Design, check_membership, group_pairs
from bayes_npp.design.spec import Spec
from bayes_npp.errors import DesignError, SpecError
from bayes_npp.estimates import above_zero
from bayes_npp.frequentist.least_squares.clusters import unit_cluster
from bayes_npp.frequentist.least_squares.few_clusters import Support
from bayes_npp.frequentist.least_squares.inference import LinearFit, t_row
from bayes_npp.frequentist.least_squares.static import linear_fit

JOINT_FAMILY = "equal slopes, joint"  # in the table of simulated shares
SINGULAR = 1e-12  # relative to the largest eigenvalue of the differences' correlation matrix


@dataclass(frozen=True)
class PairTest:
    """First group's slope less the second's, tested with t; `p_holm` is adjusted for all tested pairs (Holm 1979).

    Statistic and p-values are NaN where a group has no test of its own; `note` names it.
    """

    groups: str
    difference: float
    se: float
    statistic: float
    distribution: str
    p_value: float
    p_holm: float
    note: str = ""


@dataclass(frozen=True)
class EqualityTest:
    """A Wald test, divided by its restrictions, that all groups have one slope.

    Attributes
    ----------
    name, null : str
        What the test is called, and its null hypothesis in words.
    statistic, p_value : float
        NaN where a group has no test of its own; `note` names it.
    distribution : str
        Under the null, such as "F(3, 29)".
    slopes : dict of float
        Of each group.
    pairs : tuple of PairTest
    covariance, convention : str
        Of the regression's standard errors.
    n_obs, n_units : int
    fewest_units : int
        Of any group: with a handful of clusters in a group these tests reject too often.
    note : str
        Groups without a test, or few clusters and how often tests then reject.
    """

    name: str
    null: str
    statistic: float
    distribution: str
    p_value: float
    slopes: dict[str, float]
    pairs: tuple[PairTest, ...]
    covariance: str
    convention: str
    n_obs: int
    n_units: int
    fewest_units: int
    note: str = ""


def equal_slopes(
    design: Design,
    covariance: str = "clustered",
    *,
    convention: str = "stata",
    lags: int | None = None,
    separate: bool = False,
    source: str = "",
) -> EqualityTest:
    """Test that the groups have one slope, jointly (F) and pair by pair (t).

    Parameters
    ----------
    design : Design
        Of a specification with `slopes` a grouping column; with clusters above units, where errors have them.
    covariance, convention, lags
        As in `twfe`.
    separate : bool
        Controls and period effects of each group are its own too: this one regression has the coefficients of separate
        regressions exactly, and so supplies the test of equality that they lack.
    source : str
        Of the panel, for messages.

    Returns
    -------
    EqualityTest
        Denominator degrees of freedom: those of the t distribution of `twfe` (units less one if clustered). A test that
        contains a group without a test of its own (fewer than 4 units, `few_clusters.support`) is refused by name.

    Raises
    ------
    SpecError
        `slopes` is no grouping column.
    DesignError
        Slopes that are not identified, a unit in two groups, fewer than two groups that have a test of their own,
        differences whose covariance is singular.

    Notes
    -----
    Wald's (R b)'(R V R')^-1 (R b) / (G - 1) with R the differences to the first group, F(G - 1, df); the same for any
    contrasts. docs/statistics.md, section 1.11.

    References
    ----------
    Gelman & Stern (2006), The American Statistician 60. Holm (1979), Scandinavian Journal of Statistics 6.
    """
    spec = design.spec
    if not spec.slope_group or spec.unit_slopes:
        raise SpecError("a test of equal slopes needs slopes by a grouping column", fix="Give slopes = '<column>'")
    check_membership(design)
    if separate:
        design = fully_interacted(design)
    cluster = unit_cluster(design) if covariance == "clustered" else "unit"
    fit = linear_fit(design, "two-way", covariance, convention, lags, source, cluster)
    n_groups, term = len(design.groups), str(spec.exposure)
    slopes, spread = fit.coefficients[:n_groups], fit.covariance[:n_groups, :n_groups]
    untested = _untested(fit)
    refusal = "; ".join(untested.values())
    if len(untested) >= n_groups - 1:
        raise DesignError(f"no test of equal slopes: {refusal}", place=source, fix="Merge groups")
    statistic = np.nan if untested else _wald(slopes, spread, source) / (n_groups - 1)
    shared = "controls and period effects of each group its own" if separate else "controls and period effects shared"
    return EqualityTest(
        name="fully interacted regression (= separate regressions)" if separate else f"TWFE, {term} x {spec.slopes}",
        null=f"the slopes of {term} are equal in all {n_groups} groups ({shared})",
        statistic=statistic,
        distribution=f"F({n_groups - 1}, {fit.df})",
        p_value=float(above_zero(scipy.stats.f.sf(statistic, n_groups - 1, fit.df))),
        slopes=dict(zip(design.groups, slopes.tolist(), strict=True)),
        pairs=_pairs(design.groups, fit, untested),
        covariance=fit.covariance_label,
        convention=fit.convention_label,
        n_obs=design.n_obs,
        n_units=len(design.units),
        fewest_units=int(design.group_units.min()),
        note=f"no joint test: {refusal}" if untested else _smallest(fit).note,
    )


def joint_test(fit: LinearFit, source: str = "") -> float:
    """p-value of the F test that the groups of a regression have one slope; NaN where a group has no test of its own.

    Raises
    ------
    DesignError
        Differences whose covariance is singular.
    """
    if _untested(fit):
        return np.nan
    n_groups = len(fit.design.groups)
    wald = _wald(fit.coefficients[:n_groups], fit.covariance[:n_groups, :n_groups], source)
    return float(scipy.stats.f.sf(wald / (n_groups - 1), n_groups - 1, fit.df))


def fully_interacted(design: Design) -> Design:
    """The design with controls and period effects of every group its own: least squares on it is separate regressions.

    Units are nested in groups, so that unit effects (and trends) are separate already.
    """
    assert design.group is not None
    member = design.group[:, None] == np.arange(len(design.groups))
    controls = [design.controls[:, [k]] * member for k in range(design.controls.shape[1])]
    names = tuple(f"{name}:{group}" for name in design.spec.controls for group in design.groups)
    within = design.time if design.group_time is None else design.group_time
    _, cells = np.unique(np.column_stack([design.group, within]), axis=0, return_inverse=True)
    content = {**design.spec.model_dump(), "controls": names, "varying": ()}
    return replace(
        design,
        spec=Spec(**{**content, "group_time_effects": design.spec.slope_group}),
        controls=np.column_stack(controls) if controls else design.controls,
        group_time=cells.ravel(),
        group_times=tuple(str(cell) for cell in range(int(cells.max()) + 1)),
    )


def _wald(slopes: np.ndarray, covariance: np.ndarray, source: str) -> float:
    """Wald statistic of equal slopes: the same for any choice of contrasts."""
    contrast = np.column_stack([-np.ones(len(slopes) - 1), np.eye(len(slopes) - 1)])
    spread = contrast @ covariance @ contrast.T
    size = np.sqrt(np.diag(spread))
    values = np.linalg.eigvalsh(spread / np.outer(size, size)) if (size > 0).all() else np.zeros(1)
    if values.min() <= SINGULAR * values.max():
        raise DesignError(
            "the covariance of the differences between slopes is singular",
            place=source,
            fix="There are too few clusters for so many groups, or a group is fitted exactly: merge groups",
        )
    gaps = contrast @ slopes / size
    return float(gaps @ np.linalg.solve(spread / np.outer(size, size), gaps))


def _untested(fit: LinearFit) -> dict[int, str]:
    """Groups whose slope has no test of its own, by position, and why."""
    out = {}
    for g, (label, units) in enumerate(zip(fit.design.groups, fit.design.group_clusters, strict=True)):
        combination = np.eye(len(fit.names))[g]
        row = t_row(fit, combination, "group slope", kind=fit.spread.kind, group_units=int(units))
        if np.isnan(row["p_value"]):
            out[g] = f"the slope of group '{label}' has no test: {row['note']}"
    return out


def _smallest(fit: LinearFit) -> Support:
    """What a test of the slope of the smallest group rests on."""
    g = int(np.argmin(fit.design.group_clusters))
    family = JOINT_FAMILY if len(fit.design.groups) > 2 else "slope difference"
    return fit.support(np.eye(len(fit.names))[g], family, group_units=int(fit.design.group_clusters[g]))


def _pairs(groups: tuple[str, ...], fit: LinearFit, untested: dict[int, str]) -> tuple[PairTest, ...]:
    from statsmodels.stats.multitest import multipletests  # slow to import

    pairs = group_pairs(len(groups))
    gaps = np.array([fit.coefficients[g] - fit.coefficients[h] for g, h in pairs])
    one = np.eye(len(fit.names))
    ses = np.sqrt([fit.spread.variance(one[g] - one[h]) for g, h in pairs])
    ratios = np.where([g in untested or h in untested for g, h in pairs], np.nan, gaps / ses)
    p_values = above_zero(2 * scipy.stats.t.sf(np.abs(ratios), fit.df))
    tested = ~np.isnan(p_values)
    holm = np.full(len(pairs), np.nan)
    if tested.any():
        holm[tested] = multipletests(p_values[tested], method="holm")[1]
    return tuple(
        PairTest(
            groups=f"{groups[g]} - {groups[h]}",
            difference=float(gap),
            se=float(se),
            statistic=float(ratio),
            distribution=f"t({fit.df})",
            p_value=float(p),
            p_holm=float(adjusted),
            note="; ".join(untested[k] for k in (g, h) if k in untested),
        )
        for (g, h), gap, se, ratio, p, adjusted in zip(pairs, gaps, ses, ratios, p_values, holm, strict=True)
    )
