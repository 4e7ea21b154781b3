"""The [labels] table: Chinese names of units and groups, from a column or a table."""

import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.errors import SpecError
from bayes_npp.panels.reading import read_panel
from bayes_npp.study.labels import Labels, check_columns, labels_in_chinese
from tests.conftest import ROOT


@pytest.fixture
def panel():
    rows = [(unit, t, unit.upper(), f"{unit}!", "g", t) for unit in "abc" for t in (1, 2)]
    frame = pd.DataFrame(rows, columns=["unit", "time", "capital", "signed", "group", "changing"])
    return read_panel(frame, unit="unit", time="time", group="group")


def test_a_column_and_a_table_name_labels(panel):
    assert labels_in_chinese(None, panel) == {}
    found = labels_in_chinese(Labels(unit="capital", group={"g": "组"}, words={"x": "甲"}), panel)
    assert found == {"a": "A", "b": "B", "c": "C", "g": "组"}


@pytest.mark.parametrize(
    ("labels", "message"),
    [({"unit": "capitol"}, "no column 'capitol'.*capital"), ({"unit": "changing"}, "two names for 'a'")],
)
def test_what_is_wrong_is_named(panel, labels, message):
    with pytest.raises(SpecError, match=message):
        labels_in_chinese(Labels(**labels), panel)


def test_labels_and_titles_change_no_estimate_and_no_rows_of_a_study():
    study = bn.load_study(ROOT / "models" / "digital_trade")
    assert study.labels_zh["Guangdong"] == "广东"
    assert "title_zh" not in study.robustness[0].model_dump()
    assert "title_zh" not in study.models[0].model_dump()


def test_doubts_in_both_languages_are_as_many(tmp_path):
    text = (ROOT / "tests" / "studies" / "tiny" / "study.toml").read_text(encoding="utf-8")
    path = tmp_path / "study.toml"
    path.write_text(text.replace("[roles]", 'doubts_zh = ["一", "二"]\n[roles]', 1), encoding="utf-8")
    with pytest.raises(SpecError, match="doubts_zh has 2 texts, doubts has 1"):
        bn.load_study(path)


def test_columns_that_are_given_words_are_in_the_panel(panel):
    check_columns(None, panel)
    check_columns(Labels(columns={"capital": "the capital"}), panel)
    with pytest.raises(SpecError, match=r"no column 'capitol'.*capital"):
        check_columns(Labels(columns={"capitol": "the capital"}), panel)
