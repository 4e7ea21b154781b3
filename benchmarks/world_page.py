"""The page of the simulated worlds, from their numbers."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from world_panels import EXCEPTED, PERIODS, PERSISTENCE, UNITS, WORLDS, World

from bayes_npp.claims.verdicts import CONTRADICTED, SUPPORTED

PAGE = Path(__file__).parents[1] / "docs" / "worlds.md"
STARS = Path(__file__).parent / "world_stars.json"
NOMINAL, MOST_FALSE_PAIRS = 0.025, 0.065  # of replications
REASONS = (  # of a verdict that is not firm, by what its text begins with or holds
    ("between", "the probability lies between the bars"),
    ("that slopes differ at all", "that slopes differ is not established"),
    ("but contradicted by", "a conflict"),
    ("fragile to specification", "a row of another specification, the exposure's own factor among them"),
    ("fragile to priors", "another prior"),
    ("fragile to the prior of", "a prior in conflict with the data"),
    ("fragile to errors", "other errors that pass their checks"),
    ("fails checks", "the errors fail a check"),
    ("give no answer", "a variant without an answer"),
    ("gives no answer", "a variant without an answer"),
    ("differ in sign", "averages of the slopes that differ in sign"),
)


def limit(replications: int) -> float:
    """The most replications that may be wrong: 2.5 % and two Monte Carlo standard errors of it."""
    return replications * (NOMINAL + 2 * np.sqrt(NOMINAL * (1 - NOMINAL) / replications))


def unqualified_wrong(world: World, columns: dict[str, list]) -> int:
    return sum(name in world.wrong for name in columns["average"])


def share(count: int, of: int) -> str:
    """A count with its percentage and Monte Carlo standard error."""
    p = count / of
    return f"{count} ({100 * p:.1f} %, ± {100 * np.sqrt(p * (1 - p) / of):.1f})"


def write_page(content: dict[str, dict[str, list]]) -> None:
    """The tables of docs/worlds.md."""
    found = {name: (world, content[name]) for name, world in WORLDS.items() if content.get(name)}
    parts = [
        "# Simulated worlds: how often the ledger's rule is wrong",
        f"Panels of {UNITS} units x {PERIODS} periods, units in four groups of seven or eight; exposure and control "
        "correlated with the effects of units and periods, and persistent within units "
        f"({PERSISTENCE:g}: where regressors are not persistent, AR(1) errors do no harm); error SD 0.5 unless it is "
        "said otherwise. Each replication is a study of its own, answered by the package's own rule "
        "([claims](claims.md)): the ladder picks the errors, then come the exposure's own factor and declared rows, a "
        "quick run's priors, and richer errors that pass. What could weaken a verdict is tried as long as there is a "
        "firm one to weaken, since nothing makes a verdict firmer. Written by `benchmarks/worlds.py`; the numbers are "
        "in `benchmarks/worlds.json`. In brackets shares and their Monte Carlo standard errors: replications are few "
        "as yet, so that a limit that is held says that nothing is badly wrong, and no more. A second run goes on.",
        "## The worlds",
        pd.DataFrame({"world": list(found), "how it is made": [world.made for world, _ in found.values()]}).to_markdown(
            index=False
        ),
        "## Is there an effect on average?",
        _averages(found),
        "The claim is `average_slope_twfe_weighted > 0` (of mediation `indirect[mediator_1] > 0`). *Wrong* is, where "
        "the true effect is zero, a verdict of supported; where it is positive, contradicted; of the precise zero "
        "both. At a true zero the claim that the slope is positive is false, and contradicted is no error of "
        "the same kind: it is counted apart. *Unqualified* means not fragile. *Limit*: 2.5 % and two Monte Carlo "
        f"standard errors. One world has no limit, '{EXCEPTED}': no check sees a confounder that moves with the "
        "exposure; what a report says of confounding is about it. *First rule*: the same fit at .95 and .05, without "
        "rows of least squares or other variants; a difference was held to a Bayes factor only under a ladder.",
        "## Do slopes differ?",
        _pairs(found),
        "Of all ordered pairs of groups: a *false pair* is a claim `slope[a] > slope[b]` (of indirect effects in "
        f"mediation) that is not true. The limit for an unqualified one is {1000 * MOST_FALSE_PAIRS:.0f} in 1,000. Of "
        "true pairs the last column counts those that the chosen fit supports, firmly or not, before variants are "
        "tried.",
        "## What stars say",
        _stars(),
        "*Significant here, not there*: separate regressions find a positive slope with p < .05 (errors clustered by "
        "unit) in at least one group and not in all. The F-test of equal slopes is the interacted regression's, "
        "clustered by unit; with groups of seven or eight units it rejects too often. Written by "
        "`benchmarks/world_stars.py`.",
        "## Power",
        *_power(found),
        "## Which errors the checks choose",
        _errors(found),
    ]
    PAGE.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _table(rows: list[dict[str, str]]) -> str:
    return pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)


def _averages(found: dict[str, tuple[World, dict[str, list]]]) -> str:
    rows = []
    for name, (world, columns) in found.items():
        size = len(columns["average"])
        wrong, most = unqualified_wrong(world, columns), limit(size)
        zero = not any(world.slopes.values())
        said = "none" if name == EXCEPTED else f"{most:.1f}: {'held' if wrong <= most else 'exceeded'}"
        apart = zero and CONTRADICTED not in world.wrong
        contradicted = share(sum(name == CONTRADICTED for name in columns["average"]), size) if apart else "-"
        rows.append(
            {
                "world": name,
                "replications": str(size),
                "first rule: wrong": share(sum(first in world.wrong for first in columns["first"]), size),
                "wrong, unqualified": share(wrong, size),
                "limit": said,
                "contradicted, unqualified": contradicted,
            }
        )
    return _table(rows)


def _pairs(found: dict[str, tuple[World, dict[str, list]]]) -> str:
    rows = []
    for name, (world, columns) in found.items():
        if len(world.slopes) < 2:
            continue
        size = len(columns["average"])
        firm = sum(pair == SUPPORTED for pair in columns["false pair"])
        most, differ = MOST_FALSE_PAIRS * size, len(set(world.slopes.values())) > 1
        rows.append(
            {
                "world": name,
                "replications": str(size),
                "first rule: some false pair": share(sum(columns["first false pair"]), size),
                "some false pair, unqualified": share(firm, size),
                "limit": f"{most:.1f}: {'held' if firm <= most else 'exceeded'}",
                "first rule: some true pair": share(sum(columns["first true pair"]), size) if differ else "-",
                "some true pair, by the chosen fit": share(sum(map(bool, columns["true pair"])), size)
                if differ
                else "-",
            }
        )
    return _table(rows)


def _stars() -> str:
    heads = {
        "here, not there": "significant here, not there",
        "joint test": "F-test of equal slopes, p < .05",
        "average": "one slope: positive, p < .05",
    }
    rows = [
        {"world": name, "replications": str(own["replications"]), **{head: str(own[k]) for k, head in heads.items()}}
        for name, own in json.loads(STARS.read_text()).items()
    ]
    return _table(rows)


def _power(found: dict[str, tuple[World, dict[str, list]]]) -> list[str]:
    rows, lines = [], []
    for name, (world, columns) in found.items():
        size = min(world.power, len(columns["average"]))
        if not size:
            continue
        right = sum(verdict == world.right for verdict in columns["average"][:size])
        rows.append(
            {
                "world": name,
                "replications": str(size),
                "right answer about the average": world.right,
                "right and unqualified": share(right, size),
            }
        )
        why = Counter(told(text) for text in columns["why"][:size] if text)
        if why:
            listed = "; ".join(f"{reason} ({count})" for reason, count in why.most_common())
            lines.append(f"- {name}: {listed}.")
    if not rows:
        return []
    reasons = ["What kept right answers from being unqualified, the first thing found:\n\n" + "\n".join(lines)]
    return [
        "In the first replications of these worlds everything that could weaken a right answer was tried, too.",
        _table(rows),
        *(reasons if lines else []),
    ]


def told(why: str) -> str:
    """The reason of a verdict that is not firm, in a few words."""
    return next((words for part, words in REASONS if part in why), why)


def _errors(found: dict[str, tuple[World, dict[str, list]]]) -> str:
    counts = {name: Counter(columns["errors"]) for name, (_, columns) in found.items()}
    every = list(dict.fromkeys(errors for own in counts.values() for errors in own))
    return _table([{"world": name, **{e: str(own.get(e, 0)) for e in every}} for name, own in counts.items()])
