"""The part of JSON Schema that can be decided without regular expressions or references, with partial credit.

Keywords that are not known here are errors of the schema, not silently true. There is no `pattern` (a pattern from a
data file could hang the run) and no `$ref` (a schema must not fetch anything).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from types import MappingProxyType
from typing import Any

__all__ = ["check_schema", "schema_result"]

_ANNOTATIONS = frozenset({"$schema", "$id", "$comment", "title", "description", "default", "examples", "deprecated"})
_MAX_DEPTH = 40
Demand = tuple[bool, str]
_COUNTS = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")
_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_SUBSCHEMAS, _SUBSCHEMA_LISTS = ("items", "not"), ("anyOf", "allOf", "oneOf")

_IS_TYPE: Mapping[str, Callable[[Any], bool]] = MappingProxyType(
    {
        "object": lambda value: isinstance(value, dict),
        "array": lambda value: isinstance(value, list),
        "string": lambda value: isinstance(value, str),
        "number": lambda value: _is_number(value),
        "integer": lambda value: _is_number(value) and float(value).is_integer(),
        "boolean": lambda value: isinstance(value, bool),
        "null": lambda value: value is None,
    }
)
_LIMITS: Mapping[str, Callable[[Any, Any], bool]] = MappingProxyType(
    {
        "minimum": lambda value, bound: value >= bound,
        "maximum": lambda value, bound: value <= bound,
        "exclusiveMinimum": lambda value, bound: value > bound,
        "exclusiveMaximum": lambda value, bound: value < bound,
        "multipleOf": lambda value, bound: math.isclose(
            value / bound, round(value / bound), rel_tol=1e-12, abs_tol=1e-9
        ),
        "minLength": lambda value, bound: len(value) >= bound,
        "maxLength": lambda value, bound: len(value) <= bound,
        "minItems": lambda value, bound: len(value) >= bound,
        "maxItems": lambda value, bound: len(value) <= bound,
        "uniqueItems": lambda value, wanted: not wanted or not any(_same(a, b) for a, b in combinations(value, 2)),
        "minProperties": lambda value, bound: len(value) >= bound,
        "maxProperties": lambda value, bound: len(value) <= bound,
    }
)
_LIMITED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "number": _NUMBERS,
        "string": ("minLength", "maxLength"),
        "array": ("minItems", "maxItems", "uniqueItems"),
        "object": ("minProperties", "maxProperties"),
    }
)


def check_schema(schema: Any, where: str = "$", depth: int = 0) -> None:
    """Make sure that `schema_result` understands all of a schema.

    Raises:
        ValueError: an unknown keyword or a value that makes no sense there; the message says where.
    """
    if isinstance(schema, bool):
        return
    if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
        raise ValueError(f"{where}: a schema is an object or true or false, at most {_MAX_DEPTH} levels deep")
    for key, value in schema.items():
        if key in _ANNOTATIONS:
            continue
        if key in _SUBSCHEMAS or (key == "additionalProperties" and not isinstance(value, bool)):
            check_schema(value, f"{where}.{key}", depth + 1)
        elif key in _SUBSCHEMA_LISTS and isinstance(value, list) and value:
            for number, each in enumerate(value):
                check_schema(each, f"{where}.{key}[{number}]", depth + 1)
        elif key == "properties" and isinstance(value, Mapping):
            for name, each in value.items():
                check_schema(each, f"{where}.properties.{name}", depth + 1)
        elif not _makes_sense(key, value):
            raise ValueError(f"{where}: {key!r} is not supported, or cannot be {str(value)[:60]!r}")


def schema_result(value: Any, schema: Any) -> tuple[int, list[str]]:
    """How many demands a schema makes on a value, and those that are not met, in words with their place.

    The schema must have passed `check_schema`. Alternatives (`anyOf`, `oneOf`, `not`) are one demand each.

    >>> schema_result({"a": "x"}, {"type": "object", "required": ["a", "b"], "properties": {"a": {"type": "integer"}}})
    (4, ['$: b is missing', '$.a: not integer'])
    """
    problems: list[str] = []
    return _examine(value, schema, "$", problems), problems


def _makes_sense(key: str, value: Any) -> bool:
    if key == "type":
        kinds = value if isinstance(value, list) else [value]
        return bool(kinds) and all(isinstance(kind, str) and kind in _IS_TYPE for kind in kinds)
    if key == "enum":
        return isinstance(value, list) and bool(value)
    if key == "required":
        return isinstance(value, list) and all(isinstance(name, str) for name in value)
    if key in _COUNTS:
        return type(value) is int and value >= 0
    if key in _NUMBERS:
        return _is_number(value) and (key != "multipleOf" or value > 0)
    return key == "const" or (key in ("uniqueItems", "additionalProperties") and isinstance(value, bool))


def _examine(value: Any, schema: Any, where: str, problems: list[str]) -> int:
    if isinstance(schema, bool):
        if not schema:
            problems.append(f"{where}: not allowed")
        return 1
    own = [*_values(value, schema), *_limits(value, schema), *_alternatives(value, schema)]
    problems += [f"{where}: {problem}" for met, problem in own if not met]
    demands = len(own) + sum(_examine(value, each, where, problems) for each in schema.get("allOf", ()))
    return demands + _examine_parts(value, schema, where, problems)


def _values(value: Any, schema: Mapping[str, Any]) -> list[Demand]:
    found: list[Demand] = []
    if "type" in schema:
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        found.append((any(_IS_TYPE[kind](value) for kind in kinds), f"not {' or '.join(kinds)}"))
    if "const" in schema:
        found.append((_same(value, schema["const"]), f"not {str(schema['const'])[:60]!r}"))
    if "enum" in schema:
        found.append((any(_same(value, each) for each in schema["enum"]), f"not one of {str(schema['enum'])[:60]}"))
    return found


def _limits(value: Any, schema: Mapping[str, Any]) -> list[Demand]:
    found = [
        (_LIMITS[key](value, schema[key]), f"{key} {schema[key]} is not kept")
        for kind, keys in _LIMITED.items()
        if _IS_TYPE[kind](value)
        for key in keys
        if key in schema
    ]
    if isinstance(value, dict):
        found += [(name in value, f"{name} is missing") for name in schema.get("required", ())]
    return found


def _alternatives(value: Any, schema: Mapping[str, Any]) -> list[Demand]:
    found: list[Demand] = []
    if "anyOf" in schema:
        found.append((_fitting(value, schema["anyOf"]) >= 1, "fits none of anyOf"))
    if "oneOf" in schema:
        fitting = _fitting(value, schema["oneOf"])
        found.append((fitting == 1, f"fits {fitting} of oneOf"))
    if "not" in schema:
        found.append((_fitting(value, [schema["not"]]) == 0, "fits what it must not"))
    return found


def _fitting(value: Any, schemas: Sequence[Any]) -> int:
    return sum(not schema_result(value, each)[1] for each in schemas)


def _examine_parts(value: Any, schema: Mapping[str, Any], where: str, problems: list[str]) -> int:
    demands = 0
    if isinstance(value, list) and "items" in schema:
        for number, each in enumerate(value):
            demands += _examine(each, schema["items"], f"{where}[{number}]", problems)
    if isinstance(value, dict):
        known = schema.get("properties", {})
        others = schema.get("additionalProperties", True)
        for name, each in value.items():
            if name in known:
                demands += _examine(each, known[name], f"{where}.{name}", problems)
            elif others is not True:
                demands += _examine(each, others, f"{where}.{name}", problems)
    return demands


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON values: 1 equals 1.0, and true is no number."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return (type(one) is type(other) and one == other) or (_is_number(one) and _is_number(other) and one == other)
