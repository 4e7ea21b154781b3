"""Scores of a stored fit that take long to compute, kept beside it: how well it predicts, whether slopes differ."""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bayes_npp.analysis.cache import Form, json_form, recalled, stamp
from bayes_npp.analysis.made_from import made_by
from bayes_npp.bayesian.comparison.accuracy import METHODS, accuracy, loo
from bayes_npp.bayesian.comparison.homogeneity import Homogeneity, homogeneity
from bayes_npp.bayesian.comparison.scores import Accuracy
from bayes_npp.bayesian.fitting.fit import Fit
from bayes_npp.bayesian.priors.families import PriorSpec

HOMOGENEITY, LOO, UNIT_OUT = "homogeneity", "loo_without_refits", "leave_one_unit_out_without_refits"


def scores(
    fit: Fit, wanted: Iterable[str], path: Path | None, say: Callable[[str], None] = lambda line: None
) -> dict[str, Any]:
    """The wanted scores of a fit by name: `HOMOGENEITY`, `LOO`, `UNIT_OUT`, or a method of `accuracy`.

    With `path` they are read from there if they are of this very fit (its key), and written there; `say` is called with
    the reason where what is there is not used.
    """
    key = fit.tree.attrs.get("key")
    made_from = {"fit": key, **made_by(__name__)}
    kept = {} if key is None else recalled(path, made_from, FORM, say) or {}
    missing = [name for name in dict.fromkeys(wanted) if name not in kept]
    for name in missing:
        kept[name] = _compute(name)(fit)
    if missing and path is not None and key is not None:
        FORM.write(path, stamp(made_from), kept)
    return {name: kept[name] for name in wanted}


def _compute(name: str) -> Callable[[Fit], Homogeneity | Accuracy]:
    if name == HOMOGENEITY:
        return homogeneity
    if name == LOO:
        return lambda fit: loo(fit, mend=False)
    if name == UNIT_OUT:
        return lambda fit: accuracy(fit, "leave_one_unit_out", mend=False)
    return lambda fit: accuracy(fit, name)


def _plain(score: Homogeneity | Accuracy) -> dict[str, Any]:
    values = asdict(score)
    if isinstance(score, Homogeneity):
        return {**values, "prior": score.prior.model_dump()}
    return {**values, "pointwise": score.pointwise.tolist(), "k_hat": score.k_hat.tolist()}


def _score(name: str, values: dict[str, Any]) -> Homogeneity | Accuracy:
    if name == HOMOGENEITY:
        by_scale = tuple((float(scale), float(factor)) for scale, factor in values["by_scale"])
        return Homogeneity(**{**values, "prior": PriorSpec(**values["prior"]), "by_scale": by_scale})
    if name not in (LOO, UNIT_OUT, *METHODS):
        raise KeyError(name)
    arrays = {key: np.array(values[key], dtype=float) for key in ("pointwise", "k_hat")}
    return Accuracy(**{**values, **arrays, "labels": tuple(values["labels"])})


FORM: Form[dict[str, Any]] = json_form(
    lambda kept: {name: _plain(score) for name, score in kept.items()},
    lambda content: {name: _score(name, values) for name, values in content.items()},
    name="scores",
)
