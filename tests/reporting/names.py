"""Names of a study and of the package that a run shows to its readers."""

import html
import re
import zipfile

from bayes_npp.bayesian.model.error_models import ERROR_MODELS
from bayes_npp.bayesian.priors.sets import prior_of, slots
from bayes_npp.estimates import ESTIMANDS


def declared_names(study):
    """Whatever has an underscore in it, and parts of error models."""
    named = [*study.models, *study.robustness, *study.variables]
    names = {*slots(), *prior_of(), *ESTIMANDS, *study.panel.frame.columns, *(own.name for own in named)}
    names |= {claim.id for claim in study.claims}
    if study.published is not None:
        names |= {str(name) for column in ("estimator", "outcome", "term") for name in study.published[column]}
    return {name for name in names if "_" in name} | {"weakly_informative", *ERROR_MODELS} - {"known", "factor"}


def visible(text):
    """What a reader sees of a page or drawing, code and addresses left out."""
    text = re.sub(r"<(style|script|code|desc)\b.*?</\1>", "", text, flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]*>", "\n", text))


def read(path):
    """The visible text of a file."""
    if path.suffix == ".docx":
        return visible(zipfile.ZipFile(path).read("word/document.xml").decode())
    text = path.read_text(encoding="utf-8")
    return re.sub(r"`[^`]*`|\]\([^)]*\)", "", text).replace(r"\_", "_") if path.suffix == ".md" else visible(text)


def names_shown(run):
    """Names in what a run shows, each with its file and its line."""
    names = "|".join(map(re.escape, sorted(declared_names(run.study))))
    asked = re.compile(rf"(?<![\w./-])(?:\w+\.)?(?:{names})(?![\w/-]|\.\w)|\w--\w|\{{\w+\}}")
    files = [run.out / "report.html", run.out / "report.md", *sorted((run.out / "figures").glob("*.svg"))]
    files += [path for path in sorted((run.out / "tables").iterdir()) if path.suffix in (".docx", ".html", ".md")]
    return {(path.name, line.strip()[:90]) for path in files for line in read(path).splitlines() if asked.search(line)}
