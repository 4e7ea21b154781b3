"""The texts that readers see, gathered from the code for the catalogue of another language.

A sentence is an f-string or a plain string where it is used; here it becomes a message whose placeholders are named
after what stands in them. `babel` writes the file: `python tools/messages.py` brings `zh.po` up to date, keeps every
translation whose message still stands in the code and leaves new ones empty, which a test refuses.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "bayes_npp"
CATALOGUE = PACKAGE / "reporting" / "locale" / "zh.po"
# Whose texts reach a page, by folder or file; a module left out writes files, messages of a terminal, or other pages.
SHOWN = (
    "reporting",
    "claims",
    "estimates.py",
    "analysis/readings.py",
    "analysis/comparison.py",
    "analysis/ladder.py",
)
HIDDEN = (
    "reporting/csv_files.py",
    "reporting/run_comparison.py",
    "reporting/publication.py",
    "reporting/base/latex.py",
    "reporting/base/word.py",
    "reporting/base/tex_text.py",
    "reporting/base/paper.py",
    "reporting/base/result.py",
)
_MARKUP = re.compile(r"<[a-z/!]|</|[a-z-]+=\"|\w+\(\?|\(\?[P:!<=]|\\[wds]|^[\w.]+:$|^[MLZ] |\.csv:|^#[\w-]+$|^[\w./]+\.(?:csv|css|js)")
_LETTERS = re.compile(r"[A-Za-z]{2,}")
_SKIPPED = {"removeprefix", "removesuffix", "startswith", "endswith", "split", "rsplit", "partition", "replace"}
_GENERIC = {"str", "format", "join", "map", "get", "float", "int", "len", "result", "row", "number", "own", "rounded",
            "tagged", "sentence", "lower", "study", "unit", "False", "True", "iloc", "relation", "chance", "iterrows"}


def messages() -> dict[str, list[str]]:
    """Every message with the files in which it stands."""
    found: dict[str, list[str]] = {}
    for path in files():
        place = path.relative_to(ROOT).as_posix()
        for text in texts(path):
            places = found.setdefault(text, [])
            if place not in places:
                places.append(place)
    return found


def files() -> list[Path]:
    """Files whose texts reach a page."""
    out = []
    for name in SHOWN:
        path = PACKAGE / name
        out += sorted(path.rglob("*.py")) if path.is_dir() else [path]
        out += sorted(path.rglob("*.jinja")) if path.is_dir() else []
    return [path for path in out if path.relative_to(PACKAGE).as_posix() not in HIDDEN]


def texts(path: Path) -> Iterator[str]:
    """The messages of one file."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".jinja":
        yield from re.findall(r"{{ \"([^\"]+)\"\|said", source)
        return
    tree = ast.parse(source)
    for node in _seen(tree):
        text = message(node)
        if text is not None:
            yield text


def message(node: ast.expr) -> str | None:
    """A string or f-string as a message; None where it is none."""
    if isinstance(node, ast.Constant):
        text, literal = str(node.value), str(node.value)
    else:
        assert isinstance(node, ast.JoinedStr)
        text, names = "", []
        for part in node.values:
            if isinstance(part, ast.Constant):
                text += str(part.value).replace("{", "{{").replace("}", "}}")
            else:
                assert isinstance(part, ast.FormattedValue)
                name = _named(part.value)
                while name in names:
                    name = re.sub(r"\d*$", lambda found: str(int(found[0] or 1) + 1), name, count=1)
                names.append(name)
                text += f"{{{name}}}"
        literal = re.sub(r"\{\w+\}", " ", text)
    literal = re.sub(r"\{[^{}]*\}", " ", literal)
    words = _LETTERS.findall(literal)
    if not words or _MARKUP.search(text) or "_" in literal:
        return None
    text = text.strip()
    several = len(re.findall(r"\S+", text)) > 1
    spoken = several or re.fullmatch(r"[A-Z][a-z]{2,}\.?", text) is not None
    if isinstance(node, ast.Constant) and not spoken:
        return None
    if _is_style(text):
        return None
    return text


def _is_style(text: str) -> bool:
    return text in {"dot for", "dot against", "big wide", "outside lower center", "lower center"} or text.startswith("-|")


def _named(value: ast.expr) -> str:
    """A name for a placeholder: the last telling word of its expression."""
    found = [word for word in re.findall(r"[A-Za-z_]\w*", re.sub(r"f?'[^']* [^']*'", "", ast.unparse(value)))]
    telling = [word for word in found if word not in _GENERIC] or found or ["value"]
    return telling[-1].lower().strip("_") or "value"


def _seen(tree: ast.Module) -> Iterator[ast.expr]:
    """Strings that may be shown: no docstrings, errors, names of keys and files, comparisons, patterns."""

    def walk(node: ast.AST) -> Iterator[ast.expr]:
        match node:
            case ast.Raise() | ast.Assert() | ast.Import() | ast.ImportFrom() | ast.Compare():
                return
            case ast.JoinedStr():
                yield node
                for part in node.values:
                    if isinstance(part, ast.FormattedValue):
                        yield from walk(part.value)
                return
            case ast.Constant():
                if isinstance(node.value, str):
                    yield node
                return
            case ast.Subscript():
                yield from walk(node.value)
                return
            case ast.Call():
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                if name in _SKIPPED or (isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") == "re"):
                    yield from walk(node.func)
                    return
                if name == "counted" and len(node.args) > 1 and isinstance(node.args[1], ast.Constant):
                    yield ast.Constant(f"{{number}} {node.args[1].value}")
        for child in ast.iter_child_nodes(node):
            body = getattr(node, "body", None)
            if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant) and isinstance(body, list):
                if child is body[0]:
                    continue
            yield from walk(child)

    yield from walk(tree)


def main() -> None:
    """Bring the catalogue up to date."""
    from babel.messages.catalog import Catalog
    from babel.messages.pofile import read_po, write_po

    catalogue = Catalog(locale="zh_Hans", project="bayes_npp", charset="utf-8", fuzzy=False)
    old = {}
    if CATALOGUE.is_file():
        with CATALOGUE.open("rb") as file:
            old = {one.id: one.string for one in read_po(file) if one.id}
    found = messages()
    for text, places in found.items():
        catalogue.add(text, old.get(text, ""), locations=[(place, 0) for place in places])
    with CATALOGUE.open("wb") as file:
        write_po(file, catalogue, width=0, include_lineno=False, ignore_obsolete=True)
    empty = [text for text in found if not old.get(text)]
    print(f"{len(found)} messages, {len(empty)} without a translation")


if __name__ == "__main__":
    main()
    sys.exit()
