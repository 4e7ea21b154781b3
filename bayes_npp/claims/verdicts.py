"""The rule that turns what is known of a claim into a verdict: two tables, the first line that holds decides."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

SUPPORTED, NEGLIGIBLE, CONTRADICTED = "supported", "negligible", "contradicted"
UNDECIDED, UNANSWERED, NOT_COUNTED = "undecided", "unanswered", "not counted"
FIRM = (SUPPORTED, NEGLIGIBLE, CONTRADICTED)
OPPOSITE = {SUPPORTED: CONTRADICTED, CONTRADICTED: SUPPORTED}
DIFFERENT = 1 / 3  # of the Bayes factor for equal slopes (Kass & Raftery 1995)
JOINT_LEVEL = 0.05  # of the F test that groups have one slope, where least squares answers
ERRORS_FAIL = "its error model fails checks of the data"
SUPPORT, CONTRADICT = 0.975, 0.025


def fragile(answer: str) -> str:
    """The verdict of an answer that does not hold under everything."""
    return f"{answer} but fragile"


VERDICTS = (*(name for answer in FIRM for name in (answer, fragile(answer))), UNDECIDED)


@dataclass(frozen=True)
class Seen:
    """What one fit, or one row of least squares, says of a claim.

    Attributes
    ----------
    probability : float
        Of the claim; NaN where there is none.
    within : float, optional
        Probability that what the claim is about lies nearer to its number than the smallest effect of interest; None
        where none is declared or it is not known.
    differ : bool, optional
        Of a difference: whether its own test finds that slopes differ at all, the Bayes factor for equal slopes below
        1/3, of least squares the joint F test at 5 %. None where the claim is no difference, or nothing was tested.
    answered : bool
        False where the sampler failed or nothing could be fitted.
    counted : bool
        False where there is no test of so few clusters, or the choice does not apply: named, and not counted.
    """

    probability: float
    within: float | None = None
    differ: bool | None = None
    answered: bool = True
    counted: bool = True


@dataclass(frozen=True)
class Variant:
    """The claim under another choice; `opposes` where an answer against the chosen one is a conflict.

    These are the rows that the study itself declares and other errors that pass their checks; not priors or measures.
    """

    kind: str
    name: str
    seen: Seen
    opposes: bool = False


@dataclass(frozen=True)
class Known:
    """What a verdict rests on.

    Attributes
    ----------
    seen : Seen
        Under the errors behind the verdicts.
    variants : tuple of Variant
    errors_fit : bool
        Whether the error model passes its posterior predictive checks.
    conflict : str
        Priors that power-scaling finds in conflict with the data; empty if none.
    factor : float, optional
        Bayes factor for equal slopes of the chosen fit, where the claim is a difference.
    factors : (float, float), optional
        Lowest and highest Bayes factor for equal slopes over a quarter to four times the prior's scale.
    leads : tuple of str
        Rows in which a lead of the exposure has an interval that excludes zero.
    weights : str
        What is wrong with the weights of two-way fixed effects that the claim's average has; empty if nothing.
    """

    seen: Seen
    variants: tuple[Variant, ...] = ()
    errors_fit: bool = True
    conflict: str = ""
    factor: float | None = None
    factors: tuple[float, float] | None = None
    leads: tuple[str, ...] = ()
    weights: str = ""


@dataclass(frozen=True)
class Line:
    """A line of a decision table: when it holds, what follows, and both in words."""

    when: str
    then: str
    holds: Callable[..., bool]


@dataclass(frozen=True)
class Verdict:
    """A verdict and its reasons, the decisive one first; the lines of both tables that decided, counted from 1."""

    name: str
    because: tuple[str, ...]
    answer_line: int = 0
    line: int = 0


# What one fit or row answers. {s}: the bar of support, {c}: that of contradiction.
ANSWER_TABLE = (
    Line("it is not counted", NOT_COUNTED, lambda seen, s, c: not seen.counted),
    Line(
        "the sampler failed, or nothing could be fitted",
        UNANSWERED,
        lambda seen, s, c: not seen.answered or not np.isfinite(seen.probability),
    ),
    Line(
        "a smallest effect is declared, and with probability {s:g} or more it is not reached",
        NEGLIGIBLE,
        lambda seen, s, c: seen.within is not None and seen.within >= s,
    ),
    Line("the claim's probability is {c:g} or less", CONTRADICTED, lambda seen, s, c: seen.probability <= c),
    Line(
        "its probability is {s:g} or more and, of a difference, its own test finds that slopes differ at all",
        SUPPORTED,
        lambda seen, s, c: seen.probability >= s and seen.differ is not False,
    ),
    Line("otherwise", UNDECIDED, lambda seen, s, c: True),
)
# What follows for the claim from the answers of the chosen fit (`own`) and of everything tried.
VERDICT_TABLE = (
    Line("the chosen fit leaves it unanswered or undecided", UNDECIDED, lambda own, known, said: own not in FIRM),
    Line(
        "other errors that pass their checks, or a row the study declares, say the opposite",
        UNDECIDED,
        lambda own, known, said: bool(_opposite(own, known, said)),
    ),
    Line(
        "another prior, measure, sample or row answers otherwise or not at all; the range of the Bayes factor crosses "
        "1/3 (of supported claims); the errors fail their checks; a prior is in conflict with the data; a lead of the "
        "exposure has an interval without zero; weights of two-way fixed effects are negative, or averages of the "
        "slopes differ in sign",
        "the answer, but fragile",
        lambda own, known, said: bool(_weaknesses(own, known, said)),
    ),
    Line("otherwise", "the answer", lambda own, known, said: True),
)


def shown(probability: float, cuts: tuple[float, ...] = ()) -> str:
    """A posterior probability in three decimals; never 0 or 1, which draws cannot show.

    A fourth where three would hide on which side of a cut it lies.
    """
    if probability >= 0.9995:
        return "> 0.999"
    if probability < 0.0005:
        return "< 0.001"
    text = f"{probability:.3f}"
    return f"{probability:.4f}" if text in [f"{cut:.3f}" for cut in cuts] else text


def answer_line(seen: Seen, support: float = SUPPORT, contradict: float = CONTRADICT) -> int:
    """The line of `ANSWER_TABLE` that decides, counted from 1."""
    return next(n for n, line in enumerate(ANSWER_TABLE, start=1) if line.holds(seen, support, contradict))


def answer(seen: Seen, support: float = SUPPORT, contradict: float = CONTRADICT) -> str:
    """What one fit or row answers."""
    return ANSWER_TABLE[answer_line(seen, support, contradict) - 1].then


def verdict(known: Known, support: float = SUPPORT, contradict: float = CONTRADICT) -> Verdict:
    """Apply both tables.

    Notes
    -----
    docs/claims.md has the tables. They are total and exclusive, and a further weakness never makes a verdict firmer
    (docs/statistics.md, section 4.7).
    """
    at = answer_line(known.seen, support, contradict)
    own = ANSWER_TABLE[at - 1].then
    said = [(variant, answer(variant.seen, support, contradict)) for variant in known.variants]
    line = next(n for n, row in enumerate(VERDICT_TABLE, start=1) if row.holds(own, known, said))
    reason = _reason(own, known, support, contradict)
    if line == 1:
        return Verdict(UNDECIDED, (*reason, *_of_the_fit(known)), at, line)
    if line == 2:
        against = _opposite(own, known, said)
        told = f"{reason[0]}, so {own}; but {OPPOSITE[own]} by {_listed(against)}"
        return Verdict(UNDECIDED, (told, *_of_the_fit(known)), at, line)
    if line == 3:
        return Verdict(fragile(own), (*reason, *_weaknesses(own, known, said, (support, contradict))), at, line)
    return Verdict(own, reason, at, line)


def rule_in_words(support: float = SUPPORT, contradict: float = CONTRADICT) -> str:
    """Both tables as text."""
    bars = {"s": support, "c": contradict}
    answers = "; ".join(f"{line.then} if {line.when.format(**bars)}" for line in ANSWER_TABLE[2:-1])
    return (
        f"A fit's answer is the first that holds: {answers}; otherwise undecided. The verdict is the answer of the fit "
        f"behind the verdicts. It is undecided if {VERDICT_TABLE[1].when}, and fragile if {VERDICT_TABLE[2].when}."
    )


Said = list[tuple[Variant, str]]


def _opposite(own: str, known: Known, said: Said) -> list[Variant]:
    return [variant for variant, other in said if variant.opposes and OPPOSITE.get(own) == other]


def _weaknesses(own: str, known: Known, said: Said, cuts: tuple[float, float] = (SUPPORT, CONTRADICT)) -> list[str]:
    """What keeps an answer from being firm, in words."""
    out = []
    moved = [(variant, other) for variant, other in said if other not in (own, UNANSWERED, NOT_COUNTED)]
    shaken = [_farthest(own, kind, moved, cuts) for kind in dict.fromkeys(variant.kind for variant, _ in moved)]
    if known.conflict:
        shaken.append(f"the prior of {known.conflict}, in conflict with the data")
    if shaken:
        out.append(f"fragile to {'; '.join(shaken)}")
    low, high = known.factors or (0.0, 0.0)
    if own == SUPPORTED and low < DIFFERENT <= high:
        out.append(
            f"the Bayes factor for equal slopes runs from {low:.2g} to {high:.2g} as the prior's scale goes from a "
            "quarter to four times its own"
        )
    if known.leads:
        out.append(f"the exposure of a later period has an interval without zero ({', '.join(known.leads)})")
    if known.weights:
        out.append(known.weights)
    return [*out, *_of_the_fit(known, said)]


def _of_the_fit(known: Known, said: Said | None = None) -> list[str]:
    """What is wrong with the fit itself, and how many variants have no answer."""
    out = [] if known.errors_fit else [ERRORS_FAIL]
    unanswered = sum(other == UNANSWERED for _, other in said or [])
    gives = "gives" if unanswered == 1 else "give"
    return [*out, f"{unanswered} of its variants {gives} no answer"] if unanswered else out


def _farthest(own: str, kind: str, moved: Said, cuts: tuple[float, float]) -> str:
    """The variant of a kind that is farthest from the answer, with its probability."""
    some = [(variant, other) for variant, other in moved if variant.kind == kind]
    if own == NEGLIGIBLE:
        variant, other = min(some, key=lambda one: 0.0 if one[0].seen.within is None else one[0].seen.within)
        return f"{kind} ({variant.name}: {other})"
    sign = 1 if own == SUPPORTED else -1
    variant, other = min(some, key=lambda one: sign * one[0].seen.probability)
    gate = ", where it is not established that slopes differ" if variant.seen.probability >= cuts[0] else ""
    return f"{kind} ({shown(variant.seen.probability, cuts)}: {variant.name}{gate if other == UNDECIDED else ''})"


def _listed(variants: list[Variant]) -> str:
    return ", ".join(f"{variant.name} (probability {shown(variant.seen.probability)})" for variant in variants)


def _reason(own: str, known: Known, support: float, contradict: float) -> tuple[str, ...]:
    """Why the chosen fit answers as it does."""
    seen = known.seen
    probability = f"probability {shown(seen.probability, (support, contradict))}"
    match own:
        case "unanswered" | "not counted":
            return ("the sampler failed its diagnostics",)
        case "negligible":
            inside = shown(float(seen.within or 0.0), (support,))
            return (
                f"with probability {inside} it differs from the claim's number by less than the smallest effect",
                probability,
            )
        case "contradicted":
            return (f"{probability}, at most {contradict:g}",)
        case "supported":
            return (f"{probability}, at least {support:g}",)
    if seen.probability >= support:
        found = "" if known.factor is None else f"Bayes factor for equal slopes {known.factor:.2g}: "
        return (f"{found}that slopes differ at all is not established", f"{probability} for this pair alone")
    return (f"{probability}, between {contradict:g} and {support:g}",)


def lines_of(table: tuple[Line, ...], **bars: Any) -> list[tuple[int, str, str]]:
    """A table as rows: number, condition, what follows."""
    return [(n, line.when.format(**bars) if bars else line.when, line.then) for n, line in enumerate(table, start=1)]
