"""What a run of `generate` will take: calls, tokens, money and time, before the first call is made."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pairsmith.builds import write_atomically
from pairsmith.config import Config, ModelConfig
from pairsmith.engine import available_cores
from pairsmith.ledger import Ledger
from pairsmith.pipeline.losing import lost_candidates
from pairsmith.records import Candidate, Progress
from pairsmith.stages.generate import asks_missing

__all__ = ["estimate", "in_words", "remember_rates"]

RATES_FILE = "generate-rates.json"
BYTES_PER_TOKEN = 4.0
"""Of English text; others have fewer, so their prompts cost more than estimated."""
LOCAL_TOKENS_PER_CORE_S = 95.0
"""SmolLM2-135M, one worker process per idle core: 190 tokens a second on two, see docs/reference/models.md."""

_MILLION = 1_000_000


def estimate(project: Path, config: Config, ledger: Ledger) -> dict[str, Any]:
    """Per model and in total: what the questions that are missing now will take.

    `completion_tokens` goes by the mean of the answers that are there, else by `max_tokens`; the `_at_most` figures
    by `max_tokens`. `cost` is `None` without a price; `seconds` is `None` where no run has measured a rate yet.
    Edits and second attempts that follow from answers not yet there are not counted.
    """
    calls: Counter[str] = Counter()
    prompt_tokens: Counter[str] = Counter()
    most: Counter[str] = Counter()
    lost = lost_candidates(config, ledger)
    for ask in asks_missing(config.generate, ledger, seed=config.seed, lost=lost):
        request = ask.request()
        calls[ask.model] += 1
        prompt_tokens[ask.model] += round(
            sum(len(turn.content.encode()) for turn in request.messages) / BYTES_PER_TOKEN
        )
        most[ask.model] += request.max_tokens
    means = _mean_lengths(ledger) if calls else {}
    rates = _rates(project, config)
    models = [
        _of_model(name, config.models[name], calls[name], prompt_tokens[name], most[name], means.get(name), rates)
        for name in sorted(calls)
    ]
    totals = {
        key: _total(models, key) for key in ("calls", "prompt_tokens", "completion_tokens", "cost", "cost_at_most")
    }
    slowest = [each["seconds"] for each in models]  # models are asked side by side
    seconds = None if None in slowest else max(slowest, default=0.0)
    return {"models": models, **totals, "seconds": seconds}


def in_words(estimated: Mapping[str, Any]) -> str:
    """The estimate as one line for a person."""
    words = [f"{estimated['calls']:,} calls", f"about {estimated['completion_tokens']:,} tokens of answers"]
    if estimated["cost"]:
        words.append(f"cost about {estimated['cost']:,.2f}, at most {estimated['cost_at_most']:,.2f}")
    seconds = estimated["seconds"]
    words.append("time not known before a first run" if seconds is None else f"about {_duration(seconds)}")
    return ", ".join(words)


def remember_rates(project: Path, config: Config, progress: Progress) -> None:
    """Keep the speed of a run for the next estimate."""
    measured = {name: each["tokens_per_second"] for name, each in progress.details.get("models", {}).items()}
    if any(measured.values()):
        path = project / config.runtime.cache / RATES_FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        known = _read_rates(path) | {name: rate for name, rate in measured.items() if rate > 0}
        write_atomically(path, json.dumps(known, sort_keys=True).encode())


def _of_model(
    name: str,
    model: ModelConfig,
    calls: int,
    prompt_tokens: int,
    most: int,
    mean: float | None,
    rates: Mapping[str, float],
) -> dict[str, Any]:
    expected = min(round(calls * mean), most) if mean is not None else most
    price, rate = model.price, rates.get(name)

    def cost(completion: int) -> float | None:
        return None if price is None else (prompt_tokens * price.input + completion * price.output) / _MILLION

    return {
        "name": name,
        "calls": calls,
        "prompt_tokens": prompt_tokens,
        "completion_tokens": expected,
        "completion_tokens_at_most": most,
        "cost": cost(expected),
        "cost_at_most": cost(most),
        "tokens_per_second": rate,
        "seconds": expected / rate if rate else None,
    }


def _mean_lengths(ledger: Ledger) -> dict[str, float]:
    """Mean tokens per answer of each model, as the servers counted them."""
    tokens: Counter[str] = Counter()
    counted: Counter[str] = Counter()
    for candidate in ledger.read(Candidate):
        if "completion_tokens" in candidate.usage:
            tokens[candidate.model] += candidate.usage["completion_tokens"]
            counted[candidate.model] += 1
    return {name: tokens[name] / counted[name] for name in counted}


def _rates(project: Path, config: Config) -> dict[str, float]:
    """Tokens per second by model: measured by the last run, for the local default model also without one."""
    workers = config.runtime.workers or available_cores()
    assumed = {
        name: LOCAL_TOKENS_PER_CORE_S * workers
        for name, model in config.models.items()
        if model.kind == "local" and not model.path
    }
    return assumed | _read_rates(project / config.runtime.cache / RATES_FILE)


def _read_rates(path: Path) -> dict[str, float]:
    """The stored rates; nothing if there are none or the file is no use, as it is only a cache."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    rates = known.items() if isinstance(known, dict) else ()
    return {name: float(rate) for name, rate in rates if isinstance(rate, (int, float)) and rate > 0}


def _total(models: list[dict[str, Any]], key: str) -> Any:
    values = [each[key] for each in models if each[key] is not None]
    return sum(values) if values or key != "cost" else None


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
