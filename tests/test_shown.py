"""Every public object shows itself in ten lines and under 2,000 characters; HTML is escaped."""

import re

import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.auditing.run import audit
from bayes_npp.bayesian.priors.sets import load_priors
from tests.conftest import ROOT, TINY

EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def objects(tiny_run):
    one = bn.Spec(outcome="outcome", exposure="exposure")
    simulated = bn.simulate(n_units=12, n_periods=6, seed=4, slopes={"a": 0.5, EVIL: 0.1})
    panel = bn.read_panel(simulated.frame, unit="unit", time="time", group="group")
    spec = bn.Spec(outcome="outcome", exposure="exposure", slopes="group")
    fit = bn.fit(panel, spec, draws=100, chains=2, seed=1)
    wide = bn.Spec(outcome="y", exposure="x", controls=tuple(f"a_long_name_of_a_control_{k}" for k in range(300)))
    study = bn.load_study(ROOT / "models" / "digital_trade")
    return {
        "Simulation": simulated,
        "Panel": panel,
        "panel of a study": study.panel,
        "Balance": panel.balance(),
        "Spec": spec,
        "wide Spec": wide,
        "Estimates": tiny_run.estimates,
        "Regression": bn.twfe(panel, spec),
        "WaldTest": bn.twfe(panel, spec).wald_test(),
        "Fit": fit,
        "Prediction": fit.predict(),
        "Study": study,
        "tiny Study": bn.load_study(TINY),
        "Result": tiny_run,
        "Audit": audit(ROOT / "models" / "digital_trade" / "published.csv"),
        "Plots": fit.plot,
        "design": fit.design,
        "pesaran_cd": bn.pesaran_cd(panel, one),
        "hausman": bn.hausman(panel, one),
        "wooldridge_serial": bn.wooldridge_serial(panel, one),
        "confounding": bn.confounding(panel, one),
        "event_time": bn.event_time(panel, one),
        "group_differences": bn.group_differences(panel, one, group="group"),
        "difference_gmm": bn.difference_gmm(panel, one, gmm=[("outcome", 2, 3)], iv=["exposure"]),
        "dynamic_within": bn.dynamic_within(panel, one),
        "prior_preview": bn.prior_preview(panel, spec, "weakly_informative"),
        "sensitivity": bn.sensitivity(fit, quick=True),
        "dataset": bn.datasets.fiscal_tfp,
        "simulate_dynamic": bn.simulate_dynamic(n_units=12, n_periods=6, seed=4),
        "PriorSet": load_priors("weakly_informative"),
        "model": study.models[0],
    }


def test_ten_lines_and_two_thousand_characters(objects):
    for name, shown in objects.items():
        text = repr(shown)
        assert len(text) < 2000, (name, len(text))
        assert len(text.splitlines()) <= 10, name
        assert "object at 0x" not in text, name


def test_notebooks_get_escaped_html(objects):
    for name, shown in objects.items():
        page = shown._repr_html_()
        assert "<script" not in page, name
        assert len(page) < 20_000, name
    assert "&lt;script" in objects["Fit"]._repr_html_()


def test_what_stands_in_the_lines(objects):
    assert re.match(r"Panel: 72 rows, 12 units, 6 periods, balanced\n", repr(objects["Panel"]))
    assert repr(objects["Spec"]) == "Spec(outcome='outcome', exposure='exposure', slopes='group')"
    assert "sampler:" in repr(objects["Fit"])
    lines = repr(objects["Regression"]).splitlines()
    assert lines[0].startswith("Regression: TWFE x group; outcome outcome; clustered by unit;")
    assert "average_slope" not in lines[1]


def test_help_shows_the_fields_of_a_specification_first():
    import pydoc

    text = pydoc.plain(pydoc.render_doc(bn.Spec))
    assert text.index("outcome") < text.index("controls") < text.index("Method resolution order")


def test_long_tables_are_cut_and_say_so():
    rows = [{"term": f"x{k}", "estimand": "coefficient", "estimate": 1.0, "paradigm": "published"} for k in range(50)]
    table = bn.Estimates(pd.DataFrame(rows))
    assert "43 more" in repr(table)
    assert len(table.summary()) == 50
    assert "40 more" in table._repr_html_()
