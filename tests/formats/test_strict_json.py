"""JSON that Python would accept, change or choke on is refused with a reason of its own."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairsmith.formats.rows import BadRow, Row
from pairsmith.formats.strict_json import MAX_KEYS, JsonProblem, parse_row, parse_value

REFUSED = [
    (b'{"a": 1,}', "invalid_json"),
    (b"{'a': 1}", "invalid_json"),
    (b'{"a": 1} // why', "invalid_json"),
    (b'{"a": NaN}', "not_a_number"),
    (b'{"a": -Infinity}', "not_a_number"),
    (b'{"a": 1e999}', "number_out_of_range"),
    (b'{"a": ' + b"9" * 5000 + b"}", "number_out_of_range"),
    (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested_too_deep"),
    (b'{"a": ' + b"[" * 65 + b"]" * 65 + b"}", "nested_too_deep"),
    (b'{"a": 1, "a": 1}', "duplicate_key"),
    (b'{"a": {"b": 1, "b": 2}}', "duplicate_key"),
    (b'{"a": "\\ud83d"}', "lone_surrogate"),
    (b'{"a\\udc00": 1}', "lone_surrogate"),
    (b'{"a": ["x\\u0000"]}', "nul_character"),
    (b'{"a": "x\0"}', "nul_character"),
    (b'{"a": "x\x07"}', "control_character"),
    (b'{"a": "x\ty"}', "control_character"),
    (b'{"a": "\xff"}', "invalid_utf8"),
    (b'{"a": 1} {"a": 2}', "several_objects"),
    (json.dumps({str(key): 0 for key in range(MAX_KEYS + 1)}).encode(), "too_many_keys"),
    (b"[1]", "not_an_object"),
    (b"null", "not_an_object"),
    (b'"text"', "not_an_object"),
]


@pytest.mark.parametrize(("data", "reason"), REFUSED, ids=[f"{reason}-{at}" for at, (_, reason) in enumerate(REFUSED)])
def test_refused_with_its_reason(data: bytes, reason: str) -> None:
    row = parse_row(data, 7)
    assert isinstance(row, BadRow)
    assert (row.line, row.reason) == (7, reason)
    assert row.detail


def test_detail_names_the_byte_that_is_not_utf8() -> None:
    with pytest.raises(JsonProblem, match="0xff at offset 7"):
        parse_value(b'{"a": "\xff"}')


def test_only_an_unfinished_last_line_is_torn() -> None:
    assert getattr(parse_row(b'{"a": "b', 1, torn=True), "reason", "") == "torn_last_line"
    assert getattr(parse_row(b'{"a": NaN}', 1, torn=True), "reason", "") == "not_a_number"


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": "\\ud83d\\ude00"}',  # a whole pair of escapes is an emoji
        b'{"a": "' + b"[{" * 500 + b'"}',  # brackets in a text do not nest
        b'{"a": "\\"' + b"[" * 500 + b'"}',
        b'{"a": ' + b"[" * 63 + b"]" * 63 + b"}",
        '{"a": "one\u2028two\u0085"}'.encode(),
    ],
)
def test_accepted(data: bytes) -> None:
    row = parse_row(data, 1)
    assert isinstance(row, Row)
    assert row.values == json.loads(data)


@given(
    st.dictionaries(
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
            lambda inner: st.lists(inner, max_size=3),
            max_leaves=5,
        ),
        max_size=5,
    ),
    st.booleans(),
)
def test_what_is_json_comes_back_unchanged(values: dict[str, object], ascii_only: bool) -> None:
    row = parse_row(json.dumps(values, ensure_ascii=ascii_only).encode(), 1)
    assert isinstance(row, Row)
    assert row.values == values
