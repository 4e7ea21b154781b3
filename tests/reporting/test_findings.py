"""Sentences of the tiny run: all of them in the report, and headings that state a finding.

`headings` and `opening` say them.
"""

import re
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from bayes_npp.claims.verdicts import ERRORS_FAIL, SUPPORTED, fragile
from bayes_npp.reporting.base.wording import wording
from bayes_npp.reporting.findings import findings
from bayes_npp.reporting.headings import believed_heading, groups_heading, paper_heading, why_heading
from bayes_npp.reporting.opening import lead, per_sd, warnings
from bayes_npp.reporting.tables.summary import claim_lines, weakened
from tests.conftest import report_text


def test_every_sentence_is_in_the_report(tiny_run):
    found = findings(tiny_run)
    assert len(found) > 10
    page, worded = report_text(tiny_run.out), wording(tiny_run.study)
    for one in found:
        assert re.sub(r"\s+", " ", worded(one.text)) in page, one.text


def test_failures_and_warnings_are_marked(tiny_run):
    page = (tiny_run.out / "report.html").read_text(encoding="utf-8")
    for status in {one.status for one in findings(tiny_run)}:
        marked = page.count(f'class="finding {status}"')
        assert marked >= sum(one.status == status for one in findings(tiny_run)), status


def test_the_first_screen(tiny_run):
    shown = lead(tiny_run)
    names = [record.verdict.name for record in tiny_run.ledger.records]
    assert sum(number for _, number in shown.counts) == len(names) == 3
    assert "of the paper's three claims" in shown.answer
    assert "for one unit of exposure" in shown.answer
    assert len(warnings(tiny_run)) <= 5
    headings = [name for name, _ in shown.facts]
    assert len(headings) == len(set(headings))


@pytest.mark.parametrize(
    ("are_not", "heading"),
    [("Peer reviewed.", "What the data are not"), ("Not the paper's data.", "Whose data these are"), ("", "The data")],
)
def test_what_the_data_are_not_is_not_said_to_be(tiny_run, are_not, heading):
    """A text that goes on from "They are not" says the opposite below another heading."""
    header = tiny_run.study.header.model_copy(update={"data_are": "A panel.", "data_are_not": are_not})
    facts = dict(lead(replace(tiny_run, study=replace(tiny_run.study, header=header))).facts)
    assert facts[heading][0] == (are_not or "A panel.")


def test_the_last_lines_of_a_run(tiny_run):
    lines, worded = claim_lines(tiny_run), wording(tiny_run.study)
    assert [line.partition(":")[0] for line in lines] == [worded(record.claim.id) for record in tiny_run.ledger.records]
    assert all(record.verdict.name in line for line, record in zip(lines, tiny_run.ledger.records, strict=True))


def test_headings_state_findings(tiny_run):
    assert re.search(r"Why .* becomes ", why_heading(tiny_run))
    clear = [d for c in tiny_run.comparisons for d in c.clear]
    assert ("no difference has a clear sign" in groups_heading(tiny_run)) == (not clear)
    failed = [record for record in tiny_run.every_fit if not record.diagnostics.passed]
    assert ("every sampler converged" in believed_heading(tiny_run).lower()) == (not failed)
    reproduction = tiny_run.readings.reproduction
    assert f"{reproduction.reproduced} of {reproduction.printed} printed" in paper_heading(tiny_run)


def test_errors_of_mechanisms_count_where_fits_are_said_to_pass(monkeypatch):
    good, bad = (SimpleNamespace(errors_fit=fit, predictive=(1,)) for fit in (True, False))
    result = SimpleNamespace(every_fit=(), fits=(good,), mechanisms=(SimpleNamespace(fits=(bad, bad)),))
    monkeypatch.setattr("bayes_npp.reporting.headings.main_ladder", lambda result: None)
    assert believed_heading(result).endswith("errors fail checks in 2 fits")
    ladder = SimpleNamespace(errors=SimpleNamespace(record=good))
    monkeypatch.setattr("bayes_npp.reporting.headings.main_ladder", lambda result: ladder)
    assert "verdicts about slopes pass every check, those of mechanisms fail checks in 2 fits" in believed_heading(
        result
    )
    result.mechanisms = ()
    assert believed_heading(result).endswith("the errors behind the verdicts pass every check")


@pytest.mark.parametrize(
    ("values", "said"), [([0, 0, 1, 0], " The exposure is 0 or 1."), ([0, 1, 2, 0], " One SD of the exposure is ")]
)
def test_an_exposure_of_two_values_has_no_sd_told(values, said):
    x = pd.Series(values, dtype=float)
    found = {
        "variable": "x",
        "role": "exposure",
        "n": 4,
        "mean": x.mean(),
        "sd": x.std(),
        "min": x.min(),
        "max": x.max(),
    }
    roles = SimpleNamespace(exposure="x")
    result = SimpleNamespace(study=SimpleNamespace(roles=roles), descriptives=pd.DataFrame([found]))
    assert per_sd(result).startswith(said)


def test_a_verdict_that_its_errors_make_fragile_says_so_where_no_choice_moves_it():
    def record(name, because):
        return SimpleNamespace(verdict=SimpleNamespace(name=name, because=because))

    assert weakened(record(fragile(SUPPORTED), ("probability 0.99", ERRORS_FAIL))) == (
        "Fragile as it is: its errors fail checks",
    )
    assert weakened(record(fragile(SUPPORTED), ("fragile to priors",))) == ()
    assert weakened(record("undecided", (ERRORS_FAIL,))) == ()
