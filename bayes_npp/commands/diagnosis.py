"""What is installed here, whether it fits, and whether a model can be fitted."""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from bayes_npp.errors import BayesNppError

LIBRARIES = ("numpy", "pandas", "scipy", "xarray", "pydantic", "numba", "nutpie", "pymc", "pytensor", "arviz")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    passed: bool
    text: str


def diagnose() -> list[Finding]:
    """Look at Python, libraries, folders, shipped files and the sampler; nothing is left behind."""
    looks: dict[str, Callable[[], str]] = {
        "Python": _python,
        "libraries": _libraries,
        "processors": _processors,
        "compiled code": _caches,
        "writing": _writing,
        "shipped studies": _shipped,
        "a fit": _fit,
    }
    out = []
    for name, look in looks.items():
        try:
            out.append(Finding(name, True, look()))
        except (BayesNppError, OSError, ImportError, metadata.PackageNotFoundError) as error:
            out.append(Finding(name, False, " ".join(str(error).split())))
    return out


def _python() -> str:
    return sys.version.split()[0]


def _libraries() -> str:
    return ", ".join(f"{name} {metadata.version(name)}" for name in ("bayes-npp", *LIBRARIES))


def _processors() -> str:
    return f"{os.cpu_count() or 1}; threads set by OMP_NUM_THREADS: {os.environ.get('OMP_NUM_THREADS', 'all')}"


def _caches() -> str:
    from bayes_npp.bayesian.model.caches import prepare_pytensor

    prepare_pytensor()
    import pytensor

    folder = Path(str(pytensor.config.compiledir))
    if not os.access(folder if folder.exists() else folder.parent, os.W_OK):
        raise BayesNppError(
            "compiled code cannot be kept", place=str(folder), fix="Set PYTENSOR_FLAGS=base_compiledir=..."
        )
    return f"kept in {folder}"


def _writing() -> str:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "a").write_text("a", encoding="utf-8")
        return f"temporary files in {Path(folder).parent}"


def _shipped() -> str:
    from bayes_npp.bayesian.priors.sets import load_priors
    from bayes_npp.study.starting import examples

    if not (names := sorted(examples())):
        raise BayesNppError("the studies that travel with the package are not there", fix="Install it again")
    return f"{', '.join(names)}; priors {load_priors('weakly_informative').name}"


def _fit() -> str:
    from bayes_npp.bayesian.fitting.fit import fit
    from bayes_npp.design.spec import Spec
    from bayes_npp.panels.reading import load_panel
    from bayes_npp.panels.simulation import simulate

    started = time.monotonic()
    panel = load_panel(simulate(n_units=8, n_periods=6, seed=1).frame, "unit", "time")
    found = fit(panel, Spec(outcome="outcome", exposure="exposure"), draws=100, chains=2, seed=1)
    return f"{found.engine}, {time.monotonic() - started:.1f} s"
