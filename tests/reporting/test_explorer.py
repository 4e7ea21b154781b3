"""The prior explorer: its script gives what a dense computation and a refit give, and withholds what it cannot know.

`base.rendering` and `tables.prior_rows` make its markup and the table that stands without a script.
"""

import base64
import json
import re
import shutil
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bayes_npp.analysis.ladder import error_rungs
from bayes_npp.analysis.settings import run_settings
from bayes_npp.analysis.stored_fits import fit_model
from bayes_npp.bayesian.fitting.refit import refit
from bayes_npp.bayesian.fitting.sample import Sampler
from bayes_npp.bayesian.priors.families import PriorSpec
from bayes_npp.design.slope_contrasts import slope_weights
from bayes_npp.reporting.explorer import STEPS, WORDS, embedded, explorer, packed
from tests.claims.dense_explorer import SETTINGS, dense, differences

CHROMIUM = shutil.which("chromium")
browser = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
pytestmark = pytest.mark.xdist_group("tiny_run")


@contextmanager
def opened(path, **options):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = chromium.new_context(**options).new_page()
        page.goto(path.as_uri())
        yield page
        chromium.close()


def state(page, claim, errors, setting, unit):
    """Enter a setting as a reader does, and read the answer."""
    page.select_option("[name=claim]", claim)
    page.select_option("[name=errors]", str(errors))
    centre, scale, family, spread = setting
    for name, value in (("centre", centre * unit), ("scale", scale * unit), ("spread", spread * unit)):
        if page.locator(f"[name={name}]").is_enabled():
            page.fill(f"[name={name}]", repr(value))
    if page.locator("[name=family]").is_enabled():
        page.select_option("[name=family]", family)
        if family == "half_student_t":
            page.fill("[name=nu]", "3")
    return read(page)


def read(page):
    root = page.locator(".explorer")
    numbers = page.evaluate(
        "Array.from(document.querySelectorAll('.explorer .numbers data')).map(d => [d.dataset.ref, Number(d.value)])"
    )
    found = {ref.rpartition(":")[2]: value for ref, value in numbers}
    return root.get_attribute("data-state"), root.locator("output").inner_text(), found


@pytest.fixture(scope="module")
def fits(tiny_run):
    """The fit of every stored likelihood of the first model with two of them, by its errors."""
    own = next(one for one in tiny_run.explored if len(one.fits) > 1)
    settings = run_settings(tiny_run.study, tiny_run.out, quick=True, seed=1, stored_only=True)
    rungs = {rung.model.errors: rung.model for rung in error_rungs(tiny_run.study.model(own.model))}
    return own, {fit.errors: fit_model(tiny_run.study.sample, rungs[fit.errors], settings)[0] for fit in own.fits}


def test_what_is_packed_is_what_was_computed(tiny_run):
    for own in tiny_run.explored:
        for fit in own.fits:
            low, step, text = packed(fit)
            steps = np.frombuffer(base64.b64decode(text), "<u2").reshape(len(low), -1)
            size = fit.linear.shape[1]
            columns = np.array(low)[:, None] + np.array(step)[:, None] * steps
            known = [*fit.precision[:, *np.triu_indices(size)].T, *fit.linear.T, fit.own - fit.own.max()]
            for column, values in zip(columns, known, strict=True):
                assert np.abs(column - values).max() <= np.ptp(values) / STEPS
    assert embedded({"a": "</script><!--\u2028"}) == '{"a":"\\u003c/script>\\u003c!--\\u2028"}'


def test_the_table_that_stands_without_a_script_is_what_was_computed(tiny_run):
    table = explorer(tiny_run).table
    choices = pd.read_csv(tiny_run.out / "choices.csv")
    claims = {record.claim.text: record.claim.id for record in tiny_run.ledger.records}
    compared = 0
    for row in table.frame.to_dict("records"):
        own = choices[choices["claim_id"] == claims[row["claim"]]]
        for name, cell in row.items():
            variants = (name, f"{name} priors", f"{name.replace(' ', '_')} priors")
            found = own[own["priors"].isin(variants) & (own["status"] != "not run")]
            found = found[(found["measure"] == "as declared") & (found["sample"] == "as declared")]
            if name != "claim" and cell[0].isdigit():
                shown = float(cell.split()[0])
                assert (found["probability"] - shown).abs().min() < 0.0051
                compared += 1
    assert compared >= 4


@browser
@pytest.mark.browser
@pytest.mark.parametrize(
    ("claims", "settings"),
    [(slice(1), SETTINGS[2:3]), pytest.param(slice(2), SETTINGS[1:5], marks=pytest.mark.slow(minutes=2))],
    ids=["few", "all"],
)
def test_the_script_equals_dense_algebra(tiny_run, fits, claims, settings):
    """To what 16 bits and an approximate normal tail leave: the same draws, the same weights, the same k."""
    own, _ = fits
    m = [one for one in tiny_run.explored if one.fits].index(own)
    with opened(tiny_run.out / "report.html") as page:
        for c, (record, weights) in enumerate(own.claims[claims]):
            for f, fit in enumerate(own.fits):
                for setting in settings:
                    told, _, found = state(page, f"{m}.{c}", f, setting, own.unit)
                    claim = record.claim.parsed
                    probability, mean, k_hat = dense(fit, weights, claim.threshold, claim.sign, setting)
                    if told == "answered":
                        assert found["probability"] == pytest.approx(probability, abs=5e-4)
                        assert found["mean"] == pytest.approx(mean, abs=1e-3 * abs(found["hi"] - found["lo"]))
                        assert found["k"] == pytest.approx(k_hat, abs=0.02)
                    else:
                        assert k_hat > 0.69


@browser
@pytest.mark.browser
@pytest.mark.slow(minutes=3)
def test_the_explorer_equals_a_refit(tiny_run, fits):
    """Twelve settings on two fits: within two Monte Carlo errors and 0.01 of a posterior sampled under that prior."""
    own, by_errors = fits
    m = [one for one in tiny_run.explored if one.fits].index(own)
    claim = own.claims[0][0].claim.parsed
    answered = 0
    with opened(tiny_run.out / "report.html") as page:
        for f, fit in enumerate(own.fits[:2]):
            source = by_errors[fit.errors]
            sets = [
                source.priors.replaced(
                    exposure=PriorSpec(family="normal", mu=centre, sigma=scale, reason="A reader's."),
                    **({"slope_sd": differences(family, spread)} if own.groups else {}),
                )
                for centre, scale, family, spread in SETTINGS
            ]
            refits = refit(source.collapsed, sets, Sampler(draws=2000, tune=500, chains=4, target_accept=0.9, seed=11))
            weights = slope_weights(claim, source.design)
            for setting, one in zip(SETTINGS, refits, strict=True):
                told, said, found = state(page, f"{m}.0", f, setting, own.unit)
                if told != "answered":
                    assert "Pareto k" in said or "stored draws count" in said
                    continue
                answered += 1
                holds = claim.sign * (one.slopes @ weights - claim.threshold) > 0
                error = np.hypot(found["mcse"], np.sqrt(holds.mean() * (1 - holds.mean()) / one.diagnostics.effective))
                assert found["probability"] == pytest.approx(holds.mean(), abs=2 * error + 0.01), setting
                lo, hi = np.quantile(one.slopes @ weights, [0.025, 0.975])
                assert found["lo"] == pytest.approx(lo, abs=0.12 * (hi - lo))
                assert found["hi"] == pytest.approx(hi, abs=0.12 * (hi - lo))
    assert answered >= 20


@browser
@pytest.mark.browser
def test_answers_are_withheld_and_said_to_be(tiny_run, tmp_path):
    """Every state: numbers that are none, a prior that no draw reaches, too few draws, a sampler that failed."""
    html = (tiny_run.out / "report.html").read_text(encoding="utf-8")
    with opened(tiny_run.out / "report.html") as page:
        assert read(page)[0] == "answered"
        for name, bad, words in (
            ("centre", "x", "bad_centre"),
            ("scale", "0", "bad_scale"),
            ("spread", "-1", "bad_spread"),
        ):
            before = page.input_value(f"[name={name}]")
            page.fill(f"[name={name}]", bad)
            assert read(page) == ("withheld", WORDS[words], {})
            assert page.locator(".explorer .curve svg").count() == 0
            page.fill(f"[name={name}]", before)
            assert read(page)[0] == "answered"
        page.select_option("[name=family]", "half_student_t")
        page.fill("[name=nu]", "")
        assert read(page)[:2] == ("withheld", WORDS["bad_nu"])
        page.fill("[name=nu]", "3")
        page.fill("[name=centre]", "60")
        page.fill("[name=scale]", "0.001")
        page.fill("[name=spread]", "0.001")
        told, said, _ = read(page)
        assert told == "withheld"
        assert re.match(r"Withheld: the stored draws do not reach this prior \(Pareto k (\d|\u221e)", said)
    for name, pattern, other, words in (
        ("few", r'"efficiency":[\d.]+', '"efficiency":0.01', "Withheld: only "),
        ("failed", '"passed":true', '"passed":false', WORDS["failed"]),
    ):
        path = tmp_path / f"{name}.html"
        altered, count = re.subn(pattern, other, html)
        assert count >= 2
        path.write_text(altered, encoding="utf-8")
        with opened(path) as page:
            told, said, _ = read(page)
            assert told == "withheld"
            assert said.startswith(words)


@browser
@pytest.mark.browser
def test_keyboard_live_region_and_no_script(tiny_run):
    with opened(tiny_run.out / "report.html") as page:
        assert page.locator(".explorer output").get_attribute("aria-live") == "polite"
        assert page.locator(".explorer form").is_visible()
        assert not page.locator("#table-prior_rows").is_visible()  # folded, since the script runs
        page.focus("[name=preset]")
        first = read(page)[1]
        page.keyboard.press("ArrowDown")
        assert read(page)[1] != first
        order = []
        page.focus("[name=claim]")
        for _ in range(4):
            order.append(page.evaluate("document.activeElement.name"))
            page.keyboard.press("Tab")
        assert order == ["claim", "errors", "preset", "centre"]
        for label in page.locator(".explorer select, .explorer input").all():
            assert label.bounding_box()["height"] >= 44
    with opened(tiny_run.out / "report.html", java_script_enabled=False) as page:
        assert not page.locator(".explorer form").is_visible()
        assert page.locator("#table-prior_rows").is_visible()
        assert WORDS["no_script"] in page.locator("noscript").first.inner_text()


def test_a_study_without_claims_about_slopes_has_no_explorer(tiny_run):
    assert explorer(replace(tiny_run, explored=())) is None
    data = json.loads(re.search(r'<script type="application/json">(.*?)</script>', explorer(tiny_run).markup)[1])
    assert {claim["id"] for model in data["models"] for claim in model["claims"]} <= {
        record.claim.id for record in tiny_run.ledger.records
    }
