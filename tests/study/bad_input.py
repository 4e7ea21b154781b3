"""A small study, and ways to spoil it: each an edit of its folder, and words of the one line that must follow."""

from io import BytesIO

import numpy as np
import pandas as pd

from bayes_npp.study.published import COLUMNS

STUDY = """
[study]
title = "A small study"
panel = "panel.csv"
unit = "unit"
time = "year"
group = "group"
window = [2014, 2018]
published = "published.csv"

[roles]
outcome = "output"
exposure = "ln_trade"
controls = ["density"]

[[variable]]
name = "ln_trade"
log = "trade"

[[model]]
name = "twfe"
kind = "twfe"
"""
HIERARCHICAL = '\n[[model]]\nname = "bayes"\nkind = "hierarchical"\npriors = "{}"\n'
LAGS = '\n[[model]]\nname = "lags"\nkind = "dynamic_within"\n'
FIXED = 'unit_effects = "fixed"\ntime_effects = "fixed"\ncorrelated_means = false\n'
CLAIM = '\n[[claim]]\nid = "C"\ntext = "So."\nproposition = "slope > 0"\nmodel = "bayes"\n'
PRIORS = """name = "mine"

""" + "\n".join(
    f'[prior.{slot}]\nfamily = "{family}"\n{"mu = 0.0\n" if family == "normal" else ""}sigma = 1.0\nreason = "{slot}"\n'
    for family, slots in {
        "normal": ("exposure", "controls", "intercept", "between"),
        "half_normal": ("slope_sd", "unit_sd", "time_sd", "error_sd"),
    }.items()
    for slot in slots
)


def write_base(folder):
    random = np.random.default_rng(7)
    units, years = 6, range(2014, 2019)
    n = units * len(years)
    frame = pd.DataFrame(
        {
            "unit": np.repeat([f"unit {letter}" for letter in "ABCDEF"], len(years)),
            "year": np.tile(years, units),
            "group": np.repeat(["north", "south"], n // 2),
            "output": random.normal(size=n).round(3),
            "trade": random.uniform(1, 9, n).round(3),
            "density": random.normal(size=n).round(3),
            "area": np.repeat(random.uniform(1, 9, units).round(3), len(years)),
            "one": 1,
        }
    )
    frame["twice"] = 2 * frame["density"]
    frame.to_csv(folder / "panel.csv", index=False)
    folder.joinpath("study.toml").write_text(STUDY, encoding="utf-8")
    folder.joinpath("published.csv").write_text(",".join(COLUMNS) + "\n", encoding="utf-8")


def toml(old, new, *, then=None):
    """Replace text of the study file, and do another edit."""

    def edit(folder):
        path = folder / "study.toml"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")
        if then:
            then(folder)

    return edit


def add(text, *, then=None):
    return toml(STUDY, STUDY + text, then=then)


def cell(column, value, row=8):
    """Put a value in a cell of panel.csv; the header is row 1."""

    def edit(folder):
        frame = pd.read_csv(folder / "panel.csv").astype(object)
        frame.loc[row - 2, column] = value
        frame.to_csv(folder / "panel.csv", index=False)

    return edit


def text(change, name="panel.csv"):
    """Change the text of a file."""

    def edit(folder):
        path = folder / name
        path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")

    return edit


def panel_file(name, content):
    """Another panel file with these bytes, named in the study."""
    return toml('"panel.csv"', f'"{name}"', then=lambda folder: folder.joinpath(name).write_bytes(content))


def prior_file(old, new):
    content = PRIORS.replace(old, new)
    assert content != PRIORS
    return add(
        HIERARCHICAL.format("mine.toml"),
        then=lambda folder: folder.joinpath("mine.toml").write_text(content, encoding="utf-8"),
    )


def truncated(writer):
    buffer = BytesIO()
    getattr(pd.DataFrame({"unit": ["A"], "year": [2014]}), writer)(buffer, index=False)
    return buffer.getvalue()[:-40]


def damaged_xlsx():
    buffer = BytesIO()
    pd.DataFrame(np.random.default_rng(1).normal(size=(50, 4))).to_excel(buffer, index=False)
    content = bytearray(buffer.getvalue())
    sheet = content.index(b"xl/worksheets/sheet1.xml") + 60
    content[sheet : sheet + 40] = b"\xff" * 40
    return bytes(content)


def duplicate_year(lines):
    lines = lines.splitlines()
    return "\n".join([*lines, lines[7]]) + "\n"


PANEL = "panel.csv"
ROW_8 = "panel.csv, row 8"

BAD = {
    # the panel file
    "missing file": (lambda folder: (folder / PANEL).unlink(), [PANEL, "does not exist"]),
    "missing file of the study": (lambda folder: (folder / "study.toml").unlink(), ["there is no study here"]),
    "unknown kind of file": (panel_file("panel.rds", b"x"), ["panel.rds", "'.rds'", ".csv"]),
    "old Excel file": (panel_file("panel.xls", b"x"), ["panel.xls", "'.xls'", ".xlsx"]),
    "broken Parquet": (panel_file("panel.parquet", truncated("to_parquet")), ["panel.parquet", "Parquet"]),
    "text named Parquet": (panel_file("panel.parquet", b"unit,year\nA,1\n"), ["panel.parquet", "Parquet"]),
    "truncated Excel": (panel_file("panel.xlsx", truncated("to_excel")), ["panel.xlsx", "Excel"]),
    "damaged Excel": (panel_file("panel.xlsx", damaged_xlsx()), ["panel.xlsx", "Excel"]),
    "broken Stata": (panel_file("panel.dta", b"<stata_dta><header>"), ["panel.dta", "Stata"]),
    "empty CSV": (text(lambda content: ""), [PANEL, "cannot be read"]),
    "header only": (text(lambda content: content.splitlines()[0] + "\n"), [PANEL, "no rows"]),
    "semicolons in the header": (text(lambda content: content.replace(",", ";", 9)), [PANEL, "row 2", "cells"]),
    "GB18030": (
        lambda folder: folder.joinpath(PANEL).write_bytes(
            folder.joinpath(PANEL).read_text(encoding="utf-8").replace("unit A", "北京").encode("gb18030")
        ),
        [PANEL, "not utf-8 text", "gb18030"],
    ),
    "header column twice": (
        text(lambda content: content.replace("density", "output", 1)),
        ["panel.csv, row 1", "'output'"],
    ),
    "extra cell": (text(lambda content: content.replace("\n", ",\n").replace(",\n", "\n", 1)), ["row 2", "10 cells"]),
    "unclosed quote": (text(lambda content: content + '"unit Z'), [PANEL, "cannot be read"]),
    # keys
    "unit-period rows twice": (text(duplicate_year), ["panel.csv, rows 8 and 32", "unit B 2015"]),
    "blank unit": (cell("unit", None), [ROW_8, "'unit'"]),
    "unit of spaces": (cell("unit", "  "), [ROW_8, "'unit'"]),
    "unit in another case": (cell("unit", "Unit B"), ["panel.csv, rows 7 and 8", "'unit B'", "'Unit B'", "case"]),
    "blank period": (cell("year", None), [ROW_8, "'year'"]),
    "fractional period": (cell("year", 2014.5), [ROW_8, "'year'", "2014.5"]),
    "text period": (cell("year", "2015年"), [ROW_8, "'year'", "2015年"]),
    "infinite period": (cell("year", "inf"), [ROW_8, "'year'", "inf"]),
    "period of 400 digits": (cell("year", "9" * 400), [ROW_8, "'year'", "not a whole number"]),
    "huge period": (cell("year", 1e30), [ROW_8, "'year'", "1e+30"]),
    "group varies within a unit": (cell("group", "south"), [ROW_8, "unit B", "north", "south"]),
    "blank group": (cell("group", None), [ROW_8, "'group'"]),
    "unknown unit column": (toml('"unit"', '"units"'), [PANEL, "'units'", "'unit'"]),
    "unknown group column": (toml('"group"', '"grup"'), [PANEL, "'grup'", "'group'"]),
    # values
    "infinity": (cell("density", "-inf"), [ROW_8, "'density'"]),
    "text in a role": (cell("density", "n/k"), [ROW_8, "unit B 2015", "'density'", "'n/k'"]),
    "text in a variable": (cell("trade", "1,5"), [ROW_8, "'trade'", "'1,5'", "'ln_trade'"]),
    "blank outcome": (toml('"output"', '"gap"', then=cell("gap", None)), ["'gap'", "blank"]),
    "constant control": (toml('["density"]', '["one"]'), ["'one'", "constant"]),
    # window
    "window without rows": (toml("[2014, 2018]", "[2000, 2005]"), [PANEL, "2000 to 2005", "2014 to 2018"]),
    "reversed window": (toml("[2014, 2018]", "[2018, 2014]"), ["(2018, 2014)"]),
    "window of three": (toml("[2014, 2018]", "[2014, 2016, 2018]"), ["[study]", "'window'"]),
    "window of one period": (toml("[2014, 2018]", "[2014, 2014]"), ["'twfe'", "periods"]),
    "window as text": (toml("[2014, 2018]", '"2014"'), ["[study]", "'window'", "'2014'"]),
    # study file
    "invalid TOML": (toml('"panel.csv"', "panel.csv"), ["study.toml", "not valid TOML", "line 4"]),
    "study not UTF-8": (
        lambda folder: folder.joinpath("study.toml").write_bytes(STUDY.replace("A small", "北京").encode("gb18030")),
        ["study.toml", "not valid TOML"],
    ),
    "unknown table": (toml("[[model]]", "[[modle]]"), ["study.toml", "[modle]", "'model'"]),
    "missing table": (lambda folder: text(lambda t: t[: t.index("[[model]]")], "study.toml")(folder), ["[model]"]),
    "model as one table": (toml("[[model]]", "[model]"), ["study.toml", "[[model]]"]),
    "study as a number": (toml("[study]", "study = 5\n[roles.x]"), ["study.toml", "table of keys"]),
    "unknown key of the study": (toml("window =", "widow ="), ["study.toml, [study]", "'widow'", "'window'"]),
    "key that Python reserves": (toml("window =", "self ="), ["study.toml, [study]", "'self'"]),
    "key with a line break": (toml("window =", '"win\\ndow" ='), ["study.toml, [study]"]),
    "missing key": (toml('unit = "unit"\n', ""), ["study.toml, [study]", "'unit'"]),
    "unknown key of the roles": (toml("exposure =", "exposition ="), ["[roles]", "'exposure'"]),
    "unknown column in a role": (toml('"output"', '"outputs"'), ["[roles] outcome", "'outputs'", "'output'"]),
    "unknown mediator": (
        toml('["density"]', '["density"]\nmediators = ["areas"]'),
        ["[roles] mediators", "'areas'", "'area'"],
    ),
    "column in two roles": (toml('["density"]', '["output"]'), ["'twfe'", "'output'", "two roles"]),
    "title as a number": (toml('"A small study"', "5"), ["[study]", "'title'", "5"]),
    # variables
    "unknown column in a variable": (toml('log = "trade"', 'log = "trad"'), ["'ln_trade'", "'trad'", "'trade'"]),
    "unknown transform": (toml("log =", "logg ="), ["[[variable]] 1", "'ln_trade'", "'log'"]),
    "two transforms": (toml('log = "trade"', 'log = "trade"\nlag = "trade"'), ["[[variable]] 1", "log, lag"]),
    "unknown option": (toml('log = "trade"', 'lag = "trade"\nperiod = 2'), ["[[variable]] 1", "'period'", "'periods'"]),
    "absurd lag": (toml('log = "trade"', f'lag = "trade"\nperiods = {10**30}'), ["[[variable]] 1", "'periods'"]),
    "infinite factor": (toml('log = "trade"', 'scale = "trade"\nby = inf'), ["[[variable]] 1", "'by'", "inf"]),
    "number of 5000 digits": (toml('log = "trade"', f'lag = "trade"\nperiods = {"9" * 5000}'), ["study.toml", "TOML"]),
    "more draws than memory": (add(HIERARCHICAL.format("diffuse") + f"draws = 1{'0' * 20}\n"), ["'draws'", "10000000"]),
    "more lags than a computer has": (
        add(f'\n[[model]]\nname = "dynamic"\nkind = "dynamic_within"\noutcome_lags = 1{"0" * 20}\n'),
        ["[[model]] 2", "'outcome_lags'", "100"],
    ),
    "overflow": (toml('log = "trade"', 'scale = "trade"\nby = 1e308'), ["'ln_trade'", "panel.csv, row"]),
    "logarithm of zero": (cell("trade", 0), ["'ln_trade'", ROW_8, "unit B 2015", "'trade' = 0"]),
    "denominator of zero": (
        toml('log = "trade"', 'ratio = ["trade", "density"]', then=cell("density", 0)),
        ["'ln_trade'", ROW_8, "'density'"],
    ),
    "ratio of three": (toml('log = "trade"', 'ratio = ["trade", "one", "area"]'), ["[[variable]] 1", "'ratio'"]),
    "standardised blank": (
        toml('log = "trade"', 'standardise = "gap"', then=cell("gap", None)),
        ["'ln_trade'", "'gap'", "blank"],
    ),
    "index of one": (
        toml('log = "trade"', 'index = "entropy"\npositive = ["trade"]'),
        ["'ln_trade'", "two indicators"],
    ),
    "index of a constant": (
        toml('log = "trade"', 'index = "pca"\npositive = ["trade", "one"]'),
        ["'ln_trade'", "'one'", "constant"],
    ),
    "source column overwritten": (toml('"ln_trade"', '"area"'), ["variable 1", "'area'", "exists already"]),
    "split in a missing period": (
        toml('log = "trade"', 'baseline_split = "trade"\nat = 1999'),
        ["'ln_trade'", "1999", "unit A"],
    ),
    # models
    "unknown key of a model": (
        add('covarience = "clustered"\n'),
        ["[[model]] 1 'twfe'", "'covarience'", "'covariance'"],
    ),
    "unknown kind": (toml('"twfe"\n', '"twfee"\n'), ["[[model]] 1", "'twfee'", "'twfe'"]),
    "list of kinds": (toml('kind = "twfe"', 'kind = ["twfe"]'), ["[[model]] 1 'twfe'", "unknown kind"]),
    "missing kind": (toml('kind = "twfe"', ""), ["[[model]] 1 'twfe'", "'kind'"]),
    "unknown covariance": (add('covariance = "hc3"\n'), ["[[model]] 1", "'hc3'", "'clustered'"]),
    "two models of one name": (add('\n[[model]]\nname = "twfe"\nkind = "pooled_ols"\n'), ["study.toml", "'twfe'"]),
    "slopes by an unknown column": (add('slopes = "grp"\n'), ["model 'twfe', slopes", "'grp'", "'group'"]),
    "slopes and subsamples": (
        add('slopes = "group"\nsubsamples = "group"\n'),
        ["[[model]] 1", "slopes and subsamples"],
    ),
    "slopes of one group": (add('slopes = "one"\n'), ["model 'twfe'", "'one'", "one group"]),
    "control constant within units": (toml('["density"]', '["area"]'), ["model 'twfe'", "'area'"]),
    "collinear controls": (toml('["density"]', '["density", "twice"]'), ["model 'twfe'", "'twice'", "density"]),
    "model name that leaves the folder": (
        add(HIERARCHICAL.format("diffuse").replace('"bayes"', '"../../bayes"')),
        ["[[model]] 2", "'name'"],
    ),
    # priors and published numbers
    "unknown prior set": (add(HIERARCHICAL.format("sceptic")), ["'sceptic'", "'sceptical'"]),
    "prior file of a long name": (add(HIERARCHICAL.format("m" * 300 + ".toml")), ["mmm.toml", "does not exist"]),
    "prior set of a long name": (add(HIERARCHICAL.format("m" * 300)), ["unknown prior set"]),
    "panel of a long name": (toml('"panel.csv"', f'"{"p" * 300}.csv"'), ["ppp.csv", "does not exist"]),
    "published numbers of a long name": (toml('"published.csv"', f'"{"p" * 300}.csv"'), ["ppp.csv", "does not exist"]),
    "lag that is a column of the panel": (
        toml(
            '["density"]',
            '["L1.area"]',
            then=lambda folder: (
                text(lambda content: content.replace("density", "L1.area", 1))(folder),
                text(lambda content: content + LAGS, "study.toml")(folder),
            ),
        ),
        ["model 'lags'", "'L1.area' has the name of a lag", "Rename"],
    ),
    "missing prior file": (add(HIERARCHICAL.format("mine.toml")), ["mine.toml", "does not exist"]),
    "prior of an unknown family": (
        prior_file('[prior.exposure]\nfamily = "normal"', '[prior.exposure]\nfamily = "gaussian"'),
        ["mine.toml, [prior.exposure]", "'family'", "'gaussian'", "'normal'"],
    ),
    "prior of a wrong family": (
        prior_file('[prior.unit_sd]\nfamily = "half_normal"', '[prior.unit_sd]\nfamily = "normal"\nmu = 0.0'),
        ["mine.toml", "'unit_sd'", "normal", "half_normal"],
    ),
    "missing prior": (prior_file("[prior.unit_sd]", "[prior.unit]"), ["mine.toml", "'unit'", "'unit_sd'"]),
    "missing reason": (prior_file('reason = "unit_sd"\n', ""), ["mine.toml, [prior.unit_sd]", "'reason'"]),
    "prior with no width": (
        prior_file('sigma = 1.0\nreason = "unit_sd"', 'sigma = 0.0\nreason = "unit_sd"'),
        ["mine.toml, [prior.unit_sd]", "'sigma'"],
    ),
    "missing published numbers": (lambda folder: (folder / "published.csv").unlink(), ["published.csv", "not exist"]),
    "unknown published column": (
        text(lambda header: header.replace("estimate", "estimat"), "published.csv"),
        ["published.csv", "'estimat'", "'estimate'"],
    ),
    "published row with an extra cell": (
        text(lambda header: header + "C1,1,1,m,all,TWFE,y,x,0.4" + "," * 8 + "\n", "published.csv"),
        ["published.csv", "row 2", "17 cells"],
    ),
    "published text": (
        text(lambda header: header + "C1,1,1,m,all,TWFE,y,x,0.4x" + "," * 7 + "\n", "published.csv"),
        ["published.csv, row 2", "'estimate'", "'0.4x'"],
    ),
    "more lags than periods": (add('covariance = "driscoll_kraay"\nlags = 9\n'), ["model 'twfe'", "lags = 9"]),
    "fixed effects that absorb the means": (
        add(HIERARCHICAL.format("diffuse") + FIXED),
        ["model 'bayes'", "fixed unit and period effects", "correlated_means"],
    ),
    "a ladder with fixed effects that absorb the means": (
        add(HIERARCHICAL.format("diffuse") + 'slopes = "group"\nunit_effects = "fixed"\ncorrelated_means = false\n'),
        ["model 'bayes'", "ladder"],
    ),
    "an engine that cannot fit the errors": (
        add(HIERARCHICAL.format("weakly_informative") + 'errors = "student_t"\nengine = "collapsed"\n'),
        ["model 'bayes'", "engine = 'collapsed'", "Student-t"],
    ),
    "a claim that is not asked again under other priors": (
        add(HIERARCHICAL.format("weakly_informative") + 'errors = "student_t"\n' + CLAIM),
        ["[[claim]] 'C'", "errors = 'student_t'", "other errors"],
    ),
}
