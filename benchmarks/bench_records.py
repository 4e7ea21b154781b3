"""The results file of the benchmark: each part beside what it was made by and how busy the machine was.

A part whose package, libraries and own code are those of its record is not run again.
"""

import hashlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bayes_npp.analysis.made_from import made_by
from bayes_npp.pipeline import NUMBERS

HERE = Path(__file__).parent
PROCESSORS = Path("/proc/stat")


def source_of(part: Callable) -> dict:
    """What a part's numbers are made by: the package's source, versions of libraries, the part's own module."""
    made = made_by(*NUMBERS)
    module = Path(sys.modules[part.__module__].__file__ or "").read_bytes()
    return {
        "package": made["source code"][:16],
        "part": hashlib.sha256(module).hexdigest()[:16],
        "versions": made["version of"],
    }


def is_current(record: dict | None, source: dict) -> bool:
    return record is not None and record["made by"] == source


def run_part(part: Callable, small: bool) -> dict:
    """A record: rows, what they are made by, when, and how busy the machine was."""
    source, before = source_of(part), os.getloadavg()[0]
    start, own, all_ = time.perf_counter(), seconds_of_ours(), seconds_of_all()
    rows = part(small)
    elapsed = time.perf_counter() - start
    others = None if all_ is None else (seconds_of_all() - all_) - (seconds_of_ours() - own)
    return {
        "made by": source,
        "ended": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "seconds": round(elapsed, 1),
        "load average before": round(before, 2),
        "load average after": round(os.getloadavg()[0], 2),
        "cores busy with other work": None if others is None else round(max(others, 0.0) / elapsed, 2),
        "rows": rows,
    }


def seconds_of_ours() -> float:
    """Processor seconds of this process and of those that it waited for."""
    found = os.times()
    return found.user + found.system + found.children_user + found.children_system


def seconds_of_all() -> float | None:
    """Processor seconds of everything on the machine; None where the system does not say."""
    if not PROCESSORS.is_file():
        return None
    user, nice, system, _, _, *interrupts = map(int, PROCESSORS.read_text().splitlines()[0].split()[1:9])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def read(path: Path) -> dict:
    content = json.loads(path.read_text()) if path.is_file() else {}
    return content if "machine" in content and "parts" in content else {"parts": {}, "machine": {}}


def write(path: Path, parts: dict) -> None:
    machine = {"cores": os.cpu_count(), "python": platform.python_version()}
    path.write_text(json.dumps({"machine": machine, "parts": parts}, indent=1) + "\n")
