"""Missing years of a mediator: coverage and width of intervals when the last 30 % of the years are gone for every unit.

Usage: python benchmarks/missing_mediators.py [replications | page]
Writes benchmarks/missing_mediators.json, docs/missing_mediators.md and docs/figures/missing_mediators.png; "page"
writes page and figure again from the numbers. Sixty replications take about a quarter of an hour of one core.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

import bayes_npp as bn

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "missing_mediators.json"
PAGE = ROOT / "docs" / "missing_mediators.md"
FIGURE = ROOT / "docs" / "figures" / "missing_mediators.png"
UNITS, YEARS, MISSING = 30, 10, 3
PATH_A, PATH_B, DIRECT, PERSISTENCE = 0.5, 0.4, 0.2, 0.5
TRUTH = {"path_a": PATH_A, "path_b": PATH_B, "direct": DIRECT, "indirect": PATH_A * PATH_B}
NAMES = {"path_a": "a", "path_b": "b", "direct": "direct", "indirect": "indirect"}
TREATMENTS = {
    "nothing missing": {},
    "rows dropped": {"missing": "drop"},
    "extrapolated, line": {"missing": "extrapolate"},
    "extrapolated, last year carried": {"missing": "extrapolate", "extrapolation": "carry"},
    "imputed": {"missing": "impute"},
}
SPEC = bn.Spec(outcome="outcome", exposure="exposure")
DRAWS, CHAINS = 600, 2


def main() -> None:
    if sys.argv[1:] == ["page"]:
        content = json.loads(RESULTS.read_text())
        write_page(content)
        draw_figure(content)
        return
    replications = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    began, rows = time.time(), []
    for seed in range(replications):
        frame = simulate(seed)
        gone = frame.assign(mediator=frame["mediator"].where(frame["time"] <= YEARS - MISSING))
        for treatment, options in TREATMENTS.items():
            source = gone if options else frame
            panel = bn.read_panel(source, unit="unit", time="time")
            fit = bn.mediate(
                panel, SPEC, ["mediator"], mediator_errors="ar1", draws=DRAWS, chains=CHAINS, seed=seed + 1, **options
            )
            found = fit.estimates().frame
            r_hat = max(own.diagnostics.r_hat for own in fit.equations.values())
            ess = min(own.diagnostics.ess_bulk for own in fit.equations.values())
            for estimand, truth in TRUTH.items():
                row = found[found["estimand"] == estimand].iloc[0]
                own = {name: float(row[name]) for name in ("estimate", "lo", "hi")}
                labels = {"seed": seed, "treatment": treatment, "estimand": estimand, "truth": truth}
                rows.append({**labels, **own, "r_hat": r_hat, "ess": ess})
        if seed % 10 == 9:
            print(f"{seed + 1} of {replications}, {time.time() - began:.0f} s", flush=True)
    results = summarise(pd.DataFrame(rows))
    content = {
        "replications": replications,
        "units": UNITS,
        "years": YEARS,
        "missing_years": MISSING,
        "persistence": PERSISTENCE,
        "draws": DRAWS,
        "chains": CHAINS,
        "results": results,
    }
    RESULTS.write_text(json.dumps(content, indent=2) + "\n")
    write_page(content)
    draw_figure(content)


def simulate(seed: int) -> pd.DataFrame:
    """A panel whose mediator has AR(1) errors: the model that imputation assumes is the truth."""
    random = np.random.default_rng([30, seed])
    unit, year = np.repeat(np.arange(UNITS), YEARS), np.tile(np.arange(YEARS), UNITS)
    effects = [random.standard_normal(UNITS)[unit] + 0.3 * random.standard_normal(YEARS)[year] for _ in range(2)]
    exposure = 0.5 * (effects[0] + effects[1]) + random.standard_normal(len(unit))
    errors = 0.5 * random.standard_normal((UNITS, YEARS))
    errors[:, 0] /= np.sqrt(1 - PERSISTENCE**2)
    for t in range(1, YEARS):
        errors[:, t] += PERSISTENCE * errors[:, t - 1]
    mediator = PATH_A * exposure + effects[0] + errors.ravel()
    outcome = DIRECT * exposure + PATH_B * mediator + effects[1] + 0.5 * random.standard_normal(len(unit))
    return pd.DataFrame(
        {
            "unit": [f"unit {i + 1:02d}" for i in unit],
            "time": year + 1,
            "exposure": exposure,
            "mediator": mediator,
            "outcome": outcome,
        }
    )


def summarise(frame: pd.DataFrame) -> list[dict]:
    frame = frame.assign(
        covered=(frame["lo"] <= frame["truth"]) & (frame["truth"] <= frame["hi"]), width=frame["hi"] - frame["lo"]
    )
    complete = frame[frame["treatment"] == "nothing missing"].groupby("estimand")["width"].mean()
    out = []
    for (treatment, estimand), own in frame.groupby(["treatment", "estimand"], sort=False):
        n, covered = len(own), int(own["covered"].sum())
        interval = stats.binomtest(covered, n).proportion_ci(0.95, "wilson")
        error = float(own["estimate"].std() / np.sqrt(n)) if n > 1 else float("nan")
        out.append(
            {
                "treatment": treatment,
                "estimand": estimand,
                "truth": float(own["truth"].iloc[0]),
                "bias": round(float((own["estimate"] - own["truth"]).mean()), 4),
                "bias_error": round(error, 4),
                "width": round(float(own["width"].mean()), 4),
                "width_to_complete": round(float(own["width"].mean() / complete[estimand]), 3),
                "coverage": round(covered / n, 3),
                "coverage_lo": round(float(interval.low), 3),
                "coverage_hi": round(float(interval.high), 3),
                "largest_r_hat": round(float(own["r_hat"].max()), 4),
                "smallest_ess": round(float(own["ess"].min()), 0),
            }
        )
    return out


def write_page(content: dict) -> None:
    found = pd.DataFrame(content["results"])
    parts = [
        "# Missing years of a mediator",
        f"Written by `benchmarks/missing_mediators.py`; the numbers are in `benchmarks/missing_mediators.json`. "
        f"Simulated panels, no data: {content['replications']} panels of {UNITS} units and {YEARS} years (seeds 0 to "
        f"{content['replications'] - 1}). A mediator is {PATH_A} times the exposure plus effects of units and years "
        f"and AR(1) errors ({PERSISTENCE}); the outcome {DIRECT} times the exposure plus {PATH_B} times the mediator "
        f"plus effects and independent errors. The mediator's last {MISSING} years ({100 * MISSING // YEARS} %) are "
        "then deleted for every unit, as where an index stops and a paper extrapolates it. Every treatment has the "
        "same "
        "equations (AR(1) errors of the mediator, correlated effects, weak priors), so that they differ in the missing "
        "cells alone. Imputation's model is the truth here: it shows that the computation is right, not that a real "
        "index follows an AR(1), nor that its years are missing for ignorable reasons.",
        "![Coverage and width of 95 % intervals by treatment of the missing years](figures/missing_mediators.png)",
    ]
    for estimand in NAMES:
        own = found[found["estimand"] == estimand]
        table = pd.DataFrame(
            {
                "missing years": own["treatment"],
                "bias (MC error)": [f"{b:+.3f} ({e:.3f})" for b, e in zip(own["bias"], own["bias_error"], strict=True)],
                "mean width of the interval": own["width"].map("{:.3f}".format),
                "over that with nothing missing": own["width_to_complete"].map("{:.2f}".format),
                "coverage [95 % Wilson interval]": [
                    f"{c:.3f} [{lo:.3f}, {hi:.3f}]"
                    for c, lo, hi in zip(own["coverage"], own["coverage_lo"], own["coverage_hi"], strict=True)
                ],
            }
        )
        truth = own["truth"].iloc[0]
        parts += [f"## {NAMES[estimand]} (truth {truth:g})", table.to_markdown(index=False, disable_numparse=True)]
    parts.append(
        "Dropping the rows and imputing the cells both cover as they should, within Monte Carlo error. Their intervals "
        "are wider than with nothing missing, as they have to be; those of imputation are a little narrower than "
        "after dropping, because the rows keep their outcome and exposure. Extrapolated cells follow a line, or stand "
        "still, whatever the exposure does in those years: path a comes out too small, path b is diluted as by any "
        "error of measurement, and the interval of the indirect effect is narrower than with nothing "
        "missing. The exposure here "
        "varies freely from year to year, which is hard on extrapolation; where exposure and mediator move smoothly "
        "its error may be smaller. How large it is for a given index no simulation says."
    )
    worst = found[found["treatment"] == "imputed"]
    r_hat, ess = worst["largest_r_hat"].max(), worst["smallest_ess"].min()
    parts.append(
        f"Sampler: {CHAINS} chains of {DRAWS} draws. Over all panels the imputing fits' largest R-hat is {r_hat:.3f}, "
        f"their smallest bulk effective sample size {ess:.0f}: enough for coverage over panels, below the gate of the "
        "package for a single fit, which takes longer chains."
    )
    PAGE.write_text("\n\n".join(parts) + "\n")


def draw_figure(content: dict) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    found = pd.DataFrame(content["results"])
    order = list(TREATMENTS)[::-1]
    figure, axes = plt.subplots(1, 2, figsize=(9.5, 4), sharey=True, layout="constrained")
    marks = {"path_a": "o", "path_b": "s", "indirect": "D"}
    for j, (estimand, mark) in enumerate(marks.items()):
        own = found[found["estimand"] == estimand].set_index("treatment").loc[order]
        at = np.arange(len(order)) + 0.18 * (1 - j)
        error = np.array([own["coverage"] - own["coverage_lo"], own["coverage_hi"] - own["coverage"]])
        axes[0].errorbar(own["coverage"], at, xerr=np.abs(error), fmt=mark, ms=5, lw=1, label=NAMES[estimand])
        axes[1].plot(own["width_to_complete"], at, mark, ms=5)
    axes[0].axvline(0.95, color="0.6", lw=1, zorder=0)
    axes[1].axvline(1.0, color="0.6", lw=1, zorder=0)
    axes[0].set(
        yticks=np.arange(len(order)), yticklabels=order, xlim=(-0.02, 1.02), xlabel="coverage of 95 % intervals"
    )
    axes[1].set(xlabel="mean width, 1 = nothing missing")
    axes[0].legend(title="path or effect", loc="upper left", fontsize=8)
    figure.suptitle(
        f"Simulation: a mediator's last {content['missing_years']} of {content['years']} years missing for every unit",
        fontsize=10,
    )
    FIGURE.parent.mkdir(exist_ok=True)
    figure.savefig(FIGURE, dpi=150, metadata={"Software": None})
    plt.close(figure)


if __name__ == "__main__":
    main()
