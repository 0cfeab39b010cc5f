"""Finding how many requests a server bears, against servers that are simulated: time is counted, not waited for."""

import asyncio
import heapq
import itertools
import random
from collections.abc import Callable

import pytest

from pairsmith.models.concurrency import START, Gate, Knee

Server = Callable[[int, int, random.Random], tuple[float, bool]]
"""Seconds until the answer, and whether it is "too busy", by requests in flight and tokens wanted."""


def with_slots(count: int, failing: float = 0.0) -> Server:
    """Answers so many at once at full speed, more in turns; a share of all fails whatever happens."""

    def answer(in_flight: int, tokens: int, rng: random.Random) -> tuple[float, bool]:
        if rng.random() < failing:
            return 0.05, True
        return tokens * 0.02 * max(1.0, in_flight / count) * rng.uniform(0.8, 1.2), False

    return answer


def batching(alone: float, shared: float) -> Server:
    """Gets slower with every request in its batch, as engines do."""
    return lambda in_flight, tokens, rng: (tokens * (alone + shared * in_flight) * rng.uniform(0.8, 1.2), False)


def refusing_beyond(count: int) -> Server:
    """Refuses at once what it has no room for."""
    return lambda in_flight, tokens, rng: (
        (0.01, True) if in_flight > count else (tokens * 0.02 * rng.uniform(0.9, 1.1), False)
    )


def drive(server: Server, seed: int, *, most: int = 256, search: bool = True, jobs: int = 5000) -> list[int]:
    """The numbers that were allowed over a run in which there is always more to do."""
    rng, knee, now = random.Random(seed), Knee(most, search=search), 0.0
    in_flight: list[tuple[float, int, float, int, bool]] = []
    counter, left, limits = itertools.count(), jobs, []
    while left or in_flight:
        while left and len(in_flight) < knee.limit:
            left -= 1
            tokens = rng.randint(20, 200)
            seconds, busy = server(len(in_flight) + 1, tokens, rng)
            heapq.heappush(in_flight, (now + seconds, next(counter), now, tokens, busy))
        saturated = len(in_flight) >= knee.limit
        now, _, started, tokens, busy = heapq.heappop(in_flight)
        knee.observe(started, now, 0 if busy else tokens, busy=busy, saturated=saturated)
        left += busy
        limits.append(knee.limit)
    return limits


def late(limits: list[int]) -> float:
    """The mean of the second half."""
    half = limits[len(limits) // 2 :]
    return sum(half) / len(half)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("server", "least", "most"), [(with_slots(8), 6, 12), (with_slots(32), 26, 45)])
def test_a_server_with_slots_gets_as_many_as_it_has(server: Server, least: int, most: int, seed: int):
    limits = drive(server, seed)
    assert limits[0] == START
    assert least <= late(limits) <= most


@pytest.mark.parametrize("seed", range(3))
def test_an_engine_that_batches_gets_most_of_its_throughput(seed: int):
    found = late(drive(batching(0.016, 0.001), seed))
    assert found / (0.016 + 0.001 * found) > 0.75 / 0.001
    assert found < 256


def test_without_a_knee_it_goes_to_the_top():
    assert drive(with_slots(10**9), 1)[-1] == 256


@pytest.mark.parametrize("search", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_a_server_that_refuses_more_gets_less(search: bool, seed: int):
    assert late(drive(refusing_beyond(10), seed, most=64, search=search)) <= 14


@pytest.mark.parametrize("seed", range(3))
def test_failures_that_come_whatever_we_do_slow_nothing_down(seed: int):
    assert late(drive(with_slots(10**9, failing=0.3), seed, most=32, search=False)) > 24


def test_without_enough_to_do_nothing_is_learned():
    knee = Knee(64, search=True)
    for number in range(1000):
        knee.observe(number, number + 1, 10.0, busy=False, saturated=False)
    assert knee.limit == START


def test_a_given_number_is_kept_by_a_server_that_bears_it():
    assert set(drive(batching(0.02, 0.001), 1, most=48, search=False)) == {48}


def test_never_more_in_flight_than_allowed_and_in_order():
    async def run() -> tuple[int, list[int]]:
        gate, now, most, order = Gate(3), 0, 0, []

        async def hold(number: int) -> None:
            nonlocal now, most
            async with gate.place() as place:
                order.append(number)
                now += 1
                most = max(most, now)
                place.begin()
                await asyncio.sleep(0.001)
                place.end(1.0)
                now -= 1

        await asyncio.gather(*(hold(number) for number in range(20)))
        assert gate.load == 0
        return most, order

    assert asyncio.run(run()) == (3, list(range(20)))


def test_a_shut_gate_lets_those_in_flight_finish_and_nobody_else_begin():
    async def run() -> tuple[list[str], int]:
        gate, finished = Gate(2), []

        async def hold(number: int) -> None:
            async with gate.place() as place:
                place.begin()
                await asyncio.sleep(0.01)
                finished.append(str(number))

        tasks = [asyncio.create_task(hold(number)) for number in range(6)]
        await asyncio.sleep(0.001)
        gate.shut()
        tasks.append(asyncio.create_task(hold(6)))
        await asyncio.wait(tasks)
        return finished, sum(task.cancelled() for task in tasks)

    assert asyncio.run(run()) == (["0", "1"], 5)


def test_whoever_gives_up_waiting_passes_the_place_on():
    async def run() -> None:
        gate = Gate(1)
        entered = []

        async def hold(number: int) -> None:
            async with gate.place():
                entered.append(number)
                await asyncio.sleep(0.001)

        first, second, third = (asyncio.create_task(hold(number)) for number in range(3))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.wait([first, second, third])
        assert entered == [0, 2]
        assert gate.load == 0

    asyncio.run(run())
