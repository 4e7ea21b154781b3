"""Simulated worlds with known truth: what the ledger's rule says of them, and what its first version said.

Usage: python benchmarks/worlds.py [replications | page]
Writes benchmarks/worlds.json and docs/worlds.md; "page" writes the page again from the numbers. Goes on from the
replications that the file holds, in rounds over all worlds, so that an interrupted run is balanced; of worlds whose
replications take many seconds (`every`) one in so many is made.
"""

import json
import sys
import tempfile
import time
from dataclasses import replace
from functools import cache
from itertools import permutations
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits
from world_page import write_page
from world_panels import NO_LADDER, WORLDS, World

from bayes_npp.analysis.ladder import error_rungs
from bayes_npp.analysis.records import FitRecord
from bayes_npp.analysis.settings import run_settings
from bayes_npp.analysis.stored_fits import fit_record
from bayes_npp.bayesian.comparison.homogeneity import homogeneity
from bayes_npp.bayesian.fitting.error_ladder import Checks, ErrorRung, climb_errors
from bayes_npp.bayesian.fitting.fit import Fit, fit_design, make_sampler
from bayes_npp.bayesian.fitting.refit import SHORT
from bayes_npp.bayesian.sensitivity.sensitivity import sensitivity
from bayes_npp.claims.counterparts import smallest_effects
from bayes_npp.claims.ledger import ClaimRecord
from bayes_npp.claims.paths import about_paths
from bayes_npp.claims.slopes import Tried, answered
from bayes_npp.claims.specification_curve import specification_curve
from bayes_npp.claims.verdicts import CONTRADICTED, DIFFERENT, FIRM, SUPPORTED, Seen, answer, fragile
from bayes_npp.design.propositions import Proposition, parse_proposition
from bayes_npp.design.slope_contrasts import slope_weights
from bayes_npp.estimates import estimates_from_rows
from bayes_npp.study.claims import Claim
from bayes_npp.study.models import HierarchicalModel, MediationModel
from bayes_npp.study.study import Study, load_study

RESULTS, ROUND = Path(__file__).parent / "worlds.json", 20
Settings = tuple[tuple[str, Any], ...]
GLANCE: Settings = (("draws", 250), ("chains", 2), ("tune", 200))  # enough for the checks, and for weighted points
WHOLE: Settings = (("draws", 700), ("chains", 4), ("tune", 500))
CAREFUL: Settings = (("draws", 1500), ("chains", 4), ("tune", 1000), ("target_accept", 0.95))
FIRST_RULE = (0.95, 0.05)
AVERAGE = "average"
STUDY = """
[study]
title = "A simulated world"
panel = "panel.csv"
unit = "unit"
time = "time"
group = "group"
[roles]
outcome = "outcome"
exposure = "exposure"
{roles}
[[model]]
name = "own"
kind = "{kind}"
{model}
{rows}
"""
CLAIM = '[[claim]]\nid = "{id}"\ntext = "{id}"\nproposition = "{proposition}"\nmodel = "own"\n{smallest}\n'


def main() -> None:
    content = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if sys.argv[1:] != ["page"]:
        replications = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
        with threadpool_limits(limits=1), tempfile.TemporaryDirectory() as folder:
            for until in range(ROUND, replications + ROUND, ROUND):
                for name, world in WORLDS.items():
                    extend(
                        content.setdefault(name, {}), name, world, min(until, replications) // world.every, Path(folder)
                    )
    write_page(content)


def extend(columns: dict[str, list], name: str, world: World, until: int, folder: Path) -> None:
    """More replications of a world, up to `until`, written down."""
    done = len(next(iter(columns.values()), []))
    began = time.process_time()
    for seed in range(done + 1, until + 1):
        for key, value in replicate(world, seed, folder).items():
            columns.setdefault(key, []).append(value)
    if done < until:
        content = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        RESULTS.write_text(written({**content, name: columns}))
        seconds = (time.process_time() - began) / (until - done)
        print(f"{name}: {until}, {seconds:.1f} s of a core each", flush=True)


def written(content: dict[str, dict[str, list]]) -> str:
    """A column a line."""
    return json.dumps(content).replace("], ", "],\n").replace(": {", ":\n{").replace("}, ", "},\n") + "\n"


def replicate(world: World, seed: int, folder: Path) -> dict[str, Any]:
    """What the ledger says of one panel of a world."""
    world.frame(seed).to_csv(folder / "panel.csv", index=False)
    (folder / "study.toml").write_text(study_of(world))
    study = load_study(folder)
    if world.kind == "mediation":
        return told(world, paths_answered(study, seed), seed)
    return told(world, slopes_answered(study, world, seed), seed)


def study_of(world: World) -> str:
    """The study file of a world."""
    slopes = world.kind == "hierarchical"
    header = STUDY.format(
        roles='controls = ["control_1"]' if slopes else 'mediators = ["mediator_1"]',
        kind=world.kind,
        model='slopes = "group"\n' * slopes + world.model,
        rows='[[model]]\nname = "plain"\nkind = "twfe"\n' + world.rows if slopes else "",
    )
    smallest = "" if world.smallest is None else f"smallest_effect = {world.smallest}"
    claims = [
        CLAIM.format(id=name, proposition=proposition, smallest=smallest if name == AVERAGE else "")
        for name, proposition in propositions(world).items()
    ]
    return header + "".join(claims)


def propositions(world: World) -> dict[str, str]:
    """The claims of a world by id: the average is positive, each group's slope exceeds each other's."""
    whole, of_group = "average_slope_twfe_weighted > 0", "slope[{}] > slope[{}]"
    if world.kind == "mediation":
        whole, of_group = "indirect[mediator_1] > 0", "indirect[mediator_1, {}] > indirect[mediator_1, {}]"
    pairs = permutations(world.slopes, 2)
    return {AVERAGE: whole, **{f"{a} over {b}": of_group.format(a, b) for a, b in pairs}}


def paths_answered(study: Study, seed: int) -> list[ClaimRecord]:
    """Every claim of a mediation, as in a quick run."""
    settings = run_settings(study, quick=True, seed=seed)
    (model,) = (own for own in study.models if isinstance(own, MediationModel))
    return about_paths(study, model, list(study.claims), estimates_from_rows([]), settings)


def slopes_answered(study: Study, world: World, seed: int) -> list[ClaimRecord]:
    """Every claim about slopes, from the errors that the ladder picks.

    What could weaken a verdict is tried as long as there is a firm one of interest: a further weakness never makes a
    verdict firmer (docs/claims.md), so that what is left out cannot change one that is not firm into one that is.
    """
    model = next(own for own in study.models if isinstance(own, HierarchicalModel))
    steps = {rung.label: rung.model for rung in error_rungs(model)}

    @cache
    def fitted(errors: str, sampler: Settings) -> tuple[Fit, FitRecord]:
        own = steps[errors]
        design, priors = study.sample.design(study.spec(own)), study.priors(own)
        fit = fit_design(design, priors, make_sampler("auto", seed=seed, **dict(sampler)), "auto")
        return fit, fit_record(own.name, fit, reused=False)

    def settled(errors: str) -> tuple[Fit, FitRecord]:
        """With more draws where those of a glance are too few, the checks pass, and the answer may be firm."""
        for sampler in (GLANCE, WHOLE, CAREFUL):
            fit, record = fitted(errors, sampler)
            if record.diagnostics.passed or not (record.errors_fit and may_be_firm(study, fit)):
                break
        return fit, record

    def glance(errors: str) -> tuple[Fit, Checks]:
        fit, record = fitted(errors, GLANCE)
        return fit, record.predictive

    def climbed(beyond: bool) -> tuple[ErrorRung[Fit], ...]:
        return climb_errors(model.rungs, glance, beyond)

    errors = next((rung.errors for rung in climbed(beyond=False) if rung.chosen), model.errors)
    behind, (fit, record) = steps[errors], settled(errors)

    def rows(asked: list[Proposition]) -> dict[str, Any]:
        smallest = smallest_effects(study.claims)
        return {"curve": specification_curve(study, {behind: fit}, asked, replace(SHORT, seed=seed), smallest)}

    def priors(asked: list[Proposition]) -> dict[str, Any]:
        return {"answers": sensitivity(fit, asked, study.claim_rules.grid, seed=seed, quick=True)}

    def other_errors(asked: list[Proposition]) -> dict[str, Any]:
        found = {one.errors: settled(one.errors) for one in climbed(True) if one.passed and one.errors != errors}
        return {"richer": {name: own for name, own in found.items() if own[1].diagnostics.passed}}

    tried = Tried()
    found = {one.claim.id: one for one in answered(study, asked_of(study, model, fit), behind, fit, record, tried)}
    for stage in (rows, priors, other_errors):
        left = [one.claim for one in found.values() if of_interest(world, one, seed)]
        if not left:
            break
        tried = replace(tried, **stage([claim.parsed for claim in left]))
        found |= {one.claim.id: one for one in answered(study, left, behind, fit, record, tried)}
    return list(found.values())


def asked_of(study: Study, model: HierarchicalModel, fit: Fit) -> list[Claim]:
    """The claims that may be supported: without a Bayes factor below its bar none about a difference is, by any rule.

    The first rule had no such bar where a model has no ladder.
    """
    differ = not model.has_ladder or homogeneity(fit).factor < DIFFERENT
    return [claim for claim in study.claims if differ or not claim.parsed.is_difference]


def may_be_firm(study: Study, fit: Fit) -> bool:
    """Whether more draws could make an answer firm: the average's probability, or the Bayes factor, is near its bar.

    Where a smallest effect is declared any fit may answer that it is not reached.
    """
    if smallest_effects(study.claims):
        return True
    probability = fit.probability(slope_weights(parse_proposition("average_slope_twfe_weighted > 0"), fit.design))
    return not 0.1 < probability < 0.9 or homogeneity(fit).factor < 1


def of_interest(world: World, one: ClaimRecord, seed: int) -> bool:
    """Whether a verdict is firm, and either wrong or among those that power counts."""
    name = one.verdict.name
    if one.claim.id == AVERAGE:
        apart = (SUPPORTED, CONTRADICTED) if not any(world.slopes.values()) else ()
        return name in (*world.wrong, *apart) or (name == world.right and seed <= world.power)
    return name == SUPPORTED and (seed <= world.power or not is_true(world, one))


def is_true(world: World, pair: ClaimRecord) -> bool:
    """Whether the first of two groups has the larger slope."""
    first, second = pair.claim.id.split(" over ")
    return world.slopes[first] > world.slopes[second]


def told(world: World, records: list[ClaimRecord], seed: int) -> dict[str, Any]:
    """The replication as a row: verdicts by the rule, and what the first rule said of the same fit."""
    average, *pairs = records
    true, false = ([one for one in pairs if is_true(world, one) == wanted] for wanted in (True, False))
    firm = average.verdict.name in FIRM
    return {
        "errors": average.errors,
        "probability": round(average.probability, 4),
        "average": average.verdict.name,
        "why": "; ".join(average.verdict.because) if seed <= world.power and not firm else "",
        "first": first_rule(world, average),
        "false pair": firmest(false),
        "true pair": firmest(true),
        "first false pair": any(first_rule(world, one) == SUPPORTED for one in false),
        "first true pair": any(first_rule(world, one) == SUPPORTED for one in true),
    }


def firmest(pairs: list[ClaimRecord]) -> str:
    """The firmest of the verdicts that support a claim about a pair; empty where none does."""
    names = {one.verdict.name for one in pairs}
    return next((name for name in (SUPPORTED, fragile(SUPPORTED)) if name in names), "")


def first_rule(world: World, one: ClaimRecord) -> str:
    """What the first rule made of the fit behind the verdicts: .95 and .05, and no row of least squares.

    A difference was held to a Bayes factor only where the model had a ladder.
    """
    held = one.homogeneity is not None and world.kind == "hierarchical" and NO_LADDER not in world.model
    differ = one.homogeneity.factor < DIFFERENT if held and one.homogeneity else None
    return answer(Seen(one.probability, None, differ), *FIRST_RULE)


if __name__ == "__main__":
    main()
