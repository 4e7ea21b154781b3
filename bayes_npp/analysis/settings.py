"""How the models of one run are estimated: with what seed, from how many draws, and where fits are stored."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from bayes_npp.bayesian.priors.sets import PriorSet, load_priors
from bayes_npp.study.bayesian_model import BayesianModel
from bayes_npp.study.study import Study

QUICK_DRAWS = 1000


@dataclass(frozen=True)
class RunSettings:
    """Settings of one run, seed resolved.

    Attributes
    ----------
    study : str
        Its name, which every row of the estimates bears.
    seed : int
    home : Path
        Folder of the study file: files of priors and grids are looked up beside it.
    out : Path, optional
        Folder of the outputs; nothing is stored without one.
    quick : bool
        Fewer draws.
    refit : bool
        Compute again what is stored.
    stored_only : bool
        Compute nothing: raise where something is not stored.
    say : callable
        Called with a line where something stored is damaged or stale.
    """

    study: str
    seed: int
    home: Path = field(default_factory=Path)
    out: Path | None = None
    quick: bool = False
    refit: bool = False
    stored_only: bool = False
    say: Callable[[str], None] = field(default=lambda line: None, repr=False, compare=False)

    def path(self, model: str, ending: str) -> Path | None:
        """Where something of a model's fit is stored; signs that file names do not take are codes there."""
        if self.out is None:
            return None
        name = re.sub(r"[^\w .+-]", lambda sign: "".join(f"%{byte:02X}" for byte in sign[0].encode()), model)
        return self.out / "fits" / f"{name}{ending}"

    def draws(self, declared: int) -> int:
        """Draws to make where a model declares so many."""
        return min(declared, QUICK_DRAWS) if self.quick else declared

    def priors(self, model: BayesianModel) -> PriorSet:
        """The priors of a model of the study."""
        return load_priors(model.priors, self.home)

    def fitted_before(self) -> "RunSettings":
        """The same for models that this run has fitted already: a run that fits all anew fits each once."""
        return replace(self, refit=False)


def run_settings(
    study: Study,
    out: Path | None = None,
    *,
    quick: bool = False,
    seed: int | None = None,
    refit: bool = False,
    stored_only: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> RunSettings:
    """Settings of a run of a study; a `seed` overrules the study's own."""
    own = study.header.seed if seed is None else seed
    return RunSettings(study.name, own, study.path.parent, out, quick, refit, stored_only, say)
