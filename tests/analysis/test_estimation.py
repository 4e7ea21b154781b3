"""A kind of model is a record and a row: a made-up estimator and a made-up transform run in a study like the others."""

from typing import Literal

import numpy as np
import pandas as pd
import pytest

from bayes_npp.analysis.companions import group_tests
from bayes_npp.analysis.estimation import ESTIMATORS, estimate_model
from bayes_npp.analysis.records import Estimated
from bayes_npp.analysis.settings import RunSettings
from bayes_npp.errors import SpecError
from bayes_npp.estimates import estimates_from_rows
from bayes_npp.frequentist.hypotheses import specification
from bayes_npp.frequentist.least_squares import static
from bayes_npp.frequentist.mediation import equations
from bayes_npp.panels.panel import Panel
from bayes_npp.panels.transforms import TRANSFORMS, Transform
from bayes_npp.pipeline import run_study
from bayes_npp.study.checks import check_study
from bayes_npp.study.model_spec import ModelSpec
from bayes_npp.study.models import MODEL_RECORDS
from bayes_npp.study.study import load_study
from tests.conftest import TINY, report_text

STUDY = """
[study]
title = "Made up"
panel = "panel.csv"
unit = "unit"
time = "time"
[roles]
outcome = "doubled"
exposure = "exposure"
[[variable]]
name = "doubled"
double = "first"
[[model]]
name = "means"
kind = "between"
"""


class Between(ModelSpec):
    """Regression of unit means on unit means."""

    kind: Literal["between"]
    through_origin: bool = False


def between(sample, model, settings):
    design = sample.design(model.spec(sample.roles))
    outcome, exposure = (np.bincount(design.unit, column) for column in (design.outcome, design.exposure))
    counts = np.bincount(design.unit)
    y, x = outcome / counts, exposure / counts
    if not model.through_origin:
        y, x = y - y.mean(), x - x.mean()
    row = {"term": sample.roles.exposure, "estimand": "coefficient", "estimate": x @ y / (x @ x)}
    shared = {"paradigm": "frequentist", "estimator": "between", "outcome": sample.roles.outcome, "sample": "all"}
    return Estimated(estimates_from_rows([row], **shared, n_obs=design.n_obs, n_units=len(counts)))


class Double(Transform):
    """Two times a column."""

    double: str

    def values(self, panel: Panel) -> np.ndarray:
        return 2 * panel.numbers(self.double)


@pytest.fixture
def made_up(monkeypatch, tmp_path):
    monkeypatch.setitem(MODEL_RECORDS, "between", Between)
    monkeypatch.setitem(ESTIMATORS, "between", between)
    monkeypatch.setitem(TRANSFORMS, "double", Double)
    (tmp_path / "panel.csv").write_bytes((TINY / "panel.csv").read_bytes())
    (tmp_path / "study.toml").write_text(STUDY)
    return tmp_path


def test_every_kind_has_a_record_and_an_estimator():
    assert set(ESTIMATORS) == set(MODEL_RECORDS)


def test_a_registered_estimator_and_transform_reach_every_output(made_up):
    result = run_study(made_up, made_up / "out")
    frame = pd.read_csv(made_up / "panel.csv").groupby("unit")[["first", "exposure"]].mean()
    slope = np.polyfit(frame["exposure"], 2 * frame["first"], 1)[0]
    row = result.estimates.select(model="means").iloc[0]
    assert row["estimate"] == pytest.approx(slope, rel=1e-10)
    assert row["study"] == made_up.name
    assert "between" in (made_up / "out" / "estimates.csv").read_text()
    assert f"{slope:.3f}" in report_text(made_up / "out")


def test_its_record_is_checked_like_the_others(made_up):
    assert "model means (between): 84 rows" in check_study(load_study(made_up))
    text = (made_up / "study.toml").read_text()
    (made_up / "study.toml").write_text(text + "through_orgin = true\n")
    with pytest.raises(SpecError, match="through_origin"):
        load_study(made_up)


def test_what_check_has_built_is_not_built_again(monkeypatch):
    """Least squares, subsamples, paths and the tests beside them take the designs that the checks have built."""
    study = load_study(TINY)
    check_study(study)
    settings = RunSettings(study.header.title, seed=1, quick=True)
    kinds = {"pooled_ols", "fixed_effects", "twfe", "mediation_paths"}
    models = [model for model in study.models if model.kind in kinds]
    assert {model.kind for model in models} == kinds - {"fixed_effects"}
    for module in (static, equations, specification):
        monkeypatch.setattr(module, "build_design", refused)
    tables = [estimate_model(study.sample, model, settings).table for model in models]
    assert all(len(table.frame) for table in tables)
    assert len(group_tests(study)) == 2


def refused(*args, **options):
    raise AssertionError("a design was built again")
