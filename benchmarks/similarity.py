"""How fast near-duplicate prompts are clustered, beside MinHash with shingles made in Python: in one run.

    python benchmarks/similarity.py DATA [--texts 203000] [--rounds 3] [--quick]

DATA is a folder with `prompts/`, `preferences/`, `benchmarks/` and `candidates/`. The texts are real prompts and what
was made of them: the same with other case, with a word in ten replaced, with a sentence before or after. The peer is
rensa (Rust; R-MinHash, 128 permutations) with its LSH and word 3-grams joined in Python; it is left out where it is not
installed. Its candidates are joined as they are, or verified like ours. Recall: the share of copies in the cluster of
their original. Speed: texts per CPU-second; the contestants take turns, medians. Prints a table and a JSON line.
"""

import argparse
import json
import os
import random
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from contamination_recall import benchmarks_in, edited, texts_in

from pairsmith.measures.clusters import near_duplicate_clusters
from pairsmith.measures.compiled import has_numba

THRESHOLD = 0.5
PERMUTATIONS, BANDS = 128, 32
BARS = {"over rensa": 5.0, "seconds for 203,000": 60.0}
WORD = re.compile("[a-z0-9]+")
KINDS = ("case", "edit10", "before", "after")

Texts = list[str]
Copies = list[tuple[str, int, int]]  # kind, original, copy


def prompts(data: Path, count: int, seed: int = 9) -> tuple[Texts, Copies]:
    """So many texts, about half of them copies; and which are copies of which."""
    rng = random.Random(seed)
    found = {text for text in texts_in(data, ("prompts", "preferences", "candidates")) if len(text) < 2000}
    found |= {item for _, items in benchmarks_in(data) for item in items if item.count(" ") >= 4}
    bases = sorted(found)
    rng.shuffle(bases)
    vocabulary = " ".join(bases[:2000]).split()
    ways: dict[str, Callable[[str], str]] = {
        "case": lambda text: text.upper() if rng.random() < 0.5 else text.replace(",", "").replace(" ", "  "),
        "edit10": lambda text: edited(text, rng, 0.1, vocabulary),
        "before": lambda text: f"Please answer carefully. {text}",
        "after": lambda text: f"{text} Explain every step.",
    }
    texts, copies = bases[: count // 2], []
    originals = len(texts)
    while len(texts) < count:
        original = rng.randrange(originals)
        kind = rng.choice(KINDS)
        if texts[original].count(" ") >= 12:
            copies.append((kind, original, len(texts)))
            texts.append(ways[kind](texts[original]))
    return texts, copies


def with_rensa(texts: Sequence[str], verified: bool) -> list[int]:
    """Index all texts, join each with the candidates the index has for it; the label of the cluster of each.

    `verified` compares the sets of shingles of candidates that are not together yet, as ours does.
    """
    import rensa

    lsh = rensa.RMinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS, num_bands=BANDS)
    parents = list(range(len(texts)))
    shingles: list[set[str]] = []

    def near(one: set[str], other: set[str]) -> bool:
        shared = len(one & other)
        return shared >= THRESHOLD * (len(one) + len(other) - shared)

    def root(number: int) -> int:
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    for number, text in enumerate(texts):
        tokens = WORD.findall(text.lower())
        minhash = rensa.RMinHash(num_perm=PERMUTATIONS, seed=1)
        grams = [" ".join(tokens[start : start + 3]) for start in range(max(1, len(tokens) - 2))]
        minhash.update(grams)
        shingles.append(set(grams) if verified else set())
        for other in lsh.query(minhash):
            if root(other) != root(number) and (not verified or near(shingles[other], shingles[number])):
                parents[root(number)] = root(other)
        lsh.insert(number, minhash)
    return [root(number) for number in range(len(texts))]


def recall(copies: Copies, labels: Sequence[int]) -> dict[str, float]:
    """Share of the copies of each kind that were found, of up to 500."""
    chosen = {kind: [(one, other) for each, one, other in copies if each == kind][:500] for kind in KINDS}
    return {
        kind: sum(labels[one] == labels[other] for one, other in pairs) / max(1, len(pairs))
        for kind, pairs in chosen.items()
    }


def timed(call: Callable[[], Any]) -> tuple[float, float, Any]:
    """CPU-seconds, wall seconds, result."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = call()
    return time.process_time() - cpu, time.perf_counter() - wall, result


def ours(texts: Sequence[str], compiled: bool) -> Any:
    """The clusters."""
    return near_duplicate_clusters(texts, THRESHOLD, compiled=compiled)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path)
    parser.add_argument("--texts", type=int, default=203_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="20,000 texts, 1 round")
    options = parser.parse_args()
    count, rounds = (20_000, 1) if options.quick else (options.texts, options.rounds)
    texts, copies = prompts(options.data, count)
    side = min(20_000, count)
    few, few_copies = prompts(options.data, side)
    near_duplicate_clusters(few[:200], THRESHOLD, compiled=has_numba())  # compiles, or loads what was compiled
    ways: dict[str, Callable[[], Any]] = {"numpy": lambda: ours(few, False)}
    if has_numba():
        ways = {"numba": lambda: ours(few, True), **ways}
    try:
        import rensa  # noqa: F401

        ways["rensa"] = lambda: with_rensa(few, False)
        ways["rensa, verified"] = lambda: with_rensa(few, True)
    except ImportError:
        pass
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    recalls: dict[str, dict[str, float]] = {}
    largest: dict[str, int] = {}
    for _ in range(rounds):
        for name, way in ways.items():
            seconds, _, result = timed(way)
            speeds[name].append(side / seconds)
            labels = result if name.startswith("rensa") else result.labels.tolist()
            recalls[name] = recall(few_copies, labels)
            largest[name] = max(Counter(labels).values())
    cpu, wall, clusters = timed(lambda: ours(texts, has_numba()))
    labels = clusters.labels.tolist()
    median = {name: statistics.median(each) for name, each in speeds.items()}
    result = {
        "benchmark": "similarity",
        "threshold": THRESHOLD,
        "texts_side_by_side": side,
        "texts_per_cpu_s": median,
        "recall": recalls,
        "largest": largest,
        "whole": {
            "cpu_s": cpu,
            "wall_s": wall,
            "mb": sum(len(text.encode()) for text in texts) / 1e6,
            **clusters.figures,
        },
        "recall_whole": recall(copies, labels),
        "load": os.getloadavg()[0],
    }
    for name, value in median.items():
        shown = "  ".join(f"{kind} {share:.3f}" for kind, share in recalls[name].items())
        print(f"{name:>16} {value:10,.0f} texts per CPU-second   largest {largest[name]}  recall: {shown}")
    best = median.get("numba", median["numpy"])
    if "rensa" in median:
        result["ratios"] = {name: best / median[name] for name in median if name.startswith("rensa")}
        for name, ratio in result["ratios"].items():
            verdict = "pass" if ratio >= BARS["over rensa"] else "FAIL"
            print(f"{'over ' + name:>22} {ratio:6.1f}   at least {BARS['over rensa']:g}: {verdict}")
    figures = clusters.figures
    print(f"{count:,} texts: {cpu:.1f} CPU-s, {wall:.1f} s; load {result['load']:.1f}")
    print(f"candidate pairs {figures['candidate_pairs']:,} of at most {figures['candidate_bound']:,}")
    print(f"largest cluster {figures['largest']}; cut {len(figures['cut'])}: {figures['cut'][:3]}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
