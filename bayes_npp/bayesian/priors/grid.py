"""Grids of priors: every combination of declared choices, put into a prior set."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from bayes_npp.bayesian.priors.families import PriorSpec
from bayes_npp.bayesian.priors.sets import PriorSet, check_support, prior_set, priors_folder
from bayes_npp.errors import SpecError, nearest
from bayes_npp.records import Record, is_file, read_toml


class Axis(Record):
    """Parameters that take the same prior together, the choices of it, and why these."""

    priors: Annotated[tuple[str, ...], Field(min_length=1)]
    choices: Annotated[tuple[dict[str, Any], ...], Field(min_length=1)]
    reason: Annotated[str, Field(min_length=1)]

    @property
    def label(self) -> str:
        return " and ".join(self.priors)


class Grid(Record):
    """A grid of priors by its axes."""

    name: str
    axis: Annotated[tuple[Axis, ...], Field(min_length=1)]

    @property
    def size(self) -> int:
        """Number of cells."""
        out = 1
        for axis in self.axis:
            out *= len(axis.choices)
        return out


def load_grid(name: str | Grid, folder: Path | None = None) -> Grid:
    """Load a named grid of `models/priors/grids`, or one from a .toml file (relative to `folder`).

    Raises
    ------
    SpecError
        Unknown grid or key, an axis without choices, a family without support for the parameter.
    """
    if isinstance(name, Grid):
        return name
    path = (folder or Path()) / name if name.endswith(".toml") else priors_folder() / "grids" / f"{name}.toml"
    if not is_file(path):
        known = sorted(file.stem for file in (priors_folder() / "grids").glob("*.toml"))
        raise SpecError(f"unknown grid of priors '{name}'", fix=nearest(name, known))
    content = read_toml(path, str(path))
    tables = content.get("axis")
    if not isinstance(tables, list) or not tables:
        raise SpecError("the grid is empty", place=str(path), fix="Write an [[axis]] with priors, choices and a reason")
    axes = tuple(Axis.parse(table, f"{path}, [[axis]] {number}") for number, table in enumerate(tables, start=1))
    grid = Grid.parse({**content, "name": content.get("name", path.stem), "axis": axes}, str(path))
    seen: set[str] = set()
    for number, axis in enumerate(grid.axis, start=1):
        for slot in axis.priors:
            where = f"{path}, [[axis]] {number}"
            if slot in seen:
                raise SpecError(f"'{slot}' stands on two axes", place=where, fix="Name it once")
            seen.add(slot)
            for choice in axis.choices:
                prior = PriorSpec.parse({**choice, "reason": axis.reason}, where)
                try:
                    check_support(slot, prior)
                except SpecError as error:
                    raise error.at(where) from None
    return grid


def cells(grid: Grid, priors: PriorSet, slots: Sequence[str]) -> list[tuple[dict[str, PriorSpec], PriorSet]]:
    """Every cell's own priors by axis, and the set they make; axes whose parameters a model lacks are left out.

    Parameters
    ----------
    priors : PriorSet
        Of the parameters the grid does not name.
    slots : sequence of str
        Priors that reach the model's likelihood.
    """
    axes = [axis for axis in grid.axis if set(axis.priors) & set(slots)]
    if not axes:
        raise SpecError(
            f"no axis of grid '{grid.name}' is a prior of this model", fix=f"Its priors: {', '.join(slots)}"
        )
    out = []
    for number, chosen in enumerate(itertools.product(*(axis.choices for axis in axes)), start=1):
        own = [PriorSpec(**{**choice, "reason": axis.reason}) for axis, choice in zip(axes, chosen, strict=True)]
        changed = {slot: prior for axis, prior in zip(axes, own, strict=True) for slot in axis.priors}
        labels = {axis.label: prior for axis, prior in zip(axes, own, strict=True)}
        out.append((labels, prior_set(f"{grid.name}, cell {number}", {**priors.prior, **changed})))
    return out
