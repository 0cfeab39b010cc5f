"""Which candidates of a prompt become a pair: named policies, and what each does to gap, length and counts.

A policy that *picks* makes pairs from scored candidates; one that *trims* takes pairs and returns some, or more, of
them. All are pure, and none depends on the order of its input: what is drawn is drawn by a hash of seed and ids.
Candidates without a difference in score, or called a tie, never become a pair.

Sources: best against the rejected at mu - 2 sigma: arXiv 2502.16825; refilling after a filter, and the rest of the
evidence: docs/reference/selection.md.
"""

import hashlib
import heapq
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from types import MappingProxyType
from typing import Any

import numpy as np

from pairsmith.measures.pools import (
    ROUNDING,
    Pick,
    Pool,
    Scored,
    columns,
    longer_side,
    possible_columns,
    score_of,
    summary,
)

__all__ = [
    "PICKING",
    "TRIMMING",
    "PickingPolicy",
    "Selection",
    "TrimmingPolicy",
    "adjacent",
    "all_above_margin",
    "best_worst",
    "length_balanced",
    "max_pairs_per_prompt",
    "mu_minus_2sigma",
    "pick",
    "random_below_chosen",
    "refill_to_n",
    "trim",
]

_EVEN = 0.5


@dataclass(frozen=True, slots=True)
class Selection:
    """Pairs sorted by prompt and ids, and one report for each policy that was applied, in turn."""

    picks: tuple[Pick, ...]
    reports: tuple[Mapping[str, Any], ...]


PickingPolicy = Callable[[Pool], Iterable[tuple[Scored, Scored]]]
"""Makes pairs (better, worse) of a ranked pool of at least two candidates; pairs that tie are left out afterwards."""

TrimmingPolicy = Callable[[Sequence[Pick], Sequence[Pick]], Iterable[Pick]]
"""Turns pairs into fewer or more; the second argument holds every pair the candidates could form."""


def best_worst() -> PickingPolicy:
    """The best against the worst."""
    return lambda pool: [(pool.candidates[0], pool.candidates[-1])]


def adjacent() -> PickingPolicy:
    """Each score level against the next lower one, by the first candidate of either."""

    def policy(pool: Pool) -> Iterable[tuple[Scored, Scored]]:
        levels: list[Scored] = []
        for each in pool.candidates:
            if not levels or score_of(levels[-1]) - score_of(each) > ROUNDING:
                levels.append(each)
        return pairwise(levels)

    return policy


def all_above_margin(margin: float = 0.15) -> PickingPolicy:
    """Every pair whose scores differ by at least `margin`."""

    def policy(pool: Pool) -> Iterable[tuple[Scored, Scored]]:
        return (
            (better, worse)
            for better, worse in combinations(pool.candidates, 2)
            if score_of(better) - score_of(worse) >= margin - ROUNDING
        )

    return policy


def mu_minus_2sigma() -> PickingPolicy:
    """The best against the candidate whose score is nearest to mean - 2 standard deviations (of the population).

    With few candidates that is the worst; with many it spares the freak that nobody needs to learn to avoid.
    """

    def policy(pool: Pool) -> Iterable[tuple[Scored, Scored]]:
        scores = np.array([score_of(each) for each in pool.candidates])
        target = float(scores.mean() - 2 * scores.std())
        order = sorted(pool.candidates[1:], key=lambda each: (-score_of(each), each.id))
        return [(pool.candidates[0], min(order, key=lambda each: round(abs(score_of(each) - target), 9)))]

    return policy


def random_below_chosen(seed: int) -> PickingPolicy:
    """The best against one of the lower ones, drawn by seed, prompt id and candidate id."""

    def policy(pool: Pool) -> Iterable[tuple[Scored, Scored]]:
        best = pool.candidates[0]
        lower = [each for each in pool.candidates if not pool.tied(best, each)]
        return [(best, min(lower, key=lambda each: _draw(seed, pool.prompt, each.id)))] if lower else []

    return policy


def max_pairs_per_prompt(limit: int, keep: str = "largest_gap", seed: int = 0) -> TrimmingPolicy:
    """At most `limit` pairs of each prompt: those with the largest gap, or (`keep="random"`) drawn by seed and ids."""
    if limit < 1 or keep not in ("largest_gap", "random"):
        raise ValueError(f"limit must be 1 or more and keep largest_gap or random, not {limit} and {keep!r}")

    def rank(each: Pick) -> tuple[Any, ...]:
        return (-each.gap if keep == "largest_gap" else _draw(seed, *each.key), each.key)

    def policy(picks: Sequence[Pick], _: Sequence[Pick]) -> Iterable[Pick]:
        of_prompt: dict[str, list[Pick]] = {}
        for each in picks:
            of_prompt.setdefault(each.prompt, []).append(each)
        return [each for listed in of_prompt.values() for each in sorted(listed, key=rank)[:limit]]

    return policy


def length_balanced(max_share: float = 0.5) -> TrimmingPolicy:
    """Leaves out pairs until neither "chosen is longer" nor "chosen is shorter" has more than `max_share` of them.

    Of the side in surplus those with the largest ratio of lengths go first, then those with the smaller gap. Pairs of
    equal lengths stay, and do not count.
    """
    if not _EVEN <= max_share < 1:
        raise ValueError(f"max_share lies in [0.5, 1), not {max_share}")

    def policy(picks: Sequence[Pick], _: Sequence[Pick]) -> Iterable[Pick]:
        sides: dict[int, list[Pick]] = {-1: [], 0: [], 1: []}
        for each in picks:
            sides[longer_side(each)].append(each)
        surplus, other = sorted((-1, 1), key=lambda side: (-len(sides[side]), side))
        allowed = math.floor(len(sides[other]) * max_share / (1 - max_share) + ROUNDING)
        kept = sorted(sides[surplus], key=lambda each: (abs(_log_ratio(each)), -each.gap, each.key))[:allowed]
        return [*kept, *sides[other], *sides[0]]

    return policy


def refill_to_n(n: int, margin: float = 0.0) -> TrimmingPolicy:
    """Adds pairs of the reserve until there are `n`: prompts with fewest pairs first, then the largest gap.

    Never leaves out a pair; adds none with a gap below `margin`. Fewer than `n` come back where the reserve runs out.
    """

    def policy(picks: Sequence[Pick], reserve: Sequence[Pick]) -> Iterable[Pick]:
        counts, known = Counter(each.prompt for each in picks), {each.key for each in picks}
        waiting: dict[str, list[Pick]] = {}
        for each in reserve:
            if each.gap >= margin - ROUNDING and each.key not in known:
                waiting.setdefault(each.prompt, []).append(each)
        for listed in waiting.values():
            listed.sort(key=lambda pair: (pair.gap, pair.key))  # the largest gap last
        queue = [(counts[prompt], -listed[-1].gap, prompt) for prompt, listed in waiting.items()]
        heapq.heapify(queue)
        added: list[Pick] = []
        while queue and len(picks) + len(added) < n:
            count, _, prompt = heapq.heappop(queue)
            added.append(waiting[prompt].pop())
            if waiting[prompt]:
                heapq.heappush(queue, (count + 1, -waiting[prompt][-1].gap, prompt))
        return [*picks, *added]

    return policy


PICKING: Mapping[str, Callable[..., PickingPolicy]] = MappingProxyType(
    {
        "best_worst": best_worst,
        "adjacent": adjacent,
        "all_above_margin": all_above_margin,
        "mu_minus_2sigma": mu_minus_2sigma,
        "random_below_chosen": random_below_chosen,
    }
)
TRIMMING: Mapping[str, Callable[..., TrimmingPolicy]] = MappingProxyType(
    {
        "max_pairs_per_prompt": max_pairs_per_prompt,
        "length_balanced": length_balanced,
        "refill_to_n": refill_to_n,
    }
)


def pick(pools: Iterable[Pool], policy: str | PickingPolicy, **options: Any) -> Selection:
    """Pairs of every prompt by one policy.

    The report compares them with all pairs the candidates could form (`before`), and counts `candidates`, `unscored`
    candidates (no score, or not a finite number), `tied` pairs of candidates, and `empty_prompts`, which gave no pair.

    Args:
        pools: one for each prompt.
        policy: a name of `PICKING`, or a policy of your own.
        options: of the named policy.
    """
    choose = PICKING[policy](**options) if isinstance(policy, str) else policy
    possible, picks, possible_prompts = [np.zeros((0, 3))], list[Pick](), 0
    counts = {"candidates": 0, "unscored": 0, "tied": 0, "empty_prompts": 0}
    for pool in sorted(pools, key=lambda each: each.prompt):
        ranked = pool.ranked()
        scored = len(ranked.candidates)
        pairs = choose(ranked) if scored > 1 else []
        free = {Pick.of(pool.prompt, better, worse) for better, worse in pairs if not ranked.tied(better, worse)}
        picks += free
        possible.append(possible_columns(ranked))
        possible_prompts += len(possible[-1]) > 0
        counts["candidates"] += len(pool.candidates)
        counts["unscored"] += len(pool.candidates) - scored
        counts["tied"] += math.comb(scored, 2) - len(possible[-1])
        counts["empty_prompts"] += not free
    picks.sort(key=lambda pair: pair.key)
    before = summary(np.concatenate(possible), possible_prompts)
    return Selection(tuple(picks), ({**_report(policy, options, before, _summary(picks)), **counts},))


def trim(
    selection: Selection, policy: str | TrimmingPolicy, *, pools: Iterable[Pool] = (), **options: Any
) -> Selection:
    """The selection after one more policy.

    Args:
        selection: the pairs so far.
        policy: a name of `TRIMMING`, or a policy of your own.
        pools: where `refill_to_n` looks for more pairs.
        options: of the named policy.
    """
    change = TRIMMING[policy](**options) if isinstance(policy, str) else policy
    reserve = pick(pools, all_above_margin(0.0)).picks
    after = tuple(sorted(change(selection.picks, reserve), key=lambda pair: pair.key))
    report = _report(policy, options, _summary(selection.picks), _summary(after))
    return Selection(after, (*selection.reports, report))


def _summary(picks: Sequence[Pick]) -> dict[str, Any]:
    return summary(columns(picks), len({each.prompt for each in picks}))


def _report(
    policy: str | Callable[..., Any], options: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[str, Any]:
    name = policy if isinstance(policy, str) else getattr(policy, "__name__", type(policy).__name__)
    return {"policy": name, "options": dict(sorted(options.items())), "before": before, "after": after}


def _draw(seed: int, *ids: str) -> bytes:
    """A number that depends on the seed and the ids alone."""
    return hashlib.sha256("\x00".join([str(seed), *ids]).encode("utf-8", "surrogatepass")).digest()


def _log_ratio(pair: Pick) -> float:
    return math.log((pair.chosen_length + 1) / (pair.rejected_length + 1))
