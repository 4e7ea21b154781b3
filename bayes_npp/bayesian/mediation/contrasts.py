"""Quantities of propositions about paths, as posterior draws of a mediation."""

import numpy as np

from bayes_npp.bayesian.mediation.mediation import Mediation
from bayes_npp.design.propositions import Proposition, Quantity
from bayes_npp.design.slope_contrasts import no_group, position
from bayes_npp.errors import SpecError


def path_draws(proposition: Proposition, mediation: Mediation) -> np.ndarray:
    """Draws of what a proposition about paths compares with its threshold, shape (S,), in the data's units."""
    draws = _path(proposition.left, mediation)
    return draws - _path(proposition.right, mediation) if isinstance(proposition.right, Quantity) else draws


def _path(quantity: Quantity, mediation: Mediation) -> np.ndarray:
    labels = list(quantity.labels)
    if quantity.name in ("path_a", "path_b"):
        at = position(labels.pop(0), mediation.mediators, quantity)
        values = getattr(mediation, quantity.name)[:, at]
    elif quantity.name == "indirect":
        values = mediation.indirect[:, position(labels.pop(0), mediation.terms, quantity)]
    elif quantity.name in ("direct", "total", "total_indirect"):
        indirect, direct = mediation.indirect.sum(axis=1), mediation.direct
        values = {"direct": direct, "total_indirect": indirect, "total": indirect + direct}[quantity.name]
    else:
        raise SpecError(f"'{quantity}' is no path", fix="Name a hierarchical model")
    if not labels:
        return values @ mediation.shares
    if not mediation.groups:
        return no_group(quantity)
    return values[:, position(labels[0], mediation.groups, quantity)]
