"""The texts that readers see, gathered from the code for the catalogue of another language.

A sentence is an f-string or a plain string where it is used; here it becomes a message whose placeholders are named
after what stands in them. `python tools/messages.py` brings `zh.po` up to date, by babel: a new text gets an empty
translation, which a test refuses, and one that stands nowhere any more goes. What no string of the code holds (words
that stand alone in cells, sentences put together from several strings, reasons of priors) is added to the file by hand
and has no place there.
"""

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "bayes_npp"
CATALOGUE = PACKAGE / "reporting" / "locale" / "zh.po"
# Whose texts reach a page, every one of them: folders and files.
AUDITED = ("differences", "figures", "long_run", "page", "rows", "sentences", "tables", "text")
SHOWN = (
    *("reporting", "claims", "analysis/readings.py", "analysis/comparison.py"),
    *(f"auditing/{name}.py" for name in AUDITED),
)
HIDDEN = {  # but these write other files, or say how a text is set
    "reporting/csv_files.py",
    "reporting/figures/drawing.py",
    "reporting/base/bilingual.py",
    "reporting/base/catalogue.py",
    "reporting/base/latex.py",
    "reporting/base/paper.py",
    "reporting/base/readings.py",
    "reporting/base/result.py",
    "reporting/base/shared.py",
    "reporting/base/tex_text.py",
    "reporting/base/translation.py",
    "reporting/base/word.py",
}
# Rooms some of whose texts reach a page, in notes and names; others are errors and words of a terminal.
BELOW = ("analysis", "auditing", "bayesian", "design", "frequentist", "panels", "study", "estimates.py", "store.py")
NOT_SHOWN = {
    *("dot for", "dot against", "big wide", "Table", "Figure", "Drawing", "not answered:", "no probability:"),
    "xtreg y c.x##i.g controls i.year, fe vce(cluster unit)",
    *("{known} and {removeprefix}", "{names} and {names2}", "{one} and {two}"),  # lists are read as lists
    # Parts of sentences that the catalogue holds whole.
    "{regression} finds an average slope of {baseline}; with the errors that the",
    "checks ask for ({errors}) it is {of_row} {interval_of}.",
    "errors in the section on mechanisms",
}
HEADER = "# Chinese (Simplified) of the texts that readers of a report see: see tools/messages.py and CONTRIBUTING.md."
OURS = "The bayes_npp developers"
KEYS = {
    "version": "0.1",
    "last_translator": OURS,
    "language_team": OURS,
    "msgid_bugs_address": "the issues of bayes_npp",
}
FIRST = datetime(2026, 11, 28, tzinfo=UTC)  # of the file: a date of each change would say nothing that git does not
_MARKUP = re.compile(
    r"<[a-z/!]|</|[a-z-]+=\"|\w+\(\?|\(\?[P:!<=]|\\[wds]|^[\w.]+:$|^[MLZ] |\.csv:|^#[\w-]+$|^[\w./]+\.(?:csv|css|js)|"
    r"^\S*:(?:estimate|statistic|probability|because|significance)$|^\S+\.jinja$|^Callable|/posterior predictive: |"
    r"/bayes factor/|^point \{|^\{word\}ies$|^(?:figures/|report\.)|: \"?Drawing"
)
_LETTERS = re.compile(r"[A-Za-z]{2,}")
_SKIPPED = {"removeprefix", "removesuffix", "startswith", "endswith", "split", "rsplit", "partition", "replace"}
_GENERIC = frozenset(
    [
        "str",
        "format",
        "join",
        "map",
        "get",
        "float",
        "int",
        "len",
        "result",
        "row",
        "number",
        "own",
        "rounded",
        "tagged",
        "sentence",
        "lower",
        "study",
        "unit",
        "False",
        "True",
        "iloc",
        "relation",
        "chance",
        "iterrows",
    ]
)


def messages() -> dict[str, list[str]]:
    """Every message that reaches a page, with the files in which it stands."""
    found: dict[str, list[str]] = {}
    for path in _files(SHOWN):
        for text in texts(path):
            found.setdefault(text, []).append(path.relative_to(ROOT).as_posix())
    return {text: list(dict.fromkeys(places)) for text, places in found.items()}


def below() -> dict[str, str]:
    """Texts of the rooms below, each with a file in which it stands."""
    return {text: path.relative_to(ROOT).as_posix() for path in _files(BELOW) for text in texts(path)}


def _files(names: tuple[str, ...]) -> list[Path]:
    out: list[Path] = []
    for name in names:
        path = PACKAGE / name
        out += sorted([*path.rglob("*.py"), *path.rglob("*.jinja")]) if path.is_dir() else [path]
    return [path for path in out if path.relative_to(PACKAGE).as_posix() not in HIDDEN]


def texts(path: Path) -> Iterator[str]:
    """The messages of one file."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".jinja":
        yield from re.findall(r"{{ \"([^\"]+)\"\|said", source)
        return
    for node in _seen(ast.parse(source)):
        text = message(node)
        if text is not None:
            yield text


def message(node: ast.expr) -> str | None:
    """A string or f-string as a message; None where it is none: a name, a class of the style sheet, markup, a key."""
    if isinstance(node, ast.JoinedStr):
        text = _named_places(node)
        literal = re.sub(r"\{\w+\}", " ", text)
    else:
        assert isinstance(node, ast.Constant)
        text = literal = str(node.value)
    literal = re.sub(r"\{[^{}]*\}", " ", literal)
    text = text.strip()
    if not _LETTERS.search(literal) or "_" in literal or _MARKUP.search(text) or text in NOT_SHOWN:
        return None
    alone = isinstance(node, ast.Constant) and len(text.split()) == 1
    return None if alone and not re.fullmatch(r"[A-Z][a-z]{2,}\.?", text) else text


def _named_places(node: ast.JoinedStr) -> str:
    text, names = "", set[str]()
    for part in node.values:
        if isinstance(part, ast.Constant):
            text += str(part.value).replace("{", "{{").replace("}", "}}")
            continue
        assert isinstance(part, ast.FormattedValue)
        name = first = _name(part.value)
        number = 2
        while name in names:
            name, number = f"{first}{number}", number + 1
        names.add(name)
        text += f"{{{name}}}"
    return text


def _name(value: ast.expr) -> str:
    """A name for a placeholder: the last telling word of its expression."""
    found = re.findall(r"[A-Za-z_]\w*", re.sub(r"f?'[^']* [^']*'", "", ast.unparse(value)))
    telling = [word for word in found if word not in _GENERIC] or found or ["value"]
    return telling[-1].lower().strip("_") or "value"


def _seen(node: ast.AST) -> Iterator[ast.expr]:
    """Strings that may be shown: no docstrings, errors, comparisons, patterns, indices."""
    match node:
        case ast.Raise() | ast.Assert() | ast.Import() | ast.ImportFrom() | ast.Compare():
            return
        case ast.JoinedStr():
            yield node
            for part in node.values:
                if isinstance(part, ast.FormattedValue):
                    yield from _seen(part.value)
            return
        case ast.Constant():
            if isinstance(node.value, str):
                yield node
            return
        case ast.Subscript():
            yield from _seen(node.value)
            return
        case ast.Call():
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name in _SKIPPED or getattr(getattr(node.func, "value", None), "id", "") == "re":
                yield from _seen(node.func)
                return
            if name == "counted" and len(node.args) > 1 and isinstance(node.args[1], ast.Constant):
                yield ast.Constant(f"{{number}} {node.args[1].value}")
    body = getattr(node, "body", None)
    for child in ast.iter_child_nodes(node):
        documents = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
        if not (documents and isinstance(body, list) and child is body[0]):
            yield from _seen(child)


def main() -> None:
    """Bring the catalogue up to date."""
    from babel.messages.catalog import Catalog
    from babel.messages.pofile import read_po, write_po

    with CATALOGUE.open("rb") as file:
        old = {str(one.id): one for one in read_po(file) if one.id}
    found, rooms_below = messages(), below()
    catalogue = Catalog(
        locale="zh_Hans", project="bayes_npp", charset="utf-8", fuzzy=False, header_comment=HEADER, **KEYS
    )
    catalogue.creation_date = catalogue.revision_date = FIRST
    gone = []
    for text, one in old.items():
        places = found.get(text) or ([rooms_below[text]] if text in rooms_below else [])
        if one.locations and not places:
            gone.append(text)
        else:
            catalogue.add(text, one.string, locations=[(place, 0) for place in places])
    new = [text for text in found if text not in old]
    for text in new:
        catalogue.add(text, "", locations=[(place, 0) for place in found[text]])
    with CATALOGUE.open("wb") as file:
        write_po(file, catalogue, width=0, include_lineno=False, sort_output=True)
    for said, some in (("new, to be translated", new), ("gone", gone)):
        print(f"{said}: {len(some)}", *some, sep="\n  ")


if __name__ == "__main__":
    main()
