"""Values of a slope that instruments do not reject: Anderson and Rubin's set, of whatever shape it has."""

from dataclasses import dataclass

import numpy as np
import scipy
from scipy.optimize import brentq

STEPS = 4001  # of the angle on which the line of values is wound


@dataclass(frozen=True)
class ReducedForm:
    """Coefficients of L instruments in the equations of outcome and exposure, and their joint covariance.

    Attributes
    ----------
    outcome, exposure : ndarray, shape (L,)
    v_yy, v_yx, v_xx : ndarray, shape (L, L)
        Small-sample factor included.
    df : int
        Denominator degrees of freedom of F.
    """

    outcome: np.ndarray
    exposure: np.ndarray
    v_yy: np.ndarray
    v_yx: np.ndarray
    v_xx: np.ndarray
    df: int

    def statistic(self, value: float) -> float:
        """Wald statistic over L that the instruments are not in the equation of outcome - value * exposure."""
        return self._wound(1.0, value)

    @property
    def relevance(self) -> float:
        """The same of the exposure's own equation: the first-stage F."""
        return self._wound(0.0, 1.0)

    def p_value(self, value: float) -> float:
        """Of `statistic`, from F(L, df)."""
        return float(scipy.stats.f.sf(self.statistic(value), len(self.exposure), self.df))

    def _wound(self, one: float, value: float) -> float:
        gap = one * self.outcome - value * self.exposure
        spread = one**2 * self.v_yy - one * value * (self.v_yx + self.v_yx.T) + value**2 * self.v_xx
        return float(gap @ np.linalg.solve(spread, gap)) / len(gap)


@dataclass(frozen=True)
class AndersonRubin:
    """Values that are not rejected.

    Attributes
    ----------
    shape : {"interval", "two rays", "whole line", "empty", "several pieces"}
    low, high : float
        Ends of an interval; of two rays the ends of what is rejected between them: the set is all up to `low` and all
        from `high` on. Infinite on the whole line, NaN where the set is empty.
    pieces : tuple of (float, float)
        Every piece, ends included.
    level : float
    """

    shape: str
    low: float
    high: float
    pieces: tuple[tuple[float, float], ...]
    level: float

    def __contains__(self, value: float) -> bool:
        return any(low <= value <= high for low, high in self.pieces)


def anderson_rubin(form: ReducedForm, level: float = 0.95) -> AndersonRubin:
    """The set of values b with AR(b) at most the F(L, df) quantile.

    Notes
    -----
    AR(b) = g'V^-1 g / L with g = outcome - b exposure and V = V_yy - b (V_yx + V_xy) + b^2 V_xx. The line of values is
    wound on a circle, b = scale tan(angle), where infinity is a point like any other and AR there is the first-stage F:
    where that is below the quantile the set has no end. The level holds however weak the instruments are.
    docs/statistics.md, section 10.2.

    References
    ----------
    Anderson & Rubin (1949), Annals of Mathematical Statistics 20. Andrews, Stock & Sun (2019), Annual Review of
    Economics 11.
    """
    critical = float(scipy.stats.f.ppf(level, len(form.exposure), form.df))
    scale = float(np.sqrt(np.trace(form.v_yy) / np.trace(form.v_xx)))
    centre = float(form.exposure @ np.linalg.solve(form.v_xx, form.outcome))
    centre /= float(form.exposure @ np.linalg.solve(form.v_xx, form.exposure))

    def excess(angle: float) -> float:
        one = np.cos(angle)
        return form._wound(one, centre * one + scale * np.sin(angle)) - critical

    angles = np.linspace(-np.pi / 2, np.pi / 2, STEPS)
    signs = np.array([excess(angle) for angle in angles])
    signs[-1] = signs[0]  # the same point: infinity
    inside = signs <= 0
    if inside.all():
        return AndersonRubin("whole line", -np.inf, np.inf, ((-np.inf, np.inf),), level)
    if not inside.any():
        return AndersonRubin("empty", np.nan, np.nan, (), level)
    turns = [
        float(brentq(excess, angles[k], angles[k + 1], xtol=1e-14)) for k in np.flatnonzero(inside[:-1] != inside[1:])
    ]
    values = [centre + scale * float(np.tan(angle)) for angle in turns]
    ends = [-np.inf, *values] if inside[0] else values
    ends = [*ends, np.inf] if inside[-1] else ends
    pieces = tuple(zip(ends[::2], ends[1::2], strict=True))
    if len(pieces) == 1:
        return AndersonRubin("interval", *pieces[0], pieces, level)
    if len(pieces) == 2 and inside[0]:
        return AndersonRubin("two rays", pieces[0][1], pieces[1][0], pieces, level)
    return AndersonRubin("several pieces", pieces[0][0], pieces[-1][1], pieces, level)
