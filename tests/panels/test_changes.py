"""Products, changes, growth, per head, constant prices, shares: by hand, across a gap, with a missing cell.

What they share is `panels.transform`.
"""

import numpy as np
import pandas as pd
import pytest

import bayes_npp as bn

NAN = np.nan
FRAME = pd.DataFrame(
    {
        "unit": ["a"] * 4 + ["b"] * 4,
        "time": [2001, 2002, 2004, 2005, 2001, 2002, 2003, 2004],
        "region": ["east"] * 8,
        "x": [1.0, 4.0, 9.0, 18.0, 2.0, NAN, 8.0, 10.0],
        "people": [1.0, 2.0, 3.0, 4.0, 2.0, 2.0, 2.0, 2.0],
        "prices": [100.0, 110.0, 121.0, 110.0, 100.0, 125.0, 150.0, 200.0],
        "previous": [NAN, 110.0, 105.0, 110.0, 99.0, 125.0, 120.0, 110.0],
    }
)
CASES = {
    "product": ({"product": ["x", "people"]}, [1, 8, 27, 72, 4, NAN, 16, 20]),
    "square": ({"square": "x"}, [1, 16, 81, 324, 4, NAN, 64, 100]),
    "difference": ({"difference": "x"}, [NAN, 3, NAN, 9, NAN, NAN, NAN, 2]),
    "two periods": ({"difference": "x", "periods": 2}, [NAN, NAN, 5, NAN, NAN, NAN, 6, NAN]),
    "growth": ({"growth": "x"}, [NAN, 3, NAN, 1, NAN, NAN, NAN, 0.25]),
    "log growth": ({"growth": "x", "method": "log"}, [NAN, np.log(4), NAN, np.log(2), NAN, NAN, NAN, np.log(1.25)]),
    "per head": ({"per_head": ["x", "people"]}, [1, 2, 3, 4.5, 1, NAN, 4, 5]),
    "levels": (
        {"deflate": "x", "by": "prices", "base": 2002},
        [1.1, 4, 9 / 1.1, 18, 2.5, NAN, 8 / 1.2, 10 / 1.6],
    ),
    "previous": (
        {"deflate": "x", "by": "previous", "base": 2002, "index": "previous"},
        [1.1, 4, NAN, NAN, 2.5, NAN, 8 / 1.2, 10 / (1.2 * 1.1)],
    ),
    "share": ({"share": "x", "of": "region"}, [1 / 3, NAN, 9 / 19, 1, 2 / 3, NAN, 1, 10 / 19]),
}


@pytest.mark.parametrize("name", CASES)
def test_values_by_hand(name):
    declared, expected = CASES[name]
    panel = bn.derive(bn.read_panel(FRAME, "unit", "time"), [{"name": "new", **declared}])
    np.testing.assert_allclose(panel.frame["new"], expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("declared", "change", "message"),
    [
        ({"growth": "x"}, {"x": -1.0}, "no growth rate"),
        ({"per_head": ["x", "people"]}, {"people": 0.0}, "zero"),
        ({"deflate": "x", "by": "prices", "base": 2003}, {}, "missing in 2003 for a"),
        ({"deflate": "x", "by": "prices", "base": 2002}, {"prices": -1.0}, "zero or below"),
        ({"share": "x", "of": "region"}, {"x": 0.0}, "total"),
        ({"product": ["x"]}, {}, "product"),
        ({"growth": "x", "method": "yearly"}, {}, "method"),
        ({"deflate": "x", "by": "prices"}, {}, "'base' is missing"),
    ],
)
def test_what_has_no_value_is_one_clear_error(declared, change, message):
    panel = bn.read_panel(FRAME.assign(**change), "unit", "time")
    with pytest.raises(bn.BayesNppError, match=message):
        bn.derive(panel, [{"name": "new", **declared}])


def test_share_of_simulated_units_adds_up_to_one():
    frame = bn.simulate(n_units=9, n_periods=4, seed=2).frame
    frame["size"] = np.exp(frame["exposure"])
    panel = bn.derive(bn.read_panel(frame, "unit", "time", "group"), [{"name": "part", "share": "size", "of": "group"}])
    totals = panel.frame.groupby(["group", "time"])["part"].sum()
    np.testing.assert_allclose(totals, 1.0)
