"""Sampling that is interrupted or cut short raises, and draws that are not finite never pass (`diagnostics`)."""

import os
import signal
import tempfile
import threading
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import bayes_npp as bn
from bayes_npp.bayesian.fitting.diagnostics import diagnose
from bayes_npp.bayesian.fitting.sample import STATS, Sampler, compile_model, draw
from bayes_npp.bayesian.model.caches import check_pytensor
from bayes_npp.errors import SamplingError


@pytest.fixture(scope="module")
def panel():
    frame = bn.simulate(12, 6, {"north": 0.5, "south": 0.1}, seed=2).frame
    return bn.read_panel(frame, unit="unit", time="time", group="group")


SPEC = bn.Spec(outcome="outcome", exposure="exposure", slopes="group", time_effects="fixed")


@pytest.mark.parametrize("wait", [0.05, 0.5])
@pytest.mark.parametrize("settings", [{"draws": 500_000, "tune": 100}, {"draws": 400, "tune": 500_000}])
def test_an_interrupt_is_raised_out_of_sampling(panel, monkeypatch, wait, settings):
    """nutpie gives back the draws made so far; those of a long warm-up agree with each other, and would pass."""
    import nutpie

    own = nutpie.sample

    def interrupted(*arguments, **options):
        threading.Timer(wait, os.kill, (os.getpid(), signal.SIGINT)).start()
        return own(*arguments, **options)

    monkeypatch.setattr(nutpie, "sample", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bn.fit(panel, SPEC, engine="collapsed", chains=2, seed=1, **settings)


class Background:
    """Ends with the trace it is given."""

    def __init__(self, trace):
        self.trace = trace

    def wait(self):
        return self.trace


@pytest.mark.parametrize(("chains", "draws"), [(2, 30), (1, 40), (2, 0)])
def test_fewer_draws_than_asked_for_are_refused(monkeypatch, chains, draws):
    import nutpie

    short = xr.DataTree.from_dict({"posterior": xr.Dataset({"x": (("chain", "draw"), np.zeros((chains, draws)))})})
    monkeypatch.setattr(nutpie, "sample", lambda *_, **__: Background(short))
    with pytest.raises(SamplingError, match="not 2 times 40"):
        draw(None, Sampler(draws=40, chains=2))


@pytest.mark.parametrize("where", ["judged", "beside"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_draw_that_is_not_finite_fails_the_diagnostics(value, where):
    random = np.random.default_rng(3)
    arrays = {"a": random.standard_normal((4, 1000)), "b": random.standard_normal((4, 1000, 2))}
    stats = xr.Dataset({name: (("chain", "draw"), random.standard_normal((4, 1000))) for name in STATS})
    stats["diverging"] = stats["diverging"] > np.inf
    beside = {"c": random.standard_normal((4, 1000, 3))}
    assert diagnose(arrays, stats, beside).passed
    (arrays["b"] if where == "judged" else beside["c"])[2, 17, 1] = value
    found = diagnose(arrays, stats, beside)
    assert not found.passed
    assert found.not_finite == 1
    assert "draws that are not finite 1 (needs = 0)" in found.verdict
    assert where == "beside" or found.worst == "b[1]"


def compiling(monkeypatch, *outcomes):
    """nutpie compiles with these outcomes in turn."""
    import nutpie

    left = list(outcomes)

    def compile_pymc_model(_):
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(nutpie, "compile_pymc_model", compile_pymc_model)


def test_a_broken_cache_of_pytensor_is_removed_and_the_model_compiled_again(tmp_path, monkeypatch):
    from pytensor.link.numba import cache

    check_pytensor()  # once a process: what breaks later is found by the compiler
    monkeypatch.setattr(cache, "NUMBA_CACHE_PATH", tmp_path)
    compiling(monkeypatch, EOFError("Ran out of input"), "compiled")
    (tmp_path / "emptied.nbi").touch()
    with pytest.warns(match="broken files of compiled code"):
        assert compile_model(None) == "compiled"
    compiling(monkeypatch, EOFError("Ran out of input"))
    with pytest.raises(EOFError):  # nothing is broken: it has another reason
        compile_model(None)


@pytest.mark.slow
def test_compiling_leaves_no_temporary_files(tmp_path, monkeypatch):
    import pymc as pm

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pm.Model() as model:
        pm.Normal("x", pm.HalfNormal("sd"), 1)
    compile_model(model)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "enough", "runs"),
    [
        ({}, 0.98, [0.9, 0.98]),
        ({}, 0.99, [0.9, 0.98, 0.995]),
        ({"target_accept": 0.95}, 0.98, [0.95]),
        ({"engine": "collapsed"}, 0.98, [0.9]),
    ],
)
def test_chains_that_diverge_are_run_again_with_shorter_steps(panel, monkeypatch, tmp_path, options, enough, runs):
    """Where engine and target acceptance are left open; the fit says what was run, and so does its file."""
    from bayes_npp.bayesian.fitting import collapsed_draws

    own, asked = collapsed_draws.draw_chains, []

    def diverging(*arguments, **others):
        thetas, stats = own(*arguments, **others)
        asked.append(sampler := arguments[1])
        if sampler.target_accept < enough:
            stats["diverging"][0, 3] = True
        return thetas, stats

    monkeypatch.setattr(collapsed_draws, "draw_chains", diverging)
    settings = {"draws": 300, "chains": 2, "seed": 1}
    fit = bn.fit(panel, bn.Spec(**{**SPEC.model_dump(), "errors": "unit_scale"}), **settings | options)
    assert [sampler.target_accept for sampler in asked] == runs
    assert [sampler.tune for sampler in asked] == [500, 50, 50][: len(runs)]
    said = replace(asked[-1], tune=500 + 350 * (len(runs) - 1))  # what came before was warm-up
    assert fit.sampler == said
    assert fit.diagnostics.divergences == (0 if len(runs) > 1 else 1)
    fit.save(tmp_path / "fit.nc")
    assert bn.Fit.load(tmp_path / "fit.nc").sampler == said


@pytest.mark.parametrize(("diverges", "runs"), [(False, 1), (True, 2)])
def test_chains_in_different_places_are_run_again_only_if_they_diverge(panel, monkeypatch, diverges, runs):
    """Shorter steps do not bring them together; what a fit says of them stays."""
    from bayes_npp.bayesian.fitting import collapsed_draws

    own, asked = collapsed_draws.draw_chains, []

    def apart(*arguments, **others):
        thetas, stats = own(*arguments, **others)
        asked.append(arguments[1])
        stats["diverging"][:] = diverges and len(asked) == 1
        return thetas + np.array([0.0, 5.0])[:, None, None] * thetas.std(axis=(0, 1)), stats

    monkeypatch.setattr(collapsed_draws, "draw_chains", apart)
    spec = bn.Spec(**{**SPEC.model_dump(), "errors": "unit_scale"})
    assert bn.fit(panel, spec, draws=500, chains=2, seed=1).diagnostics.r_hat > 1.5
    assert len(asked) == runs


def test_chains_whose_diagnostics_are_no_numbers_are_run_again(panel, monkeypatch):
    from bayes_npp.bayesian.fitting import collapsed_draws

    draw, judge, asked = collapsed_draws.draw_chains, collapsed_draws.diagnose, []

    def drawn(collapsed, sampler, neighbour=None):
        asked.append(sampler)
        return draw(collapsed, sampler)

    def judged(arrays, stats):
        return replace(judge(arrays, stats), r_hat=np.nan, ess_bulk=np.nan)

    monkeypatch.setattr(collapsed_draws, "draw_chains", drawn)
    monkeypatch.setattr(collapsed_draws, "diagnose", judged)
    spec = bn.Spec(**{**SPEC.model_dump(), "errors": "unit_scale"})
    bn.fit(panel, spec, draws=500, chains=2, seed=1)
    assert [sampler.target_accept for sampler in asked] == [0.9, 0.98]


@pytest.mark.parametrize(("draws", "runs"), [(499, 1), (500, 2)])
def test_long_chains_that_do_not_agree_are_run_again(panel, monkeypatch, draws, runs):
    """Of short ones the reason is that they are few draws."""
    from bayes_npp.bayesian.fitting import collapsed_draws

    own, asked = collapsed_draws.draw_chains, []

    def apart(*arguments, **others):
        thetas, stats = own(*arguments, **others)
        asked.append(arguments[1])
        if len(asked) == 1:
            return thetas + np.array([0.0, 0.3])[:, None, None] * thetas.std(axis=(0, 1)), stats
        flat = thetas.reshape(-1, thetas.shape[2])  # in random order over both chains, which then agree
        return np.random.default_rng(1).permutation(flat).reshape(thetas.shape), stats

    monkeypatch.setattr(collapsed_draws, "draw_chains", apart)
    spec = bn.Spec(**{**SPEC.model_dump(), "errors": "unit_scale"})
    bn.fit(panel, spec, draws=draws, chains=2, seed=1)
    assert len(asked) == runs
