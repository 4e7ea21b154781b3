"""Tables of other libraries are one panel; so is a quarterly panel, however its quarters are written."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayes_npp as bn


def small():
    random = np.random.default_rng(3)
    frame = pd.DataFrame([(u, t) for u in ("b", "a") for t in (2001, 2002, 2003)], columns=["u", "t"])
    return frame.assign(x=random.normal(size=6), y=random.normal(size=6))


def polars_of(frame):
    polars = pytest.importorskip("polars", reason="polars is not installed: pip install polars")
    return polars.DataFrame({name: frame[name].to_list() for name in frame})


def arrow_of(frame):
    return pytest.importorskip("pyarrow").Table.from_pandas(frame, preserve_index=False)


FORMS = {
    "polars": polars_of,
    "arrow": arrow_of,
    "xarray": lambda frame: frame.set_index(["u", "t"]).to_xarray(),
    "index": lambda frame: frame.set_index(["u", "t"]),
    "index and rows": lambda frame: frame.set_index("u"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_same_panel(form):
    frame = small()
    given = FORMS[form](frame)
    own, expected = bn.read_panel(given, "u", "t"), bn.read_panel(frame, "u", "t")
    keys = ["u", "t"]
    columns = [*keys, "x", "y"]
    pd.testing.assert_frame_equal(
        own.frame[columns].sort_values(keys, ignore_index=True),
        expected.frame[columns].sort_values(keys, ignore_index=True),
    )
    if form in ("xarray", "index"):
        assert (bn.read_panel(given).unit, bn.read_panel(given).time) == ("u", "t")


def test_a_rectangle_with_empty_cells_is_an_unbalanced_panel():
    given = small().drop(index=4).set_index(["u", "t"]).to_xarray()
    assert bn.read_panel(given).balance().n_rows == 5


def test_an_index_without_names_is_unit_and_time():
    frame = small().set_index(["u", "t"]).rename_axis([None, None])
    panel = bn.read_panel(frame)
    assert (panel.unit, panel.time) == ("unit", "time")


def test_what_has_no_keys_is_one_clear_error():
    for rows in (small(), small().set_index("u")):
        with pytest.raises(bn.BayesNppError, match="unit="):
            bn.read_panel(rows)
    with pytest.raises(bn.BayesNppError, match="no name"):
        bn.read_panel(xr.DataArray(np.eye(2), dims=["u", "t"]), "u", "t")
    with pytest.raises(bn.BayesNppError, match="does not exist"):
        bn.read_panel("none.csv", "u", "t")


# --- One quarterly panel, 15 units and 24 quarters

QUARTERS = pd.period_range("2014Q1", periods=24, freq="Q")
WRITTEN = {
    "Period": (list(QUARTERS), {}),
    "2019Q3": ([f"{q.year}Q{q.quarter}" for q in QUARTERS], {}),
    "2019-Q3": ([f"{q.year}-Q{q.quarter}" for q in QUARTERS], {}),
    "20193": ([10 * q.year + q.quarter for q in QUARTERS], {"period": "quarter"}),
    "datetime": ([q.start_time for q in QUARTERS], {"period": "quarter"}),
}


@pytest.fixture(scope="module")
def panels():
    truth = bn.simulate(n_units=15, n_periods=24, seed=8, autocorrelation=0.4).frame
    out = {}
    for name, (keys, options) in WRITTEN.items():
        frame = truth.assign(time=[keys[k] for k in pd.factorize(truth["time"], sort=True)[0]])
        out[name] = bn.read_panel(frame, "unit", "time", "group", **options)
    return out


SPEC = bn.Spec(outcome="outcome", exposure="exposure", slopes=None)


def gmm(panel):
    return bn.difference_gmm(
        panel, outcome="outcome", regressors=["L1.outcome", "exposure"], gmm=[("outcome", 2, 3)], iv=["exposure"]
    ).frame[["estimate", "spread"]]


ASKED = {
    "lag": lambda panel: bn.derive(panel, [{"name": "lagged", "lag": "exposure"}]).frame["lagged"],
    "difference": lambda panel: bn.twfe(
        panel, bn.Spec(outcome="outcome", exposure="exposure", transform="first_difference")
    ).frame[["estimate", "spread", "n_obs"]],
    "GMM": gmm,
    "Wooldridge": lambda panel: pd.Series([bn.wooldridge_serial(panel, SPEC).statistic]),
    "AR(1)": lambda panel: (
        bn.fit(panel, bn.Spec(outcome="outcome", exposure="exposure", errors="ar1"), draws=50, chains=2, seed=1)
        .estimates()
        .frame[["estimate", "spread"]]
    ),
}


@pytest.mark.parametrize("asked", ASKED)
def test_one_answer_however_quarters_are_written(panels, asked):
    answers = {name: np.asarray(ASKED[asked](panel), dtype=float) for name, panel in panels.items()}
    for name, answer in answers.items():
        np.testing.assert_array_equal(answer, answers["Period"], err_msg=name)
    if asked == "difference":
        assert answers["Period"][0, 2] == 345


def test_a_quarter_stays_a_quarter(panels):
    for name, panel in panels.items():
        label = panel.calendar.label
        assert label(panel.frame["time"].max()) == "2019Q4", name
        assert "2014Q1 to 2019Q4" in repr(panel), name
        fitted = bn.twfe(panel, SPEC).fitted
        assert fitted.index.get_level_values("time")[0] == "2014Q1", name
        narrow = bn.read_panel(
            panel.frame.assign(time=panel.frame["time"].map(label)), "unit", "time", window=("2015Q1", "2016Q4")
        )
        assert narrow.balance().n_periods == 8
