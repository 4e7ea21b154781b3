"""Every pair of declared options: `check` refuses it with a reason, or the study runs."""

import re
import warnings

import numpy as np
import pytest

from bayes_npp.errors import BayesNppError
from bayes_npp.pipeline import run_study
from bayes_npp.study.checks import check_study
from bayes_npp.study.study import load_study
from tests.study import pairs

FEW = 121  # the fast lane checks every pair of so many
SAMPLED = (
    "hierarchical",
    "iv_hierarchical",
    "mediation",
)  # too long here but for a few: benchmarks/option_pairs.py runs them all


def checked(folder, kind, chosen):
    """Whether `check` accepts a study; the reason has a place and a remedy where it does not."""
    pairs.write_study(folder, pairs.content(kind, chosen))
    reason = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            check_study(load_study(folder))
    except BayesNppError as error:
        reason = error
    if reason is None:
        return True
    assert reason.exit_code == 2
    assert re.search(r"study\.toml|panel\.csv|gaps\.csv|second\.csv", str(reason)), str(reason)
    return False


@pytest.mark.parametrize("kind", pairs.kinds())
def test_some_pairs_are_accepted_or_refused_with_a_reason(kind, tmp_path):
    pairs.write_panels(tmp_path)
    every = list(pairs.pairs(kind))
    assert checked(tmp_path, kind, every[0])  # no option at all
    found = [checked(tmp_path, kind, chosen) for chosen in every[1 :: FEW * (len(every) // 1000 + 1)]]
    assert True in found


@pytest.mark.slow(minutes=5)
@pytest.mark.parametrize("kind", [kind for kind in pairs.kinds() if kind not in SAMPLED])
def test_accepted_pairs_run(kind, tmp_path):
    """All of the least-squares and GMM kinds."""
    pairs.write_panels(tmp_path)
    known = {}

    def accepted(chosen):
        if chosen not in known:
            known[chosen] = checked(tmp_path, kind, chosen)
        return known[chosen]

    studies = pairs.covering(kind, accepted, full=False)
    assert died_of(tmp_path, kind, studies) == {}


@pytest.mark.slow(minutes=5)
@pytest.mark.parametrize("kind", SAMPLED)
def test_some_sampled_settings_run(kind, tmp_path, seed):
    """Drawn three at a time, of those that need no full model."""
    pairs.write_panels(tmp_path)
    random, own = np.random.default_rng(18 + seed), list(pairs.settings(kind).values())
    studies = []
    while len(studies) < 12:
        options = random.choice(len(own), 3, replace=False)
        chosen = tuple(own[k][random.integers(len(own[k]))] for k in sorted(options))
        if not pairs.sampled_in_full(chosen) and checked(tmp_path, kind, chosen):
            studies.append(chosen)
    assert died_of(tmp_path, kind, studies) == {}


def died_of(folder, kind, studies):
    """What studies that `check` accepts died of."""
    died = {}
    for number, chosen in enumerate(studies):
        pairs.write_study(folder, pairs.content(kind, chosen))
        try:
            run_study(folder, folder / "out" / str(number), quick=True, seed=1)
        except Exception as error:
            died["; ".join(map(str, chosen))] = repr(error)
    return died
