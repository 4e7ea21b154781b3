"""Properties that hold for any panel: reading, shifting, indices, interpolation, two-way parts, parsing."""

import string
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import bayes_npp as bn
from bayes_npp.design.projection import two_way_parts
from bayes_npp.design.spec import Spec
from bayes_npp.errors import BayesNppError
from bayes_npp.panels import indices
from bayes_npp.panels.labels import WORDS_FOR_BLANK
from bayes_npp.panels.transforms import TRANSFORMS, derive, parse_variable
from bayes_npp.records import Record
from bayes_npp.study.header import Roles, StudyHeader
from bayes_npp.study.models import FrequentistModel, HierarchicalModel

checked = settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
finite = st.floats(-1e6, 1e6, allow_subnormal=False)
names = st.text(string.ascii_letters + "省é .-", min_size=1, max_size=6).map(str.strip).filter(bool)


def is_label(name):
    """Words that stand for a blank elsewhere are labels with a warning, which is an error here."""
    return name not in WORDS_FOR_BLANK


@st.composite
def frames(draw, min_times=1):
    """A valid unit x period frame in any row order, with blank values and missing rows."""
    units = draw(
        st.lists(
            st.one_of(st.integers(0, 99), names.filter(lambda name: not name.isdigit())).map(str).filter(is_label),
            min_size=1,
            max_size=5,
            unique_by=lambda label: "".join(label.split()).casefold(),
        )
    )
    times = draw(st.lists(st.integers(1990, 2000), min_size=min_times, max_size=7, unique=True))
    cells = [(unit, time) for unit in units for time in times]
    absent = draw(st.sets(st.sampled_from(cells), max_size=len(cells) // 3))
    cells = draw(st.permutations([cell for cell in cells if cell not in absent]))
    values = draw(st.lists(st.none() | finite, min_size=len(cells), max_size=len(cells)))
    unit, time = zip(*cells, strict=True)
    return pd.DataFrame({"unit": unit, "year": time, "value": np.array(values, dtype=float)})


def rows_of(frame):
    return list(frame.itertuples(index=False, name=None))


@checked
@given(frames())
def test_reading_sorts_and_keeps_every_row(frame):
    panel = bn.read_panel(frame, unit="unit", time="year", step=1)
    order = list(dict.fromkeys(frame["unit"]))
    keys = [(order.index(unit), year) for unit, year in zip(panel.frame["unit"], panel.frame["year"], strict=True)]
    assert keys == sorted(keys)
    assert sorted(panel.file_rows) == list(range(1, len(frame) + 1))
    pd.testing.assert_frame_equal(panel.frame, frame.iloc[panel.file_rows - 1].reset_index(drop=True))


@settings(checked, max_examples=25)
@given(frames(), st.sampled_from(["csv", "parquet", "xlsx"]))
def test_file_rows_point_into_the_file(tmp_path_factory, frame, kind):
    frame = frame.assign(unit="u " + frame["unit"], value=frame["value"].round(3))
    path = tmp_path_factory.mktemp("panel") / f"panel.{kind}"
    writer = {"csv": frame.to_csv, "parquet": frame.to_parquet, "xlsx": frame.to_excel}[kind]
    writer(path, index=False)
    panel = bn.read_panel(path, unit="unit", time="year", step=1)
    source = frame.iloc[panel.file_rows - 2].reset_index(drop=True)
    pd.testing.assert_frame_equal(panel.frame, source, check_dtype=False, rtol=1e-12)


@checked
@given(frames(), st.integers(-4, 4))
def test_shift_looks_up_the_period(frame, periods):
    panel = bn.read_panel(frame, unit="unit", time="year", step=1)
    known = {(unit, year): value for unit, year, value in rows_of(panel.frame)}
    expected = [known.get((unit, year - periods), np.nan) for unit, year, _ in rows_of(panel.frame)]
    np.testing.assert_array_equal(panel.shift(panel.numbers("value"), periods), expected)
    if periods:
        key = "lag" if periods > 0 else "lead"
        derived = derive(panel, [{"name": "shifted", key: "value", "periods": abs(periods)}])
        np.testing.assert_array_equal(derived.frame["shifted"], expected)


@st.composite
def indicators(draw):
    """Values of k indicators on n rows, none constant."""
    n, k = draw(st.integers(2, 12)), draw(st.integers(2, 4))
    values = np.array(draw(st.lists(st.integers(-1000, 1000), min_size=n * k, max_size=n * k)), dtype=float)
    values = values.reshape(n, k)
    assume((np.ptp(values, axis=0) > 0).all())
    return values


@pytest.mark.filterwarnings("ignore::bayes_npp.errors.PanelWarning")  # 999 among zeros is taken for a code
@checked
@given(indicators(), st.data())
def test_entropy_weights(values, data):
    n, k = values.shape
    signs = np.array(data.draw(st.lists(st.sampled_from([1, -1]), min_size=k, max_size=k)))
    factors = np.array(data.draw(st.lists(st.floats(0.01, 100), min_size=k, max_size=k)))
    offsets = np.array(data.draw(st.lists(st.floats(-100, 100), min_size=k, max_size=k)))
    labels = [f"i{j}" for j in range(k)]
    scaled = indices.min_max(values, signs, labels)
    weights, entropy = indices.entropy_weights(scaled, 1e-4)
    assert (weights >= 0).all()
    assert (entropy <= 1 + 1e-12).all()
    np.testing.assert_allclose(weights.sum(), 1, rtol=1e-12)
    rescaled, _ = indices.entropy_weights(indices.min_max(values * factors + offsets, signs, labels), 1e-4)
    np.testing.assert_allclose(rescaled, weights, rtol=1e-6, atol=1e-9)

    frame = pd.DataFrame(values, columns=labels).assign(unit=[f"u{i}" for i in range(n)], year=2000)
    declared = {
        "name": "index",
        "index": "entropy",
        "positive": [label for label, sign in zip(labels, signs, strict=True) if sign > 0],
        "negative": [label for label, sign in zip(labels, signs, strict=True) if sign < 0],
    }
    panel = derive(bn.read_panel(frame, unit="unit", time="year"), [declared])
    index = panel.numbers("index")
    assert ((index >= -1e-12) & (index <= 1 + 1e-12)).all()
    np.testing.assert_allclose(index, scaled @ weights, rtol=1e-10, atol=1e-12)
    table = panel.index_weights.set_index("indicator")["weight"]
    np.testing.assert_allclose(table[labels], weights, rtol=1e-12)


@checked
@given(frames(min_times=4), st.data(), st.integers(0, 3))
def test_interpolation_stays_within_the_observed_span(frame, data, length):
    first = data.draw(st.sampled_from(frame["year"].tolist()))
    window = (first, first + length)
    panel = bn.read_panel(frame, unit="unit", time="year", window=window, step=1)
    filled = derive(panel, [{"name": "filled", "interpolate": "value"}])
    expected, cells = [], []
    for unit, own in panel.frame.groupby("unit", sort=False):
        seen = own.dropna(subset="value")
        for year, value in zip(own["year"], own["value"], strict=True):
            inside = len(seen) > 0 and seen["year"].min() < year < seen["year"].max()
            guess = np.interp(year, seen["year"], seen["value"]) if inside else np.nan
            if np.isnan(value) and inside and window[0] <= year <= window[1]:
                cells.append((unit, year, guess))
            expected.append(guess if np.isnan(value) else value)
    np.testing.assert_allclose(filled.frame["filled"], expected, rtol=1e-12)
    assert [(cell.unit, cell.time) for cell in filled.filled] == [cell[:2] for cell in cells]
    np.testing.assert_allclose([cell.value for cell in filled.filled], [cell[2] for cell in cells], rtol=1e-12)
    assert {cell.variable for cell in filled.filled} <= {"filled"}


@st.composite
def connected_panels(draw):
    """Unit and time positions of an unbalanced panel whose units are linked through shared periods."""
    n_units, n_times = draw(st.integers(2, 8)), draw(st.integers(2, 6))
    cells = {(0, time) for time in range(n_times)} | {
        (unit, draw(st.integers(0, n_times - 1))) for unit in range(n_units)
    }
    more = st.tuples(st.integers(0, n_units - 1), st.integers(0, n_times - 1))
    cells |= set(draw(st.lists(more, max_size=30)))
    unit, time = np.array(draw(st.permutations(sorted(cells)))).T
    return unit, time


@checked
@given(connected_panels(), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_two_way_parts_are_the_dense_projection(positions, k, seed):
    unit, time = positions
    columns = np.random.default_rng(seed).normal(size=(len(unit), k))
    parts = two_way_parts(columns, unit, time)
    dummies = np.column_stack(
        [unit[:, None] == np.arange(unit.max() + 1), time[:, None] == np.arange(time.max() + 1)]
    ).astype(float)
    projection = dummies @ np.linalg.lstsq(dummies, columns, rcond=None)[0]
    np.testing.assert_allclose(parts.residual, columns - projection, atol=1e-9)
    np.testing.assert_allclose(dummies.T @ parts.residual, 0, atol=1e-9)
    np.testing.assert_allclose(parts.unit.sum(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(parts.time.sum(axis=0), 0, atol=1e-9)
    constant = columns - parts.unit[unit] - parts.time[time] - parts.residual
    np.testing.assert_allclose(constant, np.broadcast_to(constant[0], constant.shape), atol=1e-9)


RECORDS = (Spec, Roles, StudyHeader, FrequentistModel, HierarchicalModel)
KEYS = sorted(
    {"self", "cls", "data", "place", "model_config", "__class__", ""}
    | {"name", *TRANSFORMS}
    | {key for record in (*TRANSFORMS.values(), *RECORDS) for key in record.model_fields}
)
scalars = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["entropy", "pca", "window", "twfe", "partial", "x", "y"]),
    st.dates(),
    st.datetimes(),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=2),
    max_leaves=5,
)
tables = st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), values, max_size=6)


def parses_or_explains(parse, kind):
    with suppress(BayesNppError):
        assert isinstance(parse(), kind)


@settings(checked, max_examples=200)
@given(tables | values, st.sampled_from(sorted(TRANSFORMS)), values)
def test_any_variable_parses_or_is_explained(table, transform, value):
    parses_or_explains(lambda: parse_variable(table, "study.toml"), Record)
    parses_or_explains(lambda: parse_variable({"name": "x", transform: value}, "study.toml"), Record)


@settings(checked, max_examples=200)
@given(tables, st.sampled_from(RECORDS), values)
def test_any_record_parses_or_is_explained(table, record, value):
    parses_or_explains(lambda: record(**table), record)
    parses_or_explains(lambda: record.parse(value, "study.toml"), record)
    parses_or_explains(lambda: Spec(**{"outcome": "y", "exposure": "x", **table}), Spec)
