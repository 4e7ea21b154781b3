"""Who decides the slope of a study's baseline regression, and what the slope is without the first and first two."""

from dataclasses import dataclass

import pandas as pd

from bayes_npp.design.spec import Spec
from bayes_npp.errors import DesignError
from bayes_npp.frequentist.least_squares.influence import slope_without, unit_influence
from bayes_npp.study.study import Study

MOST = 5  # units named


@dataclass(frozen=True)
class Influence:
    """Units by their share in the baseline slope, two-way fixed effects with the study's roles.

    Attributes
    ----------
    frame : DataFrame
        As `unit_influence` gives it.
    first : tuple of str
        The units with the largest shares, at most five and fewer than half of all.
    held : float
        Share of the first ones together.
    slope : float
        On all units.
    without : tuple of (str, float)
        Left out, and the slope without: the unit whose absence moves it most, and the two that do.
    left_out : tuple of (str, tuple of str)
        These units, by what `without` calls them.
    """

    frame: pd.DataFrame
    first: tuple[str, ...]
    held: float
    slope: float
    without: tuple[tuple[str, float], ...]
    left_out: tuple[tuple[str, tuple[str, ...]], ...]

    def rows(self) -> pd.DataFrame:
        """The frame, with the slope on all units ("all") and without several; their shares are blank."""
        several = [("all", self.slope), *(own for own in self.without if own[0] not in set(self.frame["unit"]))]
        more = pd.DataFrame(
            [{"unit": name, "slope_without": slope, "change": slope - self.slope} for name, slope in several]
        )
        return pd.concat([self.frame, more], ignore_index=True)


def influence(study: Study) -> Influence | None:
    """Influence of the units; None in a cross-section, or where the baseline regression cannot be estimated."""
    roles = study.roles
    if study.panel.time is None:
        return None
    design = study.sample.design(Spec(outcome=roles.outcome, exposure=roles.exposure, controls=roles.controls))
    try:
        frame = unit_influence(design, study.panel.source)
    except DesignError:
        return None
    first = frame.head(min(MOST, max(1, (len(frame) - 1) // 2)))
    moving = frame.reindex(frame["change"].abs().sort_values(ascending=False, kind="stable").index)["unit"].tolist()
    several = tuple((" and ".join(moving[:k]), tuple(moving[:k])) for k in (1, 2) if k < len(frame))
    return Influence(
        frame=frame,
        first=tuple(first["unit"]),
        held=float(first["share"].sum()),
        slope=slope_without(design, ()),
        without=tuple((name, slope_without(design, units)) for name, units in several),
        left_out=several,
    )
