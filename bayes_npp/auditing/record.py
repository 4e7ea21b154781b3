"""What an audit found: options and records, nothing rendered."""

import math
from dataclasses import dataclass

import pandas as pd

from bayes_npp.auditing.differences import SubsampleDifference
from bayes_npp.auditing.long_run import LongRun
from bayes_npp.auditing.printed import PrintedRow
from bayes_npp.auditing.rows import audited
from bayes_npp.auditing.significance import STARS
from bayes_npp.errors import SpecError
from bayes_npp.records import Shown

REFERENCES = ("auto", "normal")


@dataclass(frozen=True)
class AuditOptions:
    """What an audit declares; every choice is printed beside the results.

    Parameters
    ----------
    cap : float
        Most that one standard error of a pair may be of the other.
    sceptics : tuple of float
        Sceptical priors, each by the probability it gives an effect beyond the printed one.
    prior_sds : tuple of float
        Further sceptical priors by their SD in the data's units.
    shares : tuple of float
        Plausible true effects as shares of the printed one.
    alpha : float
        Level of the tests behind type S and type M.
    stars : tuple of float
        Levels of one, two, ... stars, falling.
    reference : str
        `auto` or `normal`: see `printed.printed_rows`.
    claims : tuple of str, or None
        Claims whose subsamples are compared; None for all.
    """

    cap: float = 5.0
    sceptics: tuple[float, ...] = (0.16, 0.05, 0.01)
    prior_sds: tuple[float, ...] = ()
    shares: tuple[float, ...] = (0.1, 0.25, 0.5, 0.75, 1.0)
    alpha: float = 0.05
    stars: tuple[float, ...] = STARS
    reference: str = "auto"
    claims: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        falling = all(a > b for a, b in zip(self.stars, self.stars[1:], strict=False))
        checks = {
            "cap": (math.isfinite(self.cap) and self.cap >= 1, "a finite ratio of at least 1"),
            "sceptics": (all(0 < tail < 0.5 for tail in self.sceptics), "probabilities between 0 and 0.5"),
            "prior_sds": (all(0 < sd < math.inf for sd in self.prior_sds), "positive numbers"),
            "shares": (
                bool(self.shares) and all(0 < share < math.inf for share in self.shares),
                "positive shares of the printed effect, at least one",
            ),
            "alpha": (0 < self.alpha < 1, "a level between 0 and 1"),
            "stars": (
                bool(self.stars) and falling and all(0 < level < 1 for level in self.stars),
                "falling levels between 0 and 1, such as 0.1, 0.05, 0.01",
            ),
            "reference": (self.reference in REFERENCES, f"one of {', '.join(REFERENCES)}"),
        }
        for name, (fits, wanted) in checks.items():
            if not fits:
                raise SpecError(
                    f"option '{name}' is {getattr(self, name)!r}", place="audit", fix=f"It must be {wanted}"
                )


@dataclass(frozen=True)
class Sentence:
    """A sentence or two, whether a result or a warning, and under which heading."""

    status: str  # result | warning
    text: str
    about: str

    def __str__(self) -> str:
        return self.text if self.status == "result" else f"{self.status.capitalize()}. {self.text}"


@dataclass(frozen=True, repr=False)
class Audit(Shown):
    """An audit of published numbers.

    Parameters
    ----------
    source : str
        Name of the file.
    options : AuditOptions
    rows : tuple of PrintedRow
        Every printed row, auditable or not.
    row_frame, reverse, posteriors, risks, curve : DataFrame
        See `rows` and `differences`.
    differences : tuple of SubsampleDifference
    long_runs : tuple of LongRun
    sentences : tuple of Sentence
        The same in words.
    said : tuple of str
        The sentences as lines, in the language that was asked for.
    """

    source: str
    options: AuditOptions
    rows: tuple[PrintedRow, ...]
    row_frame: pd.DataFrame
    reverse: pd.DataFrame
    posteriors: pd.DataFrame
    risks: pd.DataFrame
    differences: tuple[SubsampleDifference, ...]
    curve: pd.DataFrame
    long_runs: tuple[LongRun, ...]
    sentences: tuple[Sentence, ...] = ()
    said: tuple[str, ...] = ()

    @property
    def audited(self) -> list[PrintedRow]:
        """Rows with a coefficient and a bound on its standard error."""
        return audited(self.rows)

    @property
    def difference_frame(self) -> pd.DataFrame:
        """One row a pair: what is printed, ranges of P(first > second) and p-value, where the probability falls."""
        records = []
        for own in self.differences:
            p, value = own.probability, own.p_value
            records.append(
                {
                    "claim": own.first.labels["claim"],
                    "first": own.first.label,
                    "second": own.second.label,
                    "difference": (own.first.estimate or 0.0) - (own.second.estimate or 0.0),
                    "cap": own.cap,
                    "probability_lowest": p and p.lo,
                    "probability_highest": p and p.hi,
                    "p_value_lowest": value and value.lo,
                    "p_value_highest": value and value.hi,
                    "probability_equal_se_lowest": own.equal and own.equal.lo,
                    "probability_equal_se_highest": own.equal and own.equal.hi,
                    "se_of": own.unknown.label,
                    **{f"se_at_{level:g}": se for level, se in own.crossings.items()},
                    "reading": own.reading,
                }
            )
        return pd.DataFrame(records)
