"""Runs interrupted, killed, and their stored files altered: nothing false may be kept, everything else must come back.

    python benchmarks/trials.py interrupts 40    SIGINT and SIGTERM while either engine samples
    python benchmarks/trials.py kills 20         SIGKILL at any moment of a run, then the run again: csv files as ever
    python benchmarks/trials.py alterations 60   stored files altered in one of five ways, then the run again

Each trial is a process forked from one that has loaded the libraries, so that it starts at once. What is altered, and
when a signal comes (after which line, how many seconds), follows from a seed; what the process is doing then does not.
"""

import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
TINY = ROOT / "tests" / "studies" / "tiny"
AT_ONCE = 6  # altered files of a run
RESULTS = "results.json"  # a run writes it and reads it never; what `report` makes of a damaged one is a fast test
KILLED, WRONG = "killed and the same after it", "WRONG"
WAIT = 900.0  # seconds that a process may take to end
LINES = """[study]
title = "Interrupted"
panel = "panel.csv"
unit = "unit"
time = "time"
group = "group"

[roles]
outcome = "outcome"
exposure = "exposure"

"""
MODEL = """[[model]]
name = "{name}"
kind = "hierarchical"
slopes = "group"
errors = "{errors}"
engine = "{engine}"
draws = {draws}
tune = {tune}
chains = 2
ladder = false

"""
# Long in kept draws, and long in warm-up, whose draws agree with each other.
LENGTHS = {"draws": (300_000, 200), "warm-up": (1_000, 300_000)}


def started(arguments: list[str], log: Path, sampling: int | None = None) -> int:
    """The command line in a forked process; it writes to `sampling` when a sampler starts. Returns its id."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(out, 1)
        os.dup2(out, 2)
        if sampling is not None:
            import nutpie

            own = nutpie.sample

            def sample(*given, **options):
                os.write(sampling, b".")
                return own(*given, **options)

            nutpie.sample = sample
        from bayes_npp.cli import main

        sys.argv = ["bayes-npp", *arguments]
        main()
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def ended(child: int) -> int:
    """The exit code of a process, negative of one that a signal ended."""
    limit = time.time() + WAIT
    while time.time() < limit:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return 999


def interrupts(number: int, folder: Path) -> Counter:
    """SIGINT and SIGTERM while a sampler works: exit 130 or 143, no traceback, nothing stored."""
    import bayes_npp as bn
    from bayes_npp.bayesian.fitting import fit

    frame = bn.simulate(10, 6, {"north": 0.5, "south": 0.1}, seed=2).frame
    studies = {}
    for engine in ("collapsed", "nuts"):
        for length, (draws, tune) in LENGTHS.items():
            study = folder / f"{engine}-{length}"
            study.mkdir()
            frame.to_csv(study / "panel.csv", index=False)
            options = {"engine": engine, "draws": draws, "tune": tune, "errors": "iid"}
            (study / "study.toml").write_text(LINES + MODEL.format(name="groups", **options))
            studies[engine, length] = study
    compile_once(studies["nuts", "draws"], fit)
    random = np.random.default_rng(18)
    found: Counter = Counter()
    for trial in range(number):
        engine, length = list(studies)[trial % len(studies)]
        own, code = [(signal.SIGINT, 130), (signal.SIGTERM, 143)][trial // len(studies) % 2]
        out, log = folder / f"out-{trial}", folder / f"log-{trial}"
        ready, sampling = os.pipe()
        child = started(["run", str(studies[engine, length]), "--out", str(out)], log, sampling)
        os.read(ready, 1)
        moment = float(random.uniform(0, 2))
        time.sleep(moment)
        os.kill(child, own)
        got, text = ended(child), log.read_text()
        stored = sorted(path.name for path in out.rglob("*") if path.is_file())
        good = got == code and not stored and "Traceback" not in text and "interrupted" in text
        found[f"{engine}, {own.name}: " + ("as it should be" if good else "WRONG")] += 1
        print(trial, engine, length, own.name, f"{moment:.2f} s", "exit", got, stored, flush=True)
        if not good:
            print(text)
        os.close(ready)
        os.close(sampling)
    return found


def compile_once(study: Path, module) -> None:
    """Compile the full model before the trials, which are about sampling."""
    import bayes_npp as bn
    from bayes_npp.bayesian.model.prepare import prepare
    from bayes_npp.bayesian.model.pymc_model import build_model

    loaded = bn.load_study(study)
    model = loaded.models[0]
    data = prepare(loaded.sample.design(loaded.spec(model)))
    compiled = module.compile_model(build_model(data, loaded.priors(model)))
    module.compile_model = lambda _: compiled


def reference(folder: Path) -> tuple[Path, dict[str, bytes], int]:
    """The tiny study run without disturbance: its folder, its csv files, the lines that it says until it is written."""
    out, log = folder / "reference", folder / "log-reference"
    code = ended(started(arguments(out), log))
    if code not in (0, 3):
        raise SystemExit(log.read_text())
    return out, csv_files(out), 1 + log.read_text().splitlines().index(f"writing {out}")


def arguments(out: Path) -> list[str]:
    return ["run", str(TINY), "--quick", "--seed", "1", "--out", str(out)]


def csv_files(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.rglob("*.csv"))}


def kills(number: int, folder: Path) -> Counter:
    """SIGKILL at any moment of a run, so many times; the run again gives the same csv files, no temporary file."""
    _, files, lines = reference(folder)
    random = np.random.default_rng(19)
    found: Counter = Counter()
    trial = 0
    while found[KILLED] < number and not found[WRONG]:
        trial += 1
        out, log = folder / "killed", folder / f"log-{trial}"
        shutil.rmtree(out, ignore_errors=True)
        line, moment = int(random.integers(1, lines + 1)), float(random.uniform(0, 0.5))
        child = started(arguments(out), log)
        while not log.exists() or len(log.read_text().splitlines()) < line:
            time.sleep(0.01)
        time.sleep(moment)
        os.kill(child, signal.SIGKILL)
        killed = ended(child)
        left = len(list(out.rglob(".bayes-npp-*"))) if out.exists() else 0
        stored = len(list(out.rglob("*.nc"))) if out.exists() else 0
        code = ended(started(arguments(out), log))
        same = csv_files(out) == files
        good = code in (0, 3) and same and not list(out.rglob(".bayes-npp-*"))
        found[WRONG if not good else KILLED if killed == -9 else "ended before"] += 1
        print(
            trial,
            f"{moment:.2f} s after line {line} of {lines}",
            killed,
            f"{stored} stored, {left} temporary",
            code,
            same,
            flush=True,
        )
        if not good:
            print(log.read_text())
    return found


def alterations(number: int, folder: Path) -> Counter:
    """Stored files altered, `AT_ONCE` a run; the run again names each, makes it anew, and gives the same csv files."""
    out, files, _ = reference(folder)
    other = another_study(folder)
    random = np.random.default_rng(20)
    ways = {"flipped": flip, "cut off": cut, "values": change_values, "edited": edit, "another study's": None}
    found: Counter = Counter()
    for begin in range(0, number, AT_ONCE):
        done: dict[str, tuple[str, bytes]] = {}
        for trial in range(begin, min(begin + AT_ONCE, number)):
            way = list(ways)[trial % len(ways)]
            ending = {"values": ".nc", "edited": ".json"}.get(way, "")
            stored = sorted(path for path in (out / "fits").iterdir() if path.name.endswith(ending))
            stored = [path for path in stored if path.name != RESULTS]
            left = [path for path in stored if path.name not in done]
            path = left[random.integers(len(left))]
            before = path.read_bytes()
            if way == "another study's":
                shutil.copy(other / "fits" / path.name, path)
            else:
                ways[way](path, random)
            assert path.read_bytes() != before
            done[path.name] = (way, before)
        log = folder / f"log-{begin}"
        code, same = ended(started(arguments(out), log)), csv_files(out) == files
        text = log.read_text()
        for name, (way, before) in done.items():
            named = f"{name} is damaged" in text or f"{name} is stale" in text
            again = (out / "fits" / name).read_bytes() == before
            good = code in (0, 3) and named and same and again and "Traceback" not in text
            found[f"{way}: " + ("found and made again" if good else "WRONG")] += 1
            print(
                way, name, code, "named" if named else "NOT NAMED", same, "as before" if again else "OTHER", flush=True
            )
            if not good:
                print(text)
    return found


def another_study(folder: Path) -> Path:
    """A run of the tiny study on other data."""
    import pandas as pd

    study, out, log = folder / "other_study", folder / "other", folder / "log-other"
    shutil.copytree(TINY, study)
    panel = pd.read_csv(study / "panel.csv")
    panel.loc[0, "exposure"] += 0.1
    panel.to_csv(study / "panel.csv", index=False)
    if ended(started(["run", str(study), "--quick", "--seed", "1", "--out", str(out)], log)) not in (0, 3):
        raise SystemExit(log.read_text())
    return out


def flip(path: Path, random: np.random.Generator) -> None:
    """One bit of one byte."""
    whole = bytearray(path.read_bytes())
    whole[random.integers(len(whole))] ^= 1 << random.integers(8)
    path.write_bytes(whole)


def cut(path: Path, random: np.random.Generator) -> None:
    """The end left out."""
    whole = path.read_bytes()
    path.write_bytes(whole[: random.integers(len(whole))])


def change_values(path: Path, random: np.random.Generator) -> None:
    """All values of one array shifted or lost, the file written by other means."""
    import xarray as xr

    with xr.open_datatree(path, engine="h5netcdf") as opened:
        tree = opened.load()
    group = tree["posterior"] if "posterior" in tree.children else tree
    names = [name for name, array in group.data_vars.items() if array.dtype.kind == "f"]
    name = names[random.integers(len(names))]
    group[name] = group[name] * np.nan if random.uniform() < 0.5 else group[name] + 1
    tree.to_netcdf(path, engine="h5netcdf")


def edit(path: Path, random: np.random.Generator) -> None:
    """One number of a JSON file made another, and the file written as this package writes it."""
    content = json.loads(path.read_text())
    places = []

    def walk(value):
        for key, own in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(own, dict | list):
                walk(own)
            elif isinstance(own, float):
                places.append((value, key))

    walk(content)
    holder, key = places[random.integers(len(places))]
    holder[key] = 0.9975 if holder[key] != 0.9975 else 0.5
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False, sort_keys=True) + "\n")


def main() -> None:
    # Loaded once, here.
    import nutpie  # noqa: F401
    import pymc  # noqa: F401

    import bayes_npp.bayesian.collapsed.kernel
    import bayes_npp.pipeline  # noqa: F401

    trials = {trial.__name__: trial for trial in (interrupts, kills, alterations)}
    name, number = sys.argv[1], int(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        found = trials[name](number, Path(folder))
    for what, count in sorted(found.items()):
        print(f"{what}: {count}")
    sys.exit(any("WRONG" in what for what in found))


if __name__ == "__main__":
    main()
