"""Every engine writes the same bytes; a worker that dies changes nothing; memory does not grow with the files."""

import filecmp
import json
import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.watching import KillOne, watch

ITEM = "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. How many in all?"


def write_shards(folder: Path, shards: int, rows: int, *, words: int = 30, seed: int = 1) -> None:
    """Files of preference rows; every tenth prompt is an edited earlier one, a few repeat the benchmark."""
    rng = random.Random(seed)
    vocabulary = [f"w{n:x}" for n in range(20000)]
    (folder / "in").mkdir(parents=True)
    prompts: list[list[str]] = []
    for shard in range(shards):
        with (folder / "in" / f"s{shard:03}.jsonl").open("w") as file:
            for row in range(rows):
                tokens = rng.choices(vocabulary, k=words)
                if prompts and rng.random() < 0.1:
                    tokens = list(rng.choice(prompts))
                    tokens[rng.randrange(words)] = "changed"
                prompts = [*prompts[-200:], tokens]
                text = ITEM if rng.random() < 0.002 else " ".join(tokens)
                answers = [" ".join(rng.choices(vocabulary, k=2 * words)) for _ in range(2)]
                values = {"id": f"{shard}-{row}", "prompt": text, "chosen": answers[0], "rejected": answers[1]}
                file.write(json.dumps({**values, "category": rng.choice("abc")}) + "\n")
    (folder / "bench.jsonl").write_text(json.dumps({"question": ITEM}) + "\n")


COMMANDS = {
    "decontaminate": ["decontaminate", "in", "--against", "bench.jsonl"],
    "flag": ["decontaminate", "in", "--against", "bench.jsonl", "--mode", "flag"],
    "dedup": ["dedup", "in", "--field", "prompt"],
    "split": ["split", "in", "--parts", "train=0.7,validation=0.2,test=0.1"],
}


def assert_same(one: Path, other: Path) -> None:
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(other) for path in other.rglob("*") if path.is_file())
    assert files
    _, different, unreadable = filecmp.cmpfiles(one, other, files, shallow=False)
    assert (different, unreadable) == ([], [])


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_every_engine_writes_the_same_bytes(tmp_path, name):
    pytest.importorskip("ray", reason="the extra ray is not installed")
    write_shards(tmp_path, 6, 400)
    for engine in ("serial", "processes", "ray"):
        ended = watch([*COMMANDS[name], "-o", engine, "--engine", engine, "--workers", "2"], tmp_path)
        assert (ended.code, ended.left_over) == (0, 0), ended.output
    assert_same(tmp_path / "serial", tmp_path / "processes")
    assert_same(tmp_path / "serial", tmp_path / "ray")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "engine", "process"),
    [
        ("decontaminate", "ray", "ray::_scan_piece"),
        ("dedup", "ray", "ray::_sign_piece"),
        ("split", "ray", "ray::_sign_piece"),
        ("dedup", "processes", "spawn_main"),
    ],
)
def test_a_worker_killed_in_the_middle_changes_nothing(tmp_path, name, engine, process):
    if engine == "ray":
        pytest.importorskip("ray", reason="the extra ray is not installed")
    write_shards(tmp_path, 8, 3000)
    assert watch([*COMMANDS[name], "-o", "serial", "--engine", "serial"], tmp_path).code == 0
    kill = KillOne(process)
    ended = watch([*COMMANDS[name], "-o", "killed", "--engine", engine, "--workers", "2"], tmp_path, kill)
    assert kill.killed
    assert (ended.code, ended.left_over) == (0, 0), ended.output
    assert_same(tmp_path / "serial", tmp_path / "killed")


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["serial", "processes", "ray"])
@pytest.mark.parametrize("name", ["decontaminate", "dedup", "split"])
def test_ten_times_the_rows_need_the_same_memory(tmp_path, name, engine):
    """A file of 8 MB and one of 80 MB, 600 characters to a row."""
    if engine == "ray":
        pytest.importorskip("ray", reason="the extra ray is not installed")
    peaks = []
    write_shards(tmp_path / "small", 1, 13_000)
    (tmp_path / "large" / "in").mkdir(parents=True)
    (tmp_path / "large" / "bench.jsonl").write_bytes((tmp_path / "small" / "bench.jsonl").read_bytes())
    rows = (tmp_path / "small" / "in" / "s000.jsonl").read_bytes()
    with (tmp_path / "large" / "in" / "s000.jsonl").open("wb") as file:
        for copy in range(10):
            file.write(rows.replace(b" w", b" %d" % copy))  # other words, so other rows
    for size in ("small", "large"):
        ended = watch([*COMMANDS[name], "-o", "out", "--engine", engine, "--workers", "2"], tmp_path / size)
        assert (ended.code, ended.left_over) == (0, 0), ended.output
        peaks.append(dict(ended.peak_mb))
    whole = [max(peak.values()) for peak in peaks]
    assert whole[1] <= 1.25 * whole[0] + 40, peaks


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["serial", "processes"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_command_that_is_stopped_leaves_nothing_behind(tmp_path, engine, number, code):
    write_shards(tmp_path, 6, 8000)
    before = sorted(path.name for path in tmp_path.iterdir())
    stopped: list[int] = []

    def stop(processes: dict[int, str]) -> None:
        working = list(tmp_path.glob(".out.partial-*/.spill/runs/*"))
        drivers = [pid for pid, line in processes.items() if "-m pairsmith" in line]
        if working and drivers and not stopped:
            stopped.append(drivers[0])
            os.kill(drivers[0], number)
            time.sleep(0.2)

    ended = watch([*COMMANDS["dedup"], "-o", "out", "--engine", engine, "--workers", "2"], tmp_path, stop)
    assert stopped
    assert (ended.code, ended.left_over) == (code, 0), ended.output
    assert ended.output.startswith("error: ")
    assert "Traceback" not in ended.output
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*before, "output.txt"])
