"""Names on their way to the page: exchanged for words everywhere a reader looks, and nowhere else."""

import re
from dataclasses import replace

import pytest

from bayes_npp.bayesian.priors.sets import prior_of, slots
from bayes_npp.estimates import ESTIMANDS
from bayes_npp.reporting.base.numbers import markup, tagged
from bayes_npp.reporting.base.study_words import study_words
from bayes_npp.reporting.base.wording import PARAMETERS, wording
from bayes_npp.reporting.base.words import model_word, row_word, unit_word, units_word, variant_word
from bayes_npp.study.study import load_study
from tests.conftest import ROOT, TINY
from tests.reporting.names import names_shown


@pytest.fixture(scope="module")
def worded():
    return wording(load_study(TINY))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("posterior, unit_scale errors", "posterior, each unit its own error size"),
        ("with ar1+unit_scale errors", "with errors persist within a unit and each unit its own error size"),
        (
            "errors = 'ar1+factor' does not combine",
            "errors persist within a unit and one common factor does not combine",
        ),
        ("factor+iid", "one common factor and independent errors"),
        ("a factor of two; known already", "a factor of two; known already"),
        (
            "the fit 'groups--errors-ar1-unit_scale'",
            "the fit hierarchical model (groups), errors persist within a unit and ",
        ),
        ("mechanism--structure", "mediation model (mechanism), structure"),
        ("two groups", "two groups"),
        ("SD: slope_sd", "SD: SD of the groups' slopes"),
        ("average_slope_twfe_weighted > 0", f"{ESTIMANDS['average_slope_twfe_weighted']} > 0"),
        ("weakly_informative priors", "weakly informative priors"),
        ("see tables/slope_sd.csv and make_panel.py", "see tables/slope_sd.csv and make_panel.py"),
        ("`control_1[i, t]` is control_1", "`control_1[i, t]` is control 1"),
        ("[link](tables/groups--errors-ar1.csv)", "[link](tables/groups--errors-ar1.csv)"),
    ],
)
def test_names_become_words(worded, text, shown):
    assert worded(text).startswith(shown)


def test_a_bare_name_of_a_model_is_a_name_in_a_column_of_fits_only(worded):
    assert worded("groups", "fit") == "hierarchical model (groups)"
    assert worded("groups", "group") == "groups"
    assert worded("no such fit", "fit") == "no such fit"


def test_a_model_named_after_its_errors_is_worded_once(tmp_path):
    text = (TINY / "study.toml").read_text(encoding="utf-8").replace('name = "changes"', 'name = "with_ar1_unit_scale"')
    for name in ("panel.csv", "published.csv", "tiny_grid.toml"):
        (tmp_path / name).write_bytes((TINY / name).read_bytes())
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    worded = wording(load_study(tmp_path))
    once = worded("'with_ar1_unit_scale' under ar1 errors")
    assert once == "hierarchical model (with ar1 unit scale) under errors persist within a unit"
    assert worded(once) == once


def test_references_stay(worded):
    number = tagged("0.12 of slope_sd", 0.12, "estimates.csv:groups--errors-ar1:slope_sd")
    found = markup(worded(f"iid errors: {number}"))
    assert 'data-ref="estimates.csv:groups--errors-ar1:slope_sd"' in found
    assert "0.12 of SD of the groups" in found


def test_every_parameter_with_a_prior_has_words():
    names = {*slots(), *prior_of()}
    assert [name for name in names if "_" in name and name not in PARAMETERS] == []


def test_no_name_of_the_package_or_a_fit_is_on_the_page(tiny_run):
    """Of the default study, which has every kind of row, this is asked of its slow run."""
    assert names_shown(tiny_run) == set()


@pytest.mark.parametrize("row", [row.name for row in load_study(ROOT / "models" / "digital_trade").robustness])
def test_a_row_is_called_by_its_title_wherever_it_stands(row):
    study = load_study(ROOT / "models" / "digital_trade")
    worded, title = wording(study), row_word(study, row)
    if row not in [model.name for model in study.models]:  # which is then meant
        assert worded(row) == title
    if "_" in row:
        assert row not in worded(f"fragile to specification ({row}, by least squares: supported)")
    assert worded(f"in twfe.{row}: clustered") == f"in {model_word(study, 'twfe')}, {title}: clustered"
    assert worded(f"tables/twfe.{row}.csv") == f"tables/twfe.{row}.csv"


def test_claims_and_printed_names_are_words_too():
    worded = wording(load_study(ROOT / "models" / "digital_trade"))
    assert worded("east_west, 'The effect'") == "east west, 'The effect'"
    assert worded("system_gmm on business_environment") == "system GMM on business environment"


def test_a_name_that_is_a_word_is_exchanged_where_it_stands_alone():
    worded = wording(load_study(ROOT / "models" / "digital_trade"))
    assert worded("structure") == "Industrial upgrading"  # a legend, a cell
    assert worded("the structure of errors") == "the structure of errors"
    assert worded("software of the support") == "software of the support"  # words of ours, and of the study
    assert worded("mechanism_ar1_unit_scale") == "mechanisms with errors that persist and differ in size"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Slope of openness, 95 %", "Slope of digital trade openness, 95 %"),
        ("npp over openness", "New quality productive forces over digital trade openness"),
        ("F1.openness (coefficient)", "Digital trade openness 1 period later (coefficient)"),
        ("on L2.npp", "on new quality productive forces 2 periods earlier"),
        ("indirect[structure] > 0", "indirect[industrial upgrading] > 0"),
        ("twfe on npp: p", "two-way fixed effects on new quality productive forces: p"),
        ("`npp[i, t]`, tables/npp.csv, bayes-npp", "`npp[i, t]`, tables/npp.csv, bayes-npp"),
        ("Digital trade openness raises it", "Digital trade openness raises it"),
        ("TWFE, clustered", "TWFE, clustered"),
    ],
)
def test_names_that_are_no_words_become_words_in_sentences_too(text, shown):
    worded = wording(load_study(ROOT / "models" / "digital_trade"))
    assert worded(text) == shown
    assert worded(shown) == shown


def test_a_column_of_codes_says_no_word_for_a_unit():
    study = load_study(TINY)
    for name, word in (
        ("nr", "unit"),
        ("id", "unit"),
        ("city_id", "city"),
        ("province_en", "province"),
        ("iso", "unit"),
    ):
        own = replace(study, header=study.header.model_copy(update={"unit": name}))
        assert unit_word(own) == word
    assert units_word(own, ["7"]) == "unit 7"
    assert units_word(own, ["7", "12"]) == "units 7 and 12"
    assert units_word(own, ["7", "b"]) == "7 and b"


def test_another_exposure_is_said_to_be_one():
    study = load_study(ROOT / "models" / "digital_trade")
    assert variant_word(study, "measurement", "exposure ln_ecommerce") == "E-commerce sales as the exposure"


def test_columns_of_the_panel_are_read_by_the_words_given_to_them():
    study = load_study(ROOT / "models" / "digital_trade")
    english, chinese = wording(study), study_words(study)
    assert english("without digital_finance_index_pku") == "without digital finance"
    assert english("without software") == "without software"
    for name in study.labels.columns:
        assert english(name) == study.labels.columns[name]
        assert re.search("[\u4e00-\u9fff]", chinese[english(name)])
    assert chinese["GDP per head"] == "人均 GDP"  # the variable's own title, which a column has too
