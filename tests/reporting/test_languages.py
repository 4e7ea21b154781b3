"""Reports in Chinese: the catalogue is whole, texts are found in it, and the page holds no English sentence of ours.

Of `catalogue`, `translation`, `readings`, `chinese`, `study_words` and `bilingual`.
"""

import html
import re
import string
import sys
from dataclasses import replace

import pytest
from babel.messages.pofile import read_po
from click.testing import CliRunner

import bayes_npp as bn
from bayes_npp.cli import cli
from bayes_npp.errors import SpecError
from bayes_npp.pipeline import rerender
from bayes_npp.reporting.base.bilingual import in_one_page
from bayes_npp.reporting.base.catalogue import CHINESE, Message, catalogue
from bayes_npp.reporting.base.chinese import typeset, wrapped
from bayes_npp.reporting.base.numbers import plain, tagged
from bayes_npp.reporting.base.readings import Reading, added
from bayes_npp.reporting.base.rendering import render_page
from bayes_npp.reporting.base.study_words import study_words
from bayes_npp.reporting.base.translation import Translation, translated
from bayes_npp.reporting.base.wording import unchanged, wording
from bayes_npp.reporting.report import report_page, write_report
from tests.conftest import ROOT

sys.path.append(str(ROOT / "tools"))
GRAMMAR = {"verb", "many", "s", "gives", "checks2", "factors2"}  # places of English alone: verbs, endings of plurals
MEGABYTE = 1_000_000


def entries():
    from messages import CATALOGUE

    with CATALOGUE.open("rb") as file:
        return [one for one in read_po(file) if one.id]


def places(text):
    return {field for _, field, _, _ in string.Formatter().parse(text) if field}


# --- The catalogue


def test_every_text_that_reaches_a_page_is_in_the_catalogue():
    from messages import messages

    known = {one.id for one in entries()}
    assert [text for text in messages() if text not in known] == [], "run tools/messages.py and translate what is new"


def test_every_message_still_stands_in_the_code():
    from messages import below, messages

    written = {*messages(), *below()}
    assert [one.id for one in entries() if one.locations and one.id not in written] == []


def test_every_message_is_translated_with_its_own_places():
    for one in entries():
        assert one.string, one.id
        assert not one.fuzzy, one.id
        assert places(one.string) <= places(one.id), one.id
        assert places(one.id) - places(one.string) <= GRAMMAR, one.id
        if one.string.isascii():  # names, signs
            assert len(re.findall(r"[A-Za-z]{2,}", re.sub(r"\{\w+\}", "", one.string))) <= 14, one.id


def test_chinese_is_punctuated_as_chinese():
    """No comma, semicolon, colon or bracket of Latin beside a Chinese character, no blank beside a wide one."""
    for one in entries():
        text = re.sub(r"`[^`]*`|\]\([^)]*\)", "x", typeset(one.string))
        assert not re.search(r"[\u4e00-\u9fff][,;:!?]|[,;:!?]\s?[\u4e00-\u9fff]", text), text
        assert not re.search(r"\s[，。；：（）、]|[，。；：（）、]\s", text), text
        assert text.count("（") == text.count("）"), text


def test_words_of_the_style_sheet_are_chinese_too():
    templates = ROOT / "bayes_npp" / "reporting" / "templates"
    english, chinese = ((templates / f"{name}.css.jinja").read_text(encoding="utf-8") for name in ("style", "chinese"))
    said = re.findall(r"([^{}]*)\{content:\"[^\"]*[A-Za-z]{3}[^\"]*\"", english)
    assert said
    for selector in said:
        other = re.search(rf":lang\(zh\) {re.escape(selector)}\{{content:\"([^\"]*)\"", chinese)
        assert other, selector
        assert re.search("[\u4e00-\u9fff]", other[1])


# --- Texts


@pytest.fixture(scope="module")
def say():
    return Translation(
        unchanged,
        catalogue(CHINESE),
        {"Openness (ratio)": "开放度（比率）", "East": "东部", "West": "西部", "Chains": "链模型", "Pairs": "对模型"},
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Verdicts on 8 claims", "8 条论断的裁定"),
        ("30 provinces, 9 periods", "30 个省份，9 个时期"),
        ("1 period", "1 个时期"),
        ("East, West and openness (ratio)", "东部、西部和开放度（比率）"),
        ("east less West", "东部减西部"),
        ("chains, East", "链模型，东部"),  # an equation of a model
        ("chains, pairs", "链模型、对模型"),
        ("slope[East] > slope[West]", "斜率[东部] > 斜率[西部]"),
        ("0.1 to 0.2; P(> 0) = 0.93", "0.1 至 0.2；P(> 0) = 0.93"),
        ("No test: no such thing is known", "无检验：no such thing is known"),
        (
            "errors persist within a province, each province its own error size and one common factor",
            "误差在省份内逐期持续、各省份误差大小不同和一个共同因子",
        ),
        (
            "No test: 3 units in the group as clusters, and a test needs at least 4",
            "无检验：该组以 3 个个体为聚类，而检验至少需要 4 个",
        ),
        ("East, West and North hold 68 % of what decides this slope", "东部、西部和 North 占决定这一斜率的变异的 68%"),
        ("spread by period (1.7)", "时期间离散（1.7）"),
        ("ln(x)", "ln(x)"),
        ("npp", "npp"),
        ("", ""),
        (
            "Independent errors pass every check; the verdicts rest on errors that are one scale, which pass.",
            "独立误差通过全部检验；裁定依据的误差为大小相同，通过检验。",
        ),
        (
            "On these data none of the paper's eight claims is supported, one is negligible but fragile and none is "
            "contradicted.",
            "用这些数据，在论文的八条论断中，没有一条得到支持，一条可忽略但不稳健，没有一条被否定。",
        ),
    ],
)
def test_texts(say, text, expected):
    assert say(text) == expected


def test_nothing_of_a_text_is_lost(say):
    """Every number, and every name that no message holds, is where it was."""
    text = "Qinghai, Chongqing and Yunnan hold 68 % of what decides this slope"
    shown = say(text)
    for part in ("Qinghai", "Chongqing", "Yunnan", "68%"):
        assert part in shown


def test_numbers_keep_their_references(say):
    number = tagged("0.32", 0.3174, "estimates.csv:twfe/x:estimate")
    text = f"The average slope is {number} [0.1, 0.5] (independent errors)."
    assert number in say(text)
    assert plain(say(text)) == "平均斜率为 0.32 [0.1, 0.5]（独立误差）。"


def test_a_reading_is_the_sum_of_its_parts():
    assert added("ab", [Reading("a", 1, 2), Reading("b", 3, 4, 5)], covered=1) == Reading("ab", 4, 7, 5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("斜率 , 区间: 0.1", "斜率，区间：0.1"),
        ("斜率(95 % 区间)", "斜率（95% 区间）"),
        ("按GMM估计3次", "按 GMM 估计 3 次"),
        ("见[方法](#methods) 。", "见[方法](#methods)。"),
        ("用`a, b`计算", "用 `a, b` 计算"),
        ("P(> 0) 为0.9", "P(> 0) 为 0.9"),
        ("区间[-0.1, 0.2]", "区间 [-0.1, 0.2]"),
        ("plain, text: as it is", "plain, text: as it is"),
    ],
)
def test_typesetting(text, expected):
    assert typeset(text) == expected


def test_labels_of_figures_keep_to_their_width():
    assert wrapped("个体新息标准差的最大值与中位数之比，等等", 8) == "个体新息标准差的\n最大值与中位数之\n比，等等"
    assert wrapped("一二三四，五", 4) == "一二三四，\n五"
    label = "root mean square correlation\nof the innovations of two\nunits"
    shown = translated(unchanged, CHINESE, {})(label)
    assert shown.replace("\n", "") == "两个个体新息相关系数的均方根"
    assert max(map(len, shown.split("\n"))) <= 15


def test_places_of_a_message():
    message = Message("{a} of {b}", "{b} 的 {a}")
    assert message.pieces == (("", "a"), (" of ", "b"))
    assert message.filled({"a": "1", "b": "2"}) == "2 的 1"


# --- Pages


def texts_of(page):
    """What a reader sees, text by text: no code, drawings of figures, styles, scripts."""
    page = re.sub(r"<(style|script|code).*?</\1>|<figure id.*?</svg>", "", page, flags=re.DOTALL)
    parts = re.split(
        r"</?(?:p|t[dhr]|h\d|li|div|section|caption|figcaption|summary|span|d[dtl]|text|label)[^>]*>", page
    )
    return [html.unescape(re.sub(r"<[^>]+>", "", part)).strip() for part in parts]


def own_texts(study):
    """Sentences of the study itself, which it gives in English alone."""
    header = study.header
    found = [
        header.title,
        header.data_are,
        header.data_are_not,
        *header.doubts,
        *(claim.text for claim in study.claims),
    ]
    return [*found, *(table.title for table in study.tables), *(row.note for row in study.robustness)]


DECLARED = re.compile(  # names of software and its commands, of people and journals, of the study's own columns
    r"Kruschke, J. K.*|xtreg y .*|suest, vce\(cluster unit\)|other exposure|second exposure|one source|two step|"
    r"StataCorp, Longitudinal-Data/Panel-Data Reference Manual|wild bootstrap-t|Two steps"
)


@pytest.fixture(scope="module")
def chinese_page(tiny_run):
    page = report_page(tiny_run)
    say = translated(wording(tiny_run.study), CHINESE, study_words(tiny_run.study))
    return render_page(page, dict.fromkeys(page.figures, ""), say, CHINESE)


def test_no_english_sentence_of_ours_is_left(tiny_run, chinese_page):
    own = own_texts(tiny_run.study)
    left = []
    for text in texts_of(chinese_page[0]):
        for known in own:
            text = text.replace(known, "").replace(known.rstrip("."), "")
        if re.search(r"[A-Za-z]{2,} [a-z]{2,} [a-z]{2,}", DECLARED.sub("", text)):
            left.append(text)
    assert left == []


def test_the_chinese_page_says_so(chinese_page, tiny_run):
    document, markdown = chinese_page
    assert '<html lang="zh-Hans">' in document
    assert "Noto Sans CJK SC" in document
    assert "结果摘要" in document
    assert "## 结果摘要" in markdown
    assert document.count("data-ref") > 100


def test_references_are_those_of_the_english_page(chinese_page, tiny_run):
    page = report_page(tiny_run)
    english, _ = render_page(page, dict.fromkeys(page.figures, ""), wording(tiny_run.study))
    references = re.compile(r'<data value="([^"]*)" data-ref="([^"]*)"')
    assert sorted(references.findall(english)) == sorted(references.findall(chinese_page[0]))


def test_english_is_the_default(tiny_run):
    """A run without a language writes what it wrote before there were languages: nothing of them is in it."""
    before = (tiny_run.out / "report.html").read_text(encoding="utf-8")
    assert '<html lang="en">' in before
    assert not (tiny_run.out / "report.zh.md").exists()
    page = report_page(tiny_run)
    document, markdown = render_page(page, dict.fromkeys(page.figures, ""), wording(tiny_run.study))
    assert (tiny_run.out / "report.md").read_text(encoding="utf-8") == markdown
    figures = re.compile(r"(<figure id[^>]*>).*?<figcaption>", re.DOTALL)
    assert figures.sub(r"\1", before) == figures.sub(r"\1", document)
    assert not re.search(r"[\u4e00-\u9fff]", document)
    assert in_one_page({"en": document}) == document


def test_both_languages_are_on_one_page(tiny_run, tmp_path):
    few = replace(tiny_run, ledger=None, measurement=(), event_time=None, confounding=(), explored=(), choices={})
    write_report(few, tmp_path, "both")  # a part of the run: what takes time is drawing figures
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)
    assert page.count("<main") == 2
    assert (tmp_path / "report.md").read_text(encoding="utf-8").startswith("# A tiny study")
    assert "## 数据" in (tmp_path / "report.zh.md").read_text(encoding="utf-8")
    csv = {path.name for path in (tmp_path / "tables").glob("*.csv")}
    assert csv
    assert not list((tmp_path / "tables" / "zh").glob("*.csv"))
    tex = {path.stem for path in (tmp_path / "tables").glob("*.tex")}
    assert tex == {path.stem for path in (tmp_path / "tables" / "zh").glob("*.tex")}


def test_a_page_is_no_larger_than_it_may_be(chinese_page):
    document, _ = chinese_page
    assert len(document.encode()) < 1.5 * MEGABYTE
    assert len(in_one_page({"en": document, "zh": document}).encode()) < 3 * MEGABYTE


# --- The command


@pytest.mark.parametrize("command", [["run", "."], ["report", "."]])
def test_a_language_that_there_is_not_is_one_message_and_exit_2(command):
    done = CliRunner().invoke(cli, [*command, "--lang", "fr"])
    assert done.exit_code == 2
    assert "'fr' is not one of 'en', 'zh', 'both'" in done.output
    assert "Traceback" not in done.output


def test_a_language_that_there_is_not_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(SpecError, match="no report in 'fr'"):
        bn.pipeline.run_study(ROOT / "tests" / "studies" / "tiny", tmp_path / "out", language="fr")
    assert not (tmp_path / "out").exists()
    with pytest.raises(SpecError, match="there is no run here"):
        rerender(tmp_path, language="zh")


def test_the_default_study_has_every_text_in_chinese():
    study = bn.load_study(ROOT / "models" / "digital_trade")
    content = study.content
    for table in ("model", "robustness", "table"):
        for own in content[table]:
            assert own.get("title_zh"), own
    assert all(own["title_zh"] for own in content["variable"] if "title" in own)
    assert all(claim.text_zh for claim in study.claims)
    words = study_words(study)
    assert words["Beijing"] == "北京"
    assert words["Digital trade openness"] == "数字贸易开放度"
    assert words["[tile] BJ"] == "北京"
    assert words[study.header.data_are_not] == study.header.data_are_not_zh
