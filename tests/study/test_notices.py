"""Keys of time and doubtful cells of a study: said by `check`, `run` and the report, refused where they matter."""

import numpy as np
import pytest
from click.testing import CliRunner

import bayes_npp as bn
from bayes_npp.cli import cli, main
from bayes_npp.pipeline import run_study
from bayes_npp.study.checks import check_study
from bayes_npp.study.notices import study_notices
from tests.conftest import report_text

STUDY = """
[study]
title = "Quarters"
panel = "panel.csv"
unit = "unit"
time = "time"
group = "group"
{header}
[roles]
outcome = "outcome"
exposure = "exposure"
controls = ["control_1"]
{variables}
[[model]]
name = "twfe"
kind = "twfe"
{models}
"""
LAGGED = '[[model]]\nname = "lagged"\nkind = "dynamic_within"'


def study_of(folder, header="", models="", variables="", change=None):
    frame = bn.simulate(12, 8, {"north": 0.5, "south": 0.1}, seed=2).frame
    number = frame["time"] - frame["time"].min() + 2
    frame = frame.assign(time=(2018 + number // 4) * 10 + number % 4 + 1, area=1.5, spare=np.sin(np.arange(len(frame))))
    (change or (lambda rows: rows))(frame).to_csv(folder / "panel.csv", index=False)
    text = STUDY.format(header=header, models=models, variables=variables)
    (folder / "study.toml").write_text(text, encoding="utf-8")
    return folder


def codes(frame):
    frame.loc[3, ["control_1", "spare"]] = -99
    return frame


def test_check_and_run_say_it(tmp_path):
    folder, out = study_of(tmp_path, change=codes), tmp_path / "out"
    said = CliRunner().invoke(cli, ["check", str(folder)])
    assert said.exit_code == 0
    warned = [line for line in said.output.splitlines() if line.startswith("warning: ")]
    assert len(warned) == 2
    assert "'time' look like year and quarter (20183, 20184, ...): period = \"quarter\"" in warned[0]
    assert "column 'control_1' is -99 in row 5 and" in warned[1]
    fitted = CliRunner().invoke(cli, ["fit", str(folder), "twfe"])
    assert fitted.stderr.splitlines()[:2] == warned
    lines = []
    run_study(folder, out, progress=lines.append)
    assert [line for line in lines if line.startswith("warning: ")] == warned
    report = (out / "report.md").read_text()
    assert "look like year and quarter" in report
    assert "'control 1' is -99 in row 5" in report
    assert "look like year and quarter" in (out / "report.html").read_text()


def test_columns_that_no_part_of_the_study_uses_are_left_alone(tmp_path):
    spare = study_of(
        tmp_path, 'period = "quarter"', change=lambda rows: rows.assign(spare=[-99, *range(len(rows) - 1)])
    )
    assert study_notices(bn.load_study(spare)) == ()
    used = '[[variable]]\nname = "control_2"\nratio = ["spare", "area"]\n'
    text = (spare / "study.toml").read_text().replace('controls = ["control_1"]', f'controls = ["control_2"]\n{used}')
    (spare / "study.toml").write_text(text)
    (notice,) = study_notices(bn.load_study(spare))
    assert "'spare' is -99" in notice


@pytest.mark.parametrize(
    "model",
    [
        LAGGED,
        '[[model]]\nname = "m"\nkind = "difference_gmm"\ngmm = [["outcome", 2, 3]]',
        '[[model]]\nname = "m"\nkind = "hierarchical"\nerrors = "ar1"',
        '[[model]]\nname = "m"\nkind = "hierarchical"\nslopes = "group"',
        '[[model]]\nname = "m"\nkind = "hierarchical"\ntransform = "first_difference"\nladder = false',
        '[[model]]\nname = "m"\nkind = "mediation"\nmediators = ["spare"]\nmediator_errors = "ar1"',
        '[[robustness]]\nname = "r"\nlag = 1',
        '[[robustness]]\nname = "r"\nunit_trends = true',
    ],
)
def test_what_needs_a_lag_ends_with_the_key_to_declare(model, tmp_path, monkeypatch, capsys):
    folder = study_of(tmp_path, models=model)
    for command in (["check", str(folder)], ["run", str(folder), "--out", str(tmp_path / "out")]):
        monkeypatch.setattr("sys.argv", ["bayes-npp", *command])
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert 'Declare period = "quarter" in [study]' in line
    assert not (tmp_path / "out").exists()
    assert check_study(bn.load_study(study_of(tmp_path, 'period = "quarter"', models=model)))


def test_a_study_in_its_keys(tmp_path):
    header = 'period = "quarter"\nwindow = ["2018Q4", 20201]\nmissing = ["NA", -99]\n'
    models = f'{LAGGED}\n[[robustness]]\nname = "later"\nwindow = [20191, "2020Q1"]'
    folder = study_of(tmp_path, header, models, change=codes)
    study = bn.load_study(folder)
    assert study_notices(study) == ()
    said = [line for line in check_study(study) if "rows left out" in line]
    assert said == [
        "model twfe (twfe): 71 rows; 1 of 72 rows left out: 1 with blank cells",
        "model lagged (dynamic_within): 71 rows; 1 of 72 rows left out: 1 with blank cells",
    ]
    result = run_study(study, tmp_path / "out")
    rows = result.estimates.frame
    assert set(rows[rows["model"] == "twfe"]["note"]) == {"1 of 72 rows left out: 1 with blank cells"}
    later = rows[rows["model"] == "twfe.later"].iloc[0]
    assert (later["n_periods"], later["sample"]) == (5, "2019Q1 to 2020Q1")
    assert "1 of 72 rows left out: 1 with blank cells" in report_text(tmp_path / "out")
    outside = study_of(tmp_path, header, models.replace("20191", "20171"))
    with pytest.raises(bn.BayesNppError, match="It runs from 2018Q4 to 2020Q1"):
        check_study(bn.load_study(outside))


def test_rows_left_out_stand_in_tables_and_are_no_failure(tmp_path):
    models = '[[model]]\nname = "by"\nkind = "twfe"\nslopes = "group"\n[[model]]\nname = "bayes"\n'
    models += 'kind = "hierarchical"\nslopes = "group"\nladder = false\ndraws = 500\n'
    folder = study_of(tmp_path, 'period = "quarter"\nmissing = [-99]', models, change=codes)
    result = run_study(folder, tmp_path / "out")
    assert set(result.estimates.select(model="bayes")["note"]) == {"1 of 96 rows left out: 1 with blank cells"}
    report = report_text(tmp_path / "out")
    assert "FAILED" not in report
    table = report[report.index("another model, so no arrow") :]
    table = table[: table.index("Differences between slopes by group")]
    assert table.count("1 of 96 rows left out: 1 with blank cells.") == 2  # both paradigms


def test_unknown_keys_of_the_header(tmp_path):
    with pytest.raises(bn.BayesNppError, match="'year', 'quarter' or 'month'"):
        bn.load_study(study_of(tmp_path, 'period = "week"'))
    with pytest.raises(bn.BayesNppError, match="step"):
        bn.load_study(study_of(tmp_path, "step = 0"))
