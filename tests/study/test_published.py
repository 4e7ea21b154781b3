"""published.csv: numbers as printed, in any separator, or one message with file, row and column."""

import pytest
from scipy import stats

import bayes_npp as bn
from bayes_npp.study.published import COLUMNS, check_published, read_published
from tests.auditing.published import table


def checked(*rows):
    return check_published(table(*rows), "published.csv")


def refused(row, *words):
    with pytest.raises(bn.BayesNppError) as error:
        checked({"estimate": "0.5", "se": "0.1"}, row)
    for word in ("published.csv, row 3", *words):
        assert word in str(error.value)


def test_numbers_come_as_plain_decimals_with_their_digits():
    frame = checked(
        {"estimate": "\u22120.250**", "se": "(0.100)", "p": "<0.05", "n_obs": "1,240", "n_units": "31"},
        {"estimate": "0.1\u2020", "t": "[1.70]", "significance": "p<0.1", "n_obs": "270"},
    )
    assert frame.loc[0, ["estimate", "se", "p", "n_obs"]].tolist() == ["-0.250", "0.100", "<0.05", "1240"]
    assert frame["significance"].tolist() == ["**", "p<0.1"]
    assert frame.loc[1, ["estimate", "t"]].tolist() == ["0.1", "1.70"]


def test_what_cannot_be_read_is_refused():
    refused({"estimate": "0.4x"}, "'estimate'", "'0.4x'", "not a finite number")
    refused({"estimate": "(0.4)"}, "'estimate'", "minus")
    refused({"estimate": "<0.4"}, "'estimate'", "bound")
    refused({"estimate": "0.4", "t": ">2"}, "'t'", "bound")
    refused({"estimate": "0.4**", "significance": "***"}, "**", "***", "once")
    refused({"estimate": "0.4", "n_units": "12,34"}, "'n_units'", "counts")
    refused({"estimate": "0.4", "term": " "}, "no term")
    with pytest.raises(bn.BayesNppError, match=r"row 2: column 'se' has the value '1,234': it may be 1234 or 1\.234"):
        checked({"estimate": "0,4", "se": "1,234"}, {"estimate": "0.4"})


def test_files_with_semicolons_and_blank_lines_are_read(tmp_path):
    path = tmp_path / "published.csv"
    cells = {"estimate": "0,25", "se": "0,10", "term": "x"}
    row = ";".join(cells.get(name, "") for name in COLUMNS)
    path.write_text(f"\n{';'.join(COLUMNS)}\n{row}\n\n{row.replace('0,10', 'x')}\n", encoding="utf-8-sig")
    with pytest.raises(bn.BayesNppError, match=r"row 5: column 'se' has the value 'x'"):
        read_published(path)
    path.write_text(f"{';'.join(COLUMNS)}\n{row}\n", encoding="utf-8-sig")
    assert read_published(path).loc[0, ["estimate", "se"]].tolist() == ["0.25", "0.10"]


def test_the_audit_reads_bounds_stars_and_brackets():
    (row,) = bn.audit(table({"estimate": "0.25", "p": "<0.001"})).rows
    assert row.se.lo == 0
    assert row.se.hi == pytest.approx(0.25 / stats.norm.isf(0.0005))
    (row,) = bn.audit(table({"estimate": "0.25", "p": ">0.10"})).rows
    assert row.se.lo == pytest.approx(0.25 / stats.norm.isf(0.05))
    (row,) = bn.audit(table({"estimate": "\u22120.25***"})).rows
    assert (row.source, row.significance) == ("significance", "***")
    assert row.se.hi == pytest.approx(0.25 / stats.norm.isf(0.005))
    plain, printed = (bn.audit(table({"estimate": "-0.25", "se": se})).rows for se in ("0.10", "(0.10)"))
    assert plain[0].se == printed[0].se
    with pytest.raises(bn.BayesNppError, match="a dagger by its level"):
        bn.audit(table({"estimate": "0.25", "significance": "\u2020"}))


def test_text_has_the_form_of_the_panels_labels():
    """Before: rows whose term or claim was written with another Unicode form or a stray space found no model."""
    rough = {"claim": " H1\u00a0", "term": "\uff4fpenness", "model": "fe\u200b", "sample": "Cote\u0301", "table": "2 "}
    row = checked({"estimate": "0.5", "se": "0.1", **rough}).iloc[0]
    assert row[list(rough)].tolist() == ["H1", "openness", "fe", "Cot\u00e9", "2"]
    refused({"estimate": "0.4", "term": "\u200b"}, "no term")


def test_a_table_has_only_the_columns_that_it_prints(tmp_path):
    path = tmp_path / "published.csv"
    path.write_text("term;estimate;t\nx;1,5;2,1\n", encoding="utf-8")
    frame = read_published(path)
    assert (frame["estimate"][0], frame["t"][0], frame["se"][0], frame["claim"][0]) == ("1.5", "2.1", "", "")
    path.write_text("term,se\nx,1\n", encoding="utf-8")
    with pytest.raises(bn.BayesNppError, match="column 'estimate' is missing"):
        read_published(path)
