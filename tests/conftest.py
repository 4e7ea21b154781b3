"""Shared panels, studies and runs, and which tests share a worker."""

import html
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

import bayes_npp as bn
from bayes_npp.panels.simulation import simulate

pytest_plugins = ["tests.slow_box"]
ROOT = Path(__file__).parents[1]
REFERENCE = Path(__file__).parent / "reference"
TINY = Path(__file__).parent / "studies" / "tiny"
# Groups of tests that take longest in the fast lane.
LONG = (
    "tiny_run",
    "tests/bayesian/collapsed/test_full_equals_collapsed.py",
    "tests/bayesian/mediation/test_joint_fit.py",
    "tests/study/test_missing_study.py",
    "tests/test_slow_box.py",
    "tests/claims/test_claims.py",
    "tests/bayesian/mediation/test_path_correlation.py",
    "tests/bayesian/mediation/test_confounding.py",
)


def report_text(out):
    """What a reader of a run's report.html sees: no tags, hyphens for minus signs, single blanks."""
    page = (Path(out) / "report.html").read_text(encoding="utf-8")
    page = html.unescape(re.sub(r"<(style|script)\b.*?</\1>|<[^>]+>", "", page, flags=re.DOTALL))
    return re.sub(r"\s+", " ", page.replace("\u2212", "-"))


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items):
    """Tests of a run share a worker, so that it is made once; all others share it with their file.

    What takes longest starts first: no worker is left alone with it at the end.
    """
    groups = {}
    for item in items:
        given = item.callspec.params.values() if hasattr(item, "callspec") else ()
        asked = {*item.fixturenames, *(value for value in given if isinstance(value, str))}
        runs = [name for name in ("run", "tiny_run") if name in asked]
        groups[item] = runs[0] if runs else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(groups[item]))
    items.sort(key=lambda item: LONG.index(groups[item]) if groups[item] in LONG else len(LONG))


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Matrices of a test are small, and its workers share the cores: threads of BLAS would only wait for each other."""
    with threadpool_limits(limits=1):
        yield


@pytest.fixture(scope="session")
def study():
    return bn.load_study(ROOT / "models" / "digital_trade")


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory):
    """The study that has every section of the report, run once for all fast tests of a run's outputs."""
    return bn.run_study(bn.load_study(TINY), tmp_path_factory.mktemp("tiny"), quick=True, seed=1)


@pytest.fixture(scope="session")
def run(study, tmp_path_factory):
    """The default study, run once for all slow tests of its outputs; one model climbs to the factor, for time."""
    vitality = study.model("vitality").model_copy(update={"ladder": True})
    return bn.run_study(study.with_models({"vitality": vitality}), tmp_path_factory.mktemp("digital_trade"), quick=True)


@pytest.fixture(scope="session")
def produc():
    frame = pd.read_csv(REFERENCE / "produc.csv")
    for name, source in {"lgsp": "gsp", "lpcap": "pcap", "lpc": "pc", "lemp": "emp"}.items():
        frame[name] = np.log(frame[source])
    return bn.read_panel(frame, unit="state", time="year")


@pytest.fixture(scope="session")
def produc_spec():
    return bn.Spec(outcome="lgsp", exposure="lpcap", controls=("lpc", "lemp", "unemp"))


SLOPES = {"north": 0.8, "south": 0.2, "west": -0.3}


@pytest.fixture(scope="session", params=[0.0, 0.25], ids=["balanced", "unbalanced"])
def simulated(request):
    """A simulated panel with three groups and confounded regressors."""
    frame = simulate(24, 7, SLOPES, controls=(0.5, -0.4), missing=request.param, seed=4).frame
    return bn.read_panel(frame, unit="unit", time="time", group="group")


@pytest.fixture(scope="session")
def unbalanced():
    frame = simulate(24, 7, SLOPES, controls=(0.5, -0.4), missing=0.25, seed=4).frame
    return bn.read_panel(frame, unit="unit", time="time", group="group")


@pytest.fixture(scope="session")
def grouped_spec():
    return bn.Spec(outcome="outcome", exposure="exposure", controls=("control_1", "control_2"), slopes="group")
