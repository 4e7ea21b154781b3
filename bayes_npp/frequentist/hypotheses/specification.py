"""Tests of a panel specification: Hausman, Pesaran's CD, Wooldridge's serial correlation."""

from dataclasses import dataclass, field

import numpy as np
import scipy

from bayes_npp.design.design import Design, build_design, slope_names
from bayes_npp.design.projection import check_identified, check_residuals, row_rounding
from bayes_npp.design.spec import Spec
from bayes_npp.errors import DesignError, SpecError
from bayes_npp.estimates import above_zero
from bayes_npp.frequentist.least_squares.absorbed import absorb, absorbs_more
from bayes_npp.frequentist.least_squares.clusters import group_sums
from bayes_npp.frequentist.least_squares.covariance import VANISHING
from bayes_npp.frequentist.least_squares.few_clusters import FEWEST_CLUSTERS, quoted
from bayes_npp.frequentist.least_squares.within import within_fit
from bayes_npp.panels.panel import Panel
from bayes_npp.records import Shown

RANK = 1e-8  # of singular values, relative to the largest
POSITIVE = 1e-10  # smallest eigenvalue of a difference of covariances, in units of the larger one
FEWEST_COMMON = 3  # periods of a pair of units: two give a correlation of one or minus one
CHUNK_CELLS = 4_000_000
HAUSMAN, CD, SERIAL = "Hausman's test", "Pesaran's CD", "Wooldridge's test"  # in the table of simulated shares


@dataclass(frozen=True, repr=False)
class SpecificationTest(Shown):
    """One test of a specification.

    Attributes
    ----------
    name : str
    null : str
        The null hypothesis in words.
    statistic, p_value : float
        NaN where the sample does not define them; `note` says why.
    distribution : str
        Under the null, such as "chi2(4)", "F(1, 47)" or "N(0, 1)".
    used : str
        Estimators, residuals and covariances behind the statistic.
    quantities : dict of float
        Numbers it was computed from.
    n_obs, n_units : int
        Rows and units used.
    note : str
    """

    name: str
    null: str
    statistic: float
    distribution: str
    p_value: float
    used: str
    quantities: dict[str, float] = field(default_factory=dict)
    n_obs: int = 0
    n_units: int = 0
    note: str = ""


def hausman(panel: Panel, spec: Spec) -> SpecificationTest:
    """Fixed against random effects of units, without period effects.

    The statistic is d'(V_FE - V_RE)^-1 d with d the difference of all slopes and classical covariances:
    RSS / (n - N - K) for fixed effects, RSS / (n - K - 1) of the transformed regression for random ones. Variance
    components are Swamy and Arora's, in Baltagi and Chang's form where the panel is unbalanced. As in R's plm.

    Parameters
    ----------
    panel : Panel
    spec : Spec
        `slopes` by a grouping column are allowed; effects of the specification are not looked at.

    Returns
    -------
    SpecificationTest
        Where V_FE - V_RE is not positive definite the note says so and gives the statistic with one error variance in
        both covariances (`sigmamore`); the p-value of a negative statistic is NaN.

    Raises
    ------
    SpecError
        Unit trends or period effects of groups.
    DesignError
        A column that unit effects absorb, fewer units than slopes.

    Notes
    -----
    Random effects are least squares on columns less theta_i times their unit means, theta_i = 1 - sqrt(s_e^2 / (s_e^2 +
    T_i s_a^2)). Chi-square with as many degrees of freedom as slopes. See docs/statistics.md, section 1.9.

    References
    ----------
    Hausman (1978), Econometrica 46. Swamy & Arora (1972), Econometrica 40. Baltagi & Chang (1994), Journal of
    Econometrics 62.
    """
    return hausman_test(_plain_design(panel, spec), panel.source)


def hausman_test(design: Design, source: str) -> SpecificationTest:
    """`hausman` on a design without unit trends and period effects of groups."""
    fixed = within_fit(design, "unit", source)
    n, n_units, size = design.n_obs, len(design.units), len(fixed.names)
    within_variance = float(fixed.residuals @ fixed.residuals) / (n - n_units - size)
    fixed_spread = fixed.influence.T @ fixed.influence * within_variance
    columns = np.column_stack([np.ones(n), design.slope_columns, design.controls])
    unit_variance = _swamy_arora(design, columns, within_variance, source)
    rows = np.bincount(design.unit)
    theta = 1 - np.sqrt(within_variance / (within_variance + rows * unit_variance))
    regressors = _quasi_demeaned(columns, design.unit, theta)
    outcome = _quasi_demeaned(design.outcome[:, None], design.unit, theta)[:, 0]
    random, random_spread, random_variance = _least_squares(regressors, outcome)
    gap = fixed.coefficients - random[1:]
    statistic, lowest = _quadratic(gap, fixed_spread, fixed_spread - random_spread[1:, 1:])
    # One error variance, that of random effects, in both covariances: Stata's sigmamore.
    shared = random_variance / within_variance * fixed_spread
    same_variance, _ = _quadratic(gap, shared, shared - random_spread[1:, 1:])
    notes = (
        ["the variance of unit effects is estimated as 0: random effects are pooled OLS"] if not unit_variance else []
    )
    if not lowest > POSITIVE:
        notes.append(
            "the covariance of fixed effects less that of random effects is not positive definite (lowest eigenvalue "
            f"{lowest:.2g} in units of the former): chi2 is no reliable guide; with one error variance in both "
            f"(Stata's sigmamore) the statistic is {same_variance:.4g}"
        )
    if said := quoted(HAUSMAN, "", n_units, len(design.times)):
        notes.append(said)
    by_name = {f"FE {name}": float(b) for name, b in zip(fixed.names, fixed.coefficients, strict=True)}
    by_name |= {f"RE {name}": float(b) for name, b in zip(fixed.names, random[1:], strict=True)}
    sds = {"error SD": np.sqrt(within_variance), "unit SD": np.sqrt(unit_variance)}
    return SpecificationTest(
        name="Hausman, fixed against random effects of units",
        null="unit effects are uncorrelated with the regressors, so that random effects are consistent",
        statistic=statistic,
        distribution=f"chi2({size})",
        p_value=float(above_zero(scipy.stats.chi2.sf(statistic, size))) if statistic >= 0 else np.nan,
        used="all slopes, classical covariances; random effects by Swamy and Arora (Baltagi and Chang if unbalanced)",
        quantities={
            **by_name,
            **{name: float(sd) for name, sd in sds.items()},
            "lowest eigenvalue": lowest,
            "statistic with one error variance": same_variance,
        },
        n_obs=n,
        n_units=n_units,
        note="; ".join(notes),
    )


def pesaran_cd(panel: Panel, spec: Spec, effects: str = "two-way") -> SpecificationTest:
    """Cross-sectional dependence of residuals: Pesaran's CD.

    CD is the sum over pairs of units of sqrt(T_ij) r_ij, over the root of the number of pairs; r_ij is the correlation
    of their residuals over their T_ij common periods, residuals less their means there. Pairs with fewer than three
    common periods, or with a residual that does not vary, are left out.

    Parameters
    ----------
    panel : Panel
    spec : Spec
    effects : {"none", "unit", "time", "two-way"}
        Of the least-squares fit whose residuals are tested.

    Raises
    ------
    SpecError
        Unknown effects.
    DesignError
        No pair of units with enough common periods.

    Notes
    -----
    With period effects and fewer than four units there is no statistic: two units' residuals are each other's negative.

    CD = sum_{i<j} sqrt(T_ij) r_ij / sqrt(number of pairs), standard normal under independence. Period effects make
    residuals sum to zero over units, which pulls CD down; the note says so. See docs/statistics.md, section 1.9.

    References
    ----------
    Pesaran (2004), Cambridge Working Papers in Economics 0435; (2015), Econometric Reviews 34. Juodis & Reese (2022),
    Journal of Business & Economic Statistics 40.
    """
    if effects not in ("none", "unit", "time", "two-way"):
        raise SpecError(f"unknown effects '{effects}'", fix="Use 'none', 'unit', 'time' or 'two-way'")
    return pesaran_cd_test(build_design(panel, spec), effects, panel.source)


def pesaran_cd_test(design: Design, effects: str, source: str) -> SpecificationTest:
    """`pesaran_cd` on a design."""
    fit = within_fit(design, effects, source)
    n_units, n_times = len(design.units), len(design.times)
    residuals, there = np.zeros((n_units, n_times)), np.zeros((n_units, n_times))
    residuals[design.unit, design.time], there[design.unit, design.time] = fit.residuals, 1.0
    total, pairs, plain, absolute = 0.0, 0, 0.0, 0.0
    step = max(1, CHUNK_CELLS // n_units)
    for start in range(0, n_units, step):
        own = slice(start, start + step)
        common, correlations = _correlations(residuals, there, own)
        later = np.arange(n_units) > np.arange(n_units)[own][:, None]
        kept = later & ~np.isnan(correlations)
        total += float((np.sqrt(common[kept]) * correlations[kept]).sum())
        plain, absolute = plain + float(correlations[kept].sum()), absolute + float(np.abs(correlations[kept]).sum())
        pairs += int(kept.sum())
    if not pairs:
        raise DesignError(f"no two units have {FEWEST_COMMON} common periods", place=source, fix="Widen the window")
    statistic = float(total / np.sqrt(pairs))
    left_out = n_units * (n_units - 1) // 2 - pairs
    notes = [f"{left_out} of {left_out + pairs} pairs left out: too few common periods"] if left_out else []
    if effects in ("time", "two-way"):
        notes.append("period effects make residuals sum to zero over units, which pulls CD down (Juodis & Reese 2022)")
        if n_units < FEWEST_CLUSTERS:
            statistic = np.nan
            notes.insert(0, f"no statistic: with {n_units} units period effects alone make their residuals correlate")
    said = quoted(CD, effects, n_units, n_times)
    if said and not np.isnan(statistic):
        notes.append(said)
    label = {"none": "pooled OLS", "two-way": "two-way fixed effects"}.get(effects, f"fixed effects by {effects}")
    return SpecificationTest(
        name="Pesaran CD",
        null="residuals of different units are uncorrelated",
        statistic=statistic,
        distribution="N(0, 1)",
        p_value=float(above_zero(2 * scipy.stats.norm.sf(abs(statistic)))),
        used=f"residuals of {label}, correlated pair by pair over common periods",
        quantities={"pairs": pairs, "mean correlation": plain / pairs, "mean absolute correlation": absolute / pairs},
        n_obs=design.n_obs,
        n_units=n_units,
        note="; ".join(notes),
    )


def wooldridge_serial(panel: Panel, spec: Spec, period_effects: bool = False) -> SpecificationTest:
    """Serial correlation of idiosyncratic errors: Wooldridge's test in first differences, Stata's xtserial.

    First differences by time (none across a gap; a period before the window may serve), without a constant; their
    residuals on those of the period before, again without one. Without serial correlation of the errors in levels that
    coefficient is -1/2: a Wald test with errors clustered by unit, factor G / (G - 1).

    Parameters
    ----------
    panel : Panel
    spec : Spec
    period_effects : bool
        Whether the differenced equation has period dummies; xtserial has none.

    Raises
    ------
    SpecError
        Unit trends or period effects of groups.
    DesignError
        No unit with two consecutive differences, collinear differences.

    Notes
    -----
    F(1, G - 1) = (rho + 1/2)^2 / V(rho): differences of independent errors have a lag-one correlation of -1/2. See
    docs/statistics.md, section 1.9.

    References
    ----------
    Wooldridge (2002), Econometric Analysis of Cross Section and Panel Data, 10.6.3, MIT Press. Drukker (2003), Stata
    Journal 3.
    """
    changes = Spec(**{**spec.model_dump(), "transform": "first_difference"})
    return wooldridge_test(_plain_design(panel, changes), period_effects, panel.source)


def wooldridge_test(design: Design, period_effects: bool, source: str) -> SpecificationTest:
    """`wooldridge_serial` on a design of first differences."""
    spec = design.spec
    names = (*slope_names(design), *spec.controls)
    columns = np.column_stack([design.slope_columns, design.controls])
    target, regressors = design.outcome, columns
    if period_effects:
        projected = absorb(np.column_stack([columns, target]), design, "time").residual
        regressors, target = projected[:, :-1], projected[:, -1]
    check_identified(columns, regressors, names, source)
    length = np.linalg.norm(regressors, axis=0)
    slopes = np.linalg.lstsq(regressors / length, target, rcond=None)[0] / length
    residuals = target - regressors @ slopes
    year = np.array(design.times)[design.time]
    follows = (np.diff(design.unit) == 0) & (np.diff(year) == 1)  # rows are sorted by unit and period
    now, before = residuals[1:][follows], residuals[:-1][follows]
    units, unit = np.unique(design.unit[1:][follows], return_inverse=True)
    n_units = len(units)
    rounding = row_rounding(design.outcome, columns, slopes)
    check_residuals(residuals, target, rounding, spec.outcome, source)
    if n_units < 2:
        raise DesignError(
            "fewer than two units have two first differences in a row",
            place=source,
            fix="The test needs three consecutive periods of the same unit",
        )
    square = float(before @ before)
    rho = float(before @ now) / square
    sums = group_sums((before * (now - rho * before))[:, None], unit, n_units)[:, 0]
    variance = float(sums @ sums) / square**2 * n_units / (n_units - 1)
    noise = VANISHING**2 * float((before**2).sum() * ((now - rho * before) ** 2).sum()) / square**2
    cancelled = variance <= noise
    statistic = np.nan if cancelled else (rho + 0.5) ** 2 / variance
    notes = ["no statistic: the scores of the units sum to zero by construction"] if cancelled else []
    if n_units < FEWEST_CLUSTERS:
        notes.append(f"no p-value: {n_units} units as clusters, and a test needs at least {FEWEST_CLUSTERS}")
    elif said := quoted(SERIAL, "period dummies" if period_effects else "", n_units, len(design.times) + 1, n_units):
        notes.append(said)
    dummies = "period dummies" if period_effects else "no period dummies"
    return SpecificationTest(
        name="Wooldridge, serial correlation in first differences",
        null="errors in levels are not serially correlated (residuals of first differences: rho = -0.5)",
        statistic=statistic,
        distribution=f"F(1, {n_units - 1})",
        p_value=np.nan if n_units < FEWEST_CLUSTERS else float(above_zero(scipy.stats.f.sf(statistic, 1, n_units - 1))),
        used=f"first differences by time, no constant, {dummies}; errors clustered by unit, G/(G-1)",
        quantities={"rho": rho, "standard error": float(np.sqrt(variance))},
        n_obs=len(now),
        n_units=n_units,
        note="; ".join(notes),
    )


def _plain_design(panel: Panel, spec: Spec) -> Design:
    if absorbs_more(spec):
        raise SpecError(
            "this test knows no unit trends, no factors of the exposure and no period effects of groups",
            place=panel.source,
            fix="Leave unit_trends, exposure_factor and group_time_effects out",
        )
    return build_design(panel, spec)


def _swamy_arora(design: Design, columns: np.ndarray, within_variance: float, source: str) -> float:
    """Variance of unit effects, at least 0, from the regression of unit means, weighted by the units' rows.

    The residual sum of squares has expectation (N - r) error variance + (n - tr) unit variance, tr the trace of
    U' diag(T_i) U for an orthonormal basis U (N, r) of the weighted means (Baltagi & Chang 1994).
    """
    rows = np.bincount(design.unit).astype(float)
    centred = columns - columns.mean(axis=0)
    centred[:, 0] = 1.0
    stacked = np.column_stack([centred / np.linalg.norm(centred, axis=0), design.outcome])
    means = group_sums(stacked, design.unit, len(rows)) / np.sqrt(rows)[:, None]
    left, singular, _ = np.linalg.svd(means[:, :-1], full_matrices=False)
    basis = left[:, singular > RANK * singular.max()]
    df = len(rows) - basis.shape[1]
    if df < 1:
        raise DesignError(
            f"{len(rows)} units for {basis.shape[1]} coefficients of the regression of unit means",
            place=source,
            fix="Random effects need more units than regressors: drop regressors",
        )
    outcome = means[:, -1]
    rss = float(((outcome - basis @ (basis.T @ outcome)) ** 2).sum())
    trace = float(rows @ (basis**2).sum(axis=1))
    return max(0.0, (rss - df * within_variance) / (rows.sum() - trace))


def _quasi_demeaned(columns: np.ndarray, unit: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """Columns (n, k) less theta (N,) times their unit means."""
    rows = np.bincount(unit)
    means = group_sums(columns, unit, len(rows)) / rows[:, None]
    return columns - (theta[:, None] * means)[unit]


def _quadratic(gap: np.ndarray, larger: np.ndarray, spread: np.ndarray) -> tuple[float, float]:
    """Gap' spread^-1 gap, NaN if singular, and the lowest eigenvalue of `spread` in units of `larger`'s diagonal."""
    scale = np.sqrt(np.diag(larger))
    spread, gap = spread / np.outer(scale, scale), gap / scale
    values = np.linalg.eigvalsh(spread)
    singular = np.abs(values).min() <= POSITIVE
    return np.nan if singular else float(gap @ np.linalg.solve(spread, gap)), float(values.min())


def _least_squares(columns: np.ndarray, outcome: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Coefficients (k,), their classical covariance, and the error variance RSS / (n - k)."""
    length = np.linalg.norm(columns, axis=0)
    basis, triangle = np.linalg.qr(columns / length)
    inverse = np.linalg.inv(triangle) / length[:, None]
    coefficients = inverse @ (basis.T @ outcome)
    residuals = outcome - columns @ coefficients
    n, size = columns.shape
    variance = float(residuals @ residuals) / (n - size)
    return coefficients, inverse @ inverse.T * variance, variance


def _correlations(residuals: np.ndarray, there: np.ndarray, own: slice) -> tuple[np.ndarray, np.ndarray]:
    """Common periods and correlations of the units of a slice with all units, shape (b, N); NaN where left out."""
    mine, here = residuals[own], there[own]
    common = here @ there.T
    with np.errstate(divide="ignore", invalid="ignore"):
        sum_mine, sum_other = mine @ there.T, here @ residuals.T  # over common periods
        square_mine, square_other = mine**2 @ there.T, here @ (residuals**2).T
        spread_mine = square_mine - sum_mine**2 / common
        spread_other = square_other - sum_other**2 / common
        out = (mine @ residuals.T - sum_mine * sum_other / common) / np.sqrt(spread_mine * spread_other)
        flat = (spread_mine <= RANK * square_mine) | (spread_other <= RANK * square_other)
    return common, np.where((common < FEWEST_COMMON) | flat, np.nan, out)
