"""Every pair of declared options on a tiny study: refused by `check` with a reason, or run to the end.

    python benchmarks/option_pairs.py [--full] [KIND ...]

Pairs that `check` accepts are put into few studies that hold them all; each is run, report included. Those that take
the full PyMC model, whose every graph is compiled, are run with --full only. What is found is kept in
option_pairs.json, so that an interrupted run goes on; the table of it is docs/option_pairs.md.
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
PAGE = Path(__file__).parents[1] / "docs" / "option_pairs.md"
TEXT = """# Every pair of options: refused by `check`, or run to the end

Written by `benchmarks/option_pairs.py`; what became of each study is in `benchmarks/option_pairs.json`.

A setting is one value of one option: a key of a model's kind, a claim, a row of robustness, other measures, another
panel, another model beside. Every pair of settings is declared on a panel of 12 units and 7 periods. What `check` does
not refuse, with its reason, is put into few studies that together hold every such pair. Each is run to its report, with
warnings as errors. A study that ends otherwise has died.

Pairs that only the full PyMC model samples are compiled one by one, a minute each: they are run with `--full`, and the
table says how many of these studies have been.

"""


def main(arguments: list[str]) -> None:
    full, kinds = "--full" in arguments, [kind for kind in arguments if kind != "--full"]
    for kind in kinds or pairs.kinds():
        with tempfile.TemporaryDirectory() as name:
            for own in tried(kind, Path(name), kept().get(kind, {}).get("studies", {}), full):
                text = json.dumps({**kept(), kind: own}, indent=1, ensure_ascii=False)
                KEPT.write_text(text + "\n", encoding="utf-8")
        for chosen, found in own["studies"].items():
            if found != "run":
                print(f"{kind} died: {chosen}: {found}", flush=True)
    PAGE.write_text(TEXT + table(kept()), encoding="utf-8")


def table(found: dict[str, Any]) -> str:
    """Of every kind: pairs, refused, accepted, of these sampled in full and so tried with --full; studies, died."""
    lines = [
        "| kind | pairs | refused by `check` | accepted | of them only in full | studies | of them in full | died |"
    ]
    lines += ["|---|---|---|---|---|---|---|---|"]
    for kind, own in found.items():
        counts = [own[name] for name in ("pairs", "refused", "accepted", "full")]
        studies = own["studies"]
        wanted = own.get("in_full", ())
        in_full = f"{sum(label in studies for label in wanted)} of {len(wanted)}" if wanted else "not begun"
        died = sum(end != "run" for end in studies.values())
        cells = [*counts, len(studies), in_full if own["full"] else "none", died]
        lines.append(" | ".join(["", kind, *map(str, cells), ""]).strip())
    return "\n".join(lines) + "\n"


def kept() -> dict[str, Any]:
    """What earlier runs found, by kind; other processes may be at work on other kinds."""
    return json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.is_file() else {}


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
    counts: dict[str, Any] = {"pairs": len(every), "refused": len(every) - len(taken), "accepted": len(taken)}
    counts["full"] = sum(map(pairs.sampled_in_full, taken))
    in_full = pairs.covering(kind, accepted, full=True) if full else []
    chosen_studies = {
        "; ".join(map(str, chosen)): chosen for chosen in [*pairs.covering(kind, accepted, full=False), *in_full]
    }
    counts["in_full"] = ["; ".join(map(str, chosen)) for chosen in in_full]
    studies = {label: found for label, found in before.items() if label in chosen_studies}  # options may have changed
    yield {**counts, "studies": studies}
    for label, chosen in chosen_studies.items():
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
