"""Panels that tests of mediation share."""

import pytest

from tests.frequentist.mediation.panels import two_mediators


@pytest.fixture(scope="session")
def panel():
    return two_mediators()
