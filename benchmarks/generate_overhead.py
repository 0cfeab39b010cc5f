"""What the stage `generate` costs on top of the model it drives.

    python benchmarks/generate_overhead.py [--quick]

Local: tokens per second of the stage (ledger, ids, progress and all) divided by those of the same worker processes
driven bare with the same requests, on the same number of slots. A round is bare, stage, stage, bare, so that a load
that rises or falls meanwhile hits both; the ratio is the median over the rounds. `best` compares the fastest run of
each, `busy` is the share of the slots' time that the stage spends inside the model: on a machine with other work
these two say more. The bar is 0.95. Prints a table, then one line of JSON. For servers see `generate_client.py`.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pairsmith.config import GenerateConfig
from pairsmith.errors import PairsmithError
from pairsmith.ids import seed_for
from pairsmith.ledger import Ledger
from pairsmith.models.local import LocalChatModel
from pairsmith.models.protocols import ChatModel, ChatRequest, Completion
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


class Watched:
    """A model that notes how long it was busy."""

    shares_prompt = True

    def __init__(self, model: LocalChatModel) -> None:
        self.name, self.slots, self.seconds = model.name, model.slots, 0.0
        self._model = model

    async def complete(self, request: ChatRequest) -> Completion:
        """What the model says."""
        started = time.perf_counter()
        completion = await self._model.complete(request)
        self.seconds += time.perf_counter() - started
        return completion

    async def close(self) -> None:
        """Nothing: the model belongs to someone else."""


async def local_overhead(rounds: int, count: int, max_tokens: int) -> dict[str, Any]:
    """Tokens per second, staged and bare, in interleaved rounds on the same running workers."""
    cfg = GenerateConfig(models=("m",), n=4, max_tokens=max_tokens)
    given = prompts(count)
    model = LocalChatModel("m", smollm2_path())
    ratios: list[float] = []
    speeds: dict[str, list[float]] = {"bare": [], "stage": []}
    busy: list[float] = []
    try:
        await asyncio.gather(*(model.complete(ChatRequest(given[0].messages, 0.8, 0.9, 4, 1)) for _ in range(16)))
        for number in range(rounds):
            walls = {"bare": 0.0, "stage": 0.0}
            for way in ("bare", "stage", "stage", "bare"):
                watched = Watched(model)
                run = bare(model, given, cfg, number) if way == "bare" else staged(watched, "m", given, cfg, number)
                found = await run
                walls[way] += found["wall"]
                speeds[way].append(found["tokens"] / found["wall"])
                if way == "stage":
                    busy.append(watched.seconds / (found["wall"] * model.slots))
            ratios.append(walls["bare"] / walls["stage"])
    finally:
        await model.close()
    return {
        "ratio": statistics.median(ratios),
        "best": max(speeds["stage"]) / max(speeds["bare"]),
        "busy": statistics.median(busy),
        "ratios": ratios,
        "tokens_per_s": {way: statistics.median(each) for way, each in speeds.items()},
        "slots": model.slots,
    }


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="few prompts, few rounds")
    quick = parser.parse_args().quick
    result: dict[str, Any] = {"benchmark": "generate_overhead", "bar": BAR}
    try:
        result["local"] = asyncio.run(local_overhead(*(2, 4, 48) if quick else (6, 8, 96)))
    except PairsmithError as error:
        result["local"] = {"ratio": None, "reason": str(error)}
    local = result["local"]
    if local["ratio"] is not None:
        print(f"local model, {local['slots']} slots")
        for way, speed in local["tokens_per_s"].items():
            print(f"  {way:<7} {speed:8.1f} tokens/s")
        print(f"  ratio   {local['ratio']:8.3f}   bar {BAR}: {'pass' if local['ratio'] >= BAR else 'FAIL'}")
        print(f"  best    {local['best']:8.3f}")
        print(f"  busy    {local['busy']:8.3f}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
