"""Differences between groups' slopes: every test by least squares, and the posterior beside them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayes_npp.analysis.records import Ladder
from bayes_npp.bayesian.comparison.homogeneity import Homogeneity, homogeneity
from bayes_npp.errors import SpecError
from bayes_npp.estimates import Estimates
from bayes_npp.frequentist.hypotheses.differences import ALL, COLUMNS, GroupDifferences, difference_tests
from bayes_npp.panels.panel import Panel
from bayes_npp.study.differences import Difference
from bayes_npp.study.study import Study

if TYPE_CHECKING:
    from bayes_npp.bayesian.fitting.fit import Fit
    from bayes_npp.design.spec import Spec

POSTERIOR = {
    "posterior": "the hierarchical model: probability that the difference is above zero",
    "bayes factor": "the hierarchical model: the data's support for equal slopes over unequal ones",
}


@dataclass(frozen=True)
class DifferenceRecord:
    """A [[difference]] of a study, tested.

    Attributes
    ----------
    declared : Difference
    tests : GroupDifferences
        With the rows of the posterior, where there is a model.
    model, errors : str
        The model behind these rows and its errors; empty without one.
    p_range : tuple of (str, str, float, float)
        Of every pair with a test: group_1, group_2, lowest and highest p-value of the tests of its slopes.
    untested : tuple of (str, str, str)
        Pairs without any test by least squares, and why.
    """

    declared: Difference
    tests: GroupDifferences
    model: str
    errors: str
    p_range: tuple[tuple[str, str, float, float], ...]
    untested: tuple[tuple[str, str, str], ...]


def group_differences(
    panel: Panel,
    spec: "Spec",
    group: str,
    *,
    fit: "Fit | None" = None,
    convention: str = "stata",
    draws: int = 9999,
    seed: int = 1,
) -> GroupDifferences:
    """Is the difference between two groups' slopes a difference? Every test that readers know, side by side.

    Parameters
    ----------
    panel : Panel
    spec : Spec
        Outcome, exposure, controls; its `slopes` is replaced by `group`.
    group : str
        Grouping column.
    fit : Fit, optional
        Of a hierarchical model with `slopes = group`: its difference, probability and Bayes factor stand beside the
        tests, in rows "posterior" (statistic: the probability that the difference is above zero) and "bayes factor"
        (statistic: above 1 the data speak for equal slopes).
    convention, draws, seed
        As in `frequentist.hypotheses.differences.difference_tests`.

    Returns
    -------
    GroupDifferences
        `.frame` with columns test, group_1, group_2, term, estimate, statistic, p_value, applies, note; `.holm`.

    Raises
    ------
    SpecError, DesignError, PanelError
        As `twfe`; a group of one unit; a fit with other slopes.

    Notes
    -----
    docs/statistics.md, section 8: formulas, small-sample factors, and the Stata command that each row equals.

    References
    ----------
    Gelman & Stern (2006), The American Statistician 60. Chung & Romano (2013), Annals of Statistics 41.
    """
    found = difference_tests(panel, spec, group, convention=convention, draws=draws, seed=seed)
    if fit is None:
        return found
    if fit.spec.slopes != group:
        raise SpecError(
            f"the fit has slopes = {fit.spec.slopes!r}, not '{group}'", fix="Give the fit with these slopes"
        )
    alike = homogeneity(fit) if fit.is_collapsed else None
    return with_posterior(found, fit.estimates().frame, alike)


def with_posterior(tests: GroupDifferences, rows: pd.DataFrame, alike: Homogeneity | None) -> GroupDifferences:
    """The tests with rows of a posterior below them.

    Parameters
    ----------
    tests : GroupDifferences
    rows : DataFrame
        Estimates of one hierarchical model.
    alike : Homogeneity, optional
        Its Bayes factor of equal slopes.
    """
    pairs = tests.frame[tests.frame["group_1"] != ALL][["group_1", "group_2"]].drop_duplicates()
    own = rows[rows["estimand"] == "slope_difference"].set_index("group")
    out = []
    for one, two in pairs.itertuples(index=False):
        label, sign = (f"{one} - {two}", 1) if f"{one} - {two}" in own.index else (f"{two} - {one}", -1)
        if label not in own.index:
            continue
        row = own.loc[label]
        lo, hi = sorted((sign * row["lo"], sign * row["hi"]))
        positive = row["prob_positive"] if sign > 0 else 1 - row["prob_positive"]
        note = f"95 % interval {lo:.4g} to {hi:.4g}; {row['covariance']}"
        out.append(("posterior", one, two, tests.term, sign * row["estimate"], positive, np.nan, True, note))
    if alike is not None:
        low, high = alike.range
        note = f"{low:.3g} to {high:.3g} with the prior's scale from a quarter to four times; {alike.reading}"
        out.append(("bayes factor", ALL, ALL, tests.term, np.nan, alike.factor, np.nan, True, note))
    if not out:
        return tests
    frame = pd.concat([tests.frame, pd.DataFrame(out, columns=list(COLUMNS))], ignore_index=True)
    return replace(tests, frame=frame)


def study_differences(study: Study, estimates: Estimates, ladders: Sequence[Ladder]) -> tuple[DifferenceRecord, ...]:
    """Every [[difference]] of a study, beside the posterior with the errors behind the verdicts."""
    out = []
    for declared in study.differences:
        tests = difference_tests(
            study.panel,
            declared.spec(study.roles),
            declared.group,
            convention=declared.convention,
            draws=declared.draws,
            seed=declared.seed,
        )
        name, errors = "", ""
        model = declared.beside(study.models)
        if model is not None:
            choice = next((ladder.errors for ladder in ladders if ladder.model == model.name), None)
            name, errors = model.name, model.errors
            alike = None
            if choice is not None:
                name, errors, alike = choice.record.model, choice.chosen, choice.homogeneity.get(choice.chosen)
            tests = with_posterior(tests, estimates.select(model=name), alike)
        out.append(DifferenceRecord(declared, tests, name, errors, *_read(tests.frame)))
    return tuple(out)


def _read(
    frame: pd.DataFrame,
) -> tuple[tuple[tuple[str, str, float, float], ...], tuple[tuple[str, str, str], ...]]:
    """Lowest and highest p-value of every pair's slopes; pairs without a test, and why."""
    slopes = frame[(frame["group_1"] != ALL) & (frame["test"] != "chow") & ~frame["test"].isin(list(POSTERIOR))]
    found, none = [], []
    for (one, two), rows in slopes.groupby(["group_1", "group_2"], sort=False):
        p = rows["p_value"].dropna()
        if p.empty:
            none.append((str(one), str(two), str(rows["note"].iloc[0])))
        else:
            found.append((str(one), str(two), float(p.min()), float(p.max())))
    return tuple(found), tuple(none)
