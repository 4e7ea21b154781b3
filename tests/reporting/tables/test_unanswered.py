"""Variants without an answer: one line a reason, with the claims it concerns."""

from types import SimpleNamespace

import pandas as pd

from bayes_npp.reporting.tables.unanswered import unanswered_table


def record(name, *reasons):
    rows = [("specification", f"row {k}", reason) for k, reason in enumerate(reasons)]
    return SimpleNamespace(name=name, unanswered=pd.DataFrame(rows, columns=["kind", "variant", "reason"]))


def test_one_line_for_each_reason():
    records = (record("H1", "a lead", "failed"), record("H2", "a lead"), record("H3"))
    table = unanswered_table(SimpleNamespace(ledger=SimpleNamespace(records=records)))
    assert table.frame.to_dict("records") == [
        {"varied": "specification", "variant": "row 0", "no answer for": "H1; H2", "reason": "a lead"},
        {"varied": "specification", "variant": "row 1", "no answer for": "H1", "reason": "failed"},
    ]


def test_nothing_to_show():
    assert unanswered_table(SimpleNamespace(ledger=None)) is None
    assert unanswered_table(SimpleNamespace(ledger=SimpleNamespace(records=(record("H1"),)))) is None
