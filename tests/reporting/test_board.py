"""The choice board shows the rows of choices.csv, all of them and nothing else."""

import re
import shutil
from types import SimpleNamespace

import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.reporting.base.rendering import widget_markup
from bayes_npp.reporting.board import WORDS, board, board_data, packed_rows, priors_of
from bayes_npp.reporting.explorer import embedded, inlined
from tests.conftest import TINY
from tests.reporting.test_explorer import opened
from tests.reporting.test_references import agrees

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.xdist_group("tiny_run")
KINDS = ("errors", "priors", "measure", "sample")
NUMBERS = ("probability", "mcse", "mean", "lo", "hi")
CHOOSE = """([claim, places]) => {
  const set = (name, value) => {
    const list = document.querySelector(`.board [name=${name}]`);
    list.value = value;
    list.dispatchEvent(new Event("change"));
    return list.value === String(value);
  };
  const found = [["claim", claim], ...Object.entries(places)].every(([name, value]) => set(name, value));
  const root = document.querySelector(".board"), out = root.querySelector("output");
  const numbers = Array.from(out.querySelectorAll("data")).map(d => [d.dataset.ref, d.value, d.textContent]);
  return [found, root.dataset.state, out.textContent, numbers];
}"""


def names(data, claim):
    """Names of the options of every list, in their order."""
    plain = {
        kind: [one if isinstance(one, str) else one[0] for one in data[kind]] for kind in KINDS if kind != "priors"
    }
    priors = data["priors"][claim["priors"]]
    named = [one if isinstance(one, str) else one[0] for one in priors["named"]]
    return {**plain, "priors": named + [f"cell {k} of the grid" for k in range(1, len(priors["cells"]) + 1)]}


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_the_board_equals_its_rows(tiny_run):
    """Every row of every claim is found by its choices, and each number refers to its cell; others were not run."""
    frame = pd.read_csv(tiny_run.out / "choices.csv", dtype=str, keep_default_na=False).set_index("key")
    data = board_data(tiny_run, tiny_run.ledger)
    states = []
    with opened(tiny_run.out / "report.html") as page:
        for number, claim in enumerate(data["claims"]):
            known = names(data, claim)
            for _, row in frame[frame["claim_id"] == claim["id"]].iterrows():
                places = {kind: known[kind].index(row[kind]) for kind in KINDS}
                found, state, text, numbers = page.evaluate(CHOOSE, [number, places])
                assert found, row.name
                states.append(state)
                if row["status"].startswith("not answered: "):
                    assert (state, numbers) == ("not answered", [])
                    assert row["status"].removeprefix("not answered: ") in text
                    continue
                assert state == "answered"
                told = [name for name in NUMBERS if row[name]]
                assert [ref.rpartition(":")[2] for ref, _, _ in numbers] == told
                for ref, value, shown in numbers:
                    file, key, column = re.fullmatch(r"([^:]+):(.*):([^:]+)", ref).groups()
                    assert (file, key) == ("choices.csv", row.name)
                    cell = frame.loc[key, column]
                    assert agrees(cell, repr(float(cell)), shown.replace("\u2212", "-"))
                    assert value in shown.replace("\u2212", "-")
        claim = data["claims"][0]
        own = frame[frame["claim_id"] == claim["id"]]
        other = {kind: own.loc[own[kind] != own[kind].iloc[0], kind].iloc[0] for kind in ("priors", "measure")}
        places = {kind: names(data, claim)[kind].index(other[kind]) for kind in other}
        _, state, text, numbers = page.evaluate(CHOOSE, [0, places])
        assert (state, numbers) == ("not run", [])
        assert text.startswith(WORDS["not_run"].partition("{")[0])
    assert len(states) == len(frame)
    assert states.count("answered") > 20


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_the_board_is_a_table_without_a_script(tiny_run):
    with opened(tiny_run.out / "report.html", java_script_enabled=False) as page:
        assert page.locator("#table-choice_ranges").is_visible()
        assert not page.locator(".board form").is_visible()
    with opened(tiny_run.out / "report.html") as page:
        assert not page.locator("#table-choice_ranges").is_visible()
        assert page.locator(".board output").get_attribute("aria-live") == "polite"


def test_ranges_are_those_of_the_rows(tiny_run):
    frame = pd.read_csv(tiny_run.out / "choices.csv")
    table = board(tiny_run).table.frame
    claims = {record.claim.text: record.claim.id for record in tiny_run.ledger.records}
    for row in table.to_dict("records"):
        own = frame[(frame["claim_id"] == claims[row["claim"]]) & (frame["status"] == "answered")]
        tried = {"priors": "priors", "measures": "measure", "samples": "sample"}
        for title, column in tried.items():
            count = int((own[column] != "as declared").sum())
            assert f"({count} tried)" in row[title] if count else row[title].startswith("not varied")


def wide_grid(values):
    """The data of a board whose grid has two axes, one of them of so many values, and all of its cells."""
    study = bn.load_study(TINY)
    cells = [
        {"cell": 2 * k + j + 1, "proposition": "b > 0", "exposure": f"normal(mu = {k}, sigma = 1)", "slope_sd": prior}
        for k in range(values)
        for j, prior in enumerate(("half-normal(sigma = 1)", "half-normal(sigma = 2)"))
    ]
    model = study.claims[0].model
    ledger = SimpleNamespace(sensitivities={model: SimpleNamespace(grid=pd.DataFrame(cells))})
    record = SimpleNamespace(claim=SimpleNamespace(model=model))
    own = pd.DataFrame({"priors": ["as declared", *(f"cell {one['cell']} of the grid" for one in cells)]})
    priors = priors_of(record, own, ledger, SimpleNamespace(study=study))
    rows = [("", 0, "0.5,,1,0,2"), *(("p", 1 + k, f"0.{k + 101},,1,0,2") for k in range(len(cells)))]
    claim = {"id": "c", "text": "A claim", "errors": 0, "priors": 0, "rows": packed_rows(rows)}
    names = {"errors": ["iid"], "measure": ["as declared"], "sample": ["as declared"]}
    return {"words": WORDS, **names, "priors": [priors], "reasons": [], "claims": [claim]}


@pytest.mark.parametrize(("values", "digits"), [(2, 1), (36, 1), (37, 2), (80, 2)])
def test_an_axis_may_have_any_number_of_values(values, digits):
    (priors,) = wide_grid(values)["priors"]
    assert priors["digits"] == digits
    assert len(set(priors["cells"])) == 2 * values
    for number, places in enumerate(priors["cells"]):
        found = [int(places[k * digits : (k + 1) * digits], 36) for k in range(2)]
        assert found == [number // 2, number % 2]


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_long_axis_is_named_in_the_page(tmp_path):
    data = wide_grid(40)
    markup = widget_markup("board.html.jinja", words=WORDS, data=embedded(data), script=inlined("board.js"))
    rows = '<details class="rows"></details>'
    text = f'<!DOCTYPE html><meta charset="utf-8"><div class="widget">{markup}{rows}</div>'
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    with opened(tmp_path / "page.html") as page:
        options = page.locator(".board [name=priors] option").all_inner_texts()
        assert options[1:] == [f"normal({k}, 1); half-normal({j})" for k in range(40) for j in (1, 2)]
        _, state, text, _ = page.evaluate(CHOOSE, [0, {"priors": 80}])
        assert state == "answered"
        assert "0.180" in text


def test_rows_are_packed_without_loss():
    rows = [("", 0, "a"), ("p", 1, "a"), ("p", 2, "b"), ("p", 4, "b"), ("m", 1, "c"), ("p1m", 2, "c")]
    assert packed_rows(rows) == "own,a;m1,c;p1,a;,b;p4;p1m2,c"
