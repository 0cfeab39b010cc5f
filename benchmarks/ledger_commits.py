"""Facts per second into the ledger: group commit against one transaction per fact, and all in one transaction.

    python benchmarks/ledger_commits.py [--quick]

Every fact is on disk (fsync) before it counts. Prints a table, then one line of JSON.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pairsmith.ledger import Ledger
from pairsmith.records import Candidate

ROUNDS = 5


def candidates(count: int, tag: str) -> list[Candidate]:
    """Candidates of a usual size: about 600 characters of text each."""
    params = {"temperature": 0.8, "top_p": 0.9, "max_tokens": 512}
    return [
        Candidate(
            Candidate.asked_id(f"prm_{tag}_{number}", "m", params, 0),
            f"prm_{tag}_{number}",
            text=f"Answer {number}. " * 40,
            model="m",
            params=params,
            finish_reason="stop",
            usage={"prompt_tokens": 40, "completion_tokens": 120},
        )
        for number in range(count)
    ]


def one_by_one(ledger: Ledger, facts: Sequence[Candidate]) -> None:
    """A transaction per fact."""
    for fact in facts:
        ledger.append([fact])


def group_commit(ledger: Ledger, facts: Sequence[Candidate]) -> None:
    """What `generate` does: hand in, and let the writer take whatever has piled up."""
    with ledger.committer() as committer:
        for fact in facts:
            committer.add(fact)


def all_at_once(ledger: Ledger, facts: Sequence[Candidate]) -> None:
    """The upper bound: a single transaction."""
    ledger.append(facts)


def facts_per_second(way: Callable[[Ledger, Sequence[Candidate]], None], count: int, tag: str) -> float:
    """Speed of one way on a fresh ledger."""
    facts = candidates(count, tag)
    with tempfile.TemporaryDirectory() as folder, Ledger.open(Path(folder) / "ledger.sqlite") as ledger:
        started = time.perf_counter()
        way(ledger, facts)
        seconds = time.perf_counter() - started
        if ledger.position() != count:
            raise SystemExit(f"{way.__name__}: {ledger.position()} of {count} facts stored")
    return count / seconds


def main() -> None:
    """Interleave the ways, take the median of each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="fewer facts, fewer rounds")
    quick = parser.parse_args().quick
    counts = {one_by_one: 200, group_commit: 5000, all_at_once: 5000}
    if quick:
        counts = {way: count // 5 for way, count in counts.items()}
    speeds: dict[str, list[float]] = {way.__name__: [] for way in counts}
    for number in range(2 if quick else ROUNDS):
        for way, count in counts.items():
            speeds[way.__name__].append(facts_per_second(way, count, str(number)))
    median = {name: statistics.median(values) for name, values in speeds.items()}
    for name, value in median.items():
        print(f"{name:>14}  {value:>10,.0f} facts/s   (from {min(speeds[name]):,.0f} to {max(speeds[name]):,.0f})")
    ratio = median["group_commit"] / median["one_by_one"]
    print(f"{'ratio':>14}  {ratio:>10.1f} x group commit over one by one")
    print(json.dumps({"benchmark": "ledger_commits", "facts_per_second": median, "ratio": ratio}))


if __name__ == "__main__":
    main()
