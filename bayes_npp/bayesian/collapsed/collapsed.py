"""The collapsed sampler: which models it is exact for, and their collapsed posteriors."""

from bayes_npp.bayesian.collapsed.loadings import collapse_loadings
from bayes_npp.bayesian.collapsed.posterior import Collapsed, shifted
from bayes_npp.bayesian.collapsed.products import cross_products
from bayes_npp.bayesian.collapsed.theta import ERROR_PARTS, lay_out
from bayes_npp.bayesian.model.error_models import named, why_not_integrated
from bayes_npp.bayesian.model.loadings import loads
from bayes_npp.bayesian.model.terms import ModelData, Term, terms, unit_terms
from bayes_npp.bayesian.priors.sets import PriorSet
from bayes_npp.design.spec import Spec
from bayes_npp.errors import SpecError


def why_not_collapsible(spec: Spec) -> str:
    """Why the collapsed sampler is not exact for a model; empty where it is."""
    reason = why_not_integrated(spec.errors, spec.unit_slopes, bool(spec.group_time_effects))
    missing = [name for name in named(spec.errors) if name not in ERROR_PARTS]
    return reason or (f"'{missing[0]}' is not in the compiled density" if missing else "")


def on_grid(spec: Spec) -> bool:
    """Whether the density takes rows on the grid of periods in place of cross-products."""
    return loads(spec) or "period_scale" in spec.error_parts


def collapse(data: ModelData, priors: PriorSet, more: tuple[Term, ...] = ()) -> Collapsed:
    """Cross-products, layout and priors of the collapsed posterior.

    Parameters
    ----------
    data : ModelData
    priors : PriorSet
    more : tuple of Term
        Beyond those of the model.

    Raises
    ------
    SpecError
        Errors under which coefficients do not integrate out.
    """
    reason = why_not_collapsible(data.design.spec)
    if reason:
        raise SpecError(f"the collapsed sampler cannot fit this model: {reason}", fix="Use engine = 'nuts'")
    if on_grid(data.design.spec):
        return collapse_loadings(data, priors, more)
    everything = [*terms(data, priors), *more]
    kept = [term for term in everything if term.slot and not priors[term.slot].collapses and not term.scale]
    columns = tuple(term for term in everything if not any(term is other for other in kept))
    effects = tuple(unit_terms(data))
    layout, encoded, means, elements = lay_out(data, (*columns,), effects, priors, tuple(kept))
    products, unit_cross, unit_gram = cross_products(data, (*columns, *kept), effects)
    at_means = products._replace(
        total=shifted(products.total, means, both=True), unit_cross=shifted(products.unit_cross, means)
    )
    return Collapsed(
        data, columns, effects, elements, at_means, shifted(unit_cross, means), unit_gram, layout, encoded, means
    )
