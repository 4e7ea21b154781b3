"""Simulated worlds with known truth: what the ledger's rule says of them, and what "significant here, not there" says.

Usage: python benchmarks/worlds.py [replications | page]
Writes benchmarks/worlds.json and docs/worlds.md; "page" writes the page again from the numbers. A thousand replications
take about an hour of two cores.
"""

import json
import multiprocessing
import sys
import time
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats
from threadpoolctl import threadpool_limits

import bayes_npp as bn
from bayes_npp.analysis.comparison import CLEAR
from bayes_npp.analysis.ladder import WITHOUT_FACTORS as ERRORS
from bayes_npp.analysis.ladder import decisive
from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.collapsed.kernel import density_callback, identity_callback
from bayes_npp.bayesian.comparison.homogeneity import factor_of_equal_slopes
from bayes_npp.bayesian.fitting.diagnostics import diagnose
from bayes_npp.bayesian.fitting.posterior import in_data_units
from bayes_npp.bayesian.fitting.predictive_checks import checks_at
from bayes_npp.bayesian.fitting.sample import Sampler, draw_density
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.claims.verdicts import CONTRADICTED, SUPPORTED, Known, Seen, fragile, verdict
from bayes_npp.design.design import build_design
from bayes_npp.design.propositions import parse_proposition
from bayes_npp.design.slope_contrasts import contrasts
from bayes_npp.frequentist.hypotheses.equal_slopes import equal_slopes
from bayes_npp.frequentist.least_squares.static import linear_fit

ROOT = Path(__file__).parents[1]
RESULTS, PAGE = ROOT / "benchmarks" / "worlds.json", ROOT / "docs" / "worlds.md"
UNITS, PERIODS, GROUPS = 30, 9, ("A", "B", "C", "D")
PERSISTENCE = 0.7  # of the exposure and the control; where they have none, AR(1) errors harm nobody
SAME = dict.fromkeys(GROUPS, 0.15)
DIFFERENT = dict(zip(GROUPS, (0.45, 0.25, 0.1, -0.05), strict=True))
AR1, UNIT_SCALES = {"autocorrelation": 0.6}, {"unit_scale_sd": 0.6}
WORLDS = {
    "one slope, independent errors": {"slopes": SAME},
    "one slope, AR(1) .6 errors": {"slopes": SAME, **AR1},
    "one slope, a scale for each unit": {"slopes": SAME, **UNIT_SCALES},
    "strong differences, independent errors": {"slopes": DIFFERENT},
    "strong differences, AR(1) .6 errors": {"slopes": DIFFERENT, **AR1},
    "strong differences, a scale for each unit": {"slopes": DIFFERENT, **UNIT_SCALES},
    "no effect, independent errors": {"slopes": dict.fromkeys(GROUPS, 0.0)},
}
MEDIATOR = "mediator without a path to the outcome"
SPEC = bn.Spec(outcome="outcome", exposure="exposure", controls=("control_1",))
PRIORS = load_priors("weakly_informative")
GLANCE = Sampler(draws=300, tune=150, chains=2, target_accept=0.6)  # enough for the checks of errors
SHORT = Sampler(draws=500, tune=200, chains=4, target_accept=0.6)
LONG = Sampler(draws=1000, tune=500, chains=4, target_accept=0.9)
AVERAGE = parse_proposition("average_slope_twfe_weighted > 0")
PAIRS = [parse_proposition(f"slope[{a}] > slope[{b}]") for a, b in permutations(GROUPS, 2)]
SLOPE_DRAWS = 800  # draws of the slopes
TOLD = (SUPPORTED, fragile(SUPPORTED))


def main() -> None:
    if sys.argv[1:] == ["page"]:
        write_page(json.loads(RESULTS.read_text()))
        return
    replications = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    tasks = [(name, seed) for seed in range(1, replications + 1) for name in (*WORLDS, MEDIATOR)]
    began, found = time.time(), {name: [] for name in (*WORLDS, MEDIATOR)}
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        for done, (name, row) in enumerate(pool.imap(one_world, tasks, chunksize=8), start=1):
            found[name].append(row)
            if done % 400 == 0 or done == len(tasks):  # what there is survives an interruption
                print(f"{done} of {len(tasks)}, {time.time() - began:.0f} s", flush=True)
                write_results(found)
    write_page(json.loads(RESULTS.read_text()))


def write_results(found: dict[str, list[dict]]) -> None:
    content = {
        "units": UNITS,
        "periods": PERIODS,
        "persistence": PERSISTENCE,
        "draws": SHORT.draws * SHORT.chains,
        "slopes": {"same": SAME, "different": DIFFERENT},
        "worlds": {name: {"replications": len(rows), **summarise(rows)} for name, rows in found.items() if rows},
    }
    RESULTS.write_text(json.dumps(content, indent=2) + "\n")


def one_world(task: tuple[str, int]) -> tuple[str, dict[str, bool | str]]:
    """One simulated panel under every reading."""
    name, seed = task
    with threadpool_limits(limits=1):
        return name, (no_path(seed) if name == MEDIATOR else slopes_of_groups(WORLDS[name], seed))


def slopes_of_groups(world: dict, seed: int) -> dict[str, bool | str]:
    frame = bn.simulate(UNITS, PERIODS, seed=seed, regressor_persistence=PERSISTENCE, **world).frame
    panel = bn.read_panel(frame, unit="unit", time="time", group="group")
    spec = bn.Spec(**{**SPEC.model_dump(), "slopes": "group"})
    separate = [significant(frame[frame["group"] == group]) for group in GROUPS]
    out: dict[str, bool | str] = {
        "here, not there": any(separate) and not all(separate),
        "joint test": bool(equal_slopes(build_design(panel, spec)).p_value < 0.05),
        "TWFE, one slope > 0": significant(frame),
    }
    for errors in ERRORS:
        own = bn.Spec(**{**spec.model_dump(), "errors": errors})
        if errors in ("ar1", "unit_scale") and not told(panel, own, replace(GLANCE, seed=seed))["errors fit"]:
            continue
        found = told(panel, own, replace(SHORT, seed=seed))
        if found["sampler failed"]:
            found = told(panel, own, replace(LONG, seed=seed))
        if errors == "iid":
            out |= {f"iid {key}": value for key, value in found.items()}
        if found["errors fit"]:
            break
    return out | found | {"errors": errors}


def told(panel: bn.Panel, spec: bn.Spec, sampler: Sampler) -> dict[str, bool]:
    """What the ledger's rule says of the average and of every ordered pair, before priors and measures are varied."""
    design = build_design(panel, spec)
    data = prepare(design)
    collapsed = collapse(data, PRIORS)
    thetas, about = draw_density(density_callback, identity_callback, collapsed.packed, collapsed.start, sampler)
    diagnostics = diagnose({"theta": thetas}, about)
    flat = thetas.reshape(-1, thetas.shape[2])
    some = np.ascontiguousarray(flat[np.linspace(0, len(flat) - 1, SLOPE_DRAWS).astype(int)])
    draws = collapsed.coefficients(some, sampler.seed, with_units=True)
    checked = {name: values[::2] for name, values in draws.items()}
    checks = checks_at(checked, data, sampler.seed)
    factor = factor_of_equal_slopes(collapsed, PRIORS, flat)
    asked = contrasts([AVERAGE, *PAIRS], design)
    probability = asked.holds(asked.values(in_data_units(draws, data)["group_slope"])).mean(axis=1)
    fits, differ = all(check.passed for check in checks), factor.factor < 1 / 3
    average, *pairs = (
        verdict(Known(Seen(float(p), None, differ if k else None, diagnostics.passed), errors_fit=fits)).name
        for k, p in enumerate(probability)
    )
    return {
        "average supported": average in TOLD,
        "average contradicted": average == CONTRADICTED,
        "a pair supported": any(name in TOLD for name in pairs),
        "slopes differ": factor.reading == "slopes differ",
        "slopes are alike": factor.reading == "slopes are alike",
        "a sign clear": bool((probability[1:] >= CLEAR).any()),
        "sampler failed": not diagnostics.passed,
        "errors fit": all(check.passed for check in checks if check.name in decisive()),
    }


def no_path(seed: int) -> dict[str, bool | str]:
    """The exposure moves the mediator, and the mediator does not move the outcome."""
    frame = bn.simulate_mediation(UNITS, PERIODS, {"all": (0.5,)}, {"all": (0.0,)}, seed=seed).frame
    panel = bn.read_panel(frame, unit="unit", time="time")
    first = bn.Spec(outcome="mediator_1", exposure="exposure")
    step = bn.twfe(panel, first).frame.set_index("term").loc["exposure"]
    spec = bn.Spec(outcome="outcome", exposure="exposure")
    for draws in (SHORT.draws, LONG.draws):
        found = bn.mediate(panel, spec, ["mediator_1"], draws=draws, seed=seed)
        if not found.failures:
            break
    rows = found.estimates().frame
    row = rows[(rows["estimand"] == "indirect") & (rows["group"] == "")].iloc[0]
    name = verdict(Known(Seen(float(row["prob_positive"]), answered=not found.failures))).name
    return {
        "first step significant": bool(step["p_value"] < 0.05),
        "indirect supported": name in TOLD,
        "indirect contradicted": name == CONTRADICTED,
        "sampler failed": bool(found.failures),
    }


def significant(frame: pd.DataFrame) -> bool:
    """Whether TWFE with errors clustered by unit finds a positive slope with p < 0.05."""
    panel = bn.read_panel(frame, unit="unit", time="time")
    fit = linear_fit(build_design(panel, SPEC), "two-way", "clustered", "stata", None, panel.source)
    return bool(fit.coefficients[0] / np.sqrt(fit.covariance[0, 0]) > stats.t.ppf(0.975, fit.df))


def summarise(rows: list[dict]) -> dict[str, int | dict[str, int]]:
    """How many replications each reading holds in."""
    out: dict[str, int | dict[str, int]] = {k: int(sum(r[k] for r in rows)) for k in rows[0] if k != "errors"}
    if "errors" in rows[0]:
        out["errors"] = {errors: sum(r["errors"] == errors for r in rows) for errors in ERRORS}
    return out


def write_page(content: dict) -> None:
    """The tables of docs/worlds.md."""
    worlds, same, apart = content["worlds"], content["slopes"]["same"], content["slopes"]["different"]
    lines = [
        "# Simulated worlds: what the ledger says, and what stars say",
        "",
        f"Panels of {content['units']} units x {content['periods']} periods, units in {len(same)} groups of seven or "
        f"eight; exposure and control correlated with the effects of units and periods, and persistent within units "
        f"({content['persistence']:g}: where regressors are not persistent, AR(1) errors do no harm). One slope: "
        f"{_distinct(same)} everywhere; strong differences: {_distinct(apart)}; error SD 0.5. The ledger's rule "
        "(docs/claims.md) is applied with the errors that the posterior predictive checks choose and before priors, "
        "measures and samples are varied, which can make a supported claim fragile but never support another. Written "
        "by `benchmarks/worlds.py`; numbers are replications out of those in the second column, the Monte Carlo "
        "standard error of 50 in 1,000 is 7.",
        "",
        "## Do slopes differ?",
        "",
        "| world | replications | significant here, not there | F-test of equal slopes, p < .05 | **ledger: some pair "
        "supported** | the same rule, independent errors | Bayes factor: slopes differ | some sign clear, P >= .975 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    keys = ("here, not there", "joint test", "a pair supported", "iid a pair supported", "slopes differ")
    for name in WORLDS:
        row = worlds[name]
        lines.append("| " + " | ".join([name, *(str(row[k]) for k in ("replications", *keys, "a sign clear"))]) + " |")
    lines += [
        "",
        "*Significant here, not there*: separate regressions find a positive slope with p < .05 (errors clustered by "
        "unit) in at least one group and not in all. The F-test is the interacted regression's, clustered by unit. "
        "*Some pair supported*: of all ordered pairs of groups, at least one claim `slope[a] > slope[b]` has "
        "probability .95 or more while the Bayes factor of equal slopes is below 1/3: in the first three worlds every "
        "one is wrong, in the next three the count is the power. *Some sign clear* leaves the Bayes factor out.",
        "",
        "## Which errors the checks choose",
        "",
        "| world | " + " | ".join(ERRORS) + " | sampler failed |",
        "|---|---|---|---|---|---|",
    ]
    for name in WORLDS:
        row = worlds[name]
        counts = [str(row["errors"][errors]) for errors in ERRORS]
        lines.append("| " + " | ".join([name, *counts, str(row["sampler failed"])]) + " |")
    lines += [
        "",
        "## Is there an effect on average?",
        "",
        "| world | replications | TWFE, one slope: positive, p < .05 | **ledger: average > 0 supported** | the same, "
        "independent errors | contradicted |",
        "|---|---|---|---|---|---|",
    ]
    keys = ("replications", "TWFE, one slope > 0", "average supported", "iid average supported", "average contradicted")
    for name in WORLDS:
        lines.append("| " + " | ".join([name, *(str(worlds[name][k]) for k in keys)]) + " |")
    path = worlds[MEDIATOR]
    lines += [
        "",
        "Without an effect the ledger's probability of .95 is one-sided: about 50 of 1,000 may be supported and as "
        "many contradicted; the regression's count is of positive slopes at two-sided 5 %, about 25.",
        "",
        "## A mediator without a path to the outcome",
        "",
        f"The exposure moves the mediator, the mediator does not move the outcome. Of {path['replications']} "
        f"replications the first step (exposure to mediator) is significant in {path['first step significant']}, from "
        "which a two-step paper concludes that it mediates; the ledger supports `indirect > 0` in "
        f"{path['indirect supported']} and contradicts it in {path['indirect contradicted']}.",
        "",
    ]
    PAGE.write_text("\n".join(lines))


def _distinct(slopes: dict[str, float]) -> str:
    return ", ".join(dict.fromkeys(f"{slope:g}" for slope in slopes.values()))


if __name__ == "__main__":
    main()
