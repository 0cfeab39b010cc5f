import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from pairsmith.errors import InputError
from pairsmith.formats.rows import BadRow, Row
from pairsmith.formats.shard_writing import NOWHERE, Route, write_shard
from pairsmith.formats.shards import first_rows, open_shard, pieces_of, read_piece
from pairsmith.formats.text_fields import choose_fields, guess_fields, prompt_text, row_texts

NOTE = {"benchmark": "b", "item": 3, "field": "prompt", "method": "exact", "score": 1.0, "span": "how many"}


def rows_of(path: Path, piece_bytes: int = 1 << 20) -> list[tuple[int, object]]:
    """Line in the file and content of every row."""
    found: list[tuple[int, object]] = []
    begin = 0
    for piece in pieces_of(open_shard(path, path.name), piece_bytes):
        for row in read_piece(piece):
            if isinstance(row, int):
                begin += row
            else:
                content = row.values if isinstance(row, Row) else row.reason
                found.append((begin + row.line, content))
    return found


def nothing_routed(**more: object) -> Route:
    return Route(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int16), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_pieces_hold_every_row_once(tmp_path, end, last):
    lines = [json.dumps({"n": n, "text": "x" * (n % 37)}).encode() for n in range(200)]
    lines[50] = b""
    lines[60] = b"{broken"
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + end.join(lines) + (end if last else b""))
    whole = rows_of(path)
    assert [line for line, _ in whole] == [n + 1 for n in range(200) if n != 50]
    assert dict(whole)[61] == "invalid_json"
    for piece_bytes in (1, 7, 100, 1000):
        assert rows_of(path, piece_bytes) == whole


def test_a_line_longer_than_a_piece_is_in_one_piece(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"text": "y" * size}) + "\n" for size in (5, 500, 5, 5)))
    assert len(pieces_of(open_shard(path, "rows.jsonl"), 40)) < 4
    assert [line for line, _ in rows_of(path, 40)] == [1, 2, 3, 4]


def test_parquet_is_cut_by_row_groups_and_read_by_columns(tmp_path):
    path = tmp_path / "rows.parquet"
    table = pyarrow.table({"prompt": [f"p{n}" for n in range(50)], "other": list(range(50))})
    parquet.write_table(table, path, row_group_size=20)
    shard = open_shard(path, "rows.parquet")
    assert len(pieces_of(shard)) == 3
    assert [line for line, _ in rows_of(path)] == list(range(1, 51))
    first = next(iter(read_piece(pieces_of(shard)[1], ["prompt", "absent"])))
    assert isinstance(first, Row)
    assert first.values == {"prompt": "p20"}
    assert sum(isinstance(row, Row) for row in read_piece(pieces_of(shard)[2], ["absent"])) == 10


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz", "rows.jsonl.zst"])
def test_what_is_kept_stays_byte_for_byte(tmp_path, name):
    lines = [b'{"a": 1.50, "b":"\\u00e9"}', b"", b'  {"a":2}  ', b'{"a": 3, "huge": 12345678901234567890}', b"{}"]
    raw = b"\n".join(lines) + b"\n"
    path = tmp_path / name
    if name.endswith("zst"):
        with pyarrow.CompressedOutputStream(pyarrow.OSFile(str(path), "wb"), "zstd") as file:
            file.write(raw)
    else:
        path.write_bytes(gzip.compress(raw) if name.endswith("gz") else raw)
    shard = open_shard(path, name)
    route = Route(np.array([3, 4]), np.array([NOWHERE, 1], dtype=np.int16))
    one, two = tmp_path / "one" / name, tmp_path / "two" / name
    assert write_shard(shard, [one, two], route) == [2, 1]
    again = open_shard(one, name)
    assert again.packed == shard.packed
    assert [row.values for row in read_piece(pieces_of(again)[0]) if isinstance(row, Row)] == [{"a": 1.5, "b": "é"}, {}]
    assert rows_of(two) == [(1, {"a": 3, "huge": 12345678901234567890})]
    if name == "rows.jsonl":
        assert one.read_bytes() == lines[0] + b"\n{}\n"
    before = one.read_bytes()
    write_shard(shard, [one, two], route)
    assert one.read_bytes() == before  # nothing of the clock in it


def test_a_note_is_one_more_field_and_changes_no_other_byte(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": 1.50}\r\n{}\n{"contamination": "old", "a": 2}\n{"a": "says \\"contamination\\""}\n')
    out = tmp_path / "out.jsonl"
    write_shard(open_shard(path, "rows.jsonl"), [out], nothing_routed(notes={1: NOTE, 2: NOTE}, noted=True))
    lines = out.read_bytes().splitlines()
    assert lines[0].startswith(b'{"a": 1.50, "contamination": {"benchmark": "b"')
    parsed = [json.loads(line) for line in lines]
    assert parsed[1] == {"contamination": NOTE}
    assert parsed[2] == {"contamination": None, "a": 2}
    assert parsed[3] == {"a": 'says "contamination"', "contamination": None}


def test_parquet_keeps_its_columns_types_and_compression(tmp_path):
    path = tmp_path / "rows.parquet"
    messages = [[{"role": "user", "content": f"hi {n}"}] for n in range(10)]
    table = pyarrow.table({"messages": messages, "score": pyarrow.array(range(10), pyarrow.int16())})
    table = table.replace_schema_metadata({"huggingface": "{}", "mine": "kept"})
    parquet.write_table(table, path, row_group_size=4, compression="gzip")
    shard = open_shard(path, "rows.parquet")
    out = tmp_path / "out.parquet"
    assert write_shard(shard, [out], Route(np.array([2, 9]), np.full(2, NOWHERE, dtype=np.int16))) == [8]
    kept = parquet.read_table(out)
    assert kept.schema.equals(parquet.read_schema(path), check_metadata=True)
    assert kept.to_pylist() == [row for n, row in enumerate(table.to_pylist(), start=1) if n not in (2, 9)]
    assert parquet.ParquetFile(out).metadata.row_group(0).column(0).compression == "GZIP"
    write_shard(shard, [out], nothing_routed(notes={3: NOTE}, noted=True))
    flagged = parquet.read_table(out)
    assert flagged.column("contamination").to_pylist() == [None, None, NOTE] + [None] * 7
    assert flagged.schema.metadata == {b"mine": b"kept"}  # the list of features would no longer be true


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("rows.jsonl", b'[{"a": 1}]', "JSON array"),
        ("rows.csv", b"a,b\n1,2\n", "CSV"),
        ("rows.jsonl", b'{\n "a": 1\n}\n', "one JSON object per line"),
        ("rows.jsonl", b"", "is empty"),
        ("rows.parquet", b"PAR1 and then nonsense", "damaged"),
        ("rows.jsonl", '{"a": 1}'.encode("utf-16"), "UTF-16"),
    ],
)
def test_other_files_are_refused_by_name(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        first_rows(open_shard(path, name))


def test_a_torn_last_line_is_a_bad_row(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": 1}\n{"a": ')
    rows = list(read_piece(pieces_of(open_shard(path, "rows.jsonl"))[0]))
    assert [row.reason for row in rows if isinstance(row, BadRow)] == ["torn_last_line"]


@pytest.mark.parametrize(
    ("row", "fields", "prompt"),
    [
        ({"prompt": "p", "chosen": "c", "rejected": "r", "text": "t"}, ["prompt", "chosen", "rejected"], "p"),
        ({"instruction": "do", "input": "this", "output": "x"}, ["prompt", "response", "input"], "do\n\nthis"),
        ({"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"},
                       {"role": "assistant", "content": "a"}]}, ["messages"], "u"),
        ({"conversations": [{"from": "human", "value": "u"}, {"from": "gpt", "value": "a"}]}, ["messages"], "u"),
        ({"chosen": "\n\nHuman: q\n\nAssistant: y", "rejected": "\n\nHuman: q\n\nAssistant: n"},
         ["chosen", "rejected"], "\n\nHuman: q"),
        ({"text": "just text", "id": 3}, ["text"], "just text"),
        ({"Prompt": [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}]},
         ["prompt"], "one\n\ntwo"),
    ],
)  # fmt: skip
def test_fields_are_guessed(row, fields, prompt):
    found = guess_fields([row], "here")
    assert list(found) == fields
    assert prompt_text(row, found) == prompt
    assert all(row_texts(row, found).values())


def test_fields_that_are_not_there_are_named():
    with pytest.raises(InputError, match="'foo', 'bar'"):
        guess_fields([{"foo": "x", "bar": 1}], "here")
    with pytest.raises(InputError, match="no field 'baz'"):
        choose_fields([{"foo": "x"}], ["baz"], "here")
    assert choose_fields([{"foo": "x"}], ["foo"], "here") == {"foo": "foo"}
