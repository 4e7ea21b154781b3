"""Simulated mediation panels and specifications that tests of mediation share."""

import bayes_npp as bn
from bayes_npp.bayesian.priors.sets import load_priors, prior_set

SPEC = bn.Spec(outcome="outcome", exposure="exposure")
GROUPED = bn.Spec(outcome="outcome", exposure="exposure", slopes="group")
TWO = {
    "path_a": {"east": (0.6, 0.2), "west": (0.1, 0.4)},
    "path_b": {"east": (0.5, -0.3), "west": (0.2, 0.1)},
    "direct": {"east": 0.3, "west": -0.2},
}


def simulated(**truth) -> bn.Panel:
    frame = bn.simulate_mediation(**truth).frame
    return bn.read_panel(frame, unit="unit", time="time", group="group")


def flat_slopes():
    """The weak set with flat priors of exposure and controls: the shift by rho is then exact."""
    content = dict(load_priors("weakly_informative").prior)
    flat = {"family": "flat", "reason": "a test"}
    kind = type(content["exposure"])
    return prior_set("flat slopes", {**content, "exposure": kind(**flat), "controls": kind(**flat)})
