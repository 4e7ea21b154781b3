"""The hierarchical model by dense matrices: an oracle that shares no code with the collapsed sampler.

Every coefficient enters as a block: columns B (n, k) with coefficients z of a normal prior (or a flat one), and what z
means for the variables of the posterior. All of it follows docs/statistics.md, section 1; nothing is eliminated or
compressed.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg


@dataclass(frozen=True)
class Block:
    """Coefficients with one prior.

    `variables` maps a variable of the posterior to the matrix (L, k) that gives its values from the coefficients;
    `covariance` (k, k) is None for a flat prior.
    """

    variables: dict[str, np.ndarray]
    columns: np.ndarray
    covariance: np.ndarray | None
    mean: np.ndarray


def sum_to_zero(size):
    """Orthonormal basis of vectors that sum to zero, shape (size, size - 1)."""
    return linalg.null_space(np.ones((1, size)))


def indicator(index, size):
    return (index[:, None] == np.arange(size)).astype(float)


def blocks(data, priors, values):
    """Every block of the model whose scales are `values`; coefficients whose prior is not normal are left out."""
    priors = priors.on_within_scale(data.design.scales)
    spec, design = data.design.spec, data.design
    out = []

    def add(variables, columns, sd=None, mean=0.0, covariance=None):
        if isinstance(variables, str):
            variables = {variables: np.eye(columns.shape[1])}
        k = columns.shape[1]
        if sd is not None:
            covariance = np.eye(k) * np.square(sd)
        out.append(Block(variables, columns, covariance, np.full(k, float(mean))))

    def add_slope(variables, columns, slot):
        prior = priors[slot]
        if prior.family == "normal":
            add(variables, columns, prior.parameters["sigma"], prior.parameters["mu"])
        elif prior.family == "flat":
            add(variables, columns)

    if data.unit.kind != "fixed":
        prior = priors["intercept"].parameters
        flat = data.time.kind == "fixed"
        add("intercept", np.ones((design.n_obs, 1)), None if flat else prior["sigma"], 0.0 if flat else prior["mu"])
    n_groups = len(design.groups)
    if spec.slope_pooling == "none":
        mean = np.full((1, n_groups), 1 / n_groups)
        add_slope({"exposure_slope": mean, "slope_offset": np.eye(n_groups) - mean}, data.slope_columns, "exposure")
    elif spec.exposure:
        add_slope("exposure_slope", data.slope_columns.sum(axis=1, keepdims=True), "exposure")
    if spec.controls:
        add_slope("control_slope", data.control_columns, "controls")
    if n_groups and spec.slope_pooling != "none":
        basis = np.eye(n_groups) if spec.slope_pooling == "exchangeable" else sum_to_zero(n_groups)
        add({"slope_offset": basis}, data.slope_columns @ basis, values["slope_sd"])
        for v, columns in enumerate(data.varying_columns):
            add({f"control_offset {v}": basis}, columns @ basis, values["control_slope_sd"][v])
    for name, effect in data.effects.items():
        if effect.rank:
            part = np.sqrt(effect.size) * effect.leading[effect.index]
            add(f"{name}_between", part, priors["between"].parameters["sigma"])
    unit = indicator(design.unit, len(design.units))
    slopes = [unit * column[:, None] for column in data.unit_slope_columns.T]
    if spec.slope_correlation:
        n, a, b = len(design.units), values["unit_sd"], values["unit_slope_sd"]
        cross = values["slope_correlation"] * a * b
        covariance = np.kron([[a**2, cross], [cross, b**2]], np.eye(n))
        pick = np.eye(2 * n)
        variables = {"unit_effect": pick[:n], "unit_slope": pick[n:]}
        add(variables, np.hstack([unit, slopes[0]]), covariance=covariance)
    else:
        if data.unit.kind == "partial":
            add("unit_effect", unit, values["unit_sd"])
        elif data.unit.kind == "fixed":
            mean = np.full((1, unit.shape[1]), 1 / unit.shape[1])
            add({"intercept": mean, "unit_effect": np.eye(unit.shape[1]) - mean}, unit)
        if slopes:
            add("unit_slope", slopes[0], values["unit_slope_sd"])
    for v, columns in enumerate(slopes[1:]):
        add(f"unit_control_slope {v}", columns, values["unit_control_slope_sd"][v])
    time = indicator(design.time, len(design.times))
    if data.time.kind == "partial":
        add("time_effect", time, values["time_sd"])
    elif data.time.kind == "fixed":
        flat = [column.values for column in data.time_columns if not column.scale]  # common to units: in theirs already
        basis = linalg.null_space(np.vstack([np.ones(len(design.times)), *flat]))
        add({"time_effect": basis}, time @ basis)
    if design.group_time is not None:
        add("group_time_effect", indicator(design.group_time, len(design.group_times)), values["group_time_sd"])
    return out


def error_covariance(data, values):
    """Covariance of the errors: known, or of stationary AR(1) errors observed at each unit's own periods."""
    design = data.design
    if data.se is not None:
        return np.diag(data.se**2)
    sd = values["error_sd"] * values.get("unit_scale", np.ones(len(design.units)))[design.unit]
    rho = values.get("autocorrelation", 0.0)
    time = np.array(design.times)[design.time]
    distance = np.abs(time[:, None] - time)
    correlation = np.where(distance == 0, 1.0, rho ** np.maximum(distance, 1)) / (1 - rho**2)
    return np.outer(sd, sd) * correlation * (design.unit[:, None] == design.unit)


def error_root(data, values):
    """Inverse of a root of the covariance of the errors, scales of periods included: z = root e, independent."""
    design = data.design
    sd = values["error_sd"] * values.get("unit_scale", np.ones(len(design.units)))[design.unit]
    sd = sd * values.get("period_scale", np.ones(len(design.times)))[design.time]
    rho = values.get("autocorrelation", 0.0)
    time = np.array(design.times)[design.time]
    root = np.eye(design.n_obs)
    for row in range(design.n_obs):
        earlier = np.flatnonzero((design.unit == design.unit[row]) & (time < time[row]))
        if len(earlier):
            last = earlier[np.argmax(time[earlier])]
            steps = time[row] - time[last]
            root[row, last] = -(rho**steps)
            root[row] /= np.sqrt(sum(rho ** (2 * k) for k in range(steps)))
        else:
            root[row] *= np.sqrt(1 - rho**2)
    return root / sd[:, None]


def with_loadings(data, priors, values):
    """The model's data with columns projected on units, periods and unit x factors, and more blocks: parts, loadings.

    By least squares of whitened columns on whitened dummies.
    """
    design, columns = data.design, data.time_columns
    known = np.array([c.values for c in columns]).reshape(-1, len(design.times))
    factor = np.vstack([known, values.get("factor", known[:0])])
    pooled = [j for j in range(len(factor)) if j >= len(columns) or columns[j].scale]
    unit, time = indicator(design.unit, len(design.units)), indicator(design.time, len(design.times))
    loaded = [unit * f[design.time][:, None] for f in factor]
    root, everything = error_root(data, values), np.hstack([unit, time, *loaded])
    n_units = len(design.units)
    free = np.bincount(design.unit) > 1 + len(factor)

    def split(columns):
        found = np.linalg.lstsq(root @ everything, root @ columns, rcond=None)[0]
        residual = columns - everything @ found
        parts = []
        for f in [loaded[j] for j in pooled]:
            for k in pooled:
                at = n_units + len(design.times) + k * n_units
                own = found[at : at + n_units]
                own = np.where(free[:, None], own - own[free].mean(axis=0), 0.0)
                parts.append(f @ own)
        return residual, np.hstack([np.empty((design.n_obs, 0)), *parts])

    n_groups, parts = max(len(design.groups), 1), []
    changes = {"slope_columns": split(data.slope_columns)[0], "control_columns": split(data.control_columns)[0]}
    varying = [split(columns)[0] for columns in data.varying_columns]
    changes["varying_columns"] = np.array(varying).reshape(data.varying_columns.shape)
    basis = np.eye(n_groups) if design.spec.slope_pooling == "exchangeable" else sum_to_zero(n_groups)
    if design.spec.slope_pooling == "none":
        parts.append(split(data.slope_columns)[1])
    else:
        parts.append(split(data.slope_columns.sum(axis=1, keepdims=True))[1])
        parts.append(split(data.slope_columns @ basis)[1] if design.groups else parts[0][:, :0])
    parts.append(split(data.control_columns)[1])
    parts += [split(columns @ basis)[1] for columns in data.varying_columns]
    scales = [values[c.scale] if c.scale else None for c in columns] + list(values.get("loading_sd", []))
    between = priors["between"].parameters["sigma"]  # of loadings: on the within scale, as declared
    return replace(data, **changes), [(np.hstack(parts), between), *zip(loaded, scales, strict=True)]


def known_part(data, priors, values):
    """What coefficients with a prior that is neither normal nor flat contribute to the outcome."""
    total = np.zeros(data.design.n_obs)
    if data.design.spec.exposure and priors["exposure"].family not in ("normal", "flat"):
        total += data.slope_columns @ np.broadcast_to(values_of_slopes(values), data.slope_columns.shape[1])
    if data.design.spec.controls and priors["controls"].family not in ("normal", "flat"):
        total += data.control_columns @ values["control_slope"]
    if data.lag is not None:
        total += data.lag * values["persistence"]
    return total


def values_of_slopes(values):
    return values["free_slope"] if "free_slope" in values else values["exposure_slope"]


def log_likelihood(data, priors, values):
    """Log density of the outcome given scales, shapes and kept coefficients, all other coefficients integrated out.

    Flat coefficients F are integrated over Lebesgue measure (REML): -log|F' V^-1 F| / 2 and n - rank F for n.
    """
    more = []
    if "factor" in values or data.time_columns:
        data, more = with_loadings(data, priors, values)
    parts = blocks(data, priors, values)
    for columns, sd in more:
        k = columns.shape[1]
        parts.append(Block({}, columns, None if sd is None else np.eye(k) * sd**2, np.zeros(k)))
    covariance = error_covariance(data, values)
    if "period_scale" in values:
        covariance = np.linalg.inv(error_root(data, values).T @ error_root(data, values))
    residual = data.outcome - known_part(data, priors, values)
    flat = [np.empty((len(residual), 0))]
    for block in parts:
        if block.covariance is None:
            flat.append(block.columns)
        else:
            covariance = covariance + block.columns @ block.covariance @ block.columns.T
            residual = residual - block.columns @ block.mean
    factor = linalg.cholesky(covariance, lower=True)
    columns = linalg.solve_triangular(factor, np.hstack(flat), lower=True)
    white = linalg.solve_triangular(factor, residual, lower=True)
    gram = columns.T @ columns
    if len(gram):
        white = white - columns @ linalg.solve(gram, columns.T @ white, assume_a="pos")
    log_gram = np.linalg.slogdet(gram)[1] if len(gram) else 0.0
    n = len(residual) - len(gram)
    return -np.log(np.diag(factor)).sum() - 0.5 * log_gram - 0.5 * white @ white - 0.5 * n * np.log(2 * np.pi)


def covariance_and_mean(data, priors, values):
    """Of the outcome given scales, every coefficient integrated out; no flat ones."""
    more = []
    if "factor" in values or data.time_columns:
        data, more = with_loadings(data, priors, values)
    root = error_root(data, values)
    covariance, mean = np.linalg.inv(root.T @ root), np.zeros(data.design.n_obs)
    for block in blocks(data, priors, values):
        covariance = covariance + block.columns @ block.covariance @ block.columns.T
        mean = mean + block.columns @ block.mean
    for columns, sd in more:
        covariance = covariance + sd**2 * columns @ columns.T
    return covariance, mean


def fitted_mean(data, priors, values):
    """Mean of the fitted values given scales, from every coefficient of the model with loadings."""
    raw = data
    data, more = with_loadings(raw, priors, values)
    parts = blocks(data, priors, values)
    for columns, sd in more:
        k = columns.shape[1]
        parts.append(Block({}, columns, None if sd is None else np.eye(k) * sd**2, np.zeros(k)))
    columns = np.hstack([block.columns for block in parts])
    prior = [
        np.zeros((b.columns.shape[1],) * 2) if b.covariance is None else np.linalg.inv(b.covariance) for b in parts
    ]
    precision, mean = linalg.block_diag(*prior), np.concatenate([b.mean for b in parts])
    root = error_root(data, values)
    white = root @ columns
    return columns @ np.linalg.solve(white.T @ white + precision, white.T @ (root @ data.outcome) + precision @ mean)


def conditional(data, priors, values):
    """Mean and covariance of every variable of the posterior given scales: (names, mean (L,), covariance (L, L)).

    In information form, so that flat coefficients have precision zero.
    """
    parts = blocks(data, priors, values)
    columns = np.hstack([block.columns for block in parts])
    prior = [
        np.zeros((b.columns.shape[1],) * 2) if b.covariance is None else np.linalg.inv(b.covariance) for b in parts
    ]
    prior_precision, mean = linalg.block_diag(*prior), np.concatenate([b.mean for b in parts])
    weighted = np.linalg.solve(error_covariance(data, values), columns)
    covariance = np.linalg.inv(columns.T @ weighted + prior_precision)
    residual = data.outcome - known_part(data, priors, values)
    centre = covariance @ (weighted.T @ residual + prior_precision @ mean)
    names, rows, at = [], [], 0
    for block in parts:
        for name, matrix in block.variables.items():
            row = np.zeros((len(matrix), len(centre)))
            row[:, at : at + matrix.shape[1]] = matrix
            rows.append(row)
            names += [(name, j) for j in range(len(matrix))]
        at += block.columns.shape[1]
    maps = np.vstack(rows)
    return names, maps @ centre, maps @ covariance @ maps.T
