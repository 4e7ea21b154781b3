"""Mediation fits that tests share."""

import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.bayesian.mediation.mediation import Mediation
from tests.conftest import REFERENCE


@pytest.fixture(scope="session")
def jobs() -> Mediation:
    """jobs II: treatment to job search to depression, a cross-section."""
    frame = pd.read_csv(REFERENCE / "jobs.csv")
    frame["person"] = [f"person {i}" for i in range(len(frame))]
    spec = bn.Spec(
        outcome="depress2",
        exposure="treat",
        controls=("econ_hard", "sex", "age"),
        unit_effects="none",
        time_effects="none",
        correlated_means=False,
    )
    panel = bn.read_panel(frame, unit="person", time=None)
    return bn.mediate(panel, spec, ("job_seek",), priors="diffuse", draws=4000, seed=2)
