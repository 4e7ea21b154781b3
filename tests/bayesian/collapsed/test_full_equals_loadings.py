"""The full PyMC model against the collapsed density where units load on columns of time, exactly, without sampling.

Exactly as in `test_full_equals_collapsed`: given theta, factors among it, the full model's density is an exponential of
a quadratic in the coefficients, so that its integral over them has a closed form.
"""

import numpy as np
import pytest

import bayes_npp as bn
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.design.design import build_design
from tests.bayesian.collapsed.test_full_equals_collapsed import Full, a_point, check_integral

PRIORS = load_priors("weakly_informative")
CASES = {
    "factor": {"errors": "factor"},
    "ar1, factor": {"errors": "ar1+factor"},
    "unit scale, factor": {"errors": "unit_scale+factor"},
    "ar1, unit scale, factor": {"errors": "ar1+unit_scale+factor"},
    "two factors, period scale": {"errors": "period_scale+factor2"},
    "exposure's own factor": {"errors": "ar1", "exposure_factor": "partial"},
}


def gappy_panel():
    """Unbalanced: a fifth of the rows is missing, so that units have gaps and start and end at different periods."""
    frame = bn.simulate(10, 9, {"a": 0.5, "b": 0.1}, controls=(0.4,), missing=0.2, seed=5).frame
    f = np.array([-1.2, -1.0, -0.8, -0.3, 0.0, 0.4, 0.7, 1.0, 1.2])
    loadings = np.random.default_rng(6).standard_normal(10)
    unit, time = frame["unit"].factorize()[0], frame["time"].factorize(sort=True)[0]
    frame["outcome"] += 0.6 * loadings[unit] * f[time]
    frame["exposure"] += 0.6 * loadings[unit] * f[time]
    return bn.read_panel(frame, unit="unit", time="time", group="group")


def design_of(changes):
    spec = {"outcome": "outcome", "exposure": "exposure", "controls": ("control_1",), "slopes": "group"}
    return build_design(gappy_panel(), bn.Spec(**{**spec, **changes}))


@pytest.mark.slow
@pytest.mark.parametrize("case", list(CASES))
def test_the_full_model_integrates_to_the_collapsed_density(case):
    data = prepare(design_of(CASES[case]))
    full = Full(data, PRIORS)
    for seed in (2, 3):
        check_integral(full, data, PRIORS, a_point(full, seed))


@pytest.mark.slow
@pytest.mark.parametrize("errors", ["factor", "ar1+unit_scale+factor"])
def test_the_full_model_of_the_default_study_integrates_to_the_collapsed_density(errors, study):
    model = study.model("regions")
    spec = bn.Spec(**{**study.spec(model).model_dump(), "errors": errors})
    data = prepare(build_design(study.panel, spec, study.scales))
    full = Full(data, PRIORS)
    check_integral(full, data, PRIORS, a_point(full, 2))
