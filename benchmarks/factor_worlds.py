"""A common factor that the exposure shares: coverage of a slope, with and without a remedy.

Usage: python benchmarks/factor_worlds.py [replications | page]
Writes benchmarks/factor_worlds.json and docs/factor_worlds.md; "page" writes the page again from the numbers. Goes on
from the panels that the file holds. Two hundred replications take about an hour of one core.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import bayes_npp as bn
from bayes_npp.bayesian.fitting.fit import fit_design, make_sampler
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.design.design import build_design

ROOT = Path(__file__).parents[1]
RESULTS, PAGE = ROOT / "benchmarks" / "factor_worlds.json", ROOT / "docs" / "factor_worlds.md"
UNITS, PERIODS, SLOPE, ERROR_SD, CORRELATION = 30, 9, 0.15, 0.5, 0.8
WORLDS = {  # SD of the outcome's loadings, and of the exposure's
    "loading SD .7, shared": (0.7, 1.0),
    "loading SD .25, shared": (0.25, 1.0),
    "loading SD .15, shared": (0.15, 1.0),
    "loading SD .7, the outcome's alone": (0.7, 0.0),
}
FACTOR = "hierarchical, one common factor"
OWN = "TWFE, the exposure's own factor"
DRAWS, TUNE, CHAINS, ACCEPT = 1000, 500, 2, 0.9
PRIORS = load_priors("weakly_informative")
KEPT = ("estimate", "spread", "lo", "hi")


def main() -> None:
    if sys.argv[1:] != ["page"]:
        replications = int(sys.argv[1]) if len(sys.argv) > 1 else 200
        content = json.loads(RESULTS.read_text()) if RESULTS.exists() else {world: {} for world in WORLDS}
        for name, estimator in ESTIMATORS.items():
            for world in WORLDS:
                rows = content[world].setdefault(name, [])
                for seed in range(len(rows), replications):
                    rows.append(estimator(simulate(world, seed), seed))
                    if seed % 20 == 19 or seed == replications - 1:  # what there is survives an interruption
                        RESULTS.write_text(written(content))
                        print(f"{world}, {name}: {seed + 1} of {replications}", flush=True)
    write_page(json.loads(RESULTS.read_text()))


def simulate(world: str, seed: int) -> bn.Panel:
    """Loadings of outcome and exposure correlate; independent errors. Effects of units and periods change nothing."""
    outcome_sd, exposure_sd = WORLDS[world]
    random = np.random.default_rng([19, seed])
    factor, shared, own = (random.standard_normal(size) for size in (PERIODS, UNITS, UNITS))
    loading = outcome_sd * (CORRELATION * shared + np.sqrt(1 - CORRELATION**2) * own)
    cells = (UNITS, PERIODS)
    exposure = exposure_sd * np.outer(shared, factor) + random.standard_normal(cells)
    outcome = SLOPE * exposure + np.outer(loading, factor) + ERROR_SD * random.standard_normal(cells)
    unit, time = np.indices(cells).reshape(2, -1)
    frame = pd.DataFrame({"unit": unit, "time": time, "outcome": outcome.ravel(), "exposure": exposure.ravel()})
    return bn.read_panel(frame, unit="unit", time="time")


def spec(**options: str) -> bn.Spec:
    return bn.Spec(outcome="outcome", exposure="exposure", **options)


def kept(table: bn.Estimates) -> list[float]:
    row = table.frame.iloc[0]
    return [round(float(row[name]), 5) for name in KEPT]


def twfe(panel: bn.Panel, seed: int) -> list[float]:
    return kept(bn.twfe(panel, spec()))


def own_factor(panel: bn.Panel, seed: int) -> list[float]:
    return kept(bn.twfe(panel, spec(exposure_factor="fixed"), convention="cr1"))


def interactive(panel: bn.Panel, seed: int) -> list[float]:
    return kept(bn.interactive_fe(panel, spec(), covariance="classical", seed=seed + 1))


def interactive_clustered(panel: bn.Panel, seed: int) -> list[float]:
    return kept(bn.interactive_fe(panel, spec(), seed=seed + 1))


def factor_model(panel: bn.Panel, seed: int) -> list[float]:
    """The collapsed posterior; R-hat and bulk effective size of slopes, scales and common component beside it."""
    sampler = make_sampler("collapsed", DRAWS, CHAINS, seed + 1, TUNE, ACCEPT)
    fit = fit_design(build_design(panel, spec(errors="factor")), PRIORS, sampler, "collapsed")
    found = fit.diagnostics
    return [*kept(fit.estimates()), round(found.r_hat, 4), round(found.ess_bulk), found.divergences]


ESTIMATORS = {
    "TWFE": twfe,
    OWN: own_factor,
    "interactive effects, homoskedastic": interactive,
    "interactive effects, clustered": interactive_clustered,
    FACTOR: factor_model,
}


def written(content: dict[str, dict[str, list[list[float]]]]) -> str:
    """A panel a line."""
    text = json.dumps(content)
    return text.replace("[[", "[\n[").replace("], [", "],\n[").replace("]]", "]\n]") + "\n"


def summary(rows: list[list[float]]) -> dict[str, float]:
    values = np.array([row[: len(KEPT)] for row in rows])
    covered = (values[:, 2] <= SLOPE) & (values[:, 3] >= SLOPE)
    share = float(covered.mean())
    return {
        "panels": len(rows),
        "mean": float(values[:, 0].mean()),
        "mean_error": float(values[:, 0].std(ddof=1) / np.sqrt(len(rows))),
        "sd": float(values[:, 0].std(ddof=1)),
        "spread": float(values[:, 1].mean()),
        "coverage": share,
        "coverage_error": float(np.sqrt(share * (1 - share) / len(rows))),
    }


def write_page(content: dict[str, dict[str, list[list[float]]]]) -> None:
    parts = [
        "# A common factor that the exposure shares",
        "Written by `benchmarks/factor_worlds.py`; the numbers are in `benchmarks/factor_worlds.json`. Panels of "
        f"{UNITS} units x {PERIODS} periods: one common factor moves exposure and outcome, each unit with loadings of "
        f"its own (SD 1 for the exposure, as stated for the outcome, correlation {CORRELATION}); true slope {SLOPE}, "
        f"independent errors of SD {ERROR_SD}. In the last world the exposure has no part in the factor. Coverage is "
        "that of nominal 95 % intervals, Monte Carlo standard errors in brackets.",
    ]
    for world, found in content.items():
        own = {name: summary(rows) for name, rows in found.items() if rows}
        table = pd.DataFrame(
            {
                "estimator": list(own),
                "panels": [str(row["panels"]) for row in own.values()],
                "mean slope": [f"{row['mean']:.3f} ({row['mean_error']:.3f})" for row in own.values()],
                "SD over panels": [f"{row['sd']:.3f}" for row in own.values()],
                "mean SE or SD": [f"{row['spread']:.3f}" for row in own.values()],
                "coverage": [f"{row['coverage']:.3f} ({row['coverage_error']:.3f})" for row in own.values()],
            }
        )
        parts += [f"## {world[0].upper()}{world[1:]}", table.to_markdown(index=False, disable_numparse=True)]
    parts.append(
        "Two-way fixed effects are clustered by unit (`stata`; the exposure's own factor `cr1`). The own factor is the "
        "leading component over time of the exposure's two-way residual, a known column with a loading of each unit. "
        "Interactive effects search one factor in the outcome (Bai 2009), the hierarchical model with its prior: both "
        "need a factor strong enough to be found, and where it is weak they leave part of the bias: at SD .7 the "
        "hierarchical model's mean is still above the truth by several Monte Carlo errors. A weak factor "
        "is what no check of the errors sees. The own factor needs the exposure to carry it, not the outcome. "
        "See [statistics](statistics.md), section 6."
    )
    fits = [row[len(KEPT) :] for found in content.values() for row in found.get(FACTOR, [])]
    if fits:
        rhat, ess, divergences = np.array(fits).T
        parts.append(
            f"Sampler of the hierarchical model: {CHAINS} chains of {DRAWS} draws, judged on slopes, scales and the "
            f"common component. Over {len(fits)} fits: largest R-hat {rhat.max():.3f}, above 1.01 in "
            f"{(rhat > 1.01).sum()}; smallest bulk effective size {ess.min():.0f}, below 400 in {(ess < 400).sum()}; "
            f"divergences in {(divergences > 0).sum()}."
        )
    PAGE.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
