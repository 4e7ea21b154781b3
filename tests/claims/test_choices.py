"""Every claim under every other choice: lanes, and which marks cross a threshold."""

import pandas as pd
import pytest

from bayes_npp.claims.choices import KINDS, choice_rows, every_choice
from bayes_npp.claims.slopes import answering


def test_every_answered_variant_is_a_mark(tiny_run):
    found = every_choice(tiny_run.ledger, tiny_run.ladders, tiny_run.estimates)
    assert found == tiny_run.choices
    for record in tiny_run.ledger.records:
        lanes = {lane.kind: lane for lane in found[record.name].lanes}
        assert tuple(lanes) == KINDS
        for kind, own in record.variants.groupby("kind"):
            if kind == "errors":  # the lane has rungs that fail their checks too, the verdict only those that pass
                marks = dict(lanes[kind].marks)
                for errors, p in zip(own["variant"], own["probability"], strict=True):
                    assert marks[errors] == pytest.approx(p, abs=1e-9)
                continue
            assert len(lanes[kind].marks) == own["probability"].notna().sum()
            assert len(lanes[kind].unanswered) == own["probability"].isna().sum()
            assert [p for _, p in lanes[kind].marks] == sorted(own["probability"].dropna())


def test_errors_are_those_of_the_ladder(tiny_run):
    (ladder,) = tiny_run.ladders
    record = next(record for record in tiny_run.ledger.records if record.claim.id == "H1")
    lane = tiny_run.choices[record.name].lanes[KINDS.index("errors")]
    others = [e for e, fit in ladder.errors.records.items() if e != record.errors and fit.diagnostics.passed]
    assert sorted(variant for variant, _ in lane.marks) == sorted(others)
    for errors, probability in lane.marks:
        rows = tiny_run.estimates.select(model=ladder.errors.records[errors].model, group="")
        row = rows[rows["estimand"] == "average_slope_twfe_weighted"].iloc[0]
        assert probability == row["prob_positive"]


def test_a_choice_moves_a_claim_where_it_crosses_a_threshold(tiny_run):
    rules = tiny_run.ledger.rules
    for record in tiny_run.ledger.records:
        found = tiny_run.choices[record.name]
        marks = [p for lane in found.lanes for _, p in lane.marks]
        own = record.probability
        above = sum(p >= rules.support for p in marks) if own < rules.support else 0
        below = sum(p <= rules.contradict for p in marks) if own > rules.contradict else 0
        assert (len(found.above), len(found.below)) == (above, below)
        assert all(rules.contradict < p < rules.support for _, _, p in found.between)
        assert found.moved == bool(found.above or found.below or found.between)


def test_rows_vary_one_choice_at_a_time(tiny_run):
    rows = choice_rows(tiny_run.ledger, tiny_run.choices)
    for record in tiny_run.ledger.records:
        own = rows[rows["claim_id"] == record.claim.id]
        verdict = own[own["status"] == "the verdict's"].iloc[0]
        assert verdict["probability"] == pytest.approx(record.probability)
        varied = (
            own[["errors", "priors", "measure", "sample"]] != verdict[["errors", "priors", "measure", "sample"]]
        ).sum(axis=1)
        assert varied.max() <= 1
        assert 0 < verdict["mcse"] < 0.05
        assert (own.loc[own["priors"] != verdict["priors"], "mcse"] > 0).all()
    answered = rows[rows["probability"].notna()]
    assert (answered["lo"] < answered["mean"]).all()
    assert (answered["mean"] < answered["hi"]).all()
    assert rows.loc[rows["probability"].isna(), ["mean", "lo", "hi", "mcse"]].isna().all(axis=None)
    assert every_choice(None, (), tiny_run.estimates) == {}
    assert isinstance(rows, pd.DataFrame)


def test_quantiles_are_equally_likely(tiny_run):
    for record in tiny_run.ledger.records:
        assert len(record.quantiles) == 40
        assert list(record.quantiles) == sorted(record.quantiles)
        p = record.claim.parsed
        favour = sum(p.sign * (q - p.threshold) > 0 for q in record.quantiles)
        assert favour / 40 == pytest.approx(record.probability, abs=1 / 40)


def test_as_declared_is_one_number_everywhere(tiny_run):
    """Measures, samples and prior sets answer as declared by the fit itself, to the last digit."""
    for record in (record for record in tiny_run.ledger.records if not record.claim.parsed.is_mechanism):
        fit = next(one for one in (*tiny_run.fits, *tiny_run.ladder_fits) if one.model == record.model)
        own = tiny_run.estimates.select(model=fit.model)
        assert answering(own, record.claim.parsed)[1] == record.probability
        measured = next(one for one in tiny_run.measurement if one.model == record.model)
        declared = measured.slopes[measured.slopes["variant"] == measured.variants["variant"].iloc[0]]
        assert answering(declared, record.claim.parsed)[1] == record.probability
        assert answering(declared, record.claim.parsed)[1] != 0.5
        curve = tiny_run.ledger.curves[record.claim.model]
        cell = curve[
            (curve["sample"] == "as declared")
            & (curve["proposition"] == str(record.claim.parsed))
            & curve["estimator"].str.endswith(f" {record.errors} errors")
        ]
        assert cell["probability"].tolist() == [record.probability]
        sets = tiny_run.ledger.sensitivities[record.claim.model].sets
        named = sets[(sets["proposition"] == str(record.claim.parsed)) & (sets["priors"] == "weakly_informative")]
        assert named["probability"].tolist() == [record.probability]
        assert (named["mcse"] > 0).all()
        assert (named["mcse"] < 0.05).all()
