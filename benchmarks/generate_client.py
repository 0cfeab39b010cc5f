"""What the client and the stage `generate` cost against a server with 64 requests in flight.

    python benchmarks/generate_client.py [--quick]

The server is the fake one in a process of its own, so that its CPU is not counted; every answer takes it 1 s. Three
ways take turns: `bare` is aiohttp with the same requests and nothing else, `client` the chat model of Pairsmith alone,
`stage` the whole stage with ledger, ids and group commit. Wall time is held against the ideal (calls x 1 s / 64), CPU
time is that of this process, user and system. Medians over the rounds, ranges, then one line of JSON.
"""

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from pairsmith.config import GenerateConfig
from pairsmith.ledger import Ledger
from pairsmith.models.openai import OpenAIChatModel
from pairsmith.models.openai_wire import chat_payload
from pairsmith.models.protocols import ChatRequest
from pairsmith.records import Message, Prompt
from pairsmith.stages.generate import generate

LATENCY_S = 1.0
SLOTS = 64
SAMPLES = 4
BARS = {"overhead": 0.05, "cpu_ms": 1.0}
TEXT = "Explain to a patient reader, with one example and one caveat, what changes when item {} is left out. " * 3


def prompts(count: int, round_: int) -> list[Prompt]:
    """Prompts of about 300 characters, new ones in every round."""
    return [Prompt.of([Message("user", TEXT.replace("{}", f"{round_}-{number}"))]) for number in range(count)]


async def on_slots(asks: Sequence[ChatRequest], ask: Callable[[ChatRequest], Awaitable[object]]) -> None:
    """All requests, one after the other on each slot."""
    queue = iter(asks)

    async def slot() -> None:
        for each in queue:
            await ask(each)

    await asyncio.gather(*(slot() for _ in range(SLOTS)))


def requests(given: Sequence[Prompt]) -> list[ChatRequest]:
    """The requests that the stage makes, but for their seeds."""
    return [ChatRequest(prompt.messages, 0.8, 0.95, 512, seed) for prompt in given for seed in range(SAMPLES)]


async def bare(base_url: str, given: Sequence[Prompt]) -> None:
    """Aiohttp and `json`, nothing else."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def ask(request: ChatRequest) -> Any:
            body = json.dumps({"model": "fake", **chat_payload(request)}).encode()
            headers = {"Content-Type": "application/json"}
            async with session.post(f"{base_url}/chat/completions", data=body, headers=headers) as response:
                return json.loads(await response.read())["choices"][0]["message"]["content"]

        await on_slots(requests(given), ask)


async def client(base_url: str, given: Sequence[Prompt]) -> None:
    """The chat model alone."""
    model = OpenAIChatModel("m", base_url, "fake", slots=SLOTS)
    await on_slots(requests(given), model.complete)
    await model.close()


async def stage(base_url: str, given: Sequence[Prompt]) -> None:
    """The stage on a fresh ledger that holds the prompts."""
    model = OpenAIChatModel("m", base_url, "fake", slots=SLOTS)
    cfg = GenerateConfig(models=("m",), n=SAMPLES)
    with tempfile.TemporaryDirectory() as folder, Ledger.open(Path(folder) / "ledger.sqlite") as ledger:
        ledger.append(given)
        clock.start()
        progress = await generate(cfg, ledger, {"m": model}, seed=1)
        clock.stop()
    await model.close()
    if progress.new != progress.wanted:
        raise SystemExit(f"{progress.failed} of {progress.wanted} samples failed: {progress.notes}")


class Clock:
    """Wall and CPU time of this process."""

    def start(self) -> None:
        """From here."""
        self.wall, self.cpu = -time.perf_counter(), -cpu_s()

    def stop(self) -> None:
        """To here; later calls count no more."""
        if self.wall < 0:
            self.wall, self.cpu = self.wall + time.perf_counter(), self.cpu + cpu_s()


clock = Clock()


def cpu_s() -> float:
    """User and system time of this process, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


WAYS = {"bare": bare, "client": client, "stage": stage}


def measure(base_url: str, rounds: int, calls: int) -> dict[str, dict[str, list[float]]]:
    """By way: overhead over the ideal wall time, and CPU milliseconds per call, of every round."""
    found: dict[str, dict[str, list[float]]] = {way: {"overhead": [], "cpu_ms": []} for way in WAYS}
    ideal = calls * LATENCY_S / SLOTS
    for number in range(rounds):
        for way, run in WAYS.items():
            given = prompts(calls // SAMPLES, number)
            clock.start()
            asyncio.run(run(base_url, given))
            clock.stop()
            found[way]["overhead"].append(clock.wall / ideal - 1)
            found[way]["cpu_ms"].append(1000 * clock.cpu / calls)
    return found


def main() -> None:
    """Run all, print all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="fewer calls and rounds")
    rounds, calls = (1, 512) if parser.parse_args().quick else (3, 1920)
    command = [sys.executable, "-m", "pairsmith.models.fake", "--latency", str(LATENCY_S)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            base_url = process.stdout.readline().strip() if process.stdout else ""
            found = measure(base_url, rounds, calls)
        finally:
            process.terminate()
    print(f"{SLOTS} in flight, {LATENCY_S:g} s per answer, {calls} calls, {rounds} rounds")
    for way, figures in found.items():
        over, cpu = figures["overhead"], figures["cpu_ms"]
        print(
            f"  {way:<7} wall +{statistics.median(over):6.1%} ({min(over):.1%} to {max(over):.1%})   "
            f"CPU {statistics.median(cpu):5.2f} ms per call ({min(cpu):.2f} to {max(cpu):.2f})"
        )
    for name, bar in BARS.items():
        value = statistics.median(found["stage"][name])
        print(f"  bar {name} < {bar:g}: {value:.3f} {'pass' if value < bar else 'FAIL'}")
    print(json.dumps({"benchmark": "generate_client", "bars": BARS, **found}))


if __name__ == "__main__":
    main()
