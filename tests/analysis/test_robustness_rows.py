"""Robustness rows of a run: estimates, stored fits, the report."""

import pandas as pd

from bayes_npp.pipeline import run_study
from bayes_npp.study.study import load_study
from tests.conftest import report_text
from tests.study.test_robustness import small_study


def test_rows_of_a_run(tmp_path):
    rows = [
        'name = "trends"\nunit_trends = true',
        'name = "short"\nmodels = ["baseline", "subsamples", "bayes"]\nwindow = [3, 6]\nnote = "table 4"',
        'name = "placebo"\nlead = 1',
    ]
    result = run_study(small_study(tmp_path, *rows), tmp_path / "out", quick=True)
    names = ["baseline.trends", "baseline.short", "subsamples.short", "bayes.short", "baseline.placebo"]
    assert [record.model for record in result.robustness] == names
    assert list(dict.fromkeys(result.estimates.frame["model"]))[-5:] == names
    short = result.estimates.select(model="baseline.short", term="exposure").iloc[0]
    assert (short["sample"], short["n_obs"]) == ("3 to 6", 72)
    own = result.estimates.select(model="subsamples.short", term="exposure")
    assert [f"group = {g}; 3 to 6" for g in own["group"]] == own["sample"].tolist()
    # Flat-ish priors, iid errors: the posterior mean is TWFE's on the same rows, within a fifth of its standard error.
    bayes = result.estimates.select(model="bayes.short", term="exposure").iloc[0]
    assert abs(bayes["estimate"] - short["estimate"]) < 0.2 * short["spread"]
    assert (tmp_path / "out" / "fits" / "bayes.short.nc").is_file()
    assert any(record.model == "bayes.short" for record in result.every_fit)
    table = pd.read_csv(tmp_path / "out" / "tables" / "robustness.csv", keep_default_na=False)
    placebo = table[table["row"] == "placebo"]
    assert placebo["coefficient of"].tolist()[0].startswith("F1.exposure")
    assert len(table) == 5 + 6 + 2  # the placebo has two lines, subsamples three each
    # 300 draws are too few: a failed fit is shown, and says so.
    failed = table[table["warning"].str.startswith("the sampler failed")]
    assert set(failed["model"]) == {"bayes"}
    text = report_text(tmp_path / "out")
    assert "a linear trend of each unit absorbed" in text
    assert "; table 4" in text
    again = run_study(load_study(tmp_path), tmp_path / "out", quick=True)
    assert next(r.fit for r in again.robustness if r.fit).reused
    pd.testing.assert_frame_equal(again.estimates.frame, result.estimates.frame)
