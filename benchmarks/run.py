"""Speed beside peers: same data, same machine, every part with today's code.

    python benchmarks/run.py                 parts whose results are not of today's code; then the page
    python benchmarks/run.py grid within     these, whatever there is
    python benchmarks/run.py --small         every part at a small size, nothing written
    python benchmarks/run.py --page          the page from the results

A part that is done is kept in benchmarks/results.json with the digest of the code that it ran, so that a run that was
interrupted goes on. Peers are run by the interpreter that BENCH_PEERS names (`make bench` makes one from
benchmarks/peers/requirements.txt), or by R; those that do not run are named with their error.
"""

import sys
from pathlib import Path

import bench_page
from bench_records import is_current, read, run_part, source_of, write
from chains import densities, neighbours
from ledger import ledger
from many_fits import grid, intercepts, system_gmm, unit_slopes, within
from samplers import one_grouping, speed, stages
from weighted_points import calibration, points

RESULTS = Path(__file__).parent / "results.json"
PARTS = {
    part.__name__: part
    for part in (
        speed,
        stages,
        one_grouping,
        points,
        unit_slopes,
        intercepts,
        grid,
        densities,
        neighbours,
        system_gmm,
        within,
        calibration,
        ledger,
    )
}


def main(arguments: list[str]) -> None:
    small = "--small" in arguments
    named = [name for name in arguments if not name.startswith("--")]
    content = read(RESULTS)["parts"]
    content = {name: content[name] for name in PARTS if name in content}
    for name in [] if "--page" in arguments else named or list(PARTS):
        if not (small or named) and is_current(content.get(name), source_of(PARTS[name])):
            print(f"== {name}: kept", flush=True)
            continue
        print(f"== {name}", flush=True)
        record = run_part(PARTS[name], small)
        print({key: value for key, value in record.items() if key not in ("rows", "made by")}, flush=True)
        if not small:
            content[name] = record
            write(RESULTS, {part: content[part] for part in PARTS if part in content})
    if not small:
        bench_page.write(read(RESULTS))


if __name__ == "__main__":
    main(sys.argv[1:])
