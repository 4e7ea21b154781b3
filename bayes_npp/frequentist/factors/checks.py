"""What a panel must carry for factors, and for averages in their place, before anything is estimated."""

from collections.abc import Sequence

from bayes_npp.design.design import Design, check_two_way
from bayes_npp.design.spec import Spec
from bayes_npp.errors import DesignError, SpecError, nearest


def check_plain(spec: Spec, what: str, source: str) -> None:
    """Raise `SpecError` for options of a specification that an estimator with factors does not have."""
    if spec.exposure is None or spec.unit_slopes or spec.dynamic:
        raise SpecError(
            f"{what} need an exposure, one slope or one of each group, and no lagged outcome",
            place=source,
            fix="Leave slopes = 'unit' and dynamic to hierarchical models",
        )
    if spec.unit_trends or spec.group_time_effects or spec.exposure_factor != "none":
        raise SpecError(
            f"{what} do not go with unit_trends, exposure_factor or group_time_effects",
            place=source,
            fix="Factors stand for them: leave them out",
        )


def check_factors(design: Design, factors: int, source: str) -> None:
    """Raise unless a design can have so many factors, and two-way effects leave something of every column.

    Raises
    ------
    SpecError, DesignError
    """
    check_plain(design.spec, "interactive effects", source)
    if factors < 1:
        raise SpecError(f"factors = {factors}", place=source, fix="Give one or more; without any it is kind = 'twfe'")
    n_units, n_times = len(design.units), len(design.times)
    columns = design.slope_columns.shape[1] + design.controls.shape[1]
    left = (n_units - 1 - factors) * (n_times - 1 - factors) - (n_units * n_times - design.n_obs)
    if min(n_units, n_times) - 1 - factors < 1 or left <= columns:
        raise DesignError(
            f"{factors} factor(s) are more than {n_units} units and {n_times} periods ({design.n_obs} rows) carry",
            place=source,
            fix="Use fewer factors, or widen the window",
        )
    check_two_way(design, source)


def check_pooled(pooled: bool, covariance: str, convention: str) -> None:
    """Raise `SpecError` where a mean group is given the options of pooled slopes."""
    if not pooled and (covariance, convention) != ("clustered", "hc0"):
        raise SpecError(
            "covariance and convention are those of pooled slopes",
            fix="Leave them out: a mean group has the variance of the units' slopes",
        )


def check_averages(design: Design, averages: Sequence[str] | None, pooled: bool, source: str) -> tuple[str, ...]:
    """The columns to be averaged, once a design can have them.

    Raises
    ------
    SpecError, DesignError
    """
    spec = design.spec
    check_plain(spec, "common correlated effects", source)
    every = (spec.outcome, *spec.regressors)
    names = every if averages is None else tuple(averages)
    for i, name in enumerate(names):
        if name not in every:
            raise SpecError(f"averages names '{name}', which has no role here", place=source, fix=nearest(name, every))
        if name in names[:i]:
            raise SpecError(f"averages names '{name}' twice", place=source, fix="Name each column once")
    if not names:
        raise SpecError("averages is empty", place=source, fix="Name columns, or use fixed effects")
    own = 0 if pooled else len(spec.regressors)
    needed = len(names) + 1 + own
    if len(design.times) <= needed:
        raise DesignError(
            f"{len(names)} averages, a constant{' and own slopes' if own else ''} take {needed} of "
            f"{len(design.times)} periods",
            place=source,
            fix="Name fewer averages, such as those of outcome and exposure, or widen the window",
        )
    return names
