"""No csv file says that something is certain: probabilities lie between 0 and 1, and p-values above 0."""

import re

import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.estimates import SMALLEST
from tests.conftest import ROOT

# By their names: of posteriors, tests and printed tables, and both ends of ranges of them.
PROBABILITY = r"(?:prob_positive|probability|p_negligible|power|type_s|frequentist_p|twfe_p|p_value|p)"
ENDS = ("lowest", "highest")  # of probabilities where claims or priors vary
RANGES = re.compile(r"(claims|priors_\w+)\.csv")
PRINTED = re.compile(r"(^|/)(published|audit_printed)\.csv$")  # as the paper has it
AT_MOST_ONE = re.compile(r"(p_value|frequentist_p|twfe_p)")  # a statistic of exactly zero has one of 1

COLUMNS_OF_TINY = {
    *("choices.csv probability", "claims.csv probability", "claims.csv lowest", "claims.csv frequentist_p"),
    *("estimates.csv prob_positive", "estimates.csv p_value", "tests.csv p_value", "sensitivity.csv value"),
    *("figures/confounding_mechanism.csv prob_positive", "figures/predictive_changes.csv p"),
    *("figures/priors_groups.csv lowest", "figures/sceptic_groups.csv probability"),
}
COLUMNS_OF_AUDIT = {
    *("tables/audit_posteriors.csv prob_positive", "tables/audit_type_s_m.csv power"),
    *("tables/audit_type_s_m.csv type_s", "tables/audit_differences.csv p_value_lowest"),
    *("tables/audit_differences.csv probability_highest", "tables/audit_difference_curve.csv probability_lowest"),
}


def probabilities(folder):
    """Every column of probabilities of every csv file of a folder, as text: place and values."""
    for path in sorted(folder.rglob("*.csv")):
        name = path.relative_to(folder).as_posix()
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
        if PRINTED.search(name) or (name.startswith("tables/") and "key" in frame):  # text cells of the report
            continue
        for column in frame:
            ranged = column in ENDS and RANGES.search(name)
            if ranged or re.fullmatch(rf"{PROBABILITY}(_\w+)?", column):
                yield f"{name} {column}", frame[column]
        if {"quantity", "value"} <= set(frame):
            own = frame["quantity"].str.contains(rf"(?:^|[ :]){PROBABILITY}$")
            yield f"{name} value", frame["value"][own]


def uncertain(folder):
    """Places of all probabilities, none of them 0 or 1."""
    places, certain = set(), {}
    for place, cells in probabilities(folder):
        values = pd.to_numeric(cells, errors="coerce")
        assert (cells[values.isna()] == "").all(), place
        values = values.dropna()
        places |= {place} if len(values) else set()
        below = values <= 1 if AT_MOST_ONE.search(place) else values < 1
        certain |= {place: values[~((values > 0) & below)].tolist()}
    assert {place: values for place, values in certain.items() if values} == {}
    return places


def test_probabilities_of_a_run(tiny_run):
    assert uncertain(tiny_run.out) >= COLUMNS_OF_TINY


def test_probabilities_of_an_audit(tmp_path):
    """Printed standard errors may be zero: what is sure given them is still not a probability of 1."""
    published = pd.read_csv(ROOT / "models" / "digital_trade" / "published.csv", dtype=str)
    published.to_csv(tmp_path / "published.csv", index=False)
    bn.audit(tmp_path / "published.csv", out=tmp_path / "out")
    assert uncertain(tmp_path / "out") >= COLUMNS_OF_AUDIT
    posteriors = pd.read_csv(tmp_path / "out" / "tables" / "audit_posteriors.csv")
    assert posteriors["prob_positive"].max() == pytest.approx(1 - SMALLEST, abs=1e-12)


def test_a_tail_below_all_numbers_is_not_zero():
    """An outcome that is its exposure but for a millionth: t of 1e6 with 231 degrees of freedom."""
    frame = bn.simulate(30, 9, {"a": 1.0}, seed=1).frame
    frame["outcome"] = frame["exposure"] + 1e-6 * frame["outcome"]
    panel = bn.read_panel(frame, unit="unit", time="time")
    found = bn.twfe(panel, bn.Spec(outcome="outcome", exposure="exposure"), covariance="classical").frame
    assert 0 < found["p_value"].iloc[0] < 1e-300
