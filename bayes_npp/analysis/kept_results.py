"""The results of a run, kept beside the fits that they were read off: to show them again takes no fit and no draw."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from typing import Any

from bayes_npp.analysis.cache import Form, data_of, recalled, stamp
from bayes_npp.analysis.made_from import made_by
from bayes_npp.analysis.plain import plain, restored
from bayes_npp.analysis.settings import RunSettings
from bayes_npp.bayesian.priors.sets import priors_folder
from bayes_npp.records import is_file
from bayes_npp.store import file_hash, read_compact_json, write_compact_json
from bayes_npp.study.study import Study

NAME = "results.json"  # among the fits


def kept_results(study: Study, settings: RunSettings, root: str) -> dict[str, Any] | None:
    """What `keep_results` wrote for a study; None, with a word why, where it is damaged or made from something else.

    Parameters
    ----------
    root : str
        The module that makes the results: its code counts, and that of all that it imports.
    """
    path = None if settings.out is None else settings.out / "fits" / NAME
    if path is None or not path.is_file():
        return None
    return recalled(path, _made_from(study, settings, root), FORM, settings.say)


def keep_results(study: Study, settings: RunSettings, root: str, found: dict[str, Any]) -> None:
    """Keep the results of a study: records, tables and arrays by name."""
    if settings.out is None:
        return
    try:
        FORM.write(settings.out / "fits" / NAME, stamp(_made_from(study, settings, root)), found)
    except TypeError as error:  # of something that has no form: a report then takes its time
        settings.say(f"warning: the results are not kept ({error})")


def _made_from(study: Study, settings: RunSettings, root: str) -> dict[str, Any]:
    """Everything the results of a study are made from: what is declared and read, every stored fit, the code."""
    declared = {own.name: getattr(study, own.name) for own in fields(study) if own.name not in ("path", "content")}
    assert settings.out is not None
    folder = settings.out / "fits"
    stored = [path for path in sorted(folder.glob("[!.]*")) if path.name != NAME]
    with ThreadPoolExecutor() as threads:  # hashing leaves the interpreter to what is done meanwhile
        hashes = threads.map(file_hash, stored)
        made_from = {
            "study": plain(declared),
            "study file": study.content_hash(),
            "files that it names": {text: file_hash(study.path.parent / text) for text in _named_files(study)},
            "priors": [[path.name, file_hash(path)] for path in sorted(priors_folder().rglob("*.toml"))],
            **data_of(study.sample, study.robustness),
            "seed": settings.seed,
            "quick": settings.quick,
            **made_by(root),
        }
        return made_from | {"stored": dict(zip((path.name for path in stored), hashes, strict=True))}


def _named_files(study: Study) -> list[str]:
    """Texts of a study file that name a file beside it."""

    def texts(value: Any) -> Iterator[str]:
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping | list | tuple):
            for own in value.values() if isinstance(value, Mapping) else value:
                yield from texts(own)

    return sorted({text for text in texts(study.content) if text.strip() and is_file(study.path.parent / text)})


def _read(path: Any) -> tuple[dict[str, Any], str, Callable[[], dict[str, Any]]]:
    content, verdict = read_compact_json(path)
    return content["made_from"], verdict, lambda: restored(content["found"])


FORM: Form[dict[str, Any]] = Form(
    lambda path, made_from, found: write_compact_json(path, {"made_from": made_from, "found": plain(found)}), _read
)
