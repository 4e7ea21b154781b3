"""Named prior sets: a closed list of families on the standardised scale, each prior with its written reason."""

import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from bayes_npp.design.spec import Spec
from bayes_npp.errors import SpecError, nearest
from bayes_npp.records import Record

FAMILIES: dict[str, tuple[str, ...]] = {
    "normal": ("mu", "sigma"),
    "student_t": ("nu", "mu", "sigma"),
    "laplace": ("mu", "scale"),
    "truncated_normal": ("mu", "sigma", "lower", "upper"),
    "uniform": ("lower", "upper"),
    "flat": (),
    "half_normal": ("sigma",),
    "half_student_t": ("nu", "sigma"),
    "half_cauchy": ("scale",),
    "exponential": ("scale",),
    "gamma": ("alpha", "beta"),
    "inverse_gamma": ("alpha", "beta"),
    "log_normal": ("mu", "sigma"),
    "scaled_beta": ("alpha", "beta"),
    "lkj": ("eta",),
}
PARAMETERS = tuple(dict.fromkeys(name for names in FAMILIES.values() for name in names))
REAL = ("normal", "student_t", "laplace", "truncated_normal", "uniform", "flat")
POSITIVE = ("half_normal", "half_student_t", "half_cauchy", "exponential", "gamma", "inverse_gamma", "log_normal")
CORRELATION = ("uniform", "scaled_beta", "truncated_normal", "lkj")
PERSISTENCE = ("uniform", "truncated_normal", "scaled_beta")
# Families each parameter may have. The intercept and the between coefficients are integrated against the unit and
# period effects in closed form, which takes a normal prior.
SLOTS: dict[str, tuple[str, ...]] = {
    "exposure": REAL,
    "controls": REAL,
    "intercept": ("normal",),
    "between": ("normal",),
    "slope_sd": POSITIVE,
    "unit_slope_sd": POSITIVE,
    "unit_sd": POSITIVE,
    "time_sd": POSITIVE,
    "group_time_sd": POSITIVE,
    "error_sd": POSITIVE,
    "unit_scale_sd": POSITIVE,
    "autocorrelation": CORRELATION,
    "slope_correlation": CORRELATION,
    "persistence": PERSISTENCE,
    "degrees": POSITIVE,
}

# Parameters of every hierarchical model; a set may leave the others out where no model needs them.
ALWAYS = ("exposure", "controls", "intercept", "between", "slope_sd", "unit_sd", "time_sd", "error_sd")

# What a user states is "top"; what a scale implies for the effects under it is "group" (never power-scaled).
GROUP_PRIORS = (
    "slope_offset",
    "control_offset",
    "unit_effect",
    "time_effect",
    "group_time_effect",
    "unit_slope",
    "unit_control_slope",
    "unit_scale",
)
# The top prior of each parameter of the posterior.
PRIOR_OF = {
    "intercept": "intercept",
    "exposure_slope": "exposure",
    "control_slope": "controls",
    "slope_sd": "slope_sd",
    "control_slope_sd": "slope_sd",
    "unit_slope_sd": "unit_slope_sd",
    "unit_control_slope_sd": "unit_slope_sd",
    "slope_correlation": "slope_correlation",
    "unit_sd": "unit_sd",
    "time_sd": "time_sd",
    "group_time_sd": "group_time_sd",
    "error_sd": "error_sd",
    "unit_scale_sd": "unit_scale_sd",
    "autocorrelation": "autocorrelation",
    "persistence": "persistence",
    "degrees": "degrees",
    "unit_between": "between",
    "time_between": "between",
}


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

    family: Literal[*FAMILIES]  # type: ignore[valid-type]
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

    @model_validator(mode="after")
    def _parameters_of_the_family(self) -> "PriorSpec":
        given = {name for name in PARAMETERS if getattr(self, name) is not None}
        needed = set(FAMILIES[self.family])
        if given != needed:
            raise SpecError(
                f"family '{self.family}' has the parameters {', '.join(sorted(needed)) or 'none'}",
                fix=f"Given: {', '.join(sorted(given)) or 'none'}",
            )
        if self.lower is not None and self.upper is not None and not self.lower < self.upper:
            raise SpecError(f"lower = {self.lower:g} is not below upper = {self.upper:g}", fix="Exchange them")
        return self

    @property
    def parameters(self) -> dict[str, float]:
        """Hyper-parameters by name."""
        return {name: getattr(self, name) for name in FAMILIES[self.family]}

    def log_density(self, values: np.ndarray) -> np.ndarray:
        """Log density at values on the constrained scale, elementwise; 0 for a flat prior."""
        from scipy import stats

        values = np.asarray(values, dtype=float)
        p = self.parameters
        match self.family:
            case "normal":
                return stats.norm.logpdf(values, p["mu"], p["sigma"])
            case "student_t":
                return stats.t.logpdf(values, p["nu"], p["mu"], p["sigma"])
            case "laplace":
                return stats.laplace.logpdf(values, p["mu"], p["scale"])
            case "truncated_normal":
                a, b = (p["lower"] - p["mu"]) / p["sigma"], (p["upper"] - p["mu"]) / p["sigma"]
                return stats.truncnorm.logpdf(values, a, b, p["mu"], p["sigma"])
            case "uniform":
                return stats.uniform.logpdf(values, p["lower"], p["upper"] - p["lower"])
            case "half_normal":
                return stats.halfnorm.logpdf(values, scale=p["sigma"])
            case "half_student_t":
                inside = np.log(2) + stats.t.logpdf(values, p["nu"], 0, p["sigma"])
                return np.where(values >= 0, inside, -np.inf)
            case "half_cauchy":
                return stats.halfcauchy.logpdf(values, scale=p["scale"])
            case "exponential":
                return stats.expon.logpdf(values, scale=p["scale"])
            case "gamma":
                return stats.gamma.logpdf(values, p["alpha"], scale=1 / p["beta"])
            case "inverse_gamma":
                return stats.invgamma.logpdf(values, p["alpha"], scale=p["beta"])
            case "log_normal":
                return stats.lognorm.logpdf(values, p["sigma"], scale=np.exp(p["mu"]))
            case "scaled_beta":
                return stats.beta.logpdf(values, p["alpha"], p["beta"], -1, 2)
            case "lkj":
                return stats.beta.logpdf(values, p["eta"], p["eta"], -1, 2)
            case _:
                return np.zeros_like(values)

    def draw(self, random: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
        """Independent draws; `SpecError` for a flat prior."""
        from scipy import stats

        p = self.parameters
        match self.family:
            case "flat":
                raise SpecError("a flat prior has no draws", fix="Give the parameter a proper prior")
            case "normal" | "half_normal":
                values = p.get("mu", 0.0) + p["sigma"] * random.standard_normal(size)
            case "student_t" | "half_student_t":
                values = p.get("mu", 0.0) + p["sigma"] * random.standard_t(p["nu"], size)
            case "half_cauchy":
                values = p["scale"] * random.standard_cauchy(size)
            case "laplace":
                values = random.laplace(p["mu"], p["scale"], size)
            case "truncated_normal":
                a, b = (p["lower"] - p["mu"]) / p["sigma"], (p["upper"] - p["mu"]) / p["sigma"]
                values = stats.truncnorm.rvs(a, b, p["mu"], p["sigma"], size=size, random_state=random)
            case "uniform":
                values = random.uniform(p["lower"], p["upper"], size)
            case "exponential":
                values = random.exponential(p["scale"], size)
            case "gamma":
                values = random.gamma(p["alpha"], 1 / p["beta"], size)
            case "inverse_gamma":
                values = p["beta"] / random.gamma(p["alpha"], 1.0, size)
            case "log_normal":
                values = random.lognormal(p["mu"], p["sigma"], size)
            case _:
                alpha, beta = (p["eta"], p["eta"]) if self.family == "lkj" else (p["alpha"], p["beta"])
                values = 2 * random.beta(alpha, beta, size) - 1
        return np.abs(values) if self.family.startswith("half") else values

    def __str__(self) -> str:
        return f"{self.family.replace('_', '-')}({', '.join(f'{k} = {v:g}' for k, v in self.parameters.items())})"


class PriorSet(Record):
    """A named set with a prior for each of `ALWAYS`, and for the other `SLOTS` a model needs."""

    name: str
    description: str = ""
    prior: dict[str, PriorSpec]

    def __getitem__(self, slot: str) -> PriorSpec:
        if slot not in self.prior:
            raise SpecError(f"prior set '{self.name}' has no prior for '{slot}'", fix=f"Add [prior.{slot}]")
        return self.prior[slot]

    def replaced(self, **priors: PriorSpec) -> "PriorSet":
        """The set with some priors exchanged, and 'changed' in its name."""
        return prior_set(f"{self.name} (changed)", {**self.prior, **priors}, self.description)


def prior_set(name: str, priors: Mapping[str, PriorSpec], description: str = "") -> PriorSet:
    """Build a set and check that every parameter has a prior of an allowed family."""
    for slot, prior in priors.items():
        check_support(slot, prior)
    for slot in ALWAYS:
        if slot not in priors:
            raise SpecError(f"no prior for '{slot}'", fix=f"Add [prior.{slot}]")
    return PriorSet(name=name, description=description, prior=dict(priors))


def check_support(slot: str, prior: PriorSpec) -> None:
    """Raise `SpecError` for an unknown parameter, or a prior that may not be its own."""
    if slot not in SLOTS:
        raise SpecError(f"unknown prior '{slot}'", fix=nearest(slot, SLOTS))
    families = SLOTS[slot]
    if prior.family not in families:
        raise SpecError(f"'{slot}' cannot have a {prior.family} prior", fix=f"Use {', '.join(families)}")
    p = prior.parameters if families in (CORRELATION, PERSISTENCE) else {}
    if p.get("lower", -1.0) < -1 or p.get("upper", 1.0) > 1:
        raise SpecError(f"the prior of '{slot}' leaves (-1, 1)", fix="Choose -1 <= lower < upper <= 1")


def check_priors(priors: PriorSet, spec: Spec) -> None:
    """Raise `SpecError` if a parameter that the specification adds has no prior."""
    needed = {
        "unit_slope_sd": spec.unit_slopes,
        "group_time_sd": spec.group_time_effects is not None,
        "slope_correlation": spec.slope_correlation,
        "autocorrelation": "ar1" in spec.error_parts,
        "persistence": spec.dynamic,
        "unit_scale_sd": "unit_scale" in spec.error_parts,
        "degrees": "student_t" in spec.error_parts,
    }
    for slot in (slot for slot, is_needed in needed.items() if is_needed):
        priors[slot]


def load_priors(name: str | PriorSet, folder: Path | None = None) -> PriorSet:
    """Load a named prior set, or one from a .toml file (relative to `folder`).

    Raises
    ------
    SpecError
        Unknown set, unknown key or family, a parameter without a prior.
    """
    if isinstance(name, PriorSet):
        return name
    if name.endswith(".toml"):
        path = (folder or Path()) / name
        if not path.is_file():
            raise SpecError("the prior file does not exist", place=str(path), fix="Check the path")
    else:
        path = priors_folder() / f"{name}.toml"
        if not path.is_file():
            known = sorted(file.stem for file in priors_folder().glob("*.toml"))
            raise SpecError(f"unknown prior set '{name}'", fix=nearest(name, known))
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError(f"the file is not valid TOML ({error})", place=str(path)) from None
    tables = content.pop("prior", {})
    unknown = [key for key in content if key not in ("name", "description")]
    if unknown:
        raise SpecError(f"unknown key '{unknown[0]}'", place=str(path), fix=nearest(unknown[0], PriorSet.model_fields))
    if not isinstance(tables, dict):
        raise SpecError("[prior] must hold one table a parameter", place=str(path), fix="Write [prior.exposure]")
    priors = {slot: PriorSpec.parse(table, f"{path}, [prior.{slot}]") for slot, table in tables.items()}
    try:
        return prior_set(content.get("name", path.stem), priors, content.get("description", ""))
    except SpecError as error:
        raise error.at(str(path)) from None


def priors_folder() -> Path:
    """Folder of the named sets: package data of an installed wheel, `models/priors` of a checkout."""
    packaged = Path(str(resources.files("bayes_npp"))) / "prior_sets"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "models" / "priors"
