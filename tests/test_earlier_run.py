"""A run of version 0.1 (before the rooms), committed whole but for its tables and figures, still opens."""

import shutil

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import bayes_npp as bn
from bayes_npp.bayesian.fitting.fit import make_sampler, restore
from bayes_npp.cli import cli
from bayes_npp.design.design import build_design
from bayes_npp.design.scales import Scales
from bayes_npp.errors import SpecError
from bayes_npp.estimates import read_csv
from bayes_npp.pipeline import rerender
from bayes_npp.store import read_tree
from tests.conftest import REFERENCE, TINY

RUN = REFERENCE / "run_0_1"


def test_its_estimates_are_compared():
    outcome = CliRunner().invoke(cli, ["compare", str(RUN), "--estimand", "group_slope"])
    assert outcome.exit_code == 0, outcome.output
    assert "north" in outcome.output
    assert "posterior" in outcome.output or "groups" in outcome.output
    assert f"warning: {RUN / 'estimates.csv'} is not verified" in outcome.stderr


def test_estimates_of_a_later_run_are_verified(tiny_run, tmp_path):
    outcome = CliRunner().invoke(cli, ["compare", str(tiny_run.out)])
    assert (outcome.exit_code, outcome.stderr) == (0, "")
    for name in ("manifest.json", "estimates.csv"):
        shutil.copy(tiny_run.out / name, tmp_path)
    text = (tmp_path / "estimates.csv").read_text(encoding="utf-8")
    (tmp_path / "estimates.csv").write_text(text.replace("0.1", "0.2", 1), encoding="utf-8")
    assert "is not what its run wrote" in CliRunner().invoke(cli, ["compare", str(tmp_path)]).stderr


def test_its_stored_fit_gives_its_estimates():
    study = bn.load_study(TINY)
    model = study.model("groups")
    own = build_design(study.panel, study.spec(model), study.scales)
    y, x = (
        own.outcome,
        np.column_stack([own.exposure.sum(axis=1) if own.exposure.ndim > 1 else own.exposure, own.controls]),
    )
    divisors = dict(zip(own.spec.regressors, x.std(axis=0, ddof=1), strict=True))  # version 0.1 had total SDs
    total = Scales(y.mean(), y.std(ddof=1), divisors, y.std(ddof=1))
    design = build_design(study.panel, study.spec(model), total)
    fit = restore(
        read_tree(RUN / "fits" / "groups.nc"), design, study.priors(model), make_sampler("collapsed", 400, 2, 1)
    )
    stored = read_csv(RUN / "estimates.csv").frame
    stored = stored[stored["model"] == "groups"].reset_index(drop=True)
    found = fit.estimates().frame.reset_index(drop=True)
    columns = ["term", "group", "estimand", "estimate", "spread", "lo", "hi"]
    pd.testing.assert_frame_equal(found[columns], stored[columns], rtol=1e-9, check_dtype=False)
    # Version 0.1 wrote shares of 800 draws; slopes are integrated out now, and no probability is 0 or 1.
    np.testing.assert_allclose(found["prob_positive"], stored["prob_positive"], atol=0.03)
    assert found["prob_positive"].dropna().between(0, 1, inclusive="neither").all()


def test_a_report_of_stale_fits_is_refused(tmp_path):
    shutil.copytree(RUN, tmp_path / "reference" / "run")
    shutil.copytree(TINY, tmp_path / "studies" / "tiny")
    with pytest.raises(SpecError, match=r"stored (fit is|variants are) missing, or made from other"):
        rerender(tmp_path / "reference" / "run")
