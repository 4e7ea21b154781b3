"""Published numbers that tests of the audit share, and rows made up for one test."""

import pandas as pd
from hypothesis import settings
from scipy import stats

from bayes_npp.auditing.printed import printed_rows
from bayes_npp.study.published import COLUMNS
from tests.conftest import ROOT

FOUNDING = ROOT / "models" / "digital_trade" / "published.csv"
FISCAL = ROOT / "models" / "fiscal_tfp" / "published.csv"

checked = settings(max_examples=150, deadline=None, derandomize=True)
# Quantiles of the thresholds, by another route than the package's.
Z01, Z10 = stats.norm.isf(0.005), stats.norm.isf(0.05)


def table(*rows):
    frame = pd.DataFrame([{"claim": "C", "table": "1", "outcome": "y", "term": "x", **row} for row in rows], dtype=str)
    return frame.reindex(columns=list(COLUMNS), fill_value="").fillna("")


def one(**row):
    return printed_rows(table(row), "file.csv")[0]


def write(folder, frame):
    path = folder / "published.csv"
    frame.to_csv(path, index=False)
    return path
