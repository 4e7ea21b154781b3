"""Sensitivity to measurement in tables and sentences: variants of the index, drawn weights, shared columns."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from bayes_npp.analysis.records import MeasurementRecord
from bayes_npp.estimates import ESTIMANDS
from bayes_npp.reporting.base.cells import Table, number, p_relation, probability, relation
from bayes_npp.reporting.base.result import Result
from bayes_npp.study.measurement import AVERAGED, SOURCES, Measurement
from bayes_npp.study.overlap import Overlap

AVERAGE = "average_slope_twfe_weighted"
LOGS = {
    "none": "indicators as they are",
    "ln": "logarithms of indicators",
    "ln1p": "logarithms of one plus indicators",
}


def measured(result: Result) -> list[list[MeasurementRecord]]:
    """Records of every declared model, the errors as declared first."""
    models = dict.fromkeys(record.declared for record in result.measurement)
    return [[record for record in result.measurement if record.declared == model] for model in models]


def variant_table(records: list[MeasurementRecord], result: Result) -> Table:
    """Every way to measure outcome and exposure, the declared one first."""
    return _variant_table(records, result, left_out=False)


def left_out_table(records: list[MeasurementRecord], result: Result) -> Table | None:
    """The same with one indicator left out; None where none is."""
    if (records[0].variants["left_out"] == "").all():
        return None
    return _variant_table(records, result, left_out=True)


def average_table(records: list[MeasurementRecord], result: Result) -> Table | None:
    """Average slopes averaged over drawn weights; None where none are drawn."""
    return _average_table(records, result, by_group=False) if len(records[0].averages) else None


def average_group_table(records: list[MeasurementRecord], result: Result) -> Table | None:
    """The same of groups' slopes; None without groups."""
    by_group = len(records[0].averages) and (records[0].averages["group"] != "").any()
    return _average_table(records, result, by_group=True) if by_group else None


def _variant_table(records: list[MeasurementRecord], result: Result, left_out: bool) -> Table:
    study, first = result.study, records[0]
    measurement = study.measurement
    assert measurement is not None
    rows = first.variants[(first.variants["left_out"] != "") == left_out]
    others = {record.errors: record.variants.set_index("variant") for record in records[1:] if not left_out}
    cells = []
    for row in rows.to_dict("records"):
        own = {
            "measured by": row["variant"],
            "correlation with the declared": number(row["correlation"]),
            "the same, two-way effects removed": number(row["correlation_within"]),
            "TWFE": f"{number(row['twfe'])} [{number(row['twfe_lo'])}, {number(row['twfe_hi'])}] "
            f"[{p_relation(row['twfe_p'])}]",
            "clustered SE": number(row["twfe_se"]),
            "TWFE in the variant's own units": number(row["twfe_own_units"]),
            f"posterior, {first.errors} errors": _posterior(row),
        }
        own |= {f"posterior, {e} errors": _posterior(frame.loc[row["variant"]]) for e, frame in others.items()}
        cells.append(own | ({"rows": str(row["n_obs"])} if first.variants["n_obs"].nunique() > 1 else {}))
    outcome, exposure = study.roles.outcome, study.roles.exposure
    notes = [
        f"Average slope of {exposure} with the weights of two-way fixed effects ('{first.declared}'). Every index has "
        f"the mean and the total SD of {outcome} over the sample (n - 1, over all its rows and not within units: "
        f"{number(study.scales.total_sd)}), every other exposure those of {exposure}, so that slopes are in the "
        f"units of {outcome} over {exposure}. TWFE: estimate, 95 % confidence interval [p-value], errors clustered by "
        "unit, convention stata. Posterior: mean, 95 % equal-tailed interval, P(> 0), the model's own priors.",
        "Correlations over all rows, and of what unit and period effects leave of both, from which slopes are "
        "estimated.",
        _log_note(measurement),
    ]
    if left_out:
        notes = ["Each variant once more without one indicator.", notes[0]]
    if others:
        notes.append(
            f"Errors: {first.errors} as declared, {', '.join(others)} behind the verdicts (which errors the data ask "
            "for is in its own table)."
        )
    notes += [f"FAILED sampler: {_failed(record)}." for record in records if not record.passed]
    name = f"measurement{'_left_out' if left_out else ''}_{first.declared}"
    title = f"How else {outcome} could be measured" + (", one indicator left out" if left_out else "")
    return Table(name, title, pd.DataFrame(cells), tuple(notes))


def _average_table(records: list[MeasurementRecord], result: Result, by_group: bool) -> Table:
    measurement = result.study.measurement
    assert measurement is not None
    rows = []
    for record in records:
        for row in record.averages[(record.averages["group"] != "") == by_group].to_dict("records"):
            what = ESTIMANDS[row["estimand"]].split(",")[0] if row["group"] else ESTIMANDS[row["estimand"]]
            alone = {name: row[f"declared_{name}"] for name in ("mean", "lo", "hi", "prob_positive")}
            rows.append(
                {
                    "weights drawn from": f"{row['source']}, {row['indices']} indices",
                    "errors": record.errors,
                    "quantity": f"{what}: {row['group']}" if row["group"] else what,
                    "the declared index": _posterior(alone),
                    "averaged over indices": _posterior(row),
                    "SD within indices": number(row["within_sd"]),
                    "SD between indices": number(row["between_sd"]),
                    "share of variance between indices": _share(row["index_share"]),
                }
            )
    notes = (
        f"This is {AVERAGED}: each drawn index is fitted on its own and all count alike, whatever their fit.",
        f"bootstrap: {SOURCES['bootstrap']}; dirichlet: {SOURCES['dirichlet']} (concentration "
        f"{measurement.dirichlet:g}). Drawn weights are applied to the indicators as scaled over the whole sample, and "
        "every index has the declared one's total SD.",
        "Variance of the average = mean variance within an index + variance of the means between indices, exactly; the "
        "latter holds a little simulation error too. Choices that no draw makes (logarithms, indicators left "
        "out, another exposure) are in no interval here: see the variants.",
    )
    title = f"Averaged over uncertain weights of {result.study.roles.outcome}" + (", by group" if by_group else "")
    name = f"measurement_average{'_groups' if by_group else ''}_{records[0].declared}"
    return Table(name, title, pd.DataFrame(rows), notes[:1] if by_group else notes)


def overlap_table(result: Result) -> Table | None:
    """What variables of different roles share; None where they share nothing."""
    overlaps = result.study.overlaps
    if not overlaps:
        return None
    rows = [
        {
            "shared": overlap.what,
            "kind": "source column" if overlap.kind == "column" else "concept, as the study declares it",
            "by": "; ".join(
                f"{role} {name}" + (f" ({', '.join(columns)})" if overlap.kind == "concept" else "")
                for role, name, columns in overlap.parts
            ),
        }
        for overlap in overlaps
    ]
    notes = (
        "Columns of the source are followed through every derived variable. Where outcome and another role share one, "
        "part of their association holds by construction. Only columns of one name and declared concepts are seen.",
    )
    return Table(
        "overlap", "What outcome, exposure, controls, mediators and groupings share", pd.DataFrame(rows), notes
    )


def variant_sentence(record: MeasurementRecord, outcome: str, shown: Callable[[str], str]) -> str:
    """How far the slope moves over the variants, by logarithms and by exposure, and what the indices share."""
    frame, first = record.variants, record.declared == record.model
    parts = []
    for span in record.spans.reset_index().to_dict("records"):
        part = f"with {LOGS[span['logs']]} {f'TWFE {_range(span, "twfe")}, ' if first else ''}posterior means "
        part += f"{_range(span, 'mean')}, P(> 0) {_range(span, 'prob_positive', probability)}"
        if first and pd.notna(span["correlation_low"]):
            part += (
                f" (correlation with {shown(outcome)} as declared {_range(span, 'correlation')}, once unit and period "
                f"effects are removed {_range(span, 'correlation_within')})"
            )
        parts.append(part)
    for row in frame[frame["exposure"] != ""].to_dict("records"):
        estimate = f"TWFE {number(row['twfe'])}, " if first else ""
        parts.append(
            f"with {shown(row['exposure'])} as the exposure {estimate}posterior mean {number(row['mean'])}, P(> 0) "
            f"{relation(row['prob_positive'])}"
        )
    opening = f"Average slope over {len(frame)} ways to measure ('{record.declared}', {record.errors} errors)"
    said = f"{opening}: {'; '.join(parts)}."
    return said if record.passed else f"{said} The sampler failed its diagnostics in {_failed(record)}."


def average_sentence(record: MeasurementRecord) -> str:
    """The posterior averaged over drawn weights beside the one of the declared index."""
    parts = []
    for row in record.averages[record.averages["estimand"] == AVERAGE].to_dict("records"):
        parts.append(
            f"{row['source']} {number(row['mean'])} [{number(row['lo'])}, {number(row['hi'])}], "
            f"{_share(row['index_share'])} of its variance between indices"
        )
    row = record.averages.iloc[0]
    alone = f"{number(row['declared_mean'])} [{number(row['declared_lo'])}, {number(row['declared_hi'])}]"
    return (
        f"Averaged over uncertain weights ('{record.declared}', {record.errors} errors; the declared index {alone}): "
        f"{'; '.join(parts)}. This is {AVERAGED}, and it leaves out every choice but the weights."
    )


def overlap_sentence(overlaps: tuple[Overlap, ...]) -> str:
    """Which roles share a source column or a declared concept."""
    if not overlaps:
        return (
            "No source column stands behind two of outcome, exposure, controls, mediators and groupings, and the study "
            "declares no concept that does."
        )
    parts = []
    for overlap in overlaps:
        shared = f"the column {overlap.what}" if overlap.kind == "column" else f"{overlap.what} (declared)"
        parts.append(f"{_listed([f'{role} {name}' for role, name, _ in overlap.parts])} share {shared}")
    return f"By construction {'; '.join(parts)}. Part of their associations is definitional."


def _posterior(row: object) -> str:
    values = pd.Series(row)
    text = f"{number(values['mean'])} [{number(values['lo'])}, {number(values['hi'])}]"
    return f"{text}; P(> 0) {relation(values['prob_positive'])}"


def _log_note(measurement: Measurement) -> str:
    rules = {
        "ln": "ln(x + {:g}), by which zeros are kept" if measurement.log_shift else "ln(x): a zero would be an error",
        "ln1p": "ln(1 + x): zeros are kept, and the variant depends on the units of the indicators",
    }
    declared = [rules[logs].format(measurement.log_shift) for logs in measurement.logs if logs != "none"]
    return f"Logarithms: {'; '.join(declared)}." if declared else "No logarithms are declared."


def _failed(record: MeasurementRecord) -> str:
    bad = record.variants[record.variants["verdict"] != "passed"]
    parts = [f"{row['variant']} {row['verdict']}" for row in bad.to_dict("records")]
    failed = int(record.averages.drop_duplicates("source")["failed"].sum())
    return "; ".join(parts + ([f"{failed} of the drawn indices"] if failed else []))


def _range(span: dict[Any, Any], name: str, words: Callable[[float], str] = number) -> str:
    low, high = words(span[f"{name}_low"]), words(span[f"{name}_high"])
    return low if low == high else f"{low} to {high}"


def _share(value: float) -> str:
    return f"{100 * value:.1f} %" if value >= 0.001 else "< 0.1 %"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
