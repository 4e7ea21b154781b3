"""What the package imports is declared, what is declared is used, and nothing needs the developers' extra."""

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import distribution, packages_distributions

import pytest

from tests.conftest import ROOT
from tests.test_architecture import MODULES

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# Declared, and imported by no module of ours.
USED_OTHERWISE = {
    "arviz": "xarray trees of draws are read with it by users",
    "h5netcdf": "xarray writes stored fits with it",
    "h5py": "h5netcdf writes with it",
    "linearmodels": "the oracle of tests of least squares; its estimators are to be offered",
    "openpyxl": "pandas reads .xlsx with it",
    "rich": "shows the progress of a run",
    "statsmodels": "Holm's correction",
    "tabulate": "pandas writes Markdown with it",
}


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def required(requirements):
    return {canonical(re.match(r"[\w.-]+", line).group()) for line in requirements}


DECLARED = required(PROJECT["dependencies"])


@cache
def owners():
    """Top-level package -> the installed distributions that hold it; reading them takes a second."""
    return {package: {canonical(name) for name in names} for package, names in packages_distributions().items()}


def imported_packages(path):
    """First segments of everything a module imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0]


def distributions_of(path):
    """Package -> the distributions it may come from; ours and the standard library left out."""
    return {name: owners()[name] for name in set(imported_packages(path)) - sys.stdlib_module_names - {"bayes_npp"}}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_every_import_is_declared(module):
    assert {name for name, found in distributions_of(MODULES[module]).items() if not found & DECLARED} == set()


def test_every_declared_dependency_is_used():
    imported = set().union(*(found for path in MODULES.values() for found in distributions_of(path).values()))
    assert sorted(DECLARED - imported - set(USED_OTHERWISE)) == []


def runtime_closure():
    """The declared distributions and all that they need in turn, as far as they are installed."""
    installed = set().union(*owners().values())
    waiting, closure = set(DECLARED), set()
    while waiting:
        name = waiting.pop()
        closure.add(name)
        needed = [line for line in distribution(name).requires or () if "extra ==" not in line]
        waiting |= (required(needed) & installed) - closure
    return closure


def test_every_module_imports_without_the_extras():
    """In a fresh process that cannot see any package outside the runtime dependencies."""
    closure = runtime_closure()
    hidden = {package for package, found in owners().items() if not found & closure} - {"bayes_npp"}
    assert {"pytest", "hypothesis", "playwright", "mypy"} <= hidden
    code = (
        "import sys\n"
        f"hidden = {sorted(hidden)!r}\n"
        "class Hide:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in hidden: raise ModuleNotFoundError(f'{name} is hidden', name=name)\n"
        "sys.meta_path.insert(0, Hide())\n"
        "from importlib import import_module\n"
        f"for name in {sorted(set(MODULES) - {'__main__'})!r}: import_module('bayes_npp.' + name)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
