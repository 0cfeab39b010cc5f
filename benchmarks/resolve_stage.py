"""The stage `resolve` on up to a million votes: records in, labels and all metrics out. Seconds, peak memory, growth.

Run: python benchmarks/resolve_stage.py [--quick] [--json FILE]. Exit code 1 if a budget is exceeded.
Each run is a process of its own, so its peak memory is its own too; making the records is not timed.
"""

import argparse
import itertools
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from pairsmith.config import ResolveConfig
from pairsmith.records import Annotation, Candidate, Comparison, Label, Message, Prompt, Ruling
from pairsmith.stages.resolve import resolve

SIZES = (10_000, 100_000, 1_000_000)
METHODS = ("majority", "map")
VOTES_PER_ITEM = 4
ITEMS_PER_PROMPT = 5
PAIRS = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3))
VOTES_PER_PERSON = 500
REVISED, RULED, UNSURE, BOTH_BAD, TIES = 0.02, 0.005, 0.02, 0.02, 0.1
SENTENCES = 5_000
CATEGORIES = ("coding", "creative", "factual", "reasoning", "safety")
MAX_SECONDS = 30.0
MAX_GIB = 2e9 / 2**30
MAX_GROWTH = 1.5
"""CPU seconds per vote at the largest size against those at a tenth of it; 1 is linear."""

Facts = dict[str, Any]


def synthetic_facts(votes: int, seed: int = 0) -> Facts:
    """Prompts with four responses, five comparisons each and four votes on each of these, some of them revised."""
    rng = np.random.default_rng(seed)
    items = votes // VOTES_PER_ITEM
    prompts, candidates, comparisons = _pools(items, rng)
    truth = rng.random(items) < 0.5
    accuracy = rng.beta(8, 4, max(20, votes // VOTES_PER_PERSON))
    steps = rng.integers(1, accuracy.size // VOTES_PER_ITEM, (items, VOTES_PER_ITEM))
    voters = (rng.integers(0, accuracy.size, (items, 1)) + steps.cumsum(axis=1)) % accuracy.size
    right = rng.random(voters.shape) < accuracy[voters]
    said = np.where(right == truth[:, None], "a", "b").astype(object)
    for label, share in (("tie", TIES), ("both_bad", BOTH_BAD), ("unsure", UNSURE)):
        said[rng.random(voters.shape) < share] = label
    annotations: list[Annotation] = []
    for comparison, people, labels in zip(comparisons, voters.tolist(), said.tolist(), strict=True):
        for person, label in zip(people, labels, strict=True):
            annotations.append(_vote(comparison.id, f"person-{person:05}", label, 0, rng))
            if rng.random() < REVISED:
                annotations.append(_vote(comparison.id, f"person-{person:05}", "tie", 1, rng))
    rulings = [
        Ruling(_id("rul", rng), comparisons[item].id, "a" if truth[item] else "b", "lead", "tie-break")
        for item in np.nonzero(rng.random(items) < RULED)[0].tolist()
    ]
    annotations = [annotations[place] for place in rng.permutation(len(annotations)).tolist()]
    return {
        "prompts": prompts,
        "candidates": candidates,
        "comparisons": comparisons,
        "annotations": annotations,
        "rulings": rulings,
    }


def _pools(items: int, rng: np.random.Generator) -> tuple[list[Prompt], dict[str, Candidate], list[Comparison]]:
    sentences = [_sentence(rng) for _ in range(SENTENCES)]
    prompts, comparisons = list[Prompt](), list[Comparison]()
    candidates: dict[str, Candidate] = {}
    for number in range(items // ITEMS_PER_PROMPT):
        asked = (Message("user", f"{_sentence(rng)} {_sentence(rng)}"),)
        prompt = Prompt(_id("prm", rng), asked, category=CATEGORIES[number % len(CATEGORIES)])
        prompts.append(prompt)
        sides = [
            Candidate(_id("cnd", rng), prompt.id, " ".join(sentences[each] for each in drawn), model=f"model-{place}")
            for place, drawn in enumerate(rng.integers(0, SENTENCES, rng.integers(3, 12)).tolist() for _ in range(4))
        ]
        candidates |= {side.id: side for side in sides}
        comparisons += [Comparison(_id("cmp", rng), prompt.id, sides[a].id, sides[b].id) for a, b in PAIRS]
    return prompts, candidates, comparisons


def _sentence(rng: np.random.Generator) -> str:
    letters = rng.integers(97, 123, 60).astype(np.uint8).tobytes().decode()
    lengths = np.cumsum(rng.integers(2, 9, 12))
    words = " ".join(letters[start:end] for start, end in itertools.pairwise(lengths)).strip()
    return f"{words.capitalize()}."


def _vote(comparison: str, person: str, label: Label, revision: int, rng: np.random.Generator) -> Annotation:
    return Annotation(
        _id("ann", rng),
        comparison,
        person,
        "human",
        label,
        shown_first="a" if rng.random() < 0.5 else "b",
        guideline="v1",
        seconds=float(rng.lognormal(3, 0.8)),
        revision=revision,
    )


def _id(kind: str, rng: np.random.Generator) -> str:
    return f"{kind}_{rng.bytes(10).hex()}"


def measure(votes: int, method: str) -> dict[str, Any]:
    """Run the stage once; what it took and what it made."""
    facts = synthetic_facts(votes)
    loaded = _peak_gib()
    cfg = ResolveConfig.model_validate({"method": method})
    wall, cpu = time.perf_counter(), time.process_time()
    outcome = resolve(cfg, **facts, seed=1)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {
        "votes": votes,
        "method": method,
        "wall_seconds": round(wall, 2),
        "cpu_seconds": round(cpu, 2),
        "records_gib": round(loaded, 3),
        "peak_gib": round(_peak_gib(), 3),
        "kept": len(outcome.kept),
        "dropped": len(outcome.dropped),
        "queued": len(outcome.queued),
        "conflicts": len(outcome.conflicts),
        "label_accuracy": outcome.metrics["annotation"]["label_accuracy"],
    }


def _peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _measured_apart(votes: int, method: str) -> dict[str, Any]:
    command = [sys.executable, __file__, "--one", str(votes), method]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> int:
    """Print one line per run and whether the budgets hold."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="only 10,000 and 100,000 votes")
    arguments.add_argument("--json", type=Path, help="also write all figures there")
    arguments.add_argument("--one", nargs=2, metavar=("VOTES", "METHOD"), help="a single run, printed as JSON")
    given = arguments.parse_args()
    if given.one:
        print(json.dumps(measure(int(given.one[0]), given.one[1])))
        return 0
    broken, runs = [], []
    for method in METHODS:
        of_method = []
        for votes in SIZES[: 2 if given.quick else 3]:
            run = _measured_apart(votes, method)
            of_method.append(run)
            print(
                f"{method:>8} {votes:>9,} votes: {run['wall_seconds']:6.2f} s ({run['cpu_seconds']:.2f} s of CPU), "
                f"{run['peak_gib']:.2f} GiB, of which records {run['records_gib']:.2f}; kept {run['kept']:,}",
                flush=True,
            )
        last, before = of_method[-1], of_method[-2]
        growth = last["cpu_seconds"] / last["votes"] * before["votes"] / before["cpu_seconds"]
        print(f"{method:>8} CPU seconds per vote against a tenth of the votes: {growth:.2f}")
        broken += [
            f"{method}: {text}"
            for text, failed in (
                (f"more than {MAX_SECONDS:g} s", last["wall_seconds"] > MAX_SECONDS),
                (f"more than {MAX_GIB:.2f} GiB", last["peak_gib"] > MAX_GIB),
                (f"seconds per vote grow by {growth:.2f}", growth > MAX_GROWTH),
            )
            if failed
        ]
        runs += of_method
    print("FAILED: " + "; ".join(broken) if broken else "within budget")
    if given.json:
        given.json.write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
