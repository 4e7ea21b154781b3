"""Reading: four kinds of file give one panel; balance and gaps are reported."""

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
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


def test_balance_reports_gaps_constant_and_empty_columns():
    balance = bn.read_panel(FRAME, unit="省份", time="year").balance()
    assert (balance.n_rows, balance.n_units, balance.n_periods, balance.balanced) == (5, 2, 3, False)
    assert balance.gaps == (("浙江", 2015),)
    assert balance.rows_per_unit == (2, 3)
    assert (balance.constant_columns, balance.empty_columns) == (("same",), ("empty",))
    assert "1 gaps" in str(balance)


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
