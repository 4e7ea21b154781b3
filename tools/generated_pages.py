"""Pages written from results: `docs/validation.md`, `docs/gallery.md`, `docs/study.md`, and the numbers that pages quote.

`python tools/generated_pages.py` writes them; a test holds the committed pages to what would be written today.
"""

import csv
import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

from quoted_numbers import pages, written_anew

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "tests" / "reference"
GOLDEN = (  # files of golden numbers; the other files of the folder are data
    *("static_panel.csv", "textbook.csv", "lme4.csv", "bayes_sleepstudy_rstanarm.csv", "eight_schools.json"),
    *("gmm.csv", "gmm_diagnostics.json", "gmm_forum.csv", "gmm_published.csv", "panel_iv.csv"),
    *("mediation_jobs.csv", "mediation_jobs_published.csv", "fiscal_tfp"),
)
PAGES = {"results": "benchmarks", "weighted_points": "benchmarks"}  # simulations whose page has another name
TIERS = {
    "golden": "numbers of another program or a printed table are reproduced",
    "simulated": "no such numbers; panels of known truth are recovered, with the coverage or calibration shown",
    "oracle only": "tested against closed forms, dense algebra or another route of our own; no simulation has its page",
}
FIGURES = {  # beginnings of a figure's name: what it is, how it is read
    "slopes": ("Slopes of groups", "Each group in three columns: alone, unpooled, partially pooled. Compare within a group."),
    "shrinkage": ("Shrinkage", "Where each slope is without pooling, and where pooling takes it. Long lines are noisy groups."),
    "pooling": ("Slopes as the pooling prior widens", "On the left all groups share a slope, on the right each has its own."),
    "priors": ("Claims over priors", "Each mark is the probability of a claim under one prior. A wide spread is a fragile claim."),
    "sceptic": ("Claims under sceptical priors", "How narrow a prior around zero has to be before a claim stops convincing."),
    "specification": ("Claims over error models", "Every error model tried, simplest first, with the slope under each."),
    "measurement": ("Claims over measures", "One point for each way to measure outcome and exposure, sorted by the slope."),
    "predictive": ("Do the errors fit?", "A dot is what the residuals show, a bar what the error model produces. Dots outside bars are misfit."),
    "event_time": ("Before and after", "Slopes of later and earlier exposure. A later one that excludes zero is a warning."),
    "omitted": ("An omitted confounder", "What would be left of a claim if a confounder of a given strength had been left out."),
    "confounding": ("Confounding of mediator and outcome", "The indirect effect over the correlation of the two errors."),
    "factors": ("Common factors", "What moves all units at once, over time."),
}  # fmt: skip


def leaves(tree: object) -> int:
    """Numbers in a JSON tree."""
    if isinstance(tree, dict | list):
        return sum(leaves(item) for item in (tree.values() if isinstance(tree, dict) else tree))
    return isinstance(tree, int | float)


def size(name: str) -> str:
    """How many rows or numbers a golden file has."""
    path = REFERENCE / name
    if path.is_dir():
        path /= "published.csv"
    if path.suffix == ".json":
        return f"{leaves(json.loads(path.read_text(encoding='utf-8')))} numbers"
    with path.open(encoding="utf-8", newline="") as file:
        return f"{sum(1 for _ in csv.DictReader(file))} rows"


def golden(tests: list[str]) -> list[str]:
    """Golden files that tests read."""
    text = "".join((ROOT / test).read_text(encoding="utf-8") for test in tests)
    return [name for name in GOLDEN if re.search(rf"\b{re.escape(name)}\b", text)]


def tier(tests: list[str], simulations: list[str]) -> str:
    """The strongest kind of evidence that an estimator has."""
    return "golden" if golden(tests) else "simulated" if simulations else "oracle only"


def simulated(name: str, titles: dict[str, str]) -> str:
    return f"[{titles[name].lower()}]({PAGES.get(name, name)}.md)"


def results(name: str) -> dict:
    return json.loads((ROOT / "benchmarks" / f"{name}.json").read_text(encoding="utf-8"))


def benchmark(part: str) -> list[dict]:
    """Rows of a part of the benchmark."""
    return results("results")["parts"][part]["rows"]


def replications(ranks: dict[str, list]) -> int:
    return len(next(iter(ranks.values())))


def calibrations() -> list[tuple[str, str, int, int, int]]:
    """Simulation-based calibration: model, page, replications, quantities, replications whose sampler failed."""
    found = benchmark("calibration")[0]
    failed = found["replications whose sampler failed"]
    rows = [("the default model", "benchmarks", found["replications"], found["quantities"], failed)]
    batches = results("weighted_points")["batches"]
    count = sum(replications(batch["ranks"]) for batch in batches)
    failed = sum(batch["failed"] for batch in batches)
    rows.append(("the default model, weighted points", "benchmarks", count, len(batches[0]["ranks"]), failed))
    for page, parts in (
        ("factor_calibration", results("factor_calibration")),
        ("instrument_calibration", results("instrument_calibration")["ranks"]),
    ):
        for label, part in parts.items():
            label = {"factor": "errors with a common factor", "ar1+factor": "AR(1) errors with a common factor"}.get(
                label, label
            )
            rows.append((label, page, replications(part["ranks"]), len(part["ranks"]), part["failed"]))
    return rows


def validation() -> str:
    """The page of evidence."""
    known = tomllib.loads((ROOT / "tools" / "evidence.toml").read_text(encoding="utf-8"))
    titles = known["pages"]
    lines = [
        "# What stands behind each number",
        "",
        "Written by `make pages` from the results in `benchmarks/`, the golden numbers in `tests/reference/` and the tests",
        "that read them. Nothing here is typed by hand but names.",
        "",
        "## Trust, estimator by estimator",
        "",
        *[f"- **{name}**: {what}." for name, what in TIERS.items()],
        "",
        "Every estimator, whatever its tier, is also tested against an oracle: a closed form, dense algebra, or a second route.",
        "",
        "| estimator | tier | golden numbers | simulations of known truth | tests |",
        "|---|---|---|---|---|",
    ]
    for entry in known["estimator"]:
        simulations = entry.get("simulations", [])
        public = ", ".join(f"`bn.{name}`" for name in entry["names"])
        reads = ", ".join(f"`{name}` ({size(name)})" for name in golden(entry["tests"]))
        shown = ", ".join(simulated(name, titles) for name in simulations)
        tests = ", ".join(f"`{Path(test).name}`" for test in entry["tests"])
        lines.append(
            f"| {entry['title']}: {public} | **{tier(entry['tests'], simulations)}** | {reads} | {shown} | {tests} |"
        )
    lines += [
        "",
        "The source of every golden number is in [its table](../tests/reference/README.md). A file that several estimators",
        "share is counted with each. `fiscal_tfp` is a thesis whose data and log are public.",
        "",
        "## Calibration",
        "",
        "Parameters are drawn from the prior, outcomes from the model, and the posterior is computed. If all is right, the rank",
        "of the truth among the draws is uniform. The linked page shows each quantity with its band.",
        "",
        "| model | replications | quantities | sampler failed in |",
        "|---|---|---|---|",
        *[
            f"| [{label}]({page}.md) | {count} | {quantities} | {failed} |"
            for label, page, count, quantities, failed in calibrations()
        ],
        "",
        "## Coverage",
        "",
        "How often a 95 % interval covers the truth.",
        "",
        "| estimator | parameter | persistence | bias | coverage |",
        "|---|---|---|---|---|",
    ]
    for row in results("dynamic_panels"):
        if row["coverage"] is not None:
            lines.append(
                f"| {row['estimator']} | {row['parameter']} | {row['rho']} | {row['bias']:.3f} | {row['coverage']:.3f} |"
            )
    lines += [
        "",
        "These are the [dynamic panels](dynamic_panels.md). Coverage with [instruments](instrument_calibration.md), with",
        "[missing years](missing_mediators.md) and with [a common factor](factor_worlds.md) is on pages of its own.",
        "",
        "## Worlds: how often a verdict is wrong",
        "",
        "Simulated panels in which all groups have one slope, and panels in which they differ. *Here, not there*: separate",
        "regressions are significant in one group and not in another. *False pair*: the ledger supports, firmly, that one",
        "group's slope is larger than another's, and it is not.",
        "",
        "| world | panels | here, not there | joint test | panels of the ledger | some false pair |",
        "|---|---|---|---|---|---|",
    ]
    ledger = results("worlds")
    for name, stars in results("world_stars").items():
        if "here, not there" not in stars or name not in ledger:  # worlds of other questions
            continue
        pairs = ledger[name]["false pair"]
        cells = (
            stars["replications"],
            stars["here, not there"],
            stars["joint test"],
            len(pairs),
            pairs.count("supported"),
        )
        lines.append(f"| {name} | " + " | ".join(map(str, cells)) + " |")
    lines += [
        "",
        "More: [worlds](worlds.md).",
        "",
        "## Speed",
        "",
        "One model, every sampler, on the machine of the benchmark: [all of them](benchmarks.md).",
        "",
        "| sampler | seconds | effective draws a second |",
        "|---|---|---|",
    ]
    for row in benchmark("speed"):
        if "effective draws a second" in row:
            lines.append(f"| {row['model']} | {row['wall seconds']} | {row['effective draws a second']} |")
    return "\n".join(lines) + "\n"


def gallery() -> str:
    """Every figure of the snapshot, by kind, with how it is read; titles are the report's own."""
    home = ROOT / "reports" / "digital_trade"
    titles = {
        name: title
        for title, name in re.findall(r"\[([^\[\]]+)\]\(figures/([^)]+)\)", (home / "report.md").read_text("utf-8"))
    }
    lines = [
        "# Gallery of figures",
        "",
        "Written by `make pages` from the committed results of the default study. A run writes each figure as png and svg, with",
        "the table it is drawn from beside it.",
    ]
    names = sorted(path.name for path in (home / "figures").glob("*.png"))
    for beginning, (heading, how) in FIGURES.items():
        shown = [name for name in names if re.match(rf"{beginning}(_|\.)", name)]
        if shown:
            lines += ["", f"## {heading}", "", how]
        for name in shown:
            title = titles.get(name, heading)
            lines += ["", f"![{title}. {how}](../reports/digital_trade/figures/{name})", "", f"*{title}.*"]
    left = [name for name in names if not any(re.match(rf"{beginning}(_|\.)", name) for beginning in FIGURES)]
    if left:
        raise SystemExit(f"figures without a word on how they are read: {', '.join(left)}; add them to FIGURES")
    return "\n".join(lines) + "\n"


def study() -> str:
    """Every key of a study file."""
    from click.testing import CliRunner

    from bayes_npp.cli import cli

    return CliRunner().invoke(cli, ["schema", "--markdown"], catch_exceptions=False).stdout


WRITTEN: dict[str, Callable[[], str]] = {
    "docs/validation.md": validation,
    "docs/gallery.md": gallery,
    "docs/study.md": study,
}


def stale() -> dict[Path, str]:
    """Pages that differ from what would be written today, with their new text."""
    new = {ROOT / name: write() for name, write in WRITTEN.items()}
    new |= {path: written_anew(path.read_text(encoding="utf-8")) for path in pages() if path not in new}
    return {path: text for path, text in new.items() if not path.exists() or path.read_text(encoding="utf-8") != text}


if __name__ == "__main__":
    for path, text in stale().items():
        path.write_text(text, encoding="utf-8")
        print(f"written: {path.relative_to(ROOT)}")
