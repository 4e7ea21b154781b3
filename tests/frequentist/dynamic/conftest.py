"""Panels that tests of dynamic estimators share."""

import pandas as pd
import pytest

import bayes_npp as bn
from tests.conftest import REFERENCE


@pytest.fixture(scope="session")
def abdata() -> bn.Panel:
    frame = pd.read_csv(REFERENCE / "abdata.csv")
    for year in range(1976, 1985):
        frame[f"yr{year}"] = 1.0 * (frame["year"] == year)
    return bn.read_panel(frame, unit="id", time="year")
