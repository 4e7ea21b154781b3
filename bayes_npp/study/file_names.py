"""Names of fits and of their files: no two of a study may be the same, or the same but for upper and lower case."""

from collections.abc import Iterable

from bayes_npp.errors import SpecError
from bayes_npp.study.header import Roles
from bayes_npp.study.model_spec import ModelSpec
from bayes_npp.study.models import MediationModel
from bayes_npp.study.robustness import Robustness

# <model>--<mediator> is an equation, <model>--errors-ar1 a neighbour; <model>.<row> a robustness row.
JOINT = "--"
MEASUREMENT = "measurement"  # <model>.measurement.nc holds a model's variants of the measurement


def check_file_names(models: Iterable[ModelSpec], robustness: Iterable[Robustness], roles: Roles) -> None:
    """Raise where the fits of two models would share a name, or a file.

    Raises
    ------
    SpecError
        Names of models, of robustness rows or of one model's mediators that differ in case only, which many file
        systems do not tell apart; a model named as an equation or neighbour of another; a row named as a file of its
        model.
    """
    models = tuple(models)
    _differ((model.name for model in models), "models")
    _differ((row.name for row in robustness), "robustness rows")
    own = {model.name.casefold(): model.name for model in models}
    for model in models:
        if isinstance(model, MediationModel):
            _differ(model.own_mediators(roles), f"mediators of '{model.name}'")
        parts = model.name.casefold().split(JOINT)
        for end in range(1, len(parts)):
            other = own.get(JOINT.join(parts[:end]))
            if other is not None:
                raise SpecError(
                    f"model '{model.name}' has the name of an equation or neighbour of model '{other}'",
                    fix=f"Give it a name that does not begin with '{other}{JOINT}'",
                )
    for row in robustness:
        if row.name.casefold() == MEASUREMENT:
            raise SpecError(
                f"robustness row '{row.name}' has the name of the file that holds variants of the measurement",
                fix="Give the row another name",
            )


def _differ(names: Iterable[str], what: str) -> None:
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            raise SpecError(
                f"the {what} '{other}' and '{name}' differ in case only, and would share files",
                fix="Rename one of them",
            )
