"""What a run produced, with every decision already taken: tables, figures, findings and report only show it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from bayes_npp.analysis.comparison import Heterogeneity
from bayes_npp.analysis.differences import DifferenceRecord
from bayes_npp.analysis.event_time import EventTimes
from bayes_npp.analysis.influence import Influence
from bayes_npp.analysis.readings import Readings
from bayes_npp.analysis.records import (
    FitRecord,
    GroupTests,
    InstrumentRecord,
    Ladder,
    MeasurementRecord,
    Mechanism,
    RobustnessRecord,
)
from bayes_npp.analysis.without_units import PosteriorInfluence
from bayes_npp.claims.choices import Choices
from bayes_npp.claims.confounding import ClaimConfounding
from bayes_npp.claims.exclusion import ClaimUnderExclusion
from bayes_npp.claims.explorer import Explored
from bayes_npp.claims.ledger import Ledger
from bayes_npp.estimates import Estimates
from bayes_npp.frequentist.hypotheses.specification import SpecificationTest
from bayes_npp.records import Shown
from bayes_npp.study.study import Study


@dataclass(frozen=True, repr=False)
class Result(Shown):
    """A study that has been run.

    Attributes
    ----------
    study : Study
    estimates : Estimates
    fits : tuple of FitRecord
        Of the declared models.
    ladder_fits : tuple of FitRecord
        Of their neighbours.
    ladders : tuple of Ladder
    comparisons : tuple of Heterogeneity
    weights : DataFrame
        TWFE's weights on the groups: model, group, weight, share of observations.
    spreads : DataFrame
        Standard errors of the interacted slopes: model, estimand, group, covariance, se.
    gmm : dict of dict
        Tests of every GMM model, by its name.
    accuracy : DataFrame
        Every ladder's ways to pool by predictive accuracy (`stacking.ladder_accuracy`).
    readings : Readings
        Signs and ranges, as sentences and tables say them.
    descriptives : DataFrame
        The variables behind the roles (`descriptives.describe`).
    mechanisms : tuple of Mechanism
        Of the mediation models.
    specification : tuple of SpecificationTest or str
        Tests on the baseline regression; the reason where one could not be computed.
    influence : Influence, optional
        Who decides the baseline slope; None in a cross-section.
    posterior_influence : PosteriorInfluence, optional
        What the model behind the verdicts makes of them.
    robustness : tuple of RobustnessRecord
    equality : tuple of GroupTests
        Of two-way fixed effects by group, interacted or in subsamples.
    replication : DataFrame, optional
        Printed numbers matched to ours (`replication.replicate`); None unless the data are the paper's own.
    measurement : tuple of MeasurementRecord
    ledger : Ledger, optional
        The claims, answered; None where the study declares none.
    differences : tuple of DifferenceRecord
        Of every [[difference]].
    adjusted : DataFrame, optional
        Claims about differences, adjusted for each other (`multiplicity.differences_adjusted`).
    confounding : tuple of ClaimConfounding
        What an omitted confounder would do to each claim.
    event_time : EventTimes, optional
        Leads and lags of the exposure, where the study declares them.
    instruments : dict of dict
        Tests of every model with instruments by least squares, by its name.
    instrument_posteriors : tuple of InstrumentRecord
        Of every hierarchical model with instruments.
    excluded : tuple of ClaimUnderExclusion
        Claims under each of these, and under direct effects of its instruments.
    choices : dict of Choices
        Of every claim, by its name.
    explored : tuple of Explored
        Models whose claims a reader can ask under other priors.
    out : Path, optional
        Where it was written.
    """

    study: Study
    estimates: Estimates
    fits: tuple[FitRecord, ...]
    ladder_fits: tuple[FitRecord, ...]
    ladders: tuple[Ladder, ...]
    comparisons: tuple[Heterogeneity, ...]
    weights: pd.DataFrame
    spreads: pd.DataFrame
    gmm: dict[str, dict[str, Any]]
    accuracy: pd.DataFrame
    readings: Readings
    descriptives: pd.DataFrame
    mechanisms: tuple[Mechanism, ...] = ()
    specification: tuple[SpecificationTest | str, ...] = ()
    influence: Influence | None = None
    posterior_influence: PosteriorInfluence | None = None
    robustness: tuple[RobustnessRecord, ...] = ()
    equality: tuple[GroupTests, ...] = ()
    replication: pd.DataFrame | None = None
    measurement: tuple[MeasurementRecord, ...] = ()
    ledger: Ledger | None = None
    differences: tuple[DifferenceRecord, ...] = ()
    adjusted: pd.DataFrame | None = None
    confounding: tuple[ClaimConfounding, ...] = ()
    event_time: EventTimes | None = None
    instruments: dict[str, dict[str, Any]] = field(default_factory=dict)
    instrument_posteriors: tuple[InstrumentRecord, ...] = ()
    excluded: tuple[ClaimUnderExclusion, ...] = ()
    choices: dict[str, Choices] = field(default_factory=dict)
    explored: tuple[Explored, ...] = ()
    out: Path | None = None
    _made: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def once[T](self, name: str, make: Callable[[], T]) -> T:
        """What `make` returns, made once for this result."""
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]

    def headline(self) -> str:
        return f"Result of {self.study.header.title}: {'every fit passed' if self.passed else 'some fits failed'}"

    def details(self) -> list[str]:
        """Where it is, what it holds, what failed."""
        claims = f"{len(self.choices)} claims answered" if self.choices else "no claims"
        rows = f"{len(self.estimates.frame)} rows of estimates (.estimates), {len(self.every_fit)} fits, {claims}"
        written = f"written to {self.out}" if self.out else "not written"
        return [rows, written, *(f"failed: {failure}" for failure in self.failures)]

    @property
    def every_fit(self) -> tuple[FitRecord, ...]:
        """Of declared models, their neighbours, equations of mediation models, robustness rows, leads and lags."""
        altered = (row.fit for row in self.robustness if row.fit)
        equations = (fit for m in self.mechanisms for fit in (*m.fits, *m.tried))
        leads = () if self.event_time is None or self.event_time.fit is None else (self.event_time.fit,)
        without = self.posterior_influence.fits if self.posterior_influence else ()
        return (*self.fits, *self.ladder_fits, *equations, *altered, *leads, *without)

    @property
    def failures(self) -> tuple[str, ...]:
        """Every sampler that failed its diagnostics, by the name of its fit, and why."""
        fits = (record for record in self.every_fit if not record.diagnostics.passed)
        out = [f"{record.model}: sampler diagnostics {record.diagnostics.verdict}" for record in fits]
        for mechanism in self.mechanisms:
            if mechanism.treatments is not None:
                failed = mechanism.treatments.loc[mechanism.treatments["passed"].eq(False), "treatment"].unique()
                out += [f"{mechanism.model}, missing cells {name}: sampler diagnostics failed" for name in failed]
        for own in self.measurement:
            for variant, verdict in own.variants[["variant", "verdict"]].itertuples(index=False):
                out += [] if verdict == "passed" else [f"{own.model}, {variant}: sampler diagnostics {verdict}"]
            for source, count in own.averages[["source", "failed"]].drop_duplicates().itertuples(index=False):
                text = f"{own.model}, indices of drawn weights ({source}): sampler diagnostics failed in {count}"
                out += [text] if count else []
        return tuple(out)

    @property
    def passed(self) -> bool:
        return not self.failures

    @property
    def diagnostics(self) -> pd.DataFrame:
        """One row a check: fit, quantity, value, threshold, passed; lo, hi of a posterior predictive check."""
        rows: list[tuple[object, ...]] = []
        for record in self.every_fit:
            for c in record.diagnostics.checks:
                rows.append((record.model, c.quantity, c.value, c.threshold, c.passed, None, None))
            for check in record.predictive:
                threshold = f"{check.lo:.3g} to {check.hi:.3g} in replications"
                name = f"posterior predictive: {check.name}"
                rows.append((record.model, name, check.observed, threshold, check.passed, check.lo, check.hi))
        return pd.DataFrame(rows, columns=["fit", "quantity", "value", "threshold", "passed", "lo", "hi"])
