"""The report in a real browser, offline: no request leaves the file, nothing spills over a phone's width."""

import shutil

import pytest

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


@pytest.fixture(params=["tiny_run", pytest.param("run", marks=pytest.mark.slow)])
def shown(request):
    """The result of the tiny study, and in the slow lane that of the default study."""
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (390, "dark"),
        pytest.param(1280, "light", marks=pytest.mark.slow(minutes=1)),
        pytest.param(1280, "dark", marks=pytest.mark.slow(minutes=1)),
        pytest.param(390, "light", marks=pytest.mark.slow(minutes=1)),
    ],
)
def test_report_is_accessible(width, scheme, shown):
    """No violation of axe-core's rules (WCAG 2 A and AA, best practices), everything unfolded."""
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.goto((shown.out / "report.html").as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        found = Axe().run(page)
        browser.close()
    assert found.response["passes"]
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("width", [1280, 390])
def test_report_in_a_browser(width, shown):
    from playwright.sync_api import sync_playwright

    requests, errors = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 900}, java_script_enabled=True)
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text))
        page.goto((shown.out / "report.html").as_uri())
        assert page.locator("h1").inner_text() == shown.study.header.title
        assert page.locator("figure svg").count() >= 3
        assert page.locator(".finding.warning").count() >= 1
        assert page.locator("table.sof tr.row").count() == len(shown.ledger.records)
        assert page.locator("table.sof tr.row").first.is_visible()
        for link in page.locator(".bar a").all():
            assert page.locator(link.get_attribute("href")).count() == 1
            assert link.bounding_box()["height"] >= 44
        if width == 1280:
            assert page.evaluate("document.documentElement.scrollHeight") < 20 * 900
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        browser.close()
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert errors == []


PRINTED = 688  # pixels of a line of A4 between margins of 14 mm


def test_a_printed_page_cuts_no_table_and_names_what_is_folded(shown):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": PRINTED, "height": 1000})
        page.goto((shown.out / "report.html").as_uri())
        page.emulate_media(media="print")
        assert page.locator(".bar").is_hidden()
        ends = (
            "[...document.querySelectorAll('main table, main svg, main figure')].filter(own => own.checkVisibility())"
        )
        assert page.evaluate(f"Math.max(...{ends}.map(own => own.getBoundingClientRect().right))") <= PRINTED + 1
        folds = page.locator("section > details > summary")
        assert folds.count() > 3
        assert all(fold.is_visible() for fold in folds.all())
        browser.close()


def test_what_stands_beside_a_figure_comes_first_where_they_do_not_fit(shown):
    """On a phone the heading of a figure stands above it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.goto((shown.out / "report.html").as_uri())
        for beside in page.locator(".beside").all():
            figure, words = (beside.locator(f":scope > :nth-child({n})").bounding_box()["y"] for n in (1, 2))
            assert words < figure
        browser.close()
