"""What a page is made of: parts with a heading, each a list of blocks that HTML and Markdown render from one record."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import pandas as pd

from bayes_npp.reporting.base.cells import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing


@dataclass(frozen=True)
class Heading:
    """A heading among the blocks of a part: of its own level (3), or of a part's (2)."""

    text: str
    level: int = 3
    kind: ClassVar[str] = "heading"


@dataclass(frozen=True)
class Paragraph:
    """Sentences; what stands between `backticks` is code. A `note` is set smaller."""

    text: str
    note: bool = False
    kind: ClassVar[str] = "paragraph"


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    items: tuple[str, ...]
    kind: ClassVar[str] = "bullets"


@dataclass(frozen=True)
class Sides:
    """Texts side by side, each under its name."""

    items: tuple[tuple[str, str], ...]
    kind: ClassVar[str] = "sides"


@dataclass(frozen=True)
class Finding:
    """One sentence or two, and whether they report a result or warn of one."""

    status: str  # result | warning | failure
    text: str
    about: str = ""


@dataclass(frozen=True)
class Findings:
    """Findings about one thing."""

    about: str
    items: tuple[Finding, ...]
    kind: ClassVar[str] = "findings"


@dataclass(frozen=True)
class Figure:
    """A figure, drawn when the page is written.

    Attributes
    ----------
    name : str
        Of its files.
    title : str
        What it shows, in a few words: for who cannot see it.
    caption : str
    data : DataFrame
        What it is drawn from, written beside it.
    draw : callable
        Returns the drawing.
    """

    name: str
    title: str
    caption: str
    data: pd.DataFrame
    draw: "Callable[[], Drawing]"
    kind: ClassVar[str] = "figure"


@dataclass(frozen=True)
class Details:
    """Blocks that are folded away in HTML until a reader asks for them."""

    summary: str
    blocks: tuple["Block", ...]
    kind: ClassVar[str] = "details"


type Block = Heading | Paragraph | Bullets | Sides | Findings | Figure | Table | Details


@dataclass(frozen=True)
class Part:
    """Blocks under a heading; an empty heading for blocks that need none or bring their own."""

    heading: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Page:
    """A title, a line below it, and parts."""

    title: str
    subtitle: str
    parts: tuple[Part, ...]

    @property
    def blocks(self) -> Iterator[Block]:
        """Every block, those folded away included."""
        for part in self.parts:
            yield from _unfolded(part.blocks)

    @property
    def tables(self) -> dict[str, Table]:
        """By name: one may stand in two places."""
        return {block.name: block for block in self.blocks if isinstance(block, Table)}

    @property
    def figures(self) -> dict[str, Figure]:
        """By name."""
        return {block.name: block for block in self.blocks if isinstance(block, Figure)}


def _unfolded(blocks: tuple[Block, ...]) -> Iterator[Block]:
    for block in blocks:
        yield block
        if isinstance(block, Details):
            yield from _unfolded(block.blocks)
