"""Studies of every pair of declared options, on the tiny panel: what may be declared comes from the registries.

A setting is one value of one option: a key of a kind's record, or a table beside the models (a claim, a robustness
row, other measures, another panel). Values of keys come from their types; those of free keys from `FREE`, so that a
new key of a record has to be entered there.
"""

import itertools
import json
import tomllib
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from bayes_npp.bayesian.model.error_models import ERROR_MODELS, combine
from bayes_npp.bayesian.priors.sets import priors_folder
from bayes_npp.study.bayesian_model import BayesianModel
from bayes_npp.study.model_spec import ModelSpec
from bayes_npp.study.models import MODEL_RECORDS, HierarchicalModel, MediationModel

TINY = Path(__file__).parents[1] / "studies" / "tiny"
BASE = {
    "study": {"title": "A pair of options", "panel": "panel.csv", "unit": "unit", "time": "time", "group": "group"},
    "roles": {"outcome": "made", "exposure": "exposure", "controls": ["control_1"], "mediators": ["structure"]},
    "variable": [
        {"name": "made", "index": "entropy", "positive": ["first", "second", "third"]},
        {"name": "other", "log": "second_exposure"},
        {"name": "se", "scale": "second_exposure", "by": 0.05},
    ],
}
NEEDED: dict[str, dict[str, Any]] = {  # keys that a kind has no default of
    "fixed_effects": {"effects": "unit"},
    "difference_gmm": {"gmm": [["made", 2, "all"]], "iv": ["exposure", "control_1"], "collapse": True},
    "system_gmm": {"gmm": [["made", 2, "all"]], "iv": ["exposure", "control_1"], "collapse": True},
    "iv": {"instruments": ["other"]},
    "iv_hierarchical": {"instruments": ["other"]},
    "hierarchical": {"slopes": "group"},  # with which there is most to be done
    "mediation": {"slopes": "group", "mediators": ["structure", "support"]},
}
FAST = {"draws": 100, "tune": 100, "chains": 2}
FREE: dict[str, list[Any]] = {
    "slopes": [None, "group", "unit", "group/unit"],
    "varying": [["control_1"]],
    "controls": [[], ["control_1", "support"]],
    "outcome": ["first"],
    "exposure": ["other"],
    "subsamples": ["group"],
    "group_time_effects": ["group"],
    "mediators": [["structure"], ["support"]],
    "varying_paths": [["a"], ["b"], ["direct"], []],
    "serial": [[["structure", "support"]]],
    "cluster": [["unit", "time"], "above"],
    "analytic_weights": ["second_exposure"],
    "gmm": [[["made", 2, 2]], [["made", 2, 3], ["exposure", 1, 2, "transformed"]]],
    "iv": [[], [["exposure", "level"]]],
    "instruments": [["other", "support"]],
    "endogenous": [["control_1"]],
    "exclusion": [0.2],
    "outcome_lags": [2],
    "unit_trends": [True],
    "factors": [2],
    "exposure_factors": [2],
    "averages": [["made", "exposure"]],
}
LAGS: dict[type, list[Any]] = {MediationModel: [[1, 0], [0, 1]]}
# Names, what says how much is drawn, and what goes with another key.
IGNORED = (
    "name",
    "title",
    "title_zh",
    "kind",
    "draws",
    "tune",
    "chains",
    "seed",
    "target_accept",
    "errors",
    "se",
    "mediator_errors",
    "priors",
)


@dataclass(frozen=True, eq=False)
class Setting:
    """One value of an option: keys of the model, and what else the study then has."""

    option: str
    label: str
    model: dict[str, Any] = field(default_factory=dict)
    study: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.option} {self.label}"


def kinds() -> list[str]:
    """Every kind of model."""
    return list(MODEL_RECORDS)


@cache
def settings(kind: str) -> dict[str, list[Setting]]:
    """Every setting of a kind that is not the default, by option."""
    record = MODEL_RECORDS[kind]
    found = {name: _of_key(kind, name) for name in record.model_fields if name not in IGNORED}
    found |= {"errors": _of_errors(record), "priors": _of_priors(record)}
    found |= {"measurement": _measurement(record), "panel": _panels()}
    # Any of these may stand beside any other.
    found |= {str(one): [one] for one in (*_claims(record), *_robustness(record), *_beside())}
    return {option: own for option, own in found.items() if own}


def pairs(kind: str) -> Iterator[tuple[Setting, ...]]:
    """No setting, every single one, and every pair of settings of different options."""
    own = settings(kind)
    yield ()
    for option in own:
        yield from ((one,) for one in own[option])
    for first, second in itertools.combinations(own, 2):
        yield from itertools.product(own[first], own[second])


def sampled_in_full(chosen: tuple[Setting, ...]) -> bool:
    """Whether a model with these settings takes the full PyMC model, which is compiled and slow."""
    errors = [part for one in chosen for part in str(one.model.get("errors", "iid")).split("+")]
    full = any(one.model.get("engine") == "nuts" or one.model.get("mediator_errors") == "student_t" for one in chosen)
    return full or any(ERROR_MODELS[part].not_collapsed for part in errors)


def covering(kind: str, accepted: Callable[[tuple[Setting, ...]], bool], full: bool) -> list[tuple[Setting, ...]]:
    """Few studies that together hold every accepted single setting and pair.

    Where `full` is false, of those that the collapsed sampler or none fits; else of the others, few settings a study:
    each row of robustness is another model to compile.
    """
    own = settings(kind)
    found = [pair for pair in pairs(kind) if accepted(pair)]
    left = {frozenset(map(str, pair)) for pair in found if sampled_in_full(pair) == full}
    allowed = {frozenset(map(str, pair)) for pair in found if full or not sampled_in_full(pair)}
    again = any(one.option.startswith("robustness") for pair in found for one in pair)
    most = (4 if again else 8) if full else len(own)
    by_name = {str(one): one for some in own.values() for one in some}
    out = []
    while left:
        chosen = [by_name[name] for name in sorted(max(left, key=lambda pair: (len(pair), sorted(pair))))]
        for option in own:
            if len(chosen) >= most or option in {one.option for one in chosen}:
                continue
            fitting = [one for one in own[option] if all(frozenset((str(one), str(c))) in allowed for c in chosen)]
            gain = {one: sum(frozenset((str(one), str(c))) in left for c in chosen) for one in map(str, fitting)}
            best = max(gain, key=lambda name: gain[name], default=None)
            if best and gain[best] and accepted((*chosen, by_name[best])):
                chosen.append(by_name[best])
        out.append(tuple(chosen))
        names = [str(one) for one in chosen]
        held = [(), *((name,) for name in names), *itertools.combinations(names, 2)]
        left -= set(map(frozenset, held))
    return out


def content(kind: str, chosen: tuple[Setting, ...]) -> dict[str, Any]:
    """The study of a kind with some settings."""
    fast = FAST if issubclass(MODEL_RECORDS[kind], BayesianModel) else {}
    model = {"name": "m", "kind": kind, **fast, **NEEDED.get(kind, {})}
    out: dict[str, Any] = {key: value.copy() for key, value in BASE.items()}
    for one in chosen:
        model |= one.model
        for table, value in one.study.items():
            if isinstance(value, list):
                out[table] = [*out.get(table, []), *value]
            else:
                out[table] = {**out.get(table, {}), **value}
    own = {key: value for key, value in model.items() if value is not None}
    out["model"] = [own, *out.get("model", [])]
    return out


def write_panels(folder: Path) -> None:
    """The panels that the studies name."""
    frame = pd.read_csv(TINY / "panel.csv")
    number = frame["unit"].str.extract(r"(\d+)")[0].astype(int)
    frame["above"] = "pair " + ((number + 1) // 2).astype(str)  # of two units each
    frame.to_csv(folder / "panel.csv", index=False)
    frame.drop(frame.index[[2, 9, 10, 40]]).to_csv(folder / "gaps.csv", index=False)
    frame.assign(time=2000 + 2 * frame["time"]).to_csv(folder / "second.csv", index=False)
    for name in ("tiny_grid.toml",):
        (folder / name).write_bytes((TINY / name).read_bytes())


def write_study(folder: Path, study: dict[str, Any]) -> None:
    """The study file."""
    text = "\n".join(f"{key} = {_toml(value)}" for key, value in study.items())
    assert tomllib.loads(text) == study
    (folder / "study.toml").write_text(text, encoding="utf-8")


def _of_key(kind: str, name: str) -> list[Setting]:
    """Values of a key other than those it has without being named here."""
    record = MODEL_RECORDS[kind]
    default = NEEDED.get(kind, {}).get(name, record.model_fields[name].default)
    values = LAGS.get(record, [1]) if name == "lags" else FREE.get(name)
    if values is None:
        values = list(_enumerated(record.model_fields[name].annotation))
        assert values, f"enter values of '{name}' of {record.__name__} in FREE"
    extra = {"covariance": "driscoll_kraay"} if name == "lags" and "covariance" in record.model_fields else {}
    extra |= {"covariance": "wild_bootstrap"} if name == "weights" else {}
    extra |= {"method": "product"} if name == "interval" else {}
    extra |= {"missing": "extrapolate"} if name == "extrapolation" else {}
    return [Setting(name, str(value), {name: value, **extra}) for value in values if value != default]


def _enumerated(annotation: Any) -> Iterator[Any]:
    """Values of a type that has few; none of one that has many."""
    if annotation is bool:
        yield from (False, True)
    elif typing.get_origin(annotation) is Literal:
        yield from typing.get_args(annotation)
    elif typing.get_origin(annotation) in (typing.Union, types.UnionType):
        for part in typing.get_args(annotation):
            yield from _enumerated(part)


def _of_errors(record: type[ModelSpec]) -> list[Setting]:
    """Every part of the registry alone, and every two that combine."""
    if not issubclass(record, BayesianModel):
        return []
    default = record.model_fields["errors"].default
    names = [(name,) for name in ERROR_MODELS] + [
        two for two in itertools.combinations(ERROR_MODELS, 2) if combine(two)
    ]
    out = []
    for parts in names:
        known = {"se": "se"} if any(ERROR_MODELS[name].known_se for name in parts) else {}
        if known and "se" not in record.model_fields:
            continue
        errors = "+".join(parts)
        out += [Setting("errors", errors, {"errors": errors, **known})] if errors != default else []
    if issubclass(record, MediationModel):
        out += [Setting("errors", f"{name} of mediators", {"mediator_errors": name}) for name in ("ar1", "student_t")]
    return out


def _of_priors(record: type[ModelSpec]) -> list[Setting]:
    if not issubclass(record, BayesianModel):
        return []
    named = sorted(path.stem for path in priors_folder().glob("*.toml"))
    return [
        Setting("priors", name, {"priors": name}) for name in named if name != record.model_fields["priors"].default
    ]


def _claims(record: type[ModelSpec]) -> list[Setting]:
    """Claims about every quantity."""
    slopes = ["slope > 0", "average_slope > 0.1", "average_slope_twfe_weighted > 0", "slope[north] > slope[south]"]
    paths = ["indirect[structure] > 0", "total_indirect > 0", "indirect[structure, north] > indirect[structure, south]"]
    asked = slopes if issubclass(record, HierarchicalModel) else paths if issubclass(record, MediationModel) else []
    rules = {"claims": {"grid": "tiny_grid.toml"}}
    tables = [{"id": text, "text": "It is so.", "proposition": text, "model": "m", "effects": [0.1]} for text in asked]
    return [Setting("claim", one["proposition"], {}, {"claim": [one], **rules}) for one in tables]


def _measurement(record: type[ModelSpec]) -> list[Setting]:
    """Other measures of outcome and exposure."""
    if not issubclass(record, HierarchicalModel):
        return []
    table = {"index": "made", "models": ["m"], "weights": ["equal"], "logs": ["none"], "leave_one_out": False}
    ways = {"weights": {"draws": 0}, "drawn weights": {"draws": 3}, "exposure": {"draws": 0, "exposures": ["other"]}}
    return [Setting("measurement", label, {}, {"measurement": table | own}) for label, own in ways.items()]


def _robustness(record: type[ModelSpec]) -> list[Setting]:
    """Rows of every alteration."""
    rows = {
        "winsorise": 0.05,
        "drop_units": ["unit 01"],
        "window": [1, 5],
        "outcome": "first",
        "exposure": "other",
        "controls": [],
        "unit_trends": True,
        "group_time_effects": "group",
        "lead": 1,
        "lag": 1,
    }
    extra = {"outcome": {"rescale": True}}
    names = {key: {"name": key, "models": ["m"], key: value, **extra.get(key, {})} for key, value in rows.items()}
    return [Setting("robustness", key, {}, {"robustness": [row]}) for key, row in names.items()]


def _beside() -> list[Setting]:
    """Other models of the study, which tables and comparisons put beside this one."""
    models = {
        "twfe": {"name": "plain", "kind": "twfe"},
        "twfe by group": {"name": "interacted", "kind": "twfe", "slopes": "group"},
        "subsamples": {"name": "separate", "kind": "twfe", "subsamples": "group"},
        "product of paths": {"name": "product", "kind": "mediation_paths", "method": "product"},
    }
    return [Setting("beside", label, {}, {"model": [model]}) for label, model in models.items()]


def _panels() -> list[Setting]:
    return [
        Setting("panel", "with gaps", {}, {"study": {"panel": "gaps.csv"}}),
        Setting("panel", "of every second year", {}, {"study": {"panel": "second.csv"}}),
        Setting("panel", "with a window", {}, {"study": {"window": [2, 7]}}),
    ]


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(own)}" for key, own in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
