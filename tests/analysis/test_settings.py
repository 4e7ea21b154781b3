"""One place resolves the seed and the draws of a run."""

from bayes_npp.analysis.settings import QUICK_DRAWS, run_settings
from bayes_npp.study.study import load_study
from tests.conftest import TINY


def test_seed_draws_and_paths(tmp_path):
    study = load_study(TINY)
    own = run_settings(study)
    assert own.seed == study.header.seed == 16
    assert run_settings(study, seed=0).seed == 0
    assert own.draws(5000) == 5000
    assert run_settings(study, quick=True).draws(5000) == QUICK_DRAWS
    assert run_settings(study, quick=True).draws(200) == 200
    assert own.path("m", ".nc") is None
    assert run_settings(study, tmp_path).path("m", ".nc") == tmp_path / "fits" / "m.nc"
    again = run_settings(study, tmp_path, refit=True, quick=True)
    assert not again.fitted_before().refit
    assert again.fitted_before().quick
