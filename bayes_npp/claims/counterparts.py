"""What least squares says of a claim: probabilities of its own t, leads of the exposure, weights of the average."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bayes_npp.design.design import NEGATIVE, Design, twfe_weights
from bayes_npp.design.propositions import Proposition
from bayes_npp.errors import BayesNppError
from bayes_npp.frequentist.hypotheses.proposition import WHOLE, PropositionTest
from bayes_npp.frequentist.least_squares.static import Errors, static_estimates
from bayes_npp.study.claims import Claim
from bayes_npp.study.models import FrequentistModel, HierarchicalModel
from bayes_npp.study.robustness import Robustness, alter
from bayes_npp.study.sample import Sample


def twin(model: HierarchicalModel, slopes: str | None = None) -> FrequentistModel:
    """The regression that a hierarchical model's robustness rows are estimated by beside it."""
    return FrequentistModel(name="twin", kind="twfe", controls=model.controls, slopes=slopes)


def tail(test: PropositionTest, proposition: Proposition) -> float:
    """P = F_t(t; the row's own degrees of freedom) of a proposition.

    Notes
    -----
    The posterior probability under a flat prior; docs/claims.md.
    """
    return test.below(proposition.sign * (test.estimate - proposition.threshold))


def within(test: PropositionTest, proposition: Proposition, smallest: float | None) -> float:
    """The same of a distance from the proposition's number below the smallest effect; NaN where none is declared."""
    if smallest is None:
        return np.nan
    distance = test.estimate - proposition.threshold
    return test.below(distance + smallest) - test.below(distance - smallest)


def leads(sample: Sample, model: HierarchicalModel, rows: Sequence[Robustness]) -> tuple[str, ...]:
    """Rows of a study in which a lead of the exposure has a 95 % interval that excludes zero."""
    out = []
    for row in rows:
        if not row.lead:
            continue
        try:
            altered = alter(sample, twin(model), row)
            design = altered.data.design(altered.model.spec(altered.data.roles))
            frame = static_estimates(design, "two-way", Errors(), sample.panel.source).frame
        except BayesNppError:
            continue  # the row itself says why it has no estimate
        found = frame[frame["term"] == altered.placebo].iloc[0]
        if found["lo"] > 0 or found["hi"] < 0:
            out.append(row.name)
    return tuple(out)


def wrong_weights(design: Design, proposition: Proposition, slopes: np.ndarray, smallest: float | None = None) -> str:
    """What is wrong with the weights of two-way fixed effects, of claims about the average that has them.

    Parameters
    ----------
    design : Design
    proposition : Proposition
    slopes : ndarray, shape (G,)
        Posterior means.
    smallest : float, optional
        The smallest effect of interest: signs of averages that are both nearer to zero say nothing.

    Notes
    -----
    docs/statistics.md, section 1.3: with a negative weight the average can leave the range of the slopes.

    References
    ----------
    de Chaisemartin & D'Haultfoeuille (2020), American Economic Review 110.
    """
    if not design.groups or WHOLE not in [quantity.name for quantity in proposition.quantities]:
        return ""
    weights = twfe_weights(design)
    below = [f"{group} {w:.2f}" for group, w in zip(design.groups, weights, strict=True) if w < NEGATIVE]
    if below:
        return f"two-way fixed effects give groups a negative weight ({', '.join(below)})"
    mine, theirs = float(weights @ slopes), float(design.group_shares @ slopes)
    if mine * theirs < 0 and max(abs(mine), abs(theirs)) >= (smallest or 0.0):
        return (
            f"the average with the weights of two-way fixed effects ({mine:.2g}) and that over observations "
            f"({theirs:.2g}) differ in sign"
        )
    return ""


def near(rows: pd.DataFrame, proposition: Proposition, smallest: float | None) -> np.ndarray:
    """P(distance from the number below the smallest effect) from means and intervals, by the normal; NaN without one.

    `rows` has mean, lo and hi, the interval equal-tailed at 95 %.
    """
    from scipy.stats import norm

    if smallest is None:
        return np.full(len(rows), np.nan)
    mean = rows["mean"].to_numpy(dtype=float) - proposition.threshold
    sd = (rows["hi"] - rows["lo"]).to_numpy(dtype=float) / (2 * norm.ppf(0.975))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(norm.cdf((smallest - mean) / sd) - norm.cdf((-smallest - mean) / sd))


def smallest_effects(claims: Sequence[Claim]) -> dict[str, float]:
    """The smallest effect of each proposition that has one."""
    return {str(claim.parsed): claim.smallest_effect for claim in claims if claim.smallest_effect is not None}
