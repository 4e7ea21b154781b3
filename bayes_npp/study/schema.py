"""The keys of a study file from its records: a JSON schema for editors, and a page for readers."""

import json
from typing import Any

from bayes_npp.panels.transforms import TRANSFORMS
from bayes_npp.records import Record
from bayes_npp.study import dictionary as words
from bayes_npp.study.claims import Claim, ClaimRules
from bayes_npp.study.confounding import ConfoundingRules
from bayes_npp.study.differences import Difference
from bayes_npp.study.event_time import EventTime
from bayes_npp.study.header import PaperTable, Roles, StudyHeader
from bayes_npp.study.labels import Labels
from bayes_npp.study.measurement import Measurement
from bayes_npp.study.models import MODEL_RECORDS
from bayes_npp.study.overlap import Concept
from bayes_npp.study.robustness import Robustness

Section = tuple[str, type[Record], words.Words]
SINGLE: dict[str, tuple[type[Record], words.Words]] = {
    "study": (StudyHeader, words.STUDY),
    "roles": (Roles, words.ROLES),
    "measurement": (Measurement, words.MEASUREMENT),
    "event_time": (EventTime, words.EVENT_TIME),
    "confounding": (ConfoundingRules, words.CONFOUNDING),
    "claims": (ClaimRules, words.CLAIMS),
    "labels": (Labels, words.LABELS),
}
REPEATED: dict[str, tuple[type[Record], words.Words]] = {
    "robustness": (Robustness, {"name": words.NAMED["name"], **words.ROBUSTNESS}),
    "overlap": (Concept, words.OVERLAP),
    "difference": (Difference, words.DIFFERENCE),
    "claim": (Claim, words.CLAIM),
    "table": (PaperTable, words.TABLE),
}
KINDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "object": "table"}


def sections() -> list[Section]:
    """Every table of a study file: its heading, its record, and its keys in words."""
    out: list[Section] = [(f"[{name}]", *SINGLE[name]) for name in ("study", "roles")]
    out += [
        (f"[[variable]] with `{name}`", record, {**words.NAMED, **words.VARIABLE[name]})
        for name, record in TRANSFORMS.items()
    ]
    kinds: dict[type[Record], list[str]] = {}
    for kind, model in MODEL_RECORDS.items():
        kinds.setdefault(model, []).append(kind)
    for record, names in kinds.items():
        heading = " or ".join(f'`kind = "{name}"`' for name in names)
        out.append((f"[[model]] with {heading}", record, {**words.NAMED, **words.MODEL}))
    out += [(f"[[{name}]]", *REPEATED[name]) for name in ("robustness", "claim", "difference", "table", "overlap")]
    return out + [
        (f"[{name}]", *SINGLE[name]) for name in ("measurement", "event_time", "confounding", "claims", "labels")
    ]


def json_schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of a study file, for editors that know TOML."""
    definitions: dict[str, Any] = {}

    def described(record: type[Record], meanings: words.Words, name: str) -> dict[str, str]:
        own = record.model_json_schema(ref_template="#/$defs/{model}")
        definitions.update(own.pop("$defs", {}))
        for key, value in own["properties"].items():
            value.pop("title", None)
            value["description"] = meanings[key][0]
        definitions[name] = own
        return {"$ref": f"#/$defs/{name}"}

    properties: dict[str, Any] = {name: described(*own, name) for name, own in SINGLE.items()}
    for name, own in REPEATED.items():
        properties[name] = {"type": "array", "items": described(*own, name)}
    transforms = [
        described(record, {**words.NAMED, **words.VARIABLE[name]}, f"variable_{name}")
        for name, record in TRANSFORMS.items()
    ]
    models = []
    for kind, model in MODEL_RECORDS.items():
        models.append(described(model, {**words.NAMED, **words.MODEL}, f"model_{kind}"))
        definitions[f"model_{kind}"]["properties"]["kind"] = {"const": kind, "description": words.MODEL["kind"][0]}
    properties["variable"] = {"type": "array", "items": {"oneOf": transforms}}
    properties["model"] = {"type": "array", "minItems": 1, "items": {"oneOf": models}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A study of bayes_npp",
        "type": "object",
        "additionalProperties": False,
        "required": ["study", "roles", "model"],
        "properties": properties,
        "$defs": definitions,
    }


def study_page() -> str:
    """docs/study.md: every key with its type, default, example and meaning."""
    lines = [
        "# Every key of a study file",
        "",
        "Written by `bayes-npp schema --markdown` from the records that read the file. How to set up a study:",
        "[a study of your own](your_study.md). `bayes-npp schema` prints the same as a JSON schema for editors.",
    ]
    for heading, record, meanings in sections():
        schema = record.model_json_schema()
        required = schema.get("required", [])
        lines += ["", f"## {heading}", "", "| key | type | default | example | meaning |", "|---|---|---|---|---|"]
        for key, own in schema["properties"].items():
            meaning, example = meanings[key]
            default = "required" if key in required else shown_default(own.get("default"))
            cells = (f"`{key}`", kind_of(own), default, f"`{example}`", meaning)
            lines.append(f"| {' | '.join(cell.replace('|', ' or ') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def kind_of(own: dict[str, Any]) -> str:
    """What a key takes, in words: text, number, list of texts, one of several words."""
    if "anyOf" in own:
        parts = dict.fromkeys(kind_of(part) for part in own["anyOf"] if part.get("type") != "null")
        return " or ".join(parts)
    if "enum" in own:
        return " or ".join(json.dumps(value) for value in own["enum"])
    if "const" in own:
        return json.dumps(own["const"])
    if own.get("type") == "array":
        of = own.get("items") or (own.get("prefixItems") or [{}])[0]
        plural = {"text": "texts", "number": "numbers", "whole number": "whole numbers"}
        inner = kind_of(of)
        return f"list of {plural.get(inner, inner if inner.startswith('list') else f'({inner})')}"
    return KINDS.get(own.get("type", ""), "text")


def shown_default(value: Any) -> str:
    """A default as it would stand in the file; a dash where there is none."""
    if value is None or value == "":
        return "-"
    return f"`{json.dumps(list(value) if isinstance(value, tuple) else value)}`"
