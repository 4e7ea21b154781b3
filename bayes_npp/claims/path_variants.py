"""Claims about paths under other measures of outcome and exposure, and in other samples."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bayes_npp.analysis.index_posteriors import variants_of
from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.fitting.diagnostics import Gate
from bayes_npp.bayesian.fitting.fit import fit_design
from bayes_npp.bayesian.fitting.refit import SHORT, Refit, Start, sample_until_passed, workers
from bayes_npp.bayesian.fitting.sample import Sampler
from bayes_npp.bayesian.mediation.contrasts import path_draws
from bayes_npp.bayesian.mediation.mediation import Mediation, assemble
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.priors.sets import PriorSet
from bayes_npp.claims.entry import SAMPLER_FAILED, VARIANTS, drawn_numbers, shares_of, variant_row
from bayes_npp.claims.path_counterparts import by_least_squares
from bayes_npp.claims.specification_curve import own_factor
from bayes_npp.design.design import Design
from bayes_npp.design.propositions import Proposition
from bayes_npp.errors import BayesNppError
from bayes_npp.study.models import HierarchicalModel, MediationModel
from bayes_npp.study.robustness import Robustness, alter
from bayes_npp.study.sample import Sample
from bayes_npp.study.study import Study

PATH_DRAWS = 1000
COLUMNS = ["proposition", *VARIANTS]


@dataclass(frozen=True)
class Altered:
    """A mediation model on other data: its equations, or why it has none; `row` is the study's, of a specification."""

    kind: str  # measurement | specification
    label: str
    designs: tuple[Design, ...] = ()
    reason: str = ""
    row: Robustness | None = None


def path_variants(
    study: Study,
    model: MediationModel,
    mediation: Mediation,
    propositions: Sequence[Proposition],
    sampler: Sampler = SHORT,
    smallest: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Probabilities of propositions about paths under the declared measures and in the declared samples.

    Equations whose rows a variant leaves as they were keep their draws.

    Parameters
    ----------
    mediation : Mediation
        Of the model on the study's own data.
    propositions : sequence of Proposition
    sampler : Sampler
        Its seed is the first refit's; the others count on.
    smallest : dict of float, optional
        The smallest effect of interest of a proposition.

    Returns
    -------
    DataFrame
        proposition and the columns of `entry.VARIANTS`, kinds measurement and specification; no probability where
        there is a reason: the sampler failed, the measure cannot be fitted to. Rows that the model cannot be fitted to
        are answered by least squares (`by_least_squares`).
    """
    every = list(altered_equations(study, model))
    declared = [one.row for one in every if one.reason and one.row is not None and not one.row.lead]
    variants = [variant for variant in every if not variant.reason]
    priors = study.priors(model)
    names = list(mediation.equations)  # a variant's equations stand in the same order, its outcome by another name
    answered: list[pd.DataFrame] = []
    if mediation.paths.correlated:
        for number, variant in enumerate(variants):
            other = refitted(mediation, dict(zip(names, variant.designs, strict=True)), priors, sampler.seed + number)
            answered.append(rows_of(other, variant.kind, variant.label, propositions, smallest))
        variants = []
    tasks: list[tuple[int, str, Design]] = []
    for number, variant in enumerate(variants):
        pairs = zip(names, variant.designs, strict=True)
        tasks += [(number, n, d) for n, d in pairs if not same_rows(d, mediation.equations[n].design)]

    starts = {name: Start.of_fit(fit) for name, fit in mediation.equations.items()} if tasks else {}

    def fitted(item: tuple[int, tuple[int, str, Design]]) -> Refit:
        at, (_, name, design) = item
        own = replace(sampler, seed=sampler.seed + at)
        collapsed = collapse(prepare(design), priors)
        return sample_until_passed(collapsed, priors, own, PATH_DRAWS, with_units=False, start=starts[name])

    with workers() as pool:
        found = list(pool.map(fitted, enumerate(tasks)))
    rows: list[tuple[object, ...]] = [
        (str(p), *variant_row(one.kind, one.label, np.nan, one.reason, counted=False))
        for one in every
        if one.reason and one.row not in declared
        for p in propositions
    ]
    for number, variant in enumerate(variants):
        own = {name: one for (at, name, _), one in zip(tasks, found, strict=True) if at == number}
        gates = [one.diagnostics for one in own.values()]
        other = _with(mediation, dict(zip(names, variant.designs, strict=True)), own)
        answered.append(rows_of(other, variant.kind, variant.label, propositions, smallest, gates))
    beside = by_least_squares(study, model, with_own_factor(study, declared), propositions, smallest)
    return stacked([pd.DataFrame(rows, columns=COLUMNS), *answered, beside])


def rows_of_least_squares(study: Study) -> list[Robustness]:
    """Rows of a study that no mediation model can be fitted to, the exposure's own factor among them."""
    return with_own_factor(study, [row for row in study.robustness if _does_not_apply(row) and not row.lead])


def with_own_factor(study: Study, rows: Sequence[Robustness]) -> list[Robustness]:
    """With the exposure's own factor where the study does not declare it."""
    declared = any(row.exposure_factor for row in study.robustness)
    return [*rows] if declared else [*rows, own_factor()]


def stacked(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Frames of variants below each other."""
    return pd.concat([frame for frame in frames if len(frame)] or [pd.DataFrame(columns=COLUMNS)])


def rows_of(
    mediation: Mediation,
    kind: str,
    label: str,
    propositions: Sequence[Proposition],
    smallest: Mapping[str, float] | None,
    gates: Sequence[Gate] | None = None,
) -> pd.DataFrame:
    """What a variant answers to every proposition; `gates` where draws are not those of the equations' own fits."""
    passed = not mediation.failures if gates is None else all(gate.passed for gate in gates)
    checked = [fit.diagnostics for fit in mediation.equations.values()] if gates is None else gates
    rows = []
    for p in propositions:
        draws = path_draws(p, mediation)
        holds, inside = shares_of(p, draws, (smallest or {}).get(str(p)))
        numbers = drawn_numbers(draws, holds, checked)
        reason = "" if passed else SAMPLER_FAILED
        rows.append((str(p), *variant_row(kind, label, holds, reason, inside, numbers=numbers)))
    return pd.DataFrame(rows, columns=COLUMNS)


def refitted(mediation: Mediation, designs: Mapping[str, Design], priors: PriorSet, seed: int) -> Mediation:
    """The mediation from equations fitted anew, paths tied as they are; equations on the same rows and priors stay."""
    equations = {}
    for number, (name, fit) in enumerate(mediation.equations.items()):
        stays = priors == fit.priors and same_rows(designs[name], fit.design)
        own = replace(SHORT, seed=seed + number)
        equations[name] = fit if stays else fit_design(designs[name], priors, own, "auto")
    return assemble(mediation.spec, mediation.mediators, mediation.paths, equations, mediation.missing, seed)


def altered_equations(study: Study, model: MediationModel) -> Iterator[Altered]:
    """Every measure and sample that the study declares, with the model's equations on it or why there are none."""
    if study.measurement is not None:
        for variant in variants_of(study, left_out=False):
            name = study.roles.exposure if variant.exposure else study.roles.outcome
            if not variant.declared:
                panel = study.panel.with_column(name, variant.values)
                yield equations_on("measurement", variant.label, replace(study.sample, panel=panel), model)
    columns = (*model.own_controls(study.roles), *model.own_mediators(study.roles))
    likeness = HierarchicalModel(name=model.name, kind="hierarchical", controls=columns)
    for row in study.robustness:
        reason = _does_not_apply(row)
        if not reason:
            try:
                data = alter(study.sample, likeness, row).data
                yield replace(equations_on("specification", row.name, data, model), row=row)
            except BayesNppError as error:
                reason = error.problem
        if reason:
            yield Altered("specification", row.name, reason=reason, row=row)


def _does_not_apply(row: Robustness) -> str:
    """Why a robustness row is no variant of a mediation model; empty where it is one."""
    if row.lead:
        return "a lead of the exposure is a placebo of single regressions"
    if row.controls is not None:
        return "the row changes the controls, which are those of every equation here"
    if row.factors is not None or row.averages is not None or row.exposure_factor:
        return "the row puts factors beside the effects of a single regression by least squares"
    if row.unit_trends:
        return "the mediation model has no trends of units"
    return "the mediation model has no period effects of groups" if row.group_time_effects else ""


def equations_on(kind: str, label: str, sample: Sample, model: MediationModel) -> Altered:
    """The model's equations on a sample, or why it cannot be fitted to it."""
    try:
        treated = model.treated(sample)
        for design in treated.designs:
            prepare(design)
    except BayesNppError as error:
        return Altered(kind, label, reason=error.problem)
    if treated.unknown:
        return Altered(kind, label, reason="missing cells of mediators are imputed, so nothing is integrated out")
    return Altered(kind, label, treated.designs)


def same_rows(one: Design, other: Design) -> bool:
    """Whether two equations explain the same values by the same values."""
    if one.n_obs != other.n_obs or one.spec.exposure != other.spec.exposure:
        return False
    pairs = ((one.outcome, other.outcome), (one.slope_columns, other.slope_columns), (one.controls, other.controls))
    return all(np.array_equal(a, b) for a, b in pairs)


def _with(mediation: Mediation, designs: dict[str, Design], refits: dict[str, Refit]) -> Mediation:
    """The mediation with some equations refitted, all of `PATH_DRAWS` draws."""
    parameters, equations = {}, {}
    for name, draws in mediation.parameters.items():
        fit = mediation.equations[name]
        if name in refits:
            parameters[name] = {variable: refits[name].draws[variable] for variable in draws}
            fit = replace(fit, data=prepare(designs[name]))
        else:
            some = np.linspace(0, len(next(iter(draws.values()))) - 1, PATH_DRAWS).astype(int)
            parameters[name] = {variable: values[some] for variable, values in draws.items()}
        equations[name] = fit
    return replace(mediation, parameters=parameters, equations=equations)
