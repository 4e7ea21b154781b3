"""Cells of robustness rows: `claims.specification_curve`."""

import pytest

import bayes_npp as bn
from bayes_npp.analysis.ladder import with_exposure_factor
from bayes_npp.analysis.settings import run_settings
from bayes_npp.analysis.stored_fits import fit_model
from bayes_npp.claims import specification_curve as module
from bayes_npp.claims.specification_curve import OWN_FACTOR, specification_curve
from bayes_npp.design.propositions import parse_proposition
from bayes_npp.design.slope_contrasts import slope_weights
from tests.study import pairs


@pytest.mark.parametrize("known", [True, False])
def test_a_row_that_asks_for_a_fit_that_is_there_takes_it(known, tmp_path, monkeypatch):
    """The ladder has fitted the exposure's own factor beside the errors that it chose."""
    pairs.write_panels(tmp_path)
    chosen = {str(one): one for some in pairs.settings("hierarchical").values() for one in some}
    pairs.write_study(tmp_path, pairs.content("hierarchical", (chosen["robustness window"],)))
    study = bn.load_study(tmp_path)
    model, settings = study.models[0], run_settings(study)
    fit, _ = fit_model(study.sample, model, settings)
    guard, _ = fit_model(study.sample, with_exposure_factor(model, model), settings)
    own, sampled = module.sample_until_passed, []

    def counted(collapsed, *arguments, **options):
        sampled.append(collapsed.data.design.spec.exposure_factor)
        return own(collapsed, *arguments, **options)

    monkeypatch.setattr(module, "sample_until_passed", counted)
    asked = parse_proposition("slope[north] > slope[south]")
    curve = specification_curve(study, {model: fit}, [asked], beside=[guard] if known else [])
    assert sorted(sampled) == (["none"] if known else ["fixed", "none"])  # the window's is another sample
    row = curve[(curve["sample"] == OWN_FACTOR) & curve["estimator"].str.startswith("hierarchical")].iloc[0]
    draws = guard.slopes @ slope_weights(asked, guard.design)
    if known:
        assert row["estimate"] == pytest.approx(draws.mean(), rel=1e-12)
    assert row["estimate"] == pytest.approx(draws.mean(), abs=0.2 * draws.std())
