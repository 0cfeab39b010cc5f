"""How fast benchmark items are found, beside what people use instead: on one corpus, in one run.

    python benchmarks/contamination.py DATA [--megabytes 64] [--rounds 5] [--quick]

DATA is a folder with `benchmarks/`, `candidates/`, `preferences/` and `prompts/`. The corpus is made of their texts,
shuffled into pairs (a prompt and two responses, so all three fields are read), with a benchmark item hidden in 2 % of
them. The contestants take turns; figures are medians of MB of UTF-8 text per CPU-second (user and system, all threads
of the process). Sets and Polars answer less: whether any n-gram of any item occurs, not which item nor how much of it;
the set of 13-grams is the recipe of GPT-3, the set of 5-grams as tuples the fastest we could write in Python alone.
So does the kernel in C with SIMD (reference_kernel.c), which says what the processor could do; it reads the buffers.
Polars and C are left out where they are not installed. Prints a table, then one line of JSON.
"""

import argparse
import gc
import json
import os
import random
import re
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("POLARS_MAX_THREADS", "1")

import numpy as np
from contamination_recall import benchmarks_in, texts_in
from reference_kernel import reference_kernel

from pairsmith.measures.compiled import has_numba
from pairsmith.measures.contamination import ContaminationIndex, build_index, find_all, find_in_buffer
from pairsmith.measures.hashing import concatenate

BARS = {
    "MB per CPU-second": 50.0,
    "over polars": 3.0,
    "over a set": 10.0,
    "of C with SIMD": 0.4,
    "index and scan, MB": 300.0,
}
NGRAM = 5
HIDDEN = 0.02
WORD = re.compile("[a-z0-9]+")

Pair = dict[str, str]
Grams = set[tuple[str, ...]]
Strings = set[str]


def corpus(data: Path, index: ContaminationIndex, items: Sequence[str], megabytes: float, seed: int = 5) -> list[Pair]:
    """Pairs of the given size in all; some texts occur several times if DATA is smaller."""
    rng = random.Random(seed)

    def clean(texts: Sequence[str]) -> list[str]:
        hits = find_all(index, [{"text": text} for text in texts])
        return [text for text, hit in zip(texts, hits, strict=True) if not hit]

    prompts = clean(texts_in(data / "prompts", ("gpteacher", "oasst", "self_instruct", "arena")))
    responses = clean([text for text in texts_in(data, ("candidates", "preferences")) if len(text) >= 200])
    pairs: list[Pair] = []
    size = 0.0
    while size < megabytes * 1e6:
        pair = {"prompt": rng.choice(prompts), "chosen": rng.choice(responses), "rejected": rng.choice(responses)}
        if rng.random() < HIDDEN:
            field = rng.choice(sorted(pair))
            pair[field] += f"\n\n{rng.choice(items)}"
        size += sum(len(text.encode()) for text in pair.values())
        pairs.append(pair)
    return pairs


def grams_of(text: str, ngram: int) -> Grams:
    """The n-grams of a text as tuples: the fastest way to make them in Python."""
    tokens = WORD.findall(text.lower())
    return set(zip(*(tokens[start:] for start in range(ngram)), strict=False))


def joined_grams(text: str, ngram: int) -> Strings:
    """The n-grams of a text as strings: the usual way."""
    tokens = WORD.findall(text.lower())
    return {" ".join(tokens[start : start + ngram]) for start in range(len(tokens) - ngram + 1)}


def with_set(make: Callable[[str, int], set[Any]], ngram: int, items: Sequence[str]) -> Callable[[Sequence[Pair]], int]:
    """The usual loop: does any n-gram of any item occur."""
    known = set().union(*(make(item, ngram) for item in items))
    return lambda pairs: sum(any(not known.isdisjoint(make(text, ngram)) for text in pair.values()) for pair in pairs)


def with_polars(known: Any, pairs: Sequence[Pair]) -> int:
    """The same question as a semi-join of exploded n-grams."""
    import polars as pl

    texts = pl.LazyFrame({"text": [text for pair in pairs for text in pair.values()]}).with_row_index("row")
    tokens = texts.select("row", pl.col("text").str.to_lowercase().str.extract_all("[a-z0-9]+")).explode("text")
    shifted = tokens.with_columns(
        *(pl.col("text").shift(-step).alias(f"t{step}") for step in range(1, NGRAM)),
        last=pl.col("row").shift(1 - NGRAM),
    ).filter(pl.col("last") == pl.col("row"))
    grams = shifted.select("row", gram=pl.struct("text", *(f"t{step}" for step in range(1, NGRAM))).hash(1))
    rows = grams.join(known, on="gram", how="semi").select(pl.col("row") // 3).unique().collect()
    return int(rows.height)


def polars_grams(known: Grams) -> Any:
    """The n-grams as a frame of hashes."""
    import polars as pl

    columns = {"text" if not step else f"t{step}": [gram[step] for gram in known] for step in range(NGRAM)}
    return pl.LazyFrame(columns).select(gram=pl.struct(*columns).hash(1)).collect().lazy()


def buffer_hits(index: ContaminationIndex, columns: Sequence[tuple[Any, Any]]) -> int:
    """Contaminated pairs, read from one buffer of UTF-8 per field, as Arrow has them."""
    return len(set().union(*(find_in_buffer(index, data, offsets, compiled=True) for data, offsets in columns)))


def peak_mb() -> float:
    """Highest memory of this process since the last `forget_peak`; since its start where the system cannot tell."""
    try:
        status = Path("/proc/self/status").read_text()
        return int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) / 1024
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def forget_peak() -> None:
    """Start measuring the highest memory anew, on Linux."""
    if Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5")


def cpu_seconds(call: Callable[[], int]) -> tuple[float, int]:
    """What one call costs and gives."""
    started = time.process_time()
    result = call()
    return time.process_time() - started, result


def contestants(
    benchmarks: Sequence[tuple[str, list[str]]], index: ContaminationIndex
) -> dict[str, Callable[[Sequence[Pair]], int]]:
    """Name and function: how many pairs are contaminated."""

    def ours(compiled: bool) -> Callable[[Sequence[Pair]], int]:
        return lambda pairs: sum(hit is not None for hit in find_all(index, pairs, compiled=compiled))

    found = {"numba": ours(True)} if has_numba() else {}
    items = [item for _, each in benchmarks for item in each]
    found["numpy"] = ours(False)
    found["set of 13-grams"] = with_set(joined_grams, 13, items)
    found["set of 5-grams"] = with_set(grams_of, NGRAM, items)
    try:
        frame = polars_grams(set().union(*(grams_of(item, NGRAM) for item in items)))
        found["polars"] = lambda pairs: with_polars(frame, pairs)
    except ImportError:
        pass
    return found


def measure(data: Path, megabytes: float, rounds: int) -> dict[str, Any]:
    """All figures."""
    benchmarks = benchmarks_in(data)
    items = [item for _, each in benchmarks for item in each if item]
    pairs = corpus(data, build_index(benchmarks), items, megabytes)
    sizes = [sum(len(text.encode()) for text in pair.values()) for pair in pairs]
    total = sum(sizes) / 1e6
    find_all(build_index(benchmarks[:1]), pairs[:50], compiled=has_numba())  # compiles, or loads what was compiled
    gc.collect()
    forget_peak()
    before = peak_mb()
    started = time.process_time()
    index = build_index(benchmarks)
    seconds = time.process_time() - started
    find_all(index, pairs[: len(pairs) // 4], compiled=has_numba())
    memory = peak_mb() - before
    ways = contestants(benchmarks, index)
    columns = [concatenate([pair[field] for pair in pairs]) for field in ("prompt", "chosen", "rejected")]
    if has_numba():
        ways["numba, buffers"] = lambda _: buffer_hits(index, columns)
    if in_c := reference_kernel(items, 13):
        padded = [(np.append(data, np.zeros(64, np.uint8)), offsets) for data, offsets in columns]  # it reads ahead
        ways["C, 13-grams"] = lambda _: in_c(padded)
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    hits: dict[str, int] = {}
    for _ in range(rounds):
        for name, way in ways.items():
            slow = "set" in name or name == "polars"  # they get a quarter of the corpus, which costs them nothing
            part = pairs[: len(pairs) // 4] if slow else pairs
            taken, hits[name] = cpu_seconds(lambda way=way, part=part: way(part))  # type: ignore[misc]
            speeds[name].append((sum(sizes[: len(part)]) / 1e6) / taken)
    growth = {}
    for share in (8, 4, 2, 1):
        part = pairs[: len(pairs) // share]
        taken, _ = cpu_seconds(lambda part=part: next(iter(ways.values()))(part))  # type: ignore[misc]
        growth[f"{sum(sizes[: len(part)]) / 1e6:.0f}"] = sum(sizes[: len(part)]) / 1e6 / taken
    return {
        "corpus_mb": total,
        "pairs": len(pairs),
        "items": sum(len(items) for _, items in benchmarks),
        "index_cpu_s": seconds,
        "extra_memory_mb": memory,
        "hits": hits,
        "mb_per_cpu_s": {name: statistics.median(each) for name, each in speeds.items()},
        "spread": {name: [min(each), max(each)] for name, each in speeds.items()},
        "by_size": growth,
        "load": os.getloadavg()[0],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path)
    parser.add_argument("--megabytes", type=float, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="8 MB, 2 rounds")
    options = parser.parse_args()
    result = measure(options.data, *(8, 2) if options.quick else (options.megabytes, options.rounds))
    speeds = result["mb_per_cpu_s"]
    print(f"{result['pairs']} pairs, {result['corpus_mb']:.0f} MB; {result['items']} items; load {result['load']:.1f}")
    for name, value in speeds.items():
        low, high = result["spread"][name]
        print(
            f"{name:>16} {value:8.1f} MB per CPU-second  ({low:.1f} to {high:.1f})   {result['hits'][name]} pairs hit"
        )
    for size, value in result["by_size"].items():
        print(f"{size + ' MB':>16} {value:8.1f}")
    best = speeds.get("numba", speeds["numpy"])
    ratios = {
        "MB per CPU-second": best,
        "over a set": best / speeds["set of 13-grams"],
        "over tuples": best / speeds["set of 5-grams"],
    }
    if "polars" in speeds:
        ratios["over polars"] = best / speeds["polars"]
    if {"C, 13-grams", "numba, buffers"} <= speeds.keys():
        ratios["of C with SIMD"] = speeds["numba, buffers"] / speeds["C, 13-grams"]
    for name, value in ratios.items():
        bar = BARS.get(name)
        print(
            f"{name:>20} {value:7.2f}" + (f"   at least {bar:g}: {'pass' if value >= bar else 'FAIL'}" if bar else "")
        )
    memory, most = result["extra_memory_mb"], BARS["index and scan, MB"]
    print(f"{'index and scan, MB':>20} {memory:7.1f}   at most {most:g}: {'pass' if memory <= most else 'FAIL'}")
    print(json.dumps({"benchmark": "contamination", **result, "ratios": ratios}))


if __name__ == "__main__":
    main()
