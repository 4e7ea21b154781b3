"""Tables as Word documents: three lines, a header that repeats on every page, notes below, fonts for Chinese too."""

import io
import re
import unicodedata
import zipfile
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from bayes_npp.reporting.base.cells import Table
from bayes_npp.reporting.base.numbers import plain, with_minus
from bayes_npp.reporting.base.tex_text import letters_wide

if TYPE_CHECKING:
    from docx.document import Document

LATIN, EAST_ASIAN = "Times New Roman", "SimSun"
SIZE, NOTE_SIZE = 10, 9  # points
THICK, THIN = 12, 6  # eighths of a point
LONGEST = 40  # letters of a column before its texts are wrapped
ACROSS = 110  # characters of a line above which the page lies on its side
DATE = (1980, 1, 1, 0, 0, 0)  # of every part of the file: the same table is the same file
STYLES = ("Normal", "DefaultParagraphFont", "TableNormal", "NoList")
_KEEP = "\n\t"


def word(table: Table) -> bytes:
    """A .docx file with one table of text cells."""
    import docx

    document = docx.Document(io.BytesIO(_blank()))
    width = _prepare(document, table)
    _caption(document, table)
    _body(document, table.stacked(), width)
    for note in table.notes:
        _runs(document.add_paragraph(), with_minus(note), NOTE_SIZE)
    buffer = io.BytesIO()
    document.save(buffer)
    return _undated(buffer)


@cache
def _blank() -> bytes:
    """An empty document with the fonts of every table, and of the library's 160 styles those that one needs."""
    import docx
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn
    from docx.shared import Pt

    document = docx.Document()
    style = document.styles["Normal"]
    style.font.name, style.font.size = LATIN, Pt(SIZE)
    style.element.rPr.rFonts.set(qn("w:eastAsia"), EAST_ASIAN)
    language = OxmlElement("w:lang")  # which of the East Asian ones: it decides about punctuation and fonts
    language.set(qn("w:val"), "en-US")
    language.set(qn("w:eastAsia"), "zh-CN")
    style.element.rPr.append(language)
    style.paragraph_format.space_after = Pt(0)
    every = document.styles.element
    for own in list(every):
        if own.tag == qn("w:latentStyles") or (own.tag == qn("w:style") and own.styleId not in STYLES):
            every.remove(own)
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def _prepare(document: "Document", table: Table) -> int:
    """Page and properties; returns what is between the margins."""
    from docx.enum.section import WD_ORIENT
    from docx.shared import Cm

    section = document.sections[0]
    width, height = Cm(21.0), Cm(29.7)
    if sum(_widths(table.stacked())) > ACROSS:
        section.orientation = WD_ORIENT.LANDSCAPE
        width, height = height, width
    section.page_width, section.page_height = width, height
    margin = section.left_margin = section.right_margin = section.top_margin = section.bottom_margin = Cm(2.0)
    properties = document.core_properties
    properties.title, properties.author, properties.comments = _legal(table.title)[:255], "bayes_npp", ""
    properties.created = properties.modified = datetime(*DATE, tzinfo=UTC)
    properties.last_modified_by, properties.revision = "bayes_npp", 1
    return width - 2 * margin


def _widths(table: Table) -> list[int]:
    """Letters that each column asks for."""
    columns = table.frame.items()
    return [min(LONGEST, max(map(letters_wide, (str(name), *map(str, own))))) + 2 for name, own in columns]


def _caption(document: "Document", table: Table) -> None:
    paragraph = document.add_paragraph()
    _runs(paragraph, table.title, SIZE, bold=True)
    paragraph.paragraph_format.keep_with_next = True


def _body(document: "Document", table: Table, width: int) -> None:
    """The table itself: lines above and below, and below the header."""
    from docx.enum.table import WD_TABLE_ALIGNMENT
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.oxml import OxmlElement
    from docx.shared import Length

    rows = [[str(name) for name in table.frame.columns], *([str(v) for v in row] for row in table.frame.to_numpy())]
    drawn = document.add_table(rows=len(rows), cols=len(rows[0]))
    drawn.alignment, drawn.autofit = WD_TABLE_ALIGNMENT.CENTER, True
    asked = _widths(table)
    places = [Length(int(width * own / max(sum(asked), ACROSS // 2))) for own in asked]
    for column, given in zip(drawn.columns, places, strict=True):
        column.width = given
    for number, (row, texts) in enumerate(zip(drawn.rows, rows, strict=True)):
        properties = row._tr.get_or_add_trPr()
        properties.append(OxmlElement("w:cantSplit"))
        if number == 0:
            properties.append(OxmlElement("w:tblHeader"))
        above = THICK if number == 0 else THIN if number == 1 or number - 1 in table.rules else 0
        below = THICK if number == len(rows) - 1 else 0
        continued = number + 1 < len(rows) and not rows[number + 1][0].strip()
        for place, (cell, text) in enumerate(zip(row.cells, texts, strict=True)):
            cell.width = places[place]
            paragraph = cell.paragraphs[0]
            if continued:  # a standard error stays with its estimate
                paragraph.paragraph_format.keep_with_next = True
            _runs(paragraph, with_minus(text), SIZE)
            if place:
                paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
            _edges(cell, above, below)


def _edges(cell: Any, above: int, below: int) -> None:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    borders = OxmlElement("w:tcBorders")
    for side, width in (("top", above), ("bottom", below)):
        if width:
            edge = OxmlElement(f"w:{side}")
            for name, value in (("val", "single"), ("sz", str(width)), ("space", "0"), ("color", "000000")):
                edge.set(qn(f"w:{name}"), value)
            borders.append(edge)
    if len(borders):
        cell._tc.get_or_add_tcPr().append(borders)


def _runs(paragraph: Any, text: str, size: int, bold: bool = False) -> None:
    """Text, what stands between `backticks` in a font for code."""
    from docx.shared import Pt

    for place, piece in enumerate(re.split(r"`([^`]*)`", _legal(text))):
        if piece:
            run = paragraph.add_run(piece)
            if size != SIZE:  # that of the style
                run.font.size = Pt(size)
            if bold:
                run.bold = True
            if place % 2:
                run.font.name = "Courier New"


def _legal(text: object) -> str:
    """Text without the characters that XML does not know."""
    return "".join(s for s in plain(text) if s in _KEEP or unicodedata.category(s) not in ("Cc", "Cs", "Cn", "Co"))


def _undated(buffer: io.BytesIO) -> bytes:
    """The same archive with one date for all of its parts."""
    out = io.BytesIO()
    with zipfile.ZipFile(buffer) as given, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as kept:
        for part in given.infolist():
            kept.writestr(zipfile.ZipInfo(part.filename, DATE), given.read(part), zipfile.ZIP_DEFLATED)
    return out.getvalue()
