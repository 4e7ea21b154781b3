"""What in a study's panel may be wrong, said before anything is estimated and again in the report."""

from bayes_npp.study.model_spec import ModelSpec
from bayes_npp.study.overlap import source_columns
from bayes_npp.study.study import Study


def study_notices(study: Study) -> tuple[str, ...]:
    """Notices of the panel about keys and about columns that stand behind what the study names."""
    panel = study.panel
    derived = {variable.name: variable for variable in study.variables}
    used = {panel.unit, panel.time, panel.group}
    used |= {column for name in _named(study) for column in source_columns(name, derived)}
    return tuple(str(notice) for notice in panel.notices if notice.column in used)


def _named(study: Study) -> set[str]:
    """Every column that roles, models, robustness rows and measurement name."""
    roles = study.roles
    names = {roles.outcome, roles.exposure, *roles.controls, *roles.mediators}
    for part in (*study.simplest.models, *study.robustness):
        spec = part.spec(roles) if isinstance(part, ModelSpec) else part
        for key in ("slope_group", "group_time_effects", "se", "outcome", "exposure", "subsamples"):
            names |= {value for owner in (spec, part) if (value := getattr(owner, key, None))}
        for key in ("controls", "mediators"):
            names |= set(getattr(part, key, None) or ())
    return names | set(study.measurement.exposures if study.measurement else ())
