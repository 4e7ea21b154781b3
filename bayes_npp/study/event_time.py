"""The [event_time] table of a study: leads and lags of the exposure in one model."""

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from bayes_npp.design.event_time import event_columns
from bayes_npp.design.spec import Spec
from bayes_npp.errors import SpecError, nearest
from bayes_npp.records import Record
from bayes_npp.study.model_spec import ModelSpec, rows_of
from bayes_npp.study.models import HierarchicalModel
from bayes_npp.study.sample import Sample

SUFFIX = "event_time"


class EventTime(Record):
    """The [event_time] table.

    Attributes
    ----------
    leads, lags : int
    model : str, optional
        Hierarchical model whose errors and priors the posterior has, with one slope; the first static one in levels
        unless given.
    """

    leads: Annotated[int, Field(ge=1, le=20)] = 2
    lags: Annotated[int, Field(ge=0, le=20)] = 2
    model: str | None = None

    def sample(self, baseline: Sample) -> tuple[Sample, tuple[str, ...]]:
        """The study's rows with leads and lags, which have the exposure's scale, and their names."""
        exposure, scales = baseline.roles.exposure, baseline.scales
        panel, names = event_columns(baseline.panel, exposure, self.leads, self.lags)
        divisors = {**scales.divisors, **dict.fromkeys(names, scales.divisors[exposure])}
        return Sample(panel, baseline.roles, replace(scales, divisors=divisors)), names

    def beside(self, models: tuple[ModelSpec, ...]) -> HierarchicalModel | None:
        """The hierarchical model that is declared, or the first that fits.

        Raises
        ------
        SpecError
            A model that cannot have leads and lags.
        """
        fitting = [
            one
            for one in models
            if isinstance(one, HierarchicalModel)
            and one.transform == "levels"
            and not one.dynamic
            and one.correlated_means
            and not one.varying
        ]
        if self.model is None:
            return next(iter(fitting), None)
        found = next((one for one in fitting if one.name == self.model), None)
        if found is None:
            raise SpecError(
                f"'{self.model}' is no static hierarchical model in levels with correlated means",
                fix=nearest(self.model, [one.name for one in fitting] or [one.name for one in models]),
            )
        return found

    def widened(self, model: HierarchicalModel, names: tuple[str, ...], sample: Sample) -> HierarchicalModel:
        """The model with one slope, and leads and lags among its controls."""
        controls = (*names, *model.own_controls(sample.roles))
        plain = {"slopes": None, "slope_pooling": "sum_to_zero", "slope_correlation": False, "ladder": False}
        return model.model_copy(update={**plain, "name": f"{model.name}.{SUFFIX}", "controls": controls})

    def check(self, baseline: Sample, models: tuple[ModelSpec, ...]) -> str:
        """Rows with every lead and lag."""
        self.beside(models)
        sample, names = self.sample(baseline)
        roles = sample.roles
        design = sample.design(Spec(outcome=roles.outcome, exposure=roles.exposure, controls=(*names, *roles.controls)))
        return f"event time: {self.leads} leads, {self.lags} lags, {rows_of(design)}"
