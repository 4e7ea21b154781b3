"""Named prior sets: which prior each parameter may have, the role of each, and sets read from files."""

from collections.abc import Mapping
from pathlib import Path

from bayes_npp.bayesian.priors.families import PriorSpec, families_of
from bayes_npp.design.scales import Scales
from bayes_npp.design.spec import Spec, error_registry
from bayes_npp.errors import SpecError, nearest
from bayes_npp.records import Record, is_file, read_toml
from bayes_npp.store import shipped

# What kind of prior each parameter has; those of the errors are in the registry of error models. The intercept and the
# between coefficients are integrated against the unit and period effects in closed form, which takes a normal prior: a
# conjugate one.
SLOTS = {
    "exposure": "real",
    "controls": "real",
    "intercept": "conjugate",
    "between": "conjugate",
    "slope_sd": "positive",
    "unit_slope_sd": "positive",
    "unit_sd": "positive",
    "time_sd": "positive",
    "group_time_sd": "positive",
    "unit_trend_sd": "positive",
    "exposure_loading_sd": "positive",
    "slope_correlation": "correlation",
    "persistence": "persistence",
    "first_stage_sd": "positive",
    "endogeneity": "real",
}

# Parameters of every hierarchical model; a set may leave the others out where no model needs them.
ALWAYS = ("exposure", "controls", "intercept", "between", "slope_sd", "unit_sd", "time_sd", "error_sd")

# Of the outcome's level and of effects: on its total scale. Every other prior is on the within scale (`design.scales`).
ON_TOTAL_SCALE = ("intercept", "between", "unit_sd", "time_sd", "group_time_sd")

# What a scale implies for the effects under it (never power-scaled); of the errors see `role`.
GROUP_PRIORS = (
    "slope_offset",
    "control_offset",
    "unit_effect",
    "time_effect",
    "group_time_effect",
    "unit_slope",
    "unit_control_slope",
    "unit_trend",
    "exposure_loading",
)


class PriorSet(Record):
    """A named set with a prior for each of `ALWAYS`, and for the other `slots` a model needs."""

    name: str
    description: str = ""
    prior: dict[str, PriorSpec]

    def __getitem__(self, slot: str) -> PriorSpec:
        if slot not in self.prior:
            raise SpecError(f"prior set '{self.name}' has no prior for '{slot}'", fix=f"Add [prior.{slot}]")
        return self.prior[slot]

    def of(self, variable: str) -> PriorSpec:
        """The prior of a parameter of the posterior."""
        return self.prior[variable] if variable in self.prior else self[prior_of()[variable]]

    def on_within_scale(self, scales: Scales) -> "PriorSet":
        """The set as models take it: every prior in units of the outcome's within SD.

        Coefficients of loadings on parts of columns are no level: their prior, as declared, is `loading_between`.
        """
        level = {slot: self.prior[slot].scaled(scales.level) for slot in ON_TOTAL_SCALE if slot in self.prior}
        return self.model_copy(update={"prior": {**self.prior, **level, "loading_between": self.prior["between"]}})

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


def slots() -> dict[str, str]:
    """Every parameter that takes a prior, and the kind of prior it takes."""
    return {**SLOTS, **error_registry().top_priors()}


def prior_of() -> dict[str, str]:
    """The top prior of each parameter of the posterior."""
    of_errors = {name: name for name in error_registry().top_priors()}
    return {
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
        "unit_trend_sd": "unit_trend_sd",
        "exposure_loading_sd": "exposure_loading_sd",
        **of_errors,
        "persistence": "persistence",
        "first_stage_sd": "first_stage_sd",
        "endogeneity": "endogeneity",
        "unit_between": "between",
        "time_between": "between",
        "loading_between": "between",
    }


def role(variable: str) -> str:
    """The role of a parameter's prior: "top", what a user states, "group", what a scale implies, or "derived"."""
    if variable in prior_of():
        return "top"
    return "group" if variable in GROUP_PRIORS or variable in error_registry().effects() else "derived"


def check_support(slot: str, prior: PriorSpec) -> None:
    """Raise `SpecError` for an unknown parameter, or a prior that may not be its own."""
    known = slots()
    if slot not in known:
        raise SpecError(f"unknown prior '{slot}'", fix=nearest(slot, known))
    families = families_of(known[slot])
    if prior.family not in families:
        raise SpecError(f"'{slot}' cannot have a {prior.family} prior", fix=f"Use {', '.join(families)}")
    p = prior.parameters if known[slot] in ("correlation", "persistence") else {}
    if p.get("lower", -1.0) < -1 or p.get("upper", 1.0) > 1:
        raise SpecError(f"the prior of '{slot}' leaves (-1, 1)", fix="Choose -1 <= lower < upper <= 1")


def check_priors(priors: PriorSet, spec: Spec) -> None:
    """Raise `SpecError` if a parameter that the specification adds has no prior."""
    needed = {
        "unit_slope_sd": spec.unit_slopes,
        "group_time_sd": spec.group_time_effects is not None,
        "unit_trend_sd": spec.unit_trends == "partial",
        "exposure_loading_sd": spec.exposure_factor == "partial",
        "slope_correlation": spec.slope_correlation,
        "persistence": spec.dynamic,
    }
    of_errors = [slot for part in error_registry().parts(spec.errors) for slot in part.priors]
    for slot in (*(slot for slot, is_needed in needed.items() if is_needed), *of_errors):
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
    if not isinstance(name, str):
        raise SpecError("priors by parameter belong to bn.fit, bn.predict and bn.prior_preview", fix="Name a set")
    if name.endswith(".toml"):
        path = (folder or Path()) / name
        if not is_file(path):
            raise SpecError("the prior file does not exist", place=str(path), fix="Check the path")
    else:
        path = priors_folder() / f"{name}.toml"
        if not is_file(path):
            known = sorted(file.stem for file in priors_folder().glob("*.toml"))
            raise SpecError(f"unknown prior set '{name}'", fix=nearest(name, known))
    content = read_toml(path, str(path))
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
    return shipped("prior_sets", "models/priors")
