"""Clusters and analytic weights as keys of a study: in `mediation_paths`, `instruments` and least squares."""

import pandas as pd
import pytest

import bayes_npp as bn
from bayes_npp.analysis.estimation import estimate_model
from bayes_npp.analysis.settings import RunSettings
from bayes_npp.errors import BayesNppError, SpecError
from bayes_npp.study.checks import check_study
from bayes_npp.study.robustness import Robustness, alter
from tests.study import pairs


def study_of(folder, kind, **keys):
    pairs.write_panels(folder)
    content = pairs.content(kind, ())
    content["model"][0] |= keys
    pairs.write_study(folder, content)
    return bn.load_study(folder)


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("twfe", {"cluster": "above"}),
        ("twfe", {"cluster": "above", "covariance": "wild_bootstrap"}),
        ("twfe", {"cluster": "above", "subsamples": "group"}),
        ("pooled_ols", {"cluster": "above", "analytic_weights": "second_exposure"}),
        ("iv", {"cluster": "above", "analytic_weights": "second_exposure"}),
        ("mediation_paths", {"cluster": "above", "interval": "delta"}),
    ],
)
def test_a_study_says_what_a_script_says(kind, keys, tmp_path):
    study = study_of(tmp_path, kind, **keys)
    check_study(study)
    (model,) = study.models
    own = estimate_model(study.sample, model, RunSettings(study.header.title, seed=1)).table.frame
    spec = bn.Spec(outcome="made", exposure="exposure", controls=("control_1",))
    if "analytic_weights" in keys:
        spec = bn.Spec(**{**spec.model_dump(), "analytic_weights": "second_exposure"})
    options = {name: value for name, value in keys.items() if name != "analytic_weights"}
    calls = {
        "twfe": lambda: bn.twfe(study.panel, spec, **options),
        "pooled_ols": lambda: bn.pooled_ols(study.panel, spec, **options),
        "iv": lambda: bn.iv(study.panel, spec, ("other",), **options),
        "mediation_paths": lambda: bn.mediation_paths(study.panel, spec, ("structure",), **options),
    }
    script = calls[kind]().frame
    columns = ["term", "group", "estimand", "estimate", "spread", "p_value", "estimator", "covariance"]
    pd.testing.assert_frame_equal(own[columns], script[columns])
    assert own["covariance"].str.contains("clustered by above").all()


@pytest.mark.parametrize(
    ("kind", "keys", "message"),
    [
        ("twfe", {"cluster": "time"}, "unknown cluster 'time'"),
        ("twfe", {"cluster": "abov"}, "unknown column 'abov'"),
        ("twfe", {"cluster": "exposure"}, "is in two clusters of 'exposure'"),
        ("twfe", {"cluster": "above", "covariance": "robust"}, "cluster = 'above' with covariance = 'robust'"),
        ("twfe", {"cluster": "group", "subsamples": "group"}, "all units are in one cluster of 'group'"),
        ("iv", {"cluster": "above", "covariance": "classical"}, "cluster = 'above' with covariance"),
        ("iv", {"cluster": ["unit", "time"]}, "cluster"),
        ("mediation_paths", {"cluster": "above", "covariance": "robust"}, "where nothing is clustered"),
        ("mediation_paths", {"cluster": "exposure"}, "is in two clusters of 'exposure'"),
        ("twfe", {"analytic_weights": "exposure"}, "weight 'exposure' is not positive"),
        ("twfe", {"analytic_weights": "people"}, "unknown column 'people'"),
        ("hierarchical", {"analytic_weights": "second_exposure"}, "unknown key 'analytic_weights'"),
        ("mediation", {"analytic_weights": "second_exposure"}, "unknown key 'analytic_weights'"),
        ("mediation_paths", {"analytic_weights": "second_exposure"}, "unknown key 'analytic_weights'"),
        ("cce", {"analytic_weights": "second_exposure"}, "unknown key 'analytic_weights'"),
        ("cce", {"cluster": "above"}, "unknown key 'cluster'"),
        ("difference_gmm", {"cluster": "above"}, "unknown key 'cluster'"),
    ],
)
def test_check_refuses_by_name(kind, keys, message, tmp_path):
    with pytest.raises(BayesNppError) as error:
        check_study(study_of(tmp_path, kind, **keys))
    assert message in str(error.value)
    assert error.value.exit_code == 2


@pytest.mark.parametrize("row", [{"factors": 1}, {"averages": ["made", "exposure"]}, {"exposure_factor": True}])
def test_rows_of_robustness_do_not_drop_weights(row, tmp_path):
    study = study_of(tmp_path, "twfe", analytic_weights="second_exposure")
    with pytest.raises(SpecError, match=f"{next(iter(row))} does not apply to 'm', which has analytic_weights"):
        alter(study.sample, study.models[0], Robustness(name="row", models=("m",), **row))
