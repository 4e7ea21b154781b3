"""Dynamic panels as moment conditions: transformed and level equations, and their instruments, unit by unit."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from bayes_npp.design.left_out import LeftOut
from bayes_npp.errors import DesignError, SpecError
from bayes_npp.frequentist.dynamic.instruments import (
    GmmInstrument,
    IvInstrument,
    check_column,
    gmm_columns,
    lag_of,
    only,
    parse_gmm,
    parse_iv,
    shifted,
)
from bayes_npp.panels.panel import Panel

CONSTANT = "intercept"
TIME_DUMMIES = "time dummies"
LEVEL_GMM = "all gmm instruments of the level equation"


@dataclass(frozen=True)
class Equations:
    """What is estimated: regressors, instruments and how the equations are transformed.

    Attributes
    ----------
    outcome : str
    regressors : tuple of str
        Columns, or lags of them by time: "L1.n" (or "L.n") is n one period before.
    gmm : tuple
        GMM-style instruments (column, first lag, last lag[, equation]): levels dated t - first to t - last in the
        transformed equation of period t, the change dated t - first + 1 in the level equation. A last lag of None means
        all. The column may itself be a lag.
    iv : tuple
        Standard instruments: a column, or (column, equation). Transformed in the transformed equation, as it is in the
        level equation.
    system : bool
        Whether level equations (and a constant in them) are added.
    transform : {"fd", "fod"}
        First differences, or forward orthogonal deviations.
    time_dummies : str, optional
        Difference GMM: "differenced" (dummies transformed as every regressor is) or "level" (a dummy for each
        transformed equation's period). System GMM: regressors in both equations, as instruments in the "level" equation
        or in "both".
    collapse : bool
        One instrument column for each lag instead of one for each period and lag.
    """

    outcome: str
    regressors: tuple[str, ...]
    gmm: tuple[GmmInstrument, ...]
    iv: tuple[IvInstrument, ...] = ()
    system: bool = False
    transform: str = "fd"
    time_dummies: str | None = None
    collapse: bool = False


@dataclass(frozen=True)
class Moments:
    """Stacked equations of N units: R rows each (transformed periods, then level periods), zero where there is none.

    Attributes
    ----------
    names : tuple of str
        The K regressors.
    outcome : ndarray, shape (N, R)
    regressors : ndarray, shape (N, R, K)
    instruments : ndarray, shape (N, R, L)
    maps : ndarray, shape (N, R, P)
        From a unit's P periods to its equations: what the transformation does to the errors.
    valid : ndarray of bool, shape (N, R)
    differences : ndarray, shape (N, P, 1 + K)
        First differences of outcome and regressors where both periods are complete, else zero: for the tests of serial
        correlation.
    has_difference : ndarray of bool, shape (N, P)
    sets : dict of ndarray
        Columns of each declared set of instruments; of a system also all GMM-style ones of the level equation.
    n_transformed : int
        Rows of the transformed part of R.
    units, periods : tuple
    in_window : ndarray of bool, shape (P,)
    notes : tuple of str
    left_out : LeftOut
        Rows of the window that enter no equation, by reason.
    """

    names: tuple[str, ...]
    outcome: np.ndarray
    regressors: np.ndarray
    instruments: np.ndarray
    maps: np.ndarray
    valid: np.ndarray
    differences: np.ndarray
    has_difference: np.ndarray
    sets: dict[str, np.ndarray]
    n_transformed: int
    units: tuple[str, ...]
    periods: tuple[int, ...]
    notes: tuple[str, ...] = field(default=())
    left_out: LeftOut = field(default_factory=LeftOut)

    @property
    def n_obs(self) -> int:
        """Level equations of a system, transformed equations otherwise."""
        part = self.valid[:, self.n_transformed :] if self.is_system else self.valid
        return int(part.sum())

    @property
    def is_system(self) -> bool:
        return self.valid.shape[1] > self.n_transformed


def build_moments(panel: Panel, equations: Equations) -> Moments:
    """Lay out equations and instruments.

    An observation is complete where outcome, regressors and standard instruments are known; missing GMM-style
    instruments are zero. Periods before the window serve as lags and instruments. A difference needs both periods; a
    forward deviation takes all later complete periods of the unit and stands one period late, so that its instruments
    are dated as those of the difference.

    Raises
    ------
    SpecError
        An unknown column, equation, lag range or option.
    DesignError
        No equation, fewer instruments than parameters, collinear regressors.

    Notes
    -----
    docs/statistics.md, section 1.10. A forward deviation is sqrt(m / (m + 1)) (y_t - mean of the m later values), which
    leaves independent errors independent.

    References
    ----------
    Arellano & Bond (1991), Review of Economic Studies 58. Arellano & Bover (1995), Journal of Econometrics 68.
    """
    grid = _Grid(panel)
    gmm = [parse_gmm(entry, panel) for entry in equations.gmm]
    iv = [parse_iv(entry, panel) for entry in equations.iv]
    terms = [(equations.outcome, 0), *(lag_of(term) for term in equations.regressors)]
    for name in (equations.outcome, *equations.regressors):
        check_column(name, panel, "regressors" if name != equations.outcome else "outcome")
    for place, names in (("regressors", equations.regressors), ("iv", tuple(name for name, _ in iv))):
        twice = [name for i, name in enumerate(names) if name in names[:i]]
        if twice:
            raise SpecError(f"'{twice[0]}' stands twice in {place}", fix="Name it once")
    if (equations.outcome, 0) in terms[1:]:
        raise SpecError(f"the outcome '{equations.outcome}' is its own regressor", fix="Use its lag, 'L1.…'")
    columns = np.stack([grid.values(name, lag) for name, lag in terms], axis=-1)
    standard = np.stack([grid.term(name) for name, _ in iv], axis=-1) if iv else np.empty((*columns.shape[:2], 0))
    complete = ~np.isnan(columns).any(axis=2) & ~np.isnan(standard).any(axis=2)
    columns = np.where(complete[:, :, None], columns, 0.0)
    standard = np.where(complete[:, :, None], standard, 0.0)

    transformed = _transformation(complete, grid.in_window, equations.transform)
    maps, n_transformed = transformed, transformed.shape[1]
    if equations.system:
        levels = (complete & grid.in_window)[:, :, None] * np.eye(complete.shape[1])
        maps = np.concatenate([transformed, levels], axis=1)
    valid = (maps != 0).any(axis=2)
    if not valid[:, :n_transformed].any():
        raise DesignError(
            "no unit has the consecutive complete periods a transformed equation needs",
            place=panel.source,
            fix="Widen the window, fill the gaps or use fewer lags",
        )
    dummies, dummy_names, dummy_instruments = _time_dummies(equations, grid, maps, valid, n_transformed)
    stacked = maps @ columns
    regressors = [stacked[:, :, 1:], dummies]
    terms_of = [*equations.regressors, *dummy_names]
    instruments: list[tuple[str, np.ndarray]] = []
    for name, first, last, equation in gmm:
        label = f"gmm({name}, lags {first} to {'all' if last is None else last})"
        parts = gmm_columns(grid.term(name), first, last, equation, valid, n_transformed, equations.collapse)
        instruments += [(label, block) for block in parts]
    for (name, equation), column in zip(iv, np.moveaxis(standard, 2, 0), strict=True):
        label = f"iv({name})" if equation == "both" else f"iv({name}, {equation} equation)"
        instruments.append((label, only(maps @ column[:, :, None], equation, n_transformed)))
    if dummy_names:
        instruments.append((TIME_DUMMIES, dummy_instruments))
    if equations.system:
        one = np.zeros((*valid.shape, 1))
        one[:, n_transformed:, 0] = valid[:, n_transformed:]
        regressors.append(one)
        terms_of.append(CONSTANT)
        instruments.append((CONSTANT, one))
    return _assembled(
        panel, grid, equations, terms_of, stacked, regressors, instruments, maps, valid, columns, complete
    )


def _assembled(
    panel: Panel,
    grid: "_Grid",
    equations: Equations,
    names: list[str],
    stacked: np.ndarray,
    regressors: list[np.ndarray],
    instruments: list[tuple[str, np.ndarray]],
    maps: np.ndarray,
    valid: np.ndarray,
    columns: np.ndarray,
    complete: np.ndarray,
) -> Moments:
    """Everything in one record; instrument columns without a value are dropped, and so are units without equations."""
    keep = valid.any(axis=1)
    n_periods = complete.shape[1]
    blocks: list[np.ndarray] = []
    sets: dict[str, list[int]] = {}
    start = 0
    for label, block in instruments:
        block = block[keep]
        block = block[:, :, (block != 0).any(axis=(0, 1))]
        at = range(start, start + block.shape[2])
        start += block.shape[2]
        blocks.append(block)
        if label != CONSTANT:
            sets.setdefault(label, []).extend(at)
        if label.startswith("gmm(") and (block[:, n_periods:] != 0).any():
            sets.setdefault(LEVEL_GMM, []).extend(at)
    empty = [label for label, at in sets.items() if not at]
    before = np.zeros_like(complete)
    before[:, 1:] = complete[:, :-1]
    has_difference = complete & before & grid.in_window
    dummies = _dummy_levels(equations, grid, names)
    levels = np.concatenate([columns, dummies, np.ones((*columns.shape[:2], int(equations.system)))], axis=2)
    change = np.zeros_like(levels)
    change[:, 1:] = levels[:, 1:] - levels[:, :-1]
    if equations.time_dummies == "level" and not equations.system:
        n = len(names) - dummies.shape[2]
        change[:, :, 1 + n :] = levels[:, :, 1 + n :]
    moments = Moments(
        names=tuple(names),
        outcome=stacked[keep][:, :, 0],
        regressors=np.concatenate(regressors, axis=2)[keep],
        instruments=np.concatenate([np.empty((int(keep.sum()), valid.shape[1], 0)), *blocks], axis=2),
        maps=maps[keep],
        valid=valid[keep],
        differences=np.where(has_difference[:, :, None], change, 0.0)[keep],
        has_difference=has_difference[keep],
        sets={label: np.array(at) for label, at in sets.items() if at},
        n_transformed=n_periods,
        units=tuple(label for label, kept in zip(grid.units, keep, strict=True) if kept),
        periods=grid.periods,
        notes=tuple(f"{label} has no value in any equation and is left out" for label in empty),
        left_out=_left_out(grid, equations, maps),
    )
    _check_identified(moments, panel.source)
    return moments


def _left_out(grid: "_Grid", equations: Equations, maps: np.ndarray) -> LeftOut:
    """Rows of the window that enter no equation: their own cells are blank, or their lags and neighbours."""
    here = np.zeros(maps.shape[::2], dtype=bool)
    here[grid.at] = grid.panel.in_window
    gone = here & ~(maps != 0).any(axis=1)
    standard = [entry if isinstance(entry, str) else entry[0] for entry in equations.iv]
    terms = [lag_of(term) for term in (equations.outcome, *equations.regressors, *standard)]
    own = [np.isnan(grid.values(name)) for name, lag in terms if lag == 0]
    blank = gone & np.logical_or.reduce(own)
    return LeftOut(blank=int(blank.sum()), no_period=int((gone & ~blank).sum()), of=int(here.sum()))


class _Grid:
    """Columns of a panel as units x periods, every period from the first to the last; NaN where there is no row."""

    def __init__(self, panel: Panel):
        if panel.time is None:
            raise DesignError(
                "a dynamic panel needs periods", place=panel.source, fix="Read the panel with its time column"
            )
        panel.check_distances("a dynamic panel")
        codes, units = pd.factorize(panel.frame[panel.unit])
        times = panel.frame[panel.time].to_numpy()
        first, last = int(times.min()), int(times.max())
        self.panel, self.units = panel, tuple(str(unit) for unit in units)
        self.periods = tuple(panel.calendar.period(number) for number in range(first, last + 1))
        self.at = (codes, (times - first).astype(int))
        inside = np.zeros(len(self.periods), dtype=bool)
        inside[np.unique(self.at[1][panel.in_window])] = True
        self.in_window = inside

    def values(self, name: str, lag: int = 0) -> np.ndarray:
        """A column `lag` periods before, shape (N, P)."""
        out = np.full((len(self.units), len(self.periods)), np.nan)
        out[self.at] = self.panel.numbers(name)
        return shifted(out, lag, np.nan)

    def term(self, term: str) -> np.ndarray:
        """A column or a lag of one, shape (N, P)."""
        return self.values(*lag_of(term))


def _transformation(complete: np.ndarray, in_window: np.ndarray, transform: str) -> np.ndarray:
    """First differences or forward orthogonal deviations of each unit's complete periods, shape (N, P, P)."""
    n_units, n_periods = complete.shape
    out = np.zeros((n_units, n_periods, n_periods))
    if transform == "fd":
        both = complete[:, 1:] & complete[:, :-1]
        now = np.arange(1, n_periods)
        out[:, now, now], out[:, now, now - 1] = both, -1.0 * both
    elif transform == "fod":
        later = np.cumsum(complete[:, ::-1], axis=1)[:, ::-1] - complete  # complete periods after each one
        for t in range(n_periods - 1):
            rows = np.flatnonzero(complete[:, t] & (later[:, t] > 0))
            count = later[rows, t][:, None]
            weight = np.sqrt(count / (count + 1))
            out[rows, t + 1] = -weight * complete[rows] * (np.arange(n_periods) > t) / count
            out[rows, t + 1, t] = weight[:, 0]
    else:
        raise SpecError(f"unknown transform '{transform}'", fix="Use 'fd' or 'fod'")
    return out * in_window[None, :, None]


def _time_dummies(
    equations: Equations, grid: _Grid, maps: np.ndarray, valid: np.ndarray, n: int
) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Dummies as regressors, their names, and as instruments."""
    kind, system = equations.time_dummies, equations.system
    allowed = ("level", "both") if system else ("differenced", "level")
    if kind is None:
        none = np.zeros((*valid.shape, 0))
        return none, [], none
    if kind not in allowed:
        raise SpecError(f"unknown time_dummies '{kind}'", fix=f"Use {' or '.join(repr(a) for a in allowed)}, or none")
    if kind == "level" and not system and equations.transform == "fod":
        raise SpecError(
            "time_dummies = 'level' belongs to first differences", fix="Use 'differenced' with forward deviations"
        )
    untransformed = kind == "level" and not system
    used = valid[:, :n].any(axis=0) if untransformed else (maps != 0).any(axis=(0, 1))
    if system:
        used = valid[:, n:].any(axis=0)
    at = np.flatnonzero(used)[0 if untransformed else 1 :]
    names = [f"time[{grid.periods[t]}]" for t in at]
    if untransformed:
        dummies = np.eye(len(grid.periods))[:, at] * valid[:, :, None]
        return dummies, names, dummies
    dummies = maps[:, :, at].astype(float)
    return dummies, names, only(dummies, "level", n) if kind == "level" else dummies


def _dummy_levels(equations: Equations, grid: _Grid, names: list[str]) -> np.ndarray:
    """Time dummies of `names` before any transformation, shape (N, P, dummies)."""
    labels = [f"time[{period}]" for period in grid.periods]
    at = [labels.index(name) for name in names if name in labels]
    return np.broadcast_to(np.eye(len(labels))[:, at], (len(grid.units), len(labels), len(at)))


def _check_identified(moments: Moments, source: str) -> None:
    """Enough instruments, and regressors that are not collinear, by name."""
    k, n_instruments = len(moments.names), moments.instruments.shape[2]
    if n_instruments < k:
        raise DesignError(
            f"{n_instruments} instruments for {k} parameters", place=source, fix="Add instruments or drop regressors"
        )
    rows = moments.regressors[moments.valid]
    if len(rows) <= k:
        raise DesignError(f"{len(rows)} equations for {k} parameters", place=source, fix="Widen the sample")
    size = np.sqrt((rows**2).mean(axis=0))
    for j, name in enumerate(moments.names):
        if size[j] == 0:
            raise DesignError(
                f"'{name}' does not vary over time within any unit", place=source, fix="The transformation removes it"
            )
    scaled = rows / size
    rank = 0
    for j, name in enumerate(moments.names):
        now = int(np.linalg.matrix_rank(scaled[:, : j + 1], tol=1e-9 * np.sqrt(len(rows))))
        if now == rank:
            raise DesignError(
                f"'{name}' is collinear with the regressors before it", place=source, fix="Leave one of them out"
            )
        rank = now
    cross = np.einsum("nrl,nrk->lk", moments.instruments, moments.regressors / size)
    cross /= np.maximum(np.sqrt(np.einsum("nrl,nrl->l", moments.instruments, moments.instruments)), 1e-300)[:, None]
    singular = np.linalg.svd(cross, compute_uv=False)
    if singular[-1] <= 1e-10 * singular[0]:
        raise DesignError(
            "the instruments do not identify every coefficient", place=source, fix="Add instruments or drop regressors"
        )
