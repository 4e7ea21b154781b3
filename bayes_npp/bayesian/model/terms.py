"""Design -> the standardised columns of the hierarchical model, with the prior each coefficient has."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayes_npp.bayesian.model.dynamic import History
from bayes_npp.bayesian.model.error_models import centred_scales
from bayes_npp.bayesian.model.time_columns import TimeColumn, time_columns
from bayes_npp.bayesian.priors.sets import PriorSet
from bayes_npp.design.design import Design
from bayes_npp.design.projection import contrast_basis, part_basis, two_way_parts

# Centred coordinates sample better where the data rule out a scale of zero: where the chi-square statistic of the
# effects exceeds its expectation by this much.
CENTRED_ABOVE = 20.0
WHOLE = -1  # in place of a position: all of a variable


@dataclass(frozen=True)
class Effect:
    """Effects of J units or periods.

    Attributes
    ----------
    kind : "none" | "partial" | "fixed"
    index : ndarray of int, shape (n,)
    leading : ndarray, shape (J, rank)
        Orthonormal contrasts on which a between part acts; rank 0 without correlated means or when saturated.
    saturated : bool
        The parts span all contrasts, so they are left out (columns enter as residuals; slopes are unaffected).
    centred : bool
        Parametrisation of the contrasts in the full model.
    spanned : ndarray, shape (J, k)
        Orthonormal contrasts that flat coefficients of units span already: fixed effects leave them out.
    """

    kind: str
    index: np.ndarray
    leading: np.ndarray
    saturated: bool
    centred: bool
    spanned: np.ndarray

    @property
    def size(self) -> int:
        return len(self.leading)

    @property
    def rank(self) -> int:
        return self.leading.shape[1]

    @cached_property
    def basis(self) -> np.ndarray:
        """All contrasts, the leading ones first, less those spanned already, shape (J, J - 1 - k)."""
        if self.kind == "fixed":  # nothing leads
            return contrast_basis(self.spanned)[:, self.spanned.shape[1] :]
        return contrast_basis(self.leading)

    @property
    def n_contrasts(self) -> int:
        """Coordinates to sample: all contrasts, or only those of the between part where there is no effect."""
        return self.rank if self.kind == "none" else self.basis.shape[1]

    @property
    def has_part(self) -> np.ndarray:
        """1 where a between part acts, shape (n_contrasts,)."""
        return (np.arange(self.n_contrasts) < self.rank).astype(float)


@dataclass(frozen=True)
class Term:
    """Columns whose coefficients share a prior.

    Attributes
    ----------
    variable : str
        Of the posterior; its values are `basis` @ coefficients (the coefficients themselves without a basis).
    columns : ndarray, shape (n, k), or (J, k) with `index`
    index : ndarray of int, shape (n,), optional
        Row of `columns` for each observation.
    scale : str, optional
        Variable with the coefficients' SD; None where the prior has a known SD or is flat.
    rank : int
        Leading coefficients that are the sum of an effect and of a between part (on the same column).
    at : int
        Position in a vector-valued `variable` and `scale` (varying controls); `WHOLE` for all of it.
    slot : str
        Prior of the coefficients, or of their SD; empty for flat.
    """

    variable: str
    columns: np.ndarray
    index: np.ndarray | None = None
    basis: np.ndarray | None = None
    scale: str | None = None
    at: int = WHOLE
    slot: str = ""
    rank: int = 0

    @property
    def width(self) -> int:
        return self.columns.shape[1]

    def rows(self, where: slice) -> np.ndarray:
        """Dense columns of some observations."""
        return self.columns[where] if self.index is None else self.columns[self.index[where]]

    def values(self, coefficients: np.ndarray) -> np.ndarray:
        """Values of the variable, shape (..., L), from coefficients (..., k)."""
        return coefficients if self.basis is None else coefficients @ self.basis.T


@dataclass(frozen=True)
class ModelData:
    """Standardised arrays of the hierarchical model; rows are sorted by unit and time.

    Attributes
    ----------
    outcome : ndarray, shape (n,)
    slope_columns : ndarray, shape (n, max(G, 1)); (n, 0) without exposure
    control_columns : ndarray, shape (n, K)
    varying_columns : ndarray, shape (V, n, G)
        Varying controls, a column a group.
    unit_slope_columns : ndarray, shape (n, 0 or 1 + V)
        Exposure and varying controls as the slopes of units act on them.
    unit, time : Effect
    slopes_centred : bool
        Parametrisation of the groups' offsets in the full model.
    varying_centred : tuple of bool
        The same of each varying control.
    centred_errors : frozenset of str
        Parts of the error model whose scales are sampled centred.
    se : ndarray, shape (n,), optional
    lag : ndarray, shape (n,), optional
        Outcome of the period before, of a dynamic model, less its period means.
    time_columns : tuple of TimeColumn
        Trends of units and the exposure's own factors.
    """

    design: Design
    outcome: np.ndarray
    slope_columns: np.ndarray
    control_columns: np.ndarray
    varying_columns: np.ndarray
    unit_slope_columns: np.ndarray
    unit: Effect
    time: Effect
    slopes_centred: bool
    varying_centred: tuple[bool, ...]
    centred_errors: frozenset[str]
    se: np.ndarray | None
    lag: np.ndarray | None = None
    time_columns: tuple[TimeColumn, ...] = ()

    @cached_property
    def effects(self) -> dict[str, Effect]:
        return {"unit": self.unit, "time": self.time}

    @property
    def has_flat_level(self) -> bool:
        """Fixed effects leave the level without a prior."""
        return "fixed" in (self.unit.kind, self.time.kind)

    @cached_property
    def slope_basis(self) -> np.ndarray:
        """Values of the groups' offsets from their coordinates, shape (G, G - 1) or (G, G)."""
        n_groups = len(self.design.groups)
        if self.design.spec.slope_pooling == "exchangeable":
            return np.eye(n_groups)
        return contrast_basis(np.empty((n_groups, 0)))

    @cached_property
    def gaps(self) -> np.ndarray:
        """Periods since the row before of the same unit, 0 for a unit's first row; shape (n,)."""
        time = np.array(self.design.times)[self.design.time]
        gaps = np.diff(time, prepend=time[0])
        gaps[self.segments] = 0
        return gaps

    @cached_property
    def segments(self) -> np.ndarray:
        """First row of each unit, shape (N,)."""
        return np.flatnonzero(np.diff(self.design.unit, prepend=-1))


def model_data(design: Design) -> ModelData:
    """Standardise, split columns into parts and residuals, choose bases and parametrisation."""
    spec, scales = design.spec, design.scales
    outcome = (design.outcome - scales.outcome_mean) / scales.outcome_sd
    exposure = design.slope_columns
    if spec.exposure:
        exposure = exposure / scales.divisors[spec.exposure]
    controls = design.controls / scales.of(*spec.controls)
    varying = [spec.controls.index(name) for name in spec.varying]
    member = np.ones((design.n_obs, 1))
    if design.group is not None:
        member = (design.group[:, None] == np.arange(len(design.groups))).astype(float)
    by_group = [controls[:, [k]] * member for k in varying]
    n_slopes, n_controls, width = exposure.shape[1], controls.shape[1], member.shape[1]
    columns = np.column_stack([exposure, controls, *by_group])
    history = History(design, member, varying) if spec.dynamic else None
    lag = np.empty((design.n_obs, 0)) if history is None else history.lag[:, None]
    # The groups' columns sum to the common one, which therefore adds nothing to the span.
    distinct = [j for j in range(n_slopes + n_controls) if j - n_slopes not in varying]
    distinct += list(range(n_slopes + n_controls, columns.shape[1] + lag.shape[1]))
    everything = two_way_parts(np.column_stack([outcome, columns, lag]), design.unit, design.time)
    fitted = np.column_stack([everything.residual[:, :1], everything.residual[:, 1:][:, distinct]])
    coefficients, rss = _least_squares(fitted)
    df = design.n_obs - len(design.units) - len(design.times) + 1 - len(distinct)
    effects, own_columns = {}, time_columns(design)
    flat = [column.values for column in own_columns if not column.scale]
    sides = (
        ("unit", design.unit, everything.unit, spec.unit_effects),
        ("time", design.time, everything.time, spec.time_effects),
    )
    for name, index, parts, kind in sides:
        acts = spec.correlated_means and kind != "fixed"
        own = parts[:, 1 : 1 + columns.shape[1]]
        if history is not None:
            own = np.column_stack([own, history.unit if name == "unit" else history.time])
        leading = part_basis(own if acts else own[:, :0])
        saturated = acts and leading.shape[1] == len(parts) - 1
        leading = leading[:, :0] if saturated else leading
        # Estimated effects in units of their standard error, on the coordinates that no between part shares.
        free = parts[:, 0] - parts[:, 1:][:, distinct] @ coefficients
        square = (free**2).sum() - ((leading.T @ free) ** 2).sum()
        scaled = square * design.n_obs / len(parts) / (rss / df) if df > 0 and rss > 0 else 0.0
        strength = scaled - (len(parts) - 1 - leading.shape[1])
        # Beside a lagged outcome the within coefficients are biased, and so is what they leave to units.
        centred = strength > CENTRED_ABOVE and not (name == "unit" and spec.dynamic)
        spanned = part_basis(np.array(flat).T) if flat and name == "time" else leading[:, :0]
        effects[name] = Effect(kind, index, leading, saturated, centred, spanned)
    used = everything.residual[:, 1 : 1 + columns.shape[1]] if spec.correlated_means else columns - columns.mean(axis=0)
    split = np.cumsum([n_slopes, n_controls])
    return ModelData(
        design=design,
        outcome=outcome,
        slope_columns=used[:, : split[0]],
        control_columns=used[:, split[0] : split[1]],
        varying_columns=used[:, split[1] :].reshape(design.n_obs, len(varying), width).transpose(1, 0, 2),
        unit_slope_columns=_unit_slope_columns(design, exposure.sum(axis=1), controls[:, varying]),
        unit=effects["unit"],
        time=effects["time"],
        slopes_centred=_slope_strength(fitted, n_slopes, df) > CENTRED_ABOVE,
        varying_centred=tuple(
            _slope_strength(_in_front(fitted, fitted.shape[1] - (len(varying) - v) * width, width), width, df)
            > CENTRED_ABOVE
            for v in range(len(varying))
        ),
        centred_errors=centred_scales(spec.errors, fitted[:, 0] - fitted[:, 1:] @ coefficients, design.unit, df),
        se=None if design.se is None else design.se / scales.outcome_sd,
        lag=None if history is None else history.lag_within_periods,
        time_columns=own_columns,
    )


def terms(data: ModelData, priors: PriorSet) -> Iterator[Term]:
    """Every term but the effects of units, which the collapsed sampler eliminates."""
    spec, design = data.design.spec, data.design
    if data.unit.kind != "fixed":
        yield Term("intercept", np.ones((design.n_obs, 1)), slot="" if data.has_flat_level else "intercept")
    if spec.slope_pooling == "none":
        yield Term("free_slope", data.slope_columns, slot="exposure")
    elif spec.exposure:
        yield Term("exposure_slope", data.slope_columns.sum(axis=1, keepdims=True), slot="exposure")
    if spec.controls:
        yield Term("control_slope", data.control_columns, slot="controls")
    if data.lag is not None:
        yield Term("persistence", data.lag[:, None], slot="persistence")
    if design.groups and spec.slope_pooling != "none":
        basis = data.slope_basis
        yield Term("slope_offset", data.slope_columns @ basis, basis=basis, scale="slope_sd", slot="slope_sd")
        for v, columns in enumerate(data.varying_columns):
            yield Term("control_offset", columns @ basis, None, basis, "control_slope_sd", v, "slope_sd")
    for name, effect in data.effects.items():
        if effect.rank and not (name == "time" and effect.kind == "partial"):
            columns = effect.leading * np.sqrt(effect.size)
            yield Term(f"{name}_between", columns, effect.index, slot="between")
    if data.time.kind == "partial":
        # All contrasts and the mean: on this basis period effects and their between part add up column by column.
        basis = np.column_stack([data.time.basis, np.full(data.time.size, data.time.size**-0.5)])
        yield Term("time_effect", basis, data.time.index, basis, scale="time_sd", slot="time_sd", rank=data.time.rank)
    elif data.time.kind == "fixed":
        yield Term("time_effect", data.time.basis, data.time.index, data.time.basis)
    if design.group_time is not None:
        cells = np.eye(len(design.group_times))
        yield Term("group_time_effect", cells, design.group_time, scale="group_time_sd", slot="group_time_sd")


def unit_terms(data: ModelData) -> Iterator[Term]:
    """The effects of units: intercepts, and slopes where units have their own."""
    n_obs = data.design.n_obs
    if data.unit.kind != "none":
        scale = "unit_sd" if data.unit.kind == "partial" else None
        yield Term("unit_effect", np.ones((n_obs, 1)), scale=scale, slot="unit_sd" if scale else "")
    for j, column in enumerate(data.unit_slope_columns.T):
        name, at = ("unit_slope", WHOLE) if j == 0 else ("unit_control_slope", j - 1)
        yield Term(name, column[:, None], scale=f"{name}_sd", at=at, slot="unit_slope_sd")


def common_and_offsets(free_slope: np.ndarray) -> dict[str, np.ndarray]:
    """Groups' unpooled slopes, shape (..., G), as their mean and the deviations from it."""
    mean = free_slope.mean(axis=-1)
    return {"exposure_slope": mean, "slope_offset": free_slope - mean[..., None]}


def fitted_values(parameters: dict[str, np.ndarray], data: ModelData) -> np.ndarray:
    """Conditional mean of the standardised outcome, shape (..., n), from the parameters of the posterior."""
    fitted = parameters["intercept"][..., None] + np.zeros(data.design.n_obs)
    if "exposure_slope" in parameters:
        slopes = parameters["exposure_slope"][..., None] + parameters.get("slope_offset", 0.0)
        fitted = fitted + slopes @ data.slope_columns.T
    if "control_slope" in parameters:
        fitted = fitted + parameters["control_slope"] @ data.control_columns.T
    if data.lag is not None:
        fitted = fitted + parameters["persistence"][..., None] * data.lag
    for v, columns in enumerate(data.varying_columns if "control_offset" in parameters else ()):
        fitted = fitted + parameters["control_offset"][..., v, :] @ columns.T
    for name, effect in data.effects.items():
        if f"{name}_effect" in parameters:
            fitted = fitted + parameters[f"{name}_effect"][..., effect.index]
        if f"{name}_between" in parameters:
            part = parameters[f"{name}_between"] @ effect.leading.T * np.sqrt(effect.size)
            fitted = fitted + part[..., effect.index]
    for name, index in (("unit_shift", data.design.unit), ("time_shift", data.design.time)):
        if name in parameters:
            fitted = fitted + parameters[name][..., index]
    for column in data.time_columns:
        fitted = fitted + parameters[column.variable][..., data.design.unit] * column.values[data.design.time]
    for k in range(parameters["factor"].shape[-2] if "factor" in parameters else 0):
        loading, factor = parameters["loading"][..., k, :], parameters["factor"][..., k, :]
        fitted = fitted + loading[..., data.design.unit] * factor[..., data.design.time]
    if "group_time_effect" in parameters:
        fitted = fitted + parameters["group_time_effect"][..., data.design.group_time]
    for j, column in enumerate(data.unit_slope_columns.T):
        slopes = parameters["unit_slope"] if j == 0 else parameters["unit_control_slope"][..., j - 1, :]
        fitted = fitted + slopes[..., data.design.unit] * column
    return fitted


def _unit_slope_columns(design: Design, exposure: np.ndarray, varying: np.ndarray) -> np.ndarray:
    """Columns on which slopes of units act: less their unit means with correlated means, as they are without."""
    if not design.spec.unit_slopes:
        return np.empty((design.n_obs, 0))
    columns = np.column_stack([exposure, varying])
    if design.spec.correlated_means:
        counts = np.bincount(design.unit)[:, None]
        sums = np.column_stack([np.bincount(design.unit, weights=column) for column in columns.T])
        columns = columns - (sums / counts)[design.unit]
    return columns


def _in_front(fitted: np.ndarray, start: int, width: int) -> np.ndarray:
    """Outcome and columns with some of the columns moved to the front."""
    chosen = np.arange(start, start + width)
    return np.column_stack([fitted[:, 0], fitted[:, chosen], np.delete(fitted, [0, *chosen], axis=1)])


def _slope_strength(residual: np.ndarray, n_slopes: int, df: int) -> float:
    """Excess chi-square of the differences between groups' slopes, from the two-way residual of outcome and columns."""
    if n_slopes < 2 or df <= 0:
        return 0.0
    outcome, slopes, controls = residual[:, :1], residual[:, 1 : 1 + n_slopes], residual[:, 1 + n_slopes :]
    full = _least_squares(residual)[1]
    reduced = _least_squares(np.hstack([outcome, slopes.sum(axis=1, keepdims=True), controls]))[1]
    return (reduced - full) / (full / df) - (n_slopes - 1) if full > 0 else 0.0


def _least_squares(residual: np.ndarray) -> tuple[np.ndarray, float]:
    """Coefficients and residual sum of squares of the first column on the others."""
    outcome, columns = residual[:, 0], residual[:, 1:]
    coefficients = np.linalg.lstsq(columns, outcome, rcond=None)[0]
    return coefficients, float(((outcome - columns @ coefficients) ** 2).sum())
