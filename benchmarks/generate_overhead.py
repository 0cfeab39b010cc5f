"""What the stage `generate` costs on top of the model it drives.

    python benchmarks/generate_overhead.py [--quick]

Local: tokens per second of the stage (ledger, ids, progress and all) divided by those of the same worker processes
driven bare with the same requests, on the same number of slots; rounds are interleaved, the ratio is the median
of the rounds' ratios. The bar is 0.95. Server: wall time of the stage against the fake server divided by the ideal
(calls x latency / slots), and CPU time of this process per call. Prints a table, then one line of JSON.
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
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pairsmith.config import GenerateConfig
from pairsmith.errors import ModelUnavailable, PairsmithError
from pairsmith.ids import seed_for
from pairsmith.ledger import Ledger
from pairsmith.models.local import LocalChatModel
from pairsmith.models.openai import OpenAIChatModel
from pairsmith.models.protocols import ChatModel, ChatRequest
from pairsmith.models.weights import smollm2_path
from pairsmith.records import Message, Prompt
from pairsmith.stages.generate import generate

BAR = 0.95
SUBJECTS = ("the sea", "a clock", "rust", "bread", "a small town", "the moon", "chess", "rain")
TASKS = (
    "Write a short story about {}.",
    "Explain {} to a child in a few sentences.",
    "List five facts about {} and say why each matters.",
    "Write a polite letter that mentions {}.",
)


def prompts(count: int) -> list[Prompt]:
    """Prompts that make a model write."""
    texts = [task.format(subject) for subject in SUBJECTS for task in TASKS]
    return [Prompt.of([Message("user", f"{texts[each % len(texts)]} ({each})")]) for each in range(count)]


async def staged(model: ChatModel, name: str, given: Sequence[Prompt], cfg: GenerateConfig, seed: int) -> Any:
    """The details of one run of the stage on a fresh ledger, its own wall time included."""
    with tempfile.TemporaryDirectory() as folder, Ledger.open(Path(folder) / "ledger.sqlite") as ledger:
        ledger.append(given)
        started = time.perf_counter()
        progress = await generate(cfg, ledger, {name: model}, seed=seed)
        wall = time.perf_counter() - started
    if progress.new != progress.wanted:
        raise SystemExit(f"{progress.failed} of {progress.wanted} samples failed: {progress.notes}")
    return {"tokens": progress.details["completion_tokens"], "wall": wall}


async def bare(model: LocalChatModel, given: Sequence[Prompt], cfg: GenerateConfig, seed: int) -> dict[str, float]:
    """The same requests to the same workers, prompt after prompt on every slot, and nothing else."""
    queue = iter(given)
    tokens = 0

    async def slot() -> None:
        nonlocal tokens
        for prompt in queue:
            for number in range(cfg.n):
                drawn = seed_for(seed, "generate", prompt.id + "m", number)
                request = ChatRequest(prompt.messages, cfg.temperature, cfg.top_p, cfg.max_tokens, drawn)
                completion = await model.complete(request)
                tokens += completion.usage["completion_tokens"]

    started = time.perf_counter()
    await asyncio.gather(*(slot() for _ in range(model.slots)))
    return {"tokens": tokens, "wall": time.perf_counter() - started}


async def local_overhead(rounds: int, count: int, max_tokens: int) -> dict[str, Any]:
    """Tokens per second, staged and bare, in interleaved rounds on the same running workers."""
    cfg = GenerateConfig(models=("m",), n=4, max_tokens=max_tokens)
    given = prompts(count)
    model = LocalChatModel("m", smollm2_path())
    ratios, speeds = [], []
    try:
        await asyncio.gather(*(model.complete(ChatRequest(given[0].messages, 0.8, 0.9, 4, 1)) for _ in range(16)))
        for number in range(rounds):
            order = (True, False) if number % 2 else (False, True)
            found = {}
            for is_bare in order:
                run = bare(model, given, cfg, number) if is_bare else staged(model, "m", given, cfg, number)
                result = await run
                found[is_bare] = result["tokens"] / result["wall"]
            ratios.append(found[False] / found[True])
            speeds.append(found)
    finally:
        await model.close()
    return {
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "stage_tokens_per_s": statistics.median(each[False] for each in speeds),
        "bare_tokens_per_s": statistics.median(each[True] for each in speeds),
        "slots": model.slots,
    }


async def server_overhead(base_url: str, latency_s: float, slots: int, calls: int) -> dict[str, Any]:
    """Wall time over the ideal and CPU per call, against a server that always takes `latency_s`."""
    model = OpenAIChatModel("m", base_url, "fake", slots=slots)
    cfg = GenerateConfig(models=("m",), n=4)
    try:
        await staged(model, "m", prompts(slots), cfg, 1)  # opens the connections
        cpu = resource.getrusage(resource.RUSAGE_SELF)
        found = await staged(model, "m", prompts(calls // cfg.n), cfg, 2)
        after = resource.getrusage(resource.RUSAGE_SELF)
    finally:
        await model.close()
    used = after.ru_utime + after.ru_stime - cpu.ru_utime - cpu.ru_stime
    ideal = calls * latency_s / slots
    return {
        "slots": slots,
        "latency_s": latency_s,
        "calls": calls,
        "wall_over_ideal": found["wall"] / ideal,
        "cpu_ms_per_call": 1000 * used / calls,
    }


def with_fake_server(latency_s: float, slots: int, calls: int) -> dict[str, Any]:
    """`server_overhead` against a fake server in a process of its own."""
    command = [sys.executable, "-m", "pairsmith.models.fake", "--latency", str(latency_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            base_url = process.stdout.readline().strip() if process.stdout else ""
            return asyncio.run(server_overhead(base_url, latency_s, slots, calls))
        finally:
            process.terminate()


def main() -> None:
    """Run both, print both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="few prompts, few rounds")
    quick = parser.parse_args().quick
    result: dict[str, Any] = {"benchmark": "generate_overhead", "bar": BAR}
    try:
        result["local"] = asyncio.run(local_overhead(*(3, 4, 48) if quick else (5, 12, 96)))
    except (PairsmithError, ModelUnavailable) as error:
        result["local"] = {"ratio": None, "reason": str(error)}
    result["server"] = with_fake_server(1.0, 64, 256 if quick else 1280)
    local, server = result["local"], result["server"]
    if local["ratio"] is not None:
        print(f"local model, {local['slots']} slots")
        print(f"  bare    {local['bare_tokens_per_s']:8.1f} tokens/s")
        print(f"  stage   {local['stage_tokens_per_s']:8.1f} tokens/s")
        print(f"  ratio   {local['ratio']:8.3f}   bar {BAR}: {'pass' if local['ratio'] >= BAR else 'FAIL'}")
    print(f"fake server, {server['slots']} in flight, {server['latency_s']:g} s per answer, {server['calls']} calls")
    print(f"  wall    {server['wall_over_ideal']:8.3f} x the ideal")
    print(f"  CPU     {server['cpu_ms_per_call']:8.2f} ms per call")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
