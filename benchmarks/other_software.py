"""Software beside ours, in R or an interpreter of its own, on data from a file: its numbers, or why there are none.

The interpreter is that of the environment variable BENCH_PEERS, or this one.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

PEERS = Path(__file__).parent / "peers"
PYTHON = os.environ.get("BENCH_PEERS") or sys.executable
LONGEST = 1800  # seconds


def peer(script: str, frame: pd.DataFrame, *arguments: str) -> dict:
    """What a script of peers/ prints: its last line, a JSON object. {"error": ...} where it does not run."""
    program = "Rscript" if script.endswith(".R") else PYTHON
    if shutil.which(program) is None:
        return {"error": f"{Path(program).name} is not installed"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frame.csv"
        frame.to_csv(path, index=False)
        command = [program, str(PEERS / script), str(path), *arguments]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        try:
            done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=LONGEST)
        except subprocess.TimeoutExpired:
            return {"error": f"no answer within {LONGEST} s"}
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        print(f"{script}: {done.stderr[-2000:]}", flush=True)
        return {"error": last_words(done.stderr)}
    return json.loads(lines[-1])


def last_words(stderr: str) -> str:
    """The last line of an error, without folders of this machine."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip() and line.strip() != "Execution halted"]
    return re.sub(r"(/[\w.+-]+)+/", "", lines[-1])[:200] if lines else "it failed without a word"
