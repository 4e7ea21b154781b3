"""Compile what every study evaluates, into numba's cache: the densities, their gradients and the draws.

Processes that start together would each compile the same code. `make setup` calls it once.
"""

import subprocess
import sys

import numpy as np

import bayes_npp as bn
from bayes_npp.bayesian.collapsed.collapsed import Collapsed, collapse
from bayes_npp.bayesian.collapsed.loadings import CollapsedLoadings
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.design.design import build_design
from bayes_npp.panels.simulation import simulate


def collapsed(errors: str) -> Collapsed:
    frame = simulate(8, 7, {"north": 0.5, "south": 0.5}, seed=1).frame
    panel = bn.read_panel(frame, unit="unit", time="time", group="group")
    spec = bn.Spec(outcome="outcome", exposure="exposure", slopes="group", errors=errors)
    return collapse(prepare(build_design(panel, spec)), load_priors("weakly_informative"))


def draws_of(posterior: Collapsed) -> None:
    """Everything but the density: draws of coefficients and units, likelihoods of slopes, rows at one theta."""
    thetas = posterior.start[None]
    posterior.coefficients(thetas, seed=1, with_units=True)
    posterior.slope_blocks(thetas, np.array([0]))
    posterior.log_likelihoods(thetas)
    if isinstance(posterior, CollapsedLoadings):
        posterior.at(thetas[0])


if __name__ == "__main__":
    if sys.argv[1:] == ["density"]:
        collapsed("factor").log_density(collapsed("factor").start)
        collapsed("iid").climb(collapsed("iid").start)
    elif sys.argv[1:] == ["draws"]:
        for errors in ("ar1", "ar1+unit_scale+factor"):
            draws_of(collapsed(errors))
    else:  # the kernel is compiled on import, above; what builds on it by two processes
        started = [subprocess.Popen([sys.executable, __file__, part]) for part in ("density", "draws")]
        codes = [process.wait() for process in started]
        sys.exit(any(codes))
