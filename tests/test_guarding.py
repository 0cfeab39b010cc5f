"""The guard of a judge acts at fixed points: whatever answers first and whenever a run dies, the same is asked."""

import asyncio
import random
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest

from pairsmith.stages.guarding import LARGEST_BLOCK, Guard, block_ends

STEADY: Mapping[str, Any] = {"swap_consistent": True}
TURNS: Mapping[str, Any] = {"swap_consistent": False}
FOOLED: Mapping[str, Any] = {"swap_consistent": True, "canary": {"probe": "empty", "orders": ["probe", "real"]}}


def asked(
    answers: list[Mapping[str, Any]], *, workers: int, seed: int, present: frozenset[int] = frozenset()
) -> set[int]:
    """The places a run asks about, its answers coming in random order; `present` are there from a killed run."""

    async def go() -> set[int]:
        guard, found, rng = Guard(len(answers)), set[int](), random.Random(seed)
        for place in sorted(present, key=lambda _: rng.random()):
            guard.put(place, answers[place])
        queue = iter([place for place in range(len(answers)) if place not in present])

        async def work() -> None:
            for place in queue:
                if not await guard.may_ask(place):
                    return
                found.add(place)
                for _ in range(rng.randrange(6)):
                    await asyncio.sleep(0)
                guard.put(place, answers[place])

        await asyncio.wait_for(asyncio.gather(*(work() for _ in range(workers))), 20)
        return found

    return asyncio.run(go())


def test_blocks_double_up_to_a_limit():
    assert block_ends(0) == (20,)
    assert block_ends(41) == (20, 40, 80)
    ends = block_ends(10_000)
    assert max(b - a for a, b in pairwise(ends)) == LARGEST_BLOCK


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([STEADY] * 500, 500),
        ([TURNS] * 500, 20),
        ([STEADY] * 30 + [FOOLED] + [STEADY] * 469, 80),  # found at 40, when the block up to 80 may be under way
        ([STEADY] * 60 + [FOOLED] + [STEADY] * 439, 160),
        ([TURNS] * 19, 19),
        ([{}] * 30 + [TURNS] * 200, 160),  # no verdict is no evidence: too few at 40, enough at 80
        ([STEADY] * 495 + [FOOLED] * 5, 500),
    ],
)
def test_timing_and_workers_change_nothing(answers, expected):
    runs = {frozenset(asked(answers, workers=workers, seed=seed)) for workers in (1, 3, 16, 200) for seed in range(3)}
    assert runs == {frozenset(range(expected))}


@pytest.mark.parametrize("answers", [[TURNS] * 200, [STEADY] * 30 + [FOOLED] + [STEADY] * 300, [STEADY] * 100])
def test_a_killed_run_that_goes_on_asks_what_a_clean_one_asks(answers):
    clean = asked(answers, workers=8, seed=1)
    for seed in range(6):
        rng = random.Random(seed)
        reached = rng.randrange(len(clean))
        present = frozenset(place for place in clean if place < reached or (place < reached + 8 and rng.random() < 0.5))
        assert asked(answers, workers=8, seed=seed, present=present) | present == clean


def test_nobody_waits_for_a_run_that_is_over():
    async def go() -> bool:
        guard = Guard(100)
        waiting = asyncio.create_task(guard.may_ask(50))
        await asyncio.sleep(0)
        guard.close()
        return await asyncio.wait_for(waiting, 5)

    assert asyncio.run(go()) is False
