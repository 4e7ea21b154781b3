"""Every code block of the documents runs: a plugin of pytest, `pytest -p code_blocks docs README.md`.

Blocks of a page run in order, in one namespace and one folder, which has the repository's studies and data in it:

- `python` runs; `bash` runs, `make` and `git` lines aside, which set up what CI has set up before;
- `toml` is laid over a study that is whole (models/digital_trade, or the one that a comment `<!-- study: FOLDER -->`
  above it names), and `bayes-npp check` has to pass;
- `text` is what the block before it printed: the same words, and numbers that agree up to what samplers leave open.

What a page needs and readers need not see stands in a comment `<!-- invisible-code-block: python`. With
`UPDATE_BLOCKS=1` in the environment `text` blocks are written anew instead.
"""

import ast
import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from itertools import zip_longest
from pathlib import Path

import tomlkit
from click.testing import CliRunner
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser

ROOT = Path(__file__).parents[1]
SEEN = ("data", "examples", "reports", "tests")  # folders that blocks may read
READ_ON = 'head() { command head "$@"; cat > /dev/null; }'  # so that no command ends early for want of a reader
SET_UP = ("make ", "git ", "cd ")  # lines that CI has run before, or that only move about
NUMBER = re.compile(r"[-+−]?\d+(?:,\d{3})*(?:\.\d+)?(?:[eE][-+]?\d+)?")
RELATIVE = 0.05  # a few Monte Carlo errors of an estimate; exact numbers have tests of their own
STUDY = re.compile(r"<!-- study: (\S+) -->")
FOLDER = Path(tempfile.gettempdir()) / f"bayes_npp_blocks_{os.getpid()}"


def _folder() -> Path:
    """The folder in which the pages of a worker run."""
    if not FOLDER.exists():
        (FOLDER / "models").mkdir(parents=True)
        for name in SEEN:
            (FOLDER / name).symlink_to(ROOT / name)
        for path in (ROOT / "models").iterdir():
            (FOLDER / "models" / path.name).symlink_to(path)
    return FOLDER


def _start(namespace: dict) -> None:
    namespace["__home__"] = os.getcwd()
    os.chdir(_folder())


def _end(namespace: dict) -> None:
    """Back, and the page with the outputs of today if that was asked for."""
    os.chdir(namespace["__home__"])
    for path, start, old, new in sorted(namespace.get("__updates__", ()), key=lambda update: -update[1]):
        page = Path(path).read_text(encoding="utf-8")
        if page[start : start + len(old)] != old:
            raise RuntimeError(f"{path} changed while its blocks ran: its outputs were not written")
        Path(path).write_text(page[:start] + new + page[start + len(old) :], encoding="utf-8")


def run_python(example: Example) -> str | None:
    """Run a block in the page's namespace; errors name the line of the page."""
    out = io.StringIO()
    tree = ast.parse("\n" * (example.line + example.parsed.line_offset) + example.parsed, example.path)
    with contextlib.redirect_stdout(out):
        exec(compile(tree, example.path, "exec"), example.namespace)
    example.namespace["__printed__"] = out.getvalue()
    return None


def run_shell(example: Example) -> str | None:
    """Run the commands of a block with the environment's own `bayes-npp` first."""
    lines = [line for line in example.parsed.splitlines() if not line.startswith(SET_UP)]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join([READ_ON, *lines])],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    example.namespace["__printed__"] = done.stdout
    return None if done.returncode == 0 else f"exit code {done.returncode}:\n{done.stdout}{done.stderr}"


def laid_over(study: dict, fragment: dict) -> dict:
    """A study with the tables of a fragment: keys of a table replaced, tables of a list added or, by name, replaced."""
    whole = dict(study)
    for key, value in fragment.items():
        if isinstance(value, dict):
            whole[key] = {**study.get(key, {}), **value}
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            names = {table.get("name", table.get("id")) for table in value}
            kept = [table for table in study.get(key, []) if table.get("name", table.get("id")) not in names]
            whole[key] = [*kept, *value]
        else:
            whole[key] = value
    return whole


def check_fragment(example: Example) -> str | None:
    """Lay a fragment over a whole study beside the original and check it."""
    from bayes_npp.cli import cli

    named = STUDY.findall(example.document.text[: example.start])
    home = ROOT / (named[-1] if named else "models/digital_trade")
    fragment = tomllib.loads(example.parsed)
    study = tomllib.loads((home / "study.toml").read_text(encoding="utf-8"))
    target = _folder() / "models" / f"fragment_{home.name}"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(home, target)
    whole = fragment if "study" in fragment and "roles" in fragment else laid_over(study, fragment)
    (target / "study.toml").write_text(tomlkit.dumps(whole), encoding="utf-8")
    done = CliRunner().invoke(cli, ["check", str(target)])
    example.namespace["__printed__"] = done.stdout
    return None if done.exit_code == 0 else done.output


def agree(said: str, printed: str) -> bool:
    """Whether two outputs have the same words, and numbers that differ by no more than sampling leaves open."""
    if NUMBER.sub("#", said).split() != NUMBER.sub("#", printed).split():
        return False
    for one, other in zip_longest(NUMBER.findall(said), NUMBER.findall(printed)):
        a, b = (float(text.replace("−", "-").replace(",", "")) for text in (one, other))
        last = max(10.0 ** -len(text.lower().partition("e")[0].partition(".")[2]) for text in (one, other))
        exponent = max(10.0 ** float(text.lower().partition("e")[2] or 0) for text in (one, other))
        decimals = last * exponent if "." in one + other else 0.0
        if abs(a - b) > RELATIVE * max(abs(a), abs(b)) + 2 * decimals:
            return False
    return True


def compare_output(example: Example) -> str | None:
    """Hold an output that a page shows to what the block before it printed."""
    printed = example.namespace.pop("__printed__", None)
    if printed is None:
        return "no block before it printed this"
    printed = "\n".join(line.rstrip() for line in printed.strip("\n").splitlines()) + "\n"
    if agree(example.parsed, printed):
        return None
    if os.environ.get("UPDATE_BLOCKS"):
        text = example.document.text[example.region.start : example.region.end]
        whole = f"```text\n{printed}```" + ("\n" if text.endswith("\n") else "")
        updates = example.namespace.setdefault("__updates__", [])
        updates.append((example.path, example.region.start, text, whole))
        return None
    return f"the page shows\n{example.parsed}\nand the block before it printed\n{printed}"


pytest_collect_file = Sybil(
    parsers=[
        CodeBlockParser("python", run_python),
        CodeBlockParser("bash", run_shell),
        CodeBlockParser("toml", check_fragment),
        CodeBlockParser("text", compare_output),
    ],
    path=str(ROOT),
    pattern="*.md",
    setup=_start,
    teardown=_end,
).pytest()


def pytest_sessionfinish() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
