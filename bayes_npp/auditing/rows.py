"""One printed coefficient: sceptical posteriors, reverse Bayes, type S and M, at both ends of its standard error.

Given the printed estimate, every quantity here but one is monotone in the standard error, so its range over the
standard errors that are allowed is that between the two ends. The exception is the outer end of a posterior interval.
"""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from bayes_npp.auditing.printed import PrintedRow
from bayes_npp.claims.evidence import MATTHEWS, ONE_SIDED, normal_posterior, reverse_bayes, tail_prior_sd, type_s_m

CONVENTIONS = {"one-sided 95 %": ONE_SIDED, "Matthews, 95 % interval": MATTHEWS}
THRESHOLD = "Matthews, 95 % interval"  # of sentences: P of the sign .975, where the ledger calls a claim supported
FLAT = "flat"


def audited(rows: Iterable[PrintedRow]) -> list[PrintedRow]:
    """Rows with an estimate other than zero, and something printed that bounds its standard error."""
    return [row for row in rows if row.estimate and row.source]


def row_frame(rows: Iterable[PrintedRow]) -> pd.DataFrame:
    """Every row with the range of its standard error and of |z|, what it comes from, and its contradictions."""
    records = []
    for row in rows:
        se, z = (None, None) if row.se is None else (row.se, row.z)
        records.append(
            {
                "paradigm": "published",
                **_place(row),
                "estimate": row.estimate,
                "se_lowest": se and se.lo,
                "se_highest": se and se.hi,
                "z_lowest": z and z.lo,
                "z_highest": z and z.hi,
                "source": row.source,
                "reference": row.reference if row.source in ("p", "significance") else "",
                "significance": row.significance,
                "contradictions": "; ".join(row.contradictions),
            }
        )
    return pd.DataFrame(records)


def reverse_frame(rows: Iterable[PrintedRow]) -> pd.DataFrame:
    """Reverse Bayes of each row at both ends of its standard error, one-sided and as Matthews has it."""
    records = []
    for row, end, se in _ends(rows):
        for convention, quantile in CONVENTIONS.items():
            assert row.estimate is not None
            found = reverse_bayes(row.estimate, se, quantile)
            own = {"z": found.z, "credible": found.credible, "prior_sd": found.prior_sd, "limit": found.limit}
            records.append({**_place(row), "convention": convention, "se_end": end, "se": se, **own})
    columns = [*_PLACE, "convention", "se_end", "se", "z", "credible", "prior_sd", "limit"]
    return pd.DataFrame(records, columns=columns)


def posterior_frame(rows: Iterable[PrintedRow], tails: tuple[float, ...], sds: tuple[float, ...]) -> pd.DataFrame:
    """Posteriors of each row under a flat and the declared sceptical priors, at both ends of its standard error.

    Parameters
    ----------
    rows : iterable of PrintedRow
    tails : tuple of float
        Sceptics by the probability they give an effect beyond the printed one.
    sds : tuple of float
        Prior SDs in the data's units.
    """
    records = []
    for row, end, se in _ends(rows):
        assert row.estimate is not None
        priors = {FLAT: float("inf")}
        priors |= {f"{tail * 100:g} % sceptic": tail_prior_sd(row.estimate, tail) for tail in tails}
        priors |= {f"SD {sd:g}": sd for sd in sds}
        for name, prior_sd in priors.items():
            found = normal_posterior(row.estimate, se, prior_sd)
            own = {"mean": found.mean, "sd": found.sd, "lo": found.lo, "hi": found.hi}
            own["prob_positive"] = found.prob_positive
            records.append({**_place(row), "prior": name, "prior_sd": prior_sd, "se_end": end, "se": se, **own})
    columns = [*_PLACE, "prior", "prior_sd", "se_end", "se", "mean", "sd", "lo", "hi", "prob_positive"]
    return pd.DataFrame(records, columns=columns)


def risk_frame(rows: Iterable[PrintedRow], shares: tuple[float, ...], alpha: float) -> pd.DataFrame:
    """Power, type S and type M of each row if the true effect were a share of the printed one.

    `optimistic_end` marks the share of one of a coefficient that is significant at 5 % whatever its standard error: a
    value printed because it was significant is exaggerated on average.
    """
    records = []
    for row, end, se in _ends(rows):
        assert row.estimate is not None
        filtered = row.significant
        for share in shares:
            effect = share * row.estimate
            found = type_s_m(effect, se, alpha)
            own = {"share": share, "effect": effect, "se_end": end, "se": se, "power": found.power}
            own |= {"type_s": found.type_s, "type_m": found.type_m, "optimistic_end": filtered and share >= 1}
            records.append({**_place(row), **own})
    columns = [*_PLACE, "share", "effect", "se_end", "se", "power", "type_s", "type_m", "optimistic_end"]
    return pd.DataFrame(records, columns=columns)


_PLACE = ("row", "claim", "coefficient")


def _place(row: PrintedRow) -> dict[str, Any]:
    return {"row": row.line, "claim": row.labels["claim"], "coefficient": row.label}


def _ends(rows: Iterable[PrintedRow]) -> Iterable[tuple[PrintedRow, str, float]]:
    for row in audited(rows):
        assert row.se is not None
        yield row, "smallest", row.se.lo
        yield row, "largest", row.se.hi
