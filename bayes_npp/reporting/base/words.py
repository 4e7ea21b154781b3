"""What readers see instead of names: titles of the study where it gives them, plain words of the package where not."""

import re

from bayes_npp.bayesian.model.error_models import ERROR_MODELS
from bayes_npp.study.study import Study

ERRORS = {
    "iid": "independent errors",
    "known": "known standard errors",
    "ar1": "errors persist within a {unit}",
    "unit_scale": "each {unit} its own error size",
    "period_scale": "each period its own error size",
    "student_t": "errors with heavy tails",
    "factor": "one common factor",
    "factor2": "two common factors",
}
KINDS = {"priors": "priors", "measurement": "measures", "specification": "samples", "errors": "errors"}
CHECKS = {
    "serial correlation": "Persistence",
    "spread by unit": "Spread by {unit}",
    "cross-sectional dependence": "Across {units}",
}
MODELS = {
    "pooled_ols": "pooled least squares",
    "fixed_effects": "one-way fixed effects",
    "twfe": "two-way fixed effects",
    "dynamic_within": "fixed effects with a lagged outcome",
    "iv": "instrumental variables",
    "iv_hierarchical": "hierarchical model with instruments",
    "difference_gmm": "difference GMM",
    "system_gmm": "system GMM",
    "hierarchical": "hierarchical model",
    "mediation": "mediation model",
    "mediation_paths": "mediation by least squares",
}
CODES = ("_en", "_zh", "_id", "_code", "_name")
CODED = ("id", "code", "no", "iso", "iso3", "fips", "index", "key")  # columns that say no word for what a unit is


def unit_word(study: Study, plural: bool = False) -> str:
    """What a unit is: the column of units without the ending of a code."""
    word = study.header.unit
    for ending in CODES:
        word = word.removesuffix(ending)
    word = word.replace("_", " ").lower()
    if word in CODED or re.fullmatch("[b-df-hj-np-tv-xz]+", word):  # an abbreviation: nr, cntr
        word = "unit"
    if not plural:
        return word
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return f"{word[:-1]}ies"
    return word if word.endswith("s") else f"{word}s"


def units_word(study: Study, names: list[str] | tuple[str, ...]) -> str:
    """Units by name; those that are numbers with the word for what they are."""
    if not all(name.isdecimal() for name in names):
        return listed(names)
    return f"{unit_word(study, plural=len(names) > 1)} {listed(names)}"


def period_word(study: Study) -> str:
    """What a period is: a quarter or a month where keys of time say so, else a year."""
    return {"Q": "quarter", "M": "month"}.get(study.panel.calendar.frequency[:1], "year")


def whose(study: Study) -> str:
    """Whose claims a study answers: those of a paper, where it has its numbers or tables, or its own."""
    return "the paper's" if study.header.published or study.header.replicates or study.tables else "the study's"


def baseline_word(study: Study) -> str:
    """What the first regression of a study is called on the first screen."""
    return "The plain regression" if whose(study) == "the study's" else "The paper's kind of regression"


def variable_word(study: Study, name: str, unit: bool = True) -> str:
    """The title of a variable or a column, with its unit in brackets unless told otherwise."""
    columns = study.labels.columns if study.labels else {}
    titles = {own.name: own.title for own in study.variables if own.title}
    title = titles.get(name) or columns.get(name, name.replace("_", " "))
    return title if unit else title.split(" (")[0]


def model_word(study: Study, name: str) -> str:
    """The title of a model, or its kind and its name; of a neighbour or an equation of it what differs, too."""
    own, _, part = name.partition("--")
    if part:
        errors = part.removeprefix("errors-").replace("-", "+")
        said = errors_word(study, errors) if part.startswith("errors-") else variable_word(study, part, unit=False)
        return f"{model_word(study, own)}, {said}"
    declared, _, row = name.partition(".")
    model = next((own for own in study.models if own.name == declared), None)
    if model is None:
        return name.replace("_", " ")
    kind = MODELS.get(model.kind, model.kind.replace("_", " "))
    title = model.title or (kind if model.name == model.kind else f"{kind} ({model.name.replace('_', ' ')})")
    return f"{title}, {row_word(study, row)}" if row else title


def row_word(study: Study, name: str) -> str:
    """The title of a row of robustness, or its name."""
    title = next((row.title for row in study.robustness if row.name == name), "")
    return title or name.replace("_", " ")


def with_titles(study: Study, text: str) -> str:
    """Text about columns with their titles in the place of their names; names are taken wherever they stand."""
    titles = {own.name: lower(variable_word(study, own.name, unit=False)) for own in study.variables if own.title}
    names = "|".join(sorted(map(re.escape, titles), key=len, reverse=True)) or "(?!)"
    return re.sub(rf"(?<![\w.])(?:{names})(?![\w.])", lambda found: titles[found[0]], text)


def errors_word(study: Study, errors: str) -> str:
    """An error model in words."""
    return errors_in_words(errors, unit_word(study))


def errors_in_words(errors: str, unit: str) -> str:
    """An error model in words, given what a unit is called."""
    names = [name for name in errors.split("+") if name]
    known = [ERRORS.get(name, _registered(name)).format(unit=unit) for name in names]
    if len(known) == 1:
        return known[0]
    return f"{', '.join(known[:-1])} and {known[-1].removeprefix('errors ')}"


def check_word(study: Study, check: str) -> str:
    """A posterior predictive check as a column's heading."""
    return CHECKS.get(check, check.capitalize()).format(unit=unit_word(study), units=unit_word(study, plural=True))


def variant_word(study: Study, kind: str, variant: str) -> str:
    """A variant of a claim in words."""
    if kind == "errors":
        return errors_word(study, variant)
    if kind == "priors":
        return variant.replace("_", " ").replace("cell ", "set ").replace(" of the grid", " of the grid of priors")
    if kind == "measurement" and variant.startswith("exposure "):
        name = variable_word(study, variant.removeprefix("exposure "), unit=False)
        return f"{name} as the exposure"
    row, comma, rest = variant.partition(", ")
    text = f"{row_word(study, row)}{comma}{rest}" if kind == "specification" else variant
    for own in study.variables:
        if own.title and own.name in text.split(", ")[0].split(" ")[0:2] + text.split(": ")[-1:]:
            text = text.replace(own.name, own.title.split(" (")[0])
    return text.replace("_", " ")


def listed(names: list[str] | tuple[str, ...]) -> str:
    """Names with commas and an 'and'."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""


def sentence(text: str) -> str:
    """With a capital letter."""
    return f"{text[:1].upper()}{text[1:]}"


def lower(text: str) -> str:
    """Without the capital letter of a title; one of an abbreviation stays."""
    return text if text[1:2].isupper() else f"{text[:1].lower()}{text[1:]}"


def counted(number: int, one: str, many: str = "") -> str:
    """A count with its noun."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def _registered(name: str) -> str:
    return ERROR_MODELS[name].short if name in ERROR_MODELS else name.replace("_", " ")
