"""docs/benchmarks.md from the results of benchmarks/run.py, the ratios that were aimed at first."""

from pathlib import Path

import pandas as pd
from ratios import ratios

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
BUSY = 0.2  # cores busy with other work from which a part's seconds say less
TITLES = {
    "speed": (
        "One model, every sampler",
        "The default study, independent errors: 30 units x 9 periods, four regional slopes. Seconds from built "
        "specification to posterior, compilation included, in a warm process; *sampling*: without compilation and "
        "without the tree, ours with draws of all coefficients. Effective size: the smallest bulk ESS over slopes and "
        "scales, of weighted points Kish's. Ours and lme4's seconds are medians, others' the second of two fits "
        "(rstanarm: the only one).",
    ),
    "stages": (
        "Where the time goes",
        "A fit of the same model by weighted points, stage by stage; medians. Two cores: processors may take more than "
        "the wall shows.",
    ),
    "one_grouping": (
        "One grouping",
        "StatsPAI's `bayes_mixed` has one grouping: the default study with effects of units, none of years, one slope. "
        "Ours has the unit means of the controls too. Four chains each.",
    ),
    "points": (
        "Weighted points and chains",
        "The same posterior both ways (NUTS: 4 x 1,000 draws after 4 x 500 of warm-up), coefficients integrated out in "
        "both. Points: density without gradient; gradients: for mode and tables. Whole fit: from built specification "
        "to tree and diagnostics. Seconds are the least of several runs.",
    ),
    "unit_slopes": (
        "Slopes of units",
        "Effects and slopes of units, 12 periods, 4 x 1,000 draws by `auto`, beside lme4's REML point estimate of the "
        "same model on the same panel.",
    ),
    "intercepts": ("Effects of units", "The same without slopes of units; lme4 up to 30,000 units."),
    "grid": ("A thousand priors", "Refits of the default model."),
    "densities": (
        "An evaluation of the density",
        "Microseconds of a gradient of the collapsed density by error model, simulated panels, one thread; *before*: "
        "the code before importance sampling, in the same run.",
    ),
    "neighbours": (
        "Chains where theta is large",
        "For 1,000 effective draws of the worst element of theta, three runs each: gradients without those of warm-up, "
        "seconds of one core with it. Neighbour: the first fit's draws, where refits start from such.",
    ),
    "system_gmm": (
        "System GMM",
        "Arellano and Bond's firms: two steps, Windmeijer's correction, ten collapsed instruments; standard errors in "
        "brackets.",
    ),
    "within": (
        "Two-way fixed effects",
        "A million rows (100,000 units x 10 periods), then a fifth of them missing: from a panel in memory to slopes "
        "with errors clustered by unit. Small-sample factors differ in the seventh digit.",
    ),
    "calibration": ("Calibration", "Simulation-based calibration of the default model."),
    "ledger": (
        "Ledger",
        "Every claim of the default study over priors, measures and samples; a process each run, no report. *Before*: "
        "the code before importance sampling, in the same run, on the study of that time, which today's code runs too. "
        "The study as it is now also tries error models with a common factor, and they stand behind its verdicts. The "
        "full model: PyMC + nutpie, four regional slopes, compilation included.",
    ),
}


def page(content: dict) -> str:
    """The whole page."""
    parts, machine = content["parts"], content["machine"]
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`; the numbers are in `benchmarks/results.json`. Every part keeps the digest of the "
        f"code that it ran and is run again when that changes. {machine['cores']} cores, Python {machine['python']}.",
        "",
        *uniform(parts),
        "",
        "## What was aimed at",
        "",
        "Ratios of numbers in the tables below; nothing is typed.",
        "",
        table(ratios({name: record["rows"] for name, record in parts.items()})),
    ]
    for name, (heading, text) in TITLES.items():
        if name in parts:
            lines += ["", f"## {heading}", "", text, "", table(parts[name]["rows"])]
    lines += ["", "## The run", "", RUN, "", table([run_row(name, record) for name, record in parts.items()])]
    return "\n".join(lines) + "\n"


RUN = (
    "How busy the machine was. *Other work*: cores that anything else kept busy on average while the part ran; where "
    f"that is above {BUSY:g} seconds are too long and say less, and what runs on both cores suffers most."
)


def uniform(parts: dict) -> list[str]:
    """Whether all parts are of one version of the code, and which."""
    made = {record["made by"]["package"] for record in parts.values()}
    busy = [name for name, record in parts.items() if (record["cores busy with other work"] or 0) > BUSY]
    one = "All parts are of one version of the package" if len(made) == 1 else "**Parts are of several versions**"
    said = f"{one}, source digest {', '.join(sorted(f'`{digest}`' for digest in made))}."
    if absent := [heading.lower() for name, (heading, _) in TITLES.items() if name not in parts]:
        said += f" Not run yet: {', '.join(absent)}."
    if busy:
        named = ", ".join(TITLES[name][0].lower() for name in busy)
        said += f" The machine was busy with other work during: {named} (see [the run](#the-run))."
    return [said]


def run_row(name: str, record: dict) -> dict:
    return {
        "part": TITLES[name][0],
        "ended": record["ended"],
        "seconds": record["seconds"],
        "load average before": record["load average before"],
        "after": record["load average after"],
        "other work, cores": record["cores busy with other work"],
        "package": f"`{record['made by']['package']}`",
    }


def table(rows: list[dict]) -> str:
    frame = pd.DataFrame(rows, dtype=object)
    return frame.map(lambda v: "" if v is None or v != v else str(v)).to_markdown(index=False, disable_numparse=True)


def write(content: dict) -> None:
    PAGE.write_text(page(content), encoding="utf-8")
