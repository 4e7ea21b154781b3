"""Do paths differ between groups at all? Bayes factors of equal paths, from those of the equations' slopes."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from bayes_npp.bayesian.comparison.homogeneity import Homogeneity, factor_of_equal_slopes
from bayes_npp.bayesian.mediation.equations import lagged
from bayes_npp.bayesian.mediation.mediation import Mediation
from bayes_npp.design.propositions import Proposition, Quantity

Slopes = dict[tuple[str, str], Homogeneity | None]  # by equation and the variable whose slope it is


def equal_paths(proposition: Proposition, mediation: Mediation, known: Slopes | None = None) -> Homogeneity | None:
    """Bayes factor of equal against unequal paths of a proposition that compares groups; None of any other.

    An indirect effect is the same in all groups where both of its paths are. Their equations are independent a priori,
    so that its factor is the product of the paths'. Of totals and of chains of mediators it is the largest of their
    parts': all must be seen to differ. Paths that a prior ties are taken as independent.

    Parameters
    ----------
    proposition : Proposition
    mediation : Mediation
    known : dict, optional
        Factors found before, to which others are added: claims about several pairs of groups share them.

    Notes
    -----
    docs/statistics.md, section 3; docs/claims.md.
    """
    left, right = proposition.left, proposition.right
    fits = mediation.equations.values()
    if not isinstance(right, Quantity) or left.name != right.name or not all(fit.is_collapsed for fit in fits):
        return None
    groups = [labels[-1] for labels in (left.labels, right.labels) if labels]
    if len(set(groups)) < 2 or not set(groups) <= set(mediation.groups):
        return None
    known = {} if known is None else known
    parts = [part for chain in _chains(left, mediation) if (part := _product(chain, mediation, known)) is not None]
    return max(parts, key=lambda part: part.factor) if parts else None


def _chains(quantity: Quantity, mediation: Mediation) -> list[list[tuple[str, str]]]:
    """What the quantity is a sum of: products of slopes, each an equation and the variable whose slope it is."""
    outcome, exposure = mediation.spec.outcome, mediation.spec.exposure or ""
    direct = [[(outcome, exposure)]]
    if quantity.name == "direct":
        return direct
    if quantity.name in ("path_a", "path_b"):
        name = quantity.labels[0]
        return [[(name, exposure) if quantity.name == "path_a" else (outcome, name)]]
    chains = [_steps(chain, mediation) for chain in mediation.chains]
    if quantity.name == "indirect":
        return [chains[mediation.terms.index(quantity.labels[0])]]
    return chains if quantity.name == "total_indirect" else [*chains, *direct]


def _steps(chain: Sequence[str], mediation: Mediation) -> list[tuple[str, str]]:
    every = (mediation.spec.exposure or "", *chain, mediation.spec.outcome)
    return [(effect, cause) for cause, effect in pairwise(every)]


def _product(steps: Sequence[tuple[str, str]], mediation: Mediation, known: Slopes) -> Homogeneity | None:
    """Factor of a product of slopes: the product over those that vary; None where none does."""
    for step in steps:
        if step not in known:
            known[step] = _of_slope(*step, mediation)
    found = [part for step in steps if (part := known[step]) is not None]
    if not found:
        return None
    by_scale = tuple(
        (own[0][0], float(np.prod([factor for _, factor in own])))
        for own in zip(*(part.by_scale for part in found), strict=True)
    )
    return replace(
        found[0],
        factor=float(np.prod([part.factor for part in found])),
        mcse=float(np.sqrt(sum(part.mcse**2 for part in found))),
        by_scale=by_scale,
    )


def _of_slope(effect: str, cause: str, mediation: Mediation) -> Homogeneity | None:
    """Factor of equal slopes of one variable in one equation; None where it has one slope."""
    fit = mediation.equations[effect]
    if not fit.design.groups:
        return None
    if cause == mediation.spec.exposure:
        return factor_of_equal_slopes(fit.collapsed, fit.priors, fit.thetas)
    name = lagged(cause, mediation.paths.lags[1]) if effect == mediation.spec.outcome else cause
    if name not in fit.spec.varying:
        return None
    at = fit.spec.varying.index(name)
    return factor_of_equal_slopes(fit.collapsed, fit.priors, fit.thetas, "control_slope_sd", at)
