"""A study's own texts in another language: titles, claims, labels of units and groups, as its file declares them."""

import re
from collections.abc import Iterator
from itertools import zip_longest

from bayes_npp.reporting.base.words import variable_word
from bayes_npp.study.study import Study

TILE = "tile"  # of a map, where units stand as two letters that may be a word too
MODEL = "model: "  # before the name of one, which may be a word of ours too


def study_words(study: Study) -> dict[str, str]:
    """The Chinese of every text of a study, by the English text; with and without the unit in brackets.

    A sentence that the study gives in English alone is left as it is: no part of it is taken for one of ours.
    """
    out: dict[str, str] = {}
    for english, given in _pairs(study):
        chinese = given or (english if len(english.split()) > 2 else "")
        if english and chinese:
            out[english] = chinese
            short, bare = english.split(" (")[0], re.split(r"\s*[(（]", chinese)[0]
            out.setdefault(short, bare)
            out.setdefault(english.rstrip("."), chinese.rstrip("。"))
    labels = study.labels_zh
    tiles = {f"[{TILE}] {place.short}": labels[unit][:3] for unit, place in study.positions.items() if unit in labels}
    words = study.labels.words if study.labels else {}
    said = {variable_word(study, name, unit=False): chinese for name, chinese in words.items()}  # as readers see them
    return {**tiles, **labels, **said, **out, **words}


def _pairs(study: Study) -> Iterator[tuple[str, str]]:
    header = study.header
    yield header.title, header.title_zh
    for english, chinese in ((header.data_are, header.data_are_zh), (header.data_are_not, header.data_are_not_zh)):
        yield english, chinese
        yield _first(english, r"(?<=[.!?])\s+", " "), _first(chinese, r"(?<=[。！？])", "")
    yield from zip_longest(header.doubts, header.doubts_zh, fillvalue="")
    for kind in ("variable", "model", "robustness"):
        for own in study.content.get(kind, []):  # the models of a study that has been run are those of its ladders
            chinese = str(own.get("title_zh", ""))
            yield str(own.get("title") or own["name"].replace("_", " ")), chinese
            if kind != "variable" and chinese:
                yield f"{MODEL}{own['name']}", chinese
            if kind == "variable" or not own.get("title"):  # readers see titles; a name may be a word of ours
                yield str(own["name"]), re.split(r"\s*[(（]", chinese)[0]
    titles = {own.get("name"): own.get("title_zh") for own in study.content["model"]}
    called = {own.get("name"): own.get("title", own.get("name")) for own in study.content["model"]}
    for row in study.robustness:
        yield row.note, row.note_zh
        for name, chinese in titles.items():
            if chinese and row.title_zh:
                yield f"{name}.{row.name}", f"{chinese}（{row.title_zh}）"
                yield f"{called[name]}, {row.title or row.name.replace('_', ' ')}", f"{chinese}（{row.title_zh}）"
    for claim in study.claims:
        yield claim.text, claim.text_zh
    for table in study.tables:
        yield table.title, table.title_zh
        yield table.note, table.note_zh
        yield f"Table {table.number}. {table.title}", f"表 {table.number}  {table.title_zh}" if table.title_zh else ""


def _first(text: str, between: str, joined: str, most: int = 2) -> str:
    """The first sentences, as the first screen shows them."""
    return joined.join([part for part in re.split(between, text.strip()) if part][:most])
