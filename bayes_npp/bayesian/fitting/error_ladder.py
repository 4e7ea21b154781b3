"""The ladder of error models: its order, the rule that picks one by its checks, and how it is climbed."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from bayes_npp.bayesian.fitting.predictive_checks import PredictiveCheck, failures
from bayes_npp.bayesian.model.error_models import BASE, factors_of, named, parts
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.design.design import Design
from bayes_npp.design.spec import Spec
from bayes_npp.errors import BayesNppError, SpecError

AUTO = "auto"  # in the place of errors: those that the ladder picks
WITHOUT_FACTORS = ("iid", "ar1", "unit_scale", "ar1+unit_scale", "period_scale")
ERRORS = (
    *WITHOUT_FACTORS,
    *(
        factors if errors == BASE else f"{errors}+{factors}"
        for factors in ("factor", "factor2")
        for errors in WITHOUT_FACTORS
    ),
)
ONE_FACTOR = tuple(errors for errors in ERRORS if factors_of(errors) <= 1)
RULE = (
    "Error models are tried from the simplest on, whatever the model declares: independent errors of one scale, AR(1) "
    "errors within units, a scale for each unit, both, a scale for each period{factors}. The first that passes the "
    "posterior predictive checks that one of them can mend ({checks}), and whose sampler passes, stands behind the "
    "verdicts; after it only richer ones are fitted, which have all its parts and more{others}. If none passes, the "
    "one that fails fewest of these checks does (of several the one with most parts; one whose sampler failed last of "
    "all), and the verdicts say so."
)
AND_FACTORS = "; then these five with one common factor on which each unit has its own loading (six periods or more)"
AND_TWO, NOT_TWO = ", then with two (nine)", ", but not with two"
AND_NO_OTHERS = " (with as many factors, or with one factor more and nothing else)"

Checks = tuple[PredictiveCheck, ...]


@dataclass(frozen=True)
class ErrorRung[F]:
    """One error model tried.

    Attributes
    ----------
    errors : str
    fit : object
        What was fitted with them; of `fit.ladder` a `Fit`.
    checks : tuple of PredictiveCheck
    passed : bool
        Whether its sampler passed, and every check that some rung of the ladder can mend.
    why : str
        Why the next rung was climbed, or why the climb ended here.
    chosen : bool
        Whether the rule picks it.
    """

    errors: str
    fit: F
    checks: Checks
    passed: bool
    why: str
    chosen: bool = False


def climb_errors[F](
    ladder: tuple[str, ...],
    fit: Callable[[str], tuple[F, Checks] | None],
    beyond: bool = False,
    sampled: Callable[[F], bool] = lambda fit: True,
) -> tuple[ErrorRung[F], ...]:
    """Climb a ladder to its first rung that passes, and mark the one that `choose_errors` picks.

    Parameters
    ----------
    ladder : tuple of str
        Error models from the simplest on.
    fit : callable
        Fits the model with such errors: what is kept, and its posterior predictive checks; None where the panel does
        not carry them.
    beyond : bool
        Whether to fit, after the first that passes, the rungs `beyond_of` it.
    sampled : callable
        Whether the sampler of what was fitted passed its diagnostics: no rung passes whose sampler did not.

    Returns
    -------
    tuple of ErrorRung
        In the order of the ladder; one of them is chosen, unless there is none.
    """
    climbed = tuple(_climb(ladder, fit, beyond, sampled))
    if not climbed:
        return ()
    failed = frozenset(rung.errors for rung in climbed if not sampled(rung.fit))
    chosen = choose_errors({rung.errors: rung.checks for rung in climbed}, ladder, failed)
    return tuple(replace(rung, chosen=rung.errors == chosen) for rung in climbed)


def _climb[F](
    ladder: tuple[str, ...],
    fit: Callable[[str], tuple[F, Checks] | None],
    beyond: bool,
    sampled: Callable[[F], bool],
) -> Iterator[ErrorRung[F]]:
    first = ""
    for errors in ladder:
        if first and not beyond_of(errors, first):
            continue
        fitted = fit(errors)
        if fitted is None:
            continue
        well = sampled(fitted[0])
        passed = well and passes(fitted[1], ladder)
        decided = tuple(check for check in fitted[1] if check.name in decisive(ladder))
        reasons = (failures(decided), "" if well else "its sampler failed its diagnostics")
        why = "passes every check that a rung can mend" if passed else "; ".join(filter(None, reasons))
        yield ErrorRung(errors, *fitted, passed, why)
        first = first or (errors if passed else "")
        if first and not beyond:
            return


def with_errors(spec: Spec, errors: str) -> Spec:
    """A specification with other errors."""
    return spec if errors == spec.errors else Spec(**{**spec.model_dump(), "errors": errors})


def on_rung(spec: Spec, errors: str) -> Spec | None:
    """A specification with the errors of a rung; None where the two do not go together."""
    try:
        return with_errors(spec, errors)
    except SpecError:
        if errors == BASE:
            raise
        return None


def carried(build: Callable[[], Design], errors: str = "") -> Design | None:
    """A design; None where panel or specification do not carry it.

    Independent errors go with everything: what is wrong with them is wrong with the model, and is raised.
    """
    try:
        design = build()
        prepare(design)
    except BayesNppError:
        if errors == BASE:
            raise
        return None
    return design


def rule(ladder: tuple[str, ...]) -> str:
    """How the errors behind the verdicts are picked, in words."""
    more = bool(set(ladder) - set(WITHOUT_FACTORS))
    two = AND_TWO if any(factors_of(errors) > 1 for errors in ladder) else NOT_TWO
    factors, others = (AND_FACTORS + two, AND_NO_OTHERS) if more else ("", "")
    return RULE.format(factors=factors, others=others, checks=", ".join(decisive(ladder)))


def decisive(ladder: tuple[str, ...] = WITHOUT_FACTORS) -> tuple[str, ...]:
    """The posterior predictive checks that an error model of the ladder can mend."""
    return tuple(dict.fromkeys(check for errors in ladder for part in parts(errors) for check in part.mends))


def choose_errors(
    checks: Mapping[str, Checks], ladder: tuple[str, ...] = WITHOUT_FACTORS, unsampled: frozenset[str] = frozenset()
) -> str:
    """The error model behind the verdicts, by `rule`, from the posterior predictive checks of those tried.

    `unsampled` are those whose sampler failed its diagnostics.
    """
    tried = [errors for errors in ladder if errors in checks]

    def rank(errors: str) -> tuple[bool, int, int]:
        failed = sum(not check.passed for check in checks[errors] if check.name in decisive(ladder))
        return errors in unsampled, failed, -len(named(errors)) if failed else 0

    return min(tried, key=rank)


def richer(errors: str, than: str) -> bool:
    """Whether an error model has all parts of another, and more; two common factors are one and another."""
    have, needed = (set(named(one)) - {BASE} for one in (errors, than))
    have |= {"factor"} if "factor2" in have else set()
    needed |= {"factor"} if "factor2" in needed else set()
    return needed < have


def beyond_of(errors: str, first: str) -> bool:
    """Whether a rung is tried after the first that passes: richer with as many factors, or the same with one more."""
    more = factors_of(errors) - factors_of(first)
    own, others = ({part for part in named(one) if not factors_of(part)} - {BASE} for one in (first, errors))
    return richer(errors, first) and (more == 0 or (more == 1 and own == others))


def passes(checks: Checks, ladder: tuple[str, ...]) -> bool:
    """Whether every check passes that some rung of the ladder can mend."""
    return all(check.passed for check in checks if check.name in decisive(ladder))
