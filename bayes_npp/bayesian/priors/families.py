"""Families of priors, a record each: density, draws, PyMC's distribution, place in the compiled density, mixture.

All on the standardised scale. Functions of a record take the hyper-parameters by name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import numpy as np
from pydantic import Field, field_validator, model_validator

from bayes_npp.errors import SpecError
from bayes_npp.records import Record

BOUNDS = ("lower", "upper")
NODES, BEYOND = 32, 1e-6  # normals of a mixture, between these quantiles of their SD


class Mixture(NamedTuple):
    """Normals of one mean.

    mean : float
    sds, log_weights : ndarray, shape (K,)
    """

    mean: float
    sds: np.ndarray
    log_weights: np.ndarray


@dataclass(frozen=True)
class Family:
    """A family of priors.

    Attributes
    ----------
    parameters : tuple of str
        Hyper-parameters, fields of `PriorSpec`.
    kinds : tuple of str
        Kinds of parameters that may have it (`sets.SLOTS`): "real", "conjugate", "positive", "correlation",
        "persistence".
    log_density : callable
        (values, **hyper-parameters) -> log density, elementwise on the constrained scale; 0 for a flat prior.
    draw : callable
        (random, size, **hyper-parameters) -> independent draws of that shape; `SpecError` for a flat prior.
    pymc : callable
        (name, dims, **hyper-parameters) -> PyMC variable.
    support : "REAL_LINE" | "POSITIVE" | "INTERVAL"
        How `kernel` maps its line to the values, by the name of the constant there.
    code : str
        The density in `kernel.prior_density`, by the name of the constant there.
    coded : callable
        (**hyper-parameters) -> parameters of that density; by default all but the bounds, in order.
    typical : callable
        (**hyper-parameters) -> a value of the prior's order, in which a positive parameter is sampled.
    scaled : callable
        (multiple, **hyper-parameters) -> hyper-parameters of the prior of `multiple` times the parameter.
    mixture : callable, optional
        (**hyper-parameters) -> `Mixture`; None where the family is no mixture of normals.
    collapses : bool
        Whether a coefficient with it integrates out of the likelihood exactly.
    proper : bool
        Whether its density has an integral.
    """

    parameters: tuple[str, ...]
    kinds: tuple[str, ...]
    log_density: Callable[..., np.ndarray]
    draw: Callable[..., np.ndarray]
    pymc: Callable[..., Any]
    support: str
    code: str
    coded: Callable[..., tuple[float, ...]] = lambda **p: tuple(v for name, v in p.items() if name not in BOUNDS)
    typical: Callable[..., float] = lambda **p: p.get("sigma", p.get("scale", 1.0))
    scaled: Callable[..., dict[str, float]] = lambda multiple, **p: {
        name: value * multiple if name in ("mu", "sigma", "scale", *BOUNDS) else value for name, value in p.items()
    }
    mixture: Callable[..., Mixture] | None = None
    collapses: bool = False
    proper: bool = True


def _stats() -> Any:
    """scipy's distributions, which take half a second to load and are needed where a prior is evaluated."""
    from scipy import stats

    return stats


def _pymc(distribution: str, **renamed: str) -> Callable[..., Any]:
    """PyMC's distribution of that name; `renamed` says which of our hyper-parameters one of its own is."""

    def variable(name: str, dims: Any, **p: Any) -> Any:
        import pymc as pm

        own = {theirs: p.pop(ours) for theirs, ours in renamed.items()}
        return getattr(pm, distribution)(name, **own, **p, dims=dims)

    return variable


def _pymc_beta(name: str, dims: Any, alpha: Any, beta: Any) -> Any:
    """2 Beta - 1, the Beta variable under a name of its own."""
    import pymc as pm

    return pm.Deterministic(name, 2 * pm.Beta(f"{name}_unit", alpha, beta, dims=dims) - 1, dims=dims)


def _half_student_t(values: np.ndarray, nu: float, sigma: float) -> np.ndarray:
    return np.where(values >= 0, np.log(2) + _stats().t.logpdf(values, nu, 0, sigma), -np.inf)


def _ends(mu: float, sigma: float, lower: float, upper: float) -> tuple[float, float]:
    """Bounds of a truncated normal in SDs from its mean."""
    return (lower - mu) / sigma, (upper - mu) / sigma


def _no_draws(random: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
    raise SpecError("a flat prior has no draws", fix="Give the parameter a proper prior")


def _over_variance(mean: float, variance: Any, scale: float) -> Mixture:
    """Normals whose variance, in units of the squared scale, has a distribution, on nodes evenly spaced in its log."""
    first, last = np.log(variance.ppf([BEYOND, 1 - BEYOND])) / 2
    logs = np.linspace(first, last, NODES)
    log_weights = variance.logpdf(np.exp(2 * logs)) + 2 * logs
    return Mixture(mean, scale * np.exp(logs), log_weights - np.logaddexp.reduce(log_weights))


FAMILIES: dict[str, Family] = {
    "normal": Family(
        parameters=("mu", "sigma"),
        kinds=("real", "conjugate"),
        log_density=lambda values, mu, sigma: _stats().norm.logpdf(values, mu, sigma),
        draw=lambda random, size, mu, sigma: mu + sigma * random.standard_normal(size),
        pymc=_pymc("Normal"),
        support="REAL_LINE",
        code="NORMAL",
        mixture=lambda mu, sigma: Mixture(mu, np.array([sigma]), np.zeros(1)),
        collapses=True,
    ),
    "student_t": Family(
        parameters=("nu", "mu", "sigma"),
        kinds=("real",),
        log_density=lambda values, nu, mu, sigma: _stats().t.logpdf(values, nu, mu, sigma),
        draw=lambda random, size, nu, mu, sigma: mu + sigma * random.standard_t(nu, size),
        pymc=_pymc("StudentT"),
        support="REAL_LINE",
        code="STUDENT_T",
        mixture=lambda nu, mu, sigma: _over_variance(mu, _stats().invgamma(nu / 2, scale=nu / 2), sigma),
    ),
    "laplace": Family(
        parameters=("mu", "scale"),
        kinds=("real",),
        log_density=lambda values, mu, scale: _stats().laplace.logpdf(values, mu, scale),
        draw=lambda random, size, mu, scale: random.laplace(mu, scale, size),
        pymc=_pymc("Laplace", b="scale"),
        support="REAL_LINE",
        code="LAPLACE",
        mixture=lambda mu, scale: _over_variance(mu, _stats().expon(scale=2.0), scale),
    ),
    "truncated_normal": Family(
        parameters=("mu", "sigma", "lower", "upper"),
        kinds=("real", "correlation", "persistence"),
        log_density=lambda values, **p: _stats().truncnorm.logpdf(values, *_ends(**p), p["mu"], p["sigma"]),
        draw=lambda random, size, **p: _stats().truncnorm.rvs(
            *_ends(**p), p["mu"], p["sigma"], size=size, random_state=random
        ),
        pymc=_pymc("TruncatedNormal"),
        support="INTERVAL",
        code="NORMAL",
    ),
    "uniform": Family(
        parameters=("lower", "upper"),
        kinds=("real", "correlation", "persistence"),
        log_density=lambda values, lower, upper: _stats().uniform.logpdf(values, lower, upper - lower),
        draw=lambda random, size, lower, upper: random.uniform(lower, upper, size),
        pymc=_pymc("Uniform"),
        support="INTERVAL",
        code="UNIFORM",
    ),
    "flat": Family(
        parameters=(),
        kinds=("real",),
        log_density=lambda values: np.zeros_like(values),
        draw=_no_draws,
        pymc=_pymc("Flat"),
        support="REAL_LINE",
        code="FLAT",
        mixture=lambda: Mixture(0.0, np.array([np.inf]), np.zeros(1)),
        collapses=True,
        proper=False,
    ),
    "half_normal": Family(
        parameters=("sigma",),
        kinds=("positive",),
        log_density=lambda values, sigma: _stats().halfnorm.logpdf(values, scale=sigma),
        draw=lambda random, size, sigma: np.abs(sigma * random.standard_normal(size)),
        pymc=_pymc("HalfNormal"),
        support="POSITIVE",
        code="NORMAL",
        coded=lambda sigma: (0.0, sigma),
    ),
    "half_student_t": Family(
        parameters=("nu", "sigma"),
        kinds=("positive",),
        log_density=_half_student_t,
        draw=lambda random, size, nu, sigma: np.abs(sigma * random.standard_t(nu, size)),
        pymc=_pymc("HalfStudentT"),
        support="POSITIVE",
        code="STUDENT_T",
        coded=lambda nu, sigma: (nu, 0.0, sigma),
    ),
    "half_cauchy": Family(
        parameters=("scale",),
        kinds=("positive",),
        log_density=lambda values, scale: _stats().halfcauchy.logpdf(values, scale=scale),
        draw=lambda random, size, scale: np.abs(scale * random.standard_cauchy(size)),
        pymc=_pymc("HalfCauchy", beta="scale"),
        support="POSITIVE",
        code="STUDENT_T",
        coded=lambda scale: (1.0, 0.0, scale),
    ),
    "exponential": Family(
        parameters=("scale",),
        kinds=("positive",),
        log_density=lambda values, scale: _stats().expon.logpdf(values, scale=scale),
        draw=lambda random, size, scale: random.exponential(scale, size),
        pymc=_pymc("Exponential"),
        support="POSITIVE",
        code="EXPONENTIAL",
    ),
    "gamma": Family(
        parameters=("alpha", "beta"),
        kinds=("positive",),
        log_density=lambda values, alpha, beta: _stats().gamma.logpdf(values, alpha, scale=1 / beta),
        draw=lambda random, size, alpha, beta: random.gamma(alpha, 1 / beta, size),
        pymc=_pymc("Gamma"),
        support="POSITIVE",
        code="GAMMA",
        typical=lambda alpha, beta: alpha / beta,
        scaled=lambda multiple, alpha, beta: {"alpha": alpha, "beta": beta / multiple},
    ),
    "inverse_gamma": Family(
        parameters=("alpha", "beta"),
        kinds=("positive",),
        log_density=lambda values, alpha, beta: _stats().invgamma.logpdf(values, alpha, scale=beta),
        draw=lambda random, size, alpha, beta: beta / random.gamma(alpha, 1.0, size),
        pymc=_pymc("InverseGamma"),
        support="POSITIVE",
        code="INVERSE_GAMMA",
        typical=lambda alpha, beta: beta / (alpha + 1),
        scaled=lambda multiple, alpha, beta: {"alpha": alpha, "beta": beta * multiple},
    ),
    "log_normal": Family(
        parameters=("mu", "sigma"),
        kinds=("positive",),
        log_density=lambda values, mu, sigma: _stats().lognorm.logpdf(values, sigma, scale=np.exp(mu)),
        draw=lambda random, size, mu, sigma: random.lognormal(mu, sigma, size),
        pymc=_pymc("LogNormal"),
        support="POSITIVE",
        code="LOG_NORMAL",
        typical=lambda mu, sigma: float(np.exp(mu)),
        scaled=lambda multiple, mu, sigma: {"mu": mu + float(np.log(multiple)), "sigma": sigma},
    ),
    "scaled_beta": Family(
        parameters=("alpha", "beta"),
        kinds=("correlation", "persistence"),
        log_density=lambda values, alpha, beta: _stats().beta.logpdf(values, alpha, beta, -1, 2),
        draw=lambda random, size, alpha, beta: 2 * random.beta(alpha, beta, size) - 1,
        pymc=_pymc_beta,
        support="INTERVAL",
        code="SCALED_BETA",
    ),
    "lkj": Family(
        parameters=("eta",),
        kinds=("correlation",),
        log_density=lambda values, eta: _stats().beta.logpdf(values, eta, eta, -1, 2),
        draw=lambda random, size, eta: 2 * random.beta(eta, eta, size) - 1,
        pymc=lambda name, dims, eta: _pymc_beta(name, dims, eta, eta),
        support="INTERVAL",
        code="LKJ",
    ),
}


def families_of(kind: str) -> tuple[str, ...]:
    """Names of the families that a kind of parameter may have."""
    return tuple(name for name, family in FAMILIES.items() if kind in family.kinds)


class PriorSpec(Record):
    """One prior: a family, its parameters and the reason for it.

    Attributes
    ----------
    family : str
        One of `FAMILIES`; `scale` of the exponential is its mean, `beta` of gamma and inverse gamma a rate and a scale,
        `scaled_beta` is (1 + r) / 2 ~ Beta, `lkj` the density of a 2 x 2 correlation, (1 - r^2)^(eta - 1).
    reason : str
        Why this prior, in a sentence.
    """

    family: str
    mu: float | None = None
    sigma: Annotated[float, Field(gt=0)] | None = None
    nu: Annotated[float, Field(gt=0)] | None = None
    scale: Annotated[float, Field(gt=0)] | None = None
    alpha: Annotated[float, Field(gt=0)] | None = None
    beta: Annotated[float, Field(gt=0)] | None = None
    eta: Annotated[float, Field(gt=0)] | None = None
    lower: float | None = None
    upper: float | None = None
    reason: Annotated[str, Field(min_length=1)]

    @field_validator("family")
    @classmethod
    def _family_is_known(cls, family: str) -> str:
        if family not in FAMILIES:
            known = ", ".join(f"'{name}'" for name in FAMILIES)
            raise SpecError(f"key 'family' has the unknown value '{family}'", fix=f"It must be one of {known}")
        return family

    @model_validator(mode="after")
    def _parameters_of_the_family(self) -> "PriorSpec":
        names = set(type(self).model_fields) - {"family", "reason"}
        given = {name for name in names if getattr(self, name) is not None}
        needed = set(self.definition.parameters)
        if given != needed:
            raise SpecError(
                f"family '{self.family}' has the parameters {', '.join(sorted(needed)) or 'none'}",
                fix=f"Given: {', '.join(sorted(given)) or 'none'}",
            )
        if self.lower is not None and self.upper is not None and not self.lower < self.upper:
            raise SpecError(f"lower = {self.lower:g} is not below upper = {self.upper:g}", fix="Exchange them")
        return self

    @property
    def definition(self) -> Family:
        """The record of its family."""
        return FAMILIES[self.family]

    @property
    def parameters(self) -> dict[str, float]:
        """Hyper-parameters by name."""
        return {name: getattr(self, name) for name in self.definition.parameters}

    @property
    def collapses(self) -> bool:
        """Whether a coefficient with this prior integrates out of the likelihood exactly."""
        return self.definition.collapses

    @property
    def proper(self) -> bool:
        """Whether the density has an integral."""
        return self.definition.proper

    @property
    def typical(self) -> float:
        """A value of the prior's order."""
        return float(self.definition.typical(**self.parameters))

    def log_density(self, values: np.ndarray) -> np.ndarray:
        """Log density at values on the constrained scale, elementwise; 0 for a flat prior."""
        return self.definition.log_density(np.asarray(values, dtype=float), **self.parameters)

    def draw(self, random: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
        """Independent draws; `SpecError` for a flat prior."""
        return self.definition.draw(random, size, **self.parameters)

    def scaled(self, multiple: float) -> "PriorSpec":
        """The prior of `multiple` times the parameter."""
        return PriorSpec(family=self.family, reason=self.reason, **self.definition.scaled(multiple, **self.parameters))

    def mixture(self) -> Mixture:
        """The prior as normals of one mean; `SpecError` where it is none.

        The variance of the normals, in units of the prior's squared scale, is inverse gamma for a Student-t prior and
        exponential for a Laplace one.
        """
        if self.definition.mixture is None:
            known = [name for name, family in FAMILIES.items() if family.mixture]
            raise SpecError(f"a {self.family} prior is no mixture of normals", fix=f"Use {', '.join(known)}")
        return self.definition.mixture(**self.parameters)

    def __str__(self) -> str:
        return f"{self.family.replace('_', '-')}({', '.join(f'{k} = {v:g}' for k, v in self.parameters.items())})"
