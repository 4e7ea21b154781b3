"""Chinese beside the report: pages of several runs, audits, tables for papers, how they are set in LaTeX and Word."""

import re
import shutil
from types import SimpleNamespace

import click
import docx
import pandas as pd
import pytest
from click.testing import CliRunner
from docx.oxml.ns import qn

import bayes_npp as bn
from bayes_npp.cli import cli
from bayes_npp.commands.speaking import end, say_fits, speaking
from bayes_npp.errors import SpecError
from bayes_npp.estimates import estimates_from_rows
from bayes_npp.pipeline import language_of
from bayes_npp.reporting.base.cells import Table
from bayes_npp.reporting.base.chinese import typeset
from bayes_npp.reporting.base.latex import latex
from bayes_npp.reporting.base.rendering import drawn
from bayes_npp.reporting.base.study_words import study_words
from bayes_npp.reporting.base.tex_text import letters_wide, words_of
from bayes_npp.reporting.base.translation import said_in
from bayes_npp.reporting.base.word import word
from bayes_npp.reporting.base.wording import wording
from bayes_npp.reporting.report import last_words
from bayes_npp.store import write_sealed_json
from bayes_npp.study.study import load_study
from tests.auditing.published import FOUNDING, table, write
from tests.conftest import ROOT
from tests.reporting.test_publication import row, typeset_chinese
from tests.reporting.test_run_comparison import H1, H2, text_of, write_run

ENGLISH = re.compile(r"[A-Za-z]{2,} [a-z]{2,} [a-z]{2,}")
NAMES = re.compile(
    r"high vitality|low vitality|business_environment|digital_trade/published\.csv|\(Spiegelhalter[^)]*\)"
)


# --- Several runs


def test_runs_are_compared_in_chinese(tmp_path):
    one = write_run(tmp_path / "one", [H1, H2])
    other = write_run(tmp_path / "two", [("H1", H1[1], 0.32, 0.1, 0.9, "contradicted", -0.5, -1.25, 0.25)])
    (other / "claims.csv").write_text((other / "claims.csv").read_text(encoding="utf-8") + "\n", encoding="utf-8")
    out = tmp_path / "page.html"
    done = CliRunner().invoke(cli, ["compare", str(one), str(other), "--out", str(out), "--lang", "zh"])
    assert done.exit_code == 0
    text = text_of(out)
    bare = text.replace(" ", "")
    for part in ("2次运行对照", "未定；0.65（0.07至>0.999）；0.009[-0.021,0.046]", "被否定；0.32", "没有这条论断"):
        assert part in bare
    assert "论断 one two" in text  # names of folders are nobody's words
    assert "two：claims.csv 与运行时写出的不一致" in text
    assert not ENGLISH.search(text.replace(H1[1], ""))
    assert '<html lang="zh-Hans">' in out.read_text(encoding="utf-8")


def test_runs_are_compared_in_both_languages_on_one_page(tmp_path):
    runs = [str(write_run(tmp_path / name, [H1])) for name in ("one", "two")]
    out = tmp_path / "page.html"
    assert CliRunner().invoke(cli, ["compare", *runs, "--out", str(out), "--lang", "both"]).exit_code == 0
    page = out.read_text(encoding="utf-8")
    assert page.count("<main") == 2
    assert "2 runs side by side" in page
    assert "各研究文件逐键相同" in page
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_claims_are_compared_in_the_words_of_their_study(tmp_path):
    one = write_run(tmp_path / "one", [H1], **{'text = "': 'text_zh = "越多越高。"\ntext = "'})
    claim = load_study(tmp_path / "study_of_one").claims[0]
    own = pd.read_csv(one / "claims.csv")
    own.assign(text=claim.text).to_csv(one / "claims.csv", index=False)
    out = tmp_path / "page.html"
    assert CliRunner().invoke(cli, ["compare", str(one), "--out", str(out), "--lang", "zh"]).exit_code == 0
    assert "越多越高。" in text_of(out)


# --- Audits


def test_an_audit_in_chinese(tmp_path):
    done = CliRunner().invoke(cli, ["audit", str(FOUNDING), "--out", str(tmp_path), "--lang", "zh"])
    assert done.exit_code == 0
    page = (tmp_path / "audit.md").read_text(encoding="utf-8")
    for text in (done.stdout, page):
        lines = [line for line in text.splitlines() if ENGLISH.search(NAMES.sub("", re.sub(r"`[^`]*`", "", line)))]
        assert lines == []
    assert page.startswith("# 对已发表数字的审查")
    assert "- 共 17 行已发表的结果，其中 6 行印有系数和能界定其标准误的内容。11 行没有印出系数。" in done.stdout
    assert "的标准误不能超过 0.02618（按所印数字，它不低于 0.02614）" in done.stdout
    assert "因此长期为 0.416 / (1 - 0.306) = 0.599，delta 方法标准误至多 0.335" in done.stdout
    assert "怀疑先验" in (tmp_path / "audit.html").read_text(encoding="utf-8")
    assert "0.975" in page


def test_what_contradicts_itself_is_said_in_chinese(tmp_path):
    path = write(tmp_path, table({"estimate": "0.5", "t": "1.2", "significance": "p<0.01", "sample": "all"}))
    told = bn.audit(path, language="zh").said
    assert any("t 1.2 与显著性 p<0.01 不符（正态参照分布）" in line for line in told)
    assert any(line.startswith("警告。") for line in told)
    english = bn.audit(path)
    assert english.said == tuple(map(str, english.sentences))


def test_an_audit_in_both_languages(tmp_path):
    found = bn.audit(FOUNDING, out=tmp_path, language="both")
    assert found.said[0].startswith("17 published rows")
    assert (tmp_path / "audit.md").read_text(encoding="utf-8").startswith("# Audit of published numbers")
    assert (tmp_path / "audit.zh.md").read_text(encoding="utf-8").startswith("# 对已发表数字的审查")
    assert (tmp_path / "figures" / "zh" / "audit_posteriors.png").is_file()
    assert (tmp_path / "audit.html").read_text(encoding="utf-8").count("<main") == 2
    with pytest.raises(SpecError, match="no report in 'fr'"):
        bn.audit(FOUNDING, language="fr")


# --- Tables for papers


def estimates(*rows, **shared):
    shared = {"outcome": "y", "sample": "all", "n_obs": 270, "n_units": 30, "n_periods": 9, **shared}
    return estimates_from_rows(rows, **shared)


@pytest.fixture
def models():
    ols = estimates(
        row("x", 0.316, 0.131, 0.023), estimator="TWFE", covariance="clustered by unit", convention="stata; t(29)"
    )
    bayes = estimates(
        row("x", 0.31, 0.12, paradigm="bayesian"),
        row("x", 0.6, 0.2, paradigm="bayesian", group="East", estimand="group_slope"),
        estimator="hierarchical",
        covariance="ar1+unit_scale errors",
        convention="priors: weakly_informative",
    )
    return {"基准回归": ols, "层级模型": bayes}


def test_a_table_in_chinese(models):
    own = bn.table(models, title="开放与生产率", labels={"x": "开放度", "East": "东部"}, stars=True, language="zh")
    frame = own.frame.set_index("")
    assert list(frame.index) == [
        *("开放度", "", "", "开放度，东部", "", "", "被解释变量", "估计方法", "误差", "观测数", "个体", "时期")
    ]
    assert frame.loc["误差"].to_list() == ["按个体聚类", "误差在个体内逐期持续和各个体误差大小不同"]
    assert frame.iloc[0].to_list() == ["0.316**", "0.310"]
    text = own.to_markdown()
    assert "(1)：估计值，圆括号内为标准误；按个体聚类；stata；t(29)。" in text
    assert "(2)：后验均值，圆括号内为后验标准差，方括号内为 95% 等尾可信区间" in text
    assert r"\* p < 0.1，\*\* p < 0.05，\*\*\* p < 0.01。后验没有 p 值，不标星号。" in text
    assert not ENGLISH.search(text)
    for form in (own.to_html(), own.to_latex()):
        assert "圆括号内为标准误" in form
    assert "xeCJK" in own.to_latex().splitlines()[0]


def test_a_table_is_english_unless_asked(models):
    assert bn.table(models).to_csv() == bn.table(models, language="en").to_csv()
    with pytest.raises(SpecError, match="no table in 'both'"):
        bn.table(models, language="both")


# --- Chinese text in LaTeX and Word

SENTENCE = "没有长期效应：被解释变量滞后项系数之和为 1.115，不小于 1，因此这里没有数字可以印出"


def wide_table(rows=3):
    frame = pd.DataFrame(
        {"": [f"第 {k} 行" for k in range(rows)], "(1)": ["0.12 (0.03)"] * rows, "说明": [SENTENCE * 2] * rows}
    )
    return Table(
        "chinese", "表 3 中文长句", frame.assign(**{"(2)": ["1.5"] * (rows - 1) + [SENTENCE[:30]]}), (SENTENCE,)
    )


def test_chinese_is_broken_between_characters():
    assert words_of("不小于 1；因此。") == ["不", "小", "于", "1", "；", "因", "此。"]
    assert "".join(words_of("a bc 中文，x", blanks=True)) == "a bc 中文，x"
    assert letters_wide("中a") == 3


def test_chinese_columns_fit_the_line():
    text = latex(wide_table())
    shares = [float(share) for share in re.findall(r"dimexpr ([\d.]+)\\linewidth", text)]
    assert shares
    assert sum(shares) < 1
    assert r"\caption{中文长句}" in text  # LaTeX numbers its tables itself
    assert "接下页" in latex(wide_table(80))
    assert "continued" not in latex(wide_table(80))


def test_word_knows_which_chinese(tmp_path):
    path = tmp_path / "table.docx"
    path.write_bytes(word(wide_table()))
    document_ = docx.Document(path)
    language = document_.styles["Normal"].element.rPr.find(qn("w:lang"))
    assert language.get(qn("w:eastAsia")) == "zh-CN"
    drawn = document_.tables[0]
    asked = [cell.width for cell in drawn.rows[0].cells]
    assert asked[2] > asked[1]
    section = document_.sections[0]
    assert sum(asked) <= section.page_width - section.left_margin - section.right_margin
    assert drawn.rows[1].cells[0].paragraphs[0].paragraph_format.keep_with_next  # its standard error is below


@pytest.mark.parametrize("columns", [1, 8, 30])
def test_word_breaks_no_number_beside_long_texts(columns, tmp_path):
    """A narrow column has room for its longest word; what is more than the line holds stays within it."""
    frame = pd.DataFrame({f"text {k}": [SENTENCE * 3] for k in range(columns)} | {"P": ["0.440"]})
    path = tmp_path / "table.docx"
    path.write_bytes(word(Table("wide", "A", frame)))
    document_ = docx.Document(path)
    widths = [cell.width for cell in document_.tables[0].rows[0].cells]
    section = document_.sections[0]
    assert sum(widths) <= section.page_width - section.left_margin - section.right_margin
    if columns < 30:
        assert widths[-1] >= docx.shared.Pt(5.5) * len("0.440")


@pytest.mark.typeset
@pytest.mark.slow(minutes=1)
@pytest.mark.skipif(shutil.which("xelatex") is None, reason="XeLaTeX is not installed")
@pytest.mark.parametrize("rows", [3, 80], ids=["float", "longtable"])
def test_long_chinese_stays_on_the_page(rows, tmp_path):
    log = typeset_chinese(latex(wide_table(rows)), tmp_path)
    wide = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log)]
    assert max(wide, default=0) < 12


# --- The studies that travel with the package


def test_the_replication_has_every_text_in_chinese():
    study = load_study(ROOT / "models" / "fiscal_tfp")
    header = study.header
    assert all((header.title_zh, header.data_are_zh, header.data_are_not_zh, header.doubts_zh))
    assert all(own.get("title_zh") for own in study.content["model"])
    words = study_words(study)
    for name in (study.roles.outcome, study.roles.exposure, *study.roles.controls, *study.roles.mediators):
        assert words[name]
        assert words[name.replace("_", " ")] == words[name]
    assert words["East"] == "东部"


# --- What the last lines of a run say, and texts that were read badly once


def test_the_last_lines_of_a_run(capsys):
    click.command()(speaking(lambda: None)).main([], standalone_mode=False)  # a test before may have asked for quiet
    study = load_study(ROOT / "models" / "fiscal_tfp")
    told = last_words(SimpleNamespace(study=study), "zh")
    checked = "sampler: passed; errors: failed 3 of 4 checks (spread by unit 3.40, the model makes 1.32 to 1.97)"
    say_fits((SimpleNamespace(model="steps", verdict=checked, reused=True),), told)
    with pytest.raises(SystemExit):
        end(("steps: sampler diagnostics failed",), told)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == (
        "steps: 抽样：通过；误差：4 项检验中有 3 项未通过（个体间离散为 3.40，模型产生 1.32 至 1.97）（已存的拟合）"
    )
    assert lines[1] == "未通过: steps: 抽样未通过诊断"
    assert told("negligible but fragile (probability > 0.999)") == "可忽略但不稳健（概率 > 0.999）"
    for language in ("en", "both"):
        assert last_words(SimpleNamespace(study=study), language)(checked) == checked


def test_the_language_of_a_run_is_known_from_its_folder(tmp_path):
    """`report` without --lang says its last lines in it."""
    for settings, language in (({}, "en"), ({"language": "zh"}, "zh")):
        write_sealed_json(tmp_path / "manifest.json", {"settings": settings})
        assert language_of(tmp_path) == language


@pytest.fixture(scope="module")
def say():
    study = load_study(ROOT / "models" / "digital_trade")
    return said_in("zh", wording(study), study_words(study))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.32 [0.1, 0.5]; P(> 0) > 0.999", "0.32 [0.1, 0.5]；P(> 0) > 0.999"),
        ("164.05, F(1, 29)", "164.05，F(1, 29)"),
        ("17.4 %", "17.4%"),
        ("indirect -0.0024 [-0.006, 0.0012], p = 0.195", "间接 -0.0024 [-0.006, 0.0012]，p = 0.195"),
        ("serial correlation (0.754), spread by unit (3.881)", "序列相关（0.754）、个体间离散（3.881）"),
        ("supported (P(> 0) = 0.4)", "得到支持（P(> 0) = 0.4）"),
        (
            "openness in twfe, twfe_wild_bootstrap: average slope, weighted as two-way fixed effects weight it.",
            "双向固定效应、双向固定效应，wild 自助法中的数字贸易开放度：平均斜率，按双向固定效应的权重。",
        ),
        (
            "Hierarchical model with slopes by region, errors persist within a province, each province its own error "
            "size and one common factor",
            "斜率按地区的层级模型（误差在省份内逐期持续、各省份误差大小不同和一个共同因子）",
        ),
        (
            "Errors persist within a province, each province its own error size and one common factor",
            "误差在省份内逐期持续、各省份误差大小不同和一个共同因子",
        ),
        ("two-way fixed effects, winsorised", "双向固定效应（缩尾）"),
        ("Mechanism: mechanism", "机制：误差独立的机制模型"),
        ("hierarchical, dynamic", "动态层级模型"),
        ("rd_basic_exp_10k_cny", "基础研究经费内部支出"),
        ("correlation with the error of the last year", "correlation with the error of the last year"),
    ],
)
def test_readings(say, text, expected):
    assert say(text) == expected


def test_a_word_may_mean_something_else_in_a_column(say):
    assert say("positive", "direction") == "正向"
    assert say("positive") == "为正"
    assert say("pca", "method") == "第一主成分"
    assert say("entropy", "method") == "熵值法"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("个体与上一年份误差的相关系数", "个体与上一年误差的相关系数"),
        ("约偏低 (1 + rho) / 7", "约偏低 (1 + rho) / 7"),
        ("符号（P(> 0)不低于0.975）", "符号（P(> 0) 不低于 0.975）"),
        ("总效应的区间[0.1, 0.2]含零", "总效应的区间 [0.1, 0.2] 含零"),
        ("个体内AR(1)误差", "个体内 AR(1) 误差"),
        ("自由度 29; 270 个观测", "自由度 29；270 个观测"),
        ("见[方法](#methods)一节", "见[方法](#methods)一节"),
    ],
)
def test_typesetting_of_formulas(text, expected):
    assert typeset(text) == expected


def test_initials_on_tiles_are_read_as_units(say):
    drawing = (
        '<text class="ink short" x="1" y="18" text-anchor="middle">SD</text>'
        '<text class="ink" x="1" y="33" text-anchor="middle">5</text>'
    )
    assert ">山东<" in drawn(drawing, say, "zh")
    assert ">5<" in drawn(drawing, say, "zh")
    assert say("SD of province effects and SD of period effects") == "省份效应的标准差和时期效应的标准差"
