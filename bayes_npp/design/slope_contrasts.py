"""Quantities of propositions about slopes: weights on the slopes of the groups."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayes_npp.design.design import Design, twfe_weights
from bayes_npp.design.propositions import EXAMPLES, Proposition, Quantity, parse_proposition
from bayes_npp.errors import SpecError, located, nearest
from bayes_npp.estimates import positive


@dataclass(frozen=True)
class Contrasts:
    """P propositions about the G slopes: for each row w of `weights`, signs * (w'slopes - cutoffs) > 0.

    Attributes
    ----------
    weights : ndarray, shape (P, max(G, 1))
    cutoffs, signs : ndarray, shape (P,)
    """

    weights: np.ndarray
    cutoffs: np.ndarray
    signs: np.ndarray

    def values(self, slopes: np.ndarray) -> np.ndarray:
        """What each proposition compares with its cutoff, shape (P, S), from draws of the slopes (S, G)."""
        return self.weights @ slopes.T

    def holds(self, values: np.ndarray) -> np.ndarray:
        """1 where a proposition holds and 0 where not, shape (P, S), from `values`; NaN of what is no number."""
        return positive(self.signs[:, None] * (values - self.cutoffs[:, None]))


def contrasts(propositions: Sequence[Proposition], design: Design) -> Contrasts:
    """Propositions as weights, cutoffs and signs; `SpecError` for a quantity this design does not estimate."""
    weights = np.array([slope_weights(p, design) for p in propositions])
    cutoffs = np.array([p.threshold for p in propositions], dtype=float)
    return Contrasts(weights, cutoffs, np.array([p.sign for p in propositions], dtype=float))


def slope_weights(proposition: Proposition, design: Design) -> np.ndarray:
    """Weights w on the groups' slopes, shape (max(G, 1),), such that the proposition compares w'slopes with a number.

    Raises
    ------
    SpecError
        A quantity this design does not estimate.
    """
    weights = _weights(proposition.left, design)
    if isinstance(proposition.right, Quantity):
        weights = weights - _weights(proposition.right, design)
    if not weights.any():
        raise SpecError(f"'{proposition}' compares a quantity with itself", fix="Compare two quantities")
    return weights


def _weights(quantity: Quantity, design: Design) -> np.ndarray:
    groups = design.groups
    if design.spec.exposure is None or design.spec.unit_slopes or design.spec.dynamic:
        raise SpecError(f"'{quantity}' is not estimated by this model", fix="Use a static model with slopes by group")
    match quantity.name:
        case "average_slope_twfe_weighted":
            if not design.spec.correlated_means:
                raise SpecError(
                    f"'{quantity}' takes a model with correlated_means, whose slopes are within units and periods",
                    fix="Name another model, or claim 'average_slope'",
                )
            return twfe_weights(design) if groups else np.ones(1)
        case "average_slope":
            return design.group_shares
        case "mean_group_slope":
            return np.full(max(len(groups), 1), 1 / max(len(groups), 1))
    if quantity.name != "slope":
        raise SpecError(f"'{quantity}' is a path: no mediation model", fix="Name a model with kind = 'mediation'")
    if not quantity.labels:
        if groups:
            raise SpecError("'slope' of a model with slopes by group", fix=f"Write slope[{groups[0]}] or average_slope")
        return np.ones(1)
    return np.eye(len(groups))[position(quantity.labels[0], groups, quantity)] if groups else no_group(quantity)


def weighed(
    asked: str | np.ndarray, design: Design, cutoff: float = 0.0, sign: float = 1.0
) -> tuple[np.ndarray, float, float]:
    """Weights, cutoff and sign of a probability about slopes: those of a proposition, or as they are given.

    Raises
    ------
    SpecError
        No proposition about slopes of this design, or not one number for each of them.
    """
    with located("the probability asked for"):
        if isinstance(asked, str):
            proposition = parse_proposition(asked)
            return slope_weights(proposition, design), proposition.threshold, proposition.sign
        weights, size = np.asarray(asked), max(len(design.groups), 1)
        if weights.dtype.kind not in "biuf" or weights.shape != (size,) or not np.isfinite(weights).all():
            what = f"the slope of each of {', '.join(design.groups)}" if design.groups else "the one slope"
            raise SpecError("these are no weights on slopes", fix=f"Give one number for {what}. {EXAMPLES}")
        return weights, cutoff, sign


def no_group(quantity: Quantity) -> np.ndarray:
    """Raise: the quantity names a group, and there are none."""
    raise SpecError(f"'{quantity}' names a group, and the model has slopes by none", fix="Name a model with slopes")


def position(label: str, known: tuple[str, ...], quantity: Quantity) -> int:
    """Where a label of a quantity stands among the known ones."""
    if label not in known:
        raise SpecError(f"'{quantity}': unknown label '{label}'", fix=nearest(label, known))
    return known.index(label)
