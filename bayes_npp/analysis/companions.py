"""What stands beside a study's estimates: tests, TWFE's weights, standard errors, the comparisons of group slopes."""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from bayes_npp.analysis.comparison import Heterogeneity, heterogeneity
from bayes_npp.analysis.records import GroupTests, Ladder
from bayes_npp.analysis.replication import replicate
from bayes_npp.design.design import twfe_weights
from bayes_npp.design.spec import Spec
from bayes_npp.errors import DesignError, SpecError
from bayes_npp.estimates import Estimates
from bayes_npp.frequentist.hypotheses.equal_slopes import equal_slopes
from bayes_npp.frequentist.hypotheses.specification import (
    SpecificationTest,
    hausman_test,
    pesaran_cd_test,
    wooldridge_serial,
)
from bayes_npp.frequentist.least_squares.clusters import clustered_by
from bayes_npp.frequentist.least_squares.static import Errors, replace_slopes, static_estimates
from bayes_npp.study.models import FrequentistModel, HierarchicalModel
from bayes_npp.study.study import Study


def specification_tests(study: Study) -> tuple[SpecificationTest | str, ...]:
    """What the baseline regression's residuals ask for: the study's roles, two-way fixed effects."""
    roles = study.roles
    out: list[SpecificationTest | str] = []
    if study.header.time is None:
        return ()
    spec = Spec(outcome=roles.outcome, exposure=roles.exposure, controls=roles.controls)
    design, source = study.sample.design(spec), study.panel.source
    tests: dict[str, Callable[[], SpecificationTest]] = {
        "wooldridge serial": lambda: wooldridge_serial(study.panel, spec),
        "pesaran cd": lambda: pesaran_cd_test(design, "two-way", source),
        "hausman": lambda: hausman_test(design, source),
    }
    for name, test in tests.items():
        try:
            out.append(test())
        except DesignError as error:
            out.append(f"{name}: {error.problem}")
    return tuple(out)


def group_tests(study: Study) -> list[GroupTests]:
    """Tests of equal slopes of every two-way fixed effects model by group; a test that fails says why."""
    out = []
    for model in study.models:
        if not isinstance(model, FrequentistModel) or model.kind != "twfe":
            continue
        grouping = model.slopes or model.subsamples
        if not grouping:
            continue
        spec = replace_slopes(study.spec(model), grouping)
        options: dict[str, Any] = {"covariance": model.covariance, "convention": model.convention, "lags": model.lags}
        try:
            separate = model.subsamples is not None
            design = clustered_by(study.sample.design(spec), study.panel, model.cluster)
            test = equal_slopes(design, **options, separate=separate, source=study.panel.source)
            out.append(GroupTests(model.name, grouping, test))
        except (DesignError, SpecError) as error:
            out.append(GroupTests(model.name, grouping, None, error.problem))
    return out


def twfe_weight_table(study: Study) -> pd.DataFrame:
    """TWFE's weights on the groups of every hierarchical model with slopes."""
    names = ["model", "group", "twfe_weight", "share_of_observations"]
    frames = []
    for model in study.models:
        if isinstance(model, HierarchicalModel) and study.spec(model).slope_group and not model.dynamic:
            design = study.sample.design(study.spec(model))
            columns = (model.name, list(design.groups), twfe_weights(design), design.group_shares)
            frames.append(pd.DataFrame(dict(zip(names, columns, strict=True))))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=names)


def spread_table(study: Study, ladders: Sequence[Ladder]) -> pd.DataFrame:
    """Standard errors of the interacted slopes under three covariances, for every model with a ladder."""
    names = ["model", "estimand", "group", "covariance", "se"]
    rows = []
    for model in study.models:
        if model.name not in {ladder.model for ladder in ladders}:
            continue
        design = study.sample.design(study.spec(model))
        for covariance in ("classical", "clustered", "driscoll_kraay"):
            frame = static_estimates(design, "two-way", Errors(covariance), study.panel.source).frame
            wanted = frame[frame["estimand"].isin(["average_slope_twfe_weighted", "group_slope"])]
            label = covariance.replace("driscoll_kraay", "Driscoll-Kraay")
            rows += [(model.name, r.estimand, r.group, label, r.spread) for r in wanted.itertuples()]
    return pd.DataFrame(rows, columns=names)


def comparisons(study: Study, estimates: Estimates, ladders: Sequence[Ladder]) -> list[Heterogeneity]:
    """One comparison for each hierarchical model with slopes that has an interacted counterpart."""
    out = []
    frequentist = [
        model
        for model in study.models
        if isinstance(model, FrequentistModel)
        and model.kind == "twfe"
        and not (model.unit_trends or model.group_time_effects or model.analytic_weights)
    ]
    for model in study.models:
        # Without correlated means, beside a lagged outcome or of changes, slopes answer another question than TWFE's.
        if not isinstance(model, HierarchicalModel) or not model.correlated_means or model.dynamic:
            continue
        if model.transform != "levels":
            continue
        if not study.spec(model).slope_group:
            continue
        own = study.spec(model)
        same = [
            o for o in frequentist if (study.spec(o).outcome, study.spec(o).regressors) == (own.outcome, own.regressors)
        ]
        interacted = next((other.name for other in same if other.slopes == model.slopes), None)
        subsamples = next((other.name for other in same if other.subsamples == model.slopes), "")
        plain = next((other.name for other in same if not other.slopes and not other.subsamples), "")
        if interacted and model.slopes:
            choice = next((ladder.errors for ladder in ladders if ladder.model == model.name), None)
            names = (model.name, interacted, subsamples, plain, choice.record.model if choice else "")
            out.append(heterogeneity(estimates, model.slopes, *names))
    return out


def replication(study: Study, estimates: Estimates) -> pd.DataFrame | None:
    """The paper's numbers beside ours, where the data are its own."""
    header = study.header
    if not header.replicates or study.published is None:
        return None
    names = [model.name for model in study.models]
    return replicate(study.published, estimates.frame, names, header.tolerance_estimate, header.tolerance_se)
