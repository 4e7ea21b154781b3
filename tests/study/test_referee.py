"""What a study declares for the referee: [[difference]], [confounding], [event_time], kind = "iv"; one message each.

`study.differences`, `study.confounding`, `study.event_time`, `study.bayesian_model` and `study.instruments`.
"""

import re
import shutil

import pytest

import bayes_npp as bn
from bayes_npp.errors import BayesNppError
from bayes_npp.study.checks import check_study
from tests.conftest import TINY

IV = '[[model]]\nname = "by_instrument"\nkind = "iv"\n'
POSTERIOR = IV.replace('"iv"', '"iv_hierarchical"')
OTHER = 'instruments = ["other_exposure"]\n'


@pytest.fixture
def checked(tmp_path):
    """Check the tiny study with tables added."""

    def check(text):
        folder = tmp_path / "study"
        shutil.copytree(TINY, folder, dirs_exist_ok=True)
        path = folder / "study.toml"
        path.write_text(f"{path.read_text(encoding='utf-8')}\n{text}\n", encoding="utf-8")
        return "\n".join(check_study(bn.load_study(folder)))

    return check


def test_what_is_declared_is_listed(checked):
    difference = '[[difference]]\nname = "again"\ngroup = "level"\n'
    rules = '[confounding]\nbenchmarks = ["control_1"]\nmultiples = [1.0, 5.0]\n'
    text = checked(difference + rules + IV + 'instruments = ["other_exposure"]\n')
    assert "difference again: exposure by level, 2 groups" in text
    assert re.search(r"model by_instrument \(iv\): .*1 instrument\(s\)", text)
    text = checked(POSTERIOR + OTHER + 'slopes = "group"\nerrors = "ar1"\nexclusion = 0.1\n')
    assert re.search(r"model by_instrument \(iv_hierarchical\): .*1 instrument\(s\)", text)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("leads = 1\nlags = 1", "leads = 0", "leads"),
        ("leads = 1\nlags = 1", "leads = 20", "complete rows"),
        ("leads = 1\nlags = 1", 'leads = 1\nmodel = "gmm"', "'gmm' is no static hierarchical model"),
    ],
)
def test_bad_leads_are_one_message(tmp_path, old, new, problem):
    folder = tmp_path / "study"
    shutil.copytree(TINY, folder)
    path = folder / "study.toml"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(BayesNppError, match=problem) as caught:
        check_study(bn.load_study(folder))
    assert "event_time" in str(caught.value)


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ('[[difference]]\nname = "other"\ngroup = "unit"', "not between units"),
        ('[[difference]]\nname = "other"\ngroup = "nowhere"', "nowhere"),
        ('[[difference]]\nname = "groups"\ngroup = "level"', "two differences are named 'groups'"),
        ('[[difference]]\nname = "other"\ngroup = "group"\nmodel = "dynamic"', "'dynamic' is no static hierarchical"),
        ('[[difference]]\nname = "other"\ngroup = "group"\ndraws = 5', "draws"),
        ('[confounding]\nbenchmarks = ["structure"]', "benchmark 'structure' is no control"),
        ("[confounding]\nmultiples = [0.0]", "multiples"),
        (IV + 'instruments = ["exposure"]', "instrument 'exposure' is a regressor"),
        (IV + 'instruments = ["control_1"]', "instrument 'control_1' is a regressor"),
        (IV + 'instruments = ["made"]', "instrument 'made' is the outcome"),
        (IV + 'instruments = ["nowhere"]', "unknown column 'nowhere'"),
        (IV + 'instruments = ["other_exposure"]\nendogenous = ["control_1"]', "2 endogenous regressors and 1 instr"),
        (IV + 'instruments = ["other_exposure"]\nendogenous = ["structure"]', "endogenous 'structure' is no control"),
        (IV + "instruments = []", "instruments"),
        (POSTERIOR + "instruments = []", "instruments"),
        (POSTERIOR + 'instruments = ["exposure"]', "instrument 'exposure' is a regressor"),
        (POSTERIOR + 'instruments = ["made"]', "instrument 'made' is the outcome"),
        (POSTERIOR + 'instruments = ["nowhere"]', "unknown column 'nowhere'"),
        (POSTERIOR + OTHER + 'errors = "factor"', "errors = 'factor' with instruments"),
        (POSTERIOR + OTHER + 'errors = "unit_scale"', "errors = 'unit_scale' with instruments"),
        (POSTERIOR + OTHER + 'errors = "auto"', "errors = 'auto' with instruments"),
        (POSTERIOR + OTHER + 'slopes = "unit"', "slopes = 'unit' with instruments"),
        (POSTERIOR + OTHER + "exclusion = -1.0", "exclusion"),
        (POSTERIOR + OTHER + 'engine = "collapsed"', "engine"),
        (POSTERIOR + OTHER + "dynamic = true", "dynamic"),
        (
            POSTERIOR + OTHER + '[[claim]]\nid = "Z"\ntext = "z"\nproposition = "slope > 0"\nmodel = "by_instrument"',
            "model 'by_instrument' has kind 'iv_hierarchical'",
        ),
    ],
)
def test_bad_input_is_one_message(checked, table, problem):
    with pytest.raises(BayesNppError, match=problem.replace("(", r"\(")) as caught:
        checked(table)
    assert "study.toml" in str(caught.value) or "panel" in str(caught.value)
