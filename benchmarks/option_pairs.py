"""Every pair of declared options on a tiny study: refused by `check` with a reason, or run to the end.

    python benchmarks/option_pairs.py [--full] [KIND ...]

Pairs that `check` accepts are put into few studies that hold them all; each is run, report included. Those that take
the full PyMC model, whose every graph is compiled, are run with --full only. What is found is kept in
option_pairs.json, so that an interrupted run goes on. Prints a table: pairs, refused by `check`, run, died.
"""

import json
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from bayes_npp.errors import BayesNppError
from bayes_npp.pipeline import run_study
from bayes_npp.study.checks import check_study
from bayes_npp.study.study import load_study
from tests.study import pairs

KEPT = Path(__file__).with_suffix(".json")


def main(arguments: list[str]) -> None:
    full, kinds = "--full" in arguments, [kind for kind in arguments if kind != "--full"]
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.is_file() else {}
    print("| kind | pairs | refused by `check` | run | of them sampled in full | studies | died |")
    print("|---|---|---|---|---|---|---|")
    for kind in kinds or pairs.kinds():
        with tempfile.TemporaryDirectory() as name:
            for own in tried(kind, Path(name), kept.get(kind, {}).get("studies", {}), full):
                kept[kind] = own
                KEPT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        died = sum(found != "run" for found in own["studies"].values())
        print(f"| {kind} | {own['pairs']} | {own['refused']} | {own['accepted']} | {own['full']} | ", end="")
        print(f"{len(own['studies'])} | {died} |", flush=True)
        for chosen, found in own["studies"].items():
            if found != "run":
                print(f"died: {chosen}: {found}", flush=True)


def tried(kind: str, folder: Path, before: dict[str, str], full: bool) -> Iterator[dict[str, Any]]:
    """How many pairs there are and are refused, and what became of each study of the others, after every study."""
    pairs.write_panels(folder)

    @cache
    def accepted(chosen: tuple[pairs.Setting, ...]) -> bool:
        pairs.write_study(folder, pairs.content(kind, chosen))
        try:
            check_study(load_study(folder))
        except BayesNppError:
            return False
        return True

    every = list(pairs.pairs(kind))
    taken = [pair for pair in every if accepted(pair)]
    counts = {"pairs": len(every), "refused": len(every) - len(taken), "accepted": len(taken)}
    counts["full"] = sum(map(pairs.sampled_in_full, taken))
    studies = dict(before)
    yield {**counts, "studies": studies}
    chosen_studies = pairs.covering(kind, accepted, full=False)
    chosen_studies += pairs.covering(kind, accepted, full=True) if full else []
    for chosen in chosen_studies:
        label = "; ".join(map(str, chosen))
        if studies.get(label) != "run":
            pairs.write_study(folder, pairs.content(kind, chosen))
            started = time.time()
            studies[label] = run(folder)
            print(f"{kind}: {label}: {studies[label]} ({time.time() - started:.0f} s)", file=sys.stderr, flush=True)
            yield {**counts, "studies": studies}


def run(folder: Path) -> str:
    """Run the study in a folder: "run", or how it died."""
    with tempfile.TemporaryDirectory() as out, warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            run_study(folder, Path(out) / "out", quick=True, seed=1)
        except Exception as error:
            at = traceback.extract_tb(error.__traceback__)[-1]
            return f"{type(error).__name__}: {error} ({Path(at.filename).name}:{at.lineno})"
    return "run"


if __name__ == "__main__":
    main(sys.argv[1:])
