"""Evaluation sets of many makers are read by one reader."""

import gzip
import json
from pathlib import Path

import pytest

from pairsmith.errors import InputError
from pairsmith.formats.benchmarks import find_benchmarks, read_benchmark
from pairsmith.measures.contamination import PART_SEPARATOR


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_every_real_benchmark_reads_with_the_rows_of_its_manifest(shared_data: Path) -> None:
    manifest = json.loads((shared_data / "MANIFEST.json").read_text(encoding="utf-8"))
    expected = {file["name"]: file["rows"] for file in manifest["files"] if file["kind"] == "benchmarks"}
    paths = find_benchmarks(shared_data / "benchmarks")
    assert sorted(str(path.relative_to(shared_data)) for path in paths) == sorted(expected)
    for path in paths:
        benchmark = read_benchmark(path)
        assert len(benchmark.items) == expected[str(path.relative_to(shared_data))], path
        assert all(benchmark.items), f"{path} has a row without a question"


@pytest.mark.parametrize(
    ("file", "name", "fields", "start"),
    [
        ("SVAMP.json", "SVAMP", ("Body", "Question"), "Each pack of dvds costs 76 dollars."),
        ("TruthfulQA.csv.gz", "TruthfulQA", ("Question",), "What happens to you if you eat watermelon seeds?"),
        ("HumanEval.jsonl.gz", "HumanEval", ("prompt",), "from typing import List"),
        ("openbookqa_test.tsv", "openbookqa_test", ("Question Stem",), "A person wants to start saving money"),
        ("bbh/date_understanding.json", "date_understanding", ("input",), "Today is Christmas Eve of 1937."),
        ("hellaswag_val_1000.jsonl.gz", "hellaswag_val_1000", ("ctx",), "Pole vault is a sport"),
        ("agieval/lsat-ar.jsonl.gz", "lsat-ar", ("passage", "question"), "Of the eight students"),
        ("mt_bench_question.jsonl", "mt_bench_question", ("turns",), "Compose an engaging travel blog post"),
    ],
)
def test_the_field_is_guessed_and_said(shared_data: Path, file: str, name: str, fields: tuple[str], start: str) -> None:
    benchmark = read_benchmark(shared_data / "benchmarks" / file)
    assert (benchmark.name, benchmark.fields) == (name, fields)
    assert benchmark.items[0].startswith(start)
    assert len(benchmark.sha256) == 64


def test_shapes_of_the_question(tmp_path: Path) -> None:
    path = write(
        tmp_path / "mixed.jsonl",
        {"question": {"stem": "What is hot?", "choices": [{"text": "fire"}]}},
        {"turns": ["One?", "Two?"]},
        {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi there"}]},
        {"Question": "Upper case"},
        {"instruction": "Translate.", "input": "chat"},
        {"answer": "no question at all"},
    )
    benchmark = read_benchmark(path, "mine")
    assert benchmark.items == (
        "What is hot?",
        f"One?{PART_SEPARATOR}Two?",
        "Hi there",
        "Upper case",
        "Translate.\nchat",
        "",
    )
    assert benchmark.name == "mine"
    assert benchmark.fields == ("question", "turns", "messages", "Question", "instruction", "input")


def test_unknown_fields_are_named_with_the_remedy(tmp_path: Path) -> None:
    path = write(tmp_path / "odd.jsonl", {"foo": "a", "bar": "b"})
    with pytest.raises(InputError, match=r"odd\.jsonl: no field .* 'foo', 'bar'.*Rename .* 'question'"):
        read_benchmark(path)


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_an_empty_benchmark_is_an_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "empty.jsonl"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"empty\.jsonl"):
        read_benchmark(path)


def test_a_damaged_row_is_an_error_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "torn.jsonl"
    path.write_text('{"question": "one"}\n{"question": \n{"question": "three"}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"torn\.jsonl:2: "):
        read_benchmark(path)


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", exc_type=ImportError)
    parquet = pytest.importorskip("pyarrow.parquet", exc_type=ImportError)
    path = tmp_path / "set.parquet"
    parquet.write_table(pyarrow.table({"id": [1, 2], "problem": ["one", "two"]}), path)
    assert read_benchmark(path).items == ("one", "two")


def test_finding_benchmarks(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.csv.gz").write_bytes(gzip.compress(b"question\nhi\n"))
    for name in ("a.jsonl", "README.md", ".hidden.jsonl", "notes.txt"):
        (tmp_path / name).write_text("x", encoding="utf-8")
    assert find_benchmarks(tmp_path) == [tmp_path / "a.jsonl", tmp_path / "deep" / "b.csv.gz"]
    assert find_benchmarks(tmp_path / "missing") == []
