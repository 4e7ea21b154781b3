"""The columns of an equation with instruments, less all effects, and what may be wrong with them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayes_npp.design.design import Design, build_design
from bayes_npp.design.instruments import check_instrument_names, check_not_blank, of_instrument
from bayes_npp.design.projection import check_identified
from bayes_npp.design.spec import Spec
from bayes_npp.errors import DesignError, SpecError, nearest
from bayes_npp.frequentist.least_squares.absorbed import absorb, check_degrees
from bayes_npp.frequentist.least_squares.clusters import check_one_way, clustered_by
from bayes_npp.frequentist.least_squares.covariance import Counts
from bayes_npp.panels.panel import Panel

EFFECTS = ("none", "unit", "time", "two-way")


@dataclass(frozen=True)
class Equation:
    """An equation and its instruments, every column less unit and period effects (or its mean).

    Attributes
    ----------
    design : Design
        Of the specification, instruments not among its controls.
    effects : str
    outcome : ndarray, shape (n,)
    endogenous : ndarray, shape (n, p)
    exogenous : ndarray, shape (n, k)
    instruments : ndarray, shape (n, L)
    raw : ndarray, shape (n, p + k)
        Regressors before projection; with analytic weights all columns are times their roots.
    names : tuple of str, length p + k
        Of endogenous regressors, the exposure first, then of exogenous ones.
    instrument_names : tuple of str
    counts : Counts
    """

    design: Design
    effects: str
    outcome: np.ndarray
    endogenous: np.ndarray
    exogenous: np.ndarray
    instruments: np.ndarray
    raw: np.ndarray
    names: tuple[str, ...]
    instrument_names: tuple[str, ...]
    counts: Counts

    @property
    def raw_outcome(self) -> np.ndarray:
        """The outcome before projection, shape (n,)."""
        return self.design.weighted(self.design.outcome)

    @property
    def regressors(self) -> np.ndarray:
        """Shape (n, p + k)."""
        return np.column_stack([self.endogenous, self.exogenous])

    @property
    def every_instrument(self) -> np.ndarray:
        """Exogenous regressors and instruments, shape (n, k + L)."""
        return np.column_stack([self.exogenous, self.instruments])

    @property
    def surplus(self) -> int:
        """Instruments beyond the endogenous regressors."""
        return self.instruments.shape[1] - self.endogenous.shape[1]


def check_names(spec: Spec, instruments: Sequence[str], endogenous: Sequence[str], place: str = "") -> None:
    """Raise `SpecError` for instruments and endogenous regressors that make no equation.

    Raises
    ------
    SpecError
        No exposure, slopes that vary; no instrument, one named twice, one that is the outcome or a regressor; an
        endogenous regressor that is no control; more endogenous regressors than instruments.
    """
    if spec.exposure is None or spec.slopes or spec.dynamic or spec.exposure_factor != "none":
        raise SpecError(
            "an equation with instruments takes an exposure with one slope, without lags of the outcome or factors",
            place=place,
            fix="Leave slopes, dynamic and exposure_factor out",
        )
    check_instrument_names(spec, instruments, place)
    for name in endogenous:
        if name not in spec.controls:
            raise SpecError(
                f"endogenous '{name}' is no control", place=place, fix=nearest(name, spec.controls or [spec.exposure])
            )
    needed = 1 + len(set(endogenous))
    if needed > len(instruments):
        raise SpecError(
            f"{needed} endogenous regressors and {len(instruments)} instruments",
            place=place,
            fix="Name at least as many instruments as endogenous regressors",
        )


def build_equation(
    panel: Panel,
    spec: Spec,
    instruments: Sequence[str],
    endogenous: Sequence[str] = (),
    effects: str | None = None,
    cluster: str = "unit",
) -> Equation:
    """Rows that are complete in instruments too, every column less the effects.

    Raises
    ------
    SpecError
        As `check_names`; unknown effects; two-way clusters.
    DesignError, PanelError
        An unknown column, a unit in two clusters, an instrument that effects or exogenous regressors absorb (constant
        within units), too few rows.
    """
    check_names(spec, instruments, endogenous, panel.source)
    check_one_way(cluster, panel.source)
    absorbed = effects or ("none" if panel.time is None else "two-way")
    if absorbed not in EFFECTS:
        raise SpecError(f"unknown effects '{effects}'", fix=nearest(str(effects), EFFECTS))
    check_not_blank(panel, instruments)
    with_instruments = Spec(**{**spec.model_dump(), "controls": (*spec.controls, *instruments)})
    wide = clustered_by(build_design(panel, with_instruments, weighted=True), panel, cluster)
    n_controls = len(spec.controls)
    controls, columns = wide.controls[:, :n_controls], wide.controls[:, n_controls:]
    design = replace(wide, spec=spec, controls=controls)
    taken = [spec.controls.index(name) for name in dict.fromkeys(endogenous)]
    kept = [k for k in range(n_controls) if k not in taken]
    inside = np.column_stack([wide.slope_columns, controls[:, taken]])
    names = (str(spec.exposure), *(spec.controls[k] for k in taken), *(spec.controls[k] for k in kept))
    raw = wide.weighted(np.column_stack([inside, controls[:, kept]]))
    every = np.column_stack([raw, wide.weighted(columns), wide.weighted(wide.outcome)])
    found = absorb(every, design, absorbed)
    left = found.residual
    size, n_inside = raw.shape[1], inside.shape[1]
    check_identified(raw, left[:, :size], names, panel.source)
    order = [*range(n_inside, size), *range(size, size + columns.shape[1])]
    own = (*names[n_inside:], *instruments)
    try:
        check_identified(every[:, order], left[:, order], own, panel.source)
    except DesignError as error:
        raise of_instrument(error, instruments, panel.source) from None
    counts = Counts(len(wide.outcome), size, int(absorbed == "none"), found.n_units, found.n_others)
    check_degrees(counts.n_obs, counts.n_all + columns.shape[1] - n_inside, panel.source)
    return Equation(
        design=design,
        effects=absorbed,
        outcome=left[:, -1],
        endogenous=left[:, :n_inside],
        exogenous=left[:, n_inside:size],
        instruments=left[:, size:-1],
        raw=raw,
        names=names,
        instrument_names=tuple(instruments),
        counts=counts,
    )
