"""Tables for papers: both paradigms side by side, and every text as it was written in LaTeX, Word, HTML and Markdown.

`base.latex`, `base.tex_text`, `base.word` and `base.paper` write them.
"""

import io
import re
import shutil
import subprocess
import zipfile
from xml.etree import ElementTree

import docx
import pandas as pd
import pytest
from docx.oxml.ns import qn

import bayes_npp as bn
from bayes_npp.errors import EstimatesError, SpecError
from bayes_npp.estimates import Estimates, estimates_from_rows
from bayes_npp.reporting.base.blocks import Cards, Cell, card_table
from bayes_npp.reporting.base.cells import Table
from bayes_npp.reporting.base.latex import CHINESE, PACKAGES, latex
from bayes_npp.reporting.base.paper import paste
from bayes_npp.reporting.base.tex_text import escaped
from bayes_npp.reporting.base.word import word

NASTY = r"""50 % of $x_1$ & \input{/etc/passwd} #1 {a}~^ "quoted" 'q' <b> a--b | `code` [x] 🚀 数字贸易 λ ≥ 2"""


def row(term, estimate, spread, p=None, paradigm="frequentist", group="", estimand="coefficient", **more):
    bayesian = paradigm == "bayesian"
    own = {"term": term, "group": group, "estimand": estimand, "estimate": estimate, "spread": spread, "p_value": p}
    own |= {"lo": estimate - 2 * spread, "hi": estimate + 2 * spread, "paradigm": paradigm, "level": 0.95}
    own |= {"spread_kind": "sd" if bayesian else "se", "interval": "eti" if bayesian else "ci"}
    return {**own, "prob_positive": 0.9 if bayesian else None, **more}


def estimates(*rows, **shared):
    shared = {"outcome": "y", "sample": "all", "n_obs": 270, "n_units": 30, "n_periods": 9, **shared}
    return estimates_from_rows(rows, **shared)


@pytest.fixture
def least_squares():
    rows = (row("x", 0.316, 0.131, 0.023), row("z", -1.008, 0.476, 0.043), row("tiny", 0.000123, 0.0000456, 0.2))
    return estimates(*rows, estimator="TWFE", covariance="clustered by unit", convention="stata; t(29)")


@pytest.fixture
def posterior():
    rows = (
        row("x", 0.31, 0.12, paradigm="bayesian"),
        row("x", 0.615, 0.2, paradigm="bayesian", group="East", estimand="group_slope"),
        row("error_sd", 0.1, 0.01, paradigm="bayesian", estimand="scale"),
    )
    return estimates(*rows, estimator="hierarchical", covariance="iid errors", convention="priors: weakly_informative")


def cells(table):
    return [list(own) for own in table.frame.to_numpy()]


def test_standard_errors_stand_below_and_posteriors_have_intervals_and_no_stars(least_squares, posterior):
    shown = bn.table([least_squares, posterior], stars=True, title="Slopes")
    assert list(shown.frame.columns) == ["", "(1) TWFE", "(2) hierarchical"]
    assert cells(shown)[:3] == [["x", "0.316**", "0.310"], ["", "(0.131)", "(0.120)"], ["", "", "[0.070, 0.550]"]]
    assert ["z", "-1.008**", ""] in cells(shown)
    assert ["tiny", "0.000123", ""] in cells(shown)  # two digits of its standard error, however small
    assert ["x, East", "", "0.615"] in cells(shown)
    assert not any("error_sd" in own[0] for own in cells(shown))
    assert not any("*" in own[2] for own in cells(shown))
    assert ["Observations", "270", "270"] in cells(shown)
    notes = " ".join(shown.content.notes)
    assert "* p < 0.1, ** p < 0.05, *** p < 0.01. Posteriors have no p-values and no stars." in notes
    assert "(1): estimate, standard error in round brackets; clustered by unit; stata; t(29)." in notes
    assert "(2): posterior mean, posterior SD in round brackets, 95 % equal-tailed interval in square brackets" in notes
    assert "x, East: slope in the group, other coefficients and effects shared." in notes
    assert "*" not in "".join(own[1] for own in cells(bn.table([least_squares])))  # stars on request only


def test_stars_at_their_levels():
    levels = estimates(*(row(f"t{k}", 1.0, 0.5, p) for k, p in enumerate((0.2, 0.05, 0.0499, 0.0099, 0.0009))))
    assert [own[1].count("*") for own in cells(bn.table([levels], stars=True)) if own[1].startswith("1")] == [
        0,
        1,
        2,
        3,
        3,
    ]
    strict = [own[1].count("*") for own in cells(bn.table([levels], stars=[0.001])) if own[1].startswith("1")]
    assert strict == [0, 0, 0, 0, 1]


def test_rows_and_columns_are_chosen_and_named(least_squares, posterior):
    shown = bn.table(
        {"OLS": least_squares, "Bayes": posterior.frame},
        terms=["z", "x"],
        estimands=["coefficient"],
        labels={"x": "Openness", "y": "Forces"},
        intervals=True,
        digits=2,
        notes=["Own."],
    )
    assert list(shown.frame.columns) == ["", "(1) OLS", "(2) Bayes"]
    assert [own[0] for own in cells(shown)][:4] == ["z", "", "", "Openness"]
    assert ["", "[0.05, 0.58]", "[0.07, 0.55]"] in cells(shown)
    assert ["Outcome", "Forces", "Forces"] in cells(shown)
    assert shown.content.notes[-1] == "Own."


def test_estimands_that_share_a_term_are_told_apart_and_a_failed_sampler_is_named():
    note = "sampler: failed (R-hat)"
    rows = (
        row("x", 0.3, 0.1, paradigm="bayesian", estimand="average_slope", note=note),
        row("x", 0.2, 0.1, paradigm="bayesian", estimand="mean_group_slope", note=note),
        row(
            "m",
            float("nan"),
            0.1,
            paradigm="bayesian",
            estimand="indirect",
            note="withheld: the total may be zero; more",
        ),
    )
    shown = bn.table([estimates(*rows, estimator="hierarchical")])
    labels = [own[0] for own in cells(shown)]
    assert "x: average slope over observations" in labels
    assert "x: unweighted mean of the groups' slopes" in labels
    assert ["Sampler", "FAILED"] in cells(shown)
    assert ["m", "none"] in cells(shown)
    assert "(1), m: withheld: the total may be zero." in shown.content.notes
    assert "(1): the sampler failed its diagnostics; these numbers are not to be used." in shown.content.notes


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda own: bn.table([]), EstimatesError, "no result"),
        (lambda own: bn.table([3]), EstimatesError, "int has no estimates"),
        (lambda own: bn.table([own], terms=["xx"]), EstimatesError, "no result has the term 'xx'"),
        (lambda own: bn.table([own], estimands=["slope"]), EstimatesError, "no result has the estimand"),
        (lambda own: bn.table([own], stars=[0.01, 0.05]), SpecError, "stars"),
        (lambda own: bn.table([own], digits=9), SpecError, "digits"),
        (lambda own: bn.table([Estimates(pd.concat([own.frame] * 2))]), EstimatesError, "two rows"),
    ],
    ids=["nothing", "no estimates", "term", "estimand", "stars", "digits", "twice"],
)
def test_bad_input(call, error, said, least_squares):
    with pytest.raises(error, match=re.escape(said)):
        call(least_squares)


def test_columns_of_gmm_have_their_tests(produc):
    found, exact = (
        bn.difference_gmm(produc, outcome="lgsp", regressors=["L1.lgsp"], gmm=[("lgsp", 2, last)], collapse=True)
        for last in (4, 2)
    )
    shown = bn.table([found, exact])
    assert ["Instruments", str(found.diagnostics["n_instruments"]), "1"] in cells(shown)
    assert ["Hansen, p", f"{found.diagnostics['hansen_p']:.3f}", "none"] in cells(shown)
    reason = exact.diagnostics["not_computable"]["hansen"]
    assert f"(2), Hansen, p: {reason}." in shown.content.notes


def test_a_fit_of_each_paradigm(simulated, grouped_spec):
    fit = bn.fit(simulated, grouped_spec, draws=200, chains=2, seed=1)
    twfe = bn.twfe(simulated, grouped_spec)
    shown = bn.table([twfe, fit], stars=True)
    text = shown.to_markdown() + shown.to_latex() + shown.to_html() + shown.to_csv()
    own = twfe.select(group="north", estimand="group_slope").iloc[0]
    assert f"{own['estimate']:.3f}" in text
    assert f"({own['spread']:.3f})" in text
    assert repr(shown).splitlines()[0].startswith("Table: ")
    assert len(repr(shown).splitlines()) <= 10


# --- Texts


def test_latex_runs_no_text():
    text = escaped(NASTY)
    assert r"\textbackslash{}input\{/etc/passwd\}" in text
    assert r"50 \% of \$x\_1\$ \&" in text
    assert r"\#1 \{a\}\textasciitilde{}\textasciicircum{}" in text
    assert r"``quoted'' `{}q'{} \textless{}b\textgreater{} a-{}-b \textbar{}" in text
    assert r"{[}rocket] 数字贸易 $\lambda$ $\geq$ 2" in text
    assert re.sub(r"\\(textbackslash|textasciitilde|textasciicircum|textless|textgreater|textbar)\{\}", "", text).count(
        "\\"
    ) == len(re.findall(r"\\[%$_&#{}]|\\(?:textasciigrave|lambda|geq)", text))


def nasty_table(rows=2):
    frame = pd.DataFrame([[NASTY, "0.316 (0.131) [p = 0.023]", "-12.5**"], ["[x", "0.1 (0.02)", ""]] * (rows // 2))
    frame.columns = ["", "a & b", r"\input{x}"]
    return Table("nasty_table", f"Table 2. {NASTY}", frame, (f"[note] {NASTY}",), rules=(1,))


def test_latex_has_rules_notes_columns_of_numbers_and_a_label():
    text = latex(nasty_table())
    assert text.startswith(f"% {PACKAGES}{CHINESE}")
    for part in (r"\toprule", r"\midrule", r"\bottomrule", r"\begin{threeparttable}", r"\begin{tablenotes}", "S[table"):
        assert part in text
    assert r"\label{tab:nasty-table}" in text
    assert r"\caption{50 \% of" in text  # LaTeX numbers its tables itself
    assert "0.316 & -12.5{**} \\\\*\n & {(}0.131{)} &  \\\\*\n & {{[}p = 0.023]} &  \\\\" in text
    assert r"\midrule" + "\n{[}x & 0.1" in text
    interval = latex(Table("t", "", pd.DataFrame({"": ["x"], "1": ["[-0.0008, 0.0317]"], "2": ["-0.5"]})))
    assert "[}$-$0.0008, 0.0317]" in interval  # a true minus, on one line
    assert r"\label{tab:own}" in latex(nasty_table(), "tab:own")
    tall = latex(nasty_table(60))
    assert r"\begin{longtable}" in tall
    assert tall.count(r"\toprule") == 2  # again on every page
    assert r"\insertTableNotes" in tall


def test_word_has_three_lines_a_repeated_header_and_fonts():
    content = word(nasty_table())
    assert content == word(nasty_table())  # the same table is the same file
    document = docx.Document(io.BytesIO(content))
    (table,) = document.tables
    assert [cell.text for cell in table.rows[1].cells] == [NASTY.replace("`", ""), "0.316", "\u221212.5**"]
    assert [cell.text for cell in table.rows[2].cells] == ["", "(0.131)", ""]
    body = ElementTree.fromstring(zipfile.ZipFile(io.BytesIO(content)).read("word/document.xml"))
    rows = body.findall(f".//{qn('w:tr')}")
    assert [row.find(f".//{qn('w:tblHeader')}") is not None for row in rows] == [True, *[False] * 5]
    assert [len(row.findall(f".//{qn('w:top')}")) for row in rows] == [3, 3, 0, 0, 3, 0]
    assert [len(row.findall(f".//{qn('w:bottom')}")) for row in rows] == [0, 0, 0, 0, 0, 3]
    assert document.styles["Normal"].element.rPr.rFonts.get(qn("w:eastAsia")) == "SimSun"
    assert document.paragraphs[-1].text == f"[note] {NASTY}".replace("`", "")
    word(Table("odd", "a\x00b\ud800", pd.DataFrame({"\x07": ["\x1b"]})))  # signs that XML does not know


def test_html_to_paste_is_escaped():
    text = paste(nasty_table())
    assert "&lt;b&gt;" in text
    assert "<b>" not in text
    assert "\u221212.5**" in text


def test_cards_become_text_cells():
    row = (Cell("It rises.", ("H1",)), Cell("0.9"))
    cards = Cards(
        "sof", "Summary", (("Claim", ""), ("P", "")), (("", row), ("why", (Cell("Why", ("It is so.",)),))), (50, 50)
    )
    assert cells(card_table(cards)) == [["It rises; H1", "0.9; Why; It is so."]]


# --- Every table of a run


def test_every_table_of_a_run_in_every_form(tiny_run):
    folder = tiny_run.out / "tables"
    names = {path.stem for path in folder.glob("*.csv")}
    assert {"table_2", "sof", "why", "claims"} <= names
    for ending in ("tex", "docx", "html", "md"):
        assert {path.stem for path in folder.glob(f"*.{ending}")} == names
    (shown,) = docx.Document(folder / "table_2.docx").tables
    frame = pd.read_csv(folder / "table_2.csv", dtype=str).fillna("")
    estimate = re.match(r"\S+", frame.iloc[0, 2])[0]
    assert shown.rows[1].cells[1].text.replace("\u2212", "-") == estimate


# --- Typeset


def run(*command, cwd):
    done = subprocess.run(command, cwd=cwd, capture_output=True, check=False, timeout=500)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-3000:]
    return done.stdout.decode(errors="replace")


def typeset_chinese(tex, folder):
    """What XeLaTeX says of a table in a document of its own, set twice; the document is all.pdf."""
    (folder / "own.tex").write_text(tex, encoding="utf-8")
    fonts = r"\usepackage{xeCJK}\setCJKmainfont{FandolSong-Regular.otf}"
    (folder / "all.tex").write_text(document(["own"], fonts), encoding="utf-8")
    for _ in range(2):
        log = run("xelatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex", cwd=folder)
    return log


def document(fragments, chinese=""):
    body = "\n".join(rf"\input{{{name}}}\clearpage" for name in fragments)
    margins = r"\usepackage[a4paper,margin=2cm]{geometry}"
    return rf"\documentclass{{article}}{margins}{PACKAGES}{chinese}\begin{{document}}{body}\end{{document}}"


@pytest.mark.typeset
@pytest.mark.slow(minutes=2)
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="LaTeX is not installed")
def test_every_table_of_a_run_compiles(tiny_run, tmp_path):
    """With pdflatex, all in one document, twice for the longtables; every caption is in the text of the pages."""
    folder = tiny_run.out / "tables"
    names = sorted(path.stem for path in folder.glob("*.tex"))
    for name in names:
        shutil.copy(folder / f"{name}.tex", tmp_path)
    (tmp_path / "all.tex").write_text(document(names), encoding="utf-8")
    for _ in range(2):
        log = run("pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex", cwd=tmp_path)
    assert "undefined" not in log.lower()
    text = run("pdftotext", "all.pdf", "-", cwd=tmp_path)
    assert len(re.findall(r"(?:^|[\n\f])Table \d+: ", text)) == len(names)


@pytest.mark.typeset
@pytest.mark.slow(minutes=2)
@pytest.mark.skipif(shutil.which("xelatex") is None, reason="XeLaTeX is not installed")
@pytest.mark.parametrize("rows", [2, 60], ids=["float", "longtable"])
def test_chinese_and_special_signs_are_printed(rows, tmp_path):
    typeset_chinese(latex(nasty_table(rows)), tmp_path)
    text = re.sub(r"\s+", "", run("pdftotext", "all.pdf", "-", cwd=tmp_path))
    for part in (r"\input{/etc/passwd}", "数字贸易", "50%of$x_1$&", "[rocket]", "“quoted”", "−12.5**", "(0.131)"):
        assert part in text, part


@pytest.mark.typeset
@pytest.mark.slow(minutes=2)
@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
def test_word_opens_and_repeats_its_header(tmp_path):
    (tmp_path / "nasty.docx").write_bytes(word(nasty_table(60)))
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    run("soffice", profile, "--headless", "--convert-to", "pdf", "nasty.docx", cwd=tmp_path)
    pages = run("pdftotext", "-layout", "nasty.pdf", "-", cwd=tmp_path).rstrip("\f").split("\f")
    assert len(pages) > 1
    assert all("a&b\\input{x}" in re.sub(r"\s+", "", page) for page in pages[:-1])
    assert "数字贸易" in pages[0]
    assert r"\input{/etc/passwd}" in re.sub(r"\s+", "", pages[0])
