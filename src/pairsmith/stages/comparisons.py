"""Which candidates of a prompt are compared: the part of `annotate` that needs neither ledger nor model."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
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

    Candidates that were imported together with their comparison are not paired again, but with edits of themselves.
    What exists counts against `max_per_prompt`, so raising it or adding candidates only ever adds; an edit meets its
    original beyond that limit too, as augmented candidates always meet real annotation.

    Returns:
        New comparisons, and counts: candidates without text (`empty`), with an `error`, the same as another of their
        prompt (`identical`), asked again because they repeated another (`replaced`), and pairs beyond the limit
        (`not_drawn`).
    """
    by_id = {candidate.id: candidate for candidate in candidates}
    there: dict[str, set[str]] = defaultdict(set)
    came_compared: set[str] = set()
    for comparison in existing:
        sides = [by_id[side] for side in (comparison.a, comparison.b) if side in by_id]
        if all(_came_with_comparisons(side) for side in sides):
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
        usable = _usable(pools[prompt_id], left_out)
        kin = {each.id: each for each in _with_originals(usable, by_id)}
        missing = [each for each in kin.values() if each.id not in there[prompt_id]]
        others = [each for each in _pairs(cfg, usable) if each.id not in kin and each.id not in there[prompt_id]]
        room = max(cfg.max_per_prompt - len(there[prompt_id]) - len(missing), 0)
        if len(others) > room:
            left_out["not_drawn"] += len(others) - room
            others = sorted(others, key=lambda each: (seed_for(seed, STAGE, each.id), each.id))[:room]
        drawn += missing + others
    return drawn, dict(left_out)


def _came_with_comparisons(candidate: Candidate) -> bool:
    """Whether a source that compares responses brought the candidate."""
    return candidate.origin == "imported" and not candidate.params.get("unpaired")


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


def _with_originals(usable: Iterable[Candidate], by_id: Mapping[str, Candidate]) -> Iterator[Comparison]:
    """Every edit against the response that was edited, if that is one and says something else."""
    for candidate in usable:
        original = by_id.get(candidate.params.get("of", ""))
        if original is None or original.error or original.prompt_id != candidate.prompt_id:
            continue
        if original.text.strip() not in ("", candidate.text.strip()):
            yield Comparison.of(original, candidate)


def _pairs(cfg: AnnotateConfig, usable: Sequence[Candidate]) -> list[Comparison]:
    chosen = combinations(usable, 2) if cfg.comparisons == "all" else pairwise(usable)
    return [
        Comparison.of(one, other)
        for one, other in chosen
        if not (_came_with_comparisons(one) and _came_with_comparisons(other))
    ]
