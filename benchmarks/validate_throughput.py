"""Rows per second of the validation of finished pairs, against parsing the same file and nothing else.

    python benchmarks/validate_throughput.py DATA [--rows 20000] [--rounds 5] [--quick]

DATA is a folder with `benchmarks/`, `candidates/`, `preferences/` and `prompts/`, whose texts make the pairs. Timed are
`json.loads` of every line, `training_metrics.validate_dpo_pairs` on the file (with and without the benchmarks of DATA),
and the stage `validate` on the same pairs in memory. They take turns; figures are medians of rows per CPU-second.
Prints a table, then one line of JSON.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contamination import corpus
from contamination_recall import benchmarks_in

from pairsmith.config import ValidateConfig
from pairsmith.formats.benchmarks import find_benchmarks, read_benchmark
from pairsmith.measures.compiled import has_numba
from pairsmith.measures.contamination import build_index, find_all
from pairsmith.records import Message, PreferencePair
from pairsmith.stages.validate import validate
from training_metrics import validate_dpo_pairs


def write(path: Path, data: Path, rows: int) -> list[PreferencePair]:
    """The pairs, also as a file of so many lines."""
    benchmarks = benchmarks_in(data)
    items = [item for _, each in benchmarks for item in each if item]
    found = corpus(data, build_index(benchmarks), items, rows * 0.004)[:rows]
    pairs = []
    with path.open("w", encoding="utf-8") as file:
        for number, texts in enumerate(found):
            gap = (number % 10 + 1) / 10
            file.write(json.dumps({**texts, "gap": gap}) + "\n")
            pairs.append(pair_of(number, texts, gap))
    return pairs


def pair_of(number: int, texts: dict[str, str], gap: float) -> PreferencePair:
    """A pair as `resolve` hands it on."""
    return PreferencePair(
        id=f"pair_{number:07}",
        prompt_id=f"prm_{number:07}",
        chosen_id=f"cnd_a{number:07}",
        rejected_id=f"cnd_b{number:07}",
        comparison_id=f"cmp_{number:07}",
        prompt=(Message("user", texts["prompt"]),),
        chosen=(Message("assistant", texts["chosen"]),),
        rejected=(Message("assistant", texts["rejected"]),),
        gap=gap,
    )


def parse(path: Path) -> int:
    """The least that reading the file can cost."""
    with path.open(encoding="utf-8") as file:
        return sum(1 for line in file if json.loads(line))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="2,000 rows, 2 rounds")
    options = parser.parse_args()
    rows, rounds = (2_000, 2) if options.quick else (options.rows, options.rounds)
    files = [path for path in find_benchmarks(options.data / "benchmarks") if path.parent.name != "bbh"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pairs.jsonl"
        pairs = write(path, options.data, rows)
        rows = len(pairs)
        loaded = [read_benchmark(each) for each in files]
        find_all(build_index([("warm", ["one two three four five six"])]), [{"prompt": "x"}], compiled=has_numba())
        ways: dict[str, Callable[[], Any]] = {
            "json.loads": lambda: parse(path),
            "validate_dpo_pairs, no benchmarks": lambda: validate_dpo_pairs(path, benchmarks=[]),
            "validate_dpo_pairs": lambda: validate_dpo_pairs(path, benchmarks=files),
            "stage validate": lambda: validate(ValidateConfig(), pairs, loaded, seed=1),
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                started = time.process_time()
                way()
                seconds[name].append(time.process_time() - started)
        size = path.stat().st_size / 1e6
    speeds = {name: rows / statistics.median(each) for name, each in seconds.items()}
    print(f"{rows} rows, {size:.0f} MB, {len(files)} benchmark files; load {os.getloadavg()[0]:.1f}")
    for name, value in speeds.items():
        low, high = rows / max(seconds[name]), rows / min(seconds[name])
        times = speeds["json.loads"] / value
        print(f"{name:>34} {value:10,.0f} rows per CPU-second ({low:,.0f} to {high:,.0f})  {times:5.1f} x a bare parse")
    print(json.dumps({"benchmark": "validate_throughput", "rows": rows, "mb": size, "rows_per_cpu_s": speeds}))


if __name__ == "__main__":
    main()
