"""What a run produced, with every decision already taken: tables, figures, findings and report only show it."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bayes_npp.bayesian.diagnostics import Diagnostics
from bayes_npp.bayesian.predictive import PredictiveCheck
from bayes_npp.bayesian.priors import PriorSet
from bayes_npp.bayesian.sample import Sampler
from bayes_npp.comparison import Heterogeneity
from bayes_npp.estimates import Estimates
from bayes_npp.study import Study


@dataclass(frozen=True)
class FitRecord:
    """What the report says of one Bayesian fit; everything in it is decided here, not in the report.

    `between` holds (unit | time, contrasts that a between part spans, all contrasts).
    """

    model: str
    priors: PriorSet
    sampler: Sampler
    diagnostics: Diagnostics
    predictive: tuple[PredictiveCheck, ...]
    saturated: tuple[str, ...]
    between: tuple[tuple[str, int, int], ...]
    reused: bool

    @property
    def errors_fit(self) -> bool:
        """Whether every posterior predictive check of the error model passed."""
        return all(check.passed for check in self.predictive)


@dataclass(frozen=True)
class Result:
    """A study that has been run.

    Attributes
    ----------
    study : Study
    estimates : Estimates
    fits : tuple of FitRecord
    comparisons : tuple of Heterogeneity
    weights : DataFrame
        TWFE's weights on the groups: model, group, weight, share of observations.
    out : Path, optional
        Where it was written.
    """

    study: Study
    estimates: Estimates
    fits: tuple[FitRecord, ...]
    comparisons: tuple[Heterogeneity, ...]
    weights: pd.DataFrame
    out: Path | None = None

    @property
    def passed(self) -> bool:
        return all(record.diagnostics.passed for record in self.fits)

    @property
    def diagnostics(self) -> pd.DataFrame:
        """One row a check: fit, quantity, value, threshold, passed."""
        rows = []
        for record in self.fits:
            rows += [(record.model, c.quantity, c.value, c.threshold, c.passed) for c in record.diagnostics.checks]
            for check in record.predictive:
                threshold = f"{check.lo:.3g} to {check.hi:.3g} in replications"
                rows.append(
                    (record.model, f"posterior predictive: {check.name}", check.observed, threshold, check.passed)
                )
        return pd.DataFrame(rows, columns=["fit", "quantity", "value", "threshold", "passed"])
