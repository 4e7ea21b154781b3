"""Named prior sets: a closed list of families on the standardised scale, each prior with its written reason."""

import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from bayes_npp.errors import SpecError, nearest
from bayes_npp.records import Record

FAMILIES: dict[str, tuple[str, ...]] = {
    "normal": ("mu", "sigma"),
    "student_t": ("nu", "mu", "sigma"),
    "flat": (),
    "half_normal": ("sigma",),
    "half_student_t": ("nu", "sigma"),
    "exponential": ("scale",),
}
REAL = ("normal", "student_t", "flat")
POSITIVE = ("half_normal", "half_student_t", "exponential")
# Families each parameter may have. The intercept and the between coefficients are integrated against the unit and
# period effects in closed form, which takes a normal prior.
SLOTS: dict[str, tuple[str, ...]] = {
    "exposure": REAL,
    "controls": REAL,
    "intercept": ("normal",),
    "between": ("normal",),
    "slope_sd": POSITIVE,
    "unit_sd": POSITIVE,
    "time_sd": POSITIVE,
    "error_sd": POSITIVE,
}

# What a user states is "top"; what a scale implies for the effects under it is "group" (never power-scaled).
GROUP_PRIORS = ("slope_offset", "unit_effect", "time_effect")
# The top prior of each parameter of the posterior.
PRIOR_OF = {
    "intercept": "intercept",
    "exposure_slope": "exposure",
    "control_slope": "controls",
    "slope_sd": "slope_sd",
    "unit_sd": "unit_sd",
    "time_sd": "time_sd",
    "error_sd": "error_sd",
    "unit_between": "between",
    "time_between": "between",
}


class PriorSpec(Record):
    """One prior: a family, its parameters and the reason for it.

    Attributes
    ----------
    family : str
        One of `FAMILIES`; `scale` of the exponential is its mean.
    reason : str
        Why this prior, in a sentence.
    """

    family: Literal["normal", "student_t", "flat", "half_normal", "half_student_t", "exponential"]
    mu: float | None = None
    sigma: Annotated[float, Field(gt=0)] | None = None
    nu: Annotated[float, Field(gt=0)] | None = None
    scale: Annotated[float, Field(gt=0)] | None = None
    reason: Annotated[str, Field(min_length=1)]

    @model_validator(mode="after")
    def _parameters_of_the_family(self) -> "PriorSpec":
        given = {name for name in ("mu", "sigma", "nu", "scale") if getattr(self, name) is not None}
        needed = set(FAMILIES[self.family])
        if given != needed:
            raise SpecError(
                f"family '{self.family}' has the parameters {', '.join(sorted(needed)) or 'none'}",
                fix=f"Given: {', '.join(sorted(given)) or 'none'}",
            )
        return self

    @property
    def parameters(self) -> dict[str, float]:
        """Hyper-parameters by name."""
        return {name: getattr(self, name) for name in FAMILIES[self.family]}

    def log_density(self, values: np.ndarray) -> np.ndarray:
        """Log density at values on the constrained scale, elementwise; 0 for a flat prior."""
        from scipy import stats

        values = np.asarray(values, dtype=float)
        match self.family:
            case "normal":
                return stats.norm.logpdf(values, self.mu, self.sigma)
            case "student_t":
                return stats.t.logpdf(values, self.nu, self.mu, self.sigma)
            case "half_normal":
                return stats.halfnorm.logpdf(values, scale=self.sigma)
            case "half_student_t":
                inside = np.log(2) + stats.t.logpdf(values, self.nu, 0, self.sigma)
                return np.where(values >= 0, inside, -np.inf)
            case "exponential":
                return stats.expon.logpdf(values, scale=self.scale)
            case _:
                return np.zeros_like(values)

    def __str__(self) -> str:
        return f"{self.family.replace('_', '-')}({', '.join(f'{k} = {v:g}' for k, v in self.parameters.items())})"


class PriorSet(Record):
    """A named set with one prior for each of `SLOTS`."""

    name: str
    description: str = ""
    prior: dict[str, PriorSpec]

    def __getitem__(self, slot: str) -> PriorSpec:
        return self.prior[slot]

    def replaced(self, **priors: PriorSpec) -> "PriorSet":
        """The set with some priors exchanged, and 'changed' in its name."""
        return prior_set(f"{self.name} (changed)", {**self.prior, **priors}, self.description)


def prior_set(name: str, priors: Mapping[str, PriorSpec], description: str = "") -> PriorSet:
    """Build a set and check that every parameter has a prior of an allowed family."""
    for slot in priors:
        if slot not in SLOTS:
            raise SpecError(f"unknown prior '{slot}'", fix=nearest(slot, SLOTS))
    for slot, families in SLOTS.items():
        if slot not in priors:
            raise SpecError(f"no prior for '{slot}'", fix=f"Add [prior.{slot}]")
        if priors[slot].family not in families:
            raise SpecError(f"'{slot}' cannot have a {priors[slot].family} prior", fix=f"Use {', '.join(families)}")
    return PriorSet(name=name, description=description, prior=dict(priors))


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
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "models" / "priors"
