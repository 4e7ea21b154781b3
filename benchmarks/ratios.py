"""The ratios that the benchmark is to show: target, what was measured, met or not, and where the time goes."""

from dataclasses import dataclass
from typing import Any

from ledger import BEFORE, NOW
from samplers import REML

Rows = dict[str, list[dict[str, Any]]]
OURS, NUTS = "bayes_npp: weighted points", "bayes_npp: chains of scales (NUTS), coefficients integrated out"
BAMBI, STATSPAI = "bambi + nutpie", "StatsPAI bayes_mixed"


@dataclass(frozen=True)
class Aim:
    """A ratio (or seconds) with its bound: at least, or at most."""

    what: str
    bound: float
    measured: float | None
    at_most: bool = False

    def row(self) -> dict:
        sign = "at most" if self.at_most else "at least"
        out = {"what": self.what, "target": f"{sign} {self.bound:g}"}
        if self.measured is None:
            return out | {"measured": "not measured", "met": ""}
        missed = self.measured / self.bound - 1 if self.at_most else 1 - self.measured / self.bound
        met = "yes" if missed <= 0 else f"no, by {100 * missed:.0f} %"
        return out | {"measured": shown(self.measured), "met": met}


def shown(value: float) -> str:
    """Three digits, without an exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def ratios(parts: Rows) -> list[dict]:
    """A row for each aim; of a part or peer that is missing "not measured"."""
    speed = {row["model"]: row for row in parts.get("speed", [])}
    single = {row["model"]: row for row in parts.get("one_grouping", [])}
    default = next((row for row in parts.get("points", []) if (row["data"], row["errors"]) == DEFAULT), {})
    aims = [
        Aim("default model, theta: faster than NUTS at equal effective size", 8, default.get(FASTER)),
        Aim("the same, in processor seconds", 8, default.get("the same of processors")),
        Aim("default model, whole fit: faster than the fit by NUTS", 3, default.get("whole fit faster")),
        Aim("default model, whole fit / lme4's REML", 5, quotient(speed, OURS, REML, SECONDS), at_most=True),
        Aim("effective draws a second of sampling / bambi + nutpie's", 800, quotient(speed, OURS, BAMBI, SAMPLING)),
        Aim("effective draws a second of sampling / StatsPAI's", 10, quotient(single, OURS, STATSPAI, SAMPLING)),
        Aim("the same of whole fits / StatsPAI's", 10, quotient(single, OURS, STATSPAI, WHOLE)),
    ]
    for row in parts.get("unit_slopes", []):
        bound = 1.5 if row["units"] > 10_000 else 1.0
        if row["units"] >= 3_000:
            what = f"slopes of {row['units']:,} units, whole fit / lme4's REML"
            aims.append(Aim(what, bound, row.get("whole fit / lme4"), at_most=True))
    grid = next(iter(parts.get("grid", [])), {})
    aims.append(Aim("1,000 priors on the default model, seconds", 10, grid.get("grid, seconds"), at_most=True))
    busy = grid.get("grid, seconds of one core")
    aims.append(Aim("the same, processor seconds over two cores", 10, busy and busy / 2, at_most=True))
    gaps = [row[GAP] for row in parts.get("points", [])]
    aims.append(Aim("worst gap of a mean between points and chains, in MCSE", 4, max(gaps, default=None), at_most=True))
    runs = {row["code"]: row for row in parts.get("ledger", [])}
    then = "claims and measures of the default study of then / the code before"
    aims.append(Aim(then, 0.5, quotient(runs, NOW, BEFORE, "both"), at_most=True))
    return [aim.row() for aim in aims]


DEFAULT = ("reconstruction", "iid")
FASTER, GAP = "faster at equal effective size", "worst gap of a mean, in MCSE"
SECONDS, SAMPLING, WHOLE = "wall seconds", "a second of sampling", "effective draws a second"


def quotient(rows: dict[str, dict], ours: str, other: str, column: str) -> float | None:
    """Ours over another's in a column; None where either has none."""
    one, two = (rows.get(name, {}).get(column) for name in (ours, other))
    return one / two if one and two else None
