"""What a study says of itself and of the paper: header, roles of columns, the paper's tables."""

from typing import Annotated

from pydantic import Field, model_validator

from bayes_npp.errors import SpecError
from bayes_npp.panels.calendar import PeriodKind
from bayes_npp.records import Record

Name = Annotated[str, Field(pattern=r"^[\w-]+$")]  # it also names files


class Roles(Record):
    """The [roles] table: which column plays which part."""

    outcome: str
    exposure: str
    controls: tuple[str, ...] = ()
    mediators: tuple[str, ...] = ()


class StudyHeader(Record):
    """The [study] table.

    `period` and `step` say what the keys of time are, `missing` which cells are blank (see `read_panel`); `window` is
    in the file's keys. `positions` is a file with the places of units on a grid of tiles (`positions.read_positions`).

    With `replicates` the data are the paper's own and its numbers are differenced with ours; the tolerances say what
    the data allow beyond printing (see `replication.replicate`).
    """

    title: str
    panel: str
    encoding: str = "utf-8"
    unit: str
    time: str
    group: str | None = None
    period: PeriodKind | None = None
    step: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    window: tuple[int | str, int | str] | None = None
    missing: tuple[str | int | float, ...] = ()
    published: str | None = None
    positions: str | None = None
    replicates: bool = False
    tolerance_estimate: Annotated[float, Field(ge=0)] = 0.0
    tolerance_se: Annotated[float, Field(ge=0)] = 0.0
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    data_are: str = ""
    data_are_not: str = ""
    doubts: tuple[str, ...] = ()
    title_zh: str = ""
    data_are_zh: str = ""
    data_are_not_zh: str = ""
    doubts_zh: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _replication_fits(self) -> "StudyHeader":
        if self.replicates and self.published is None:
            raise SpecError("replicates without published numbers", fix="Give published = 'published.csv'")
        if not self.replicates and (self.tolerance_estimate or self.tolerance_se):
            raise SpecError("tolerances belong to replicates = true", fix="Remove them, or say replicates")
        if self.doubts_zh and len(self.doubts_zh) != len(self.doubts):
            raise SpecError(
                f"doubts_zh has {len(self.doubts_zh)} texts, doubts has {len(self.doubts)}",
                fix="Write each doubt in both, in the same order",
            )
        return self


class PaperTable(Record):
    """A [[table]] of a study: a table of the re-analysed paper, its columns the names of models."""

    number: Name
    title: str
    columns: Annotated[tuple[str, ...], Field(min_length=1)]
    note: str = ""
    title_zh: str = ""
    note_zh: str = ""
