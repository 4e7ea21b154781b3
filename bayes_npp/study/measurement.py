"""The [measurement] table of a study: how else an index outcome, and the exposure, could be measured."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from bayes_npp.bayesian.model.error_models import parts, why_not_integrated
from bayes_npp.errors import SpecError, nearest
from bayes_npp.records import Record
from bayes_npp.study.model_spec import ModelSpec
from bayes_npp.study.models import HierarchicalModel

AVERAGED = "an average over measurement choices (cut, no feedback), not a posterior of one model"
SOURCES = {
    "bootstrap": "entropy weights of units drawn with replacement",
    "dirichlet": "weights drawn from a Dirichlet distribution around the entropy weights",
}


class Measurement(Record):
    """The [measurement] table of a study: how else its index outcome, and its exposure, could be measured.

    Attributes
    ----------
    index : str
        The study's outcome, declared as an index.
    models : tuple of str
        Hierarchical models fitted to every variant.
    weights : tuple of {"entropy", "pca", "equal", "critic"}
    logs : tuple of {"none", "ln", "ln1p"}
        Indicators as they are; ln(x + `log_shift`), where a value of zero or below is an error; ln(1 + x), which keeps
        zeros and depends on the units of an indicator.
    log_shift : float
    leave_one_out : bool
        Every variant again without each indicator in turn.
    exposures : tuple of str
        In place of the study's exposure, the outcome being the study's.
    draws : int
        Indices drawn around the weights by each of `SOURCES`; 0 for none. They are of the index as declared.
    dirichlet : float
        Concentration of the Dirichlet distribution: the larger, the nearer to the entropy weights.
    """

    index: str
    models: Annotated[tuple[str, ...], Field(min_length=1)]
    weights: Annotated[tuple[Literal["entropy", "pca", "equal", "critic"], ...], Field(min_length=1)] = (
        "entropy",
        "pca",
        "equal",
        "critic",
    )
    logs: Annotated[tuple[Literal["none", "ln", "ln1p"], ...], Field(min_length=1)] = ("none", "ln")
    log_shift: Annotated[float, Field(ge=0)] = 0.0
    leave_one_out: bool = True
    exposures: tuple[str, ...] = ()
    draws: Annotated[int, Field(ge=0, le=1000)] = 40
    dirichlet: Annotated[float, Field(gt=0)] = 200.0

    @model_validator(mode="after")
    def _named_once(self) -> "Measurement":
        for key in ("models", "weights", "logs", "exposures"):
            names = getattr(self, key)
            twice = [name for i, name in enumerate(names) if name in names[:i]]
            if twice:
                raise SpecError(f"{key} names '{twice[0]}' twice", fix="Name each once")
        if self.log_shift and "ln" not in self.logs:
            raise SpecError("log_shift belongs to logs = ['ln']", fix="Add 'ln' to logs, or leave log_shift out")
        return self


def measured_model(name: str, models: Sequence[ModelSpec]) -> HierarchicalModel:
    """The declared model of that name, if variants of the outcome can be put into it.

    Raises
    ------
    SpecError
    """
    known: Mapping[str, ModelSpec] = {model.name: model for model in models}
    if name not in known:
        raise SpecError(f"unknown model '{name}' in models", fix=nearest(name, known))
    model = known[name]
    if not isinstance(model, HierarchicalModel):
        raise SpecError(f"'{name}' is of kind '{model.kind}'", fix="Name hierarchical models")
    by_unit = model.slopes is not None and (model.slopes == "unit" or model.slopes.endswith("/unit"))
    known_se = any(part.known_se for part in parts(model.errors))
    plain = model.correlated_means and not (model.dynamic or by_unit or known_se) and model.transform == "levels"
    if not plain or why_not_integrated(model.errors, by_unit, bool(model.group_time_effects)):
        raise SpecError(
            f"'{name}' cannot be put beside two-way fixed effects over many variants",
            fix="Name a static model in levels with correlated means, slopes common or by group, normal errors of "
            "unknown scale, and no scales of periods beside period effects of groups",
        )
    return model
