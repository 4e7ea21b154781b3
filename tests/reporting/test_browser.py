"""The report in a real browser, offline: no request leaves the file, nothing spills over a phone's width."""

import shutil

import pytest

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


@pytest.mark.parametrize("width", [1280, 390])
def test_report_in_a_browser(width, tiny_run):
    from playwright.sync_api import sync_playwright

    requests, errors = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 900}, java_script_enabled=True)
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text))
        page.goto((tiny_run.out / "report.html").as_uri())
        assert page.locator("h1").inner_text() == "A tiny study"
        assert page.locator("figure svg").count() >= 3
        assert page.locator(".finding.warning").count() >= 1
        assert page.locator("table.sof tr.row").count() == len(tiny_run.ledger.records)
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
