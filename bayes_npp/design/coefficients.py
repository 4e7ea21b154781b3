"""Named coefficients with their covariance, in linearmodels' words; Wald tests of restrictions."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayes_npp.errors import EstimatesError
from bayes_npp.estimates import LEVEL
from bayes_npp.records import Shown


@dataclass(frozen=True, repr=False)
class WaldTest(Shown):
    """A test of linear restrictions on coefficients.

    Attributes
    ----------
    stat : float
        (R b - q)'(R V R')^-1 (R b - q).
    pval : float
        Frequentist: from F(df, df_denom) of stat / df, or chi-square(df) where there is no df_denom. Of a posterior:
        the share of draws that lie farther from their mean than the restrictions do, by the same distance.
    df : int
        Number of restrictions.
    df_denom : int, optional
    null : str
    """

    stat: float
    pval: float
    df: int
    df_denom: int | None
    null: str


@dataclass(frozen=True)
class Vector:
    """Coefficients of one regression.

    Attributes
    ----------
    names : tuple of str, length k
    values : ndarray, shape (k,)
    covariance : ndarray, shape (k, k)
    tested : ndarray of bool, shape (k,)
        Whether a coefficient has a test: enough clusters, a variance that is more than rounding.
    df : int, optional
        Of the reference t distribution; None: the normal.
    """

    names: tuple[str, ...]
    values: np.ndarray
    covariance: np.ndarray
    tested: np.ndarray
    df: int | None


class Coefficients(ABC):
    """What a frequentist regression says of its coefficients, in the data's units."""

    @property
    @abstractmethod
    def vector(self) -> Vector:
        """The coefficients and what their tests rest on."""

    @property
    def params(self) -> pd.Series:
        """Coefficients by name."""
        return pd.Series(self.vector.values, index=list(self.vector.names), name="parameter")

    @property
    def cov(self) -> pd.DataFrame:
        """Covariance of the coefficients, of the kind that the regression was asked for."""
        names = list(self.vector.names)
        return pd.DataFrame(self.vector.covariance, index=names, columns=names)

    @property
    def std_errors(self) -> pd.Series:
        """Standard errors; NaN where a variance is not positive."""
        variance = np.diag(self.vector.covariance)
        root = np.sqrt(np.where(variance > 0, variance, np.nan))
        return pd.Series(root, index=list(self.vector.names), name="std_error")

    @property
    def tstats(self) -> pd.Series:
        """Coefficients over their standard errors; NaN where there are too few clusters for a test."""
        return (self.params / self.std_errors).where(self.vector.tested).rename("tstat")

    @property
    def pvalues(self) -> pd.Series:
        """Two-sided p-values of the reference distribution, t or normal; NaN where there is no test."""
        from scipy import stats

        tail = stats.norm if self.vector.df is None else stats.t(self.vector.df)
        return pd.Series(2 * tail.sf(self.tstats.abs()), index=list(self.vector.names), name="pvalue")

    def conf_int(self, level: float = LEVEL) -> pd.DataFrame:
        """Confidence intervals: columns lower and upper; NaN where there is no test."""
        from scipy import stats

        check_level(level)
        tail = stats.norm if self.vector.df is None else stats.t(self.vector.df)
        reach = tail.ppf(0.5 + level / 2) * self.std_errors.where(self.vector.tested)
        return pd.DataFrame({"lower": self.params - reach, "upper": self.params + reach})

    def wald_test(self, restriction: Any = None, value: Any = None, *, formula: Any = None) -> WaldTest:
        """Test linear restrictions on the coefficients; see `restrictions` for how they are written.

        Raises
        ------
        EstimatesError
            Restrictions that cannot be read or depend on each other, coefficients without a test of their own, a
            singular covariance.

        Notes
        -----
        With a reference t distribution the p-value is that of F(q, df), so that one restriction has the p-value of its
        t statistic. linearmodels takes chi-square(q) of the same statistic.
        """
        from scipy import stats

        own = self.vector
        matrix, target, null = restrictions(own.names, restriction, value, formula)
        untested = [name for j, name in enumerate(own.names) if matrix[:, j].any() and not own.tested[j]]
        if untested:
            raise EstimatesError(f"'{untested[0]}' has no test of its own", fix="See the note of its row in .frame")
        size = len(matrix)
        stat = wald_statistic(matrix @ own.values - target, matrix @ own.covariance @ matrix.T)
        if own.df is None:
            return WaldTest(stat, float(stats.chi2.sf(stat, size)), size, None, null)
        return WaldTest(stat, float(stats.f.sf(stat / size, size, own.df)), size, own.df, null)


def check_level(level: float) -> None:
    """Raise `EstimatesError` for a level that is none."""
    if not 0 < level < 1:
        raise EstimatesError(f"level = {level} is no level", fix="Give a number between 0 and 1, such as 0.95")


def restrictions(
    names: Sequence[str], restriction: Any = None, value: Any = None, formula: Any = None
) -> tuple[np.ndarray, np.ndarray, str]:
    """Linear restrictions R b = q on named coefficients: R (q, k), q (q,), and the null hypothesis in words.

    Parameters
    ----------
    names : sequence of str
    restriction : str, list of str or array_like, shape (q, k), optional
        A text such as "x = 0, z = 2" is taken as a formula. Without any: every coefficient but the intercept is 0.
    value : array_like, shape (q,), optional
        Of restrictions given as an array; 0 by default.
    formula : str or list of str, optional
        Names with signs in them, such as x:East, stand in backquotes or, alone in a formula, as they are.

    Raises
    ------
    EstimatesError
        A formula that cannot be read, an array of another shape, restrictions that depend on each other.
    """
    names = list(names)
    if restriction is None and formula is None:
        formula = [name for name in names if name != "intercept"]
    if isinstance(restriction, str) or (isinstance(restriction, list) and isinstance(restriction[0], str)):
        formula, restriction = restriction, None
    if restriction is None:
        from formulaic.errors import FormulaicError
        from formulaic.utils.constraints import LinearConstraints

        parts = [formula] if isinstance(formula, str) else list(formula)
        quoted = [f"`{part}`" if part in names else part for part in parts]
        try:
            read = LinearConstraints.from_spec(quoted, variable_names=names)
        except (FormulaicError, RuntimeError, ValueError, KeyError, TypeError) as error:
            raise EstimatesError(
                f"the restriction '{', '.join(map(str, parts))}' cannot be read ({error})",
                fix=f"Write it as 'a = 0' or 'a = b', of {', '.join(names[:12])}; `x:East` in backquotes",
            ) from None
        matrix, target = np.atleast_2d(read.constraint_matrix).astype(float), np.ravel(read.constraint_values)
        null = ", ".join(part if "=" in part else f"{part} = 0" for part in parts)
    else:
        matrix = np.atleast_2d(np.asarray(restriction, dtype=float))
        target = np.zeros(len(matrix)) if value is None else np.ravel(np.asarray(value, dtype=float))
        null = f"{len(matrix)} linear restriction{'' if len(matrix) == 1 else 's'}"
    if matrix.shape[1] != len(names) or len(target) != len(matrix):
        raise EstimatesError(
            f"restrictions of shape {matrix.shape} with {len(target)} values",
            fix=f"There are {len(names)} coefficients",
        )
    if np.linalg.matrix_rank(matrix) < len(matrix):
        raise EstimatesError("the restrictions depend on each other", fix="State each of them once")
    return matrix, target.astype(float), null


def wald_statistic(gap: np.ndarray, spread: np.ndarray) -> float:
    """gap' spread^-1 gap, of gaps (q,) and their covariance (q, q); `EstimatesError` where that is singular."""
    size = np.sqrt(np.diag(spread))
    values = np.linalg.eigvalsh(spread / np.outer(size, size)) if (size > 0).all() else np.zeros(1)
    if values.min() <= 1e-12 * max(values.max(), 0.0):
        raise EstimatesError(
            "the covariance of these combinations is singular",
            fix="There are too few clusters for so many restrictions: state fewer",
        )
    return float(gap / size @ np.linalg.solve(spread / np.outer(size, size), gap / size))
