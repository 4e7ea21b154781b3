"""Reading: four kinds of file give one panel; labels have one form; what may be wrong is said."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bayes_npp as bn
from bayes_npp.panels.labels import clean
from bayes_npp.panels.reading import load_panel
from tests.conftest import ROOT

FRAME = pd.DataFrame(
    {
        "省份": ["广东", "广东", "广东", "浙江", "浙江"],
        "year": [2014, 2015, 2016, 2014, 2016],
        "x": [1.0, 2.0, np.nan, 4.0, 5.0],
        "empty": [np.nan] * 5,
        "same": [7] * 5,
    }
)


@pytest.mark.parametrize("kind", ["csv", "parquet", "xlsx", "dta"])
def test_every_kind_of_file_gives_the_same_panel(kind, tmp_path):
    path = tmp_path / f"panel.{kind}"
    frame = FRAME
    match kind:
        case "csv":
            frame.to_csv(path, index=False, encoding="utf-8-sig")
        case "parquet":
            frame.to_parquet(path)
        case "xlsx":
            frame.to_excel(path, index=False)
        case _:
            frame.to_stata(path, write_index=False, version=118)
    panel = bn.read_panel(path, unit="省份", time="year")
    assert panel.frame["省份"].tolist() == FRAME["省份"].tolist()
    np.testing.assert_allclose(panel.numbers("x"), FRAME["x"])
    assert panel.frame["year"].tolist() == FRAME["year"].tolist()


def test_gb18030_is_read_when_asked(tmp_path):
    path = tmp_path / "panel.csv"
    FRAME.to_csv(path, index=False, encoding="gb18030")
    assert bn.read_panel(path, unit="省份", time="year", encoding="gb18030").frame["省份"].iloc[0] == "广东"
    with pytest.raises(bn.BayesNppError, match="gb18030"):
        bn.read_panel(path, unit="省份", time="year")


def test_cross_section_has_no_time():
    panel = bn.read_panel(FRAME.iloc[[0, 3]], unit="省份", time=None)
    assert panel.balance().n_periods == 1
    with pytest.raises(bn.BayesNppError, match="needs a time column"):
        bn.twfe(panel, bn.Spec(outcome="x", exposure="same"))


def test_the_committed_panel_is_the_documented_one():
    panel = bn.read_panel(
        ROOT / "data/china_provinces/panel.csv", unit="province_en", time="year", group="region", window=(2014, 2022)
    )
    assert (len(panel.frame), panel.balance().n_rows) == (390, 270)
    counts = panel.frame.drop_duplicates("province_en")["region"].value_counts().to_dict()
    assert counts == {"East": 10, "Central": 6, "West": 11, "Northeast": 3}
    dictionary = pd.read_csv(ROOT / "data/china_provinces/dictionary.csv")
    described = set(dictionary["column"])
    keys = {"province_zh", "province_en", "province_code", "region", "year"}
    assert set(panel.frame.columns) == described | keys


def write(frame, path):
    """The frame as a file of the kind that its name says."""
    match path.suffix:
        case ".csv":
            frame.to_csv(path, index=False)
        case ".parquet":
            frame.to_parquet(path)
        case ".xlsx":
            frame.to_excel(path, index=False)
        case _:
            frame.to_stata(path, write_index=False, version=118)


KINDS = [".csv", ".parquet", ".xlsx", ".dta", "frame"]
WORDS = ["NA", "None", "null", "nan", "north"]


def labelled(kind, folder, frame, **options):
    if kind == "frame":
        return bn.read_panel(frame, unit="unit", time="year", group="group", **options)
    path = folder / f"panel{kind}"
    write(frame, path)
    return bn.read_panel(path, unit="unit", time="year", group="group", **options)


@pytest.mark.parametrize("kind", KINDS)
def test_words_for_a_blank_are_labels_with_a_warning(kind, tmp_path):
    """Before: five groups and five units came to one of each, and the rows of the others vanished."""
    frame = pd.DataFrame(
        {
            "unit": np.repeat(WORDS, 2),
            "year": np.tile([2000, 2001], 5),
            "group": np.repeat(WORDS, 2),
            "x": np.arange(10.0),
            "z": ["1", "2", "NA", "4", "5", "6", "7", "8", "9", "nan"] if kind != ".dta" else np.arange(10.0),
        }
    )
    with pytest.warns(bn.PanelWarning) as said:
        panel = labelled(kind, tmp_path, frame)
    assert panel.balance().n_units == 5
    assert panel.labels("group").unique().tolist() == WORDS
    first = 2 if kind != "frame" else 1
    texts = [str(warning.message) for warning in said]
    assert len(texts) == 8
    assert any(f"column 'group' has the label 'None' in rows {first + 2}, {first + 3};" in text for text in texts)
    assert any("column 'unit' has the label 'NA'" in text and 'missing = ["NA"] makes it one' in text for text in texts)
    if kind != ".dta":  # a column of numbers
        np.testing.assert_array_equal(panel.numbers("z"), [1, 2, np.nan, 4, 5, 6, 7, 8, 9, np.nan])


@pytest.mark.parametrize("kind", KINDS)
def test_missing_makes_a_word_blank(kind, tmp_path):
    frame = pd.DataFrame(
        {
            "unit": list("aabb"),
            "year": [1, 2, 1, 2],
            "group": "g",
            "place": ["NA", "NA", "s", "s"],
            "x": [1, -99, 3, 4.5],
        }
    )
    panel = labelled(kind, tmp_path, frame, missing=["NA", -99])
    np.testing.assert_array_equal(panel.labels("place").isna(), [True, True, False, False])
    np.testing.assert_array_equal(panel.numbers("x"), [1, np.nan, 3, 4.5])
    with pytest.raises(bn.BayesNppError, match="group column 'group' is blank"):
        labelled(kind, tmp_path, frame.assign(group=["NA", "NA", "s", "s"]), missing=["NA"])
    with pytest.raises(bn.BayesNppError, match="key column 'unit' is blank in 2 row"):
        labelled(kind, tmp_path, frame.assign(unit=["NA", "NA", "s", "s"]), missing=["NA"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("blank", ["", "  ", "\u200b"])
def test_blanks_are_missing_in_every_format(kind, blank, tmp_path):
    frame = pd.DataFrame({"unit": list("aabb"), "year": [1, 2, 1, 2], "group": "g", "place": [blank, blank, "s", "s"]})
    assert labelled(kind, tmp_path, frame).labels("place").isna().tolist() == [True, True, False, False]
    with pytest.raises(bn.BayesNppError, match="blank"):
        labelled(kind, tmp_path, frame.assign(group=frame["place"]))


@pytest.mark.parametrize("kind", KINDS)
def test_leading_zeros_survive(kind, tmp_path):
    codes = np.repeat(["01", "02", "10"], 2)
    frame = pd.DataFrame({"unit": codes, "year": [1, 2] * 3, "group": codes, "area": codes, "x": np.arange(6)})
    panel = labelled(kind, tmp_path, frame)
    for name in ("unit", "group", "area"):
        assert panel.labels(name).tolist() == codes.tolist()
    np.testing.assert_array_equal(panel.numbers("area"), [1, 1, 2, 2, 10, 10])


@pytest.mark.parametrize("kind", [".xlsx", "frame"])
def test_codes_part_number_part_text_are_one_label(kind, tmp_path):
    """Before: 17 units for 9."""
    codes = [code for unit in range(1, 10) for code in (unit, str(unit), float(unit))]
    frame = pd.DataFrame({"unit": pd.Series(codes, dtype=object), "year": [1, 2, 3] * 9, "group": 1.0, "x": range(27)})
    panel = labelled(kind, tmp_path, frame)
    assert panel.frame["unit"].unique().tolist() == [str(unit) for unit in range(1, 10)]
    assert panel.frame["group"].unique().tolist() == ["1"]


@pytest.mark.parametrize(
    ("one", "other"),
    [("Inner Mongolia", "Inner  Mongolia"), ("Inner Mongolia", "InnerMongolia"), ("beijing", "Beijing"), ("01", "1")],
)
@pytest.mark.parametrize("column", ["unit", "group", "slopes"])
def test_labels_that_look_alike_are_refused(one, other, column):
    frame = pd.DataFrame({"unit": list("aabbcc"), "year": [1, 2] * 3, "group": list("aabbcc"), "y": [1, 3, 2, 5, 4, 9]})
    frame = frame.assign(x=[1.0, 2, 4, 3, 9, 5], slopes=list("aabbcc"))
    frame[column] = [one, one, other, other, "c", "c"]
    with pytest.raises(bn.BayesNppError, match=r"differ only in spaces, case or leading zeros") as error:
        bn.twfe(
            bn.read_panel(frame, unit="unit", time="year", group="group"),
            bn.Spec(outcome="y", exposure="x", slopes="slopes"),
        )
    message = str(error.value)
    assert "rows 1 and 3" in message
    assert " ".join(f"'{one}'".split()) in message
    assert " ".join(f"'{other}'".split()) in message
    assert error.value.exit_code == 2


def test_one_form_of_unicode():
    names = ["广东", "\u200b广东 ", "Ａ区", "A区", "\ufeffA区", "cafe\u0301", "café"]
    frame = pd.DataFrame({"unit": names, "year": range(7), "x": 1.0})
    assert bn.read_panel(frame, unit="unit", time="year").frame["unit"].unique().tolist() == ["广东", "A区", "café"]


labels = st.lists(
    st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), min_size=1, max_size=8),
    min_size=1,
    max_size=6,
)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(labels, st.sampled_from([".csv", ".parquet", ".xlsx"]))
def test_labels_survive_the_way_through_a_file(tmp_path_factory, names, kind):
    """What is read is cleaned text, and reading what was read changes nothing; or alike labels are refused."""
    frame = pd.DataFrame({"unit": names, "year": range(len(names)), "x": 1.0})
    path = tmp_path_factory.mktemp("labels") / f"panel{kind}"
    write(frame, path)
    try:
        panel = load_panel(path, "unit", "year")
    except bn.BayesNppError as error:
        assert re.search("differ only|is blank", str(error))  # noqa: PT017 - which of the two is not foreseen
        return
    # Numbers written as text in a file of text are codes: 1.0 is 1.
    found = [panel.frame["unit"].iloc[list(panel.frame["year"]).index(year)] for year in range(len(names))]
    whole = all(re.fullmatch(r"[+-]?[0-9]+(\.0+)?", clean(name)) for name in names)
    assert found == [clean(name).split(".")[0] if whole else clean(name) for name in names]
    again = load_panel(panel.frame, "unit", "year")
    assert again.frame["unit"].tolist() == panel.frame["unit"].tolist()
