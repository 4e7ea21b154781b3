"""Ways to measure the same outcome: variants of an index, and indices drawn around its estimated weights."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayes_npp.design.design import Design, build_design, check_membership, check_two_way
from bayes_npp.design.projection import two_way_parts
from bayes_npp.design.scales import Scales
from bayes_npp.design.spec import Spec
from bayes_npp.errors import BayesNppError, SpecError, VariableError, nearest
from bayes_npp.panels import indices
from bayes_npp.panels.panel import Panel
from bayes_npp.panels.transforms import Index, Transform
from bayes_npp.panels.variation import constant
from bayes_npp.study.header import Roles
from bayes_npp.study.measurement import SOURCES, Measurement, measured_model
from bayes_npp.study.model_spec import ModelSpec

MAX_TRIES = 1000  # of a bootstrap sample in which every indicator varies


@dataclass(frozen=True)
class Variant:
    """One way to measure outcome and exposure, in the units of the declared ones.

    Attributes
    ----------
    label : str
    weights, logs, left_out : str
        How the index was put together; `left_out` is empty where every indicator is in it.
    exposure : str
        Empty where it is the study's.
    declared : bool
        The outcome and exposure of the study themselves.
    values : ndarray, shape (rows of the panel,)
        Of the index, or of the alternative exposure: mean and total SD of the declared one over the sample.
    per_unit : float
        A slope of the variant as it is, over the slope of the rescaled variant.
    """

    label: str
    weights: str
    logs: str
    left_out: str
    exposure: str
    declared: bool
    values: np.ndarray
    per_unit: float


def index_of(variables: Sequence[Transform], name: str) -> Index:
    """The index declared under a name.

    Raises
    ------
    SpecError
        No such variable, or one that is no index.
    """
    declared = {variable.name: variable for variable in variables}
    found = declared.get(name)
    known = [other for other, variable in declared.items() if isinstance(variable, Index)]
    if found is None:
        fix = nearest(name, known) if known else "Declare it: [[variable]] with index = 'entropy'"
        raise SpecError(f"unknown variable '{name}' in index", fix=fix)
    if not isinstance(found, Index):
        fix = nearest(name, known) if known else "Declare it with index = 'entropy'"
        raise SpecError(f"variable '{name}' is not an index", fix=fix)
    return found


def sample_rows(panel: Panel, roles: Roles, index: Index) -> np.ndarray:
    """Rows of the study's baseline regression in which every indicator is known, shape (rows of the panel,)."""
    names = (roles.outcome, roles.exposure, *roles.controls, *index.indicators)
    known = ~np.isnan(np.column_stack([panel.numbers(name) for name in names])).any(axis=1)
    return panel.in_window & known


def index_variants(panel: Panel, roles: Roles, index: Index, measurement: Measurement) -> list[Variant]:
    """Every declared variant: the index as the study has it first, alternative exposures last.

    Indices are built on the rows of `sample_rows`, so that variants differ in measurement and not in sample; each has
    mean and SD (n - 1, over all those rows: the total SD, not the one within units) of the declared index there.

    Returns
    -------
    list of Variant

    Raises
    ------
    SpecError
        An index that a variant leaves with fewer than two indicators, an exposure that has another role.
    VariableError
        A logarithm that does not exist, an indicator that does not vary.
    """
    rows = sample_rows(panel, roles, index)
    names = index.indicators
    if measurement.leave_one_out and len(names) < 3:
        raise SpecError(
            f"leave_one_out leaves a single indicator of '{index.name}', which is no index",
            fix="Say leave_one_out = false",
        )
    declared = panel.numbers(index.name)
    out = [Variant(f"{index.name}, as declared", index.index, "none", "", "", True, declared, 1.0)]
    for logs in measurement.logs:
        values = _logged(panel, index, rows, logs, measurement.log_shift)
        for left_out in ("", *(names if measurement.leave_one_out else ())):
            kept = [k for k, name in enumerate(names) if name != left_out]
            scaled = indices.min_max(values[:, kept], index.signs[kept], [names[k] for k in kept])
            for weights in measurement.weights:
                if weights == index.index and logs == "none" and not left_out:
                    continue
                built = indices.combine(scaled, weights, index.shift)[0]
                label = _label(weights, logs, measurement.log_shift, left_out)
                column, ratio = _on_scale_of(declared, built, rows, label)
                out.append(Variant(label, weights, logs, left_out, "", False, column, ratio))
    for name in measurement.exposures:
        if name in (roles.outcome, roles.exposure, *roles.controls):
            raise SpecError(f"exposure '{name}' has another role in the study", fix="Name another column")
        values = panel.numbers(name)
        where = rows & ~np.isnan(values)
        column, ratio = _on_scale_of(panel.numbers(roles.exposure), values[where], where, f"exposure {name}")
        out.append(Variant(f"exposure {name}", index.index, "none", "", name, False, column, 1 / ratio))
    return out


def variant_design(panel: Panel, spec: Spec, variant: Variant, scales: Scales | None = None) -> Design:
    """The design of a model with one variant in place of the declared outcome or exposure."""
    name = spec.exposure if variant.exposure else spec.outcome
    assert name is not None
    return build_design(panel.with_column(name, variant.values), spec, scales)


def drawn_indices(
    panel: Panel, roles: Roles, index: Index, source: str, draws: int, concentration: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of drawn weights, in the units of the declared index; the declared one first.

    "bootstrap": units are drawn with replacement, their rows scaled and weighted anew. "dirichlet": weights from a
    Dirichlet distribution with the entropy weights times `concentration`. Either way the weights are applied to the
    indicators as scaled over the whole sample, and only the weights differ between draws.

    Parameters
    ----------
    source : {"bootstrap", "dirichlet"}
    draws : int
    seed : int

    Returns
    -------
    columns : ndarray, shape (1 + draws, rows of the panel)
    weights : ndarray, shape (1 + draws, indicators)
    """
    random = np.random.default_rng([seed, list(SOURCES).index(source)])
    rows = sample_rows(panel, roles, index)
    names, signs = index.indicators, index.signs
    values = np.column_stack([panel.numbers(name) for name in names])[rows]
    scaled = indices.min_max(values, signs, names)
    estimated = indices.entropy_weights(scaled, index.shift)[0]
    if source == "dirichlet":
        drawn = random.dirichlet(concentration * estimated, size=draws)
    else:
        unit = panel.frame[panel.unit].to_numpy()[rows]
        own = [np.flatnonzero(unit == label) for label in dict.fromkeys(unit)]
        drawn = np.array([_bootstrapped(values, own, index, random) for _ in range(draws)]).reshape(draws, len(names))
    weights = np.vstack([estimated, drawn])
    declared = panel.numbers(index.name)
    return np.array([_on_scale_of(declared, scaled @ w, rows, "drawn weights")[0] for w in weights]), weights


def correlations(panel: Panel, roles: Roles, index: Index, variant: Variant) -> tuple[float, float]:
    """Correlation with the declared index (or exposure): raw, and of what unit and period effects leave of both."""
    declared = panel.numbers(roles.exposure if variant.exposure else index.name)
    rows = sample_rows(panel, roles, index) & ~np.isnan(variant.values)
    unit = np.unique(panel.frame[panel.unit].to_numpy()[rows].astype(str), return_inverse=True)[1]
    assert panel.time is not None
    time = np.unique(panel.frame[panel.time].to_numpy()[rows], return_inverse=True)[1]
    both = np.column_stack([declared, variant.values])[rows]
    within = two_way_parts(both, unit, time).residual
    return float(np.corrcoef(both.T)[0, 1]), float(np.corrcoef(within.T)[0, 1])


def check_measurement(
    measurement: Measurement, panel: Panel, variables: Sequence[Transform], roles: Roles, models: Sequence[ModelSpec]
) -> str:
    """Build every variant and the designs of the models on them; what there is, in a line.

    Raises
    ------
    BayesNppError
        The first thing that is wrong.
    """
    index = index_of(variables, measurement.index)
    if index.name != roles.outcome:
        raise SpecError(
            f"index '{index.name}' is not the study's outcome, '{roles.outcome}'", fix="Name the outcome's own index"
        )
    if index.index != "entropy" and measurement.draws:
        raise SpecError(
            f"draws belong to an index of entropy weights, and '{index.name}' has {index.index} ones",
            fix="Say draws = 0, or declare the outcome with index = 'entropy'",
        )
    for name in measurement.exposures:
        if name not in panel.frame:
            raise SpecError(f"unknown column '{name}' in exposures", fix=nearest(name, panel.frame.columns))
    variants = index_variants(panel, roles, index, measurement)
    for name in measurement.models:
        spec = measured_model(name, models).spec(roles)
        for variant in variants:
            if variant.declared or variant.exposure:
                try:
                    design = variant_design(panel, spec, variant)
                    check_two_way(design, panel.source)
                    check_membership(design)
                except BayesNppError as error:
                    raise error.at(variant.label) from None
    n_exposures = len(measurement.exposures)
    return (
        f"measurement: {len(variants) - n_exposures} variants of {index.name}, {n_exposures} other exposures, "
        f"{2 * measurement.draws} indices of drawn weights"
    )


def _logged(panel: Panel, index: Index, rows: np.ndarray, logs: str, shift: float) -> np.ndarray:
    """Indicators on some rows, shape (n, k), as they are or their logarithms."""
    values = np.column_stack([panel.numbers(name) for name in index.indicators])[rows]
    if logs == "none":
        return values
    moved = values + (1.0 if logs == "ln1p" else shift)
    if (moved <= 0).any():
        at, k = (int(found[0]) for found in np.nonzero(moved <= 0))
        raise VariableError(
            f"{logs} of indicator '{index.indicators[k]}' = {values[at, k]:g} does not exist",
            place=panel.place(int(np.flatnonzero(rows)[at])),
            fix="Give a log_shift that makes every value positive, or use logs = ['none', 'ln1p']",
        )
    return np.log(moved)


def _on_scale_of(declared: np.ndarray, values: np.ndarray, rows: np.ndarray, label: str) -> tuple[np.ndarray, float]:
    """Values on some rows with mean and SD of the declared column there; and their own SD over it."""
    own = declared[rows]
    if not np.isfinite(values).all() or len(values) < 2 or constant(values):
        raise VariableError(f"the variant '{label}' does not vary over the sample", fix="Leave it out")
    ratio = float(values.std(ddof=1) / own.std(ddof=1))
    column = np.full(len(declared), np.nan)
    column[rows] = own.mean() + (values - values.mean()) / ratio
    return column, ratio


def _bootstrapped(values: np.ndarray, own: list[np.ndarray], index: Index, random: np.random.Generator) -> np.ndarray:
    """Entropy weights of the rows of units drawn with replacement; drawn again where an indicator is constant."""
    for _ in range(MAX_TRIES):
        some = values[np.concatenate([own[k] for k in random.integers(0, len(own), len(own))])]
        if not constant(some).any():
            scaled = indices.min_max(some, index.signs, index.indicators)
            return indices.entropy_weights(scaled, index.shift)[0]
    raise VariableError("an indicator is constant in nearly every bootstrap sample of units", fix="Say draws = 0")


def _label(weights: str, logs: str, shift: float, left_out: str) -> str:
    named = {"none": "", "ln": f"ln(x + {shift:g})" if shift else "ln(x)", "ln1p": "ln(1 + x)"}[logs]
    built = {"pca": "first component", "critic": "CRITIC weights"}.get(weights, f"{weights} weights")
    parts = [built, named]
    return ", ".join([part for part in parts if part] + ([f"without {left_out}"] if left_out else []))
