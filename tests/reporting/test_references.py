"""Every number of a page refers to a cell of the run's files, and equals it under the rounding it is shown with."""

import re
from html.parser import HTMLParser

import pandas as pd
import pytest

pytestmark = pytest.mark.xdist_group("tiny_run")
RESULTS = ("answer", "findings", "why", "groups", "robustness", "mechanisms")
DECIMAL = re.compile(r"(?<![\w.])\d+\.\d+(?!\w)")


class Numbers(HTMLParser):
    """Tagged numbers (value, reference, what is shown), and text with decimals that no tag holds, by section.

    Notes, captions, code, drawings and finding sentences state settings and conventions and are left out.
    """

    def __init__(self):
        super().__init__()
        self.tagged, self.loose, self.inside, self.section, self.open = [], [], [], "", None

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if tag in ("meta", "link", "col", "br"):
            return
        if tag == "section" and found.get("id"):
            self.section = found["id"]
        skipped = tag in ("svg", "code", "style", "figcaption", "caption", "footer", "nav", "summary")
        skipped |= any(name in found.get("class", "").split() for name in ("note", "finding", "tabled"))
        self.inside.append((tag, skipped))
        if tag == "data":
            self.open = [found["value"], found["data-ref"], ""]

    def handle_startendtag(self, tag, attributes):
        """Nothing inside."""

    def handle_endtag(self, tag):
        if tag == "data":
            self.tagged.append(tuple(self.open))
            self.open = None
        while self.inside and self.inside.pop()[0] != tag:
            pass

    def handle_data(self, data):
        if self.open is not None:
            self.open[2] += data
        elif self.section in RESULTS and not any(skipped for _, skipped in self.inside) and DECIMAL.search(data):
            self.loose.append((self.section, data.strip()))


def read_page(out):
    page = Numbers()
    page.feed((out / "report.html").read_text(encoding="utf-8"))
    return page


def unresolved(out):
    """Tagged numbers of a run's page whose reference names no cell, or one that does not hold them."""
    files, wrong = {}, []
    for value, ref, shown in read_page(out).tagged:
        name, _, rest = ref.partition(":")
        key, _, column = rest.rpartition(":")
        column = column.replace("%3A", ":")
        if name not in files:
            files[name] = pd.read_csv(out / name, dtype=str, keep_default_na=False).set_index("key")
        cell = files[name].loc[key, column] if key in files[name].index and column in files[name] else None
        if not isinstance(cell, str) or not agrees(cell, value, shown.replace("\u2212", "-")):
            wrong.append((ref, value, shown, cell))
    return wrong


def test_every_reference_is_a_cell_that_holds_the_number(tiny_run):
    assert len(read_page(tiny_run.out).tagged) > 200
    assert unresolved(tiny_run.out) == []


def agrees(cell, value, shown):
    """A number of its own equals the value, which rounds to what is shown; a text holds what is shown."""
    try:
        number = float(cell)
    except ValueError:
        return all(part in cell for part in value.split(" "))
    if shown[0] in "<>":
        return float(value) == pytest.approx(number, rel=1e-8) and (number < 0.0015 or number > 0.9985)
    places = len(shown.partition(".")[2])
    return (
        float(value) == pytest.approx(number, rel=1e-6, abs=0.5 * 10**-places)
        and abs(float(shown) - number) <= 0.5000001 * 10**-places
    )


def test_no_decimal_of_a_result_stands_alone(tiny_run):
    assert read_page(tiny_run.out).loose == []


def test_the_tests_of_this_file_can_fail():
    page = Numbers()
    page.feed(
        '<section id="why"><p>a slope of 0.31 and <data value="1.5" data-ref="f.csv:k:c">1.5</data></p></section>'
    )
    assert page.loose == [("why", "a slope of 0.31 and")]
    assert page.tagged == [("1.5", "f.csv:k:c", "1.5")]
    assert agrees("0.31567", "0.31567", "0.32")
    assert not agrees("0.41567", "0.31567", "0.32")
    assert not agrees("0.31567", "0.31567", "0.31")
    assert agrees("p<0.01", "0.01", "0.01")
    assert not agrees("p<0.01", "0.05", "0.05")
    assert agrees("0.32 [-0.05, 0.58]", "0.32 -0.05 0.58", "0.32 [-0.05, 0.58")
    assert not agrees("0.32 [-0.05, 0.58]", "0.32 -0.05 0.59", "0.32 [-0.05, 0.59")
