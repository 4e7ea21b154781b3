"""Claims about paths under other measures of outcome and exposure, and in other samples."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from bayes_npp.analysis.index_posteriors import variants_of
from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.fitting.fit import prepare
from bayes_npp.bayesian.fitting.refit import SHORT, Refit, sample_until_passed, workers
from bayes_npp.bayesian.fitting.sample import Sampler
from bayes_npp.bayesian.mediation.contrasts import path_draws
from bayes_npp.bayesian.mediation.mediation import Mediation
from bayes_npp.design.design import Design
from bayes_npp.design.propositions import Proposition
from bayes_npp.errors import BayesNppError
from bayes_npp.study.models import HierarchicalModel, MediationModel
from bayes_npp.study.robustness import alter
from bayes_npp.study.sample import Sample
from bayes_npp.study.study import Study

KEPT = 1000
COLUMNS = ["proposition", "kind", "variant", "probability"]


def path_variants(
    study: Study,
    model: MediationModel,
    mediation: Mediation,
    propositions: Sequence[Proposition],
    sampler: Sampler = SHORT,
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

    Returns
    -------
    DataFrame
        proposition, kind (measurement or specification), variant, probability (NaN where the sampler failed). Rows
        that do not apply to a mediation model, or that it cannot be fitted to, are left out.
    """
    variants = [(kind, label, designs) for kind, label, designs in _altered(study, model)]
    priors = study.priors(model)
    names = list(mediation.equations)  # a variant's equations stand in the same order, its outcome by another name
    tasks: list[tuple[int, str, Design]] = []
    for number, (_, _, designs) in enumerate(variants):
        pairs = zip(names, designs, strict=True)
        tasks += [(number, n, d) for n, d in pairs if not same_rows(d, mediation.equations[n].design)]

    def fitted(item: tuple[int, tuple[int, str, Design]]) -> Refit:
        at, (_, _, design) = item
        own = replace(sampler, seed=sampler.seed + at)
        return sample_until_passed(collapse(prepare(design), priors), priors, own, KEPT, with_units=False)

    with workers() as pool:
        found = list(pool.map(fitted, enumerate(tasks)))
    rows = []
    for number, (kind, label, designs) in enumerate(variants):
        own = {name: one for (at, name, _), one in zip(tasks, found, strict=True) if at == number}
        passed = all(one.diagnostics.passed for one in own.values())
        other = _with(mediation, dict(zip(names, designs, strict=True)), own)
        for p in propositions:
            share = float((p.sign * (path_draws(p, other) - p.threshold) > 0).mean()) if passed else np.nan
            rows.append({"proposition": str(p), "kind": kind, "variant": label, "probability": share})
    return pd.DataFrame(rows, columns=COLUMNS)


def _altered(study: Study, model: MediationModel) -> Iterator[tuple[str, str, tuple[Design, ...]]]:
    """Kind, label and equations of every variant that the model can be fitted to."""
    if study.measurement is not None:
        for variant in variants_of(study, left_out=False):
            name = study.roles.exposure if variant.exposure else study.roles.outcome
            if not variant.declared:
                panel = study.panel.with_column(name, variant.values)
                yield from altered_equations("measurement", variant.label, replace(study.sample, panel=panel), model)
    columns = (*model.own_controls(study.roles), *model.own_mediators(study.roles))
    likeness = HierarchicalModel(name=model.name, kind="hierarchical", controls=columns)
    for row in study.robustness:
        if row.lead or row.controls is not None or row.group_time_effects:
            continue
        try:
            altered = alter(study.sample, likeness, row)
        except BayesNppError:
            continue
        yield from altered_equations("specification", row.name, altered.data, model)


def altered_equations(
    kind: str, label: str, sample: Sample, model: MediationModel
) -> Iterator[tuple[str, str, tuple[Design, ...]]]:
    """Kind, label and equations of one variant; nothing where the model cannot be fitted to it."""
    try:
        treated = model.treated(sample)
        for design in treated.designs:
            prepare(design)
    except BayesNppError:
        return
    if not treated.unknown:
        yield kind, label, treated.designs


def same_rows(one: Design, other: Design) -> bool:
    """Whether two equations explain the same values by the same values."""
    if one.n_obs != other.n_obs or one.spec.exposure != other.spec.exposure:
        return False
    pairs = ((one.outcome, other.outcome), (one.slope_columns, other.slope_columns), (one.controls, other.controls))
    return all(np.array_equal(a, b) for a, b in pairs)


def _with(mediation: Mediation, designs: dict[str, Design], refits: dict[str, Refit]) -> Mediation:
    """The mediation with some equations refitted, all of `KEPT` draws."""
    parameters, equations = {}, {}
    for name, draws in mediation.parameters.items():
        fit = mediation.equations[name]
        if name in refits:
            parameters[name] = {variable: refits[name].draws[variable] for variable in draws}
            fit = replace(fit, data=prepare(designs[name]))
        else:
            some = np.linspace(0, len(next(iter(draws.values()))) - 1, KEPT).astype(int)
            parameters[name] = {variable: values[some] for variable, values in draws.items()}
        equations[name] = fit
    return replace(mediation, parameters=parameters, equations=equations)
