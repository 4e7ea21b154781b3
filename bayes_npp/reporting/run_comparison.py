"""Several runs on one page: a row a claim, a column a run, and what differs between their studies."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from bayes_npp.errors import BayesNppError, OutputError
from bayes_npp.records import brief, read_toml
from bayes_npp.reporting.base.bilingual import in_one_page
from bayes_npp.reporting.base.blocks import Block, Page, Paragraph, Part
from bayes_npp.reporting.base.catalogue import ENGLISH, spoken
from bayes_npp.reporting.base.cells import Table
from bayes_npp.reporting.base.numbers import chance, rounded, tagged
from bayes_npp.reporting.base.rendering import render_page
from bayes_npp.reporting.base.study_words import study_words
from bayes_npp.reporting.base.translation import said_in
from bayes_npp.reporting.base.words import counted
from bayes_npp.store import VERIFIED, checked_csv, read_sealed_json, write_text
from bayes_npp.study.study import load_study

SAME = "the same"
NAMED = ("name", "id")  # what a table of a list is called by


@dataclass(frozen=True)
class Run:
    """What a run's folder says of itself.

    Attributes
    ----------
    label : str
        The folder's name, or its path where two runs share the name.
    folder : Path
    claims : DataFrame
        Rows of claims.csv by id; without rows where the study declares none.
    manifest : dict
        Empty where there is none that can be read.
    declared : dict
        Keys of the study file, as "model[regions].errors".
    doubts : tuple of str
        What speaks against the files, or against the study file being that of the run.
    words : dict of str
        What its study says in Chinese, by what it says in English.
    """

    label: str
    folder: Path
    claims: pd.DataFrame
    manifest: dict[str, Any]
    declared: dict[str, str]
    doubts: tuple[str, ...]
    words: dict[str, str] = field(default_factory=dict)


def write_comparison(folders: Sequence[Path], path: Path, language: str = ENGLISH) -> tuple[str, ...]:
    """Write the page of several runs, in a language or in both; return what may be wrong with them.

    Raises
    ------
    OutputError
        The page cannot be written.
    """
    names = [folder.resolve().name for folder in folders]
    labels = [name if names.count(name) == 1 else str(folder) for name, folder in zip(names, folders, strict=True)]
    runs = [_run(label, folder) for label, folder in zip(labels, folders, strict=True)]
    page = comparison_page(runs, path.parent)
    words = {english: other for run in runs for english, other in run.words.items()}
    words |= {run.label: run.label for run in runs}  # names of folders stay as they are
    pages = {own: render_page(page, {}, said_in(own, words=words), own)[0] for own in spoken(language)}
    write_text(path, in_one_page(pages))
    return tuple(f"{run.label}: {doubt}" for run in runs for doubt in run.doubts)


def comparison_page(runs: Sequence[Run], home: Path) -> Page:
    """What stands where; references of numbers are seen from `home`, where the page will lie."""
    doubts = [Paragraph(f"{run.label}: {doubt}.") for run in runs for doubt in run.doubts]
    claims = claim_table(runs, home)
    about: tuple[Block, ...] = (claims,) if claims is not None else (Paragraph("No run declares a claim."),)
    parts = (
        Part("The claims, run by run", about, anchor="findings", short="Claims"),
        Part("What differs between their studies", tuple(_differences(runs)), anchor="studies", short="Studies"),
        Part("The runs", (run_table(runs), *doubts), anchor="runs", short="Runs"),
    )
    subtitle = ", ".join(run.label for run in runs)
    foot = "Numbers carry the file, row and column they come from (`data-ref`). Slopes are associations, not effects."
    return Page(f"{counted(len(runs), 'run')} side by side", subtitle, parts, foot)


def claim_table(runs: Sequence[Run], home: Path) -> Table | None:
    """Probability, range over other choices, posterior and verdict of every claim in every run; None without claims."""
    ids = list(dict.fromkeys(name for run in runs for name in run.claims.index))
    if not ids:
        return None
    rows = []
    for name in ids:
        texts = list(dict.fromkeys(run.claims.loc[name, "text"] for run in runs if name in run.claims.index))
        row = {"claim": " / ".join(texts)}
        for run in runs:
            row[run.label] = _cell(run, name, home) if name in run.claims.index else "not claimed"
        rows.append(row)
    notes = (
        "Verdict; probability of the claim (lowest to highest over other choices); posterior mean [95 % interval] of "
        "what it compares. Where the studies differ, so may what the same words claim: see below.",
    )
    return Table("claims_by_run", "Every claim in every run", pd.DataFrame(rows), notes)


def _cell(run: Run, name: str, home: Path) -> str:
    own = run.claims.loc[name]
    file = Path(os.path.relpath(run.folder.resolve() / "claims.csv", home.resolve())).as_posix()

    def told(column: str, text: str) -> str:
        return tagged(text, float(own[column]), f"{file}:{name}:{column}")

    spread = (own["hi"] - own["lo"]) / 4
    p, low, high = (told(column, chance(own[column])) for column in ("probability", "lowest", "highest"))
    mean, lo, hi = (told(column, rounded(own[column], spread)) for column in ("estimate", "lo", "hi"))
    return f"{own['verdict']}; {p} ({low} to {high}); {mean} [{lo}, {hi}]"


def _differences(runs: Sequence[Run]) -> Iterator[Block]:
    """Keys of the study files that differ, a row each."""
    known = [run for run in runs if run.declared]
    if len(known) < 2:
        yield Paragraph("Fewer than two study files can be read, so that their keys cannot be compared.")
        return
    keys = list(dict.fromkeys(key for run in known for key in run.declared))
    rows = []
    for key in keys:
        values = [run.declared.get(key, "not declared") for run in known]
        if len(set(values)) > 1:
            rows.append({"key": key, **{run.label: value for run, value in zip(known, values, strict=True)}})
    if not rows:
        yield Paragraph("The study files are the same, key by key.")
        return
    title = f"{counted(len(rows), 'key')} of {counted(len(keys), 'key')} differ"
    yield Table("study_differences", title, pd.DataFrame(rows))


def run_table(runs: Sequence[Run]) -> Table:
    """Title, data, settings, versions and date of every run."""
    rows: list[dict[str, str]] = []

    def add(what: str, values: Sequence[str]) -> None:
        rows.append({"what": what, **{run.label: value for run, value in zip(runs, values, strict=True)}})

    add("study", [run.declared.get("study.title", str(run.manifest.get("study", "unknown"))) for run in runs])
    for what, key in (("panel", "data_sha256"), ("declarations", "study_sha256"), ("priors", "priors_sha256")):
        add(what, _letters([run.manifest.get(key) for run in runs]))
    add("draws", ["fewer (quick)" if _setting(run, "quick") else "all" for run in runs])
    add("seed", [str(_setting(run, "seed") or "the study's") for run in runs])
    versions = [run.manifest.get("versions", {}) for run in runs]
    for name in list(dict.fromkeys(name for own in versions for name in own)):
        found = [str(own.get(name, "none")) for own in versions]
        if name == "bayes-npp" or len(set(found)) > 1:
            add(name, found)
    add("written", [str(run.manifest.get("written", "unknown")) for run in runs])
    notes = ("The same letter in a row is the same content, by its hash. Versions of packages that differ are listed.",)
    return Table("runs", "What each run is", pd.DataFrame(rows), notes)


def _letters(values: Sequence[Any]) -> list[str]:
    """A letter for every distinct content."""
    order = list(dict.fromkeys(repr(value) for value in values))
    return ["unknown" if value is None else chr(ord("A") + order.index(repr(value)) % 26) for value in values]


def _setting(run: Run, name: str) -> Any:
    return run.manifest.get("settings", {}).get(name)


def _run(label: str, folder: Path) -> Run:
    doubts = []
    try:
        manifest, _ = read_sealed_json(folder / "manifest.json")
    except OutputError as error:
        manifest = {}
        doubts.append(f"its manifest {error.problem}")
    claims = pd.DataFrame({"text": []}, index=pd.Index([], name="key"))
    path = folder / "claims.csv"
    if path.is_file():
        claims = pd.read_csv(path, dtype={"key": str, "text": str, "verdict": str}).set_index("key")
        verdict = checked_csv(path)
        doubts += [] if verdict == VERIFIED else [f"claims.csv is {verdict}"]
    declared: dict[str, str] = {}
    words: dict[str, str] = {}
    if "study_file" in manifest:
        file = folder / manifest["study_file"]
        try:
            study = load_study(file)
            changed = study.content_hash() != manifest.get("study_sha256")
            words = study_words(study)
            declared = dict(flattened(read_toml(file, str(file))))
            if changed:
                doubts.append("its study file has changed since the run; what differs is read from the file as it is")
        except BayesNppError as error:
            doubts.append(f"its study file cannot be read ({error.problem})")
    return Run(label, folder, claims, manifest, declared, tuple(doubts), words)


def flattened(content: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """Keys of nested tables with their values in short; tables of a list by their name."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield from flattened(value, f"{at}.{key}" if at else key)
    elif isinstance(content, list) and content and all(isinstance(own, dict) for own in content):
        for number, own in enumerate(content, start=1):
            name = next((own[key] for key in NAMED if key in own), number)
            yield from flattened({key: value for key, value in own.items() if key not in NAMED}, f"{at}[{name}]")
            yield f"{at}[{name}]", "declared"
    else:
        yield at, content if isinstance(content, str) else brief(content)
