"""Tables of GMM that know their regression: coefficients, covariance, residuals of the equations, Wald tests."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayes_npp.design.coefficients import Coefficients, Vector
from bayes_npp.estimates import Estimates
from bayes_npp.frequentist.dynamic.fit import GmmFit
from bayes_npp.panels.calendar import shown


@dataclass(frozen=True, repr=False)
class GmmRegression(Coefficients, Estimates):
    """Estimates of difference or system GMM, and the regression itself.

    Attributes
    ----------
    fit : GmmFit
    factor : float
        Small-sample factor on the covariance.
    df : int, optional
        Of t; None: the normal distribution.
    """

    fit: GmmFit | None = None
    factor: float = 1.0
    df: int | None = None

    @property
    def gmm(self) -> GmmFit:
        """The regression."""
        assert self.fit is not None
        return self.fit

    @property
    def vector(self) -> Vector:
        """Coefficients; tested wherever the variance is positive."""
        covariance = self.gmm.covariance * self.factor
        return Vector(self.gmm.moments.names, self.gmm.coefficients, covariance, np.diag(covariance) > 0, self.df)

    @property
    def residuals(self) -> pd.Series:
        """Residuals of the equations, by (unit, time, equation).

        A transformed equation stands at its later period (forward deviations, as in xtabond2, at the one after the
        period that they are deviations of), a level equation at its own.
        """
        return self._by_equation(self.gmm.residuals, "residual")

    @property
    def fitted(self) -> pd.Series:
        """What regressors say of the outcome of every equation, transformed as it is."""
        return self._by_equation(self.gmm.moments.outcome - self.gmm.residuals, "fitted")

    def _by_equation(self, values: np.ndarray, name: str) -> pd.Series:
        m = self.gmm.moments
        periods = np.array(shown(m.periods), dtype=object)
        later = periods[-m.n_transformed :] if m.n_transformed else periods[:0]
        times = np.concatenate([later, periods])[: m.valid.shape[1]]
        kinds = np.array(["transformed"] * m.n_transformed + ["level"] * (len(times) - m.n_transformed), dtype=object)
        unit, row = np.nonzero(m.valid)
        index = pd.MultiIndex.from_arrays(
            [np.array(m.units, dtype=object)[unit], times[row], kinds[row]], names=["unit", "time", "equation"]
        )
        return pd.Series(values[unit, row], index=index, name=name)
