"""The rule that turns what is known of a claim into a verdict."""

from dataclasses import dataclass

RULE = (
    "A claim is supported if its posterior probability, under the errors the checks ask for, reaches {support:g}, and, "
    "where it says that slopes differ, the Bayes factor speaks for different slopes (below 1/3 for equal ones) too. It "
    "is fragile if that probability is not reached under another prior, measure or sample, if power-scaling flags a "
    "conflict between prior and data, if the error model fails its checks, or if the sampler failed under some "
    "variant. It is contradicted if the probability is at most {contradict:g}. Otherwise, or if the sampler failed, it "
    "is undecided."
)
SUPPORTED, FRAGILE, UNDECIDED, CONTRADICTED = "supported", "supported but fragile", "undecided", "contradicted"
VERDICTS = (SUPPORTED, FRAGILE, UNDECIDED, CONTRADICTED)
DIFFERENT = 1 / 3  # of the Bayes factor for equal slopes (Kass & Raftery 1995)


@dataclass(frozen=True)
class Known:
    """What a verdict rests on.

    Attributes
    ----------
    probability : float
        Posterior probability of the claim under the errors behind the verdicts.
    sampled : bool
        Whether the sampler passed its diagnostics.
    errors_fit : bool
        Whether the error model passes its posterior predictive checks.
    factor : float, optional
        Bayes factor for equal slopes, where the claim says that they differ.
    lowest : tuple of (kind, variant, probability)
        The lowest probability by kind of variation (priors, measurement, specification).
    unanswered : int
        Variants that give no probability because their sampler failed.
    conflict : str
        Priors that power-scaling finds in conflict with the data; empty if none.
    """

    probability: float
    sampled: bool
    errors_fit: bool
    factor: float | None = None
    lowest: tuple[tuple[str, str, float], ...] = ()
    unanswered: int = 0
    conflict: str = ""


@dataclass(frozen=True)
class Verdict:
    """A verdict and its reasons, the decisive one first."""

    name: str
    because: tuple[str, ...]


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


def verdict(known: Known, support: float = 0.95, contradict: float = 0.05) -> Verdict:
    """Apply the rule `RULE`."""
    p, cuts = known.probability, (support, contradict)
    seen = f"probability {shown(p, cuts)}"
    if not known.sampled:
        return Verdict(UNDECIDED, ("the sampler failed its diagnostics",))
    weak = [] if known.errors_fit else ["its error model fails checks of the data"]
    if known.unanswered:
        weak.append(f"under {known.unanswered} of its variants the sampler failed")
    if p <= contradict:
        return Verdict(CONTRADICTED, (f"{seen}, at most {contradict:g}", *weak))
    if p < support:
        return Verdict(UNDECIDED, (f"{seen}, between {contradict:g} and {support:g}", *weak))
    if known.factor is not None and not known.factor < DIFFERENT:
        reason = f"Bayes factor for equal slopes {known.factor:.2g}: that slopes differ at all is not established"
        return Verdict(UNDECIDED, (reason, f"{seen} for this pair alone", *weak))
    shaken = [f"{kind} ({shown(q, cuts)}: {variant})" for kind, variant, q in known.lowest if q < support]
    if known.conflict:
        shaken.append(f"the prior of {known.conflict}, in conflict with the data")
    reached = f"{seen}, at least {support:g}"
    if shaken or weak:
        to = (f"fragile to {'; '.join(shaken)}",) if shaken else ()
        return Verdict(FRAGILE, (reached, *to, *weak))
    return Verdict(SUPPORTED, (reached,))
