"""Which candidates of a prompt are compared: the part of `annotate` that needs neither ledger nor model."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, pairwise
from typing import Final

from pairsmith.config import AnnotateConfig
from pairsmith.ids import seed_for
from pairsmith.records import Candidate, Comparison

__all__ = ["draw_comparisons"]

STAGE: Final = "annotate"


def draw_comparisons(
    cfg: AnnotateConfig, candidates: Iterable[Candidate], existing: Iterable[Comparison], *, seed: int
) -> tuple[list[Comparison], dict[str, int]]:
    """The comparisons to add, and how many candidates or pairs were left out and why.

    Candidates that were imported together with their comparison are not paired again, and two imported candidates
    never are. What exists counts against `max_per_prompt`, so raising it or adding candidates only ever adds.

    Returns:
        New comparisons, and counts: candidates without text (`empty`), with an `error`, the same as another of their
        prompt (`identical`), asked again because they repeated another (`replaced`), and pairs beyond the limit
        (`not_drawn`), of which edited responses and their originals are the last.
    """
    by_id = {candidate.id: candidate for candidate in candidates}
    there: dict[str, set[str]] = defaultdict(set)
    came_compared: set[str] = set()
    for comparison in existing:
        sides = [by_id[side] for side in (comparison.a, comparison.b) if side in by_id]
        if all(side.origin == "imported" for side in sides):
            came_compared.update(side.id for side in sides)
        else:
            there[comparison.prompt_id].add(comparison.id)
    pools: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in by_id.values():
        if candidate.id not in came_compared:
            pools[candidate.prompt_id].append(candidate)
    left_out: Counter[str] = Counter(empty=0, error=0, identical=0, replaced=0, not_drawn=0)
    drawn: list[Comparison] = []
    for prompt_id in sorted(pools):
        wanted = _pairs(cfg, _usable(pools[prompt_id], left_out))
        missing = [each for each in wanted if each.id not in there[prompt_id]]
        room = max(cfg.max_per_prompt - len(there[prompt_id]), 0)
        if len(missing) > room:
            left_out["not_drawn"] += len(missing) - room
            missing = sorted(
                missing, key=lambda each: (_strangers(each, by_id), seed_for(seed, STAGE, each.id), each.id)
            )
            missing = missing[:room]
        drawn.extend(missing)
    return drawn, dict(left_out)


def _usable(pool: Iterable[Candidate], left_out: Counter[str]) -> list[Candidate]:
    """Candidates worth comparing, in order of model and sample; of identical ones the first."""
    usable: dict[tuple[object, str], Candidate] = {}
    replaced = {each.params.get("instead_of") for each in pool if not each.error}
    for candidate in sorted(pool, key=lambda each: (each.model, each.sample, each.id)):
        if candidate.error:
            left_out["error"] += 1
        elif not candidate.text.strip():
            left_out["empty"] += 1
        elif candidate.id in replaced:
            left_out["replaced"] += 1
        elif usable.setdefault((candidate.context, candidate.text.strip()), candidate) is not candidate:
            left_out["identical"] += 1
    return list(usable.values())


def _strangers(comparison: Comparison, by_id: Mapping[str, Candidate]) -> bool:
    """Whether neither side is an edit of the other."""
    a, b = by_id[comparison.a], by_id[comparison.b]
    return a.params.get("of") != b.id and b.params.get("of") != a.id


def _pairs(cfg: AnnotateConfig, usable: Sequence[Candidate]) -> list[Comparison]:
    chosen = combinations(usable, 2) if cfg.comparisons == "all" else pairwise(usable)
    return [Comparison.of(one, other) for one, other in chosen if not one.origin == other.origin == "imported"]
