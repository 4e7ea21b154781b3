"""What the models of a study gave, with every decision already taken: one record a fit, a ladder, a robustness row."""

from dataclasses import dataclass, field

import pandas as pd

from bayes_npp.analysis.plain import WHEN_STORED
from bayes_npp.bayesian.comparison.homogeneity import Homogeneity
from bayes_npp.bayesian.comparison.scores import Accuracy
from bayes_npp.bayesian.fitting.diagnostics import Gate
from bayes_npp.bayesian.fitting.predictive_checks import PredictiveCheck, errors_verdict
from bayes_npp.bayesian.fitting.sample import Sampler
from bayes_npp.bayesian.instruments.strength import Exclusion, Learned
from bayes_npp.bayesian.priors.sets import PriorSet
from bayes_npp.design.scales import Scales
from bayes_npp.estimates import Estimates
from bayes_npp.frequentist.hypotheses.equal_slopes import EqualityTest
from bayes_npp.study.model_spec import ModelSpec
from bayes_npp.study.models import HierarchicalModel
from bayes_npp.study.robustness import Alterable


@dataclass(frozen=True)
class FitRecord:
    """What the report says of one Bayesian fit; everything in it is decided here, not in the report.

    `between` holds (unit | time, contrasts that a between part spans, all contrasts); `outcome` and `scales` say what
    its priors are about; `engine` is what sampled it, and `why` why chains were run where weighted points would have
    done, if they had been good; `error_scales` and `factors` what `latent_parts` says of them, None where the model has
    none.
    """

    model: str
    priors: PriorSet
    sampler: Sampler
    diagnostics: Gate
    predictive: tuple[PredictiveCheck, ...]
    saturated: tuple[str, ...]
    between: tuple[tuple[str, int, int], ...]
    reused: bool = field(metadata={WHEN_STORED: True})
    outcome: str
    scales: Scales
    engine: str = "collapsed"
    why: str = ""
    error_scales: pd.DataFrame | None = field(default=None, compare=False)
    factors: pd.DataFrame | None = field(default=None, compare=False)

    @property
    def errors_fit(self) -> bool:
        """Whether every posterior predictive check of the error model passed."""
        return all(check.passed for check in self.predictive)

    @property
    def verdict(self) -> str:
        """What passed and what failed, of the sampler and of the errors."""
        return f"{self.diagnostics}; errors: {errors_verdict(self.predictive)}"


@dataclass(frozen=True)
class ErrorChoice:
    """The error models tried on one declared model, and the one behind the verdicts.

    Attributes
    ----------
    model : str
        The declared model.
    records : dict of FitRecord
        By error model, with their posterior predictive checks.
    homogeneity : dict of Homogeneity
        By error model.
    scores, unit_scores : dict of Accuracy
        PSIS leave-one-out of rows and of units, by error model.
    chosen : str
        Error model picked by the rule.
    rule : str
        In words (`error_ladder.rule`).
    richer : tuple of str
        Error models beyond the chosen one that pass too (`error_ladder.beyond_of`).
    models : dict of HierarchicalModel
        What was fitted, by error model.
    """

    model: str
    records: dict[str, FitRecord]
    homogeneity: dict[str, Homogeneity]
    scores: dict[str, Accuracy]
    unit_scores: dict[str, Accuracy]
    chosen: str
    rule: str
    richer: tuple[str, ...] = ()
    models: dict[str, HierarchicalModel] = field(default_factory=dict)

    @property
    def record(self) -> FitRecord:
        """Of the chosen error model."""
        return self.records[self.chosen]

    @property
    def passed(self) -> bool:
        """Whether the chosen error model passes every check, and its sampler its diagnostics."""
        return self.record.errors_fit and self.record.diagnostics.passed


@dataclass(frozen=True)
class PoolingRung:
    """One way to pool: `part` (slopes, units, periods), `label` (none, partial, fixed, complete), the model's name.

    `scores` holds its predictive accuracy by method, undefined ones with their reason.
    """

    part: str
    label: str
    model: str
    declared: bool
    scores: tuple[Accuracy, ...]


@dataclass(frozen=True)
class Ladder:
    """A declared model beside its neighbours in error model and in pooling.

    `exposure_factor` is the fit with the chosen errors in which units load on the exposure's own factor too: a shared
    factor may be too weak for every check and yet move the slope. None where the chosen errors fail a check, where the
    model has that factor already, or where the panel does not carry it.
    """

    model: str
    errors: ErrorChoice
    pooling: tuple[PoolingRung, ...]
    exposure_factor: FitRecord | None = None


@dataclass(frozen=True)
class Mechanism:
    """A mediation model: its fits, and how its indirect effects answer confounding.

    Attributes
    ----------
    model : str
    mediators : tuple of str
    fits : tuple of FitRecord
        Of every equation.
    tried : tuple of FitRecord
        Rungs of the equations' ladders, where the model leaves its errors to them.
    curve : DataFrame, optional
        Indirect effects by rho (`confounding.sensitivity`); None where they have no closed form.
    crossings : DataFrame, optional
        The rho at which they vanish (`confounding.crossings`).
    why_not : str
        Why there is no closed form.
    missing : str
        What was done about missing cells of mediators; empty where none was filled.
    treatments : DataFrame, optional
        Indirect effects under every treatment of missing cells (`fitting.missing_treatments`).
    """

    model: str
    mediators: tuple[str, ...]
    fits: tuple[FitRecord, ...]
    curve: pd.DataFrame | None
    crossings: pd.DataFrame | None
    why_not: str = ""
    missing: str = ""
    treatments: pd.DataFrame | None = None
    tried: tuple[FitRecord, ...] = ()


@dataclass(frozen=True)
class RobustnessRecord:
    """One robustness row of one model.

    Attributes
    ----------
    declared : str
        The model as declared.
    model : str
        <declared>.<row>, its name in the estimates.
    estimated : Alterable
        What was estimated, on altered data.
    exposure : str
        The study's, or what the row puts in its place.
    changed : str
        Everything that was altered, in words.
    placebo : str
        The term whose coefficient the row is about where that is a lead of the exposure; else empty.
    note : str
        Where the row comes from, as the study says.
    fit : FitRecord, optional
        Of a Bayesian model.
    """

    declared: str
    model: str
    estimated: Alterable
    exposure: str
    changed: str
    placebo: str
    note: str
    fit: FitRecord | None = None


@dataclass(frozen=True)
class MeasurementRecord:
    """One model under every variant of how outcome and exposure are measured.

    Attributes
    ----------
    declared : str
        The model as declared.
    model : str
        The model fitted: as declared, or with the errors behind the verdicts.
    errors : str
    variants : DataFrame
        One row a variant, the declared measurement first: variant, weights, logs, left_out, exposure, n_obs;
        correlation, correlation_within with the declared index (or exposure); twfe, twfe_se, twfe_lo, twfe_hi, twfe_p
        of two-way fixed effects with one slope, clustered by unit, and twfe_own_units, the same in the variant's own
        units; mean, sd, lo, hi, prob_positive of the posterior's average slope with their weights; verdict of the
        sampler.
    spans : DataFrame
        Lowest and highest over the variants of the index, a row each for indicators as they are and in logarithms
        (index logs): <column>_low, <column>_high of twfe, mean, prob_positive and, over the variants other than the
        declared one, correlation, correlation_within.
    slopes : DataFrame
        Every slope: variant, estimand, group, mean, sd, lo, hi, prob_positive.
    averages : DataFrame
        Over indices of drawn weights: source, indices, failed, estimand, group, mean, sd, lo, hi, prob_positive,
        within_sd, between_sd, index_share; declared_mean, declared_sd, declared_lo, declared_hi of the one index.
    """

    declared: str
    model: str
    errors: str
    variants: pd.DataFrame
    spans: pd.DataFrame
    slopes: pd.DataFrame
    averages: pd.DataFrame

    @property
    def passed(self) -> bool:
        return bool((self.variants["verdict"] == "passed").all()) and not self.averages["failed"].any()


@dataclass(frozen=True)
class GroupTests:
    """Tests of equal slopes of one declared model by group; `reason` says why one could not be computed."""

    model: str
    grouping: str
    test: EqualityTest | None
    reason: str = ""


@dataclass(frozen=True)
class InstrumentRecord:
    """What instruments say of the slope of a hierarchical model.

    Attributes
    ----------
    model : str
    instruments : tuple of str
    exclusion : float
        SD of their own coefficients in the outcome's equation, as declared.
    learned : Learned
        Whether they are so weak that the posterior stays near its prior.
    under_exclusion : tuple of Exclusion
        The average slope at this and other SDs.
    """

    model: str
    instruments: tuple[str, ...]
    exclusion: float
    learned: Learned
    under_exclusion: tuple[Exclusion, ...]


@dataclass(frozen=True)
class Estimated:
    """What one model gave.

    Attributes
    ----------
    table : Estimates
    fit : FitRecord, optional
        Of a hierarchical model.
    mechanism : Mechanism, optional
        Of a mediation model.
    ladder : Ladder, optional
        Of a model that was fitted under other errors and other pooling too.
    neighbours : tuple of Estimated
        These fits.
    model : ModelSpec, optional
        The model estimated, with the errors that its ladder picked where it left them to it.
    instruments : InstrumentRecord, optional
        Of a hierarchical model with instruments.
    """

    table: Estimates
    fit: FitRecord | None = None
    mechanism: Mechanism | None = None
    ladder: Ladder | None = None
    neighbours: tuple["Estimated", ...] = ()
    model: ModelSpec | None = None
    instruments: InstrumentRecord | None = None

    @property
    def fits(self) -> tuple[FitRecord, ...]:
        """Of every posterior behind the rows of `table`."""
        own = () if self.fit is None else (self.fit,)
        return own if self.mechanism is None else (*own, *self.mechanism.fits)
