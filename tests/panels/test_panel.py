"""The panel: balance and gaps are reported."""

import numpy as np
import pandas as pd
import pytest

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


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        (pd.date_range("2000", periods=6), "2000-01-01"),
        (pd.date_range("2000", periods=6, tz="UTC"), "2000-01-01"),
        (pd.to_timedelta(range(6), unit="D"), "0 days"),
        (pd.period_range("2000", periods=6, freq="Q"), "2000Q1"),
        (pd.interval_range(0, 6), r"Interval\(0, 1"),
    ],
)
def test_dates_and_spans_of_time_are_no_numbers(values, shown):
    """pandas would count their nanoseconds."""
    frame = pd.DataFrame({"unit": list("aaabbb"), "time": [1, 2, 3] * 2, "when": values})
    panel = bn.read_panel(frame, unit="unit", time="time")
    with pytest.raises(bn.errors.PanelError, match=f"row 1 .*'when' has the value '?{shown}.*not a number"):
        panel.numbers("when")
