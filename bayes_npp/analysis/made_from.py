"""What made a number: the package's own modules, and the libraries they compute with, found by their imports."""

import ast
import hashlib
import platform
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[1]
# They check, carry and show numbers and make none: another version of them leaves what is stored as it is.
CARRIERS = frozenset(
    {
        "babel",
        "click",
        "formulaic",
        "docx",
        "jinja2",
        "pandera",
        "pyarrow",
        "pydantic",
        "rich",
        "threadpoolctl",
        "xarray",
    }
)

# So do these modules of our own: files of results and of compiled code, which are checked elsewhere, drawings, reports.
KEEPERS = frozenset(
    {
        "bayes_npp.store",
        "bayes_npp.bayesian.model.caches",
        "bayes_npp.bayesian.fitting.plots",
        "bayes_npp.reporting.csv_files",
        "bayes_npp.reporting.report",
        "bayes_npp.reporting.base.bilingual",
        "bayes_npp.reporting.base.catalogue",
        "bayes_npp.reporting.base.chinese",
        "bayes_npp.reporting.base.readings",
        "bayes_npp.reporting.base.study_words",
        "bayes_npp.reporting.base.translation",
    }
)

_NAMED = re.compile(rf"([\"'])({PACKAGE.name}\.[\w.]+)\1")  # modules as text (`import_module`)
_STATEMENT = re.compile(
    r"^[ \t]*(?:import [\w.]+(?=,| as |\s*(?:#|$)).*|from [\w.]+ import (?:\([^)]*\)|.*))$", re.MULTILINE
)
_FOR_TYPES = re.compile(r"^if TYPE_CHECKING:\n(?:[ \t]+.*\n|\n)+", re.MULTILINE)  # nothing is computed with these


@cache
def made_by(*roots: str) -> dict[str, Any]:
    """What of the package and of libraries stands behind the numbers of some modules.

    Parameters
    ----------
    roots : str
        Modules, such as "bayes_npp.bayesian.fitting.fit". With them count all that they import in turn, in functions
        too and by name, but not for type checks alone.

    Returns
    -------
    dict
        "source code", the SHA-256 of these modules' files; "version of", versions by name of the libraries that these
        modules import, less `CARRIERS`, and of Python.
    """
    modules = closure(roots)
    whole = hashlib.sha256()
    for name in sorted(modules):
        content = _file(name).read_bytes()
        whole.update(f"{name} {len(content)}\n".encode() + content)
    libraries = set().union(*(_imported(name)[1] for name in modules)) - CARRIERS
    versions = {name.replace("_", "-"): version(name) for name in sorted(libraries)}
    return {"source code": whole.hexdigest(), "version of": {"python": platform.python_version(), **versions}}


def closure(roots: tuple[str, ...]) -> frozenset[str]:
    """Modules of the package, and all that they import in turn, less `KEEPERS`."""
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in found | KEEPERS:
            found.add(name)
            waiting += _imported(name)[0]
    return frozenset(found)


def _file(module: str) -> Path:
    return PACKAGE.joinpath(*module.split(".")[1:]).with_suffix(".py")


@cache
def _imported(module: str) -> tuple[frozenset[str], frozenset[str]]:
    """Modules of the package that a module imports, and top-level packages of others."""
    ours, others = set(), set()
    content = _file(module).read_text(encoding="utf-8")
    for name in (*_names(content), *(found[2] for found in _NAMED.finditer(content))):
        top = name.partition(".")[0]
        if top == PACKAGE.name:
            ours |= {name} if _file(name).is_file() else set()
        elif top not in sys.stdlib_module_names:
            others.add(top)
    return frozenset(ours), frozenset(others)


def _names(content: str) -> Iterator[str]:
    """Dotted names that a module's statements import; the rest, which takes long to parse, is not looked through."""
    statements = (found[0].strip() for found in _STATEMENT.finditer(_FOR_TYPES.sub("", content)))
    for node in ast.parse("\n".join(statements)).body:
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(module=str(base), level=0):
                yield from (base, *(f"{base}.{alias.name}" for alias in node.names))
