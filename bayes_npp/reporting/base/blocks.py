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


@dataclass(frozen=True)
class Lead:
    """The first screen: the answer in a sentence, verdicts counted, and what a reader has to know before any number."""

    answer: str
    counts: tuple[tuple[str, int], ...]
    counted: str
    facts: tuple[tuple[str, tuple[str, ...]], ...]
    kind: ClassVar[str] = "lead"


@dataclass(frozen=True)
class Cell:
    """A cell of a `Cards` table.

    Attributes
    ----------
    text : str
        What one reads first.
    below : tuple of str
        Smaller lines under it.
    art : str
        A small drawing as svg markup, made by `base.small`; HTML only.
    more : tuple of (str, str)
        Names and values folded away under `summary`.
    mark : str
        A class of the style sheet: big, passed, failed, or the name of a verdict.
    """

    text: str = ""
    below: tuple[str, ...] = ()
    art: str = ""
    more: tuple[tuple[str, str], ...] = ()
    summary: str = ""
    mark: str = ""

    @property
    def line(self) -> str:
        """Its texts on one line."""
        return _joined(self.text, *self.below)


def _joined(*parts: str) -> str:
    """Parts of one cell; a sentence behind which more is said ends in no stop."""
    *others, last = [part for part in parts if part] or [""]
    return "; ".join([*(part.removesuffix(".") for part in others), last])


@dataclass(frozen=True)
class Cards:
    """A table with drawings in its cells; on a phone every row becomes a card.

    Attributes
    ----------
    name, caption : str
    columns : tuple of (str, str)
        Heading, and smaller what it holds.
    rows : tuple of (str, tuple of Cell)
        A class of the style sheet, and one cell a column; a row of one cell heads the rows below it, or with the class
        "why" says more of the one above.
    widths : tuple of int
        Per cent of the page.
    notes : tuple of str
    """

    name: str
    caption: str
    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    widths: tuple[int, ...]
    notes: tuple[str, ...] = ()
    kind: ClassVar[str] = "cards"


def card_table(cards: Cards) -> Table:
    """The same without drawings, as text cells; what says more of a row stands in its last cell."""
    width = len(cards.columns)
    rows: list[list[str]] = []
    for style, cells in cards.rows:
        texts = [own.line for own in cells]
        if style == "why" and rows:
            rows[-1][-1] = _joined(rows[-1][-1], *texts)
        else:
            rows.append([*texts, *[""] * (width - len(texts))])
    frame = pd.DataFrame(rows, columns=[name for name, _ in cards.columns])
    return Table(cards.name, cards.caption, frame, cards.notes)


@dataclass(frozen=True)
class Art:
    """A drawing that only HTML shows, as svg markup made by `base.small`, under a heading and with a caption."""

    heading: str
    caption: str
    art: str
    kind: ClassVar[str] = "art"


@dataclass(frozen=True)
class Beside:
    """Blocks in two columns where the page is wide enough."""

    left: tuple["Block", ...]
    right: tuple["Block", ...]
    kind: ClassVar[str] = "beside"


@dataclass(frozen=True)
class Widget:
    """A part of the page that its reader uses, as markup of its own; the table shows what was computed, everywhere.

    `said` gives the markup with every text of it as a function says it: in another language.
    """

    name: str
    markup: str
    table: Table
    said: "Callable[[Callable[[str], str]], str] | None" = None
    kind: ClassVar[str] = "widget"


type Block = (
    Heading | Paragraph | Bullets | Sides | Findings | Figure | Table | Details | Lead | Cards | Art | Beside | Widget
)


@dataclass(frozen=True)
class Part:
    """Blocks under a heading; an empty heading for blocks that need none or bring their own.

    `anchor` is where links lead, `short` what the list of contents calls it (not listed if empty), `lead` a sentence
    below the heading.
    """

    heading: str
    blocks: tuple[Block, ...]
    anchor: str = ""
    short: str = ""
    lead: str = ""


@dataclass(frozen=True)
class Page:
    """A title, a line below it, and parts; `foot` closes it."""

    title: str
    subtitle: str
    parts: tuple[Part, ...]
    foot: str = ""

    @property
    def blocks(self) -> Iterator[Block]:
        """Every block, those folded away included."""
        for part in self.parts:
            yield from unfolded(part.blocks)

    @property
    def tables(self) -> dict[str, Table]:
        """By name: one may stand in two places."""
        return {block.name: block for block in self.blocks if isinstance(block, Table)}

    @property
    def cards(self) -> dict[str, Cards]:
        """By name."""
        return {block.name: block for block in self.blocks if isinstance(block, Cards)}

    @property
    def figures(self) -> dict[str, Figure]:
        """By name."""
        return {block.name: block for block in self.blocks if isinstance(block, Figure)}


def written_tables(blocks: tuple[Block, ...]) -> dict[str, Table]:
    """Tables among blocks by name, those with drawings as text."""
    every = list(unfolded(blocks))
    tables = {block.name: block for block in every if isinstance(block, Table)}
    return tables | {block.name: card_table(block) for block in every if isinstance(block, Cards)}


def unfolded(blocks: tuple[Block, ...]) -> Iterator[Block]:
    """Blocks, and after each those inside it."""
    for block in blocks:
        yield block
        if isinstance(block, Details):
            yield from unfolded(block.blocks)
        if isinstance(block, Beside):
            yield from unfolded(block.left + block.right)
        if isinstance(block, Widget):
            yield block.table
