"""Files of every kind and in every bad state: rows, bad rows with their line, or one clear error."""

import gzip
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pairsmith
from pairsmith.errors import InputError
from pairsmith.formats import opening
from pairsmith.formats.files import read_rows
from pairsmith.formats.json_files import read_json
from pairsmith.formats.lines import MAX_LINE_BYTES, iter_lines
from pairsmith.formats.opening import ByteSource, sha256_of, verify
from pairsmith.formats.rows import ReadTally, Row
from tests.formats.helpers import read, write_jsonl

ROWS = [{"prompt": f"question {number}", "text": "é\u2028\u2029\u0085"} for number in range(5)]
LINES = [json.dumps(row, ensure_ascii=False).encode() for row in ROWS]


def source_of(data: bytes, at_a_time: int) -> ByteSource:
    left = [data]

    def some(size: int) -> bytes:
        taken, left[0] = left[0][: min(size, at_a_time)], left[0][min(size, at_a_time) :]
        return taken

    return ByteSource(Path("some-file"), some, None)


def error_of(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        list(read_rows(path))
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


# -- the file as a whole --------------------------------------------------------------------------------------------


def test_missing_file_folder_pipe_socket_device_and_loop_are_named(tmp_path: Path) -> None:
    assert "no such file" in error_of(tmp_path / "absent.jsonl")
    assert "folder" in error_of(tmp_path)
    os.mkfifo(tmp_path / "pipe.jsonl")
    assert "pipe" in error_of(tmp_path / "pipe.jsonl")
    (tmp_path / "loop.jsonl").symlink_to(tmp_path / "loop.jsonl")
    assert "leads back to itself" in error_of(tmp_path / "loop.jsonl")
    (tmp_path / "dangling.jsonl").symlink_to(tmp_path / "gone")
    assert "link" in error_of(tmp_path / "dangling.jsonl")
    assert "device" in error_of(Path("/dev/null"))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        assert "socket" in error_of(tmp_path / "s")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file_is_named(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "secret.jsonl", ROWS)
    path.chmod(0)
    assert "permission" in error_of(path)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.jsonl", b"", "empty"),
        ("a.jsonl", b"\n \n\t\r\n", "blank lines"),
        ("a.csv", b"prompt,category\n", "header"),
        ("a.csv", b"prompt,prompt\nx,y\n", "there twice"),
        ("a.json", b"[]", "no rows"),
        ("a.jsonl", "{}".encode("utf-16"), "iconv -f UTF-16"),
        ("a.jsonl", '{"prompt": "long enough"}'.encode("utf-16-le"), "iconv -f UTF-16"),
        ("a.jsonl", "{}".encode("utf-32"), "iconv -f UTF-32"),
        ("a.jsonl", b'{"prompt": "long enough"}'.decode().encode("utf-32-be"), "iconv -f UTF-32"),
        ("a.jsonl", b"prompt,category\nx,y\n", ".csv"),
        ("a.csv", b'{"prompt": "x"}\n', ".jsonl"),
        ("a.parquet", b'{"prompt": "x"}\n', "not Parquet"),
        ("a.jsonl", b"PAR1....", "is Parquet"),
        ("a.zip", b"PK\x03\x04....", "zip"),
        ("a.jsonl.bz2", b"BZh9....", "bunzip2"),
        ("a.dat", b"hello\n", "cannot tell"),
        ("a.json", b'{\n  "prompt": "x"\n}\n', "pretty-printed"),
        ("a.jsonl", b'{\n "prompt": "x"\n}\n{\n "prompt": "y"\n}\n', "pretty-printed"),
        ("a.json", b'{\n "data": [{"a": 1}], "rows": [{"a": 1}]\n}', "jq"),
    ],
)
def test_unusable_files_say_why_and_what_to_do(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert said in error_of(path)


# -- lines ----------------------------------------------------------------------------------------------------------


@given(st.binary(max_size=60).map(lambda data: data.replace(b"\x01", b"\n")), st.integers(1, 9))
def test_lines_are_those_of_split_however_the_bytes_arrive(data: bytes, at_a_time: int) -> None:
    lines = list(iter_lines(source_of(data, at_a_time)))
    expected = data.split(b"\n")
    assert [line.data for line in lines] == (expected if expected[-1] else expected[:-1])
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))
    assert [line.ended for line in lines] == [True] * data.count(b"\n") + [False] * bool(expected[-1])


@given(st.lists(st.integers(0, 12), max_size=8), st.integers(1, 9))
def test_lines_beyond_the_cap_lose_their_data_and_nothing_else(sizes: list[int], at_a_time: int) -> None:
    data = b"".join(b"x" * size + b"\n" for size in sizes)
    lines = list(iter_lines(source_of(data, at_a_time), cap=6))
    assert [line.data for line in lines] == [b"x" * size if size <= 6 else None for size in sizes]


def test_a_line_beyond_16_mib_is_refused_and_the_next_is_read(tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b'{"prompt": "' + b"x" * MAX_LINE_BYTES + b'"}\n' + LINES[0] + b"\n")
    rows, bad, _ = read(path)
    assert [(row.line, row.reason) for row in bad] == [(1, "line_too_long")]
    assert [(row.line, row.values) for row in rows] == [(2, ROWS[0])]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("last_end", [True, False])
def test_line_ends_of_all_systems_give_the_same_rows(tmp_path: Path, end: bytes, last_end: bool) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(end.join(LINES) + end * last_end)
    rows, bad, tally = read(path)
    assert [row.values for row in rows] == ROWS
    assert not bad
    assert bool(tally.notes["carriage_returns"]) == (end != b"\n")
    assert tally.notes["no_final_newline"] == (not last_end)


def test_blank_lines_are_counted_and_keep_line_numbers_right(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n" + LINES[0] + b"\n  \r\n\n" + LINES[1])
    rows, _, tally = read(path)
    assert [row.line for row in rows] == [2, 5]
    assert (tally.rows, tally.blank) == (2, 3)


def test_byte_order_mark_is_not_part_of_the_first_key(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + LINES[0])
    rows, _, tally = read(path)
    assert rows[0].values == ROWS[0]
    assert tally.notes["byte_order_mark"] == 1


# -- JSON in other layouts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a"])
@pytest.mark.parametrize("indent", [None, 2])
def test_json_arrays_under_any_name(tmp_path: Path, name: str, indent: int | None) -> None:
    path = tmp_path / name
    path.write_text(json.dumps(ROWS, indent=indent), encoding="utf-8")
    rows, bad, _ = read(path)
    assert [row.values for row in rows] == ROWS
    assert [row.line for row in rows] == [1, 2, 3, 4, 5]
    assert not bad


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("padding", [10, 100_000])
def test_an_object_that_holds_one_list_of_rows(tmp_path: Path, indent: int | None, padding: int) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"version": "x" * padding, "data": [*ROWS, 5]}, indent=indent), encoding="utf-8")
    rows, bad, _ = read(path)
    assert [row.values for row in rows] == ROWS
    assert [(row.line, row.reason) for row in bad] == [(6, "not_an_object")]


def test_a_single_row_is_not_taken_for_a_container(tmp_path: Path) -> None:
    row = {"messages": [{"role": "user", "content": "x"}]}
    rows, _, _ = read(write_jsonl(tmp_path / "a.jsonl", [row]))
    assert [each.values for each in rows] == [row]


def test_lists_on_lines_of_their_own_are_bad_rows_not_an_array(tmp_path: Path) -> None:
    rows, bad, _ = read(write_jsonl(tmp_path / "a.jsonl", [[1], ROWS[0]]))
    assert [row.reason for row in bad] == ["not_an_object"]
    assert [row.values for row in rows] == [ROWS[0]]


JSON_TEXT = st.text(st.sampled_from('a"\\[]{},: é'), max_size=8)


@given(
    st.lists(st.dictionaries(JSON_TEXT, JSON_TEXT | st.lists(JSON_TEXT, max_size=2), max_size=3), min_size=1, max_size=5),
    st.integers(1, 7),
    st.sampled_from([None, 1]),
)
def test_elements_of_an_array_are_found_however_the_bytes_arrive(
    values: list[dict[str, object]], at_a_time: int, indent: int | None
) -> None:
    data = json.dumps(values, indent=indent, ensure_ascii=False).encode()
    rows = list(read_json(source_of(data, at_a_time), ReadTally()))
    assert [row.values for row in rows if isinstance(row, Row)] == values


@pytest.mark.parametrize(
    ("data", "good", "reasons"),
    [
        (b'[{"a": 1}, {"a": 2,}, {"a": 3}]', 2, ["invalid_json"]),
        (b'[{"a": 1}, {"a": 2}, {"a', 2, ["torn_last_line"]),
        (b'[{"a": 1}, {"a": 2}', 2, []),
        (b'[{"a": 1}, ', 1, []),
        (b'[{"a": 1},]', 1, ["invalid_json"]),
        (b'[{"a": 1}, "x", [2]]', 1, ["not_an_object", "not_an_object"]),
        (b'[{"a": 1}] [{"a": 2}]', 1, ["invalid_json"]),
    ],
)
def test_damaged_arrays_keep_the_rows_that_are_whole(
    tmp_path: Path, data: bytes, good: int, reasons: list[str]
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(data)
    rows, bad, _ = read(path)
    assert (len(rows), [row.reason for row in bad]) == (good, reasons)


# -- compression ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl", "a.csv.gz"])
def test_gzip_is_recognised_by_content(tmp_path: Path, name: str) -> None:
    content = b"prompt\nx\n" if "csv" in name else b"\n".join(LINES)
    path = tmp_path / name
    half = len(content) // 2
    path.write_bytes(gzip.compress(content[:half]) + gzip.compress(content[half:]))  # members are joined
    rows, bad, _ = read(path)
    assert len(rows) == (1 if "csv" in name else 5)
    assert not bad


def test_zstd_is_recognised_by_content(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", exc_type=ImportError)
    for name in ("a.jsonl.zst", "b.jsonl"):
        path = tmp_path / name
        with pyarrow.CompressedOutputStream(str(path), "zstd") as file:
            file.write(b"\n".join(LINES))
        rows, _, _ = read(path)
        assert [row.values for row in rows] == ROWS
    path.write_bytes(path.read_bytes()[:-9])
    error_of(path)


@pytest.mark.parametrize("cut", [5, 30, -5])
def test_a_cut_off_gzip_file_is_never_taken_for_complete(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n".join(LINES))[:cut])
    assert "copy it again" in error_of(path)
    with pytest.raises(InputError):
        verify(path)


def test_a_bomb_is_stopped(tmp_path: Path) -> None:
    path = tmp_path / "bomb.jsonl.gz"
    with gzip.open(path, "wb", compresslevel=6) as file:
        for _ in range(opening.RATIO_MATTERS_FROM_BYTES // 2**20 + 2):
            file.write(b"x" * 2**20)
    with pytest.raises(InputError, match="bomb"):
        verify(path)
    assert "bomb" in error_of(path)


def test_without_pyarrow_the_extra_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1....PAR1")
    (tmp_path / "a.jsonl.zst").write_bytes(b"\x28\xb5\x2f\xfd....")
    program = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from pathlib import Path\nfrom pairsmith.errors import MissingExtra\n"
        "from pairsmith.formats.files import read_rows\n"
        "for name in ('a.parquet', 'a.jsonl.zst'):\n"
        "    try:\n        list(read_rows(Path(name)))\n"
        "    except MissingExtra as error:\n        assert \"pip install 'pairsmith[arrow]'\" in str(error)\n"
        "    else:\n        raise AssertionError(name)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(pairsmith.__file__).parents[1])}
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, check=True)


# -- tables and texts -----------------------------------------------------------------------------------------------


def test_csv_keeps_quoted_line_ends_and_names_short_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(
        b'\xef\xbb\xbfid, prompt \r\n1,"one\r\ntwo, ""quoted"""\r\n\r\n2\r\n3,x,y\r\n4,bare " quote\r\n5,\xff\r\n6,last'
    )
    rows, bad, tally = read(path)
    assert [(row.line, row.values) for row in rows] == [
        (2, {"id": "1", "prompt": 'one\r\ntwo, "quoted"'}),
        (7, {"id": "4", "prompt": 'bare " quote'}),
        (9, {"id": "6", "prompt": "last"}),
    ]
    assert [(row.line, row.reason) for row in bad] == [
        (5, "too_few_columns"),
        (6, "too_many_columns"),
        (8, "invalid_utf8"),
    ]
    assert tally.blank == 1


def test_a_quote_that_never_closes_is_one_bad_row(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('prompt,note\nx,y\n"open,z\nq,r\n')
    rows, bad, _ = read(path)
    assert [row.line for row in rows] == [2]
    assert [(row.line, row.reason) for row in bad] == [(3, "invalid_csv")]
    assert "lines 3 to 4" in bad[0].detail


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.tsv", 'prompt\tnote\nsay "hi"\t"odd\n'),
        ("tabs.csv", 'prompt\tnote\nsay "hi"\t"odd\n'),
        ("semicolons.csv", 'prompt;note\n"say ""hi""";"""odd"\n'),
    ],
)
def test_separators_are_told_from_the_header(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    rows, bad, _ = read(tmp_path / name)
    assert [row.values for row in rows] == [{"prompt": 'say "hi"', "note": '"odd'}]
    assert not bad


def test_csv_fields_longer_than_the_limit_of_the_standard_library(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("prompt\n" + "x" * 300_000 + "\n")
    rows, _, _ = read(tmp_path / "a.csv")
    assert len(rows[0].values["prompt"]) == 300_000


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", exc_type=ImportError)
    parquet = pytest.importorskip("pyarrow.parquet", exc_type=ImportError)
    rows = [
        {"prompt": [{"role": "user", "content": "x"}], "score": 0.5, "raw": b"12"},
        {"prompt": None, "score": float("nan"), "raw": None},
        {"prompt": None, "score": float("inf"), "raw": None},
    ]
    path = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    found, bad, _ = read(path)
    assert [row.values for row in found] == [
        {**rows[0], "raw": "<2 bytes>"},
        {"prompt": None, "score": None, "raw": None},
    ]
    assert [(row.line, row.reason) for row in bad] == [(3, "not_a_number")]
    path.write_bytes(path.read_bytes()[:200])
    assert "damaged" in error_of(path)


def test_text_is_one_prompt_per_line(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("  erste Frage ä \r\n\nsecond\u2028still second\n".encode() + b"\xff\nnul\0\n")
    rows, bad, tally = read(path)
    assert [row.values["text"] for row in rows] == ["erste Frage ä", "second\u2028still second"]
    assert [(row.line, row.reason) for row in bad] == [(4, "invalid_utf8"), (5, "nul_character")]
    assert tally.blank == 1


def test_any_file_can_be_taken_as_text(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", ROWS[:1])
    rows, _, _ = read(path, as_text=True)
    assert rows[0].values["text"] == LINES[0].decode()


def test_sha256_is_that_of_the_bytes_on_disk(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_of(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize(
    ("file", "rows"),
    [
        ("benchmarks/openbookqa_test.tsv", 500),
        ("benchmarks/TruthfulQA.csv.gz", 817),
        ("benchmarks/mbpp.jsonl.gz", 974),
        ("benchmarks/SVAMP.json", 1000),
        ("benchmarks/bbh/geometric_shapes.json", 250),
        ("benchmarks/bbh/boolean_expressions.json", 250),
        ("prompts/xstest_prompts.csv", 279),
        ("prompts/gpteacher/codegen-instruct.json.gz", 2764),
    ],
)
def test_real_files_are_read_to_the_last_row(shared_data: Path, file: str, rows: int) -> None:
    good, bad, _ = read(shared_data / file)
    assert (len(good), len(bad)) == (rows, 0)


def test_tab_separated_files_named_csv(shared_data: Path) -> None:
    files = sorted((shared_data / "preferences/ukpconvarg1/Strict-CSV").glob("*.csv"))
    results = [read(file) for file in files]
    assert sum(len(good) for good, _, _ in results) == 6721
    assert not any(bad for _, bad, _ in results)
