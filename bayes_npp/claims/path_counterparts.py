"""What least squares says of a claim about paths in rows that a mediation model cannot be fitted to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from bayes_npp.claims.counterparts import leads, twin
from bayes_npp.claims.entry import VARIANTS, shares_of, variant_row
from bayes_npp.claims.specification_curve import OWN_FACTOR, regression
from bayes_npp.design.propositions import Proposition
from bayes_npp.errors import BayesNppError, DesignError
from bayes_npp.estimates import summarise
from bayes_npp.frequentist.hypotheses.proposition import NO_TEST
from bayes_npp.frequentist.least_squares.inference import LinearFit
from bayes_npp.frequentist.least_squares.static import linear_fit
from bayes_npp.frequentist.mediation.mediation import PATH_FAMILY
from bayes_npp.study.header import Roles
from bayes_npp.study.models import HierarchicalModel, MediationModel
from bayes_npp.study.robustness import Robustness, alter
from bayes_npp.study.sample import Sample
from bayes_npp.study.study import Study

DRAWS = 100_000  # of paths, from which products are made: a Monte Carlo error of .0005 at .975
OF_GROUPS = "least squares has one path here, not one of each group"
OTHER_PATHS = "paths with lags or chains of mediators have no counterpart by least squares"


@dataclass(frozen=True)
class Equation:
    """One equation of a mediation model as a regression of its own: rows, roles and the twin of the model."""

    sample: Sample
    model: HierarchicalModel


def equations(study: Study, model: MediationModel) -> dict[str, Equation]:
    """The mediators' equations and, last, the outcome's, by what they explain.

    Rows are those that are complete in all: elsewhere what an equation explains is blank.
    """
    sample, roles = study.sample, study.sample.roles
    mediators, controls = model.own_mediators(roles), model.own_controls(roles)
    columns = (roles.outcome, roles.exposure, *controls, *mediators)
    complete = ~np.isnan(np.column_stack([sample.panel.numbers(name) for name in columns])).any(axis=1)
    out = {}
    for name in (*mediators, roles.outcome):
        panel = sample.panel.with_column(name, np.where(complete, sample.panel.numbers(name), np.nan))
        beside = (*controls, *mediators) if name == roles.outcome else controls
        own = Sample(panel, Roles(outcome=name, exposure=roles.exposure, controls=beside), sample.scales)
        out[name] = Equation(own, HierarchicalModel(name=model.name, kind="hierarchical", controls=beside))
    return out


def leads_of_paths(study: Study, model: MediationModel) -> tuple[str, ...]:
    """Rows in which a lead of the exposure has an interval without zero in one of the equations."""
    found = [leads(own.sample, own.model, study.robustness) for own in equations(study, model).values()]
    return tuple(dict.fromkeys(name for names in found for name in names))


def by_least_squares(
    study: Study,
    model: MediationModel,
    rows: Sequence[Robustness],
    propositions: Sequence[Proposition],
    smallest: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Probabilities of propositions about paths in rows of the study, equation by equation by least squares.

    A single path answers with P = F_t(t) at its own degrees of freedom, a product of paths with the share of draws from
    these distributions; equations are independent of each other, as they are in the model.

    Parameters
    ----------
    rows : sequence of Robustness
        That the mediation model cannot be fitted to.
    propositions : sequence of Proposition
    smallest : dict of float, optional
        The smallest effect of interest of a proposition.

    Returns
    -------
    DataFrame
        proposition and `entry.VARIANTS`. Not counted: propositions about groups, since an equation has one slope of the
        exposure here; rows without a test because clusters are few.

    Notes
    -----
    docs/statistics.md, section 4.7.
    """
    out = []
    for row in rows:
        named = "the exposure's own factor" if row.name == OWN_FACTOR else row.name
        label, fits, why = f"{named}, by least squares", None, OTHER_PATHS if _other_paths(model) else ""
        if not why:
            try:
                fits = _fits(study, model, row)
            except BayesNppError as error:
                why = error.problem
        for p in propositions:
            reason = why or (OF_GROUPS if _of_groups(p) else "")
            if fits is None or reason:
                applies = reason not in (OTHER_PATHS, OF_GROUPS)
                counted = applies and row.name != OWN_FACTOR and not reason.startswith(NO_TEST)
                found = variant_row("specification", label, np.nan, reason, counted=counted)
            else:
                found = _answer(p, label, fits, (smallest or {}).get(str(p)))
            out.append((str(p), *found))
    return pd.DataFrame(out, columns=["proposition", *VARIANTS])


def _other_paths(model: MediationModel) -> bool:
    return bool(model.serial) or any(model.lags)


def _of_groups(proposition: Proposition) -> bool:
    """Whether a group is named: the last label, after a mediator's where the quantity has one."""
    of_mediator = ("indirect", "path_a", "path_b")
    return any(len(q.labels) > (q.name in of_mediator) for q in proposition.quantities)


def _fits(study: Study, model: MediationModel, row: Robustness) -> dict[str, LinearFit]:
    """Each equation in a row, with a test of its paths.

    Raises
    ------
    BayesNppError
        An equation that cannot be estimated there, or has no test because clusters are too few.
    """
    every = equations(study, model)
    mediators, outcome = list(every)[:-1], list(every)[-1]
    out = {}
    for name, own in every.items():
        changed = row
        if name == outcome and row.controls is not None:
            changed = row.model_copy(update={"controls": (*row.controls, *mediators)})
        if name != outcome and row.outcome is not None:  # another measure of the outcome is no mediator
            changed = row.model_copy(update={"outcome": None, "rescale": False})
        altered = alter(own.sample, twin(own.model), changed)
        design = altered.data.design(altered.model.spec(altered.data.roles))
        source, fitted = study.panel.source, regression(altered.model)
        fit = fitted(design) if fitted else linear_fit(design, "two-way", "clustered", "stata", source=source)
        support = fit.support(np.eye(len(fit.names))[0], PATH_FAMILY)
        if support.refused:
            raise DesignError(f"{NO_TEST} paths: {support.note}", place=source)
        out[name] = fit
    return out


def _answer(
    proposition: Proposition, label: str, fits: Mapping[str, LinearFit], smallest: float | None
) -> tuple[object, ...]:
    """One proposition from the equations' regressions."""
    draws = _draws(proposition, fits)
    holds, inside = shares_of(proposition, draws, smallest)
    single = _single(proposition, fits)
    if single is not None:
        value, se, df = single
        away = value - proposition.threshold
        below = scipy.stats.t(df).cdf
        holds = float(below(proposition.sign * away / se))
        if smallest is not None:
            inside = float(below((away + smallest) / se) - below((away - smallest) / se))
    return variant_row("specification", label, holds, "", inside, numbers=summarise(draws))


def _single(proposition: Proposition, fits: Mapping[str, LinearFit]) -> tuple[float, float, int] | None:
    """Estimate, standard error and degrees of freedom of a quantity that is one coefficient; None of any other."""
    if proposition.is_difference:
        return None
    quantity, outcome = proposition.left, list(fits)[-1]
    match quantity.name:
        case "path_a":
            fit, at = fits[quantity.labels[0]], 0
        case "path_b":
            fit, at = fits[outcome], fits[outcome].names.index(quantity.labels[0])
        case "direct":
            fit, at = fits[outcome], 0
        case _:
            return None
    return float(fit.coefficients[at]), float(np.sqrt(fit.covariance[at, at])), fit.df


def _draws(proposition: Proposition, fits: Mapping[str, LinearFit]) -> np.ndarray:
    """Draws of what the proposition compares with its number, shape (`DRAWS`,)."""
    mediators, outcome = list(fits)[:-1], list(fits)[-1]
    random = np.random.default_rng(1)
    a = {name: _drawn(fits[name], [0], random)[:, 0] for name in mediators}
    at = [fits[outcome].names.index(name) for name in mediators]
    direct, *b = _drawn(fits[outcome], [0, *at], random).T
    indirect = {name: a[name] * own for name, own in zip(mediators, b, strict=True)}
    whole = sum(indirect.values(), np.zeros(DRAWS))
    sums = {"direct": direct, "total_indirect": whole, "total": whole + direct}
    of_mediator = {"path_a": a, "path_b": dict(zip(mediators, b, strict=True)), "indirect": indirect}

    def values(name: str, labels: tuple[str, ...]) -> np.ndarray:
        return sums[name] if name in sums else of_mediator[name][labels[0]]

    first, *second = [values(quantity.name, quantity.labels) for quantity in proposition.quantities]
    return first - second[0] if second else first


def _drawn(fit: LinearFit, at: Sequence[int], random: np.random.Generator) -> np.ndarray:
    """Draws (`DRAWS`, len(at)) of coefficients from the multivariate t around their estimates."""
    covariance = fit.covariance[np.ix_(at, at)]
    values, vectors = np.linalg.eigh(covariance)
    normal = random.standard_normal((DRAWS, len(at))) @ (vectors * np.sqrt(np.clip(values, 0, None))).T
    return fit.coefficients[list(at)] + normal / np.sqrt(random.chisquare(fit.df, DRAWS) / fit.df)[:, None]
