"""Where candidates come from, and what became of each kind: what tells whether augmentation left its mark."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pairsmith.measures.intervals import figure, share_figure
from pairsmith.pipeline.facts import Facts
from pairsmith.records import Candidate, PreferencePair

__all__ = ["intentions", "origin_figures"]

_NO_TRUTH = "no label of this build is known to be true; have people vote on a sample of both kinds"
_SAMPLED = ("model", "imported", "human")


def origin_figures(facts: Facts, pairs: Sequence[PreferencePair]) -> list[dict[str, Any]]:
    """Per origin: candidates, failures, share of the pairs with a side of it, and its label accuracy.

    A pair counts for the origins of both sides, so the shares may sum to more than 1.
    """
    by_origin: dict[str, list[Candidate]] = {}
    for candidate in facts.candidates.values():
        by_origin.setdefault(candidate.origin, []).append(candidate)
    sides = [{facts.candidates[side].origin for side in (pair.chosen_id, pair.rejected_id)} for pair in pairs]
    return [
        {
            "name": origin,
            "augmented": origin not in _SAMPLED,
            "candidates": len(candidates),
            "failed": sum(bool(each.error) for each in candidates),
            "kept_pairs": share_figure(sum(origin in each for each in sides), len(pairs), "no pair was kept"),
            "label_accuracy": figure(None, None, 0, _NO_TRUTH),
        }
        for origin, candidates in sorted(by_origin.items())
    ]


def intentions(facts: Facts, pairs: Iterable[PreferencePair]) -> dict[str, Any]:
    """How often the side that was meant to be better won, among the kept pairs made for each purpose.

    Far from 1, the augmentation does not do what it is meant to. Exactly 1 is no proof of quality: the votes may have
    followed a trace that the augmentation leaves.
    """
    meant: dict[str, tuple[Callable[[Candidate, Candidate], bool], str]] = {
        "edited": (lambda one, other: one.params.get("of") == other.id, "no edited response met its original"),
        "strong_weak": (
            lambda one, other: one.origin == "strong" and other.origin in ("weak", "corrupted"),
            "no strong response met a weak or corrupted one",
        ),
        "contrast": (
            lambda one, other: (
                one.origin == other.origin == "contrast"
                and one.params.get("guideline") == other.params.get("guideline")
                and (one.params.get("side"), other.params.get("side")) == ("follow", "violate")
            ),
            "no response that follows the guideline met one that violates it",
        ),
    }
    won = dict.fromkeys(meant, 0)
    met = dict.fromkeys(meant, 0)
    for pair in pairs:
        chosen, rejected = facts.candidates[pair.chosen_id], facts.candidates[pair.rejected_id]
        for name, (better, _) in meant.items():
            won[name] += better(chosen, rejected)
            met[name] += better(chosen, rejected) or better(rejected, chosen)
    return {name: share_figure(won[name], met[name], reason) for name, (_, reason) in meant.items()}
