"""ARCHITECTURE.md is true: every module is listed, no import points up, siblings do not know each other."""

import ast
import re

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "bayes_npp"
TEXT = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").partition("## Modules")[2]
LISTED = re.findall(r"^\| `([\w.]+)` \|", TEXT, re.MULTILINE)
ROW = {name: number for number, name in enumerate(LISTED)}
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in PACKAGE.rglob("*.py")
    if path.name != "__init__.py"
}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bayes_npp"):
            base = node.module.removeprefix("bayes_npp").lstrip(".")
            names = [f"{base}.{alias.name}".lstrip(".") for alias in node.names]
            yield from (name if name in MODULES else base for name in names)


def test_every_module_is_listed():
    assert sorted(LISTED) == sorted(MODULES)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_import_points_up(module):
    for other in imports(MODULES[module]):
        if not other:  # names of the package itself, such as the version
            continue
        assert ROW[other] < ROW[module], f"{module} imports {other}"
        assert {module.split(".")[0], other.split(".")[0]} != {"frequentist", "bayesian"}


@pytest.mark.parametrize("depth", [1, 2])
def test_rows_of_a_room_stand_together(depth):
    rooms = [tuple(name.split(".")[:depth]) for name in LISTED if name.count(".") >= depth]
    runs = [room for number, room in enumerate(rooms) if number == 0 or rooms[number - 1] != room]
    assert len(runs) == len(set(runs))


def test_few_modules_are_loose():
    loose = [name for name in MODULES if "." not in name and name != "__main__"]
    assert len(loose) <= 6, loose


def test_init_files_of_rooms_are_empty():
    assert [path for path in PACKAGE.glob("*/**/__init__.py") if path.read_text()] == []


def test_modules_stay_small():
    limits = {"bayesian.collapsed.kernel": 830}
    sizes = {name: len(path.read_text().splitlines()) for name, path in MODULES.items()}
    assert {name: size for name, size in sizes.items() if size > limits.get(name, 400)} == {}


def test_public_names_exist_and_are_functions_or_classes():
    import bayes_npp.analysis.comparison
    import bayes_npp.panels.simulation

    for name in bayes_npp.__all__:
        value = getattr(bayes_npp, name)
        assert callable(value) or isinstance(value, str), name


def test_nothing_of_a_study_is_in_the_code():
    text = "\n".join(path.read_text(encoding="utf-8") for path in MODULES.values())
    for word in ("province", "openness", "urbanization", "Beijing", "npp_pca"):
        assert word not in text, word


def test_no_host_in_the_lock():
    assert "://" not in (ROOT / "requirements.lock").read_text()
