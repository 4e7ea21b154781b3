"""A study whose mediator lacks its last years: keys of the model, the table of treatments, stored fits."""

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.errors import SpecError
from bayes_npp.pipeline import rerender, run_study
from tests.conftest import report_text

STUDY = """
[study]
title = "A mediator that stops"
panel = "panel.csv"
unit = "unit"
time = "time"
[roles]
outcome = "outcome"
exposure = "exposure"
mediators = ["mediator_1"]
[[model]]
name = "mechanism"
kind = "mediation"
draws = 200
chains = 2
"""


def study(folder, keys="", missing=True):
    frame = bn.simulate_mediation(10, 6, seed=2).frame
    if missing:
        frame.loc[frame["time"] > 4, "mediator_1"] = np.nan
    frame.to_csv(folder / "panel.csv", index=False)
    (folder / "study.toml").write_text(STUDY + keys)
    return folder


@pytest.mark.slow(minutes=1)
def test_every_treatment_is_shown_where_a_mediator_has_missing_cells(tmp_path):
    folder, out = study(tmp_path, 'missing = "extrapolate"\n'), tmp_path / "out"
    result = run_study(folder, out)
    table = pd.read_csv(out / "tables" / "missing_mechanism.csv", dtype=str, keep_default_na=False)
    assert table["missing years"].tolist() == [
        "rows dropped",
        "interpolated inside",
        "extrapolated along a line",
        "extrapolated, nearest year carried",
        "imputed",
    ]
    assert table["cells filled"].tolist() == ["0", "0", "20", "20", "20"]
    assert table["rows used"].tolist() == ["40", "40", "60", "60", "60"]
    own = result.estimates.select(model="mechanism", estimand="indirect", term="mediator_1").iloc[0]
    treated = result.mechanisms[0].treatments.set_index("treatment")
    assert treated.loc["extrapolated along a line", "estimate"] == own["estimate"]
    assert own["note"].startswith("WARNING: 20 of 60 cells of 'mediator_1'")
    text = report_text(out)
    assert "Indirect effects by treatment of missing years" in text
    assert "treated as data: intervals do not know that they were filled" in text
    assert "missing_mechanism" in (out / "report.html").read_text()
    before = (out / "estimates.csv").read_bytes()
    rerender(out)
    assert (out / "estimates.csv").read_bytes() == before
    (out / "fits" / "mechanism.impute--outcome.nc").unlink()
    with pytest.raises(SpecError, match="the stored fit is missing"):
        rerender(out)


def test_an_imputed_model_is_stored_and_restored(tmp_path):
    folder, out = study(tmp_path, 'missing = "impute"\ncompare_missing = false\n'), tmp_path / "out"
    first = run_study(folder, out)
    assert first.mechanisms[0].treatments is None
    assert first.mechanisms[0].curve is None
    assert "imputed cells" in first.mechanisms[0].why_not
    again = run_study(folder, out)
    assert all(record.reused for record in again.mechanisms[0].fits)
    pd.testing.assert_frame_equal(first.estimates.frame, again.estimates.frame)
    assert not (out / "tables" / "missing_mechanism.csv").exists()


def test_no_table_without_missing_cells(tmp_path):
    out = tmp_path / "out"
    result = run_study(study(tmp_path, missing=False), out)
    assert result.mechanisms[0].treatments is None
    assert "treatment of missing years" not in report_text(out)


def test_unknown_keys_are_named(tmp_path):
    with pytest.raises(bn.BayesNppError, match="missing"):
        bn.load_study(study(tmp_path, 'missing = "guess"\n'))
