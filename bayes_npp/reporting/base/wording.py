"""Words for names in any text of a page: errors, fits, parameters, estimands, prior sets, columns, models.

Sentences are written near the numbers, by people who know the names; readers do not. So names are exchanged in one
place, on the way to the page, and nowhere in the csv files.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Protocol

from bayes_npp.bayesian.model.error_models import ERROR_MODELS
from bayes_npp.estimates import ESTIMANDS
from bayes_npp.reporting.base.catalogue import vocabulary
from bayes_npp.reporting.base.numbers import CODE_OR_REFERENCE
from bayes_npp.reporting.base.words import (
    MODELS,
    counted,
    errors_in_words,
    errors_word,
    lower,
    model_word,
    row_word,
    unit_word,
    variable_word,
)
from bayes_npp.study.study import Study

PARAMETERS = {
    "exposure_slope": "average slope of the exposure",
    "control_slope": "slopes of the controls",
    "slope_offset": "groups' own part of the slope",
    "control_offset": "groups' own part of the controls' slopes",
    "unit_slope": "{unit}'s own part of the slope",
    "unit_control_slope": "{unit}'s own part of the controls' slopes",
    "unit_effect": "{unit} effects",
    "time_effect": "period effects",
    "group_time_effect": "period effects of groups",
    "unit_trend": "{unit} trends",
    "exposure_loading": "loadings on the exposure's own factor",
    "slope_sd": "SD of the groups' slopes",
    "control_slope_sd": "SD of the groups' slopes of the controls",
    "unit_slope_sd": "SD of the slopes of {units}",
    "unit_control_slope_sd": "SD of the controls' slopes of {units}",
    "slope_correlation": "correlation of slopes",
    "unit_sd": "SD of {unit} effects",
    "time_sd": "SD of period effects",
    "group_time_sd": "SD of the groups' period effects",
    "unit_trend_sd": "SD of {unit} trends",
    "exposure_loading_sd": "SD of loadings on the exposure's own factor",
    "error_sd": "SD of errors",
    "error_correlation": "correlation of the errors of exposure and outcome",
    "endogeneity": "correlation of the errors of exposure and outcome",
    "first_stage_sd": "SD of the instruments' coefficients in the exposure's equation",
    "unit_scale_sd": "how much error sizes differ between {units}",
    "period_scale_sd": "how much error sizes differ between periods",
    "loading_sd": "SD of loadings",
    "unit_between": "parts of columns by {unit}",
    "time_between": "parts of columns by period",
    "loading_between": "parts of columns by loading",
}
COMMON = ("known", "factor")  # names of error parts that are English words too
FITS = ("fit", "model")  # columns of tables that hold names of fits
READ = ("title", "text", "note", "data_are", "data_are_not", "doubts", "labels")  # keys of a study file with sentences
WORDS = ("method",)  # columns of words of ours, some of which may be names of a study too
NAMES = ("model", "sample", "estimator", "outcome", "term")  # columns of published.csv that hold names


class Wording(Protocol):
    """What exchanges names in a text, which stands in a column of a table or ("") elsewhere."""

    def __call__(self, text: str, column: str = "") -> str: ...


def unchanged(text: str, column: str = "") -> str:
    """No wording: for pages that have no names of a study."""
    return text


def plain_wording(text: str, column: str = "") -> str:
    """Words for error models and prior sets, for a table of estimates without a study."""

    def word(match: re.Match[str]) -> str:
        return errors_in_words(match["errors"] or match["set"], "unit")

    return re.sub(_errors(), word, text).replace("weakly_informative", "weakly informative")


def wording(study: Study) -> Wording:
    """What exchanges the names of a study and of the package; code and references to files stay as they are."""
    units = {"unit": unit_word(study), "units": unit_word(study, plural=True)}
    words = {name: text.format(**units) for name, text in PARAMETERS.items()}
    words |= {name: text for name, text in ESTIMANDS.items() if "_" in name}
    columns = [*study.panel.frame.columns.astype(str), *(own.name for own in study.variables)]
    words |= {name: variable_word(study, name, unit=False) for name in columns if "_" in name}
    # A name that is an English word too is one where nothing else stands beside it: in a cell, in a legend.
    titled = [own.name for own in study.variables if own.title] + list(study.labels.columns if study.labels else ())
    alone = {name: variable_word(study, name, unit=False) for name in titled}
    models = [model.name for model in study.models]
    rows = [row.name for row in study.robustness]
    words |= {name: row_word(study, name) for name in rows if "_" in name}
    alone |= {row.name: row.title for row in study.robustness if row.title}
    words |= {name: model_word(study, name) for name in models if "_" in name}
    words |= {claim.id: claim.id.replace("_", " ") for claim in study.claims if "_" in claim.id}
    words = {name: MODELS.get(name, name.replace("_", " ")) for name in _printed(study)} | words
    sets = {str(model.priors) for model in study.models if hasattr(model, "priors")}
    words |= {name: name.replace("_", " ") for name in (*sets, "weakly_informative") if "_" in name}
    bare = _bare(study)
    said = "|".join(re.escape(f"({name.replace('_', ' ')})") for name in models) or "(?!)"  # in words already
    names = f"{_errors()}|{_fits(models, rows)}|{_whole(words)}"
    found = re.compile(f"{CODE_OR_REFERENCE}|{said}|{names}|{_moved({})}")
    # Slower, and asked for a few texts alone: titles hold names of one word and are left as they are.
    titles = rf"(?<!\w)(?i:{_any(_titles(study))})(?!\w)"
    with_bare = re.compile(f"{CODE_OR_REFERENCE}|{said}|{titles}|{names}|{_moved(bare)}")

    def word(match: re.Match[str]) -> str:
        if errors := match["errors"] or match["set"]:
            return errors_word(study, errors)
        if fit := match["fit"]:
            return model_word(study, fit.strip("'"))
        if name := match["bare"]:
            begins = not match.start() or match.string[: match.start()].endswith((". ", ": "))
            return (bare[name] if begins else lower(bare[name])) + _when(match["moved"])
        return words[match["name"]] if match["name"] else match[0]

    @cache  # a cell stands on the page and in files
    def worded(text: str, column: str = "") -> str:
        if column in FITS and text.partition("--")[0].partition(".")[0] in models:
            return model_word(study, text)
        whole = None if column in WORDS else alone.get(text)
        return whole or (with_bare if any(name in text for name in bare) else found).sub(word, text)

    return worded


def _titles(study: Study) -> list[str]:
    """Titles of variables without their units."""
    return [variable_word(study, own.name, unit=False) for own in study.variables if own.title]


def _bare(study: Study) -> dict[str, str]:
    """Names of one word that are no words of any sentence: neither of ours nor of the study's own, titles left out."""
    words = {own.name: variable_word(study, own.name, unit=False) for own in study.variables if own.title}
    printed = set() if study.published is None else set(study.published["estimator"].astype(str))
    words |= {name: said for name, said in MODELS.items() if name in printed}
    words |= {own.name: own.title for own in study.models if own.title}
    titles = re.compile(_any(_titles(study)), re.IGNORECASE)
    used = vocabulary() | set(re.findall(r"\w+", titles.sub(" ", " ".join(_texts(study.content))).lower()))
    return {name: said for name, said in words.items() if name.isalnum() and name not in used}


def _texts(content: object, key: str = "") -> Iterator[str]:
    """What a study file says to its readers."""
    if isinstance(content, str):
        yield content if key in READ else ""
    elif isinstance(content, Mapping):
        for name, own in content.items():
            yield from _texts(own, str(name))
    elif isinstance(content, list):
        for own in content:
            yield from _texts(own, key)


def _moved(names: Mapping[str, str]) -> str:
    """Any of the names, also led or lagged; what has an article or an "of" is an English word."""
    before, after = r"(?<![\w./-])(?<!\bthe )(?<!\ba )(?<!\ban )", r"(?![\w-]|\.\w| of )"
    return rf"{before}(?:(?P<moved>[FL]\d*)\.)?(?P<bare>{_any(names)}){after}"


def _when(moved: str | None) -> str:
    """How much later or earlier: of F1, "one period later"."""
    if not moved:
        return ""
    return f" {counted(int(moved[1:] or 1), 'period')} {'later' if moved[0] == 'F' else 'earlier'}"


def _errors() -> str:
    """An error model by name, and the word 'errors' after it."""
    every = "|".join(sorted(map(re.escape, ERROR_MODELS), key=len, reverse=True))
    alone = "|".join(re.escape(name) for name in ERROR_MODELS if name not in COMMON)
    joined = rf"(?:{every})(?:\+(?:{every}))+"
    set_to = rf"errors = '(?P<set>{joined}|(?:{every}))'"  # as a study file has it, and messages
    return rf"{set_to}|(?<![\w.'-])(?P<errors>{joined}|(?:{alone}))(?: errors)?(?![\w'-]|\.\w)"


def _fits(models: list[str], rows: list[str]) -> str:
    """A model in quotes, or what is derived from it: its name, and two hyphens and what differs, or a dot and a row."""
    own, altered = _any(models), _any(rows)
    derived = rf"(?<![\w.-])(?:{own})\.(?:{altered})(?![\w-]|\.\w)"
    return rf"(?P<fit>'(?:{own})(?:--[\w.-]*\w)?'|(?<![\w-])(?:{own})--[\w.-]*\w|{derived})"


def _any(names: Iterable[str]) -> str:
    return "|".join(sorted(map(re.escape, names), key=len, reverse=True)) or "(?!)"


def _printed(study: Study) -> set[str]:
    """Names in the published numbers: estimators, outcomes, terms, models and samples."""
    frame = study.published
    columns = () if frame is None else [frame[name].dropna().astype(str) for name in NAMES if name in frame]
    return {name for column in columns for name in column if re.fullmatch(r"\w+", name) and "_" in name}


def _whole(words: Mapping[str, str]) -> str:
    """Any of the names, as a whole word that is no file's name."""
    return rf"(?<![\w./-])(?P<name>{_any(words)})(?![\w-]|\.\w)"
