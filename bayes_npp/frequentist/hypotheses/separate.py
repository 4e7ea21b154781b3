"""One regression for every group, with the scores that a test of several of them needs."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from bayes_npp.design.design import Design, subsample_designs
from bayes_npp.design.spec import Spec
from bayes_npp.errors import DesignError, SpecError
from bayes_npp.frequentist.least_squares.clusters import group_sums
from bayes_npp.frequentist.least_squares.covariance import Counts
from bayes_npp.frequentist.least_squares.within import WithinFit, within_fit
from bayes_npp.panels.panel import Panel


@dataclass(frozen=True)
class GroupFit:
    """A group's own regression, and its coefficients' scores summed over every unit, by the unit's label."""

    design: Design
    fit: WithinFit
    scores: pd.DataFrame

    @property
    def slope(self) -> float:
        return float(self.fit.coefficients[0])

    @property
    def units(self) -> int:
        return len(self.design.units)

    @property
    def variance(self) -> float:
        """Of the slope, clustered, no factor."""
        return float((self.scores.iloc[:, 0] ** 2).sum())


def separate_regressions(panel: Panel, spec: Spec, group: str) -> tuple[dict[str, GroupFit], dict[str, str]]:
    """The regression of every group, by two-way fixed effects, and why some have none."""
    groups, reasons = {}, {}
    for label, design in subsample_designs(panel, spec, group).items():
        try:
            fit = within_fit(design, "two-way", f"{panel.source}, {group} {label}")
        except DesignError as error:
            reasons[label] = f"the regression of group '{label}' alone cannot be estimated: {error.problem}"
            continue
        sums = group_sums(fit.influence * fit.residuals[:, None], design.unit, len(design.units))
        groups[label] = GroupFit(design, fit, pd.DataFrame(sums, index=list(design.units)))
    return groups, reasons


def joint_counts(groups: Mapping[str, GroupFit]) -> Counts:
    """Of the regression that holds every group's own."""
    every = [own.fit.counts for own in groups.values()]
    return Counts(
        n_obs=sum(one.n_obs for one in every),
        n_slopes=sum(one.n_slopes for one in every),
        n_constant=0,
        n_unit_dummies=sum(one.n_unit_dummies + 1 for one in every) - 1,
        n_other_dummies=sum(one.n_other_dummies for one in every),
    )


def plain_spec(spec: Spec, group: str | None) -> Spec:
    """The specification with slopes by a grouping column, or one slope, and nothing else that varies by group.

    Raises
    ------
    SpecError
        Slopes by unit; effects beyond those of units, periods and units' trends.
    """
    if group is not None and (group == "unit" or group.endswith("/unit")):
        raise SpecError(
            "differences are tested between groups of units, not between units", fix="Name a grouping column"
        )
    if spec.exposure_factor != "none" or (spec.group_time_effects and spec.group_time_effects != group):
        raise SpecError(
            "differences between groups are tested with unit effects, period effects and unit trends alone",
            fix="Leave exposure_factor and group_time_effects out",
        )
    plain = {"varying": (), "group_time_effects": None, "slope_pooling": "sum_to_zero", "slope_correlation": False}
    return Spec(**{**spec.model_dump(), **plain, "slopes": group})


def check_group_units(design: Design, source: str) -> None:
    """Raise `DesignError` for a group of one unit."""
    for label, count in zip(design.groups, design.group_units, strict=True):
        if count < 2:
            which = f"group '{label}' of '{design.spec.slopes}'"
            raise DesignError(
                f"{which} has one unit: period effects of its own leave nothing of it",
                place=source,
                fix="Merge it with another group, or leave its rows out",
            )
