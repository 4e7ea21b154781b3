"""Would one still believe it under another prior? Propositions about slopes over priors, in numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bayes_npp.bayesian.fitting.fit import Fit
from bayes_npp.bayesian.fitting.refit import SHORT
from bayes_npp.bayesian.fitting.sample import Sampler
from bayes_npp.bayesian.priors.families import PriorSpec
from bayes_npp.bayesian.priors.grid import Grid, cells, load_grid
from bayes_npp.bayesian.priors.sets import PriorSet, load_priors, prior_of
from bayes_npp.bayesian.sensitivity.power_scaling import power_scaling
from bayes_npp.bayesian.sensitivity.prior_checks import prior_overlap, prior_predictive
from bayes_npp.bayesian.sensitivity.reverse_bayes import LEVELS, MULTIPLES, Scepticism, reverse_bayes
from bayes_npp.bayesian.sensitivity.sweep import Answers, of_fit, sweep
from bayes_npp.design.propositions import Proposition, parse_proposition
from bayes_npp.design.slope_contrasts import Contrasts, contrasts
from bayes_npp.errors import SpecError
from bayes_npp.records import Shown

NAMED_SETS = ("sceptical", "weakly_informative", "diffuse", "enthusiastic")
PRIOR_SCALES = np.geomspace(0.005, 5.0, 9)  # of the prior that pools slopes, standardised units
QUICK_CELLS, QUICK_POINTS, QUICK_SCALES = 25, 5, 4  # of the grid, a curve, the scales: every how many are kept


@dataclass(frozen=True, repr=False)
class Sensitivity(Shown):
    """One fit under other priors.

    Attributes
    ----------
    propositions : tuple of Proposition
    probabilities : tuple of float
        Of each under the fit itself.
    power : DataFrame
        `power_scaling` of each proposition's estimand.
    grid : DataFrame
        One row a cell and proposition: cell, proposition, the prior of every axis, probability and its Monte Carlo
        standard error, mean, lo, hi of the estimand (95 % equal-tailed), k_hat (NaN where it was sampled), passed.
    sets : DataFrame
        The same for named prior sets, by the column `priors`; the set of the fit is answered by the fit itself.
    slopes : DataFrame
        Every group's slope (the one slope without groups) over scales of the prior that pools them (of the exposure's
        own without groups): prior, scale (standardised units), group, mean, lo, hi (95 % equal-tailed, data's units).
    reverse : tuple of Scepticism
    overlap, predictive : DataFrame
        `prior_overlap`, `prior_predictive`.
    """

    propositions: tuple[Proposition, ...]
    probabilities: tuple[float, ...]
    power: pd.DataFrame
    grid: pd.DataFrame
    sets: pd.DataFrame
    slopes: pd.DataFrame
    reverse: tuple[Scepticism, ...]
    overlap: pd.DataFrame
    predictive: pd.DataFrame

    def range(self, proposition: Proposition) -> tuple[float, float]:
        """Lowest and highest probability of a proposition over the grid and the named sets."""
        found = self._over_priors(proposition)["probability"]
        return float(found.min()), float(found.max())

    def span(self, proposition: Proposition) -> str:
        """The lowest and the highest probability of a proposition, each with the prior it is found under, as a line.

        Priors under which the sampler failed are left out.
        """
        own = f"{self.probabilities[self.propositions.index(proposition)]:.3g} as declared"
        found = self._over_priors(proposition)
        found = found[found["passed"].astype(bool)]
        if found.empty:
            return f"{proposition}: {own}; no other prior was answered"
        lowest, highest = (
            found.loc[found["probability"].eq(end).idxmax()]
            for end in (found["probability"].min(), found["probability"].max())
        )
        ends = [
            f"{what} {row['probability']:.3g} under {row['variant']}"
            for what, row in (("lowest", lowest), ("highest", highest))
        ]
        failed = len(self._over_priors(proposition)) - len(found)
        left = f"; {failed} priors without an answer" if failed else ""
        return f"{proposition}: {', '.join(ends)}; {own}{left}"

    def _over_priors(self, proposition: Proposition) -> pd.DataFrame:
        """Rows of the grid and of the named sets about a proposition, the prior in words as `variant`."""
        tables = []
        for table, named in ((self.grid, False), (self.sets, True)):
            own = table[table["proposition"] == str(proposition)]
            axes = [name for name in own if name not in ("cell", "proposition", *MEASURES)]
            said = own["priors"] + " priors" if named else own[axes].apply(_priors, axis=1)
            tables.append(own.assign(variant=said))
        return pd.concat(tables, ignore_index=True)

    def rows(self, claim: dict[str, str] | None = None) -> pd.DataFrame:
        """Everything as rows of sensitivity.csv: claim, kind, variant, quantity, value.

        Parameters
        ----------
        claim : dict, optional
            A claim's id by proposition; the proposition itself stands where there is none.
        """
        names, out = claim or {}, []
        for table, kind, labels in ((self.grid, "prior grid", None), (self.sets, "prior set", "priors")):
            axes = [c for c in table if c not in ("cell", "proposition", *MEASURES)]
            for row in table.to_dict("records"):
                variant = row[labels] if labels else _priors({axis: row[axis] for axis in axes})
                own = names.get(row["proposition"], row["proposition"])
                out += [(own, kind, variant, quantity, row[quantity]) for quantity in MEASURES]
        for row in self.power.to_dict("records"):
            own = names.get(row["quantity"], row["quantity"])
            measures = ("prior_sensitivity", "likelihood_sensitivity", "k_hat")
            out += [(own, "power-scaling", row["prior"], quantity, row[quantity]) for quantity in measures]
        for found in self.reverse:
            own = names.get(str(found.proposition), str(found.proposition))
            for row in found.curve.to_dict("records"):
                variant = f"{' and '.join(found.shrunk)}: prior SD {row['prior_sd']:.4g}"
                out.append((own, "reverse Bayes", variant, "probability", row["probability"]))
            for level, crossings in found.crossings.items():
                values = crossings or (np.nan,)
                out += [(own, "reverse Bayes", f"probability {level:g}", "prior SD", value) for value in values]
            out.append((own, "reverse Bayes", "", "scepticism limit", found.scepticism_limit()))
        for row in self.slopes.to_dict("records"):
            variant = f"prior of {row['prior']} of scale {row['scale']:.3g}"
            out += [("", "prior scale", variant, f"slope[{row['group']}] {q}", row[q]) for q in ("mean", "lo", "hi")]
        return pd.DataFrame(out, columns=["claim", "kind", "variant", "quantity", "value"])


MEASURES = ("probability", "mcse", "mean", "lo", "hi", "k_hat", "passed")


def sensitivity(
    fit: Fit,
    propositions: str | Sequence[str | Proposition] = ("average_slope > 0",),
    grid: str | Grid = "default",
    sets: Sequence[str | PriorSet] = NAMED_SETS,
    *,
    levels: tuple[float, ...] = LEVELS,
    seed: int = 1,
    quick: bool = False,
) -> Sensitivity:
    """Ask propositions about slopes again under other priors, through the collapsed sampler.

    Parameters
    ----------
    fit : Fit
    propositions : str or sequence of str
        Such as "average_slope > 0" or "slope[East] > slope[West]" (`propositions.parse_proposition`).
    grid : str
        A named grid of priors or a .toml file (`prior_grid.load_grid`).
    sets : sequence of str
        Named prior sets, side by side.
    levels : tuple of float
        Posterior probabilities to which reverse Bayes shrinks the priors.
    seed : int
        Of the refits.
    quick : bool
        Fewer points of reverse Bayes, and every twenty-fifth cell of the grid.

    Raises
    ------
    SpecError
        A proposition about something this fit does not estimate, an empty grid, a family without support, a model
        that the collapsed sampler does not have (Student-t errors).
    """
    listed = (propositions,) if isinstance(propositions, str) else propositions
    asked = tuple(p if isinstance(p, Proposition) else parse_proposition(p) for p in listed)
    if not asked:
        raise SpecError("no proposition is named", fix="Name one, such as 'average_slope > 0'")
    weighed = contrasts(asked, fit.design)
    sampler = replace(SHORT, seed=seed)
    slots = tuple(dict.fromkeys(prior_of()[str(name)] for name in fit.tree["log_prior"].data_vars))
    every = cells(load_grid(grid), fit.priors, slots)[:: QUICK_CELLS if quick else 1]
    named = [load_priors(name) for name in sets]
    answers = sweep(fit, [own for _, own in every] + named, weighed, sampler)
    own_priors, own = fit.priors.content_hash(), of_fit(fit, weighed)
    answers[len(every) :] = [
        own if priors.content_hash() == own_priors else one
        for priors, one in zip(named, answers[len(every) :], strict=True)
    ]
    grid_rows = [
        {"cell": number, "proposition": str(p), **{axis: str(prior) for axis, prior in labels.items()}, **_row(one, k)}
        for number, ((labels, _), one) in enumerate(zip(every, answers, strict=False), start=1)
        for k, p in enumerate(asked)
    ]
    set_rows = [
        {"priors": priors.name, "proposition": str(p), **_row(one, k)}
        for priors, one in zip(named, answers[len(every) :], strict=True)
        for k, p in enumerate(asked)
    ]
    draws = weighed.values(fit.slopes)
    curve = MULTIPLES[:: QUICK_POINTS if quick else 1]
    return Sensitivity(
        propositions=asked,
        probabilities=tuple(float(probability) for probability in own.probability),
        power=power_scaling(fit, {str(p): own for p, own in zip(asked, draws, strict=True)}),
        grid=pd.DataFrame(grid_rows),
        sets=pd.DataFrame(set_rows),
        slopes=slopes_by_scale(fit, sampler, PRIOR_SCALES[:: QUICK_SCALES if quick else 1]),
        reverse=reverse_bayes(fit, asked, levels, curve, sampler),
        overlap=prior_overlap(fit),
        predictive=prior_predictive(fit, seed),
    )


def slopes_by_scale(fit: Fit, sampler: Sampler = SHORT, scales: np.ndarray = PRIOR_SCALES) -> pd.DataFrame:
    """Slopes under half-normal priors of their SD (normal ones of the one slope) from narrow to wide.

    Parameters
    ----------
    scales : ndarray
        Of the prior, in standardised units.

    Returns
    -------
    DataFrame
        As `Sensitivity.slopes`.
    """
    groups = fit.design.groups
    pooled = bool(groups) and fit.spec.slope_pooling != "none"
    slot, family = ("slope_sd", "half_normal") if pooled else ("exposure", "normal")
    mean = {} if pooled else {"mu": 0.0}
    sets = [
        fit.priors.replaced(**{slot: PriorSpec(family=family, sigma=float(scale), reason="One of a row.", **mean)})
        for scale in scales
    ]
    size = max(len(groups), 1)
    every = Contrasts(np.eye(size), np.zeros(size), np.ones(size))
    rows = [
        {"prior": slot, "scale": float(scale), "group": group, "mean": one.mean[g], "lo": one.lo[g], "hi": one.hi[g]}
        for scale, one in zip(scales, sweep(fit, sets, every, sampler), strict=True)
        for g, group in enumerate(groups or ("all",))
    ]
    return pd.DataFrame(rows)


def _priors(own: Mapping[str, str] | pd.Series) -> str:
    """The priors of a cell in a line, such as "exposure normal(0, 0.5); slope_sd half_normal(0.5)"."""
    return "; ".join(f"{axis} {prior}" for axis, prior in own.items())


def _row(one: Answers, k: int) -> dict[str, float | bool]:
    """What the k-th proposition's answer says, by `MEASURES`."""
    values = {name: float(getattr(one, name)[k]) for name in ("probability", "mcse", "mean", "lo", "hi")}
    return {**values, "k_hat": one.k_hat, "passed": one.passed}
