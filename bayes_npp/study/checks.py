"""Checks of a study before anything is estimated: each a function that says what there is, or raises."""

from collections.abc import Iterator

from bayes_npp.bayesian.fitting.error_ladder import on_rung
from bayes_npp.bayesian.instruments.equations import check_iv_priors
from bayes_npp.bayesian.mediation.equations import check_quantities
from bayes_npp.bayesian.model.error_models import why_not_integrated
from bayes_npp.bayesian.priors.grid import load_grid
from bayes_npp.bayesian.priors.sets import check_priors
from bayes_npp.design.slope_contrasts import slope_weights
from bayes_npp.design.spec import Spec
from bayes_npp.errors import SpecError, located, nearest
from bayes_npp.study.bayesian_model import BayesianModel
from bayes_npp.study.file_names import check_file_names
from bayes_npp.study.header import Roles
from bayes_npp.study.index_variants import check_measurement
from bayes_npp.study.instruments import HierarchicalIvModel
from bayes_npp.study.labels import check_columns
from bayes_npp.study.model_spec import ModelSpec
from bayes_npp.study.models import HierarchicalModel, MediationModel
from bayes_npp.study.notices import study_notices
from bayes_npp.study.overlap import check_concepts
from bayes_npp.study.robustness import row_name, targets
from bayes_npp.study.study import Study, shown_path


def check_study(study: Study) -> list[str]:
    """Validate panel, variables, roles, models, priors and published numbers before anything is estimated.

    Returns
    -------
    list of str
        What was found, a line each.

    Raises
    ------
    BayesNppError
        The first thing that is wrong.
    """
    lines = [line for check in CHECKS for line in check(study.simplest)]
    _check_rungs(study)
    return lines


def _names(study: Study) -> Iterator[str]:
    """No two fits share a name or a file."""
    with located(shown_path(study.path)):
        check_file_names(study.models, study.robustness, study.roles)
    yield from ()


def _labels(study: Study) -> Iterator[str]:
    """Labels in Chinese are in the panel, one for each; columns that are given words are there."""
    with located(shown_path(study.path)):
        check_columns(study.labels, study.panel)
        study.labels_zh  # noqa: B018 (read here: what is wrong with them is said before anything is estimated)
    yield from ()


def _columns(study: Study) -> Iterator[str]:
    """Every column that roles and models name is in the panel."""
    panel, place = study.panel, shown_path(study.path)
    named = [(f"[roles] {role}", name) for role, name in _role_columns(study.roles)]
    for model in study.models:
        with located(_at(study, model)):
            named += _model_columns(model, study.roles)
    for where, name in named:
        if name not in panel.frame:
            fix = nearest(name, panel.frame.columns)
            raise SpecError(f"unknown column '{name}'", place=f"{place}, {where}", fix=fix)
    yield study.header.title
    yield f"panel: {shown_path(study.panel_path)}, {panel.balance()}"
    yield from (f"warning: {notice}" for notice in study_notices(study))
    yield from (f"filled by interpolation: {c.variable}, {c.unit} {c.time} = {c.value:.6g}" for c in panel.filled)


def _models(study: Study) -> Iterator[str]:
    """Every model has rows, identified slopes and priors for its parameters."""
    for model in study.models:
        with located(_at(study, model)):
            yield f"model {model.name} ({model.kind}): {model.check(study.sample)}"
        if isinstance(model, BayesianModel):
            priors = study.priors(model)
            with located(_at(study, model)):
                check_priors(priors, study.spec(model))
                if isinstance(model, HierarchicalIvModel):
                    check_iv_priors(priors, len(model.instruments))
            yield f"  priors: {priors.name}"


def _robustness(study: Study) -> Iterator[str]:
    """Every robustness row can be estimated."""
    for name, row, altered in study.altered:
        with located(f"{shown_path(study.path)}, robustness '{row.name}' of '{name}'"):
            altered.model.check(altered.data)
            if isinstance(altered.model, HierarchicalModel):
                check_priors(study.priors(altered.model), altered.model.spec(altered.data.roles))
        yield f"robustness {altered.model.name}: {altered.changed}"


def _measurement(study: Study) -> Iterator[str]:
    """Every declared way to measure exists on these data."""
    if study.measurement is not None:
        with located(f"{shown_path(study.path)}, [measurement]"):
            yield check_measurement(study.measurement, study.panel, study.variables, study.roles, study.models)


def _concepts(study: Study) -> Iterator[str]:
    """Declared overlaps are about columns of the panel."""
    with located(f"{shown_path(study.path)}, [[overlap]]"):
        check_concepts(study.concepts, study.panel)
    yield from ()


def _paper_tables(study: Study) -> Iterator[str]:
    """Columns of the paper's tables are models or their robustness rows."""
    known = [model.name for model in study.models]
    known += [row_name(model, row) for row in study.robustness for model in targets(row, study.models)]
    for declared in study.tables:
        for name in declared.columns:
            if name not in known:
                where = f"{shown_path(study.path)}, [[table]] {declared.number}"
                raise SpecError(f"unknown model '{name}' in columns", place=where, fix=nearest(name, known))
    yield from ()


def _differences(study: Study) -> Iterator[str]:
    """Every [[difference]] has groups that can be compared, and a model that is there."""
    for declared in study.differences:
        with located(shown_path(study.path)):
            yield declared.check(study.sample, study.models)


def _confounding(study: Study) -> Iterator[str]:
    """What a confounder is compared with is a control."""
    with located(f"{shown_path(study.path)}, [confounding]"):
        study.confounding.named(study.roles)
    yield from ()


def _event_time(study: Study) -> Iterator[str]:
    """Leads and lags leave rows, and the model beside them can have them."""
    if study.event_time is not None:
        with located(f"{shown_path(study.path)}, [event_time]"):
            yield study.event_time.check(study.sample, study.models)


def _claims(study: Study) -> Iterator[str]:
    """Every claim is about something its model estimates."""
    if study.claims:
        load_grid(study.claim_rules.grid, study.path.parent)
    for claim in study.claims:
        where = f"{shown_path(study.path)}, [[claim]] '{claim.id}'"
        with located(where):
            model = study.model(claim.model)
            if isinstance(model, MediationModel):
                groups = model.treated(study.sample).designs[0].groups
                check_quantities(claim.parsed, model.own_mediators(study.roles), model.paths, groups)
            elif isinstance(model, HierarchicalModel):
                slope_weights(claim.parsed, study.sample.design(study.spec(model)))
                _check_other_priors(model, study.spec(model))
                if claim.parsed.is_difference and model.slope_pooling == "none":
                    raise SpecError(
                        f"the slopes of model '{model.name}' share no prior (slope_pooling = 'none'), and a claim "
                        "about a difference needs the Bayes factor of equal slopes, which compares with such a prior",
                        fix="Put the claim to a model with slope_pooling = 'sum_to_zero' or 'exchangeable'",
                    )
            else:
                raise SpecError(
                    f"model '{claim.model}' has kind '{model.kind}'",
                    fix="A claim is answered by a hierarchical or a mediation model",
                )
        yield f"claim {claim.id}: {claim.proposition} ({claim.model})"


def _check_other_priors(model: HierarchicalModel, spec: Spec) -> None:
    """Raise where a claim cannot be asked again under other priors, which is part of its answer."""
    reason = why_not_integrated(model.errors, spec.unit_slopes, bool(spec.group_time_effects))
    if reason:
        raise SpecError(
            f"model '{model.name}' has errors = '{model.errors}' ({reason}), and a claim is asked again under many "
            "priors, which takes the collapsed sampler",
            fix="Put the claim to a model with other errors, and declare this one beside it",
        )


def _check_rungs(study: Study) -> None:
    """Raise where a rung that a ladder may climb lacks a prior, or the distances of periods that AR(1) takes."""
    for model, simplest in zip(study.models, study.simplest.models, strict=True):
        if isinstance(model, BayesianModel) and model.leaves_errors:
            with located(_at(study, model)):
                study.panel.check_distances("errors = 'auto', which tries AR(1) errors,")
        if isinstance(model, BayesianModel) and model.rungs:
            priors, spec = study.priors(model), study.spec(simplest)
            with located(_at(study, model)):
                for errors in model.rungs:
                    if (own := on_rung(spec, errors)) is not None:
                        check_priors(priors, own)


def _published(study: Study) -> Iterator[str]:
    """The paper's numbers can be read."""
    if study.published is not None:
        yield f"published numbers: {len(study.published)} rows"


def _positions(study: Study) -> Iterator[str]:
    """Every place on the grid is of a unit of the panel."""
    units = set(study.panel.frame[study.panel.unit].astype(str))
    for name in study.positions:
        if name not in units:
            place = shown_path(study.path.parent / str(study.header.positions))
            raise SpecError(f"unknown unit '{name}'", place=place, fix=nearest(name, sorted(units)))
    yield from ()


CHECKS = (
    _names,
    _labels,
    _columns,
    _models,
    _robustness,
    _measurement,
    _concepts,
    _paper_tables,
    _differences,
    _confounding,
    _event_time,
    _claims,
    _published,
    _positions,
)


def _at(study: Study, model: ModelSpec) -> str:
    return f"{shown_path(study.path)}, model '{model.name}'"


def _role_columns(roles: Roles) -> list[tuple[str, str]]:
    single = [("outcome", roles.outcome), ("exposure", roles.exposure)]
    many = [(role, name) for role in ("controls", "mediators") for name in getattr(roles, role)]
    return single + many


def _model_columns(model: ModelSpec, roles: Roles) -> list[tuple[str, str]]:
    """(where, column) of what a model names beyond the roles."""
    spec = model.spec(roles)
    named = {"slopes": spec.slope_group, "group_time_effects": spec.group_time_effects, "se": spec.se}
    named |= {key: getattr(model, key, None) for key in ("subsamples", "outcome", "exposure", "analytic_weights")}
    cluster = getattr(model, "cluster", "unit")
    named["cluster"] = cluster if isinstance(cluster, str) and cluster != "unit" else None
    out = [(f"model '{model.name}', {key}", name) for key, name in named.items() if name]
    for key in ("controls", "mediators", "instruments", "endogenous"):
        out += [(f"model '{model.name}', {key}", name) for name in getattr(model, key, None) or ()]
    return out
