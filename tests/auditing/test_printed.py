"""Standard errors that print allows, and printed numbers that contradict each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import bayes_npp as bn
from bayes_npp.auditing.printed import printed_rows
from tests.auditing.published import FISCAL, checked, one, table


def test_the_printed_digits_bound_a_printed_standard_error():
    row = one(estimate="0.25", se="0.10")
    assert (row.source, row.se.lo, row.se.hi) == ("se", pytest.approx(0.095), pytest.approx(0.105))


def test_a_standard_error_from_t_and_from_p():
    row = one(estimate="-0.25", t="-2.5")
    assert (row.source, row.se.lo, row.se.hi) == ("t", pytest.approx(0.25 / 2.55), pytest.approx(0.25 / 2.45))
    row = one(estimate="0.25", p="0.03")
    assert row.se.lo == pytest.approx(0.25 / stats.norm.isf(0.0125))
    assert row.se.hi == pytest.approx(0.25 / stats.norm.isf(0.0175))
    row = one(estimate="0.25", p="0.000")
    assert (row.se.lo, row.se.hi) == (0, pytest.approx(0.25 / stats.norm.isf(0.00025)))


def test_with_units_printed_p_is_read_as_students_t():
    row = one(estimate="0.25", p="0.03", n_units="31")
    assert row.reference == "t(30)"
    assert row.se.hi == pytest.approx(0.25 / stats.t(30).isf(0.0175))
    frame = table({"estimate": "0.25", "p": "0.03", "n_units": "31"})
    assert printed_rows(frame, "file.csv", reference="normal")[0].se.hi == pytest.approx(0.25 / stats.norm.isf(0.0175))


@checked
@given(
    st.floats(-10, 10).filter(lambda b: abs(b) > 0.01),
    st.floats(0.01, 10),
    st.integers(2, 6),
    st.sampled_from(["se", "t", "p", "significance"]),
)
def test_whatever_is_printed_the_true_standard_error_is_allowed(estimate, se, digits, source):
    """Print a regression with rounding; the range must hold the standard error behind it, and nothing contradicts."""
    estimate = float(f"{estimate:.{digits}f}")  # the printed estimate is taken as exact
    if not estimate:
        return
    z = abs(estimate) / se
    p = 2 * stats.norm.sf(z)
    stars = next((text for level, text in ((0.01, "***"), (0.05, "**"), (0.1, "*")) if p < level), "ns")
    printed = {
        "se": f"{se:.{digits}f}",
        "t": f"{estimate / se:.{digits}f}",
        "p": f"{p:.{digits}f}",
        "significance": stars,
    }
    row = one(estimate=f"{estimate:.{digits}f}", **{source: printed[source]})
    assert row.se.lo * (1 - 1e-9) <= se <= row.se.hi * (1 + 1e-9)
    assert not one(estimate=f"{estimate:.{digits}f}", **printed).contradictions


# Contradictions are findings.


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"estimate": "0.12", "t": "1.2", "significance": "p<0.01"}, "t 1.2 does not fit significance p<0.01"),
        ({"estimate": "0.12", "se": "0.03", "significance": "p>0.10"}, "standard error 0.03 does not fit"),
        ({"estimate": "0.12", "se": "0.05", "t": "4.1"}, "does not fit t 4.1"),
        ({"estimate": "0.12", "t": "-2.4"}, "differ in sign"),
        ({"estimate": "0.12", "p": "0.20", "significance": "**"}, "p 0.20 does not fit"),
    ],
)
def test_a_contradiction_is_a_finding(row, words, tmp_path):
    found = bn.audit(table(row), out=tmp_path)
    assert any(words in text for text in found.rows[0].contradictions)
    (warning,) = (s for s in found.sentences if s.status == "warning")
    assert words in warning.text
    assert words in (tmp_path / "audit.md").read_text()


def test_what_students_t_reconciles_is_no_contradiction():
    own = {"estimate": "0.21", "t": "2.10", "significance": "*"}  # p = .036 normal, .065 with 9 degrees of freedom
    assert one(**own).contradictions
    assert not one(**own, n_units="10").contradictions


def test_the_fiscal_log_contradicts_nothing():
    found = bn.audit(FISCAL)
    assert not [row for row in found.rows if row.contradictions]
    assert len(found.audited) == 13
    assert not found.differences  # every row is on the whole sample
    assert not found.long_runs
