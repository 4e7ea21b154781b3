"""The package as it was before engine = "importance", from git, for parts that compare today's code with it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from samplers import ROOT

EARLIER = "364e479"  # the commit before engine = "importance"
CHECKOUTS = ROOT / ".cache" / "bench"


def earlier() -> Path | None:
    """The package as it was at `EARLIER`, with its study and data; None where the history does not go back to it."""
    folder = CHECKOUTS / EARLIER
    if not folder.is_dir():
        command = ["git", "-C", str(ROOT), "archive", "--format=tar", EARLIER, "bayes_npp", "models", "data"]
        done = subprocess.run(command, capture_output=True)
        if done.returncode:
            print(f"no commit {EARLIER} here: what was before is left out")
            return None
        partial = folder.with_suffix(".part")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        subprocess.run(["tar", "-x", "-C", str(partial)], input=done.stdout, check=True)
        partial.rename(folder)
    return folder


def said_by(checkout: Path, script: str, *arguments: str) -> list[str]:
    """Lines that a script of this folder writes where it runs with the package of a checkout."""
    command = [sys.executable, str(Path(__file__).parent / script), *arguments]
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment, cwd=checkout)
    return done.stdout.splitlines()
