"""Every key of a study file is in words, on the page and in the schema: `dictionary` has the keys of the records."""

import pytest

import bayes_npp as bn
from bayes_npp.panels.transforms import TRANSFORMS
from bayes_npp.study import dictionary
from bayes_npp.study.models import MODEL_RECORDS
from bayes_npp.study.schema import json_schema, kind_of, sections, study_page
from bayes_npp.study.study import TABLES
from tests.conftest import ROOT, TINY


def test_every_key_has_a_meaning_and_no_meaning_is_left_over():
    for heading, record, meanings in sections():
        assert set(record.model_fields) <= set(meanings), heading
        if not heading.startswith("[[model]]"):
            assert set(meanings) == set(record.model_fields), heading
    keys = {key for record in MODEL_RECORDS.values() for key in record.model_fields}
    assert set(dictionary.MODEL) | set(dictionary.NAMED) == keys
    assert set(dictionary.VARIABLE) == set(TRANSFORMS)


def test_the_page_is_up_to_date():
    page = (ROOT / "docs" / "study.md").read_text(encoding="utf-8")
    assert page == study_page(), "bayes-npp schema --markdown > docs/study.md"


def test_examples_on_the_page_are_toml():
    import tomllib

    for _, _, meanings in sections():
        for key, (meaning, example) in meanings.items():
            tomllib.loads(f"{key} = {example}")
            assert meaning.endswith("."), key


def test_examples_of_single_records_are_accepted():
    """Each key's example has the type that the record wants."""
    import tomllib

    for heading, record, meanings in sections():
        if heading in ("[study]", "[roles]", "[[claim]]", "[claims]", "[measurement]", "[[overlap]]", "[[table]]"):
            own = {key: example for key, (_, example) in meanings.items()}
            record(**tomllib.loads("\n".join(f"{key} = {example}" for key, example in own.items())))


TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}


def fits(value, schema, root):
    """Whether a value is valid under what of JSON schema ours uses (not the bounds of numbers)."""
    if "$ref" in schema:
        return fits(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    for word, enough in (("anyOf", any), ("oneOf", lambda found: sum(found) == 1)):
        if word in schema and not enough([fits(value, one, root) for one in schema[word]]):
            return False
    if value is True and schema.get("type") in ("integer", "number"):
        return False
    if "type" in schema and (schema["type"] == "null" or not isinstance(value, TYPES[schema["type"]])):
        return False
    if value not in schema.get("enum", [value]) or value != schema.get("const", value):
        return False
    if isinstance(value, list) and "items" in schema:
        return all(fits(item, schema["items"], root) for item in value)
    if isinstance(value, dict) and "properties" in schema:
        known = schema["properties"]
        missing = set(schema.get("required", [])) - set(value)
        return not missing and all(key in known and fits(own, known[key], root) for key, own in value.items())
    return True


@pytest.mark.parametrize("folder", [ROOT / "models" / "digital_trade", ROOT / "models" / "fiscal_tfp", TINY])
def test_shipped_studies_fit_the_schema(folder):
    content, schema = bn.load_study(folder).content, json_schema()
    for table, own in content.items():
        assert fits(own, schema["properties"][table], schema), table
    assert fits(content, schema, schema)
    wrong = {**content, "roles": {**content["roles"], "outcom": "y"}}
    assert not fits(wrong, schema, schema)


def test_the_schema_has_every_table_kind_and_transform():
    found = json_schema()
    assert set(found["properties"]) == set(TABLES)
    assert {f"model_{kind}" for kind in MODEL_RECORDS} <= set(found["$defs"])
    assert len(found["properties"]["variable"]["items"]["oneOf"]) == len(TRANSFORMS)
    assert found["$defs"]["model_twfe"]["properties"]["kind"] == {"const": "twfe", "description": "What is estimated."}


def test_types_in_words():
    assert kind_of({"type": "array", "items": {"type": "string"}}) == "list of texts"
    assert kind_of({"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "null"}]}) == "whole number or text"
    assert kind_of({"enum": ["a", "b"]}) == '"a" or "b"'
