"""How often GMM finds something in panels of noise: measured shares, which stand beside its p-values."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

TABLE = "noise.csv"
ESTIMANDS = ("short run", "lagged outcome", "long run")


@dataclass(frozen=True)
class Shares:
    """Shares of p-values below .05 in simulated panels of noise with so many units and periods, by estimand."""

    units: int
    periods: int
    below: dict[str, float]

    def __str__(self) -> str:
        found = ", ".join(f"{100 * self.below[name]:.1f} % ({name})" for name in ESTIMANDS)
        return (
            f"in simulated panels of noise with {self.units} units and {self.periods} periods p < 0.05 in {found}: "
            "docs/gmm_noise.md"
        )


def measured(estimator: str, instruments: str, errors: str, reference: str, units: int, periods: int) -> Shares:
    """The simulated shares nearest in units (by their ratio), then in periods.

    Parameters
    ----------
    estimator : {"difference", "system"}
    instruments : {"by period", "collapsed"}
    errors : {"one-step classical", "one-step robust", "two-step uncorrected", "two-step Windmeijer"}
    reference : {"normal", "t"}
    units, periods : int
        Of the panel, the periods that lags use up included.

    Notes
    -----
    benchmarks/gmm_noise.py simulates them; docs/gmm_noise.md says how and has them all.
    """
    cells = _table()[estimator, instruments, errors, reference]
    nearest = min(cells, key=lambda cell: (abs(np.log(cell[0] / units)), abs(cell[1] - periods)))
    return Shares(*nearest, cells[nearest])


@cache
def _table() -> dict[tuple[str, ...], dict[tuple[int, int], dict[str, float]]]:
    out: dict[tuple[str, ...], dict[tuple[int, int], dict[str, float]]] = {}
    text = files("bayes_npp.frequentist.dynamic").joinpath(TABLE).read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        cells = out.setdefault(tuple(row[name] for name in ("estimator", "instruments", "errors", "reference")), {})
        cells.setdefault((int(row["units"]), int(row["periods"])), {})[row["estimand"]] = float(row["share"])
    return out
