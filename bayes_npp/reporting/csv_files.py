"""The csv files of a run: every one with a first column `key`, the same from run to run."""

from typing import Any

import pandas as pd

from bayes_npp.analysis.measures import measurement_rows
from bayes_npp.analysis.without_units import influence_rows
from bayes_npp.claims.choices import choice_rows
from bayes_npp.claims.confounding import confounding_rows
from bayes_npp.frequentist.instruments.iv import ar_words
from bayes_npp.reporting.base.keys import ESTIMATE, harmless, keyed
from bayes_npp.reporting.base.result import Result
from bayes_npp.reporting.tables.instruments import NARROWED
from bayes_npp.reporting.tables.summary import PUBLISHED

TESTS = ("about", "test", "statistic", "df", "p_value", "lo", "hi", "note")


def csv_frames(result: Result) -> dict[str, pd.DataFrame]:
    """What is written beside the report, by name of file."""
    frames = {
        "estimates": keyed(result.estimates.frame, ESTIMATE),
        "diagnostics": keyed(result.diagnostics, ("fit", "quantity")),
        "weights": keyed(result.study.panel.index_weights, ("index", "indicator")),
        "descriptives": keyed(result.descriptives, ("role", "variable")),
        "tests": keyed(test_rows(result), ("about", "test")),
        "scores": keyed(score_rows(result), ("ladder", "part", "method", "model")),
    }
    if result.influence is not None:
        frames["influence"] = keyed(influence_rows(result.influence, result.posterior_influence), ("unit",))
    if result.differences:
        frames["differences"] = keyed(difference_rows(result), ("difference", "test", "group_1", "group_2"))
    if result.event_time is not None:
        frames["event_time"] = keyed(result.event_time.frame, ("paradigm", "term"))
    if result.confounding:
        frames["confounding"] = keyed(confounding_rows(result.confounding), ("claim", "benchmark", "k", "quantity"))
    factors = [record.factors for record in result.every_fit if record.factors is not None]
    if factors:
        frames["factors"] = keyed(pd.concat(factors, ignore_index=True), ("fit", "factor", "of", "label"))
    sensitivity = [measurement_rows(result.measurement)] if result.measurement else []
    if result.ledger is not None:
        frames["claims"] = keyed(result.ledger.frame(), ("id",))
        choices = choice_rows(result.ledger, result.choices)
        frames["choices"] = keyed(choices, ("claim_id", "errors", "priors", "measure", "sample"))
        sensitivity.append(result.ledger.sensitivity_rows())
    if sensitivity:
        together = pd.concat(sensitivity, ignore_index=True)
        frames["sensitivity"] = keyed(together, ("claim", "kind", "variant", "quantity"))
    if result.study.published is not None:
        frames["published"] = keyed(result.study.published, PUBLISHED)
    return {name: harmless(frame) for name, frame in frames.items()}


def test_rows(result: Result) -> pd.DataFrame:
    """Every test statistic: of the specification, of equal slopes, of instruments, of claims; Bayes factors."""
    rows: list[dict[str, Any]] = []
    for test in result.specification:
        if not isinstance(test, str):
            rows.append(
                _row("specification", test.name, test.statistic, test.distribution, test.p_value, note=test.note)
            )
    for own in result.equality:
        if own.test is not None:
            equal = own.test
            rows.append(
                _row(own.model, equal.name, equal.statistic, equal.distribution, equal.p_value, note=equal.note)
            )
            for pair in equal.pairs:
                what = f"{equal.name}: {pair.groups}"
                rows.append(_row(own.model, what, pair.statistic, pair.distribution, pair.p_value, note=pair.note))
    if (found := result.event_time) is not None:
        rows.append(_row("event time", "leads", found.leads_f, found.leads_df, found.leads_p))
    for difference in result.differences:
        for row in difference.tests.frame.itertuples(index=False):
            what = f"{row.test}: {row.group_1} - {row.group_2}"
            rows.append(_row(difference.declared.name, what, row.statistic, "", row.p_value, note=row.note))
    for model, tests in result.gmm.items():
        for name, label in (("hansen", "Hansen"), ("sargan", "Sargan"), ("ar1", "AR(1)"), ("ar2", "AR(2)")):
            if name not in tests["not_computable"]:
                df = str(tests.get(f"{name}_df", ""))
                rows.append(_row(model, label, tests[name], df, tests[f"{name}_p"]))
        for part in tests["difference_in_hansen"]:
            what = f"difference in Hansen: {part['instruments']}"
            df = "" if part["df"] is None else str(part["df"])
            rows.append(_row(model, what, part["difference"], df, part["p_value"], note=part["not_computable"]))
    for model, tests in result.instruments.items():
        rows += instrument_rows(model, tests)
    for posterior in result.instrument_posteriors:
        learned = posterior.learned
        said = "near the prior" if learned.near_prior else ""
        rows.append(_row(posterior.model, NARROWED, learned.ratio, note=said))
    for ladder in result.ladders:
        for errors, alike in ladder.errors.homogeneity.items():
            low, high = alike.range
            what = f"Bayes factor for equal slopes, {errors} errors"
            rows.append(_row(ladder.model, what, alike.factor, "", None, low, high, alike.reading))
    if result.ledger is not None:
        for record in result.ledger.records:
            if record.test is not None:
                test_ = record.test
                row = _row(
                    record.claim.id, "proposition", test_.estimate, "", test_.p_value, test_.lo, test_.hi, test_.used
                )
                rows.append(row)
            for effect, risk in record.risks:
                for name in ("power", "type_s", "type_m"):
                    rows.append(_row(record.claim.id, f"{name} at a true effect of {effect:g}", getattr(risk, name)))
    return pd.DataFrame(rows, columns=list(TESTS))


def instrument_rows(model: str, tests: dict[str, Any]) -> list[dict[str, Any]]:
    """Strength of the instruments, the Anderson-Rubin set, overidentification, endogeneity."""
    own = tests["not_computable"]
    rows = [
        _row(model, "first-stage F", tests["first_stage_f"], tests["first_stage_df"], tests["first_stage_p"]),
        _row(model, "effective F", tests["effective_f"]),
        _row(
            model,
            "Anderson-Rubin, slope of zero",
            None,
            "",
            tests["ar_p"],
            tests["ar_low"],
            tests["ar_high"],
            own.get("ar", ar_words(tests)),
        ),
        _row(model, "Wu-Hausman", tests["wu_hausman"], tests["wu_hausman_df"], tests["wu_hausman_p"]),
    ]
    for name, label in (("sargan", "Sargan"), ("hansen", "Hansen")):
        if name not in own:
            rows.append(_row(model, label, tests[name], str(tests[f"{name}_df"]), tests[f"{name}_p"]))
    return rows


def difference_rows(result: Result) -> pd.DataFrame:
    """Every test of every [[difference]], p-values adjusted for all pairs of a test beside their own."""
    frames = []
    for own in result.differences:
        tests = own.tests
        adjusted = tests.frame.merge(
            tests.holm.drop(columns="p_value"), on=["test", "group_1", "group_2"], how="left", validate="one_to_one"
        )
        adjusted.insert(0, "difference", own.declared.name)
        frames.append(adjusted.assign(group=tests.group))
    return pd.concat(frames, ignore_index=True)


def score_rows(result: Result) -> pd.DataFrame:
    """Every measure of predictive accuracy of the report: ways to pool, and error models."""
    errors = []
    for ladder in result.ladders:
        for name, score in ladder.errors.scores.items():
            own = {"ladder": ladder.model, "part": "errors", "method": score.method, "model": name}
            errors.append({**own, "elpd": score.elpd, "n": len(score.labels), "n_bad_k": score.n_bad})
    return pd.concat([result.accuracy, pd.DataFrame(errors)], ignore_index=True) if errors else result.accuracy


def _row(
    about: str,
    test: str,
    statistic: float | None,
    df: str = "",
    p_value: float | None = None,
    lo: float | None = None,
    hi: float | None = None,
    note: str = "",
) -> dict[str, Any]:
    return dict(zip(TESTS, (about, test, statistic, df, p_value, lo, hi, note), strict=True))
