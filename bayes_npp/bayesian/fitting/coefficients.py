"""A posterior under the names that linearmodels gives a regression: coefficients, intervals, residuals, predictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayes_npp.bayesian.fitting.diagnostics import Gate
from bayes_npp.bayesian.fitting.posterior import CHUNK_CELLS
from bayes_npp.bayesian.fitting.quantities import Posterior
from bayes_npp.bayesian.fitting.whole_tree import GROUPS, whole_tree
from bayes_npp.bayesian.model.generate import outcomes
from bayes_npp.bayesian.model.likelihood import simulate_errors
from bayes_npp.bayesian.model.loadings import loads
from bayes_npp.bayesian.model.terms import ModelData, fitted_values
from bayes_npp.design.coefficients import WaldTest, check_level, restrictions, wald_statistic
from bayes_npp.design.design import slope_names
from bayes_npp.design.new_rows import NewRows, additive, new_rows, own_rows, row_index
from bayes_npp.errors import SpecError
from bayes_npp.estimates import LEVEL, drawn_share, summarise
from bayes_npp.panels.panel import Panel
from bayes_npp.records import Shown

if TYPE_CHECKING:
    import xarray as xr

FEWEST_DRAWS = 100


@dataclass(frozen=True, repr=False)
class Prediction(Shown):
    """Posterior draws of what rows are expected to be, or of outcomes that were not observed.

    Attributes
    ----------
    frame : DataFrame
        unit, time, mean, sd, lo, hi (95 % equal-tailed), in the data's units.
    draws : ndarray, shape (S, rows)
    diagnostics : Gate
        Of the fit to the observed rows.
    """

    frame: pd.DataFrame
    draws: np.ndarray
    diagnostics: Gate


def prediction(index: pd.MultiIndex, drawn: np.ndarray, diagnostics: Gate) -> Prediction:
    """Draws (S, rows) with their summaries, by unit and time."""
    summary = summarise(drawn, axis=0)
    labels = {name: index.get_level_values(name).to_numpy() for name in ("unit", "time")}
    own = {name: summary[name] for name in ("mean", "sd", "lo", "hi")}
    return Prediction(pd.DataFrame({**labels, **own}), drawn, diagnostics)


class PosteriorCoefficients:
    """What a fit says of its coefficients, in the data's units: the names of a frequentist regression."""

    def coefficient_draws(self: Posterior) -> pd.DataFrame:
        """Draws of the coefficients, a column each: slopes (of groups, where they have their own), controls.

        With slopes of units the exposure's is their average over observations; the lagged outcome of a dynamic model is
        "L1.<outcome>", the level of a model without exposure "intercept".
        """
        design, spec, scales = self.design, self.spec, self.design.scales
        columns: dict[str, np.ndarray] = {}
        if spec.unit_slopes and not design.groups:
            share = np.bincount(design.unit, minlength=len(design.units)) / design.n_obs
            columns[str(spec.exposure)] = self.slopes_of_units() @ share
        elif spec.exposure:
            columns |= dict(zip(slope_names(design), self.slopes.T, strict=True))
        if spec.controls:
            slopes = self.values("control_slope") * scales.outcome_sd / scales.of(*spec.controls)
            columns |= dict(zip(spec.controls, slopes.T, strict=True))
        if spec.dynamic:
            columns[f"L1.{spec.outcome}"] = self.values("persistence")
        if not spec.exposure and not spec.dynamic:
            columns["intercept"] = scales.outcome_mean + scales.outcome_sd * self.values("intercept")
        return pd.DataFrame(columns)

    @property
    def params(self: Posterior) -> pd.Series:
        """Posterior means of the coefficients."""
        return self.coefficient_draws().mean().rename("parameter")

    @property
    def std_errors(self: Posterior) -> pd.Series:
        """Posterior standard deviations of the coefficients."""
        return self.coefficient_draws().std(ddof=1).rename("std_error")

    @property
    def cov(self: Posterior) -> pd.DataFrame:
        """Posterior covariance of the coefficients."""
        return self.coefficient_draws().cov()

    def conf_int(self: Posterior, level: float = LEVEL) -> pd.DataFrame:
        """Equal-tailed credible intervals: columns lower and upper."""
        check_level(level)
        tails = self.coefficient_draws().quantile([(1 - level) / 2, (1 + level) / 2])
        return tails.T.set_axis(["lower", "upper"], axis=1)

    def summary(self: Posterior) -> pd.DataFrame:
        """The columns of `estimates()` that one reads; scales, differences and averages among the rows."""
        return self.estimates().summary()

    def wald_test(self: Posterior, restriction: Any = None, value: Any = None, *, formula: Any = None) -> WaldTest:
        """How far the posterior lies from linear restrictions; see `restrictions` for how they are written.

        Notes
        -----
        The statistic is that of a Wald test with posterior mean and covariance. `pval` is the posterior probability of
        combinations that lie farther from their mean than the restrictions do: small where the restrictions lie outside
        all but the widest ellipsoids. It is no sampling probability.
        """
        draws = self.coefficient_draws()
        matrix, target, null = restrictions(list(draws), restriction, value, formula)
        combined = draws.to_numpy() @ matrix.T
        mean, spread = combined.mean(axis=0), np.atleast_2d(np.cov(combined.T))
        stat = wald_statistic(mean - target, spread)
        gaps = combined - mean
        distances = np.einsum("sq,sq->s", gaps @ np.linalg.inv(spread), gaps)
        return WaldTest(stat, float(drawn_share((distances > stat).astype(float))), len(matrix), None, null)

    def whole_tree(self: Posterior, draws: int = 500, groups: Sequence[str] = GROUPS) -> "xr.DataTree":
        """The tree with posterior predictive, prior and prior predictive draws: see `whole_tree.whole_tree`."""
        return whole_tree(self, draws, groups)

    @property
    def fitted(self: Posterior) -> pd.Series:
        """Posterior mean of what regressors and effects say of every row, by (unit, time)."""
        return pd.Series(_expected(self).mean(axis=0), index=row_index(self.design), name="fitted")

    @property
    def residuals(self: Posterior) -> pd.Series:
        """Outcome less `fitted`, by (unit, time)."""
        return (pd.Series(self.design.outcome, index=row_index(self.design)) - self.fitted).rename("residual")

    def predict(self: Posterior, new: Panel | pd.DataFrame | None = None, kind: str = "mean") -> Prediction:
        """Predict rows of units and periods that the fit knows, from its own draws.

        Parameters
        ----------
        new : Panel or DataFrame, optional
            Regressors; of a frame the index is (unit, time). Without it the rows of the fit.
        kind : {"mean", "outcome"}
            What a row is expected to be, or an outcome with an error drawn from its distribution: of the rows of the
            fit jointly, of new rows each on its own, whatever errors stand around it.

        Raises
        ------
        SpecError
            New rows where changes, a lagged outcome, period effects of groups or columns of time on which units load
            are in the model; new outcomes with known standard errors.
        DesignError
            A unit or a period that the fit does not know: `bn.predict` fits again and draws it.

        Notes
        -----
        The model is linear in the regressors, and whatever else it has is an effect of the unit plus one of the period:
        what the rows of the fit are expected to be, less slopes times regressors, gives the sum at every other row.
        """
        if kind not in ("mean", "outcome"):
            raise SpecError(f"unknown kind '{kind}' of prediction", fix="Use 'mean' or 'outcome'")
        design = self.design
        if new is None:
            drawn = _expected(self) if kind == "mean" else outcomes(_some(self), self.data, self.sampler.seed, True)
            return prediction(row_index(design), drawn, self.diagnostics)
        if loads(self.spec) or self.spec.group_time_effects:
            raise SpecError(
                "no prediction of new rows: the model has more than effects of units and periods",
                fix="Leave trends, factors and group_time_effects out",
            )
        rows, parameters = new_rows(design, new), _some(self)
        own = _linear(parameters, self.data, own_rows(design))
        effects = additive(fitted_values(parameters, self.data) - own, design, rows)
        drawn = _linear(parameters, self.data, rows) + effects
        if kind == "outcome":
            drawn = drawn + _errors(parameters, self.data, rows, self.sampler.seed)
        return prediction(rows.index, design.scales.outcome_mean + design.scales.outcome_sd * drawn, self.diagnostics)


def _some(fit: Posterior) -> dict[str, np.ndarray]:
    """Parameters at so many draws, evenly spaced, that draws times rows fit into memory."""
    return fit.parameters(max(FEWEST_DRAWS, CHUNK_CELLS // fit.design.n_obs))


def _expected(fit: Posterior) -> np.ndarray:
    """What every row is expected to be, draw by draw, in the data's units, shape (S, n)."""
    scales = fit.design.scales
    return scales.outcome_mean + scales.outcome_sd * fitted_values(_some(fit), fit.data)


def _linear(parameters: Mapping[str, np.ndarray], data: ModelData, rows: NewRows) -> np.ndarray:
    """Slopes times regressors as they are, less effects and level, on the standardised scale, shape (S, rows)."""
    design, spec = data.design, data.design.spec
    group = np.zeros(len(design.units), dtype=int)
    if design.group is not None:
        group[design.unit] = design.group
    at = group[rows.unit]
    out = np.zeros((len(parameters["intercept"]), len(rows.unit)))
    if spec.exposure and rows.exposure is not None:
        slopes = np.asarray(parameters["exposure_slope"][:, None] + parameters.get("slope_offset", 0.0))
        slopes = slopes[:, at] if slopes.shape[1] > 1 else slopes
        if "unit_slope" in parameters:
            slopes = slopes + parameters["unit_slope"][:, rows.unit]
        out = out + slopes * rows.exposure / design.scales.divisors[spec.exposure]
    for k, name in enumerate(spec.controls):
        slopes = parameters["control_slope"][:, [k]]
        if name in spec.varying:
            v = spec.varying.index(name)
            if "control_offset" in parameters:
                slopes = slopes + parameters["control_offset"][:, v][:, at]
            if "unit_control_slope" in parameters:
                slopes = slopes + parameters["unit_control_slope"][:, v][:, rows.unit]
        out = out + slopes * rows.controls[:, k] / design.scales.divisors[name]
    return out


def _errors(parameters: dict[str, np.ndarray], data: ModelData, rows: NewRows, seed: int) -> np.ndarray:
    """Errors of new rows, each on its own, shape (S, rows)."""
    if data.se is not None:
        raise SpecError("the standard errors of new outcomes are not known", fix="Ask for kind = 'mean'")
    blank = np.zeros(len(rows.unit))
    there = replace(data, design=replace(data.design, outcome=blank, unit=rows.unit, time=rows.time))
    there.__dict__["gaps"] = blank.astype(int)  # no row follows another
    return simulate_errors(parameters, there, np.random.default_rng(seed))
