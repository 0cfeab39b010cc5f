"""A million votes to labels: majority, one-coin MAP, agreement with intervals. Seconds, peak memory, linearity.

Run: python benchmarks/resolve_million.py [--quick] [--json FILE]. Exit code 1 if a budget is exceeded.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from pairsmith.measures.agreement import SIDES_FLIP, agreement_figures
from pairsmith.measures.consensus import choose_method, compare_labels, majority, one_coin_map
from pairsmith.measures.label_quality import effective_pairs_figure, posterior_accuracy
from pairsmith.measures.overlap import component_sizes, votes_needed
from pairsmith.measures.vote_table import vote_table

SIZES = (10_000, 100_000, 1_000_000)
VOTES_PER_ITEM = 4
VOTES_PER_RATER = 500
MAX_SECONDS = 30.0
MAX_GIB = 2.0
MAX_GROWTH = 1.5
"""Seconds per vote at the largest size against those at a tenth of it; 1 is linear."""

Result = TypeVar("Result")


def synthetic_votes(n: int, seed: int = 0) -> tuple[np.ndarray[Any, Any], ...]:
    """Truth, items, raters, labels: raters right with Beta(8, 4) probability, errors uniform over b, tie, a."""
    rng = np.random.default_rng(seed)
    truth = rng.choice([0, 1, 2], n // VOTES_PER_ITEM, p=[0.45, 0.1, 0.45])
    accuracy = rng.beta(8, 4, max(20, n // VOTES_PER_RATER))
    items = np.repeat(np.arange(truth.size), VOTES_PER_ITEM)
    raters = rng.integers(0, accuracy.size, items.size)
    right = rng.random(items.size) < accuracy[raters]
    labels = np.where(right, truth[items], (truth[items] + rng.integers(1, 3, items.size)) % 3)
    order = rng.permutation(items.size)  # votes come in the order people cast them
    return truth, items[order], raters[order], labels[order]


def resolve_votes(n: int) -> dict[str, Any]:
    """Resolve `n` votes; seconds of each step, and how many labels are right."""
    truth, items, raters, labels = synthetic_votes(n)
    seconds: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Result]) -> Result:
        start = time.perf_counter()
        result = work()
        seconds[name] = time.perf_counter() - start
        return result

    table = timed("table", lambda: vote_table(items, raters, labels, 3))
    plain = timed("majority", lambda: majority(table))
    modelled = timed("one_coin_map", lambda: one_coin_map(table))
    counts = table.totals()
    figures = timed("agreement", lambda: agreement_figures(counts, seed=1, flip=SIDES_FLIP, tie=1))
    assert modelled.posterior is not None
    posterior = modelled.posterior
    accuracy = timed("accuracy", lambda: posterior_accuracy(posterior, modelled.labels, seed=1))
    parts = timed("components", lambda: component_sizes(table))
    open_items = timed("votes_needed", lambda: int((votes_needed(counts, min_votes=3) > 0).sum()))
    return {
        "votes": n,
        "items": int(truth.size),
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "total_seconds": round(sum(seconds.values()), 3),
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 3),
        "method": choose_method(table)[0],
        "iterations": modelled.iterations,
        "right": {each.method: round(float((each.labels == truth).mean()), 4) for each in (plain, modelled)},
        "changed": compare_labels(plain, modelled),
        "claimed_accuracy": accuracy,
        "effective_pairs": effective_pairs_figure(int(truth.size), accuracy),
        "krippendorff_alpha": figures["krippendorff_alpha"],
        "parts": len(parts),
        "need_more_votes": open_items,
    }


def main() -> int:
    """Print one line per size and whether the budgets hold."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="only 10,000 and 100,000 votes")
    arguments.add_argument("--json", type=Path, help="also write all figures there")
    given = arguments.parse_args()
    resolve_votes(SIZES[0])  # first use of a function is slower than the second
    runs = [resolve_votes(size) for size in SIZES[: 2 if given.quick else 3]]
    for run in runs:
        steps = ", ".join(f"{name} {value:.2f}" for name, value in run["seconds"].items())
        print(f"{run['votes']:>9,} votes: {run['total_seconds']:6.2f} s, {run['peak_gib']:.2f} GiB ({steps})")
        print(f"          right: {run['right']}, claimed {run['claimed_accuracy']['value']:.4f}")
    growth = runs[-1]["total_seconds"] / runs[-2]["total_seconds"] * runs[-2]["votes"] / runs[-1]["votes"]
    broken = [
        text
        for text, failed in (
            (f"more than {MAX_SECONDS:g} s", runs[-1]["total_seconds"] > MAX_SECONDS),
            (f"more than {MAX_GIB:g} GiB", runs[-1]["peak_gib"] > MAX_GIB),
            (f"seconds per vote grow by {growth:.2f}", growth > MAX_GROWTH),
        )
        if failed
    ]
    print(f"seconds per vote against a tenth of the votes: {growth:.2f}")
    print("FAILED: " + "; ".join(broken) if broken else "within budget")
    if given.json:
        given.json.write_text(json.dumps({"runs": runs, "growth": growth}, indent=1) + "\n", encoding="utf-8")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
