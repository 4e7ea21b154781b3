"""Both languages on one page (`bilingual`) in a real browser: the switch, with its script and without."""

import shutil

import pytest

from bayes_npp.reporting.base.bilingual import in_one_page
from bayes_npp.reporting.base.catalogue import CHINESE, ENGLISH
from bayes_npp.reporting.base.rendering import render_page
from bayes_npp.reporting.base.study_words import study_words
from bayes_npp.reporting.base.translation import translated
from bayes_npp.reporting.base.wording import wording
from bayes_npp.reporting.report import report_page

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


@pytest.fixture(scope="module")
def both(tiny_run, tmp_path_factory):
    """The page of the tiny study in both languages, without its figures."""
    page, english = report_page(tiny_run), wording(tiny_run.study)
    words = {ENGLISH: english, CHINESE: translated(english, CHINESE, study_words(tiny_run.study))}
    none = dict.fromkeys(page.figures, "")
    path = tmp_path_factory.mktemp("both") / "report.html"
    text = in_one_page({own: render_page(page, none, said, own)[0] for own, said in words.items()})
    path.write_text(text, encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def opened(both):
    """Opens the page in a browser of a width, with or without scripts; no error may be said by the end."""
    from playwright.sync_api import sync_playwright

    errors = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])

        def page(width=1280, scripts=True, at=""):
            own = browser.new_page(viewport={"width": width, "height": 900}, java_script_enabled=scripts)
            own.on("pageerror", lambda error: errors.append(str(error)))
            own.on("console", lambda message: errors.append(message.text))
            own.goto(f"{both}{at}")
            return own

        yield page
        browser.close()
    assert errors == []


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("width", [1280, 390])
def test_each_language_is_reached(opened, width, scripts):
    page = opened(width, scripts)
    english, chinese = page.locator(".in-en h1"), page.locator(".in-zh h1")
    assert english.is_visible()
    assert not chinese.is_visible()
    page.locator("label[for=language-zh]").click()
    assert chinese.is_visible()
    assert not english.is_visible()
    assert page.locator(".in-zh #zh-findings h2").inner_text() == "结果摘要"
    page.locator("label[for=language-en]").click()
    assert english.is_visible()
    assert not chinese.is_visible()


@pytest.mark.parametrize("language", [ENGLISH, CHINESE])
def test_both_languages_are_accessible(opened, language):
    from axe_playwright_python.sync_playwright import Axe

    page = opened(390)
    page.locator(f"label[for=language-{language}]").click()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_the_switch_is_worked_by_keys_and_says_the_language(opened):
    page = opened()
    page.locator("#language-en").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator(".in-zh h1").is_visible()
    assert page.evaluate("document.documentElement.lang") == "zh-Hans"
    assert page.locator("label[for=language-zh]").bounding_box()["height"] >= 44
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_a_reader_stays_in_the_section(opened):
    page = opened()
    page.locator(".in-en #why").scroll_into_view_if_needed()
    page.evaluate("document.querySelector('.in-en #why').scrollIntoView()")
    page.evaluate("document.querySelector('label[for=language-zh]').click()")
    top = page.evaluate("document.querySelector('#zh-why').getBoundingClientRect().top")
    assert abs(top) < 120


def test_a_link_opens_its_language(opened):
    page = opened(at="#zh-groups")
    assert page.locator("#zh-groups").is_visible()
    page.locator(".in-zh .bar a").first.click()
    assert page.url.endswith("#zh-findings")
    assert page.locator("#zh-findings").is_visible()


def test_the_explorer_answers_in_chinese(opened):
    page = opened()
    page.locator("label[for=language-zh]").click()
    explorer = page.locator(".in-zh .explorer")
    assert explorer.locator("output").inner_text().startswith("在这一先验下，论断")
    explorer.locator("[name=scale]").fill("-1")
    assert explorer.locator("output").inner_text() == "请用大于零的数字给出平均斜率的标准差。"
    board = page.locator(".in-zh .board output")
    assert board.inner_text().startswith("已计算：概率")
    assert page.locator(".in-en .explorer output").inner_text() != ""
