"""The panel: balance and gaps are reported."""

import numpy as np
import pandas as pd

import bayes_npp as bn

FRAME = pd.DataFrame(
    {
        "省份": ["广东", "广东", "广东", "浙江", "浙江"],
        "year": [2014, 2015, 2016, 2014, 2016],
        "x": [1.0, 2.0, np.nan, 4.0, 5.0],
        "empty": [np.nan] * 5,
        "same": [7] * 5,
    }
)


def test_balance_reports_gaps_constant_and_empty_columns():
    balance = bn.read_panel(FRAME, unit="省份", time="year").balance()
    assert (balance.n_rows, balance.n_units, balance.n_periods, balance.balanced) == (5, 2, 3, False)
    assert balance.gaps == (("浙江", 2015),)
    assert balance.rows_per_unit == (2, 3)
    assert (balance.constant_columns, balance.empty_columns) == (("same",), ("empty",))
    assert "1 gaps" in str(balance)
