"""The modules and libraries behind a number are those that are imported for it, and no others."""

import ast
import shutil
import sys
from importlib.metadata import packages_distributions

import pytest

from bayes_npp.analysis import made_from
from bayes_npp.analysis.made_from import CARRIERS, KEEPERS, PACKAGE, closure, made_by

FIT = "bayes_npp.bayesian.fitting.fit"
ROOTS = (
    FIT,
    "bayes_npp.bayesian.mediation.joint_fit",
    "bayes_npp.analysis.scores",
    "bayes_npp.analysis.index_posteriors",
    "bayes_npp.bayesian.sensitivity.sensitivity",
    "bayes_npp.claims.specification_curve",
    "bayes_npp.claims.paths",
)


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A copy of the package's files, asked in place of them."""
    shutil.copytree(PACKAGE, tmp_path / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(made_from, "PACKAGE", tmp_path / PACKAGE.name)
    forget()
    yield tmp_path / PACKAGE.name
    forget()


def forget():
    for name in ("made_by", "_imported"):
        vars(made_from)[name].cache_clear()


def test_what_stands_behind_a_fit():
    modules = closure((FIT,))
    assert {"bayes_npp.bayesian.collapsed.kernel", "bayes_npp.bayesian.model.error_models"} <= modules
    assert "bayes_npp.design.projection" in modules
    rooms = {name.split(".")[1] for name in modules}
    assert rooms <= {"errors", "records", "estimates", "panels", "design", "bayesian"}
    libraries = set(made_by(FIT)["version of"])
    assert libraries == {
        "python", "numpy", "pandas", "scipy", "numba", "nutpie", "pymc", "pytensor", "arviz-stats",
    }  # fmt: skip


def parsed(name):
    """Dotted names that a module imports by its whole syntax tree, but for type checks alone."""
    tree = ast.parse(PACKAGE.joinpath(*name.split(".")[1:]).with_suffix(".py").read_text(encoding="utf-8"))
    waiting, out = [tree], set()
    while waiting:
        node = waiting.pop()
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                continue
            case ast.Import():
                out |= {alias.name for alias in node.names}
            case ast.ImportFrom():
                out |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        waiting += ast.iter_child_nodes(node)
    return out


def test_statements_that_are_found_are_those_of_the_syntax_tree():
    modules = closure(("bayes_npp.pipeline", "bayes_npp.cli"))
    assert len(modules) > 200
    every = {name: parsed(name) for name in modules}
    ours = {other for names in every.values() for other in names if other.startswith(f"{PACKAGE.name}.")}
    files = {name for name in ours if PACKAGE.joinpath(*name.split(".")[1:]).with_suffix(".py").is_file()}
    assert files <= modules | KEEPERS
    others = {name.partition(".")[0] for names in every.values() for name in names} - {PACKAGE.name} - CARRIERS
    found = set(made_by("bayes_npp.pipeline", "bayes_npp.cli")["version of"]) - {"python"}
    assert {name.replace("-", "_") for name in found} == others - set(sys.stdlib_module_names)


@pytest.mark.parametrize("root", ROOTS)
def test_no_report_stands_behind_a_number(root):
    assert not {name.split(".")[1] for name in closure((root,))} & {"reporting", "auditing", "pipeline", "cli"}


def test_libraries_are_distributions_of_the_same_name():
    owners = packages_distributions()
    for name in made_by(*ROOTS)["version of"]:
        assert name == "python" or name.replace("-", "_") in owners


def test_carriers_are_imported_somewhere():
    text = "".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    assert [name for name in CARRIERS if f"import {name}" not in text and f"from {name}" not in text] == []


def changed(copied, name):
    path = copied.joinpath(*name.split(".")).with_suffix(".py")
    path.write_text(path.read_text(encoding="utf-8") + "\n_ = 0\n", encoding="utf-8")
    forget()


def test_a_change_of_the_report_changes_no_key(copied):
    before = [made_by(root) for root in ROOTS]
    for name in ("reporting.findings", "reporting.tables.slopes", "auditing.run", "cli", "pipeline"):
        changed(copied, name)
    assert [made_by(root) for root in ROOTS] == before


@pytest.mark.parametrize("module", ["bayesian.collapsed.kernel", "design.projection", "bayesian.fitting.sample"])
def test_a_change_of_what_makes_the_number_changes_the_key(copied, module):
    before = {root: made_by(root) for root in ROOTS}
    changed(copied, module)
    for root in ROOTS:
        after = made_by(root)
        assert after["source code"] != before[root]["source code"], root
        assert after["version of"] == before[root]["version of"], root


def test_imports_in_functions_and_by_name_count_and_those_for_types_do_not(copied):
    (copied / "root.py").write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import pymc\n"
        "def f():\n    import scipy.linalg\n    from bayes_npp.panels import calendar\n"
        'def g():\n    return import_module("bayes_npp.design.propositions")\n'
    )
    forget()
    found = closure(("bayes_npp.root",))
    assert {"bayes_npp.panels.calendar", "bayes_npp.design.propositions"} <= found
    assert "scipy" in made_by("bayes_npp.root")["version of"]
    assert "pymc" not in made_by("bayes_npp.root")["version of"]
