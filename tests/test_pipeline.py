"""A run of the tiny study, which has every section: files, nothing lost since version 0.1, stored fits."""

import json
import re

import pandas as pd
import pytest

from bayes_npp.analysis.comparison import difference
from bayes_npp.errors import EstimatesError
from bayes_npp.estimates import COLUMNS, read_csv
from tests.conftest import REFERENCE, report_text

EARLIER = REFERENCE / "run_0_1"


def test_files_of_the_contract(tiny_run):
    out = tiny_run.out
    expected = ["report.html", "report.md", "estimates.csv", "diagnostics.csv", "weights.csv", "manifest.json"]
    expected += ["claims.csv", "sensitivity.csv", "fits/groups.nc", "fits/mechanism--made.nc"]
    expected += [f"figures/slopes_groups.{ending}" for ending in ("png", "svg", "csv")]
    expected += ["tables/slopes_groups.csv", "tables/slopes_groups.tex", "tables/replication.csv", "tables/table_2.csv"]
    for name in expected:
        assert (out / name).stat().st_size > 0, name
    assert not list(out.rglob(".*"))
    assert tuple(pd.read_csv(out / "estimates.csv", nrows=0).columns) == ("key", *COLUMNS)
    checks = ["key", "fit", "quantity", "value", "threshold", "passed", "lo", "hi"]
    assert list(pd.read_csv(out / "diagnostics.csv").columns) == checks
    for path in out.rglob("*.csv"):
        if path.parent.name != "figures":
            keys = pd.read_csv(path, keep_default_na=False, dtype=str)["key"]
            assert keys.is_unique, path.name
    manifest = json.loads((out / "manifest.json").read_text())
    assert set(manifest) >= {"data_sha256", "study_sha256", "versions", "seeds", "scales", "wall_seconds"}
    assert read_csv(out / "estimates.csv").frame["estimand"].tolist() == tiny_run.estimates.frame["estimand"].tolist()


@pytest.mark.parametrize("name", sorted(path.name for path in EARLIER.glob("*.csv")))
def test_columns_of_the_earlier_run_are_still_there(name, tiny_run):
    then, now = (pd.read_csv(folder / name, nrows=0).columns for folder in (EARLIER, tiny_run.out))
    assert len(then) > 0
    assert [column for column in then if column not in now] == []


@pytest.mark.parametrize("key", ["model", "estimand"])
def test_rows_of_the_earlier_run_are_still_there(key, tiny_run):
    then = set(pd.read_csv(EARLIER / "estimates.csv")[key])
    assert len(then) > 5
    assert then - set(tiny_run.estimates.frame[key]) == set()


def test_report_opens_offline(tiny_run):
    html = (tiny_run.out / "report.html").read_text(encoding="utf-8")
    assert not re.findall(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", html)
    own = (r'<script type="application/json">\{"words":', r'<script>\s*\(function \(\) \{\s*"use strict";')
    assert html.count("<script") == sum(len(re.findall(pattern, html)) for pattern in own) > 0
    assert "@import" not in html
    assert "url(http" not in html


def test_the_study_s_own_words_are_in_the_report(tiny_run):
    header, text = tiny_run.study.header, report_text(tiny_run.out)
    for words in (header.title, header.data_are, header.data_are_not, *header.doubts):
        assert words in text
    assert header.data_are_not in (tiny_run.out / "report.md").read_text(encoding="utf-8")


def test_published_numbers_are_never_differenced(tiny_run):
    ours = tiny_run.estimates.frame.iloc[0]
    with pytest.raises(EstimatesError, match="published"):
        difference(ours, ours.replace({"frequentist": "published"}))
    assert not (tiny_run.estimates.frame["paradigm"] == "published").any()


def test_every_sampler_that_failed_is_named(tiny_run):
    """Neighbours, equations and treatments of missing cells too; the tiny study's few draws leave some of each."""
    frame = tiny_run.diagnostics
    failed = frame[~frame["passed"] & ~frame["quantity"].str.startswith("posterior predictive")]["fit"]
    named = [failure.partition(":")[0] for failure in tiny_run.failures]
    assert set(failed) == {name for name in named if "," not in name}
    assert {"filled--made", "filled, missing cells rows dropped"} <= set(named)
    assert len(set(named)) == len(named)
    assert not tiny_run.passed
