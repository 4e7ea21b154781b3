"""What two roles of a study share by construction: source columns, and declared concepts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from bayes_npp.errors import SpecError, nearest
from bayes_npp.panels.changes import Deflate
from bayes_npp.panels.panel import Panel
from bayes_npp.panels.transforms import TRANSFORMS, Index, Transform
from bayes_npp.records import Record
from bayes_npp.study.header import Roles
from bayes_npp.study.model_spec import ModelSpec


class Concept(Record):
    """An [[overlap]] table: columns, of the source or derived, that measure one thing though they are not the same."""

    concept: str
    columns: Annotated[tuple[str, ...], Field(min_length=2)]


@dataclass(frozen=True)
class Overlap:
    """Something that variables of different roles share.

    Attributes
    ----------
    kind : "column" or "concept"
    what : str
        The source column, or the concept.
    parts : tuple of (str, str, tuple of str)
        Role, variable, and the source columns it has of this.
    """

    kind: str
    what: str
    parts: tuple[tuple[str, str, tuple[str, ...]], ...]

    @property
    def roles(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(role for role, _, _ in self.parts))


def inputs(variable: Transform) -> tuple[str, ...]:
    """The columns that a derived variable is made from."""
    if isinstance(variable, Index):
        return variable.indicators
    key = next(key for key, kind in TRANSFORMS.items() if type(variable) is kind)
    value = getattr(variable, key)
    own = (value,) if isinstance(value, str) else tuple(value)
    own = (*own, variable.by) if isinstance(variable, Deflate) else own
    return (*own, *getattr(variable, "shifts", ()))


def source_columns(name: str, variables: Mapping[str, Transform]) -> tuple[str, ...]:
    """The columns of the source behind a column, followed through every derived variable, each once."""
    if name not in variables:
        return (name,)
    return tuple(dict.fromkeys(s for part in inputs(variables[name]) for s in source_columns(part, variables)))


def parts_of_study(roles: Roles, models: Sequence[ModelSpec], exposures: Sequence[str] = ()) -> list[tuple[str, str]]:
    """(role, variable) of the study's outcome, exposures, controls and mediators, and of its models' groupings.

    What single models put in their place is left out: there one variable plays several parts in turn.
    """
    out = [("outcome", roles.outcome), ("exposure", roles.exposure), *(("exposure", name) for name in exposures)]
    out += [("control", name) for name in roles.controls] + [("mediator", name) for name in roles.mediators]
    for model in models:
        for key in ("slopes", "subsamples", "group_time_effects"):
            grouping = (getattr(model, key, None) or "").removesuffix("/unit")
            out += [("grouping", grouping)] if grouping and grouping != "unit" else []
    return list(dict.fromkeys(out))


def overlaps(
    parts: Sequence[tuple[str, str]], variables: Sequence[Transform], concepts: Sequence[Concept] = ()
) -> tuple[Overlap, ...]:
    """Source columns, then declared concepts, that stand behind variables of more than one role.

    A column on both sides of a regression makes part of an association hold by construction; the check sees names and
    declarations, not meaning, so that it finds no overlap that nobody declares.

    Parameters
    ----------
    parts : sequence of (role, variable)
        Such as `parts_of_study`.
    variables : sequence of Transform
    concepts : sequence of Concept
    """
    derived = {variable.name: variable for variable in variables}
    behind = {name: source_columns(name, derived) for _, name in parts}
    found = [
        Overlap("column", column, tuple((role, name, (column,)) for role, name in parts if column in behind[name]))
        for column in dict.fromkeys(column for _, name in parts for column in behind[name])
    ]
    for concept in concepts:
        columns = {column for name in concept.columns for column in source_columns(name, derived)}
        shared = [(role, name, tuple(c for c in behind[name] if c in columns)) for role, name in parts]
        found.append(Overlap("concept", concept.concept, tuple(part for part in shared if part[2])))
    return tuple(overlap for overlap in found if len(overlap.roles) > 1)


def check_concepts(concepts: Sequence[Concept], panel: Panel) -> None:
    """Raise `SpecError` for a column that is not in the panel."""
    for concept in concepts:
        for name in concept.columns:
            if name not in panel.frame:
                raise SpecError(
                    f"unknown column '{name}' in columns of '{concept.concept}'",
                    fix=nearest(name, panel.frame.columns),
                )
