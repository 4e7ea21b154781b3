"""ARCHITECTURE.md is true: every module is listed, no import points up, siblings do not know each other."""

import ast
import re
from functools import cache

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
    said = re.findall(r"^\| `[\w.]+` \| (.*) \|$", TEXT, re.MULTILINE)
    assert [text for text in said if len(text.split()) < 2] == []


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
    limits = {"bayesian.collapsed.kernel": 870}
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


# --- Tests mirror the rooms

TESTS = ROOT / "tests"
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in TESTS.rglob("*.py")}


@cache
def named_in(path):
    """Modules that a test file imports, and names in its docstring: `module`, or `sub-room.module`."""
    return set(imports(path)), re.findall(r"`([\w.]+)`", ast.get_docstring(TREES[path]) or "")


@pytest.mark.parametrize("module", sorted(MODULES))
def test_every_module_is_named_in_the_tests_of_its_room(module):
    """It has a test file of its own name, or a file of its room imports it or names it in its docstring."""
    *rooms, name = module.split(".")
    if TESTS.joinpath(*rooms, f"test_{name}.py") in TREES:
        return
    files = [path for path in TREES if not rooms or TESTS / rooms[0] in path.parents]
    for imported, said in map(named_in, files):
        if module in imported or any(f".{module}".endswith(f".{name}") for name in said):
            return
    pytest.fail(f"no test file of the room of {module} imports it or names it")


@pytest.mark.parametrize("path", sorted(TREES), ids=lambda path: path.relative_to(TESTS).as_posix())
def test_tests_use_public_names(path):
    """No import of a name with a leading underscore, none taken from a module, none replaced in one."""
    private = []
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bayes_npp"):
            private += [alias.name for alias in node.names if re.match(r"_[a-z]", alias.name)]
        elif isinstance(node, ast.Attribute) and re.match(r"_[a-z]", node.attr):
            private += {node.attr} - {"_fields", "_replace", "_repr_html_"}  # public, of named tuples and notebooks
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("setattr", "delattr"):
            texts = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            private += [text for text in texts if re.search(r"(^|\.)_[a-z]", text)]
    assert private == []


def test_test_files_stay_small():
    sizes = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in TREES}
    assert {name: size for name, size in sizes.items() if size > 400} == {}


def test_rooms_of_the_tests_are_rooms():
    folders = {path.parent.relative_to(TESTS).as_posix() for path in TREES if path.name.startswith("test_")} - {"."}
    assert {folder for folder in folders if not (PACKAGE / folder).is_dir()} == set()
