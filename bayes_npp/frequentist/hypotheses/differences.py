"""Is the difference between two groups' slopes a difference? Every test that readers know by name, side by side."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy

from bayes_npp.design.design import Design, build_design, check_membership, group_pairs
from bayes_npp.design.spec import Spec
from bayes_npp.errors import DesignError, SpecError
from bayes_npp.estimates import above_zero
from bayes_npp.frequentist.hypotheses.equal_slopes import SINGULAR, fully_interacted
from bayes_npp.frequentist.hypotheses.permutation import Permutation, permute_units
from bayes_npp.frequentist.hypotheses.separate import (
    GroupFit,
    check_group_units,
    joint_counts,
    plain_spec,
    separate_regressions,
)
from bayes_npp.frequentist.least_squares.covariance import check_options, small_sample_factor
from bayes_npp.frequentist.least_squares.few_clusters import ENOUGH, FEWEST_CLUSTERS
from bayes_npp.frequentist.least_squares.static import linear_fit
from bayes_npp.frequentist.least_squares.wild_bootstrap import drawn_signs, wild_p_value
from bayes_npp.frequentist.least_squares.within import within_fit
from bayes_npp.panels.panel import Panel
from bayes_npp.records import Shown

COLUMNS = ("test", "group_1", "group_2", "term", "estimate", "statistic", "p_value", "applies", "note")
TESTS = {
    "interaction": "one regression, exposure x group; controls and period effects shared",
    "fully interacted": "one regression in which everything is each group's own",
    "chow": "the same, controls included: are all coefficients equal?",
    "suest": "separate regressions, tested together (seemingly unrelated estimation)",
    "satterthwaite": "separate regressions, degrees of freedom from each group's own units",
    "wild bootstrap": "wild cluster bootstrap of the fully interacted regression",
    "permutation": "whole units change groups (Fisher's permutation test)",
    "permutation, studentised": "the same with the difference over its standard error",
}
ALL = "all"


@dataclass(frozen=True, repr=False)
class GroupDifferences(Shown):
    """Tests that two groups have one slope.

    Attributes
    ----------
    frame : DataFrame
        One row a test and a pair: test (a key of `TESTS`), group_1, group_2 ("all" where every group is tested at
        once), term, estimate (first group's slope less the second's), statistic, p_value (two-sided), applies, note.
        A test that does not apply has no p-value, and its note says why.
    holm : DataFrame
        test, group_1, group_2, p_value, p_holm: adjusted for all pairs of a test (Holm 1979).
    group, term : str
        Grouping column and exposure.
    units : dict of int
        Units of every group.
    draws, seed : int
    """

    frame: pd.DataFrame
    holm: pd.DataFrame
    group: str
    term: str
    units: Mapping[str, int]
    draws: int
    seed: int

    def headline(self) -> str:
        return f"Slopes of {self.term} by {self.group}, tested against each other"

    def details(self) -> list[str]:
        """Groups, and how many tests apply."""
        sizes = ", ".join(f"{label} ({count})" for label, count in self.units.items())
        applied = int(self.frame["applies"].sum())
        tests = len(self.frame["test"].unique())
        rows = f"{len(self.frame)} rows (.frame) of {tests} tests, {applied} apply; adjusted for all pairs in .holm"
        return [f"units: {sizes}", rows, f"permutations and bootstrap: {self.draws} draws, seed {self.seed}"]


def difference_tests(
    panel: Panel,
    spec: Spec,
    group: str,
    *,
    convention: str = "stata",
    draws: int = 9999,
    seed: int = 1,
) -> GroupDifferences:
    """Test the difference between the slopes of every two groups, two-way fixed effects.

    Parameters
    ----------
    panel : Panel
    spec : Spec
        Outcome, exposure, controls; `unit_trends` are absorbed too. Its `slopes` is replaced by `group`.
    group : str
        Grouping column.
    convention : str
        Small-sample factor of "interaction", "fully interacted" and "chow" (`covariance.CONVENTIONS`); "suest" has
        G / (G - 1), or none with "hc0".
    draws, seed : int
        Of permutations and of the wild bootstrap; all arrangements (sign vectors) are taken where those are fewer.

    Returns
    -------
    GroupDifferences

    Raises
    ------
    SpecError, DesignError, PanelError
        As `twfe`; a group of one unit, of which period effects of its own leave nothing.

    Notes
    -----
    Formulas, small-sample factors and the Stata command that each row equals: docs/statistics.md, section 8.

    References
    ----------
    Chow (1960), Econometrica 28. Weesie (1999), Stata Technical Bulletin 52 (suest). Cleary (1999), Journal of Finance
    54. Chung & Romano (2013), Annals of Statistics 41. Holm (1979), Scandinavian Journal of Statistics 6.
    """
    check_options("clustered", convention, None, "unit")
    if draws < 99 or seed < 0:
        raise SpecError(f"draws = {draws}, seed = {seed}", fix="Use at least 99 draws and a seed that is not negative")
    whole = build_design(panel, plain_spec(spec, group))
    check_group_units(whole, panel.source)
    nested = _not_nested(whole)
    groups, reasons = separate_regressions(panel, plain_spec(spec, None), group)
    rows = [_joint(test, whole, groups, reasons, nested, convention, panel.source) for test in JOINT]
    interaction = linear_fit(whole, "two-way", "clustered", convention, source=panel.source)
    for g, h in group_pairs(len(whole.groups)):
        pair = (whole.groups[g], whole.groups[h])
        few = _few({whole.groups[k]: int(whole.group_units[k]) for k in (g, h)})
        one = np.eye(len(interaction.names))
        gap = float(interaction.coefficients[g] - interaction.coefficients[h])
        spread = np.sqrt(interaction.spread.variance(one[g] - one[h]))
        near = _approximate(min(int(whole.group_units[k]) for k in (g, h)))
        rows.append(_t_row("interaction", pair, spec, gap, spread, interaction.df, few, near))
        failed = next((reasons[label] for label in pair if label in reasons), "")
        if failed:
            rows += [_none(test, pair, spec, np.nan, few or failed) for test in TESTS if test != "interaction"]
            continue
        own = {label: groups[label] for label in pair}
        rows += _pair_rows(panel, spec, group, own, groups, few, near, nested, convention, draws, seed)
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    order = {test: k for k, test in enumerate(TESTS)}
    frame = frame.sort_values("test", key=lambda names: names.map(order), kind="stable", ignore_index=True)
    units = dict(zip(whole.groups, whole.group_units.tolist(), strict=True))
    return GroupDifferences(frame, holm_over_pairs(frame), group, str(spec.exposure), units, draws, seed)


def holm_over_pairs(frame: pd.DataFrame) -> pd.DataFrame:
    """Every p-value of a pair beside the same adjusted for all pairs of its test."""
    pairs = frame[(frame["group_1"] != ALL) & frame["p_value"].notna()]
    out = pairs[["test", "group_1", "group_2", "p_value"]].reset_index(drop=True)
    adjusted = out.groupby("test", sort=False)["p_value"].transform(lambda p: holm(p.to_numpy()))
    return out.assign(p_holm=adjusted)


def holm(p_values: np.ndarray) -> np.ndarray:
    """Holm's step-down adjustment of p-values, shape (m,)."""
    order = np.argsort(p_values, kind="stable")
    stepped = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1))
    out = np.empty(len(p_values))
    out[order] = np.minimum(stepped, 1.0)
    return out


def _not_nested(design: Design) -> str:
    """Why units are not nested in groups; empty where they are."""
    try:
        check_membership(design)
    except DesignError as error:
        return error.problem
    return ""


def _few(counts: Mapping[str, int]) -> str:
    """Why groups of these units have no test; empty where they have."""
    for label, units in counts.items():
        if units < FEWEST_CLUSTERS:
            return f"group '{label}' has {units} units, and a test needs at least {FEWEST_CLUSTERS} in each group"
    return ""


def _approximate(units: int) -> str:
    if units >= ENOUGH:
        return ""
    return f"p approximate: {units} units in the smaller group; read it beside the row 'satterthwaite'"


def _pair_rows(
    panel: Panel,
    spec: Spec,
    group: str,
    own: Mapping[str, GroupFit],
    every: Mapping[str, GroupFit],
    few: str,
    near: str,
    nested: str,
    convention: str,
    draws: int,
    seed: int,
) -> list[dict[str, Any]]:
    """Every test of one pair but that of the shared regression."""
    pair, (one, two) = tuple(own), tuple(own.values())
    gap = one.slope - two.slope
    between = 2 * float((one.scores.iloc[:, 0] * two.scores.iloc[:, 0]).sum())  # aligned by label; none where nested
    bare = one.variance + two.variance - between
    clusters = len(set().union(*(frozenset(g.design.units) for g in every.values())))
    factor = small_sample_factor(convention, joint_counts(every), clusters)
    no = few or nested
    rows = [_t_row("fully interacted", pair, spec, gap, np.sqrt(bare * factor), clusters - 1, no, near)]
    rows.append(_chow(pair, spec, own, factor, clusters - 1, no, near))
    plain = 1.0 if convention == "hc0" else clusters / (clusters - 1)
    said = "normal distribution" + ("" if convention == "hc0" else f"; factor G / (G - 1), G = {clusters}")
    shared = "" if not nested else "clusters lie in both groups: their covariance is subtracted"
    rows.append(_t_row("suest", pair, spec, gap, np.sqrt(bare * plain), None, few, _join(said, shared, near)))
    rows.append(_satterthwaite(pair, spec, own, no))
    if no:
        rest = ("wild bootstrap", "permutation", "permutation, studentised")
        return rows + [_none(test, pair, spec, gap, no) for test in rest]
    where = panel.labels(group).isin(pair).to_numpy()
    both = build_design(panel, plain_spec(spec, group), where=where)
    stacked = fully_interacted(both)
    solved = within_fit(stacked, "two-way", panel.source)
    contrast = np.zeros(len(solved.names))
    contrast[:2] = (1, -1) if both.groups == pair else (-1, 1)
    p = wild_p_value(stacked, "two-way", solved, contrast, draws, seed)
    ratio = gap / np.sqrt(bare)
    note = _join(f"null imposed, {drawn_signs(len(both.units), '', draws, seed)}", near)
    rows.append(_row("wild bootstrap", pair, spec, gap, ratio, p, note))
    single = build_design(panel, plain_spec(spec, None), where=where)
    first = np.isin(single.units, one.design.units)
    found = permute_units(single, first, draws, seed)
    rows.append(_row("permutation", pair, spec, gap, gap, found.p_plain, _permuted(found, folded=True)))
    ratio, p = found.studentised, found.p_studentised
    return [*rows, _row("permutation, studentised", pair, spec, gap, ratio, p, _permuted(found))]


def _permuted(found: Permutation, *, folded: bool = False) -> str:
    """How the units were dealt, in words."""
    how = f"all {found.arrangements} arrangements" if found.exact else f"{found.arrangements} random arrangements"
    strata = {0: "units have different periods: approximate", 1: ""}.get(
        found.strata, f"within {found.strata} sets of units with the same periods"
    )
    lost = f"{found.undefined} without a slope counted as extreme" if found.undefined else ""
    one_sided = f"one-sided and folded, as bdiff prints it: {found.folded:.3g}" if folded else ""
    return _join(how, strata, lost, one_sided)


def _satterthwaite(pair: tuple[str, ...], spec: Spec, own: Mapping[str, GroupFit], no: str) -> dict[str, Any]:
    """Welch's t with each group's own factor M / (M - 1) and degrees of freedom M - 1."""
    one, two = own.values()
    parts = [(g.variance * g.units / (g.units - 1), g.units - 1) for g in (one, two)]
    variance = sum(part for part, _ in parts)
    df = variance**2 / sum(part**2 / free for part, free in parts)
    return _t_row("satterthwaite", pair, spec, one.slope - two.slope, np.sqrt(variance), df, no, "")


def _chow(
    pair: tuple[str, ...], spec: Spec, own: Mapping[str, GroupFit], factor: float, df: int, no: str, near: str
) -> dict[str, Any]:
    """Wald test that all coefficients of two groups are equal, as F."""
    one, two = own.values()
    gap = one.fit.coefficients - two.fit.coefficients
    if no:
        return _none("chow", pair, spec, np.nan, no, every=True)
    spread = factor * sum(g.scores.T.to_numpy() @ g.scores.to_numpy() for g in (one, two))
    return _wald(pair, spec, gap, spread, df, near)


def _wald(
    pair: tuple[str, ...], spec: Spec, gap: np.ndarray, spread: np.ndarray, df: int, near: str, test: str = "chow"
) -> dict[str, Any]:
    size = np.sqrt(np.diag(spread))
    scaled = spread / np.outer(size, size)
    every = test == "chow"
    if np.linalg.eigvalsh(scaled).min() <= SINGULAR * len(gap):
        reason = f"{len(gap)} equalities are more than the units of these groups can test: their covariance is singular"
        return _none(test, pair, spec, np.nan, reason, every=every)
    statistic = float(gap / size @ np.linalg.solve(scaled, gap / size)) / len(gap)
    p = float(above_zero(scipy.stats.f.sf(statistic, len(gap), df)))
    return _row(test, pair, spec, np.nan, statistic, p, _join(f"F({len(gap)}, {df})", near), every=every)


def _joint(
    test: str,
    whole: Design,
    groups: Mapping[str, GroupFit],
    reasons: Mapping[str, str],
    nested: str,
    convention: str,
    source: str,
) -> dict[str, Any]:
    """All groups at once: differences to the first one, as F."""
    spec, pair = whole.spec, (ALL, ALL)
    counts = dict(zip(whole.groups, (int(count) for count in whole.group_units), strict=True))
    few = _few(counts)
    no = few or (nested if test != "interaction" else "") or next(iter(reasons.values()), "")
    if no:
        return _none(test, pair, spec, np.nan, no, every=test == "chow")
    near = _approximate(min(counts.values()))
    if test == "interaction":
        fit = linear_fit(whole, "two-way", "clustered", convention, source=source)
        n, df = len(whole.groups), fit.df
        slopes = fit.coefficients[:n]
        contrast = np.column_stack([-np.ones(n - 1), np.eye(n - 1)])
        return _wald(pair, spec, contrast @ slopes, contrast @ fit.covariance[:n, :n] @ contrast.T, df, near, test)
    clusters = sum(counts.values())
    factor = small_sample_factor(convention, joint_counts(groups), clusters)
    taken = [np.arange(1) if test == "fully interacted" else np.arange(len(g.fit.names)) for g in groups.values()]
    means = [g.fit.coefficients[k] for g, k in zip(groups.values(), taken, strict=True)]
    spreads = [
        factor * g.scores.to_numpy()[:, k].T @ g.scores.to_numpy()[:, k]
        for g, k in zip(groups.values(), taken, strict=True)
    ]
    gap = np.concatenate([mean - means[0] for mean in means[1:]])
    size, others = len(taken[0]), len(means) - 1
    spread = np.tile(spreads[0], (others, others))
    for k in range(others):
        spread[k * size : (k + 1) * size, k * size : (k + 1) * size] += spreads[k + 1]
    return _wald(pair, spec, gap, spread, clusters - 1, near, test)


JOINT: tuple[str, ...] = ("interaction", "fully interacted", "chow")


def _t_row(
    test: str, pair: tuple[str, ...], spec: Spec, gap: float, se: float, df: float | None, no: str, note: str
) -> dict[str, Any]:
    if no or not se > 0:
        return _none(test, pair, spec, gap, no or "no standard error: the estimated variance is not positive")
    ratio = gap / se
    tail = scipy.stats.norm.sf(abs(ratio)) if df is None else scipy.stats.t.sf(abs(ratio), df)
    against = "" if df is None else f"t({df:.4g}), standard error {se:.4g}"
    against = against or f"standard error {se:.4g}"
    return _row(test, pair, spec, gap, ratio, float(above_zero(2 * tail)), _join(against, note))


def _none(
    test: str, pair: tuple[str, ...], spec: Spec, gap: float, reason: str, *, every: bool = False
) -> dict[str, Any]:
    every = every or test == "chow"
    row = _row(test, pair, spec, gap, np.nan, np.nan, reason, every=every)
    return {**row, "applies": False, "estimate": np.nan if every else gap}


def _row(
    test: str,
    pair: tuple[str, ...],
    spec: Spec,
    gap: float,
    statistic: float,
    p: float,
    note: str,
    *,
    every: bool = False,
) -> dict[str, Any]:
    term = "all coefficients" if every else str(spec.exposure)
    values = (test, *pair, term, gap, float(statistic), float(p), True, note)
    return dict(zip(COLUMNS, values, strict=True))


def _join(*notes: str) -> str:
    return "; ".join(note for note in notes if note)
