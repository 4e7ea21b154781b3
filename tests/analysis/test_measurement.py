"""Measurement of an index outcome: weights by hand, variants rebuilt, averages over drawn weights, overlaps, bad input.

Tolerances: 1e-10 relative for the same algebra by another route; four Monte Carlo standard errors between samplers;
half a unit of the last printed digit for PAPER.md's first look.
"""

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.analysis.index_posteriors import (
    averaged_posterior,
    decompose,
    over_variants,
    seeded,
    sensitivity_rows,
    variant_posteriors,
    variants_of,
)
from bayes_npp.analysis.measures import spans, two_way
from bayes_npp.analysis.progress import Progress
from bayes_npp.analysis.settings import RunSettings
from bayes_npp.bayesian.fitting.refit import SHORT
from bayes_npp.design.projection import two_way_parts
from bayes_npp.errors import BayesNppError
from bayes_npp.panels import indices
from bayes_npp.panels.transforms import Index
from bayes_npp.pipeline import rerender, run_study
from bayes_npp.study.index_variants import correlations, index_of, sample_rows
from bayes_npp.study.study import load_study
from tests.conftest import report_text

STUDY = """
[study]
title = "A small study"
panel = "panel.csv"
unit = "unit"
time = "time"
group = "group"
[roles]
outcome = "made"
exposure = "exposure"
controls = ["control_1"]
[[variable]]
name = "made"
index = "entropy"
positive = ["first", "second", "third"]
[[variable]]
name = "pair"
index = "entropy"
positive = ["first", "second"]
[[variable]]
name = "other"
log = "second_exposure"
[[model]]
name = "grouped"
kind = "hierarchical"
slopes = "group"
ladder = false
draws = 400
[[model]]
name = "plain"
kind = "twfe"
[measurement]
index = "made"
models = ["grouped"]
exposures = ["other"]
draws = 5
"""


def write(folder, text=STUDY):
    frame = bn.simulate(14, 6, {"north": 0.6, "south": 0.2}, seed=6).frame
    random = np.random.default_rng(3)
    for name in ("first", "second", "third"):
        frame[name] = np.exp(0.4 * frame["outcome"] + 0.2 * random.normal(size=len(frame)))
    frame["second_exposure"] = np.exp(frame["exposure"] + 0.3 * random.normal(size=len(frame)))
    frame["zero"] = np.where(frame.index == 8, 0.0, frame["third"])
    frame.to_csv(folder / "panel.csv", index=False)
    (folder / "study.toml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return load_study(write(tmp_path_factory.mktemp("measured")))


@pytest.fixture(scope="module")
def declared(study):
    """Variants of the default study by label."""
    return {variant.label: variant for variant in variants_of(study)}


def test_variants_are_every_combination(study, declared):
    assert len(declared) == 4 * 2 * 8 + 1
    assert next(iter(declared.values())).declared
    rows = sample_rows(study.panel, study.roles, index_of(study.variables, "npp"))
    own = study.panel.numbers("npp")[rows]
    for variant in declared.values():
        values = variant.values[rows]
        of = study.panel.numbers("openness")[rows] if variant.exposure else own
        assert values.mean() == pytest.approx(of.mean(), rel=1e-10), variant.label
        assert values.std(ddof=1) == pytest.approx(of.std(ddof=1), rel=1e-10), variant.label


def test_leaving_one_out_is_the_index_by_hand(study, declared):
    """Declared as an index of the other indicators, by the study's own transform, then rescaled."""
    names = index_of(study.variables, "npp").indicators
    kept = tuple(name for name in names if name != "papers")
    for weights, label in (("entropy", "entropy weights"), ("critic", "CRITIC weights"), ("pca", "first component")):
        by_hand = Index(name="hand", index=weights, positive=kept)
        panel = bn.derive(study.panel, [by_hand])
        rows = panel.in_window
        values = panel.numbers("hand")[rows]
        scale = study.panel.numbers("npp")[rows].std(ddof=1) / values.std(ddof=1)
        found = declared[f"{label}, without papers"]
        np.testing.assert_allclose(found.values[rows] - found.values[rows].mean(), (values - values.mean()) * scale)
        assert found.per_unit == pytest.approx(1 / scale, rel=1e-10)


def test_first_look_of_the_paper(study, declared):
    """PAPER.md: .316 (2.4); logged indicators .057 (1.5), with ln(x), shift 0 and in the index's own units (ln(1 + x)
    would give t 2.1); ln e-commerce sales .014 (1.1), per unit of the logarithm."""
    model = study.model("regions")
    printed = {
        "npp, as declared": (0.316, 2.4),
        "entropy weights, ln(x)": (0.057, 1.5),
        "exposure ln_ecommerce": (0.014, 1.1),
    }
    for label, (estimate, t) in printed.items():
        found = two_way(study, model, declared[label])
        assert found["twfe"] * declared[label].per_unit == pytest.approx(estimate, abs=0.0005), label
        assert found["twfe"] / found["twfe_se"] == pytest.approx(t, abs=0.05), label


def test_spans_are_over_variants_of_the_index_and_correlations_leave_out_the_declared_one():
    """By hand: of the logged variants one is measured by another exposure and stands in no span."""
    variants = pd.DataFrame(
        [
            {"logs": "none", "exposure": "", "twfe": 0.3, "mean": 0.2, "prob_positive": 0.9, "correlation": 1.0},
            {"logs": "none", "exposure": "", "twfe": 0.1, "mean": 0.4, "prob_positive": 0.8, "correlation": 0.7},
            {"logs": "ln", "exposure": "", "twfe": 0.05, "mean": 0.0, "prob_positive": 0.5, "correlation": 0.6},
            {"logs": "ln", "exposure": "ln_sales", "twfe": 9.0, "mean": 9.0, "prob_positive": 1.0, "correlation": 0.1},
        ]
    )
    found = spans(variants.assign(correlation_within=variants["correlation"] / 2))
    assert found.index.tolist() == ["none", "ln"]
    assert found["twfe_low"].tolist() == [0.1, 0.05]
    assert found["twfe_high"].tolist() == [0.3, 0.05]
    assert found["mean_low"].tolist() == [0.2, 0.0]
    assert found["prob_positive_high"].tolist() == [0.9, 0.5]
    assert found["correlation_high"].tolist() == [0.7, 0.6]
    assert found["correlation_within_low"].tolist() == [0.35, 0.3]


def test_rescaling_only_changes_units(study, declared):
    variant = declared["equal weights, ln(x)"]
    names = index_of(study.variables, "npp").indicators
    values = np.log(np.column_stack([study.panel.numbers(name) for name in names])[study.panel.in_window])
    column = np.full(len(study.panel.frame), np.nan)
    column[study.panel.in_window] = indices.min_max(values, np.ones(len(names)), names).mean(axis=1)
    raw = bn.twfe(
        study.panel.with_column("raw", column),
        bn.Spec(outcome="raw", exposure="openness", controls=study.roles.controls),
    ).frame.iloc[0]
    found = two_way(study, study.model("regions"), variant)
    assert found["twfe"] * variant.per_unit == pytest.approx(raw["estimate"], rel=1e-8)
    assert found["twfe_se"] * variant.per_unit == pytest.approx(raw["spread"], rel=1e-8)
    assert found["twfe_p"] == pytest.approx(raw["p_value"], rel=1e-8)


def test_correlations_by_hand(study, declared):
    index = index_of(study.variables, "npp")
    variant = declared["entropy weights, ln(x)"]
    frame = study.panel.frame[study.panel.in_window]
    both = np.column_stack([frame["npp"], variant.values[study.panel.in_window]])
    unit, time = pd.factorize(frame["province_en"])[0], pd.factorize(frame["year"])[0]
    within = np.corrcoef(two_way_parts(both, unit, time).residual.T)[0, 1]
    raw, found = correlations(study.panel, study.roles, index, variant)
    assert raw == pytest.approx(np.corrcoef(both.T)[0, 1])
    assert found == pytest.approx(within)
    assert found < 0.3 < raw  # what a slope within units sees is another index


def test_variant_posterior_is_the_fit_of_that_column(small):
    variants = {variant.label: variant for variant in variants_of(small)}
    labels = ["made, as declared", "CRITIC weights, ln(x), without first", "exposure other"]
    found = variant_posteriors(small, small.model("grouped"), [variants[label] for label in labels], seeded(SHORT, 3))
    again = variant_posteriors(small, small.model("grouped"), [variants[label] for label in labels], seeded(SHORT, 3))
    assert all(np.array_equal(a.slopes, b.slopes) for a, b in zip(found, again, strict=True))
    for one in found:
        assert one.verdict == "passed"
        spec = small.spec(small.model("grouped"))
        name = "exposure" if one.variant.exposure else "made"
        fit = bn.fit(small.panel.with_column(name, one.variant.values), spec, seed=8)
        theirs, ours = fit.slopes, one.slopes
        error = np.hypot(theirs.std(axis=0) / np.sqrt(1000), ours.std(axis=0) / np.sqrt(400))
        assert (abs(theirs.mean(axis=0) - ours.mean(axis=0)) < 4 * error).all(), one.variant.label
        assert set(one.quantities) >= {("group_slope", "north"), ("slope_difference", "north - south")}
    probability = over_variants(found, lambda one: {"probability": float((one.slopes[:, 0] > 0).mean())})
    rows = sensitivity_rows(probability, claim="H1")
    assert list(rows.columns) == ["claim", "kind", "variant", "quantity", "value"]
    assert list(rows["variant"]) == labels
    assert set(rows["claim"]) == {"H1"}


def test_without_uncertainty_the_average_is_the_fit(tmp_path):
    study = load_study(write(tmp_path, STUDY + "dirichlet = 1e13\n"))
    model = study.model("grouped")
    found = averaged_posterior(study, model, "dirichlet", 4, 2, seeded(SHORT, 3))
    (declared,) = variant_posteriors(study, model, variants_of(study)[:1], seeded(SHORT, 4))
    np.testing.assert_allclose(found.weights, np.tile(found.weights[0], (5, 1)), atol=1e-5)
    for g in range(2):
        parts = decompose(found.slopes[:, :, g])
        alone = declared.slopes[:, g]
        assert parts["mean"] == pytest.approx(alone.mean(), abs=4 * alone.std() / np.sqrt(500))
        assert parts["sd"] == pytest.approx(alone.std(), rel=4 / np.sqrt(2 * 500))
        assert parts["between_sd"] < 4 * alone.std() / np.sqrt(500)  # simulation error alone


def test_variance_adds_up():
    random = np.random.default_rng(1)
    draws = random.normal(size=(7, 300)) * np.arange(1, 8)[:, None] + np.arange(7)[:, None]
    parts = decompose(draws)
    assert parts["within_sd"] ** 2 + parts["between_sd"] ** 2 == pytest.approx(draws.var(), rel=1e-12)
    assert parts["index_share"] == pytest.approx(parts["between_sd"] ** 2 / parts["sd"] ** 2, rel=1e-12)
    assert parts["mean"] == pytest.approx(draws.mean())


@pytest.mark.parametrize(
    ("behind", "quick", "errors"),
    [
        ("iid", True, ["iid"]),
        ("ar1", True, ["iid", "ar1"]),
        ("ar1+factor", True, ["iid"]),
        ("ar1+factor", False, ["iid", "ar1+factor"]),
    ],
)
def test_measures_vary_under_the_errors_behind_the_verdicts_too(study, monkeypatch, behind, quick, errors):
    """With common factors not in a quick run."""
    from bayes_npp.analysis import measures

    found = []

    def chosen(model, ladders):
        return model if behind == model.errors else model.model_copy(update={"errors": behind})

    def recorded(study, declared, model, whole, settings):
        found.append((model, whole))

    monkeypatch.setattr(measures, "behind_verdicts", chosen)
    monkeypatch.setattr(measures, "measured", recorded)
    measures.measure(study, (), RunSettings("a title", seed=1, quick=quick), Progress())
    assert [model.errors for model, _ in found] == errors
    assert [whole for _, whole in found] == [True, False][: len(errors)]


def test_a_run_with_measurement(tmp_path):
    folder, out = write(tmp_path, STUDY.replace("[measurement]", CONCEPT + "[measurement]")), tmp_path / "out"
    result = run_study(folder, out, quick=True)
    (record,) = result.measurement
    assert len(record.variants) == 4 * 2 * 4 + 1
    report = report_text(out)
    assert "How else" in report
    assert "not a posterior of one model" in report
    assert "outcome made and exposure exposure share growth (declared)" in report
    assert "total SD of made" in report
    tables = {path.stem for path in (out / "tables").glob("*.csv")}
    names = ("", "left_out_", "average_", "average_groups_")
    assert {"overlap", *(f"measurement_{name}grouped" for name in names)} <= tables
    assert (out / "figures" / "measurement_grouped.svg").exists()
    rows = pd.read_csv(out / "sensitivity.csv", keep_default_na=False)
    assert list(rows.columns) == ["key", "claim", "kind", "variant", "quantity", "value"]
    assert set(rows["kind"]) == {"measurement"}
    assert not rows.duplicated(["variant", "quantity"]).any()
    shares = rows[rows["quantity"] == "grouped: average_slope_twfe_weighted: index_share"]["value"].astype(float)
    assert len(shares) == 2
    assert shares.between(0, 1).all()
    kept = ("report.md", "sensitivity.csv", "figures/measurement_grouped.csv", "tables/measurement_grouped.csv")
    before = {name: (out / name).read_bytes() for name in kept}
    rerender(out)
    assert {name: (out / name).read_bytes() for name in kept} == before
    (out / "fits" / "grouped.measurement.nc").unlink()
    with pytest.raises(BayesNppError, match="stored variants are missing"):
        rerender(out)


CONCEPT = '[[overlap]]\nconcept = "growth"\ncolumns = ["first", "exposure"]\n'
