"""Claims beside a confounder, and claims read together (`claims.multiplicity`), in the run of the tiny study."""

import numpy as np
import pandas as pd
import pytest

from bayes_npp.claims.confounding import confounding_rows
from bayes_npp.claims.multiplicity import differences_adjusted
from bayes_npp.frequentist.hypotheses.differences import holm


def test_every_claim_is_asked(tiny_run):
    found = {one.claim.id: one for one in tiny_run.confounding}
    assert list(found) == [claim.id for claim in tiny_run.study.claims]
    assert {name: one.about for name, one in found.items()} == {
        "H1": "slope",
        "region": "difference",
        "H2": "first path",
    }
    assert "an indirect effect is a product of two paths" in found["H2"].why_not
    for name in ("H1", "region"):
        record = next(record for record in tiny_run.ledger.records if record.claim.id == name)
        assert found[name].probability == pytest.approx(record.probability, abs=1e-9)
        assert found[name].found.benchmarks[0].name == "control_1"


def test_the_slope_of_a_claim_is_the_one_its_test_has(tiny_run):
    """Least squares behind the confounder and behind the ledger: one number."""
    for one in tiny_run.confounding:
        record = next(record for record in tiny_run.ledger.records if record.claim.id == one.claim.id)
        if record.test is not None and one.about != "first path":
            assert one.found.estimate == pytest.approx(record.test.estimate, rel=1e-9)


def test_rows_of_the_file_hold_every_number(tiny_run):
    rows = confounding_rows(tiny_run.confounding)
    assert not rows.duplicated(["claim", "benchmark", "k", "quantity"]).any()
    written = pd.read_csv(tiny_run.out / "confounding.csv")
    assert written["key"].is_unique
    assert len(written) == len(rows)
    own = rows[(rows["claim"] == "H1") & (rows["quantity"] == "probability")]
    assert own["value"].is_monotonic_decreasing


def test_claims_about_differences_are_adjusted_for_each_other(tiny_run):
    frame = differences_adjusted(tiny_run.ledger)
    assert frame["claim"].tolist() == ["region"]
    assert frame["p_holm"].to_numpy() == pytest.approx(holm(frame["p_value"].to_numpy()))
    assert differences_adjusted(None).empty
    assert np.isfinite(frame["p_value"]).all()
