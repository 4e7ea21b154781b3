"""A wheel holds everything, and in a fresh environment runs a study outside the repository."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile

import pytest

from tests.conftest import ROOT, TINY


def output(*command, **options):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, **options)
    assert done.returncode in (0, 3), done.stderr  # 3: done, and some fit failed its diagnostics
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    output(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, ROOT)
    (path,) = folder.glob("*.whl")
    return path


def test_templates_and_prior_sets_are_in_the_wheel(wheel):
    held = set(zipfile.ZipFile(wheel).namelist())
    package = {path.relative_to(ROOT).as_posix() for path in (ROOT / "bayes_npp").rglob("*") if path.is_file()}
    package = {name for name in package if "__pycache__" not in name}
    assert "bayes_npp/reporting/templates/page.html.jinja" in package
    assert package - held == set()
    folder = ROOT / "models" / "priors"
    sets = {f"bayes_npp/prior_sets/{path.relative_to(folder).as_posix()}" for path in folder.rglob("*.toml")}
    assert {"bayes_npp/prior_sets/weakly_informative.toml", "bayes_npp/prior_sets/grids/default.toml"} <= sets
    assert sets - held == set()
    shipped = (
        "examples/digital_trade/study.toml",
        "examples/fiscal_tfp/published.csv",
        "datasets/fiscal_tfp/panel.csv",
    )
    assert {f"bayes_npp/{name}" for name in shipped} <= held
    assert not [name for name in held if name.startswith("tests/")]


@pytest.mark.slow(minutes=5)
def test_a_fresh_environment_runs_a_study_elsewhere(wheel, tmp_path):
    """The environment has the wheel, and from this one only the dependencies: its path configuration is not read."""
    fresh = tmp_path / "fresh"
    output(sys.executable, "-m", "venv", "--without-pip", fresh)
    python = fresh / "bin" / "python"
    own = sysconfig.get_path("purelib", vars={"base": str(fresh)})
    output(sys.executable, "-m", "pip", "-q", "--python", python, "install", "--no-deps", "--no-index", wheel)
    with open(f"{own}/dependencies.pth", "w") as file:
        file.write(sysconfig.get_path("purelib") + "\n")
    shutil.copytree(TINY, tmp_path / "study")
    bare = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    found = output(python, "-c", "import bayes_npp; print(bayes_npp.__file__)", cwd=tmp_path, env=bare)
    assert found.strip() == f"{own}/bayes_npp/__init__.py"
    command = (python, "-m", "bayes_npp", "run", "study", "--quick", "--seed", "1", "--out", "out")
    assert output(*command, cwd=tmp_path, env=bare).strip() == "out/report.html"
    assert "A tiny study" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    ours = (python, "-m", "bayes_npp")
    where = {"cwd": tmp_path, "env": bare}
    assert output(*ours, "new", "fiscal", "--example", "fiscal_tfp", **where).strip() == "fiscal/study.toml"
    assert "217 rows" in output(*ours, "check", "fiscal", **where)
    output(*ours, "new", "mine", "study/panel.csv", "--outcome", "first", "--exposure", "exposure", **where)
    assert "12 units" in output(*ours, "check", "mine", **where)
    assert output(*ours, "run", "mine", "--quick", "--seed", "1", **where).strip() == "out/mine/report.html"
    assert output(*ours, "report", "out/mine", **where).strip() == "out/mine/report.html"
    page = (tmp_path / "out" / "mine" / "report.html").read_text(encoding="utf-8")
    assert "exposure" in page
    assert "A tiny study" not in page
    assert output(*ours, "report", "out", **where).strip() == "out/report.html"
    names = output(python, "-c", "import bayes_npp as bn; print(*bn.datasets())", **where)
    assert names.split() == ["china_provinces", "fiscal_tfp"]
