"""The full PyMC model of both equations, every coefficient and effect sampled: second engine, and an oracle."""

from typing import TYPE_CHECKING, Any

import numpy as np

from bayes_npp.bayesian.collapsed import kernel
from bayes_npp.bayesian.instruments.density import KEPT, CollapsedInstruments
from bayes_npp.bayesian.model.caches import prepare_pytensor
from bayes_npp.bayesian.model.terms import ModelData

if TYPE_CHECKING:
    import pymc as pm


def build_iv_model(collapsed: CollapsedInstruments) -> "pm.Model":
    """Exposure given its first stage, outcome given the exposure: rows in order of time, nothing integrated out.

    `error_sd` is the SD of the outcome's whole error u; given the exposure's error v it is k v + e.
    """
    prepare_pytensor()
    import pymc as pm
    import pytensor.tensor as pt

    equations, layout = collapsed.equations, collapsed.layout
    x, y = equations.exposure, equations.outcome
    n_units = len(y.segments)
    with pm.Model() as model:
        theta = {
            element.variable: element.prior.definition.pymc(element.variable, None, **element.prior.parameters)
            for element in collapsed.elements
        }
        stretch = pt.sqrt(1.0 + theta["endogeneity"] ** 2)
        pm.Deterministic("error_correlation", theta["endogeneity"] / stretch)
        own_sd = theta["error_sd"] / stretch
        k = theta["endogeneity"] * own_sd / theta["exposure_error_sd"]
        ordered = [theta[element.variable] for element in collapsed.elements]

        def scaled(name: str, codes: np.ndarray, known: np.ndarray, means: np.ndarray) -> Any:
            """Coefficients, centred where they are flat or their SD is known, in SDs where it is sampled."""
            flat = codes == kernel.FLAT_SD
            raw = pm.Normal(f"{name}_raw", 0.0, 1.0, shape=int((~flat).sum()))
            free = pm.Flat(f"{name}_flat", shape=int(flat.sum()))
            sds = [
                pt.sqrt(ordered[code] ** 2 + sd**2) if code >= 0 else pt.as_tensor(float(sd))
                for code, sd in zip(codes[~flat], known[~flat], strict=True)
            ]
            out = pt.zeros(len(codes))
            if len(sds):
                out = pt.set_subtensor(out[np.flatnonzero(~flat)], pt.stack(sds) * raw)
            return pt.set_subtensor(out[np.flatnonzero(flat)], free) + means

        coefficients = scaled("coefficient", layout.column_scale, layout.column_sd, collapsed.prior_means)
        columns = [term.rows(slice(None)) for term in collapsed.columns]
        first = np.column_stack(
            [own for own, at in zip(columns, _starts(collapsed), strict=True) if at < collapsed.n_first]
        )
        second = np.column_stack(
            [own for own, at in zip(columns, _starts(collapsed), strict=True) if at >= collapsed.n_first]
        )
        mean_x, mean_y = first @ coefficients[: collapsed.n_first], second @ coefficients[collapsed.n_first :]
        if collapsed.unit_scales:
            codes = np.repeat(np.array(collapsed.unit_scales), n_units)
            effects = scaled("unit", codes, np.zeros(len(codes)), np.zeros(len(codes)))
            mean_x, mean_y = mean_x + effects[:n_units][y.design.unit], mean_y + effects[n_units:][y.design.unit]
        v = pt.as_tensor(x.outcome) - mean_x
        _rows("x", x, mean_x, theta["exposure_error_sd"], theta.get("exposure_autocorrelation"))
        _rows("y", y, mean_y + k * v, own_sd, theta.get("autocorrelation"))
        for term, at in zip(collapsed.columns, _starts(collapsed), strict=True):
            if term.variable in KEPT:
                values = coefficients[at : at + term.width]
                values = values if term.basis is None else pt.dot(term.basis, values)
                pm.Deterministic(term.variable, values[0] if term.variable == "exposure_slope" else values)
    return model


def _starts(collapsed: CollapsedInstruments) -> list[int]:
    """First coefficient of each term."""
    return [0, *np.cumsum([term.width for term in collapsed.columns])[:-1].tolist()]


def _rows(name: str, data: ModelData, mean: Any, sd: Any, rho: Any) -> None:
    """The rows of one equation, each given the row before of its unit."""
    import pymc as pm
    import pytensor.tensor as pt

    observed = pt.as_tensor(data.outcome)
    if rho is None:
        pm.Normal(name, mean, sd, observed=data.outcome)
        return
    later, gaps = np.flatnonzero(data.gaps > 0), data.gaps
    error = observed - mean
    powers = {int(gap): sum(rho ** (2 * step) for step in range(int(gap))) for gap in np.unique(gaps[later])}
    variance = pt.stack([powers[int(gap)] if gap else 1.0 / ((1.0 - rho) * (1.0 + rho)) for gap in gaps])
    share = pt.stack([rho ** int(gap) for gap in gaps[later]])
    given = pt.inc_subtensor(mean[later], share * error[later - 1])
    pm.Normal(name, given, sd * pt.sqrt(variance), observed=data.outcome)
