"""Tables as Word documents: three lines, a header that repeats on every page, notes below, fonts for Chinese too."""

import io
import re
import unicodedata
import zipfile
from functools import cache
from html import escape

from bayes_npp.reporting.base.cells import Table
from bayes_npp.reporting.base.numbers import plain, with_minus
from bayes_npp.reporting.base.tex_text import letters_wide

LATIN, EAST_ASIAN = "Times New Roman", "SimSun"
SIZE, NOTE_SIZE = 10, 9  # points
THICK, THIN = 12, 6  # eighths of a point
LONGEST = 40  # letters of a column before its texts are wrapped
ACROSS = 110  # characters of a line above which the page lies on its side
LETTER = 110  # twentieths of a point that a letter takes
LONG, SHORT, MARGIN = 16838, 11906, 1134  # A4 in twentieths of a point
DATE = (1980, 1, 1, 0, 0, 0)  # of every part of the file: the same table is the same file
STYLES = ("Normal", "DefaultParagraphFont", "TableNormal", "NoList")
NEEDLESS = ("stylesWithEffects", "thumbnail", "customXml")  # nine tenths of the library's document
MAIN, PROPERTIES = "word/document.xml", "docProps/core.xml"
_KEEP = "\n\t"
_LINES = {"\n": "<w:br/>", "\t": "<w:tab/>"}
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
_NAMES = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_CODE = '<w:rFonts w:ascii="Courier New" w:hAnsi="Courier New"/>'


def word(table: Table) -> bytes:
    """A .docx file with one table of text cells."""
    parts = _blank()
    own = {MAIN: _document(table), PROPERTIES: _properties(parts[PROPERTIES].decode(), table)}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**parts, **own}.items():
            archive.writestr(zipfile.ZipInfo(name, DATE), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


@cache
def _blank() -> dict[str, bytes]:
    """Parts of an empty document with the fonts of every table, of the library's those that one needs."""
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
    for related in (document.part.rels, document.part.package.rels):
        for name in [name for name, own in related.items() if own.reltype.rpartition("/")[2] in NEEDLESS]:
            del related[name]
    properties = document.core_properties
    properties.title, properties.author, properties.comments = "-", "bayes_npp", ""
    properties.last_modified_by, properties.revision = "bayes_npp", 1
    buffer = io.BytesIO()
    document.save(buffer)
    with zipfile.ZipFile(buffer) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _properties(blank: str, table: Table) -> bytes:
    title = f"<dc:title>{escape(_legal(table.title)[:255])}</dc:title>"
    dated = re.sub(r"(<dcterms:\w+ [^>]*>)[^<]*", rf"\g<1>{DATE[0]}-01-01T00:00:00Z", blank)
    return re.sub("<dc:title>.*?</dc:title>", lambda _: title, dated).encode()


def _widths(table: Table) -> list[int]:
    """Letters that each column asks for."""
    columns = table.frame.items()
    return [min(LONGEST, max(map(letters_wide, (str(name), *map(str, own))))) + 2 for name, own in columns]


def _unbroken(table: Table) -> list[int]:
    """Letters of each column's longest word, which is not to be broken."""
    columns = [" ".join((str(name), *map(str, own))) for name, own in table.frame.items()]
    return [max(len(word) for word in re.findall(r"[!-~\u2212]+", own) or [""]) + 2 for own in columns]


def _shared(line: int, asked: list[int], unbroken: list[int]) -> list[int]:
    """Widths of columns: room for their longest words first, the rest of the line by what they ask for beyond."""
    least = [min(own, word) * LETTER for own, word in zip(asked, unbroken, strict=True)]
    least = [int(own * min(1.0, line / sum(least))) for own in least]
    left = max(0, line - sum(least))
    beyond = [own * LETTER - word for own, word in zip(asked, least, strict=True)]
    share = min(1.0, left / max(1, sum(beyond)))
    return [int(word + share * more) for word, more in zip(least, beyond, strict=True)]


def _document(table: Table) -> bytes:
    """The table under its title, notes below, on a page that lies on its side where lines are long."""
    stacked = table.stacked()
    names, cells = [str(name) for name in stacked.frame.columns], stacked.frame.to_numpy()
    rows = [names, *([str(value) for value in row] for row in cells)]
    asked = _widths(stacked)
    lying = sum(asked) > ACROSS
    width, height = (LONG, SHORT) if lying else (SHORT, LONG)
    widths = _shared(width - 2 * MARGIN, asked, _unbroken(stacked))
    followed = [not below[0].strip() for below in rows[1:]] + [False]  # a standard error stays with its estimate
    body = [
        _paragraph(_runs(table.title, "<w:b/>"), "<w:keepNext/>"),
        '<w:tbl><w:tblPr><w:tblW w:type="auto" w:w="0"/><w:jc w:val="center"/></w:tblPr>',
        f"<w:tblGrid>{''.join(f'<w:gridCol w:w="{own}"/>' for own in widths)}</w:tblGrid>",
        *(
            _row(texts, widths, _edges(number, len(rows), stacked.rules), number == 0, followed[number])
            for number, texts in enumerate(rows)
        ),
        "</w:tbl>",
        *(_paragraph(_runs(with_minus(note), f'<w:sz w:val="{2 * NOTE_SIZE}"/>')) for note in table.notes),
        f'<w:sectPr><w:pgSz w:w="{width}" w:h="{height}"{' w:orient="landscape"' * lying}/><w:pgMar ',
        *(f'w:{side}="{MARGIN}" ' for side in ("top", "right", "bottom", "left")),
        'w:header="720" w:footer="720" w:gutter="0"/></w:sectPr>',
    ]
    return f"{_HEAD}<w:document {_NAMES}><w:body>{''.join(body)}</w:body></w:document>".encode()


def _edges(number: int, rows: int, rules: tuple[int, ...]) -> str:
    """Borders of a row's cells: lines above and below the table, and below its header."""
    above = THICK if number == 0 else THIN if number == 1 or number - 1 in rules else 0
    below = THICK if number == rows - 1 else 0
    edges = "".join(
        f'<w:{side} w:val="single" w:sz="{width}" w:space="0" w:color="000000"/>'
        for side, width in (("top", above), ("bottom", below))
        if width
    )
    return f"<w:tcBorders>{edges}</w:tcBorders>" if edges else ""


def _row(texts: list[str], widths: list[int], borders: str, header: bool, followed: bool) -> str:
    """A row: of the header, which is repeated on every page, or one that stays on the page of the row below."""
    kept = "<w:keepNext/>" * followed
    cells = (
        f'<w:tc><w:tcPr><w:tcW w:type="dxa" w:w="{width}"/>{borders}</w:tcPr>'
        f"{_paragraph(_runs(with_minus(text)), kept + '<w:jc w:val="center"/>' * bool(place))}</w:tc>"
        for place, (text, width) in enumerate(zip(texts, widths, strict=True))
    )
    return f"<w:tr><w:trPr><w:cantSplit/>{'<w:tblHeader/>' * header}</w:trPr>{''.join(cells)}</w:tr>"


def _paragraph(runs: str, properties: str = "") -> str:
    return f"<w:p>{f'<w:pPr>{properties}</w:pPr>' if properties else ''}{runs}</w:p>"


def _runs(text: object, properties: str = "") -> str:
    """Text, what stands between `backticks` in a font for code."""
    runs = []
    for place, piece in enumerate(re.split(r"`([^`]*)`", _legal(text))):
        if piece:
            style = (_CODE if place % 2 else "") + properties
            runs.append(f"<w:r>{f'<w:rPr>{style}</w:rPr>' if style else ''}{_text(piece)}</w:r>")
    return "".join(runs)


def _text(piece: str) -> str:
    parts = (own for own in re.split(r"([\n\t])", piece) if own)
    return "".join(_LINES.get(own) or f'<w:t xml:space="preserve">{escape(own)}</w:t>' for own in parts)


def _legal(text: object) -> str:
    """Text without the characters that XML does not know."""
    words = plain(text)
    if words.isascii() and words.isprintable():
        return words
    return "".join(s for s in words if s in _KEEP or unicodedata.category(s) not in ("Cc", "Cs", "Cn", "Co"))
