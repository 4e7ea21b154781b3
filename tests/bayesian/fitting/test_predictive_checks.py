"""Checks of the errors where the model has scales of units or periods: they can fail, and do not where it is true."""

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.bayesian.collapsed.collapsed import collapse
from bayes_npp.bayesian.fitting.predictive_checks import checks_at, error_checks
from bayes_npp.bayesian.fitting.refit import SHORT, refit_each
from bayes_npp.bayesian.model.likelihood import innovations
from bayes_npp.bayesian.model.prepare import prepare
from bayes_npp.bayesian.priors.sets import load_priors
from bayes_npp.design.design import build_design

UNITS, PERIODS = 30, 9
CHECK = {"unit_scale": "spread by unit", "period_scale": "spread by period"}


def panel_with(scales, seed):
    """Independent errors with the scales (N, T), or what broadcasts to them; nothing else but an exposure."""
    random = np.random.default_rng(seed)
    exposure = random.standard_normal((UNITS, PERIODS))
    outcome = 0.3 * exposure + scales * random.standard_normal((UNITS, PERIODS))
    unit, time = np.indices(exposure.shape).reshape(2, -1)
    frame = pd.DataFrame({"unit": unit, "time": time, "outcome": outcome.ravel(), "exposure": exposure.ravel()})
    return bn.read_panel(frame, unit="unit", time="time")


def spec_of(errors):
    return bn.Spec(outcome="outcome", exposure="exposure", errors=errors)


def test_one_wild_unit_is_no_draw_of_a_log_normal():
    """Equal scales and one of thirty times their size; divided by the scales fitted to them, nothing would be wrong."""
    scales = np.ones((UNITS, 1))
    scales[4] = 30.0
    fit = bn.fit(panel_with(scales, seed=1), spec_of("unit_scale"), draws=300, chains=2, seed=1)
    check = next(check for check in fit.predictive_checks() if check.name == CHECK["unit_scale"])
    assert check.p < 0.025
    assert not check.passed
    own = np.divide(*innovations(fit.parameters(300), fit.data))
    fitted = error_checks(own, fit.design.unit, np.array(fit.design.times)[fit.design.time], seed=1)[1]
    assert 0.1 < fitted.p < 0.9


@pytest.mark.parametrize("errors", list(CHECK))
def test_the_other_checks_are_those_of_standardised_innovations(errors):
    fit = bn.fit(panel_with(0.5, seed=2), spec_of(errors), draws=200, chains=2, seed=1)
    own = np.divide(*innovations(fit.parameters(400), fit.data))
    plain = error_checks(own, fit.design.unit, np.array(fit.design.times)[fit.design.time], seed=1)
    for mine, other in zip(fit.predictive_checks(), plain, strict=True):
        assert (mine == other) == (mine.name != CHECK[errors])


@pytest.mark.slow(minutes=3)
@pytest.mark.parametrize("errors", list(CHECK))
def test_where_the_model_is_true_the_check_passes_and_its_p_varies(errors, seed):
    """Sixty worlds with logs of scales of SD .6. At the nominal 5 % nine or more fail one time in a thousand."""
    priors, targets = load_priors("weakly_informative"), []
    for world in range(60):
        random = np.random.default_rng([seed, world])
        shape = (UNITS, 1) if errors == "unit_scale" else (1, PERIODS)
        panel = panel_with(np.exp(0.6 * random.standard_normal(shape)), seed=1000 + seed + world)
        targets.append((collapse(prepare(build_design(panel, spec_of(errors))), priors), priors))
    p = []
    for k, (collapsed, _) in enumerate(targets):
        found = refit_each([targets[k]], SHORT)[0]
        checks = checks_at({name: values[::3] for name, values in found.draws.items()}, collapsed.data, seed=k)
        p.append(next(check.p for check in checks if check.name == CHECK[errors]))
    assert sum(not 0.025 <= value <= 0.975 for value in p) < 9
    assert np.std(p) > 0.12  # .02 where scales are divided by; .29 where p is uniform
