"""Published numbers re-analysed without their data: the founding paper, bad input, files, exit codes.

With it `rows`, `record`, `text`, `sentences`, `tables`, `figures` and `page`, whose every word and number is here.
"""

import math
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayes_npp as bn
from bayes_npp.errors import OutputError, SpecError
from bayes_npp.estimates import SMALLEST
from tests.auditing.published import FOUNDING, Z01, Z10, table, write
from tests.conftest import ROOT
from tests.test_cli import bayes_npp


@pytest.fixture(scope="module")
def founding():
    return bn.audit(FOUNDING)


# The founding paper: high 0.213 (p < 0.01) against low 0.043 (p > 0.10).


def test_standard_errors_of_the_founding_paper(founding):
    high, low = (row for row in founding.rows if row.labels["claim"] == "vitality")
    assert (high.se.lo, high.se.hi) == (0, pytest.approx(0.213 / Z01, rel=1e-12))
    assert (low.se.lo, low.se.hi) == (pytest.approx(0.043 / Z10, rel=1e-12), math.inf)
    assert {high.source, low.source} == {"significance"}
    assert {high.reference, low.reference} == {"normal"}


def test_the_difference_of_the_founding_paper(founding):
    (pair,) = founding.differences
    assert (pair.first.labels["sample"], pair.second.labels["sample"]) == ("high vitality", "low vitality")
    largest, smallest, difference = 0.213 / Z01, 0.043 / Z10, 0.213 - 0.043
    lowest = stats.norm.cdf(difference / math.hypot(largest, 5 * largest))
    highest = stats.norm.cdf(difference / math.hypot(smallest / 5, smallest))
    assert pair.probability.lo == pytest.approx(lowest, rel=1e-12)
    assert pair.probability.hi == pytest.approx(min(highest, 1 - SMALLEST), rel=1e-12)  # 1 less 9e-11
    assert round(lowest, 3) == 0.657
    assert pair.p_value.hi == pytest.approx(2 * stats.norm.sf(difference / math.hypot(largest, 5 * largest)))
    assert pair.equal.lo == pytest.approx(stats.norm.cdf(difference / (math.sqrt(2) * largest)))
    assert round(pair.equal.lo, 3) == 0.927
    # Where P falls to .95 and .975 with the largest standard error of the high group: Pythagoras.
    for level, se in pair.crossings.items():
        assert se == pytest.approx(math.sqrt((difference / stats.norm.ppf(level)) ** 2 - largest**2), rel=1e-6)
    assert pair.reading == "open"
    assert pair.one_significant


def test_the_curve_of_the_founding_paper(founding):
    curve, largest = founding.curve, 0.213 / Z01
    assert set(curve["se_of"]) == {"low vitality"}
    expected = stats.norm.cdf(0.17 / np.hypot(curve["se"], largest))
    assert curve["probability_lowest"].to_numpy() == pytest.approx(expected)
    assert (np.diff(curve["probability_lowest"]) < 0).all()
    assert (curve["probability_lowest"] <= curve["probability_highest"] + 1e-15).all()
    assert curve.loc[curve["within_cap"], "se"].max() <= 5 * largest < curve["se"].max()
    assert curve["p_value_highest"].to_numpy() == pytest.approx(2 * (1 - expected))


def test_scepticism_on_the_founding_paper(founding):
    se = 0.213 / Z01
    rows = founding.reverse.set_index(["row", "convention", "se_end"]).sort_index()
    prior_sd = rows.loc[(17, "one-sided 95 %", "largest"), "prior_sd"]
    assert prior_sd == pytest.approx(se / math.sqrt((Z01 / Z10) ** 2 - 1))
    assert round(prior_sd, 4) == 0.0686
    matthews = rows.loc[(17, "Matthews, 95 % interval", "largest")]
    lo, hi = stats.norm.interval(0.95, 0.213, se)
    assert matthews["limit"] == pytest.approx((hi - lo) ** 2 / (4 * math.sqrt(lo * hi)))
    assert not rows.loc[18, "credible"].any()  # p > 0.10: not credible even under a flat prior
    posterior = founding.posteriors.set_index(["row", "prior", "se_end"]).sort_index()
    # 5 % sceptic: prior SD b / 1.645; the posterior z is then z^2 / sqrt(z^2 + 1.645^2).
    assert posterior.loc[(17, "5 % sceptic", "largest"), "prob_positive"] == pytest.approx(
        stats.norm.cdf(Z01**2 / math.hypot(Z01, Z10))
    )
    assert posterior.loc[(18, "flat", "smallest"), "prob_positive"] == pytest.approx(0.95)


def test_risks_of_the_founding_paper(founding):
    risks = founding.risks.set_index(["row", "share", "se_end"]).sort_index()
    worst = risks.loc[(17, 0.1, "largest")]
    power = stats.norm.sf(stats.norm.isf(0.025) - 0.1 * Z01) + stats.norm.cdf(-stats.norm.isf(0.025) - 0.1 * Z01)
    assert worst["power"] == pytest.approx(power)
    assert (round(worst["type_s"], 3), round(worst["type_m"], 2)) == (0.231, 9.15)
    marked = founding.risks[founding.risks["optimistic_end"]]
    assert set(marked["share"]) == {1.0}
    assert 18 not in set(marked["row"])  # no significance filter behind a p above 0.10


def test_the_long_run_of_the_founding_paper(founding):
    (own,) = founding.long_runs
    assert own.long_run == pytest.approx(0.416 / (1 - 0.306))
    assert round(own.long_run, 3) == 0.599
    gradient = np.array([1 / (1 - 0.306), 0.416 / (1 - 0.306) ** 2])
    errors = np.array([0.416, 0.306]) / Z01
    assert own.se.hi == pytest.approx(gradient @ errors)
    assert own.se.lo == 0
    assert own.se_uncorrelated.hi == pytest.approx(np.hypot(*(gradient * errors)))


def test_the_words_of_the_founding_paper(founding):
    text = " ".join(map(str, founding.sentences))
    assert "17 published rows; 6 print a coefficient" in text
    assert "Claim 'region': no coefficient" in text
    assert "0.416 / (1 - 0.306) = 0.599" in text
    assert "P(high vitality > low vitality) from 0.657 to > 0.999" in text
    assert "Not credible even under a flat prior" in text
    for word in ("causes", "drives", "leads to", "impact"):
        assert word not in text


# Bad input.


def broken(name, text, row=0):
    def change(frame):
        frame.loc[row, name] = text
        return frame

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.drop(columns="estimate"), ["'estimate'", "missing"]),
        (lambda f: f.rename(columns={"estimate": "estimat"}), ["'estimat'", "'estimate'"]),
        (broken("estimate", "0.4a"), ["row 2", "'estimate'", "'0.4a'"]),
        (broken("estimate", "inf"), ["row 2", "'estimate'", "finite"]),
        (broken("se", "-0.1", 1), ["row 3", "'se'", "'-0.1'", "negative"]),
        (broken("p", "1.2"), ["row 2", "'p'", "between 0 and 1"]),
        (broken("n_units", "thirty"), ["row 2", "'n_units'", "'thirty'"]),
        (broken("significance", "p<0,01", 1), ["row 3", "column 'significance'", "'p<0,01'", "Write p<0.01"]),
        (broken("term", " "), ["row 2", "no term"]),
        (lambda f: f.iloc[:0], ["header", "no row"]),
    ],
)
def test_bad_input_is_exit_code_2_and_writes_nothing(change, words, capsys, monkeypatch, tmp_path):
    frame = table({"estimate": "0.4", "se": "0.1"}, {"estimate": "0.3", "p": "0.02"})
    path = write(tmp_path, change(frame))
    code, out, err = bayes_npp(capsys, monkeypatch, "audit", path, "--out", tmp_path / "out")
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    for word in [*words, "published.csv"]:
        assert word in err
    assert not (tmp_path / "out").exists()


def test_an_empty_file_and_no_file(capsys, monkeypatch, tmp_path):
    (tmp_path / "empty.csv").write_text("")
    for path in (tmp_path / "empty.csv", tmp_path / "none.csv", tmp_path):
        code, _, err = bayes_npp(capsys, monkeypatch, "audit", path)
        assert (code, err.count("\n")) == (2, 1)


@pytest.mark.parametrize(
    "option",
    [
        {"cap": 0.5},
        {"cap": math.inf},
        {"sceptics": (0.6,)},
        {"prior_sds": (0.0,)},
        {"shares": ()},
        {"shares": (-1.0,)},
        {"alpha": 0.0},
        {"stars": (0.01, 0.05)},
        {"reference": "cauchy"},
    ],
)
def test_an_option_out_of_its_range(option):
    with pytest.raises(SpecError, match=next(iter(option))):
        bn.audit(FOUNDING, **option)


# Files and the command line.


def test_the_command_line(capsys, monkeypatch, tmp_path):
    out = tmp_path / "a"
    code, text, err = bayes_npp(capsys, monkeypatch, "audit", FOUNDING, "--out", out, "--cap", 3, "--prior-sd", 0.1)
    assert (code, err) == (0, "")
    assert "none more than 3 times the other" in text
    assert text.rstrip().endswith("audit.html")
    assert {p.name for p in out.iterdir()} == {"audit.html", "audit.md", "tables", "figures"}
    assert "SD 0.1" in set(pd.read_csv(out / "tables" / "audit_posteriors.csv")["prior"])
    assert set(pd.read_csv(out / "tables" / "audit_printed.csv")["paradigm"]) == {"published"}
    html = (out / "audit.html").read_text()
    assert html.count("<svg") == 2
    assert not re.findall(r"(?:src|href)=[\"']?https?:", html)


def test_without_out_nothing_is_written(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, text, _ = bayes_npp(capsys, monkeypatch, "audit", FOUNDING)
    assert (code, text.startswith("- 17 published rows")) == (0, True)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_exit_code_4(capsys, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        code, _, err = bayes_npp(capsys, monkeypatch, "audit", FOUNDING, "--out", out)
        assert (code, err.startswith("error: ")) == (4, True)
    assert (tmp_path / "file").read_text() == "mine"
    with pytest.raises(OutputError):
        bn.audit(FOUNDING, out=tmp_path / "file")


def test_the_same_input_gives_the_same_files(tmp_path):
    for name in ("one", "two"):
        bn.audit(FOUNDING, out=tmp_path / name)
    files = sorted(p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*") if p.is_file())
    assert len(files) == 15
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes(), file


def test_text_of_the_paper_is_escaped(tmp_path):
    hostile = "<script>alert(1)</script> $x_{ | _y"
    rows = [
        {"estimate": "0.5", "significance": "**", "sample": hostile, "claim": hostile, "note": hostile},
        {"estimate": "0.1", "significance": "ns", "sample": "<b>", "claim": hostile, "note": "line\nline"},
        {"estimate": "", "significance": "ns", "sample": hostile, "claim": f"{hostile} 2", "table": "<i>"},
    ]
    bn.audit(table(*rows), out=tmp_path)
    for name in ("audit.html", "audit.md"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert "<script" not in text
        assert "&lt;script" in text
        assert "<b>" not in text
        assert "<i>" not in text


def test_every_row_can_be_unusable(tmp_path):
    found = bn.audit(table({"significance": "p<0.01"}, {"estimate": "0.000", "significance": "p>0.1"}), out=tmp_path)
    assert found.audited == []
    assert (tmp_path / "audit.html").exists()


def test_a_frame_of_numbers_is_read_like_its_file(founding):
    again = bn.audit(pd.read_csv(FOUNDING))
    assert [s.text for s in again.sentences] == [s.text for s in founding.sentences]


def test_the_verb_starts_without_the_samplers():
    code = (
        "import sys; sys.argv = ['bayes-npp', 'audit', 'models/digital_trade/published.csv']\n"
        "import atexit; atexit.register(lambda: print('MODULES', *sys.modules, file=sys.stderr))\n"
        "from bayes_npp.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not set(done.stderr.split("MODULES")[1].split()) & {"pymc", "nutpie", "numba", "arviz", "matplotlib"}


@pytest.mark.browser
@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
@pytest.mark.parametrize("width", [1200, 390])
def test_the_page_in_a_browser(width, tmp_path):
    from playwright.sync_api import sync_playwright

    bn.audit(FOUNDING, out=tmp_path)
    requests = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.on("request", lambda request: requests.append(request.url))
        page.goto((tmp_path / "audit.html").as_uri())
        assert page.locator("figure svg").count() == 2
        assert page.locator(".finding.warning").first.is_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        browser.close()
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
