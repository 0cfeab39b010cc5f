"""The local engine: two workers against one, and the stage `generate` against the same engine driven bare.

    python benchmarks/local_engine.py workers [--rounds 5]
    python benchmarks/local_engine.py pipeline PROMPTS.jsonl [--count 300] [--tokens 64]

`workers`: tokens per second of two single-threaded worker processes over those of one, in rounds of one, two, two, one;
median of the rounds. Bar: 1.6 on idle cores. `pipeline`: tokens per second of the stage (ledger, ids, progress) over
those of the same workers driven bare, on real prompts with four samples each, chunk by chunk in turns; median of the
chunks. Bar: 0.97. Peak memory of all processes, and the time of a second sample of a long prompt over the first.

A wall-clock ratio says nothing on a machine with other work, so three figures stand beside it: tokens per second of CPU
time of the workers (equal, if nobody spins or thrashes), the share of the slots' time spent inside the engine, and the
share of the machine's cores that others used meanwhile. Above 5 % of those, believe the first two.
"""

import argparse
import asyncio
import gzip
import json
import os
import resource
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from generate_overhead import Watched, bare, prompts, staged

from pairsmith.config import GenerateConfig
from pairsmith.models.local import LocalChatModel
from pairsmith.models.protocols import ChatRequest
from pairsmith.models.weights import smollm2_path
from pairsmith.records import Message, Prompt

WORKERS_BAR, PIPELINE_BAR = 1.6, 0.97
SAMPLES = 4
CHUNK = 20
FIELDS = ("prompt", "instruction", "question", "text")
_TICKS = os.sysconf("SC_CLK_TCK")


def worker_pids() -> list[int]:
    """The worker processes of this one."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it ended meanwhile
            if int(fields[1]) == os.getpid():
                found.append(int(entry.name))
    return found


def cpu_of(pids: Sequence[int]) -> float:
    """Their CPU time so far, in seconds."""
    stats = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids)
    return sum((int(fields[11]) + int(fields[12])) / _TICKS for fields in stats)


def machine() -> tuple[float, float]:
    """CPU time of the whole machine so far, in seconds: busy, and in all."""
    ticks = [int(each) for each in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / _TICKS, sum(ticks) / _TICKS


def own_cpu() -> float:
    """CPU time of this process, in seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def measured(run: Any) -> dict[str, float]:
    """What a run brought, with the CPU time of the workers and the share of the machine that others used."""
    pids = worker_pids()
    workers, mine, (busy, total) = cpu_of(pids), own_cpu(), machine()
    found: dict[str, float] = dict(await run)
    cpu = cpu_of(pids) - workers
    busy, total = machine()[0] - busy, machine()[1] - total
    found |= {"cpu": cpu, "others": max(busy - cpu - (own_cpu() - mine), 0.0) / total if total else 0.0}
    return found


def speeds(runs: Sequence[dict[str, float]]) -> dict[str, float]:
    """Tokens per second of wall and of CPU time over several runs."""
    tokens = sum(each["tokens"] for each in runs)
    wall, cpu = sum(each["wall"] for each in runs), sum(each["cpu"] for each in runs)
    return {"wall": tokens / wall, "cpu": tokens / cpu}


async def warm(model: LocalChatModel) -> None:
    """Start every worker."""
    greeting = (Message("user", "Hello"),)
    await asyncio.gather(*(model.complete(ChatRequest(greeting, 0.8, 0.9, 2, 1)) for _ in range(4 * model.slots)))


async def two_against_one(rounds: int, count: int, tokens: int) -> dict[str, Any]:
    """Tokens per second of two workers over one."""
    cfg = GenerateConfig(models=("m",), n=SAMPLES, max_tokens=tokens)
    models = {slots: LocalChatModel("m", smollm2_path(), workers=slots) for slots in (1, 2)}
    given = prompts(count)
    ratios, by_cpu, others = [], [], []
    all_runs: dict[int, list[dict[str, float]]] = {1: [], 2: []}
    try:
        for model in models.values():
            await warm(model)
        for number in range(rounds):
            runs: dict[int, list[dict[str, float]]] = {1: [], 2: []}
            for slots in (1, 2, 2, 1):
                runs[slots].append(await measured(bare(models[slots], given, cfg, number)))
            one, two = speeds(runs[1]), speeds(runs[2])
            ratios.append(two["wall"] / one["wall"])
            by_cpu.append(two["cpu"] / one["cpu"])
            others += [each["others"] for each in (*runs[1], *runs[2])]
            for slots, some in runs.items():
                all_runs[slots] += some
    finally:
        for model in models.values():
            await model.close()
    return {
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "bar": WORKERS_BAR,
        "tokens_per_cpu_s_ratio": statistics.median(by_cpu),
        "others_share": statistics.median(others),
        "tokens_per_s": {str(slots): speeds(some) for slots, some in all_runs.items()},
    }


async def against_bare(given: Sequence[Prompt], tokens: int) -> dict[str, Any]:
    """The stage over the engine driven bare, chunk by chunk in turns."""
    cfg = GenerateConfig.model_validate(
        {"models": ["m"], "n": SAMPLES, "max_tokens": tokens, "distinct": {"attempts": 0}}
    )
    model = LocalChatModel("m", smollm2_path())
    ratios, by_cpu, others, busy = [], [], [], []
    total = {"bare": 0.0, "stage": 0.0}
    try:
        await warm(model)
        for number, start in enumerate(range(0, len(given), CHUNK)):
            chunk = given[start : start + CHUNK]
            found = {}
            for way in ("bare", "stage") if number % 2 else ("stage", "bare"):
                watched = Watched(model)
                run = bare(model, chunk, cfg, 1) if way == "bare" else staged(watched, "m", chunk, cfg, 1)
                found[way] = await measured(run)
                total[way] += found[way]["tokens"]
                others.append(found[way]["others"])
                if way == "stage":
                    busy.append(watched.seconds / (found[way]["wall"] * model.slots))
            bare_speed, stage_speed = speeds([found["bare"]]), speeds([found["stage"]])
            ratios.append(stage_speed["wall"] / bare_speed["wall"])
            by_cpu.append(stage_speed["cpu"] / bare_speed["cpu"])
        memory = peak_memory()
        reuse = await second_over_first(model)
    finally:
        await model.close()
    return {
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "bar": PIPELINE_BAR,
        "prompts": len(given),
        "tokens": total,
        "tokens_per_cpu_s_ratio": statistics.median(by_cpu),
        "inside_engine": statistics.median(busy),
        "others_share": statistics.median(others),
        "peak_mib": memory,
        "second_sample_over_first": reuse,
        "slots": model.slots,
    }


def peak_memory() -> dict[str, float]:
    """Peak resident memory in MiB: of this process, and of each worker."""
    peaks = []
    for pid in worker_pids():
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        peaks.append(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024)
    return {"main": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "workers": sum(peaks)}


async def second_over_first(model: LocalChatModel, repeats: int = 5) -> float:
    """Time of the second sample of a prompt of some 600 tokens over that of the first, one token each."""
    shares = []
    for number in range(repeats):
        turns = (Message("user", f"{number}: " + " ".join(f"word{each % 97}" for each in range(200))),)
        walls = []
        for seed in (1, 2):
            started = time.perf_counter()
            await model.complete(ChatRequest(turns, 0.8, 0.9, 1, seed))
            walls.append(time.perf_counter() - started)
        shares.append(walls[1] / walls[0])
    return statistics.median(shares)


def read_prompts(path: Path, count: int) -> list[Prompt]:
    """The first prompts of a JSONL file, gzip or not."""
    data = path.read_bytes()
    made: dict[str, Prompt] = {}
    for line in (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8").splitlines():
        row = json.loads(line)
        turns = row.get("turns") or [{}]
        texts = (*(row.get(field) for field in FIELDS), turns[0].get("content"))
        text = next((each for each in texts if isinstance(each, str) and each.strip()), "")
        if text and len(made) < count:
            prompt = Prompt.of([Message("user", text)])
            made[prompt.id] = prompt
    return list(made.values())


def main() -> None:
    """Run what was asked for, print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    verbs = parser.add_subparsers(dest="what", required=True)
    workers = verbs.add_parser("workers")
    workers.add_argument("--rounds", type=int, default=5)
    workers.add_argument("--count", type=int, default=6)
    pipeline = verbs.add_parser("pipeline")
    pipeline.add_argument("file", type=Path)
    pipeline.add_argument("--count", type=int, default=300)
    for each in (workers, pipeline):
        each.add_argument("--tokens", type=int, default=64)
    given = parser.parse_args()
    if given.what == "workers":
        result = asyncio.run(two_against_one(given.rounds, given.count, given.tokens))
    else:
        result = asyncio.run(against_bare(read_prompts(given.file, given.count), given.tokens))
    for name, value in result.items():
        print(f"{name:<26} {value if not isinstance(value, float) else round(value, 3)}")
    believed = result["others_share"] <= 0.05
    state = (
        "not settled: the machine is busy" if not believed else "pass" if result["ratio"] >= result["bar"] else "FAIL"
    )
    print(f"{given.what}: {state}")
    print(json.dumps({"benchmark": f"local_engine {given.what}", **result}))


if __name__ == "__main__":
    main()
