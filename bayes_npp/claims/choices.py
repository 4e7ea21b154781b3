"""What each claim's probability is under every other choice tried, and which of them move it across a threshold."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from bayes_npp.analysis.records import Ladder
from bayes_npp.claims.entry import NUMBERS
from bayes_npp.claims.ledger import ClaimRecord, Ledger
from bayes_npp.claims.slopes import answering
from bayes_npp.estimates import Estimates
from bayes_npp.study.claims import ClaimRules

KINDS = ("priors", "measurement", "specification", "errors")
COLUMNS = ("claim_id", "errors", "priors", "measure", "sample", "probability", "mcse", "mean", "lo", "hi", "status")
VARIED = {"priors": "priors", "measurement": "measure", "specification": "sample", "errors": "errors"}
DECLARED = "as declared"


@dataclass(frozen=True)
class Lane:
    """The probability of one claim under other choices of one kind.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    marks : tuple of (variant, probability)
        Lowest first; empty where the kind was not varied.
    unanswered : tuple of (variant, reason)
    numbers : tuple of dict
        `entry.NUMBERS` of each mark.
    """

    kind: str
    marks: tuple[tuple[str, float], ...]
    unanswered: tuple[tuple[str, str], ...] = ()
    numbers: tuple[dict[str, float], ...] = field(default=(), compare=False)  # some of them no numbers


@dataclass(frozen=True)
class Choices:
    """A claim's lanes, and the marks that lie on another side of a threshold than the claim's own probability.

    Attributes
    ----------
    lanes : tuple of Lane
        One for each of `KINDS`.
    above, below, between : tuple of (kind, variant, probability)
        Choices that take the claim to or above the threshold of support, to or below that of contradiction, or back
        between them; each empty where the claim already lies there.
    """

    lanes: tuple[Lane, ...]
    above: tuple[tuple[str, str, float], ...]
    below: tuple[tuple[str, str, float], ...]
    between: tuple[tuple[str, str, float], ...]

    @property
    def moved(self) -> bool:
        """Whether any choice tried crosses a threshold."""
        return bool(self.above or self.below or self.between)


def every_choice(ledger: Ledger | None, ladders: Sequence[Ladder], estimates: Estimates) -> dict[str, Choices]:
    """The choices of every claim, by its name."""
    if ledger is None:
        return {}
    return {record.name: choices(record, ladders, estimates, ledger.rules) for record in ledger.records}


def choices(record: ClaimRecord, ladders: Sequence[Ladder], estimates: Estimates, rules: ClaimRules) -> Choices:
    """One claim under every other choice tried."""
    lanes = tuple(_lane(kind, record, ladders, estimates) for kind in KINDS)
    own = _side(record.probability, rules)
    sides: dict[str, list[tuple[str, str, float]]] = {"above": [], "below": [], "between": []}
    for lane in lanes:
        for variant, probability in lane.marks:
            side = _side(probability, rules)
            if side != own:
                sides[side].append((lane.kind, variant, probability))
    return Choices(lanes, *(tuple(sides[side]) for side in ("above", "below", "between")))


def choice_rows(ledger: Ledger, found: dict[str, Choices]) -> pd.DataFrame:
    """The rows of choices.csv: each claim as answered, then under every other choice, one varied at a time."""
    rows = []
    for record in ledger.records:
        own = {"claim_id": record.claim.id, "errors": record.errors}
        own |= dict.fromkeys(("priors", "measure", "sample"), DECLARED)
        answered = {"probability": record.probability, "mcse": record.mcse}
        answered |= {"mean": record.estimate, "lo": record.lo, "hi": record.hi}
        rows.append({**own, **answered, "status": "the verdict's"})
        for lane in found[record.name].lanes:
            for (variant, probability), numbers in zip(lane.marks, lane.numbers, strict=True):
                found_here = {"probability": probability, **numbers, "status": "answered"}
                rows.append({**own, VARIED[lane.kind]: variant, **found_here})
            for variant, reason in lane.unanswered:
                rows.append({**own, VARIED[lane.kind]: variant, "status": f"not answered: {reason}"})
    return pd.DataFrame(rows).reindex(columns=list(COLUMNS))


def _lane(kind: str, record: ClaimRecord, ladders: Sequence[Ladder], estimates: Estimates) -> Lane:
    if kind == "errors":
        others = sorted(_other_errors(record, ladders, estimates), key=lambda mark: mark[1])
        return Lane(kind, tuple(other[:2] for other in others), (), tuple(other[2] for other in others))
    own = record.variants[record.variants["kind"] == kind]
    answered = own.dropna(subset="probability").sort_values("probability", kind="stable")
    marks = tuple((str(v), float(p)) for v, p in zip(answered["variant"], answered["probability"], strict=True))
    blank = own[own["probability"].isna()]
    unanswered = tuple((str(v), str(r)) for v, r in zip(blank["variant"], blank["reason"], strict=True))
    return Lane(kind, marks, unanswered, tuple(answered[list(NUMBERS)].to_dict("records")))


def _other_errors(
    record: ClaimRecord, ladders: Sequence[Ladder], estimates: Estimates
) -> list[tuple[str, float, dict[str, float]]]:
    """The same proposition under the other rungs of its model's ladder whose sampler passed."""
    ladder = next((own for own in ladders if own.model == record.claim.model), None)
    if ladder is None or record.claim.parsed.is_mechanism:
        return []
    out = []
    for errors, fit in ladder.errors.records.items():
        if errors != record.errors and fit.diagnostics.passed:
            found = answering(estimates.select(model=fit.model), record.claim.parsed)
            if found is not None:
                row = found[0].iloc[0]
                out.append((errors, found[1], {"mean": row["estimate"], "lo": row["lo"], "hi": row["hi"]}))
    return out


def _side(probability: float, rules: ClaimRules) -> str:
    if probability >= rules.support:
        return "above"
    return "below" if probability <= rules.contradict else "between"
