"""The audit as text tables; each states its conventions in its notes."""

import math
from collections.abc import Callable, Iterable

import pandas as pd

from bayes_npp.auditing.printed import SOURCES, PrintedRow
from bayes_npp.auditing.record import Audit
from bayes_npp.auditing.rows import CONVENTIONS
from bayes_npp.auditing.significance import Range
from bayes_npp.auditing.text import probability_range, signed_range, value_range
from bayes_npp.reporting.base.cells import Table, number, probability

EMPTY = "none"


def printed_table(audit: Audit) -> Table:
    """What is printed of each coefficient and what that says of its standard error."""
    rows = [
        {
            "row": row.line,
            "claim": row.labels["claim"],
            "coefficient": row.label,
            "estimate": EMPTY if row.estimate is None else number(row.estimate),
            "significance": row.significance,
            "standard error": EMPTY if row.se is None else value_range(row.se.lo, row.se.hi),
            "absolute z": EMPTY if row.se is None else value_range(row.z.lo, row.z.hi),
            "from": _source(row),
            "contradictions": "; ".join(row.contradictions),
        }
        for row in audit.rows
    ]
    levels = ", ".join(f"{level:g}" for level in audit.options.stars)
    reference = (
        "Student's t with n_units - 1 degrees of freedom where n_units is printed, normal elsewhere"
        if audit.options.reference == "auto"
        else "normal"
    )
    notes = (
        "Published numbers. The printed estimate is taken as exact; a standard error, t or p may be anything that "
        "rounds to what is printed. A standard error comes from the first of: standard error, t, p, significance.",
        f"p-values are two-sided; reference distribution: {reference}. Levels of one star, two, ...: {levels}; a star "
        "says that the next one was missed. A threshold bounds a standard error on one side only.",
    )
    return Table("audit_printed", "What is printed, and which standard errors it allows", pd.DataFrame(rows), notes)


def reverse_table(audit: Audit) -> Table:
    """How sceptical a prior must be to end the credibility of each coefficient."""
    rows = []
    for (_, name), own in audit.reverse.groupby(["row", "coefficient"], sort=False):
        line = {"coefficient": name}
        for convention in CONVENTIONS:
            low, high = (row for _, row in own[own["convention"] == convention].iterrows())
            line[f"prior SD, {convention}"] = _credible(low, high, "prior_sd")
            line[f"scepticism limit, {convention}"] = _credible(low, high, "limit")
        rows.append(line)
    notes = (
        "Reverse Bayes: the SD of the zero-mean normal prior below which the effect is no longer credible, se / "
        "sqrt(z^2 / q^2 - 1), q = 1.645 (P of the estimate's sign 0.95) or 1.96 (P 0.975, the threshold of sentences "
        "and of the ledger; Matthews 2018: the 95 % interval leaves out zero). It exists only for |z| > q; "
        "otherwise not even the flat prior makes the effect credible. "
        "Limit: 1.96 prior SDs, in the units of the coefficient.",
        "Smallest to largest standard error allowed; both numbers rise with it.",
    )
    return Table("audit_reverse_bayes", "How much scepticism each coefficient bears", pd.DataFrame(rows), notes)


def posterior_table(audit: Audit) -> Table:
    """P(> 0) and mean of each coefficient under flat and sceptical priors."""
    rows = []
    for (_, name), own in audit.posteriors.groupby(["row", "coefficient"], sort=False):
        line = {"coefficient": name}
        for prior, ends in own.groupby("prior", sort=False):
            p = Range(ends["prob_positive"].min(), ends["prob_positive"].max())
            line[str(prior)] = f"{probability_range(p)}; mean {_mean(ends)}"
        rows.append(line)
    notes = (
        "P(> 0) and posterior mean; normal likelihood around the printed estimate, zero-mean normal priors. A 5 % "
        "sceptic gives an effect beyond the printed one a probability of 5 % (Spiegelhalter, Freedman and Parmar "
        "1994), a prior SD of |estimate| / 1.645. Such a prior is scaled by the number it judges: it translates the "
        "estimate, and is nobody's knowledge. Declare what you know by its SD (--prior-sd).",
        "Ranges over the standard errors allowed; both numbers move one way with it.",
    )
    return Table("audit_posteriors", "Under sceptical priors", pd.DataFrame(rows), notes)


def difference_table(audit: Audit) -> Table:
    """Pairs of subsamples: probability and p-value of the difference over the unknown standard errors."""
    rows = []
    for own in audit.differences:
        first, second = own.first.labels["sample"], own.second.labels["sample"]
        p, value = own.probability, own.p_value
        rows.append(
            {
                "claim": own.first.labels["claim"],
                "pair": f"{first} > {second}",
                "difference": number((own.first.estimate or 0.0) - (own.second.estimate or 0.0)),
                "P(first > second)": EMPTY if p is None else probability_range(p),
                "p-value": EMPTY if value is None else probability_range(value),
                "P at equal standard errors": EMPTY if own.equal is None else probability_range(own.equal),
                "standard error that varies": own.unknown.labels["sample"],
                **{f"P falls to {level:g} at": _crossing(se) for level, se in own.crossings.items()},
                "reading": own.reading,
            }
        )
    notes = (
        "Flat priors, independent samples that share no unit: P = Phi(difference / sqrt(se1^2 + se2^2)). The "
        "p-value is two-sided, over the same standard errors.",
        f"Range over all standard errors that print allows, neither more than {audit.options.cap:g} times the other: "
        "the cap is a declaration, not an estimate. 'Falls to ... at': the standard error above which the "
        "probability is lower, the other being the largest allowed.",
        "Reading: clear if P is at least 0.975 over the whole range, undecided if it is below that over the whole "
        "range, open if it depends on what is not printed.",
    )
    return Table("audit_differences", "Differences between subsamples", pd.DataFrame(rows), notes)


def risk_table(audit: Audit) -> Table:
    """Power, type S and type M over plausible true effects."""
    rows = []
    for (_, name, share), own in audit.risks.groupby(["row", "coefficient", "share"], sort=False):
        end = " (optimistic end)" if own["optimistic_end"].iloc[0] else ""
        rows.append(
            {
                "coefficient": name,
                "true effect": f"{number(own['effect'].iloc[0])}, {share:g} of the printed one{end}",
                "power": _range(own["power"], probability),
                "type S": _range(own["type_s"], probability),
                "type M": _range(own["type_m"], lambda value: "infinite" if math.isinf(value) else f"{value:.2f}"),
            }
        )
    notes = (
        "If the true effect were that share of the printed one: power of a two-sided test at "
        f"{audit.options.alpha:g}, probability that a significant estimate has the wrong sign (type S), and how many "
        "times a significant estimate exaggerates the effect on average (type M; Gelman and Carlin 2014). Range "
        "over the standard errors allowed.",
        "A coefficient that was printed because it is significant is itself exaggerated on average: the printed "
        "value is the optimistic end. The range of shares is declared.",
    )
    return Table("audit_type_s_m", "Type S and type M risks", pd.DataFrame(rows), notes)


def long_run_table(audit: Audit) -> Table:
    """Long-run effects of dynamic models."""
    rows = [
        {
            "coefficient": own.label,
            "short run": EMPTY if own.short_run is None else number(own.short_run),
            "lagged outcome": EMPTY if own.persistence is None else number(own.persistence),
            "long run": own.reason if own.long_run is None else number(own.long_run),
            "standard error": EMPTY if own.se is None else _errors(own.se),
            "uncorrelated": EMPTY if own.se_uncorrelated is None else _errors(own.se_uncorrelated),
        }
        for own in audit.long_runs
    ]
    notes = (
        "Long run: short run / (1 - sum of the lagged outcome's coefficients). Its delta-method standard error "
        "needs the covariance of the coefficients, which is not printed: range over correlations from -1 to 1 and "
        "over the standard errors allowed; 'uncorrelated' at a correlation of zero.",
        "Neither a short-run nor a long-run effect is comparable with the coefficient of a static model.",
    )
    return Table("audit_long_run", "Long-run effects of dynamic models", pd.DataFrame(rows), notes)


def _source(row: PrintedRow) -> str:
    if row.estimate is None:
        return "no coefficient"
    reference = f", {row.reference}" if row.source in ("p", "significance") else ""
    return f"{SOURCES[row.source]}{reference}"


def _credible(low: pd.Series, high: pd.Series, name: str) -> str:
    if not low["credible"]:
        return "not credible even under a flat prior"
    if not high["credible"]:
        return f"{number(low[name])} or more; at the largest standard errors not credible even under a flat prior"
    return value_range(low[name], high[name])


def _mean(ends: pd.DataFrame) -> str:
    return signed_range(ends["mean"].min(), ends["mean"].max())


def _crossing(se: float) -> str:
    if se == 0:
        return "never reached"
    return "never" if math.isinf(se) else f"{se:.4g}"


def _errors(se: Range) -> str:
    return value_range(se.lo, se.hi)


def _range(values: Iterable[float], text: Callable[[float], str]) -> str:
    """Lowest to highest value, once if they read the same."""
    ends = sorted(values)
    low, high = text(ends[0]), text(ends[-1])
    return low if low == high else f"{low} to {high}"
