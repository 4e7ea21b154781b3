"""What the page says to a referee: differences, confounders, leads; `tables.differences`, `tables.confounding`,
`tables.instruments`, `figures.confounding` and `figures.event_time`.
"""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bayes_npp.bayesian.instruments.strength import missing
from bayes_npp.frequentist.hypotheses.differences import TESTS
from bayes_npp.frequentist.instruments.iv import ar_words
from bayes_npp.reporting.base.numbers import plain
from bayes_npp.reporting.figures.confounding import contour_figure
from bayes_npp.reporting.figures.event_time import event_time_blocks
from bayes_npp.reporting.tables.confounding import confounded_first, confounding_folds, confounding_lead
from bayes_npp.reporting.tables.differences import SAID, STATA, difference_blocks
from bayes_npp.reporting.tables.instruments import NARROWED, exclusion_table, instrument_blocks
from tests.conftest import report_text


def test_every_test_has_words_and_a_stata_command():
    assert set(TESTS) <= set(SAID)
    assert set(STATA) == set(TESTS)


def test_differences_are_said_without_the_names_of_tests(tiny_run):
    heading, lead, cards, details = difference_blocks(tiny_run)
    assert heading.text == "Is the difference by group a difference?"
    low, high = tiny_run.differences[0].p_range[0][2:]
    said = "Some tests put p below 5 %" if low < 0.05 <= high else "test puts p below 5 %"
    assert said in lead.text
    assert "fewer than ten units" in lead.text
    assert [len(row) for _, row in cards.rows] == [4]
    table = details.blocks[0]
    assert table.frame["test"].tolist() == [
        SAID[test] for test in dict.fromkeys(tiny_run.differences[0].tests.frame["test"])
    ]
    text = report_text(tiny_run.out)
    assert "One significant slope beside an insignificant one is no difference." in text


def test_numbers_of_the_section_are_in_its_files(tiny_run):
    page = (tiny_run.out / "report.html").read_text(encoding="utf-8")
    for name in ("differences", "confounding"):
        frame = pd.read_csv(tiny_run.out / f"{name}.csv").set_index("key")
        refs = re.findall(rf'<data value="([^"]+)" data-ref="{name}\.csv:([^"]+):(\w+)"', page)
        assert refs
        for value, key, column in refs:
            assert float(value) == np.float64(f"{frame.loc[key.replace('&amp;', '&'), column]:.10g}") or abs(
                float(value) - frame.loc[key, column]
            ) < 1e-9 * max(1, abs(float(value)))


def test_a_confounder_is_said_in_multiples_of_a_control(tiny_run):
    (first,) = confounded_first(tiny_run)
    text = confounding_lead(first, tiny_run)[2].text
    assert first.claim.id in text
    assert "a confounder would have to explain" in text
    assert ("times as strong as" in text) == (first.nearest is not None)
    folds = confounding_folds(tiny_run)
    assert folds[0].blocks[0].frame["claim"].tolist() == [one.claim.id for one in tiny_run.confounding]
    assert folds[1].summary == f"Bounds: {first.claim.id}"


def test_without_controls_there_are_no_bounds(tiny_run):
    """Controls give a confounder's strength a scale; a table without a column could not be written."""
    bare = [
        one if one.found is None else replace(one, found=replace(one.found, bounds=one.found.bounds.iloc[:0]))
        for one in tiny_run.confounding
    ]
    (only,) = confounding_folds(replace(tiny_run, confounding=bare))
    assert only.summary == "Every claim beside an omitted confounder"


def test_leads_are_said_to_be_a_placebo(tiny_run):
    (beside,) = event_time_blocks(tiny_run)
    (figure,), (_heading, text) = beside.left, beside.right
    assert ("leaves zero out" in text.text) == bool(tiny_run.event_time.clear)
    assert figure.data is tiny_run.event_time.frame


def test_instruments_stand_beside_least_squares(tiny_run):
    heading, text, cards, *_ = instrument_blocks(tiny_run)
    assert heading.text == "Is the exposure given from outside?"
    assert "the second no test can show" in text.text
    assert [row[1][0].text for row in cards.rows] == [
        "Without instruments",
        "Instrumental variables (with instrument)",
        "Hierarchical model with instruments (instrumented)",
    ]
    tests = pd.read_csv(tiny_run.out / "tests.csv").set_index("key")
    own = tiny_run.instruments["with_instrument"]
    assert tests.loc["with_instrument/first-stage F", "statistic"] == pytest.approx(own["first_stage_f"], rel=1e-8)
    assert tests.loc["with_instrument/Anderson-Rubin, slope of zero", "p_value"] == pytest.approx(own["ar_p"], rel=1e-8)
    assert ar_words(own) in str(tests.loc["with_instrument/Anderson-Rubin, slope of zero", "note"])


def test_contours_without_controls_to_compare_with(tiny_run):
    (first,) = confounded_first(tiny_run)
    bare = replace(first, found=replace(first.found, bounds=first.found.bounds.iloc[:0].astype(object)))
    figure = contour_figure(bare, tiny_run)
    assert (figure.data["what"] == "grid").all()
    assert figure.draw() is not None


def test_a_posterior_with_instruments_says_what_it_learned(tiny_run):
    """The sentence follows the record, not the template; its number is the one of tests.csv."""
    (record,) = tiny_run.instrument_posteriors
    *_, cards, sentence, table = instrument_blocks(tiny_run)
    tests = pd.read_csv(tiny_run.out / "tests.csv").set_index("key")
    stored = tests.loc[f"instrumented/{NARROWED}", "statistic"]
    assert stored == pytest.approx(record.learned.ratio, rel=1e-8)
    assert not record.learned.near_prior
    assert "stays near its prior" not in sentence.text
    assert f"{record.learned.ratio:.2f}" in plain(sentence.text)
    weak = replace(record, learned=replace(record.learned, posterior_sd=0.8 * record.learned.alone_sd))
    *_, other, said, _ = instrument_blocks(replace(tiny_run, instrument_posteriors=(weak,)))
    assert "the posterior stays near its prior. Its SD is 0.80 of the SD" in plain(said.text)
    assert (cards.rows[-1][1][3].mark, other.rows[-1][1][3].mark) == ("passed", "failed")
    assert table.frame["SD of direct effects"].tolist()[0] == "0 (declared)"
    assert len(table.frame) == len(record.under_exclusion)


def test_claims_stand_beside_direct_effects(tiny_run):
    """Probabilities at no direct effect are those of the model itself; a row without a posterior says why."""
    (record,) = tiny_run.instrument_posteriors
    table = exclusion_table(record, tiny_run)
    claims = {own.claim: own for own in tiny_run.excluded}
    assert set(claims) <= set(table.frame.columns)
    assert len(claims) > 0
    average = tiny_run.estimates.select(model="instrumented", estimand="average_slope").iloc[0]
    assert record.under_exclusion[0].probability == pytest.approx(average["prob_positive"], rel=1e-9)
    assert record.under_exclusion[0].estimate == pytest.approx(average["estimate"], rel=1e-9)
    gone = replace(record, under_exclusion=(missing(0.3, "no single mode"), *record.under_exclusion[1:]))
    assert exclusion_table(gone, tiny_run).frame["slope"].iloc[0] == "no posterior: no single mode"


def test_contours_pass_through_the_estimate_and_the_bounds(tiny_run):
    (first,) = confounded_first(tiny_run)
    figure = contour_figure(first, tiny_run)
    grid = figure.data[figure.data["what"] == "grid"]
    at_zero = grid[(grid["r2_dz"] == 0) & (grid["r2_yz"] == 0)]["estimate"].iloc[0]
    assert at_zero == first.found.estimate
    marks = figure.data[figure.data["what"] != "grid"]
    assert marks["estimate"].tolist() == first.found.bounds["estimate"].dropna().tolist()
    assert figure.draw() is not None
