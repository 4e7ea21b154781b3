"""Tables of a regression that know it: coefficients, covariance, residuals, tests, predictions."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayes_npp.design.coefficients import Coefficients, Vector
from bayes_npp.design.new_rows import additive, new_rows, row_index
from bayes_npp.errors import SpecError
from bayes_npp.estimates import Estimates
from bayes_npp.frequentist.least_squares.absorbed import absorbs_more
from bayes_npp.frequentist.least_squares.inference import PROJECTED, LinearFit
from bayes_npp.panels.panel import Panel


@dataclass(frozen=True, repr=False)
class Regression(Coefficients, Estimates):
    """Estimates of a regression by least squares, and the regression itself.

    Attributes
    ----------
    fit : LinearFit
        Behind the rows; those of the wild bootstrap have p-values and intervals of their own in `frame`.
    """

    fit: LinearFit | None = None

    @property
    def linear(self) -> LinearFit:
        """The regression."""
        assert self.fit is not None
        return self.fit

    @property
    def vector(self) -> Vector:
        """Coefficients, slopes of groups first, and which of them have a test."""
        fit = self.linear
        tested = [self._is_tested(j) for j in range(len(fit.names))]
        return Vector(fit.names, fit.coefficients, fit.covariance, np.array(tested), fit.df)

    def _is_tested(self, j: int) -> bool:
        fit, one = self.linear, np.eye(len(self.linear.names))[j]
        of_group = fit.design.group is not None and j < len(fit.design.groups)
        units = int(fit.design.group_clusters[j]) if of_group else None
        support = fit.support(one, "group slope" if of_group else "", group_units=units)
        return bool(not np.isnan(fit.spread.variance(one)) and not support.refused)

    @property
    def residuals(self) -> pd.Series:
        """Outcome less what regressors and effects say, by (unit, time)."""
        return pd.Series(self.linear.residuals, index=row_index(self.linear.design), name="residual")

    @property
    def fitted(self) -> pd.Series:
        """What regressors and effects say: outcome less residual, by (unit, time)."""
        values = self.linear.design.outcome - self.linear.residuals
        return pd.Series(values, index=row_index(self.linear.design), name="fitted")

    def predict(self, new: Panel | pd.DataFrame | None = None) -> pd.Series:
        """Regressors times coefficients plus the effects of unit and period, by (unit, time).

        Parameters
        ----------
        new : Panel or DataFrame, optional
            Rows of units and periods that the regression knows; of a frame the index is (unit, time). Without it the
            rows of the regression: `fitted`.

        Raises
        ------
        SpecError
            Unit trends, loadings or period effects of groups, whose values at other rows are not known.
        DesignError
            A unit or a period that the regression does not know.
        """
        if new is None:
            return self.fitted.rename("prediction")
        fit = self.linear
        design, spec = fit.design, fit.design.spec
        if fit.effects not in PROJECTED or absorbs_more(spec):
            raise SpecError(
                "no prediction of new rows: more than effects of units and periods is absorbed",
                fix="Leave trends, factors and group_time_effects out, or use .fitted",
            )
        rows = new_rows(design, new)
        slopes, others = len(design.slope_columns.T), len(spec.controls)
        coefficients, level = fit.coefficients[: slopes + others], fit.coefficients[slopes + others :].sum()
        own = np.column_stack([design.slope_columns, design.controls]) @ coefficients + level
        effects = additive(design.outcome - fit.residuals - own, design, rows, fit.effects)
        group = np.zeros(len(design.units), dtype=int)
        if design.group is not None:
            group[design.unit] = design.group
        exposure = np.zeros(len(rows.unit)) if rows.exposure is None else rows.exposure
        values = exposure * coefficients[group[rows.unit]] + rows.controls @ coefficients[slopes:] + level + effects
        return pd.Series(values, index=rows.index, name="prediction")
