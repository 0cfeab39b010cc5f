"""Category, difficulty, form and warnings of a prompt, by the rules that `docs/reference/prompts.md` states."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pairsmith.measures import prompt_rules as rules
from pairsmith.measures.unsafe import asks_for_harm

__all__ = ["CATEGORIES", "WARNINGS", "PromptTraits", "classify_prompt", "diversity"]

WARNINGS = ("too_short", "unclear", "unsafe_request", "refers_to_missing_context")

_READ_CHARS = 20_000  # rules look at the beginning of a prompt; the rest changes its length only
_HEAD_CHARS = 600  # the instruction stands first; what follows is its material


@dataclass(frozen=True, slots=True)
class PromptTraits:
    """What the rules say about one prompt.

    `category` is one of `CATEGORIES`; `difficulty` is easy, medium or hard; `form` is short or long, a hyphen, and
    plain, structured or code; `warnings` are some of `WARNINGS`, in that order.
    """

    category: str
    difficulty: str
    form: str
    warnings: tuple[str, ...]


CATEGORIES: tuple[str, ...] = ("qa", *(name for name, _ in rules.CATEGORY_RULES if name != "qa"), "other")


def classify_prompt(text: str) -> PromptTraits:
    """Category, difficulty, form and warnings of one prompt.

    >>> classify_prompt("Write a python function that sorts a list from large to small.")
    PromptTraits(category='coding', difficulty='easy', form='short-plain', warnings=())
    """
    head = text[:_READ_CHARS]
    words = len(rules.WORD.findall(head)) + (len(text) - len(head)) // 6
    category = _category(head)
    return PromptTraits(category, _difficulty(head, words, category), _form(head, words), _warnings(head, words))


def _category(text: str) -> str:
    instruction = text[:_HEAD_CHARS]
    if len(text) > 2 * _HEAD_CHARS:
        instruction += "\n" + text[-_HEAD_CHARS // 2 :]  # long material often has its question at the end
    if rules.CODE.search(text[: _HEAD_CHARS // 3]):
        return "coding"
    for category, rule in rules.CATEGORY_RULES:
        if rule.search(instruction):
            return category
    return "coding" if rules.CODE.search(text) else "other"


def _difficulty(text: str, words: int, category: str) -> str:
    """One point each: 60 and 200 words, 3 and 6 constraints, 1 and 3 multi-step words, a longer technical prompt."""
    constraints, steps = len(rules.CONSTRAINT.findall(text)), len(rules.MULTI_STEP.findall(text))
    points = (words > 60) + (words > 200) + (constraints >= 3) + (constraints >= 6) + (steps >= 1) + (steps >= 3)
    points += category in ("coding", "math", "reasoning") and words > 25
    return "easy" if points == 0 else "medium" if points <= 2 else "hard"


def _form(text: str, words: int) -> str:
    length = "short" if words <= 60 else "long"
    if rules.CODE.search(text):
        return f"{length}-code"
    structured = len(rules.STRUCTURED.findall(text)) >= 2 or rules.TABLE_OR_DATA.search(text)
    return f"{length}-structured" if structured else f"{length}-plain"


def _warnings(text: str, words: int) -> tuple[str, ...]:
    found = {
        "too_short": words < 3,
        "unclear": _is_unclear(text),
        "unsafe_request": asks_for_harm(text),
        "refers_to_missing_context": _misses_context(text),
    }
    return tuple(name for name in WARNINGS if found[name])


def _is_unclear(text: str) -> bool:
    """No letters or digits, mostly symbols, keyboard mashing, or only words that point at something unsaid."""
    stripped = text.strip()
    readable = sum(char.isalnum() or char.isspace() for char in stripped)
    if not stripped or readable == 0 or "\ufffd" * 3 in stripped:
        return True
    if readable < 0.5 * len(stripped) and not rules.CODE.search(text):
        return True
    mashed = len(stripped) < 60 and rules.MASHED.search(stripped)
    return bool(mashed) or bool(len(stripped) < 80 and rules.DEICTIC.fullmatch(stripped))


def _misses_context(text: str) -> bool:
    """It names an attachment, an image or an earlier turn, or it points to material that is not there."""
    if rules.MISSING_ANYWAY.search(text):
        return True
    pointer = rules.POINTS_TO_MATERIAL.search(text)
    if pointer is None:
        return False
    # Material follows a colon, a line break, an opening quotation mark or the end of the sentence that points to it.
    before = re.search(r"[:\n\"“«`]\W{0,20}\w", text)
    return before is None and not re.search(r"[.?!,]\s{1,9}\w", text[pointer.end() :])


def diversity(
    categories: Sequence[str], targets: Mapping[str, float] | None = None, *, seed: int = 0
) -> dict[str, Any]:
    """How evenly prompts spread over their categories.

    Args:
        categories: one category a prompt.
        targets: wanted share of each category, summing to 1; its keys are then the possible categories.
        seed: seed of the bootstrap.

    Returns:
        `n`, `distinct`, `shares` (largest first), `entropy` (Shannon entropy over the logarithm of the number of
        possible categories, in [0, 1]; 1 is an even spread) and, with targets, `target_distance` (total variation in
        [0, 1]; 0 is as wanted). The last two are figures with a 95 % bootstrap interval over prompts.

    Raises:
        ValueError: targets that are negative or do not sum to 1.

    >>> diversity(["qa", "qa", "math", "coding"])["shares"]
    {'qa': 0.5, 'coding': 0.25, 'math': 0.25}
    """
    wanted = dict(targets or {})
    if targets is not None and (min(targets.values(), default=-1.0) < 0 or abs(sum(targets.values()) - 1.0) > 1e-6):
        raise ValueError(f"targets must be shares that sum to 1, not {dict(targets)}")
    counts = Counter(categories)
    ordered = sorted(counts, key=lambda name: (-counts[name], name))
    names = ordered + sorted(set(wanted) - set(counts))
    n = len(categories)
    result: dict[str, Any] = {"n": n, "distinct": len(counts), "shares": {name: counts[name] / n for name in ordered}}
    possible = len(names) if targets is not None else len(counts)
    observed = np.array([counts[name] for name in names], dtype=np.float64)
    draws = np.random.default_rng(seed).multinomial(n, observed / n, size=1000) if n else np.zeros((0, len(names)))
    result["entropy"] = _figure(_entropy(observed, possible), [_entropy(draw, possible) for draw in draws], n)
    if targets is not None:
        goal = np.array([wanted.get(name, 0.0) for name in names])
        result["target_distance"] = _figure(_distance(observed, goal), [_distance(draw, goal) for draw in draws], n)
    return result


def _entropy(counts: np.ndarray[Any, Any], possible: int) -> float:
    """Normalised by the logarithm of `possible`; 0 where only one category is possible."""
    shares = counts[counts > 0] / max(counts.sum(), 1)
    return float(-(shares * np.log(shares)).sum() / math.log(possible)) if possible > 1 else 0.0


def _distance(counts: np.ndarray[Any, Any], goal: np.ndarray[Any, Any]) -> float:
    return float(np.abs(counts / max(counts.sum(), 1) - goal).sum() / 2)


def _figure(value: float, draws: Sequence[float], n: int) -> dict[str, Any]:
    if n == 0:
        return {"value": None, "interval": None, "n": 0, "reason": "no prompts"}
    low, high = (float(edge) for edge in np.quantile(np.array(draws), [0.025, 0.975]))
    return {"value": value + 0.0, "interval": [low, high], "n": n, "reason": ""}
