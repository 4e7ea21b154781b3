"""Models with instruments of a study: fitted, or taken from where an earlier run stored them."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from bayes_npp.analysis.cache import Form, key_of, remembered, stamp
from bayes_npp.analysis.made_from import made_by
from bayes_npp.analysis.records import FitRecord, InstrumentRecord
from bayes_npp.analysis.settings import RunSettings
from bayes_npp.bayesian.instruments.iv_hierarchical import (
    InstrumentFit,
    fit_equations,
    make_iv_sampler,
    restore_instruments,
)
from bayes_npp.errors import ImportanceError
from bayes_npp.store import read_tree, write_tree
from bayes_npp.study.instruments import HierarchicalIvModel
from bayes_npp.study.sample import Sample

ARRAYS = ("outcome", "exposure", "controls", "unit", "time", "group")


def fit_instruments(sample: Sample, model: HierarchicalIvModel, settings: RunSettings) -> tuple[InstrumentFit, bool]:
    """Fit a model with instruments, under exclusion too; whether it was taken from storage."""
    equations, priors = model.equations(sample), settings.priors(model)
    sampler = make_iv_sampler(
        model.engine, settings.draws(model.draws), model.chains, settings.seed, model.tune, model.target_accept
    )
    design, fitted = equations.design, []
    made_from = {
        "data": [[name, None if (own := getattr(design, name)) is None else own.tolist()] for name in ARRAYS],
        "labels": [list(design.units), list(design.times), list(design.groups)],
        "specification": equations.spec.content_hash(),
        "instruments": ", ".join(equations.instruments),
        "exclusion": equations.exclusion,
        "priors": priors.content_hash(),
        "sampler": sampler.as_dict(),
        "engine": model.engine,
        "scales": design.scales.as_dict(),
        **made_by("bayes_npp.bayesian.instruments.iv_hierarchical"),
    }

    def compute() -> InstrumentFit:
        try:
            fit = fit_equations(equations, priors, sampler, model.engine)
        except ImportanceError as error:  # to a script a message; in a study chains, so that the other fits go on
            fit = replace(fit_equations(equations, priors, sampler, "nuts"), why=error.problem)
            fit.tree.attrs["why"] = error.problem
        fitted.append(fit.keep_exclusions())
        fitted[-1].tree.attrs |= {"key": key_of(made_from), "made_from": json.dumps(stamp(made_from))}
        return fitted[-1]

    def read(path: Path) -> tuple[dict[str, Any], str, Callable[[], InstrumentFit]]:
        tree = read_tree(path)
        before = json.loads(tree.attrs.get("made_from", "{}"))
        return before, tree.attrs["content"], lambda: restore_instruments(tree, equations, priors, sampler)

    form = Form(lambda path, before, fit: write_tree(fit.tree, path), read)
    options = {"again": settings.refit, "stored_only": settings.stored_only}
    fit = remembered(settings.path(model.name, ".nc"), made_from, form, compute, **options, say=settings.say)
    return fit, not fitted


def instrument_record(model: str, fit: InstrumentFit) -> InstrumentRecord:
    """What the report says of the instruments."""
    return InstrumentRecord(
        model=model,
        instruments=fit.equations.instruments,
        exclusion=fit.equations.exclusion,
        learned=fit.learned,
        under_exclusion=fit.under_exclusion(fit.exclusions),
    )


def instrument_fit_record(model: str, fit: InstrumentFit, reused: bool) -> FitRecord:
    """What the report says of the fit; its errors have no predictive checks."""
    effects = fit.equations.outcome.effects.items()
    return FitRecord(
        model=model,
        priors=fit.priors,
        sampler=fit.sampler,
        diagnostics=fit.diagnostics,
        predictive=(),
        saturated=tuple(name for name, effect in effects if effect.saturated),
        between=tuple((name, effect.rank, effect.size - 1) for name, effect in effects if effect.rank),
        reused=reused,
        outcome=fit.spec.outcome,
        scales=fit.design.scales,
        engine=fit.engine,
        why=fit.why,
    )
