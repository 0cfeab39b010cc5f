"""What each engine costs before it does anything, and from what size on it pays.

    python benchmarks/engines.py [--workers 2] [--rounds 3] [--mb 8 32 128] [--quick]

Fixed cost: an engine is opened, runs one empty task per worker and is closed, in a process of its own. Then
`decontaminate`, `dedup` and `split` run as commands on files of rows made here, the engines taking turns; wall seconds,
medians. The commands' serial CPU-seconds per MB give the size from which an engine could pay on cores that have
nothing else to do: fixed cost / (seconds per MB x (1 - 1 / workers)). Prints a table and a JSON line.
"""

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pairsmith
from pairsmith.engine import ENGINES

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(pairsmith.__file__).parents[1])}
COMMANDS = {
    "decontaminate": ["decontaminate", "in", "--against", "bench.jsonl"],
    "dedup": ["dedup", "in"],
    "split": ["split", "in"],
}
EMPTY = """
import time
from pairsmith.engine import open_engine
def nothing(shared, item):
    return item
if __name__ == "__main__":
    start = time.perf_counter()
    with open_engine({engine!r}, {workers}) as mapper:
        list(mapper(nothing, None, range(2 * {workers})))
    print(time.perf_counter() - start)
"""


def make_rows(folder: Path, megabytes: float, seed: int = 1) -> None:
    """Preference rows in eight files, about 700 bytes each; one prompt in ten is an edited earlier one."""
    rng = random.Random(seed)
    vocabulary = [f"{rng.choice('bcdfghklmnprst')}{rng.choice('aeiou')}{n:x}" for n in range(30_000)]
    benchmark = [" ".join(rng.choices(vocabulary, k=40)) for _ in range(1000)]
    (folder / "in").mkdir(parents=True)
    (folder / "bench.jsonl").write_text("".join(json.dumps({"question": text}) + "\n" for text in benchmark))
    prompts: list[list[str]] = []
    for shard in range(8):
        size = 0
        with (folder / "in" / f"s{shard}.jsonl").open("w") as file:
            while size < megabytes * 1e6 / 8:
                tokens = rng.choices(vocabulary, k=30)
                if prompts and rng.random() < 0.1:
                    tokens = list(rng.choice(prompts))
                    tokens[rng.randrange(30)] = "changed"
                prompts = [*prompts[-500:], tokens]
                prompt = rng.choice(benchmark) if rng.random() < 0.002 else " ".join(tokens)
                answers = [" ".join(rng.choices(vocabulary, k=30)) for _ in range(2)]
                row = {"prompt": prompt, "chosen": answers[0], "rejected": answers[1], "category": rng.choice("abc")}
                size += file.write(json.dumps(row) + "\n")


def fixed_cost(engine: str, workers: int, folder: Path) -> float:
    """Wall seconds to open an engine, run empty tasks and close it."""
    script = folder / "empty.py"
    script.write_text(EMPTY.format(engine=engine, workers=workers))
    ended = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=ENVIRONMENT, check=True)
    return float(ended.stdout.split()[-1])


def timed(command: str, engine: str, workers: int, folder: Path) -> tuple[float, float]:
    """Wall and (for the serial engine, complete) CPU-seconds of a command."""
    shutil.rmtree(folder / "out", ignore_errors=True)
    words = [*COMMANDS[command], "-o", "out", "--engine", engine, "--workers", str(workers), "-q"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "pairsmith", *words], cwd=folder, env=ENVIRONMENT, check=True)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mb", type=float, nargs="+", default=[8, 32, 128])
    parser.add_argument("--quick", action="store_true", help="8 MB, 1 round")
    options = parser.parse_args()
    sizes, rounds = ([8.0], 1) if options.quick else (options.mb, options.rounds)
    result: dict[str, object] = {"benchmark": "engines", "workers": options.workers, "load": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fixed = {
            engine: statistics.median(fixed_cost(engine, options.workers, folder) for _ in range(rounds))
            for engine in ENGINES
        }
        result["fixed_s"] = fixed
        for engine, seconds in fixed.items():
            print(f"{engine:>10}: {seconds:6.2f} s before it does anything")
        walls: dict[str, dict[str, float]] = {}
        pays: dict[str, dict[str, float]] = {}
        for size in sizes:
            work = folder / f"{size:g}"
            make_rows(work, size)
            for command in COMMANDS:
                taken: dict[str, list[tuple[float, float]]] = {engine: [] for engine in ENGINES}
                for _ in range(rounds):
                    for engine in ENGINES:
                        taken[engine].append(timed(command, engine, options.workers, work))
                wall = {engine: statistics.median(each[0] for each in times) for engine, times in taken.items()}
                cpu = statistics.median(each[1] for each in taken["serial"])
                walls[f"{command} {size:g} MB"] = {**wall, "serial_cpu": cpu}
                gain = cpu / size * (1 - 1 / options.workers)
                pays[command] = {engine: fixed[engine] / gain for engine in ENGINES if engine != "serial"}
                shown = "  ".join(f"{engine} {seconds:6.1f} s" for engine, seconds in wall.items())
                print(f"{command:>14} {size:6g} MB: {shown}   serial {cpu / size:.3f} CPU-s per MB")
        result |= {"wall_s": walls, "pays_from_mb": pays}
        for command, each in pays.items():
            print(
                f"{command:>14} could pay from: "
                + ", ".join(f"{engine} {size:,.0f} MB" for engine, size in each.items())
            )
    print(json.dumps(result))


if __name__ == "__main__":
    main()
