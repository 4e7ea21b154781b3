"""The posterior without the units that decide the baseline slope, and the units that a model with scales plays down."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from bayes_npp.analysis.estimation import estimate_model
from bayes_npp.analysis.influence import Influence
from bayes_npp.analysis.ladder import behind_verdicts
from bayes_npp.analysis.progress import Progress
from bayes_npp.analysis.records import FitRecord, Ladder
from bayes_npp.analysis.robustness_rows import labelled
from bayes_npp.analysis.settings import RunSettings
from bayes_npp.errors import BayesNppError
from bayes_npp.estimates import Estimates
from bayes_npp.study.file_names import JOINT
from bayes_npp.study.models import HierarchicalModel
from bayes_npp.study.robustness import Robustness, alter
from bayes_npp.study.study import Study

AVERAGE = "average_slope_twfe_weighted"
NAMES = ("without_first_unit", "without_first_two_units")  # <model>--<name> in estimates and among fits


@dataclass(frozen=True)
class Without:
    """The average slope of a posterior without some units; `why` says why there is none or what it is worth."""

    left_out: str
    estimate: float = float("nan")
    lo: float = float("nan")
    hi: float = float("nan")
    why: str = ""


@dataclass(frozen=True)
class PosteriorInfluence:
    """What the model behind the verdicts makes of the units that decide the baseline slope.

    Attributes
    ----------
    model : str
        As declared.
    whole : Without
        On all units.
    differs : bool
        Whether the baseline slope lies outside the posterior's 95 % interval; only then there are refits.
    without : tuple of Without
        Without the units of `Influence.without`.
    scaled : FitRecord, optional
        The fit whose error scales are told: the one behind the verdicts, or the first of its ladder that has some.
    fits : tuple of FitRecord
        Of the refits.
    tables : tuple of Estimates
        Their rows.
    """

    model: str
    whole: Without
    differs: bool
    without: tuple[Without, ...]
    scaled: FitRecord | None
    fits: tuple[FitRecord, ...]
    tables: tuple[Estimates, ...]


def posterior_influence(
    study: Study,
    found: Influence | None,
    estimates: Estimates,
    ladders: Sequence[Ladder],
    settings: RunSettings,
    progress: Progress,
) -> PosteriorInfluence | None:
    """Of the first hierarchical model with the study's controls and an average slope to set beside the baseline's."""
    models = [model for model in study.models if isinstance(model, HierarchicalModel) and model.controls is None]
    for declared in models if found is not None else ():
        chosen = behind_verdicts(declared, ladders)
        rows = estimates.select(model=chosen.name, estimand=AVERAGE, term=study.roles.exposure, group="")
        if found is not None and len(rows):
            ladder = next((ladder for ladder in ladders if ladder.model == declared.name), None)
            return _of_model(study, declared, chosen, rows.iloc[0], found, ladder, settings, progress)
    return None


def _of_model(
    study: Study,
    declared: HierarchicalModel,
    chosen: HierarchicalModel,
    row: pd.Series,
    found: Influence,
    ladder: Ladder | None,
    settings: RunSettings,
    progress: Progress,
) -> PosteriorInfluence:
    differs = not row["lo"] <= found.slope <= row["hi"]
    without, fits, tables = [], [], []
    for name, (label, units) in zip(NAMES, found.left_out if differs else (), strict=False):
        progress.say(f"{declared.name}: the posterior without {label}")
        altering = Robustness(name=name, models=(declared.name,), drop_units=units)
        try:
            altered = alter(study.sample, chosen, altering)
            model = altered.model.model_copy(update={"name": f"{declared.name}{JOINT}{name}"})
            own = estimate_model(altered.data, model, settings)
        except BayesNppError as error:
            without.append(Without(label, why=error.problem))
            continue
        table = labelled(own.table, altered)
        slope = table.select(estimand=AVERAGE, term=study.roles.exposure, group="").iloc[0]
        failed = own.fit is not None and not own.fit.diagnostics.passed
        why = "its sampler failed its diagnostics" if failed else ""
        without.append(Without(label, slope["estimate"], slope["lo"], slope["hi"], why))
        fits += [own.fit] if own.fit else []
        tables.append(table)
    records = [] if ladder is None else [ladder.errors.record, *ladder.errors.records.values()]
    return PosteriorInfluence(
        model=declared.name,
        whole=Without("all", row["estimate"], row["lo"], row["hi"]),
        differs=differs,
        without=tuple(without),
        scaled=next((record for record in records if record.error_scales is not None), None),
        fits=tuple(fits),
        tables=tuple(tables),
    )


def influence_rows(found: Influence, posterior: PosteriorInfluence | None) -> pd.DataFrame:
    """`Influence.rows` with error_scale of units, and posterior_without, posterior_lo, posterior_hi of several."""
    frame = found.rows().assign(error_scale=float("nan"))
    if posterior is None:
        return frame
    if posterior.scaled is not None and posterior.scaled.error_scales is not None:
        frame["error_scale"] = frame["unit"].map(posterior.scaled.error_scales.set_index("unit")["mean"])
    told = [posterior.whole, *posterior.without]
    for column, name in (("posterior_without", "estimate"), ("posterior_lo", "lo"), ("posterior_hi", "hi")):
        frame[column] = frame["unit"].map({own.left_out: getattr(own, name) for own in told})
    return frame
