"""What is asked of a model before it is estimated."""

from dataclasses import replace

from bayes_npp.bayesian.model.loadings import check_loadings
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.design.design import Design
from bayes_npp.design.spec import Spec
from bayes_npp.errors import SpecError
from bayes_npp.study.header import Roles
from bayes_npp.study.sample import Sample


def check_lags(lags: int | None, sample: Sample, design: Design) -> None:
    """Raise where Driscoll-Kraay errors take lags as long as the panel."""
    if lags is not None and lags >= len(design.times):
        problem = f"lags = {lags} with {len(design.times)} periods"
        raise SpecError(problem, place=sample.panel.source, fix="Use fewer lags than periods")


def check_prepared(design: Design) -> None:
    """Raise where the hierarchical model of a design is not identified; independent errors need no slow library."""
    check_loadings(design, "the hierarchical model")
    prepare(replace(design, spec=Spec(**{**design.spec.model_dump(), "errors": "iid", "se": None})))


def check_ladder(spec: Spec) -> None:
    """Raise where a rung of the ladder would have nothing to estimate its slopes from."""
    if not spec.correlated_means and "fixed" in (spec.unit_effects, spec.time_effects):
        raise SpecError(
            "a ladder (ladder = true) tries fixed effects of units and of periods, which absorb the means",
            fix="Leave correlated_means at true, or say ladder = false",
        )


def check_collapsible(spec: Spec, engine: str) -> None:
    """Raise where the collapsed sampler cannot fit a model."""
    from bayes_npp.bayesian.collapsed.collapsed import why_not_collapsible  # numba is slow to load

    if reason := why_not_collapsible(spec):
        raise SpecError(f"engine = '{engine}', and {reason}", fix="Use engine = 'nuts' or 'auto'")


def with_lags(roles: Roles, outcome_lags: int, controls: tuple[str, ...]) -> tuple[str, ...]:
    """Regressors of a dynamic model: lags of the outcome, exposure, controls."""
    lags = tuple(f"L{lag}.{roles.outcome}" for lag in range(1, outcome_lags + 1))
    return (*lags, roles.exposure, *controls)
