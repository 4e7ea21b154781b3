"""Keys of time: every way to write a period gives the numbers of consecutive integers, or one named error.

Before: keys like 20193 read as years lost every lag across a year's end (157 rows of GMM for 315, Wooldridge's F 20.0
for 58.1, an AR(1) of .58 for .67 on the panel of this file), and every second year gave "blank in every row".
"""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bayes_npp as bn
from bayes_npp.errors import DesignError, PanelError
from bayes_npp.panels.calendar import Period, shown
from bayes_npp.panels.reading import load_panel

RTOL = 1e-12  # one computation on the same numbers
FIRST = 2016 * 4 + 1  # 2016Q2
SPEC_OF = {"outcome": "outcome", "exposure": "exposure"}
SPEC = bn.Spec(**SPEC_OF)
AR1 = bn.Spec(**SPEC_OF, errors="ar1")
SHORT = {"draws": 100, "chains": 2, "seed": 1}


def quarter_keys(form):
    """Keys of consecutive quarters, from their numbers."""

    def keys(number):
        year, quarter = (FIRST + number) // 4, (FIRST + number) % 4 + 1
        return form(year, quarter)

    return keys


KEYS = {
    "integers": (lambda number: number + 1990, {}),
    "20193": (quarter_keys(lambda y, q: 10 * y + q), {"period": "quarter"}),
    "2019Q3": (quarter_keys(lambda y, q: f"{y}Q{q}"), {"period": "quarter"}),
    "2019-q3": (quarter_keys(lambda y, q: f" {y}-q{q}"), {"period": "quarter"}),
    "201909": (quarter_keys(lambda y, q: 100 * y + 3 * q), {"period": "quarter"}),
    "2019-07": (quarter_keys(lambda y, q: f"{y}-{3 * q - 2:02d}"), {"period": "quarter"}),
    "dates": (quarter_keys(lambda y, q: pd.Timestamp(y, 3 * q, 28)), {"period": "quarter"}),
    "periods": (quarter_keys(lambda y, q: pd.Period(f"{y}Q{q}")), {}),
    "every second year": (lambda number: 1990 + 2 * number, {"step": 2}),
    "months": (lambda number: 100 * (2016 + (number + 6) // 12) + (number + 6) % 12 + 1, {"period": "month"}),
    "months as text": (lambda number: f"{2016 + (number + 6) // 12}M{(number + 6) % 12 + 1:02d}", {"period": "month"}),
    "every third month": (quarter_keys(lambda y, q: 100 * y + 3 * q), {"period": "month", "step": 3}),
    "days": (quarter_keys(lambda y, q: 10_000 * y + 300 * q + 28), {"period": "quarter"}),
}
UNDECLARED = {
    "20193": 'period = "quarter"',
    "201909": 'period = "quarter"',
    "months": 'period = "month"',
    "days": 'period = "quarter"',
    "every second year": "step = 2",
}
LABELS = {
    "text": lambda code, row: f"unit {code}",
    "integers": lambda code, row: code,
    "floats": lambda code, row: float(code),
    "text of numbers": lambda code, row: str(code),
    "part number, part text": lambda code, row: (code, float(code), str(code))[row % 3],
    "spaces": lambda code, row: ("unit {}", " unit {}", "unit {} ", "\u200bunit {}", "unit\u00a0{}")[row % 5].format(
        code
    ),
    "full width": lambda code, row: (str(code), str(code).translate({48 + d: 0xFF10 + d for d in range(10)}))[row % 2],
    "leading zeros": lambda code, row: f"{code:03d}",
}


@pytest.fixture(scope="module")
def frame():
    """40 units, 12 quarters, gaps in both regular and late places; `y`, `x` and a group."""
    rows = bn.simulate_dynamic(40, 11, missing=0.06, seed=3).frame
    code = rows["unit"].str.removeprefix("unit ").astype(int)
    return rows.assign(code=code, group=np.where(code % 2, "odd", "even"))


def keyed(frame, keys, labels="text"):
    """The frame with keys and labels of one way of writing."""
    unit = [LABELS[labels](code, row) for row, code in enumerate(frame["code"])]
    return frame.assign(time=[keys(number) for number in frame["time"]], unit=pd.Series(unit, dtype=object))


def read(frame, options, **more):
    return bn.read_panel(frame, unit="unit", time="time", group="group", **options, **more)


DYNAMIC = {
    "lag": lambda panel: bn.derive(panel, [{"name": "l", "lag": "outcome"}]).numbers("l"),
    "lead": lambda panel: bn.derive(panel, [{"name": "l", "lead": "outcome", "periods": 2}]).numbers("l"),
    "first difference": lambda panel: _numbers(bn.twfe(panel, bn.Spec(**SPEC_OF, transform="first_difference"))),
    "lagged outcome": lambda panel: _numbers(
        bn.dynamic_within(panel, outcome="outcome", regressors=["L1.outcome", "exposure"])
    ),
    "GMM": lambda panel: _numbers(
        bn.difference_gmm(panel, outcome="outcome", regressors=["L1.outcome", "exposure"], gmm=[("outcome", 2, 3)])
    ),
    "Wooldridge": lambda panel: np.array([bn.wooldridge_serial(panel, SPEC).statistic]),
}
EVEN = {  # right up to a common factor of time
    "trends": lambda panel: _numbers(bn.twfe(panel, bn.Spec(**SPEC_OF, unit_trends=True)))[:5],
    "interpolation": lambda panel: bn.derive(panel, [{"name": "i", "interpolate": "holes"}]).numbers("i"),
}


def _numbers(table):
    return table.frame[["estimate", "spread", "p_value", "n_obs", "n_periods"]].to_numpy(dtype=float)[0]


def holes(panel):
    values = panel.numbers("outcome").copy()
    values[3::7] = np.nan
    return panel.with_column("holes", values)


@pytest.fixture(scope="module")
def truth(frame):
    panel = holes(read(keyed(frame, KEYS["integers"][0]), {}))
    return {name: measure(panel) for name, measure in (DYNAMIC | EVEN).items()}


@pytest.fixture(scope="module")
def truth_ar1(frame):
    return bn.fit(read(keyed(frame, KEYS["integers"][0]), {}), AR1, **SHORT)


# Every key, every label, and each key with another label: what reads the one does not know the other.
PAIRS = sorted(
    {(keys, "text") for keys in KEYS}
    | {("integers", labels) for labels in LABELS}
    | {(keys, list(LABELS)[k % len(LABELS)]) for k, keys in enumerate(KEYS)}
)


@pytest.mark.slow(minutes=1)
def test_every_key_with_every_label_gives_one_answer(frame, truth):
    for keys in KEYS:
        for labels in LABELS:
            test_one_panel_under_keys_and_labels_gives_one_answer(keys, labels, frame, truth)


@pytest.mark.slow(minutes=1)
def test_every_undeclared_key_with_every_label_gives_one_message(frame):
    for keys in UNDECLARED:
        for labels in LABELS:
            test_undeclared_keys_give_one_message(keys, labels, frame)


@pytest.mark.parametrize(("keys", "labels"), PAIRS)
def test_one_panel_under_keys_and_labels_gives_one_answer(keys, labels, frame, truth):
    write, options = KEYS[keys]
    panel = holes(read(keyed(frame, write, labels), options))
    assert panel.balance().n_units == 40
    for name, measure in (DYNAMIC | EVEN).items():
        np.testing.assert_allclose(measure(panel), truth[name], rtol=RTOL, err_msg=name)


@pytest.mark.parametrize("labels", ["text", "part number, part text"])
@pytest.mark.parametrize("keys", UNDECLARED)
def test_undeclared_keys_give_one_message(keys, labels, frame):
    with pytest.warns(bn.PanelWarning) as said:
        panel = holes(read(keyed(frame, KEYS[keys][0], labels), {}))
    assert len(said) == 1
    assert UNDECLARED[keys] in str(said[0].message)
    static = _numbers(bn.twfe(panel, SPEC))
    np.testing.assert_allclose(static, _numbers(bn.twfe(read(keyed(frame, lambda t: t), {}), SPEC)), rtol=RTOL)
    for measure in DYNAMIC.values():
        with pytest.raises(bn.BayesNppError, match="which periods follow each other") as error:
            measure(panel)
        assert UNDECLARED[keys] in str(error.value)
        assert error.value.exit_code == 2
    if keys == "every second year":  # a trend is the same trend
        np.testing.assert_allclose(EVEN["trends"](panel)[0], EVEN["trends"](holes(read(frame, {})))[0], rtol=1e-9)
    else:
        for measure in EVEN.values():
            with pytest.raises(bn.BayesNppError, match="which periods follow each other"):
                measure(panel)


def test_keys_of_quarters_taken_as_numbers_would_be_wrong(frame, truth, truth_ar1):
    """What was printed before: a year's end lies seven numbers from the next year's beginning."""
    numbers = read(keyed(frame, KEYS["20193"][0]).assign(time=lambda rows: rows["time"] - 20_000), {})
    wrong = {name: DYNAMIC[name](numbers) for name in ("lagged outcome", "GMM", "Wooldridge")}
    for found, n_gmm, n_within, gmm, within, wooldridge, ar1 in (
        (truth, 315, 376, 0.7580, 0.4928, 58.15, truth_ar1),
        (wrong, 157, 273, -0.1430, 0.3916, 20.01, bn.fit(numbers, AR1, **SHORT)),
    ):
        assert (found["GMM"][3], found["lagged outcome"][3]) == (n_gmm, n_within)
        assert round(found["GMM"][0], 4) == gmm
        assert round(found["lagged outcome"][0], 4) == within
        assert round(found["Wooldridge"][0], 2) == wooldridge
        rho = ar1.values("autocorrelation").mean()
        assert abs(rho - (0.668 if found is truth else 0.584)) < 0.03  # simulation error of 200 draws


@pytest.mark.parametrize("keys", KEYS)
def test_ar1_errors(keys, frame, truth_ar1):
    """The posterior of the AR(1) coefficient, draw by draw; gaps stay gaps."""
    write, declared = KEYS[keys]
    fit = bn.fit(read(keyed(frame, write), declared), AR1, **SHORT)
    np.testing.assert_allclose(fit.values("autocorrelation"), truth_ar1.values("autocorrelation"), rtol=RTOL)
    assert [str(label) for label in fit.tree["posterior"]["time"].to_numpy()] == [
        str(label) for label in fit.design.times
    ]


@pytest.mark.parametrize("keys", UNDECLARED)
def test_ar1_errors_of_undeclared_keys(keys, frame):
    panel = load_panel(keyed(frame, KEYS[keys][0]), "unit", "time")
    with pytest.raises(bn.BayesNppError, match="errors = 'ar1' needs to know") as error:
        bn.fit(panel, AR1)
    assert UNDECLARED[keys] in str(error.value)


@pytest.mark.parametrize(
    ("keys", "label"), [("20193", "2016Q2"), ("dates", "2016Q2"), ("months", "2016-07"), ("every second year", "1990")]
)
def test_readers_see_the_keys(keys, label, frame):
    write, options = KEYS[keys]
    rows = keyed(frame, write)
    panel = read(rows, options)
    first = panel.frame["time"].min()
    assert panel.calendar.label(first) == label
    assert label in panel.place(int(np.flatnonzero(panel.frame["time"] == first)[0]))
    table = bn.difference_gmm(
        panel,
        outcome="outcome",
        regressors=["L1.outcome", "exposure"],
        gmm=[("outcome", 2, 3)],
        time_dummies="differenced",
    )
    dummies = [term for term in table.frame["term"] if term.startswith("time[")]
    assert f"time[{panel.calendar.label(first + 4)}]" in dummies
    with pytest.raises(PanelError, match=f"{label} stands in two rows"):
        read(pd.concat([rows[(frame["time"] == 0).to_numpy()].iloc[[0, 0]], rows]).reset_index(drop=True), options)


def test_windows_are_given_in_keys(frame):
    rows = keyed(frame, KEYS["20193"][0])
    wanted = frame["time"].between(3, 6).sum()
    for window in [(20171, 20174), ("2017Q1", "2017Q4"), ("2017-01", "2017-12")]:
        assert read(rows, {"period": "quarter"}, window=window).in_window.sum() == wanted
    biennial = keyed(frame, KEYS["every second year"][0])
    assert read(biennial, {"step": 2}, window=(1995, 2003)).in_window.sum() == wanted  # ends between two waves
    with pytest.raises(PanelError, match=r"no rows in 2030Q1 to 2031Q1.*covers 2016Q2 to 2019Q1"):
        read(rows, {"period": "quarter"}, window=("2030Q1", "2031Q1"))
    with pytest.raises(PanelError, match="window: 1995 is no quarter"):
        read(rows, {"period": "quarter"}, window=(1995, 1996))


def test_a_split_in_one_quarter(frame):
    rows = keyed(frame.assign(base=frame["code"]), KEYS["2019Q3"][0])
    whole = rows.groupby("unit")["time"].transform(lambda own: (own == "2017Q1").any())
    panel = read(rows[whole].reset_index(drop=True), {"period": "quarter"})
    split = bn.derive(panel, [{"name": "s", "baseline_split": "base", "at": "2017Q1"}])
    assert set(split.frame["s"]) == {"low", "high"}
    with pytest.raises(bn.BayesNppError, match="missing in 2010Q1"):
        bn.derive(panel, [{"name": "s", "baseline_split": "base", "at": "2010Q1"}])


def test_interpolated_cells_have_their_keys():
    rows = pd.DataFrame({"unit": "a", "time": ["2019Q3", "2019Q4", "2020Q1"], "x": [1.0, np.nan, 3.0]})
    panel = bn.derive(
        bn.read_panel(rows, unit="unit", time="time", period="quarter"), [{"name": "i", "interpolate": "x"}]
    )
    assert [(str(cell.time), cell.value) for cell in panel.filled] == [("2019Q4", 2.0)]


BAD = {
    "durations": ([pd.Timedelta(days=d) for d in (1, 2)], {}, "holds durations"),
    "dates without a period": ([pd.Timestamp(2019, m, 1) for m in (1, 4)], {}, "is a date.*Say period = 'quarter'"),
    "text that may be quarters or months": (
        ["2019-01", "2019-02"],
        {},
        '2019-01, which is not a whole number.*Say period = "month"',
    ),
    "fifth quarter": ([20194, 20195], {"period": "quarter"}, "row 2: .*20195, which is no quarter"),
    "thirteenth month": (["2019-12", "2019-13"], {"period": "month"}, "2019-13, which is no month"),
    "two forms": (["2019Q1", "2019-06"], {"period": "quarter"}, "2019-06, which is no quarter.*one form throughout"),
    "quarters or months": ([201901, 201904], {"period": "quarter"}, "201901, which is no quarter"),
    "quarters as months": (pd.period_range("2019Q1", periods=2, freq="Q"), {"period": "month"}, "which are no months"),
    "months of one quarter": ([201907, 201908, 201912], {"period": "quarter"}, "a 2019Q3 stands in two rows"),
    "off the step": ([2000, 2002, 2005], {"step": 2}, "2005, which is not a multiple of 2 periods after 2000"),
    "half years": ([2000.0, 2000.5], {}, "2000.5, which is not a whole number"),
    "unknown period": ([2000, 2001], {"period": "week"}, "unknown period 'week'"),
}


@pytest.mark.parametrize("case", BAD)
def test_keys_that_cannot_be_read(case):
    keys, options, message = BAD[case]
    rows = pd.DataFrame({"unit": "a", "time": keys, "x": 1.0})
    with pytest.raises(PanelError, match=message):
        bn.read_panel(rows, unit="unit", time="time", **options)


FINE = {
    "years": range(1990, 2000),
    "serial numbers of days": range(20191, 20200),
    "one year of quarters": [20191, 20192, 20193, 20194],
    "numbers of firms' rounds": [1, 2, 3, 7],
    "six digits": range(201899, 201910),
    "irregular years": [1990, 1992, 1995],
}


@pytest.mark.parametrize("case", FINE)
def test_numbers_that_pass_for_periods(case):
    panel = bn.read_panel(pd.DataFrame({"unit": "a", "time": FINE[case], "x": 1.0}), unit="unit", time="time")
    assert not panel.notices  # a PanelWarning would be an error here


def test_units_seen_in_every_second_year_but_not_in_the_same():
    rows = pd.DataFrame({"unit": list("aaabbb"), "time": [2000, 2002, 2004, 2001, 2003, 2005], "x": np.arange(6.0)})
    panel = bn.read_panel(rows, unit="unit", time="time")
    np.testing.assert_array_equal(panel.shift(panel.numbers("x"), 2), [np.nan, 0, 1, np.nan, 3, 4])
    with pytest.raises(DesignError, match="a lag of 1 has no value: rows of a unit lie 2 periods apart"):
        panel.shift(panel.numbers("x"), 1)


def test_a_gap_in_every_unit_is_not_blank_cells():
    rows = pd.DataFrame(
        {
            "unit": np.repeat(list("abcd"), 3),
            "time": np.tile([2000, 2002, 2004], 4),
            "y": range(12),
            "x": np.arange(12) % 5,
        }
    )
    panel = bn.read_panel(rows, unit="unit", time="time", step=1)
    with pytest.raises(bn.BayesNppError, match="No row has the period that 'y' is taken from or differenced with"):
        bn.twfe(panel, bn.Spec(outcome="y", exposure="x", transform="first_difference"))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(st.integers(1900 * 12, 2100 * 12), min_size=2, max_size=12, unique=True),
    st.sampled_from(["year", "quarter", "month"]),
    st.integers(1, 4),
)
def test_keys_survive_the_way_to_numbers_and_back(months, period, step):
    length = {"year": 12, "quarter": 3, "month": 1}[period]
    numbers = np.unique(np.array(months) // length)
    numbers = numbers[(numbers - numbers[0]) % step == 0]
    dates = [pd.Period(year=n * length // 12, month=n * length % 12 + 1, freq="M") for n in numbers]
    labels = [str(date.asfreq({"year": "Y", "quarter": "Q", "month": "M"}[period])) for date in dates]
    panel = load_panel(pd.DataFrame({"unit": "a", "time": labels, "x": 1.0}), "unit", "time", period=period, step=step)
    own = panel.frame["time"].tolist()
    np.testing.assert_array_equal(np.diff(own), np.diff(numbers) // step)
    assert [panel.calendar.label(n) for n in own] == labels
    assert [panel.calendar.number(label) for label in labels] == own
    assert [str(panel.calendar.period(n)) for n in own] == labels


def test_a_period_is_its_number_and_prints_its_key():
    period = Period(5, "2019Q3")
    assert (period + 1, f"{period}", str(period), period == 5) == (6, "2019Q3", "2019Q3", True)
    assert shown([period, 7]) == ["2019Q3", 7]
    assert np.array([period]).dtype.kind == "i"


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda own: pickle.loads(pickle.dumps(own))])
def test_a_copy_of_a_period_keeps_its_key(copied):
    """Pickles are those between our own processes."""
    (period,) = copied([Period(5, "2019Q3")])
    assert (type(period), int(period), str(period)) == (Period, 5, "2019Q3")
