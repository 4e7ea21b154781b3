"""What may be said of a run's estimates, decided before anything is rendered: signs, ranges over rows, reproductions.

A sign is clear by one rule in two forms. Of a posterior: P(> 0) is at least 0.975 or at most 0.025. Of a 95 % interval:
it leaves out zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from bayes_npp.analysis.comparison import sign_reading
from bayes_npp.analysis.records import Mechanism, RobustnessRecord
from bayes_npp.estimates import Estimates
from bayes_npp.study.mediation_paths import MediationPathsModel
from bayes_npp.study.study import Study

OPEN = "undecided"
MEDIATOR_RULE = (
    "A mediator has an indirect association where the sign of its indirect effect is clear (P(> 0) at least 0.975 or "
    "at most 0.025); otherwise the paths whose signs are undecided are named, and no story is told."
)


@dataclass(frozen=True)
class Signed:
    """A row of estimates and its sign: 'clearly positive', 'clearly negative' or 'undecided'."""

    row: pd.Series
    sign: str

    @property
    def clear(self) -> bool:
        return self.sign != OPEN


@dataclass(frozen=True)
class MediatorReading:
    """What a mediation model says of one mediator, averaged over observations.

    Attributes
    ----------
    mediator : str
    path_a, path_b, indirect : Signed
        From the exposure to the mediator, from there to the outcome, and their product.
    proportion : Series
        The share mediated.
    crossing : Series, optional
        The correlation of errors at which the indirect effect vanishes (`confounding.crossings`); None where it is not
        known.
    """

    mediator: str
    path_a: Signed
    path_b: Signed
    indirect: Signed
    proportion: pd.Series
    crossing: pd.Series | None

    @property
    def suppression(self) -> bool:
        """Whether indirect and direct associations pull apart: the share that is estimated lies outside 0 to 1."""
        share = self.proportion["estimate"]
        return bool(pd.notna(share) and not 0 <= share <= 1)


@dataclass(frozen=True)
class MechanismReading:
    """What a mediation model says: of its mediators, of differences, of chains of serial mediators.

    Attributes
    ----------
    model : str
    mediators : tuple of MediatorReading
    contrasts : tuple of Signed
        Differences between mediators and between groups.
    chains : tuple of Signed
        Indirect effects along serial mediators.
    sampled : bool
        Whether the sampler of every equation passed its diagnostics.
    failing : tuple of str
        Checks that the error model of some equation fails.
    warns : bool
        Whether what was done about missing cells is a warning.
    """

    model: str
    mediators: tuple[MediatorReading, ...]
    contrasts: tuple[Signed, ...]
    chains: tuple[Signed, ...]
    sampled: bool
    failing: tuple[str, ...]
    warns: bool


@dataclass(frozen=True)
class PathReading:
    """What a mediation model by least squares says of one mediator, as far as it estimates it."""

    model: str
    mediator: str
    path_a: Signed
    path_b: Signed | None
    indirect: Signed | None


@dataclass(frozen=True)
class RobustnessRange:
    """The overall slope of a declared model, and the rows of robustness, placebos aside, that move it furthest."""

    declared: str
    own: pd.Series
    lowest: tuple[pd.Series, RobustnessRecord]
    highest: tuple[pd.Series, RobustnessRecord]


@dataclass(frozen=True)
class Placebo:
    """The slope of a later period's exposure."""

    model: str
    slope: Signed


@dataclass(frozen=True)
class Reproduction:
    """How far the paper's printed numbers are reproduced.

    Attributes
    ----------
    printed, reproduced : int
        Printed numbers, and those within their tolerance.
    worst : float, optional
        Largest absolute difference of a matched coefficient; None without any.
    outside, unmatched : DataFrame
        Rows of `replication.replicate` that differ; the first of each printed row without a counterpart.
    """

    printed: int
    reproduced: int
    worst: float | None
    outside: pd.DataFrame
    unmatched: pd.DataFrame

    @property
    def whole(self) -> bool:
        return self.reproduced == self.printed


@dataclass(frozen=True)
class Readings:
    """Every reading of a run: `mechanisms` by model, `reproduction` where the data are the paper's own."""

    mechanisms: dict[str, MechanismReading]
    paths: tuple[PathReading, ...]
    ranges: tuple[RobustnessRange, ...]
    placebos: tuple[Placebo, ...]
    reproduction: Reproduction | None


def read_run(
    study: Study,
    estimates: Estimates,
    mechanisms: Sequence[Mechanism],
    robustness: Sequence[RobustnessRecord],
    replication: pd.DataFrame | None,
) -> Readings:
    """Every reading of a run."""
    by_least_squares = [model.name for model in study.models if isinstance(model, MediationPathsModel)]
    return Readings(
        mechanisms={mechanism.model: read_mechanism(mechanism, estimates) for mechanism in mechanisms},
        paths=tuple(reading for model in by_least_squares for reading in read_paths(model, estimates)),
        ranges=robustness_ranges(robustness, estimates, study.roles.exposure),
        placebos=placebos(robustness, estimates),
        reproduction=None if replication is None else read_replication(replication),
    )


def by_probability(row: pd.Series) -> Signed:
    """The sign of an estimate by its posterior probability."""
    return Signed(row, sign_reading(row["prob_positive"]))


def by_interval(row: pd.Series) -> Signed:
    """The sign of an estimate by whether its interval leaves out zero."""
    return Signed(row, "clearly positive" if row["lo"] > 0 else "clearly negative" if row["hi"] < 0 else OPEN)


def read_mechanism(mechanism: Mechanism, estimates: Estimates) -> MechanismReading:
    """Signs of a mediation model's effects, and whether its fits can carry them."""
    rows = estimates.select(model=mechanism.model)
    overall = rows[rows["group"] == ""]
    difference = rows["term"].str.contains(" - ", regex=False) | rows["group"].str.contains(" - ", regex=False)
    chain = (overall["estimand"] == "indirect") & overall["term"].str.contains(" -> ", regex=False)
    chain &= ~overall["term"].str.contains(" - ", regex=False)
    failing = {check.name for record in mechanism.fits for check in record.predictive if not check.passed}
    return MechanismReading(
        model=mechanism.model,
        mediators=tuple(_mediator(name, overall, mechanism) for name in mechanism.mediators),
        contrasts=tuple(by_probability(row) for _, row in rows[difference].iterrows()),
        chains=tuple(by_probability(row) for _, row in overall[chain].iterrows()),
        sampled=all(record.diagnostics.passed for record in mechanism.fits),
        failing=tuple(sorted(failing)),
        warns=mechanism.missing.startswith("WARNING"),
    )


def _mediator(mediator: str, overall: pd.DataFrame, mechanism: Mechanism) -> MediatorReading:
    own = overall[overall["term"] == mediator].set_index("estimand", drop=False)
    return MediatorReading(
        mediator,
        path_a=by_probability(own.loc["path_a"]),
        path_b=by_probability(own.loc["path_b"]),
        indirect=by_probability(own.loc["indirect"]),
        proportion=own.loc["proportion_mediated"],
        crossing=_crossing(mechanism, mediator),
    )


def _crossing(mechanism: Mechanism, mediator: str) -> pd.Series | None:
    if mechanism.crossings is None:
        return None
    found = mechanism.crossings
    return found[(found["mediator"] == mediator) & (found["group"] == "")].iloc[0]


def read_paths(model: str, estimates: Estimates) -> tuple[PathReading, ...]:
    """Signs of the paths of a mediation model by least squares, a mediator each."""
    rows = estimates.select(model=model, group="")
    out = []
    for mediator in rows.loc[rows["estimand"] == "path_a", "term"]:
        own = rows[rows["term"] == mediator].set_index("estimand", drop=False)
        a, b, indirect = (
            by_interval(own.loc[estimand]) if estimand in own.index else None
            for estimand in ("path_a", "path_b", "indirect")
        )
        assert a is not None
        out.append(PathReading(model, mediator, a, b, indirect))
    return tuple(out)


def robustness_ranges(
    robustness: Sequence[RobustnessRecord], estimates: Estimates, exposure: str
) -> tuple[RobustnessRange, ...]:
    """Both ends of the slope over the rows of every declared model that has an overall slope and two rows of it."""
    out = []
    for declared in dict.fromkeys(record.declared for record in robustness):
        records = [record for record in robustness if record.declared == declared and not record.placebo]
        found = [(_overall(estimates, record.model, record.exposure), record) for record in records]
        rows = sorted(((row, record) for row, record in found if row is not None), key=lambda pair: pair[0]["estimate"])
        own = _overall(estimates, declared, exposure)
        if own is not None and len(rows) > 1:
            out.append(RobustnessRange(declared, own, rows[0], rows[-1]))
    return tuple(out)


def placebos(robustness: Sequence[RobustnessRecord], estimates: Estimates) -> tuple[Placebo, ...]:
    """The slope of every row that adds a later period's exposure."""
    out = []
    for record in robustness:
        if record.placebo:
            row = _overall(estimates, record.model, record.placebo)
            out += [] if row is None else [Placebo(record.model, by_interval(row))]
    return tuple(out)


def _overall(estimates: Estimates, model: str, term: str) -> pd.Series | None:
    rows = estimates.select(model=model, term=term, group="")
    return None if rows.empty else rows.iloc[0]


def read_replication(records: pd.DataFrame) -> Reproduction:
    """How many printed numbers are reproduced, by the rows of `replication.replicate`."""
    matched = records[records["reason"] == ""]
    inside = matched["within"].astype(bool)
    coefficients = matched.loc[matched["quantity"] == "estimate", "difference"].abs()
    unmatched = records[records["reason"] != ""].drop_duplicates(["model", "sample", "outcome", "term"])
    return Reproduction(
        printed=len(records),
        reproduced=int(inside.sum()),
        worst=float(coefficients.max()) if len(coefficients) else None,
        outside=matched[~inside],
        unmatched=unmatched,
    )
