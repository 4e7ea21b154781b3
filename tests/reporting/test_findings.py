"""Sentences of the tiny run: all of them in both reports."""

import html
import re

from bayes_npp.reporting.findings import findings


def test_every_sentence_is_in_both_reports(tiny_run):
    found = findings(tiny_run)
    assert len(found) > 10
    for ending in ("html", "md"):
        page = (tiny_run.out / f"report.{ending}").read_text(encoding="utf-8")
        page = re.sub(r"\s+", " ", html.unescape(page))
        for one in found:
            assert re.sub(r"\s+", " ", one.text) in page, one.text


def test_failures_and_warnings_are_marked(tiny_run):
    page = (tiny_run.out / "report.html").read_text(encoding="utf-8")
    for status in {one.status for one in findings(tiny_run)}:
        marked = page.count(f'class="finding {status}"')
        assert marked >= sum(one.status == status for one in findings(tiny_run)), status
