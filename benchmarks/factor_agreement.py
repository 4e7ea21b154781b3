"""Models with common factors by both engines: loadings and coefficients integrated out, against everything sampled.

Usage: python benchmarks/factor_agreement.py [page]
Writes benchmarks/factor_agreement.json and docs/factor_agreement.md; "page" writes the page again from the numbers.
Goes on from the models that the file holds. A model takes ten to thirty minutes of two cores.
"""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from arviz_stats.base import array_stats

import bayes_npp as bn
from bayes_npp.bayesian.fitting.fit import Fit, fit_design, make_sampler
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.design.design import Design, build_design
from bayes_npp.panels.simulation import simulate

ROOT = Path(__file__).parents[1]
RESULTS, PAGE = ROOT / "benchmarks" / "factor_agreement.json", ROOT / "docs" / "factor_agreement.md"
STUDY, UNBALANCED = "default study", "simulated, 18 units x 9 periods, 15 % of the rows missing"
ERRORS = ("factor", "unit_scale+factor")
DRAWS = {"collapsed": (2000, 0.95), "nuts": (1000, 0.98)}  # of each of four chains, and target acceptance
NOTHING, SEED = 1e-9, 23  # outcome SDs: what is less is rounding, such as shifts that a balanced panel has not
ALLOWED = 4.0  # Monte Carlo standard errors


def main() -> None:
    content = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for data, errors, design in [] if sys.argv[1:] == ["page"] else designs():
        if errors not in content.setdefault(data, {}):
            content[data][errors] = compared(design)
            print(data, errors, content[data][errors], flush=True)
            RESULTS.write_text(json.dumps(content, indent=1) + "\n")
    write_page(content)


def designs() -> Iterator[tuple[str, str, Design]]:
    """The default study with regional slopes and an unbalanced panel with gaps, with and without scales of units."""
    study = bn.load_study(ROOT / "models" / "digital_trade")
    frame = simulate(18, 9, {"a": 0.3, "b": 0.1}, missing=0.15, seed=19).frame
    panel = bn.read_panel(frame, unit="unit", time="time", group="group")
    own = bn.Spec(outcome="outcome", exposure="exposure", controls=("control_1",), slopes="group")
    for errors in ERRORS:
        spec = study.spec(study.model("regions")).model_copy(update={"errors": errors})
        yield STUDY, errors, build_design(study.panel, spec, study.scales)
        yield UNBALANCED, errors, build_design(panel, own.model_copy(update={"errors": errors}))


def compared(design: Design) -> dict:
    """The farthest mean and SD of everything that both engines store, in Monte Carlo standard errors."""
    priors, fits, record = load_priors("weakly_informative"), {}, {}
    for engine, (draws, accept) in DRAWS.items():
        started = time.time()
        fits[engine] = fit_design(design, priors, make_sampler(engine, draws, 4, SEED, None, accept), engine)
        record[f"{engine}, seconds"] = round(time.time() - started, 1)
        record[f"{engine}, divergences"] = fits[engine].diagnostics.divergences
        record[f"{engine}, smallest effective size"] = round(fits[engine].diagnostics.effective)
    gaps = pd.DataFrame(gaps_of(*fits.values()))
    for kind in ("mean", "sd"):
        worst = gaps.loc[gaps[kind].idxmax()]
        record |= {f"{kind}, farthest": round(float(worst[kind]), 2), f"{kind}, of": worst["variable"]}
    slopes = [fit.tree["posterior"]["group_slope"].mean(("chain", "draw")).to_numpy().round(4) for fit in fits.values()]
    return record | {"compared": len(gaps), "slopes": [own.tolist() for own in slopes]}


def gaps_of(one: Fit, other: Fit) -> Iterator[dict]:
    """Gaps of every number of the posterior that both have, the common component apart, which is made of the others."""
    both = [fit.tree["posterior"] for fit in (one, other)]
    for name in sorted(set(both[0].data_vars) & set(both[1].data_vars)):
        ours, theirs = (own[name].to_numpy().reshape(own.sizes["chain"], own.sizes["draw"], -1) for own in both)
        for j in range(ours.shape[2]):
            pair = ours[..., j], theirs[..., j]
            if max(draws.std() for draws in pair) < NOTHING:
                continue
            row = {"variable": str(name)}
            for kind, of in (("mean", np.mean), ("sd", lambda draws: draws.std(ddof=1))):
                errors = [array_stats.mcse(draws, chain_axis=0, draw_axis=1, method=kind) for draws in pair]
                row[kind] = abs(of(pair[0]) - of(pair[1])) / float(np.hypot(*errors))
            yield row


def write_page(content: dict) -> None:
    rows = [
        {
            "data": data,
            "errors": "a factor, units of one scale" if errors == "factor" else "a factor, a scale for each unit",
            "numbers compared": found["compared"],
            "farthest mean (MCSE)": f"{found['mean, farthest']:.1f}",
            "farthest SD (MCSE)": f"{found['sd, farthest']:.1f}",
            "divergences": found["collapsed, divergences"],
            "divergences (full)": found["nuts, divergences"],
            "smallest effective size (full)": found["nuts, smallest effective size"],
            "seconds": f"{found['collapsed, seconds']:.0f}",
            "seconds (full)": f"{found['nuts, seconds']:.0f}",
        }
        for data, by_errors in content.items()
        for errors, found in by_errors.items()
    ]
    table = pd.DataFrame(rows)
    parts = [
        "# Two engines for models with common factors",
        "Written by `benchmarks/factor_agreement.py`; the numbers are in `benchmarks/factor_agreement.json`. "
        "The same posterior twice: with loadings, effects and slopes integrated out exactly, so that only scales, "
        f"shapes and the factor are sampled ({DRAWS['collapsed'][0]:,} draws of four chains), and with everything "
        f"sampled by PyMC and nutpie ({DRAWS['nuts'][0]:,} draws of four chains). Every scalar that both store is "
        "compared, factors and loadings with their signs fixed among them. Of so many gaps between means or SDs of one "
        "posterior the farthest is expected at about three Monte Carlo standard errors (MCSE); "
        f"{ALLOWED:.0f} are allowed.",
        table.to_markdown(index=False, disable_numparse=True),
        "Divergences are those of either run, and none was left out. Seconds are of a machine with other work.",
    ]
    PAGE.write_text("\n\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
