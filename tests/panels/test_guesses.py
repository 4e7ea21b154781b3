"""What the columns of an unknown panel are guessed to be."""

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.panels.guesses import guess
from tests.conftest import ROOT


def rows(times, n_units=8, **more):
    random = np.random.default_rng(7)
    frame = pd.DataFrame([(f"u{i}", t, f"g{i % 3}") for i in range(n_units) for t in times], columns=["a", "b", "c"])
    frame["x"], frame["y"] = random.normal(size=(2, len(frame)))
    frame["size"] = frame["a"].map(dict(zip(frame["a"].unique(), random.normal(size=n_units), strict=True)))
    frame["trend"] = pd.factorize(frame["b"])[0]
    return frame.assign(**more)


def file(tmp_path, frame, encoding="utf-8"):
    path = tmp_path / "panel.csv"
    frame.to_csv(path, index=False, encoding=encoding)
    return path


QUARTERS = [f"{year}{q}" for year in range(2015, 2018) for q in range(1, 5)]
TIMES = {
    "years": (range(2010, 2018), {}),
    "every second year": (range(2000, 2016, 2), {"step": 2}),
    "2019Q3": ([f"{key[:4]}Q{key[4]}" for key in QUARTERS], {}),
    "2019-Q3": ([f"{key[:4]}-Q{key[4]}" for key in QUARTERS], {}),
    "20193": (QUARTERS, {"period": "quarter"}),
    "2019-07": ([f"2019-{m:02}" for m in range(1, 13)], {}),
    "201907": ([f"{y}{m:02}" for y in (2018, 2019) for m in range(1, 13)], {"period": "month"}),
    "dates of quarters": ([f"{key[:4]}-{3 * int(key[4]):02}-30" for key in QUARTERS], {"period": "quarter"}),
    "dates of months": ([f"2019-{m:02}-01" for m in range(1, 13)], {"period": "month"}),
    "dates of years": ([f"{year}-12-31" for year in range(2010, 2018)], {"period": "year"}),
    "rounds": (range(1, 9), {}),
}


@pytest.mark.parametrize("name", TIMES)
@pytest.mark.parametrize("names", [("province", "year"), ("state", "time"), ("城市", "季度"), ("firm_id", "date")])
def test_keys_and_calendar(tmp_path, name, names):
    times, declared = TIMES[name]
    frame = rows(times).rename(columns=dict(zip("ab", names, strict=True)))
    found, panel = guess(file(tmp_path, frame))
    assert (found.unit, found.time, found.group) == (*names, "c")
    assert {key: value for key in ("period", "step") if (value := getattr(found, key)) is not None} == declared
    assert found.variables == ("x", "y")
    assert not panel.doubt[0]
    assert len(np.unique(np.diff(np.unique(panel.frame[panel.time])))) == 1


def test_names_alone_do_not_decide(tmp_path):
    """A column named year that does not name rows once with any unit is none; keys given are taken."""
    found, _ = guess(file(tmp_path, rows(range(2010, 2018), year_founded=1999, country="A")))
    assert (found.unit, found.time) == ("a", "b")
    found, _ = guess(file(tmp_path, rows(range(2010, 2018))), group="c", unit="a")
    assert found.group == "c"


def test_chinese_file_that_is_no_utf8(tmp_path):
    frame = (
        rows(range(2010, 2018))
        .rename(columns={"a": "省份", "b": "年份", "c": "地区"})
        .replace({"地区": {"g0": "东部"}})
    )
    found, panel = guess(file(tmp_path, frame, "gb18030"))
    assert (found.unit, found.time, found.group, found.encoding) == ("省份", "年份", "地区", "gb18030")
    assert "东部" in set(panel.frame["地区"])


def test_shipped_panels_are_read_right():
    for name, keys in (
        ("china_provinces", ("province_en", "year", "region")),
        ("fiscal_tfp", ("province", "year", "region")),
    ):
        found, panel = guess(ROOT / "data" / name / "panel.csv")
        assert found.time == keys[1]
        assert found.group == "region"
        assert panel.balance().n_units == getattr(bn.datasets, name).panel.balance().n_units


def test_what_is_no_panel_is_one_clear_error(tmp_path):
    with pytest.raises(bn.BayesNppError, match="name every row once"):
        guess(file(tmp_path, pd.DataFrame({"a": [1.5, 1.5], "b": ["x", "y"]})))
    with pytest.raises(bn.BayesNppError, match="not found"):
        guess(file(tmp_path, rows(range(2010, 2018))), unit="nowhere")
    with pytest.raises(bn.BayesNppError, match="does not exist"):
        guess(tmp_path / "none.csv")
