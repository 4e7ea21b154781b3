"""Clusters of units: whose labels are read, and what is refused."""

import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.design.clusters import unit_clusters
from bayes_npp.errors import DesignError


def panel_of(labels, window=None):
    frame = pd.DataFrame({"unit": list("aabbcc"), "time": [1, 2] * 3, "x": range(6), "above": labels})
    return bn.read_panel(frame, unit="unit", time="time", window=window)


def test_units_of_one_label_share_a_cluster():
    own = unit_clusters(panel_of(["p", "p", "q", "q", "p", "p"]), ("c", "b"), "above")
    assert own.labels == ("p", "q")
    assert own.of_unit.tolist() == [0, 1]  # in the order of the units asked for


def test_rows_that_are_not_asked_for_do_not_matter():
    """A unit of no row of the regression, a period outside the window."""
    assert unit_clusters(panel_of(["p", "q", "q", "q", "p", "p"]), ("b", "c"), "above").labels == ("q", "p")
    assert unit_clusters(panel_of(["p", "q", "q", "r", "p", "p"], (1, 1)), ("a", "b"), "above").labels == ("p", "q")


def test_what_is_no_cluster():
    with pytest.raises(DesignError, match="unit 'b' is in two clusters of 'above', 'q' and 'r'") as error:
        unit_clusters(panel_of(["p", "p", "q", "r", "p", "p"]), ("a", "b"), "above")
    assert "row 4 (b 2)" in str(error.value)
    with pytest.raises(DesignError, match="cluster 'above' is blank"):
        unit_clusters(panel_of(["p", None, "q", "q", "p", "p"]), ("a", "b"), "above")
    with pytest.raises(DesignError, match="all units are in one cluster"):
        unit_clusters(panel_of(["p"] * 6), ("a", "b"), "above")
