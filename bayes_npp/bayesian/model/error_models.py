"""Error models, a record a part: `errors = "ar1+unit_scale"` in a specification joins two of them.

A row's error is what stays of the error in the row before, plus an innovation of a scale and a distribution:

    e_t = share_t e_(t-h) + scale_t sqrt(variance_t) z_t,

h the periods since the row before of the same unit. A `Scale` multiplies the SDs of rows, a `Memory` gives share and
variance, a `Shape` the distribution of z, which is normal without one. Whatever else the package asks of an error model
is in its record too; only the compiled density of the collapsed sampler knows parts by name. See docs/statistics.md,
section 1.

Imported where a specification is checked, so nothing heavy is imported here. `data` is `terms.ModelData`, `prior` a
function that makes the PyMC variable of a parameter by its name.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import lgamma
from typing import Any

import numpy as np

# Of units' error scales centred coordinates fail where their spread may be zero, the others only slow down where it is
# large: the chi-square statistic must exceed its expectation by this factor.
SCALES_CENTRED_ABOVE = 2.5

Parameters = dict[str, np.ndarray]


@dataclass(frozen=True)
class Scale:
    """A factor of the SDs of rows.

    Attributes
    ----------
    rows : callable
        (parameters, data) -> factor, shape (..., n) or (..., 1).
    pymc : callable
        (data, prior, sd) -> the SDs with the factor; `sd` those of the parts before it, None for the first.
    draw : callable, optional
        (parameters, size, random) -> what its priors imply for that many units (periods), by variable, shapes
        (S, size); which of the two the `effects` of its part say.
    centred : callable, optional
        (residual, unit, df) -> whether its coordinates sample better centred, from the least-squares residual (n,) and
        the degrees of freedom it has left.
    """

    rows: Callable[[Parameters, Any], np.ndarray]
    pymc: Callable[[Any, Any, Any], Any]
    draw: Callable[[Parameters, int, np.random.Generator], Parameters] | None = None
    centred: Callable[[np.ndarray, np.ndarray, int], bool] | None = None


@dataclass(frozen=True)
class Memory:
    """What a row's error keeps of the error in the row before.

    Attributes
    ----------
    rows : callable
        (parameters, data) -> share of the L rows that follow one of their unit, shape (..., L), and variance of every
        row's innovation in units of that of one step, shape (..., n).
    pymc : callable
        (data, prior) -> the same in PyTensor.
    """

    rows: Callable[[Parameters, Any], tuple[np.ndarray, np.ndarray]]
    pymc: Callable[[Any, Any], tuple[Any, Any]]


@dataclass(frozen=True)
class Shape:
    """The distribution of innovations of scale one, where it is not normal.

    Attributes
    ----------
    kernel : callable
        (z, parameters) -> log density up to a constant, from z (..., n).
    constant : callable
        (parameters) -> that constant, shape (..., 1).
    noise : callable
        (normals, parameters, random) -> draws, shape (S, n), made of standard normal ones.
    pymc : callable
        (name, prior, mean, sd, **options) -> the outcome's variable.
    """

    kernel: Callable[[np.ndarray, Parameters], np.ndarray]
    constant: Callable[[Parameters], np.ndarray]
    noise: Callable[[np.ndarray, Parameters, np.random.Generator], np.ndarray]
    pymc: Callable[..., Any]


@dataclass(frozen=True)
class ErrorModel:
    """One part of an error model.

    Attributes
    ----------
    label, short : str
        What a reader sees: of the part alone, and of it among others.
    priors : mapping
        Parameters whose priors a user states, and the kind of each (`families.Family.kinds`).
    in_outcome_units : tuple of str
        Those of them that carry the unit of the outcome.
    effects : mapping
        Variables whose distribution those priors imply, and their dimensions in the posterior beyond chain and draw.
    scale, memory, shape : optional
    mends : tuple of str
        Posterior predictive checks that it can mend (`predictive_checks.error_checks`).
    alone : bool
        Whether it stands by itself: it says what the SD of a row is, and joins no other part.
    known_se : bool
        Whether it takes the column of known standard errors.
    beside_lag : bool
        Whether it goes with a lagged outcome.
    imputes : bool
        Whether missing cells are normal given everything else.
    factors : int
        Common factors, each with a loading of every unit's own (`factors`).
    not_collapsed : str
        Why coefficients do not integrate out; empty where they do, and then the collapsed density has the part too.
    """

    label: str
    short: str
    priors: Mapping[str, str] = field(default_factory=dict)
    in_outcome_units: tuple[str, ...] = ()
    effects: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    scale: Scale | None = None
    memory: Memory | None = None
    shape: Shape | None = None
    mends: tuple[str, ...] = ()
    alone: bool = False
    known_se: bool = False
    beside_lag: bool = True
    imputes: bool = True
    factors: int = 0
    not_collapsed: str = ""


def _known_sd(data: Any, prior: Any, sd: Any) -> Any:
    import pymc as pm

    return pm.Data("known_se", data.se)


def _unit_scales(parameters: Parameters, n_units: int, random: np.random.Generator) -> Parameters:
    normals = random.standard_normal((len(parameters["unit_scale_sd"]), n_units))
    return {"unit_scale": np.exp(parameters["unit_scale_sd"][:, None] * normals)}


def _unit_scales_in_pymc(data: Any, prior: Any, sd: Any) -> Any:
    import pymc as pm
    import pytensor.tensor as pt

    spread = prior("unit_scale_sd")
    if "unit_scale" in data.centred_errors:
        logs = pm.Normal("unit_error_log", pt.log(sd), spread, dims="unit") - pt.log(sd)
    else:
        logs = spread * pm.Normal("unit_scale_raw", 0.0, 1.0, dims="unit")
    return sd * pm.Deterministic("unit_scale", pt.exp(logs), dims="unit")[data.design.unit]


def _period_scales(parameters: Parameters, n_times: int, random: np.random.Generator) -> Parameters:
    normals = random.standard_normal((len(parameters["period_scale_sd"]), n_times))
    return {"period_scale": np.exp(parameters["period_scale_sd"][:, None] * normals)}


def _period_scales_in_pymc(data: Any, prior: Any, sd: Any) -> Any:
    import pymc as pm
    import pytensor.tensor as pt

    logs = prior("period_scale_sd") * pm.Normal("period_scale_raw", 0.0, 1.0, dims="time")
    return sd * pm.Deterministic("period_scale", pt.exp(logs), dims="time")[data.design.time]


def _scales_differ(residual: np.ndarray, unit: np.ndarray, df: int) -> bool:
    """Whether logs of units' residual SDs spread `SCALES_CENTRED_ABOVE` times as much as equal scales would make them.

    The variance of the log SD of a unit with nu degrees of freedom is trigamma(nu / 2) / 4; units share those left by
    the fit in proportion to their rows.
    """
    from scipy.special import polygamma

    counts = np.bincount(unit)
    freedom = counts * max(df, 0) / len(unit)
    squares = np.bincount(unit, weights=residual**2)
    enough = (freedom > 1) & (squares > 0)
    if enough.sum() < 3:
        return False
    logs = 0.5 * np.log(squares[enough] / freedom[enough])
    precision = 4 / polygamma(1, freedom[enough] / 2)
    mean = (precision * logs).sum() / precision.sum()
    return bool((precision * (logs - mean) ** 2).sum() > SCALES_CENTRED_ABOVE * (enough.sum() - 1))


def _autoregressive(parameters: Parameters, data: Any) -> tuple[np.ndarray, np.ndarray]:
    """rho^h, and the variance of h steps, of a unit's first row that of the stationary process."""
    rho = parameters["autocorrelation"][..., None]
    later = np.flatnonzero(data.gaps > 0)
    shape = (*rho.shape[:-1], len(data.gaps))
    variance = np.broadcast_to(1 / ((1 - rho) * (1 + rho)), shape).copy()
    variance[..., later] = sum((data.gaps[later] > k) * rho ** (2 * k) for k in range(int(data.gaps.max())))
    return rho ** data.gaps[later], variance


def _autoregressive_in_pymc(data: Any, prior: Any) -> tuple[Any, Any]:
    import pytensor.tensor as pt

    rho, gap = prior("autocorrelation"), data.gaps
    later = np.flatnonzero(gap > 0)
    variance = pt.set_subtensor(pt.ones(len(gap))[gap == 0], 1 / ((1 - rho) * (1 + rho)))
    steps = sum((gap[later] > k) * rho ** (2 * k) for k in range(int(gap.max())))
    return rho ** gap[later], pt.set_subtensor(variance[later], steps)


def _student_kernel(z: np.ndarray, parameters: Parameters) -> np.ndarray:
    nu = parameters["degrees"][..., None]
    return -(nu + 1) / 2 * np.log1p(z**2 / nu)


def _student_constant(parameters: Parameters) -> np.ndarray:
    nu = parameters["degrees"][..., None]
    return np.vectorize(lgamma)((nu + 1) / 2) - np.vectorize(lgamma)(nu / 2) - 0.5 * np.log(nu * np.pi)


def _student_noise(normals: np.ndarray, parameters: Parameters, random: np.random.Generator) -> np.ndarray:
    nu = parameters["degrees"][:, None]
    return normals / np.sqrt(random.chisquare(np.broadcast_to(nu, normals.shape)) / nu)


def _student_in_pymc(name: str, prior: Any, mean: Any, sd: Any, **options: Any) -> Any:
    import pymc as pm

    return pm.StudentT(name, nu=prior("degrees"), mu=mean, sigma=sd, **options)


def _common_factors(number: int, short: str) -> ErrorModel:
    """Factors of periods, and what each unit has of them beyond slopes and effects."""
    return ErrorModel(
        label=f"independent, {short}",
        short=short,
        priors={"loading_sd": "positive"},
        in_outcome_units=("loading_sd",),
        effects={"factor": ("factor_number", "time"), "loading": ("factor_number", "unit")},
        mends=("cross-sectional dependence",),
        beside_lag=False,
        imputes=False,
        factors=number,
    )


# From the simplest on.
ERROR_MODELS: dict[str, ErrorModel] = {
    "iid": ErrorModel(
        label="independent, one scale",
        short="one scale",
        priors={"error_sd": "positive"},
        in_outcome_units=("error_sd",),
        scale=Scale(
            rows=lambda parameters, data: parameters["error_sd"][..., None],
            pymc=lambda data, prior, sd: prior("error_sd"),
        ),
        alone=True,
    ),
    "known": ErrorModel(
        label="independent, known standard errors",
        short="known standard errors",
        scale=Scale(rows=lambda parameters, data: data.se, pymc=_known_sd),
        alone=True,
        known_se=True,
        beside_lag=False,
        imputes=False,
    ),
    "ar1": ErrorModel(
        label="AR(1) within units",
        short="AR(1)",
        priors={"autocorrelation": "correlation"},
        memory=Memory(rows=_autoregressive, pymc=_autoregressive_in_pymc),
        mends=("serial correlation",),
        beside_lag=False,
    ),
    "unit_scale": ErrorModel(
        label="independent, a scale for each unit",
        short="a scale for each unit",
        priors={"unit_scale_sd": "positive"},
        effects={"unit_scale": ("unit",)},
        scale=Scale(
            rows=lambda parameters, data: parameters["unit_scale"][..., data.design.unit],
            pymc=_unit_scales_in_pymc,
            draw=_unit_scales,
            centred=_scales_differ,
        ),
        mends=("spread by unit",),
    ),
    "period_scale": ErrorModel(
        label="independent, a scale for each period",
        short="a scale for each period",
        priors={"period_scale_sd": "positive"},
        effects={"period_scale": ("time",)},
        scale=Scale(
            rows=lambda parameters, data: parameters["period_scale"][..., data.design.time],
            pymc=_period_scales_in_pymc,
            draw=_period_scales,
        ),
        mends=("spread by period",),
        beside_lag=False,
        imputes=False,
    ),
    "student_t": ErrorModel(
        label="independent, Student-t",
        short="Student-t",
        priors={"degrees": "positive"},
        shape=Shape(_student_kernel, _student_constant, _student_noise, _student_in_pymc),
        imputes=False,
        not_collapsed="Student-t errors do not integrate out",
    ),
    "factor": _common_factors(1, "one common factor"),
    "factor2": _common_factors(2, "two common factors"),
}
BASE = "iid"


def named(errors: str) -> tuple[str, ...]:
    """Names of the parts in `errors` of a specification."""
    return tuple(part.strip() for part in errors.split("+"))


def parts(errors: str) -> tuple[ErrorModel, ...]:
    """Records of `errors`, the base first where the parts named need one."""
    names = named(errors)
    found = [record for name, record in ERROR_MODELS.items() if name in names]
    return tuple(found if any(record.alone for record in found) else (ERROR_MODELS[BASE], *found))


def why_not_integrated(errors: str, unit_slopes: bool, group_time_effects: bool) -> str:
    """Why coefficients do not integrate out under these errors, beside slopes of units or period effects of groups."""
    if "period_scale" in named(errors) and (unit_slopes or group_time_effects):
        return "scales of periods beside slopes of units or period effects of groups do not"
    return next((record.not_collapsed for record in parts(errors) if record.not_collapsed), "")


def combine(names: Sequence[str]) -> bool:
    """Whether parts go together: different ones, none that stands alone, one memory, one shape and one set of factors
    at most, and no factors beside a shape."""
    found = [ERROR_MODELS[name] for name in names]
    once = all(sum(getattr(record, what) is not None for record in found) <= 1 for what in ("memory", "shape"))
    once = once and sum(record.factors > 0 or record.shape is not None for record in found) <= 1
    return len(names) == 1 or (once and len(set(names)) == len(names) and not any(record.alone for record in found))


def names_where(holds: Callable[[ErrorModel], bool]) -> tuple[str, ...]:
    """Names of the parts of which something holds."""
    return tuple(name for name, record in ERROR_MODELS.items() if holds(record))


def memory_of(errors: str) -> Memory | None:
    """What rows keep of the rows before them; None where they keep nothing."""
    return next((record.memory for record in parts(errors) if record.memory), None)


def factors_of(errors: str) -> int:
    """Common factors of the errors."""
    return sum(record.factors for record in parts(errors))


def shape_of(errors: str) -> Shape | None:
    """The distribution of innovations; None where it is normal."""
    return next((record.shape for record in parts(errors) if record.shape), None)


def centred_scales(errors: str, residual: np.ndarray, unit: np.ndarray, df: int) -> frozenset[str]:
    """Parts whose scales sample better centred, from the least-squares residual (n,) and its degrees of freedom."""
    every = ((name, ERROR_MODELS[name].scale) for name in named(errors))
    return frozenset(name for name, scale in every if scale and scale.centred and scale.centred(residual, unit, df))


def with_memory(errors: str) -> str:
    """`errors`, joined by the first part with a memory where they have none."""
    first = names_where(lambda record: record.memory is not None)[0]
    return errors if memory_of(errors) else first if errors == BASE else f"{first}+{errors}"


def label_of(errors: str) -> str:
    """What a reader sees of `errors`."""
    names = named(errors)
    if len(names) == 1:
        return ERROR_MODELS[names[0]].label
    return ", ".join(record.short for name, record in ERROR_MODELS.items() if name in names)


def top_priors() -> dict[str, str]:
    """Parameters of all parts with the kind of prior each takes, SDs first."""
    every = {name: kind for record in ERROR_MODELS.values() for name, kind in record.priors.items()}
    return dict(sorted(every.items(), key=lambda item: not item[0].endswith("_sd")))


def effects() -> dict[str, tuple[str, ...]]:
    """Variables that the priors of all parts imply, with their dimensions in the posterior."""
    return {name: dims for record in ERROR_MODELS.values() for name, dims in record.effects.items()}
