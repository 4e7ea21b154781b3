"""The measurement of outcome and exposure varied in a run: fitted or taken from storage, and put into tables."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayes_npp.analysis.cache import Form, remembered
from bayes_npp.analysis.index_posteriors import (
    INDEX_DRAWS,
    AveragedPosterior,
    VariantPosterior,
    averaged_posterior,
    declared_measurement,
    decompose,
    seeded,
    sensitivity_rows,
    slope_quantities,
    variant_posteriors,
    variants_of,
)
from bayes_npp.analysis.ladder import behind_verdicts
from bayes_npp.analysis.made_from import made_by
from bayes_npp.analysis.progress import Progress
from bayes_npp.analysis.records import Ladder, MeasurementRecord
from bayes_npp.analysis.settings import RunSettings
from bayes_npp.analysis.stored_fits import fit_model
from bayes_npp.bayesian.fitting.fit import Fit
from bayes_npp.bayesian.fitting.refit import SHORT
from bayes_npp.bayesian.fitting.sample import Sampler
from bayes_npp.bayesian.model.error_models import factors_of
from bayes_npp.estimates import summarise
from bayes_npp.frequentist.least_squares.inference import t_row
from bayes_npp.frequentist.least_squares.static import linear_fit, replace_slopes
from bayes_npp.store import read_dataset, write_netcdf
from bayes_npp.study.index_variants import Variant, correlations, index_of, variant_design
from bayes_npp.study.measurement import SOURCES, measured_model
from bayes_npp.study.models import HierarchicalModel
from bayes_npp.study.study import Study

if TYPE_CHECKING:
    import xarray as xr

AVERAGE = ("average_slope_twfe_weighted", "")
QUICK_INDICES = 10
FEWER = 4  # times fewer drawn indices with the errors behind the verdicts, which take so much longer


def measure(
    study: Study, ladders: Sequence[Ladder], settings: RunSettings, progress: Progress
) -> tuple[MeasurementRecord, ...]:
    """Every declared model on every variant; with the errors behind the verdicts where they are others.

    There the variants that leave an indicator out are not fitted and fewer indices are drawn (none in a quick run, or
    with common factors), and with common factors a quick run fits no variant at all, for time.
    """
    if study.measurement is None:
        return ()
    pairs = []
    for name in study.measurement.models:
        declared = measured_model(name, study.models)
        behind = behind_verdicts(declared, ladders)
        left_out = settings.quick and factors_of(behind.errors) and not factors_of(declared.errors)
        pairs += [(declared, model) for model in dict.fromkeys((declared, declared if left_out else behind))]
    return tuple(
        measured(study, declared, model, model is declared, settings)
        for declared, model in progress.track("measurement", pairs, _named)
    )


def _named(pair: tuple[HierarchicalModel, HierarchicalModel]) -> str:
    return f"{pair[1].name}: variants of the index, drawn weights, other exposures"


def posteriors(
    study: Study, model: HierarchicalModel, settings: RunSettings, whole: bool = True
) -> tuple[list[VariantPosterior], list[AveragedPosterior]]:
    """A model under every variant but the declared, and over indices of drawn weights; fitted, or as a run stored them.

    Parameters
    ----------
    whole : bool
        Whether to fit the variants that leave an indicator out too, and to all the drawn indices.

    Raises
    ------
    SpecError
        Nothing stored, or from other data or settings, in a run that may not sample.
    """
    measurement = declared_measurement(study)
    variants = variants_of(study, whole)[1:]
    sampler = seeded(SHORT, settings.seed)
    draws = min(measurement.draws, QUICK_INDICES) if settings.quick else measurement.draws
    if not whole and draws:
        draws = 0 if settings.quick or factors_of(model.errors) else max(2, draws // FEWER)
    sources = tuple(SOURCES) if draws else ()
    made_from = _made_from(study, model, variants, sampler, draws)

    def compute() -> tuple[list[VariantPosterior], list[AveragedPosterior]]:
        fitted = variant_posteriors(study, model, variants, sampler)
        return fitted, [averaged_posterior(study, model, one, draws, settings.seed, sampler) for one in sources]

    return remembered(
        settings.path(model.name, ".measurement.nc"),
        made_from,
        Form(_write, lambda path: _read(path, study, model, variants, sources)),
        compute,
        again=settings.refit,
        stored_only=settings.stored_only,
        say=settings.say,
    )


def measurement_rows(records: tuple[MeasurementRecord, ...]) -> pd.DataFrame:
    """Rows of sensitivity.csv: claim (empty), kind, variant, quantity, value."""
    values: dict[str, dict[str, float]] = {}
    for number, record in enumerate(records):
        for row in record.variants.to_dict("records"):
            own = values.setdefault(str(row["variant"]), {})
            if number == 0 or record.declared != records[number - 1].declared:
                for name in ("correlation", "correlation_within", "twfe", "twfe_se", "twfe_p"):
                    own[f"{record.declared}: {name}"] = float(row[name])
        for row in record.slopes.to_dict("records"):
            _add(values.setdefault(str(row["variant"]), {}), record.model, row, ("mean", "lo", "hi", "prob_positive"))
        for row in record.averages.to_dict("records"):
            names = ("mean", "lo", "hi", "prob_positive", "within_sd", "between_sd", "index_share")
            _add(values.setdefault(f"average: {SOURCES[str(row['source'])]}", {}), record.model, row, names)
    return sensitivity_rows(values)


def _add(values: dict[str, float], model: str, row: dict[Any, Any], names: tuple[str, ...]) -> None:
    what = f"{row['estimand']} {row['group']}".strip()
    values.update({f"{model}: {what}: {name}": float(row[name]) for name in names})


def measured(
    study: Study, declared: HierarchicalModel, model: HierarchicalModel, whole: bool, settings: RunSettings
) -> MeasurementRecord:
    """What a model says under every variant, `whole` or without those that leave an indicator out (`posteriors`)."""
    fit, _ = fit_model(study.sample, model, settings.fitted_before())
    alone = declared_summaries(fit)
    fitted, averaged = posteriors(study, model, settings, whole)
    found = [(variants_of(study)[0], fit.design.n_obs, alone, fit.diagnostics.verdict)]
    for one in fitted:
        summaries = {name: summarise(draws) for name, draws in one.quantities.items()}
        found.append((one.variant, one.design.n_obs, summaries, one.verdict))
    variants, slopes, averages = [], [], []
    for variant, n_obs, summaries, verdict in found:
        fixed_effects = two_way(study, declared, variant)
        variants.append(
            {
                **_labels(variant),
                "n_obs": n_obs,
                **_beside(study, variant),
                **fixed_effects,
                "twfe_own_units": fixed_effects["twfe"] * variant.per_unit,
                **summaries[AVERAGE],
                "verdict": verdict,
            }
        )
        for (estimand, group), summary in summaries.items():
            slopes.append({"variant": variant.label, "estimand": estimand, "group": group, **summary})
    for source in averaged:
        shape = source.slopes.shape
        mixed = slope_quantities(source.design, source.slopes.reshape(shape[0] * shape[1], shape[2]))
        for (estimand, group), draws in mixed.items():
            averages.append(
                {
                    "source": source.source,
                    "indices": shape[0],
                    "failed": source.failed,
                    "estimand": estimand,
                    "group": group,
                    **decompose(draws.reshape(shape[:2])),
                    **{f"declared_{name}": value for name, value in alone[estimand, group].items()},
                }
            )
    empty = ["source", "indices", "failed", "estimand", "group"]
    return MeasurementRecord(
        declared=declared.name,
        model=model.name,
        errors=model.errors,
        variants=pd.DataFrame(variants),
        spans=spans(pd.DataFrame(variants)),
        slopes=pd.DataFrame(slopes),
        averages=pd.DataFrame(averages) if averages else pd.DataFrame(columns=empty),
    )


def declared_summaries(fit: Fit) -> dict[tuple[str, str], dict[str, float]]:
    """What the estimates of a fit say of its slopes, by (estimand, group), under the names of `summarise`.

    The declared index is answered by the fit itself wherever it is named: one number for one quantity.
    """
    names = {"mean": "estimate", "sd": "spread", "lo": "lo", "hi": "hi", "prob_positive": "prob_positive"}
    rows = {(row["estimand"], row["group"]): row for row in fit.estimates().frame.to_dict("records")}
    return {
        key: {name: float(rows[key][column]) for name, column in names.items()}
        for key in slope_quantities(fit.design, fit.slopes)
    }


def spans(variants: pd.DataFrame) -> pd.DataFrame:
    """How far each number moves over the variants of the index (rows of the same exposure, the declared one first)."""
    built = variants[variants["exposure"] == ""]
    frames = [(built, ["twfe", "mean", "prob_positive"]), (built.iloc[1:], ["correlation", "correlation_within"])]
    found = [frame.groupby("logs", sort=False)[names].agg([("low", "min"), ("high", "max")]) for frame, names in frames]
    both = found[0].join(found[1])
    return both.set_axis([f"{name}_{end}" for name, end in both.columns], axis=1)


def two_way(study: Study, model: HierarchicalModel, variant: Variant) -> dict[str, float]:
    """Two-way fixed effects with one slope on a variant, clustered by unit (Stata's factor): keys twfe, twfe_...."""
    spec = replace_slopes(study.spec(model), None)
    fit = linear_fit(variant_design(study.panel, spec, variant), "two-way", "clustered", "stata")
    row = t_row(fit, np.eye(len(fit.names))[0], kind=fit.spread.kind)
    names = {"twfe": "estimate", "twfe_se": "spread", "twfe_lo": "lo", "twfe_hi": "hi", "twfe_p": "p_value"}
    return {name: float(row[key]) for name, key in names.items()}


def _labels(variant: Variant) -> dict[str, str]:
    return {
        "variant": variant.label,
        "weights": variant.weights,
        "logs": variant.logs,
        "left_out": variant.left_out,
        "exposure": variant.exposure,
    }


def _beside(study: Study, variant: Variant) -> dict[str, float]:
    index = index_of(study.variables, declared_measurement(study).index)
    raw, within = correlations(study.panel, study.roles, index, variant)
    return {"correlation": raw, "correlation_within": within}


def _made_from(
    study: Study, model: HierarchicalModel, variants: list[Variant], sampler: Sampler, draws: int
) -> dict[str, Any]:
    """Everything the posteriors are made from."""
    spec = study.spec(model)
    panel = study.panel
    names = [spec.outcome, *spec.regressors]
    labels = [panel.frame[name].astype(str).tolist() for name in (panel.unit, panel.time, spec.slope_group) if name]
    return {
        "data": [panel.numbers(name).tolist() for name in names],
        "labels": [*labels, panel.in_window.tolist()],
        "variants": [[variant.label, variant.exposure, variant.values.tolist()] for variant in variants],
        "measurement": declared_measurement(study).model_dump(mode="json"),
        "drawn indices": draws,
        "specification": spec.content_hash(),
        "priors": study.priors(model).content_hash(),
        "sampler": sampler.as_dict(),
        "scales": study.scales.as_dict(),
        **made_by("bayes_npp.analysis.index_posteriors"),
    }


def _write(
    path: Path, made_from: dict[str, Any], found: tuple[list[VariantPosterior], list[AveragedPosterior]]
) -> None:
    import xarray as xr

    fitted, averaged = found
    designs = [one.design for one in fitted] + [one.design for one in averaged]
    groups = [*designs[0].groups] if designs and designs[0].groups else ["all"]
    shape = (len(fitted), INDEX_DRAWS, len(groups))
    arrays: dict[str, Any] = {
        "slopes": (("variant", "draw", "group"), np.reshape([one.slopes for one in fitted], shape)),
        "verdict": ("variant", [one.verdict for one in fitted]),
    }
    if averaged:
        arrays |= {
            "averaged": (("source", "index", "draw", "group"), np.array([one.slopes for one in averaged])),
            "weights": (("source", "drawn", "indicator"), np.array([one.weights for one in averaged])),
            "failed": ("source", [one.failed for one in averaged]),
        }
    labels = {"variant": [one.variant.label for one in fitted], "group": groups}
    data = xr.Dataset(arrays, labels | ({"source": [one.source for one in averaged]} if averaged else {}))
    data.attrs["made_from"] = json.dumps(made_from)
    write_netcdf(data, path)


def _read(
    path: Path, study: Study, model: HierarchicalModel, variants: list[Variant], sources: tuple[str, ...]
) -> tuple[dict[str, Any], str, Callable[[], tuple[list[VariantPosterior], list[AveragedPosterior]]]]:
    """What the file was made from, whether it is verified, and how to restore the posteriors."""
    data = read_dataset(path)
    made_from = json.loads(data.attrs.get("made_from", "{}"))
    return made_from, data.attrs["content"], lambda: _restored(data, study, model, variants, sources)


def _restored(
    data: "xr.Dataset", study: Study, model: HierarchicalModel, variants: list[Variant], sources: tuple[str, ...]
) -> tuple[list[VariantPosterior], list[AveragedPosterior]]:
    spec = study.spec(model)
    designs = [variant_design(study.panel, spec, variant, study.scales) for variant in variants]
    fitted = [
        VariantPosterior(variant, design, data["slopes"].to_numpy()[i], str(data["verdict"].to_numpy()[i]))
        for i, (variant, design) in enumerate(zip(variants, designs, strict=True))
    ]
    averaged = [
        AveragedPosterior(
            source=source,
            design=study.sample.design(spec),
            slopes=data["averaged"].to_numpy()[i],
            weights=data["weights"].to_numpy()[i],
            failed=int(data["failed"].to_numpy()[i]),
        )
        for i, source in enumerate(sources)
    ]
    return fitted, averaged
