"""The rows, roles and scales that models are put on: a study's own, or those of one of its robustness rows."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from bayes_npp.design.design import Design, build_design
from bayes_npp.design.scales import Scales
from bayes_npp.design.spec import Spec
from bayes_npp.panels.panel import Panel
from bayes_npp.study.header import Roles


@dataclass(frozen=True, eq=False)
class Sample:
    """A panel with the roles of its columns and the divisors that make its numbers comparable with the baseline's.

    What is built from it (designs, equations of a mediation model) is built once and remembered with it.

    Attributes
    ----------
    panel : Panel
    roles : Roles
    scales : Scales
        Of the study's baseline sample.
    """

    panel: Panel
    roles: Roles
    scales: Scales
    _built: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False)

    def design(self, spec: Spec) -> Design:
        """Arrays of a specification on these rows; only records of models that take weights have any."""
        return self.once(spec, lambda: build_design(self.panel, spec, self.scales, weighted=True))

    def once[T](self, key: Hashable, build: Callable[[], T]) -> T:
        """What `build` returns, the same object for the same key."""
        if key not in self._built:
            self._built[key] = build()
        return self._built[key]


def baseline_sample(panel: Panel, roles: Roles, baseline: Spec | None = None) -> Sample:
    """The sample of a study as declared; its scales are those of the regression of its roles.

    Parameters
    ----------
    baseline : Spec, optional
        Of the model whose effects scales are taken within (default: units and periods).
    """
    effects = {} if baseline is None else {name: getattr(baseline, name) for name in ("unit_effects", "time_effects")}
    spec = Spec(outcome=roles.outcome, exposure=roles.exposure, controls=roles.controls, **effects)
    return Sample(panel, roles, build_design(panel, spec).scales)
