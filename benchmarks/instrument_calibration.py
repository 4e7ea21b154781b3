"""Calibration and coverage of the hierarchical model with instruments.

Usage: python benchmarks/instrument_calibration.py [page]
Writes benchmarks/instrument_calibration.json and docs/instrument_calibration.md; "page" writes the page again from the
numbers. Goes on from the replications that the file holds. All of it takes about half an hour of one core.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import bayes_npp as bn
from bayes_npp.bayesian.fitting.sample import Sampler
from bayes_npp.bayesian.instruments.equations import build_equations
from bayes_npp.bayesian.instruments.iv_hierarchical import InstrumentFit, fit_equations, make_iv_sampler
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.bayesian.validation.calibration import RANKED_DRAWS, Calibration
from bayes_npp.frequentist.instruments.columns import build_equation
from bayes_npp.frequentist.instruments.iv import reduced_form

ROOT = Path(__file__).parents[1]
RESULTS, PAGE = ROOT / "benchmarks" / "instrument_calibration.json", ROOT / "docs" / "instrument_calibration.md"
PRIORS = load_priors("weakly_informative")
BATCH, SEED = 20, 2300
COVERED = 500
UNITS, PERIODS = 20, 7  # of the template
MODELS = {  # options of the specification, instruments, SD of their own coefficients
    "one instrument": ({}, 1, 0.0),
    "slopes of three groups, AR(1), exclusion 0.2": ({"slopes": "group", "errors": "ar1"}, 1, 0.2),
    "four instruments": ({}, 4, 0.0),
}
# Of 200 with one instrument a quantity of eight left its band: five times as many say whether that was chance.
CALIBRATED = dict(zip(MODELS, (1000, 200, 200), strict=True))
SLOPE, CORRELATION = 0.3, 0.6
STRENGTHS = {"F about 20": 0.286, "F about 2": 0.066}  # of one instrument; 30 units x 9 periods
FIXED = {"unit_effects": "fixed", "time_effects": "fixed"}


def main() -> None:
    content = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"ranks": {}, "coverage": {}}
    if sys.argv[1:] != ["page"]:
        for name in STRENGTHS:
            rows = content["coverage"].setdefault(name, [])
            while len(rows) < COVERED:
                rows += [covered(name, k) for k in range(len(rows), min(len(rows) + BATCH, COVERED))]
                keep(content, f"{name}: {len(rows)} of {COVERED}")
        for until in range(BATCH, max(CALIBRATED.values()) + 1, BATCH):  # the models in turn
            for name in [own for own, number in CALIBRATED.items() if until <= number]:
                found = content["ranks"].setdefault(name, {"failed": 0, "chains": 0, "ranks": {}})
                done = len(next(iter(found["ranks"].values()), []))
                for k in range(done, until):
                    fit, ranks = ranked(name, k)
                    found["failed"] += not fit.passed
                    found["chains"] += fit.engine == "nuts"
                    for quantity, rank in ranks.items():
                        found["ranks"].setdefault(quantity, []).append(rank)
                if done < until:
                    keep(content, f"{name}: {until} of {CALIBRATED[name]}")
    write_page(content)


def keep(content: dict, line: str) -> None:
    RESULTS.write_text(json.dumps(content).replace("], ", "],\n").replace(": {", ":\n{").replace("}, ", "},\n") + "\n")
    print(line, flush=True)


def settings(seed: int) -> Sampler:
    return make_iv_sampler("auto", 1000, 4, seed)


def panel_of(frame: pd.DataFrame):
    return bn.read_panel(frame, unit="unit", time="time", group="group")


def covered(world: str, k: int) -> dict:
    """One panel of a fixed truth: the posterior's interval, and whether Anderson and Rubin's test rejects the truth."""
    rng = np.random.default_rng([SEED, list(STRENGTHS).index(world), k])
    units, periods = 30, 9
    n, unit, time = units * periods, np.repeat(np.arange(units), periods), np.tile(np.arange(periods), units)
    z, v, e = rng.standard_normal((3, n))
    effects = rng.standard_normal(units)[unit] + rng.standard_normal(periods)[time]
    x = STRENGTHS[world] * z + v + effects
    y = SLOPE * x + CORRELATION * v + np.sqrt(1 - CORRELATION**2) * e + 2 * effects
    panel = panel_of(pd.DataFrame({"unit": unit, "time": time, "group": "all", "x": x, "y": y, "z": z}))
    spec = bn.Spec(outcome="y", exposure="x", **FIXED)
    fit = fit_equations(build_equations(panel, spec, ("z",)), PRIORS, settings(k), "auto")
    row = fit.estimates().frame.iloc[0]
    form = reduced_form(build_equation(panel, spec, ("z",)), "clustered", "stata")
    classical = bn.iv(panel, spec, ("z",), covariance="classical").frame.iloc[0]
    return {
        "estimate": round(float(row["estimate"]), 5),
        "lo": round(float(row["lo"]), 5),
        "hi": round(float(row["hi"]), 5),
        "iv": round(float(classical["estimate"]), 5),
        "iv_covers": bool(classical["lo"] <= SLOPE <= classical["hi"]),
        "f": round(float(form.relevance), 3),
        "ar_rejects": bool(form.p_value(SLOPE) < 0.05),
        "near_prior": fit.learned.near_prior,
        "passed": fit.passed,
    }


def template(name: str) -> pd.DataFrame:
    """Rows, groups, instruments and control; outcome and exposure make the scales and are replaced."""
    rng = np.random.default_rng(SEED)
    n = UNITS * PERIODS
    unit, time = np.repeat(np.arange(UNITS), PERIODS), np.tile(np.arange(PERIODS), UNITS)
    frame = pd.DataFrame({"unit": unit, "time": time, "group": np.array(["a", "b", "c"])[unit % 3]})
    for k in range(MODELS[name][1]):
        frame[f"z{k + 1}"] = rng.standard_normal(n)
    frame["c"], frame["x"] = rng.standard_normal((2, n))
    return frame.assign(y=rng.standard_normal(n) + frame["x"])


def ranked(name: str, k: int) -> tuple[InstrumentFit, dict[str, int]]:
    """Truth from the prior, exposure and outcome from the model, and the truth's rank among posterior draws."""
    options, number, exclusion = MODELS[name]
    rng = np.random.default_rng([SEED, 10 + list(MODELS).index(name), k])
    frame, names = template(name), tuple(f"z{j + 1}" for j in range(number))
    spec = bn.Spec(outcome="y", exposure="x", controls=("c",), **FIXED, **options)
    before = build_equations(panel_of(frame), spec, names, exclusion)
    scales, groups = before.design.scales, before.design.groups

    def prior(slot: str, *size: int) -> np.ndarray:
        return np.asarray(PRIORS[slot].draw(rng, size))

    truth = {variable: prior("error_sd") for variable in ("error_sd", "exposure_error_sd")}
    truth["endogeneity"] = prior("endogeneity")
    truth["error_correlation"] = truth["endogeneity"] / np.hypot(1, truth["endogeneity"])
    if spec.errors == "ar1":
        truth |= {name: prior("autocorrelation") for name in ("autocorrelation", "exposure_autocorrelation")}
    truth["exposure_slope"], truth["control_slope"] = prior("exposure"), prior("controls", 1)
    truth["exposure_control_slope"] = prior("controls", 1)
    if number == 1:
        truth["first_stage"] = prior("controls", 1)
    else:
        truth["first_stage_sd"] = prior("first_stage_sd")
        truth["first_stage"] = truth["first_stage_sd"] * rng.standard_normal(number)
    if groups:
        truth["slope_sd"] = prior("slope_sd")
        deviations = truth["slope_sd"] * rng.standard_normal(len(groups))
        truth["slope_offset"] = deviations - deviations.mean()  # of SD tau on every contrast
    if exclusion:
        truth["exclusion"] = exclusion * rng.standard_normal(number)
    v, e = (serial(rng, float(truth.get(name, 0.0))) for name in ("exposure_autocorrelation", "autocorrelation"))
    v = truth["exposure_error_sd"] * v
    r = truth["error_correlation"]
    u = truth["error_sd"] * (r * v / truth["exposure_error_sd"] + np.sqrt(1 - r**2) * e)
    z, c = (frame[list(own)].to_numpy() / scales.of(*own) for own in (names, ("c",)))
    x = z @ truth["first_stage"] + c @ truth["exposure_control_slope"] + v
    slopes = truth["exposure_slope"] + truth.get("slope_offset", np.zeros(1))
    own = slopes[np.unique(frame["group"], return_inverse=True)[1]] if groups else slopes[0]
    y = own * x + c @ truth["control_slope"] + u
    if exclusion:
        y = y + z @ truth["exclusion"]
    made = frame.assign(x=x * scales.divisors["x"], y=y * scales.outcome_sd)
    equations = build_equations(panel_of(made), spec, names, exclusion, scales)
    fit = fit_equations(equations, PRIORS, settings(k), "auto")
    drawn = {variable: fit.values(variable) for variable in truth}
    collapsed = fit.collapsed
    for values, arrays in (({n: np.atleast_1d(v) for n, v in truth.items()}, truth), (drawn, drawn)):
        thetas = collapsed.theta_of({e.variable: values[e.variable] for e in collapsed.elements})
        arrays["log likelihood"] = collapsed.log_likelihoods(thetas)
    if groups:
        truth["slope of a group"] = truth["exposure_slope"] + truth["slope_offset"]
        drawn["slope of a group"] = drawn["exposure_slope"][:, None] + drawn["slope_offset"]
    ranks = {}
    some = np.linspace(0, len(drawn["exposure_slope"]) - 1, RANKED_DRAWS).astype(int)
    for variable, value in truth.items():
        if variable in ("endogeneity", "slope_offset"):
            continue
        values = drawn[variable][some].reshape(RANKED_DRAWS, -1)
        for j, true in enumerate(np.ravel(value)):
            label = variable if values.shape[1] == 1 else f"{variable} {j + 1}"
            ranks[label] = int((values[:, j] < true).sum())
    return fit, ranks


def serial(rng: np.random.Generator, rho: float) -> np.ndarray:
    """Stationary AR(1) errors with innovations of SD one."""
    out = rng.standard_normal((UNITS, PERIODS))
    out[:, 0] /= np.sqrt(1 - rho**2)
    for t in range(1, PERIODS):
        out[:, t] += rho * out[:, t - 1]
    return out.ravel()


def write_page(content: dict) -> None:
    rows = []
    for name, found in content["coverage"].items():
        own = pd.DataFrame(found)
        inside = (own["lo"] <= SLOPE) & (own["hi"] >= SLOPE)
        rows.append(
            {
                "world": name,
                "panels": len(own),
                "mean F": f"{own['f'].mean():.1f}",
                "posterior covers": share(inside),
                "mean of posterior means": f"{own['estimate'].mean():.3f}",
                "2SLS covers": share(own["iv_covers"]),
                "median 2SLS": f"{own['iv'].median():.3f}",
                "Anderson-Rubin rejects the truth": share(own["ar_rejects"]),
                "near the prior": share(own["near_prior"]),
                "fits that failed": int((~own["passed"]).sum()),
            }
        )
    parts = [
        "# Calibration of the hierarchical model with instruments",
        "Written by `benchmarks/instrument_calibration.py`; the numbers are in "
        "`benchmarks/instrument_calibration.json`. The model is that of [statistics](statistics.md), section 10.4, "
        "with weakly informative priors.",
        "## Coverage at a fixed truth",
        f"30 units x 9 periods, one instrument, slope {SLOPE}, errors of exposure and outcome correlated by "
        f"{CORRELATION}, effects of units and periods that both share; 95 % intervals. A posterior has its level over "
        "truths from its prior; at one fixed truth it has it where the data say more than the prior, which they do "
        "with an F of 20. With an F of 2 the set of Anderson and Rubin is what holds its level, and the posterior says "
        "of itself that it is near its prior. Monte Carlo errors in brackets.",
        pd.DataFrame(rows).set_index("world").T.reset_index(names="").to_markdown(index=False, disable_numparse=True),
        "## Simulation-based calibration",
        f"Parameters from the prior, exposure and outcome from the model on {UNITS} units x {PERIODS} periods with one "
        f"control; the rank of the true value among {RANKED_DRAWS} posterior draws is uniform where the sampler is "
        f"right. *Mean rank* is {RANKED_DRAWS / 2} in expectation, its Monte Carlo error "
        f"{RANKED_DRAWS / np.sqrt(12):.0f} over the root of the replications; *inside* says whether the ECDF of the "
        "ranks stays within its band, which holds over all quantities of a model at once with probability .95. Of the "
        "first 200 replications with one instrument those of `first_stage` left it; so that model has 1,000.",
    ]
    for name, found in content["ranks"].items():
        ranks = {quantity: np.array(own) for quantity, own in found["ranks"].items()}
        inside = Calibration(ranks, found["failed"]).bands()
        table = pd.DataFrame(
            {
                "quantity": list(ranks),
                "mean rank": [f"{own.mean():.1f}" for own in ranks.values()],
                "inside": ["yes" if inside[quantity] else "**no**" for quantity in ranks],
            }
        )
        parts += [
            f"### {name.capitalize()}",
            f"{len(next(iter(ranks.values())))} replications, {found['chains']} of them by chains of the full model "
            f"because weighted points were not good, {found['failed']} with a fit that failed its diagnostics (kept: "
            "leaving them out would bias the ranks).",
            table.to_markdown(index=False, disable_numparse=True),
        ]
    PAGE.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def share(holds: pd.Series) -> str:
    mean = float(holds.mean())
    return f"{mean:.3f} ({np.sqrt(mean * (1 - mean) / len(holds)):.3f})"


if __name__ == "__main__":
    main()
