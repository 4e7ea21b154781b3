"""Files of panels (`panels.files`, `panels.delimited`): read rightly, or refused in one message."""

import pandas as pd
import pytest

import bayes_npp as bn

FRAME = pd.DataFrame({"unit": ["a", "a", "b", "b"], "year": [1, 2, 1, 2], "x": [1.5, 2.25, 3.0, 4.0]})
HEADER = "unit,year,x,y\n"


def panel_of(folder, text, **options):
    path = folder / "panel.csv"
    path.write_text(text, encoding="utf-8", newline="")
    return bn.read_panel(path, unit="unit", time="year", **options)


def refused(read, *words):
    with pytest.raises(bn.BayesNppError) as error:
        read()
    assert error.value.exit_code == 2
    for word in words:
        assert word in str(error.value)


# CSV.


@pytest.mark.parametrize(
    "text",
    [
        "unit;year;x\na;1;1,5\na;2;2,25\nb;1;3\nb;2;4,0\n",
        "unit\tyear\tx\na\t1\t1,5\na\t2\t2,25\nb\t1\t3\nb\t2\t4\n",
        "unit;year;x\na;1;1.5\na;2;2.25\nb;1;3\nb;2;4\n",
        'sep=;\nunit;year;x\na;1;"1,5"\na;2;2,25\nb;1;3\nb;2;4\n',
        "unit,year,x,\na,1,1.5,\na,2,2.25,\nb,1,3,\nb,2,4,\n",
        "unit,year,x,,\na,1,1.5,,\na,2,2.25,,\nb,1,3,,\nb,2,4,,\n,,,,\n",
        "\n\nunit, year ,x\n\na,1,1.5\na,2,2.25\nb,1,3\n  \nb,2,4\n",
        ",unit,year,x\n0,a,1,1.5\n1,a,2,2.25\n2,b,1,3\n3,b,2,4\n",
    ],
    ids=["semicolons", "tabs", "points", "declared", "trailing comma", "trailing commas", "blank rows", "row numbers"],
)
def test_every_way_to_write_a_table_gives_the_same_columns(text, tmp_path):
    frame = panel_of(tmp_path, text).frame
    assert frame.columns.tolist() == ["unit", "year", "x"]
    assert frame["x"].tolist() == FRAME["x"].tolist()
    assert frame["unit"].tolist() == FRAME["unit"].tolist()


def test_separators_of_thousands_beside_decimal_commas(tmp_path):
    panel = panel_of(tmp_path, "unit;year;x\na;1;1.234,5\na;2;-12.345.678\nb;1;NA\n")
    assert panel.frame["x"].tolist()[:2] == [1234.5, -12345678]
    assert pd.isna(panel.frame["x"].iloc[2])


def test_a_number_that_may_be_two_is_not_read_as_one(tmp_path):
    refused(lambda: panel_of(tmp_path, "unit;year;x;y\na;1;1,5;2\n\na;2;2,5;1.234\n"), "row 4", "'y'", "1234 or 1,234")
    panel = panel_of(tmp_path, "unit;year;x\na;1;1,234\na;2;2,500\n")  # thousands or decimals: nothing says which
    refused(lambda: panel.numbers("x"), "'1,234'", "not a number")


def test_a_row_of_another_length_is_refused(tmp_path):
    refused(lambda: panel_of(tmp_path, HEADER + "a,1,1,2\n\na,2,3\n"), "row 4", "3 cells, the header 4")
    refused(lambda: panel_of(tmp_path, HEADER + "a,1,1,2\na,2,3,4,5\n"), "row 3", "5 cells, the header 4")


def test_rows_of_messages_are_those_of_the_file(tmp_path):
    refused(lambda: panel_of(tmp_path, "\n" + HEADER + "a,1,1,2\n\n,2,3,4\n"), "row 5", "'unit' is blank")
    refused(lambda: panel_of(tmp_path, HEADER + "\na,1,1,2\n\na,x,3,4\n"), "row 5", "not a whole number")


def test_a_cell_of_any_length_is_read(tmp_path):
    panel = panel_of(tmp_path, HEADER + f"a,1,1,{'z' * 200_000}\na,2,3,4\n")
    assert panel.numbers("x").tolist() == [1, 3]


def test_a_quote_that_is_never_closed_is_refused(tmp_path):
    """The rows below it were one cell of an unused column."""
    refused(lambda: panel_of(tmp_path, HEADER + 'a,1,1,2\na,2,3,"4\nb,1,5,6\n'), "row 3", "never closed")


def test_an_encoding_that_does_not_exist_is_named(tmp_path):
    refused(lambda: panel_of(tmp_path, HEADER + "a,1,1,2\n", encoding="klingon"), "unknown encoding 'klingon'")


# Excel.


def test_a_name_twice_in_excel_is_refused(tmp_path):
    """Before: the first of the two was taken."""
    path = tmp_path / "panel.xlsx"
    pd.DataFrame([["unit", "year", "x", "x"], ["a", 1, 1, 10]]).to_excel(path, index=False, header=False)
    refused(lambda: bn.read_panel(path, unit="unit", time="year"), "row 1", "'x' stands twice")


def test_blank_rows_and_a_second_sheet_of_a_workbook(tmp_path):
    path = tmp_path / "panel.xlsx"
    with pd.ExcelWriter(path) as book:
        rows = [[None] * 4, ["unit", "year", "x", None], ["a", 1, 2.5, None], [None] * 4, ["b", 2, 3, None]]
        pd.DataFrame(rows).to_excel(book, index=False, header=False)
        FRAME.to_excel(book, sheet_name="other", index=False)
    with pytest.warns(bn.PanelWarning, match=r"2 sheets, and the first is read \('Sheet1'\)"):
        panel = bn.read_panel(path, unit="unit", time="year")
    assert panel.frame.columns.tolist() == ["unit", "year", "x"]
    assert panel.frame["x"].tolist() == [2.5, 3]
    assert panel.file_rows.tolist() == [3, 5]


# Stata.


def stata(folder, labels, **options):
    path = folder / "panel.dta"
    units = [1, 1, 2, 2, 3, 3]
    frame = pd.DataFrame({"unit": units, "year": [1, 2] * 3, "x": [1, 2, 3, 1, 2, 3], "g": [1, 1, 1, 1, 2, 2]})
    frame.to_stata(path, write_index=False, version=118, value_labels=labels)
    return bn.read_panel(path, unit="unit", time="year", group="g", **options)


def test_value_labels_are_those_of_units_and_groups_and_numbers_stay_numbers(tmp_path):
    labels = {"unit": {1: "a", 2: "b", 3: "c"}, "g": {1: "East"}, "x": {1: "low", 3: "low"}, "year": {1: "first"}}
    panel = stata(tmp_path, labels)
    assert panel.frame["unit"].tolist() == list("aabbcc")
    assert panel.frame["g"].tolist() == ["East"] * 4 + ["2"] * 2
    assert panel.numbers("x").tolist() == [1, 2, 3, 1, 2, 3]
    assert panel.frame["year"].tolist() == [1, 2] * 3
    assert stata(tmp_path, {"unit": {1: "11", 2: "12", 3: "13"}}).frame["unit"].unique().tolist() == ["11", "12", "13"]


def test_value_labels_that_merge_units_are_refused(tmp_path):
    refused(lambda: stata(tmp_path, {"unit": {1: "a", 2: "a", 3: "c"}}), "'unit'", "one value label", "label values")
    refused(lambda: stata(tmp_path, {"unit": {1: "2"}}), "'unit'", "the number of another code")


# Columns of lists and tables.


@pytest.mark.parametrize("cell", [[1, 2], {"a": 1}, (1, [2]), {1, 2}, 1 + 2j], ids=str)
@pytest.mark.parametrize("kind", ["frame", "parquet"])
def test_containers_in_a_column_are_no_numbers_and_nobody_elses_problem(cell, kind, tmp_path):
    source = FRAME.assign(nested=[cell] * 4)
    if kind == "parquet":
        if not isinstance(cell, list | dict):
            return
        source.to_parquet(tmp_path / "panel.parquet")
        source = tmp_path / "panel.parquet"
    panel = bn.read_panel(source, unit="unit", time="year")
    assert panel.numbers("x").tolist() == FRAME["x"].tolist()
    assert panel.balance().n_rows == 4
    refused(lambda: panel.numbers("nested"), "'nested'", "not a number")
    if not isinstance(cell, complex):
        refused(lambda: bn.read_panel(source, unit="nested", time="year"), "unit column 'nested' holds lists")


def test_bytes_are_text():
    frame = FRAME.assign(unit=FRAME["unit"].map(str.encode))
    assert bn.read_panel(frame, unit="unit", time="year").frame["unit"].tolist() == FRAME["unit"].tolist()


def test_names_of_several_levels_are_refused():
    frame = FRAME.set_axis(pd.MultiIndex.from_product([FRAME.columns, ["mean"]]), axis=1)
    refused(lambda: bn.read_panel(frame, unit="unit", time="year"), "several levels")


def test_a_path_that_is_too_long_does_not_exist(tmp_path):
    refused(lambda: bn.read_panel(tmp_path / ("x" * 300 + ".csv"), unit="unit", time="year"), "does not exist")
