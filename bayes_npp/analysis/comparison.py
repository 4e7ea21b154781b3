"""Put estimates side by side: like with like only, and the three columns of group slopes."""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from bayes_npp.errors import EstimatesError
from bayes_npp.estimates import Estimates, concat

CLEAR = 0.975  # posterior probability at which the sign of a slope or difference is called clear


def compare(tables: Iterable[Estimates | pd.DataFrame], estimand: str | None = None) -> pd.DataFrame:
    """Estimates of several models side by side.

    Parameters
    ----------
    tables : iterable of Estimates
    estimand : str, optional
        Keep only this estimand.

    Returns
    -------
    DataFrame
        One row an (outcome, estimand, term, group), one block of columns (estimate, spread, lo, hi) a model. Rows of
        different estimands are never on one line.

    Raises
    ------
    EstimatesError
        Two rows of one model with the same labels, or no row of the estimand.
    """
    frame = concat([t if isinstance(t, Estimates) else Estimates(t) for t in tables]).frame
    if estimand is not None:
        frame = frame[frame["estimand"] == estimand]
        if frame.empty:
            raise EstimatesError(f"no row has the estimand '{estimand}'", fix="See the column estimand")
    study = frame["study"].where(frame["study"] != "", None)
    name = frame["model"].where(frame["model"] != "", frame["estimator"])
    if study.nunique() > 1:
        name = frame["study"] + ": " + name
    frame = frame.assign(column=name)
    keys = ["outcome", "estimand", "term", "group"]
    twice = frame.duplicated([*keys, "column"])
    if twice.any():
        row = frame[twice].iloc[0]
        raise EstimatesError(
            f"two rows of '{row['column']}' have the estimand {row['estimand']} of {row['term']} {row['group']}",
            fix="Give the models different names",
        )
    models = list(dict.fromkeys(frame["column"]))
    order = frame[keys].drop_duplicates()
    wide = frame.set_index([*keys, "column"])[["estimate", "spread", "lo", "hi"]].unstack("column")
    wide = wide.swaplevel(axis=1).reindex(
        columns=pd.MultiIndex.from_product([models, ["estimate", "spread", "lo", "hi"]])
    )
    return wide.reindex(pd.MultiIndex.from_frame(order))


def difference(first: pd.Series, second: pd.Series) -> float:
    """First estimate less the second; refused for rows of different estimands, groups, outcomes or paradigms' data."""
    for column in ("estimand", "term", "group", "outcome"):
        if first[column] != second[column]:
            raise EstimatesError(
                f"a {first[column] or 'overall'} and a {second[column] or 'overall'} cannot be differenced",
                place=f"column {column}",
                fix="Compare rows of one estimand, term, group and outcome",
            )
    if "published" in (first["paradigm"], second["paradigm"]):
        raise EstimatesError("a published number rests on other data", fix="Show it in its own block")
    return float(first["estimate"] - second["estimate"])


@dataclass(frozen=True)
class GroupSlope:
    """One group's slope in the three columns; `shrinkage` runs from the second to the third only.

    `chosen` is the third column under the error model behind the verdicts, where that is another one.
    """

    group: str
    subsample: pd.Series | None
    interacted: pd.Series
    pooled: pd.Series
    chosen: pd.Series | None = None

    @property
    def shrinkage(self) -> float:
        return difference(self.pooled, self.interacted)


@dataclass(frozen=True)
class Difference:
    """Two groups' difference: the frequentist test of that very difference and its posterior."""

    label: str
    interacted: pd.Series
    pooled: pd.Series
    chosen: pd.Series | None = None

    @property
    def verdict(self) -> pd.Series:
        """The posterior behind the reading: under the chosen error model, or the declared one."""
        return self.pooled if self.chosen is None else self.chosen

    @property
    def reading(self) -> str:
        """What the posterior says of the sign, by the rule P >= 0.975 either way."""
        return sign_reading(self.verdict["prob_positive"])


@dataclass(frozen=True)
class Heterogeneity:
    """The comparison of one grouping: names of the models, slopes of the groups, averages and differences.

    `chosen_model` is the hierarchical model behind the verdicts (another error model, or the declared model itself).
    `averages` holds (estimand, interacted row, pooled row); `plain` is the row of TWFE with one slope, if declared.
    """

    grouping: str
    exposure: str
    subsample_model: str
    interacted_model: str
    pooled_model: str
    chosen_model: str
    slopes: tuple[GroupSlope, ...]
    differences: tuple[Difference, ...]
    averages: tuple[tuple[str, pd.Series, pd.Series], ...]
    plain: pd.Series | None = None

    @property
    def clear(self) -> tuple[Difference, ...]:
        return tuple(d for d in self.differences if d.reading != "undecided")

    @property
    def significance_pattern(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Groups whose subsample slope has p < 0.05, and those where it has not; one without a test is in neither."""
        rows = [(s.group, s.subsample["p_value"]) for s in self.slopes if s.subsample is not None]
        return tuple(g for g, p in rows if p < 0.05), tuple(g for g, p in rows if p >= 0.05)


def sign_reading(prob_positive: float) -> str:
    """'clearly positive', 'clearly negative' or 'undecided' from P(> 0)."""
    if prob_positive >= CLEAR:
        return "clearly positive"
    return "clearly negative" if prob_positive <= 1 - CLEAR else "undecided"


def heterogeneity(
    table: Estimates,
    grouping: str,
    pooled_model: str,
    interacted_model: str,
    subsample_model: str = "",
    plain_model: str = "",
    chosen_model: str = "",
) -> Heterogeneity:
    """Assemble the three columns of group slopes from the rows of a study."""
    pooled = table.select(model=pooled_model)
    interacted = table.select(model=interacted_model)
    subsamples = table.select(model=subsample_model, estimand="subsample_slope") if subsample_model else None
    chosen = table.select(model=chosen_model) if chosen_model not in ("", pooled_model) else None
    exposure = pooled["term"].iloc[0]

    def row(rows: pd.DataFrame, estimand: str, group: str) -> pd.Series:
        found = rows[(rows["estimand"] == estimand) & (rows["group"] == group) & (rows["term"] == exposure)]
        if len(found) != 1:
            raise EstimatesError(f"{len(found)} rows of {estimand} for '{group}' where one was expected")
        return found.iloc[0]

    groups = pooled.loc[pooled["estimand"] == "group_slope", "group"]
    pairs = pooled.loc[pooled["estimand"] == "slope_difference", "group"]
    averages = ("average_slope_twfe_weighted", "average_slope", "mean_group_slope")
    return Heterogeneity(
        grouping=grouping,
        exposure=exposure,
        subsample_model=subsample_model,
        interacted_model=interacted_model,
        pooled_model=pooled_model,
        chosen_model=chosen_model or pooled_model,
        slopes=tuple(
            GroupSlope(
                group=group,
                subsample=None if subsamples is None else row(subsamples, "subsample_slope", group),
                interacted=row(interacted, "group_slope", group),
                pooled=row(pooled, "group_slope", group),
                chosen=None if chosen is None else row(chosen, "group_slope", group),
            )
            for group in groups
        ),
        differences=tuple(
            Difference(
                pair,
                row(interacted, "slope_difference", pair),
                row(pooled, "slope_difference", pair),
                None if chosen is None else row(chosen, "slope_difference", pair),
            )
            for pair in pairs
        ),
        averages=tuple((name, row(interacted, name, ""), row(pooled, name, "")) for name in averages),
        plain=row(table.select(model=plain_model), averages[0], "") if plain_model else None,
    )


def slope_frame(comparison: Heterogeneity) -> pd.DataFrame:
    """Long table of the three columns, for figures: group, column, estimate, lo, hi."""
    rows = []
    for slope in comparison.slopes:
        for column in ("subsample", "interacted", "pooled", "chosen"):
            source = getattr(slope, column)
            if source is not None:
                values = {key: source[key] for key in ("estimate", "lo", "hi", "level", "interval")}
                rows.append({"group": slope.group, "column": column, **values})
    return pd.DataFrame(rows)
