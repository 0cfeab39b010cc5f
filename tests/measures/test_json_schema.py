"""The JSON schema check against an independent implementation, where that is installed, and by hand."""

import random
from typing import Any

import pytest

from pairsmith.measures.json_schema import check_schema, schema_result

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "uniqueItems": True},
    },
    "required": ["name", "age"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("value", "problems"),
    [
        ({"name": "Ada", "age": 36}, []),
        ({"name": "Ada", "age": 36.0, "tags": ["a", "b"]}, []),
        ({"name": "Ada"}, ["$: age is missing"]),
        ({"name": "", "age": True}, ["$.name: minLength 1 is not kept", "$.age: not integer"]),
        ({"name": "Ada", "age": 151, "x": 1}, ["$.age: maximum 150 is not kept", "$.x: not allowed"]),
        ({"name": "Ada", "age": 3, "tags": ["a", "a", "c"]}, ["$.tags: uniqueItems", "$.tags[2]: not one of"]),
        ([], ["$: not object"]),
    ],
)
def test_by_hand(value: Any, problems: list[str]):
    check_schema(PERSON)
    demands, found = schema_result(value, PERSON)
    assert len(found) == len(problems) <= demands
    assert all(text.startswith(wanted) for text, wanted in zip(found, problems, strict=True))


@pytest.mark.parametrize(
    "schema",
    [
        3,
        {"type": "text"},
        {"type": []},
        {"$ref": "http://example.com"},
        {"pattern": "(a+)+$"},
        {"properties": {"a": {"format": "date"}}},
        {"minimum": "3"},
        {"maxItems": -1},
        {"multipleOf": 0},
        {"enum": []},
        {"anyOf": []},
        {"items": [{"type": "string"}]},
        {"required": "a"},
    ],
)
def test_what_is_not_understood_is_refused(schema: Any):
    with pytest.raises(ValueError, match=r"\$"):
        check_schema(schema)


def test_depth_is_limited():
    schema: dict[str, Any] = {}
    for _ in range(100):
        schema = {"items": schema}
    with pytest.raises(ValueError, match="levels deep"):
        check_schema(schema)


def value_of(rng: random.Random, depth: int = 0) -> Any:
    kind = rng.choice(["int", "float", "str", "bool", "null", "list", "dict"] if depth < 3 else ["int", "str", "bool"])
    simple = {
        "int": rng.randint(-3, 6),
        "float": rng.choice([0.5, 2.0, -1.5]),
        "str": rng.choice(["", "a", "bc", "äöü"]),
        "bool": rng.random() < 0.5,
        "null": None,
    }
    if kind == "list":
        return [value_of(rng, depth + 1) for _ in range(rng.randint(0, 3))]
    if kind == "dict":
        return {name: value_of(rng, depth + 1) for name in rng.sample("abc", rng.randint(0, 3))}
    return simple[kind]


def schema_of(rng: random.Random, depth: int = 0) -> Any:
    if depth > 2:
        return rng.choice([True, {}, {"type": "integer"}])
    kinds = ["object", "array", "string", "number", "integer", "boolean", "null"]
    parts = {
        "type": rng.choice([*kinds, rng.sample(kinds, 2)]),
        "const": value_of(rng, 2),
        "enum": [value_of(rng, 2) for _ in range(3)],
        "minimum": rng.randint(-2, 4),
        "exclusiveMaximum": rng.randint(-2, 6),
        "multipleOf": rng.choice([2, 0.5]),
        "minLength": rng.randint(0, 2),
        "maxLength": rng.randint(0, 2),
        "minItems": rng.randint(0, 2),
        "maxItems": rng.randint(0, 2),
        "uniqueItems": rng.random() < 0.5,
        "minProperties": rng.randint(0, 2),
        "required": rng.sample("abc", rng.randint(0, 2)),
        "properties": {name: schema_of(rng, depth + 1) for name in rng.sample("abc", 2)},
        "additionalProperties": rng.choice([True, False, schema_of(rng, depth + 1)]),
        "items": schema_of(rng, depth + 1),
        "anyOf": [schema_of(rng, depth + 1) for _ in range(2)],
        "oneOf": [schema_of(rng, depth + 1) for _ in range(2)],
        "allOf": [schema_of(rng, depth + 1) for _ in range(2)],
        "not": schema_of(rng, depth + 1),
    }
    return {name: parts[name] for name in rng.sample(sorted(parts), rng.randint(1, 3))}


def test_the_same_verdict_as_an_independent_validator():
    jsonschema = pytest.importorskip("jsonschema")
    rng = random.Random(4)
    verdicts = []
    for _ in range(400):
        schema, value = schema_of(rng), value_of(rng)
        check_schema(schema)
        theirs = jsonschema.Draft202012Validator(schema).is_valid(value)
        assert (not schema_result(value, schema)[1]) == theirs, (schema, value)
        verdicts.append(theirs)
    assert 0.1 < sum(verdicts) / len(verdicts) < 0.9
