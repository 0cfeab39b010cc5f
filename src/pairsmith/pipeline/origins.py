"""Where candidates come from, and what became of each kind: what tells whether augmentation left its mark."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from pairsmith.ids import seed_for
from pairsmith.measures.artefact_probe import artefact_probe
from pairsmith.measures.intervals import figure, share_figure
from pairsmith.pipeline.facts import Facts
from pairsmith.records import Annotation, Candidate, PreferencePair

__all__ = ["augmentation_figures", "intentions", "origin_figures"]

TRACE_BAR: Final = 0.7
"""Where there are no sampled pairs to compare with: preferences of people on sampled responses give 0.53 to 0.6."""

_NO_TRUTH: Final = "people and models did not both decide any of these comparisons; have people vote on a sample"
_SAMPLED: Final = ("model", "imported", "human")
_MACHINES: Final = ("judge", "reward", "verifier")


def origin_figures(facts: Facts, votes: Sequence[Annotation], pairs: Sequence[PreferencePair]) -> list[dict[str, Any]]:
    """Per origin: candidates, failures, share of the pairs with a side of it, and its label accuracy.

    A pair counts for the origins of both sides, so the shares may sum to more than 1. `votes` are those believed.
    """
    by_origin: dict[str, list[Candidate]] = {}
    for candidate in facts.candidates.values():
        by_origin.setdefault(candidate.origin, []).append(candidate)
    sides = [_origins(facts, pair.chosen_id, pair.rejected_id) for pair in pairs]
    confirmed = _confirmed(facts, votes)
    return [
        {
            "name": origin,
            "augmented": origin not in _SAMPLED,
            "candidates": len(candidates),
            "failed": sum(bool(each.error) for each in candidates),
            "kept_pairs": share_figure(sum(origin in each for each in sides), len(pairs), "no pair was kept"),
            "label_accuracy": _accuracy([right for origins, right in confirmed if origin in origins]),
        }
        for origin, candidates in sorted(by_origin.items())
    ]


def augmentation_figures(
    facts: Facts, votes: Sequence[Annotation], pairs: Sequence[PreferencePair], *, seed: int
) -> dict[str, Any]:
    """Augmented pairs, those with at least one augmented side, beside sampled ones: share, label accuracy and probe.

    Returns:
        `candidates` and `kept_pairs`: augmented shares; `artefact_probe` of `all`, `augmented` and `sampled` pairs,
        `label_accuracy` of the latter two; and `warnings`, each with its remedy.
    """
    kinds = [_kind(_origins(facts, pair.chosen_id, pair.rejected_id)) for pair in pairs]
    confirmed = [(_kind(origins), right) for origins, right in _confirmed(facts, votes)]
    candidates = sum(each.origin not in _SAMPLED for each in facts.candidates.values())
    probes = {"all": _probe(pairs, "pairs", seed)}
    for kind in ("augmented", "sampled"):
        mine = [pair for pair, other in zip(pairs, kinds, strict=True) if other == kind]
        probes[kind] = probes["all"] if len(mine) == len(pairs) else _probe(mine, f"{kind} pairs", seed)
    return {
        "candidates": share_figure(candidates, len(facts.candidates), "there are no candidates"),
        "kept_pairs": share_figure(kinds.count("augmented"), len(pairs), "no pair was kept"),
        "artefact_probe": probes,
        "label_accuracy": {
            kind: _accuracy([right for other, right in confirmed if other == kind]) for kind in ("augmented", "sampled")
        },
        "warnings": _warnings(probes),
    }


def _warnings(probes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What the probe found, if it tells augmented pairs apart better than chance and sampling explain."""
    low = (probes["augmented"]["interval"] or [0.0])[0]
    compared = probes["sampled"]["interval"]
    bar = compared[1] if compared else TRACE_BAR
    if not low > bar:
        return []
    with_what = "in sampled pairs it finds at most" if compared else "people's preferences give less than"
    return [
        "the augmentation leaves a trace: words and layout of one response tell chosen from rejected in at least "
        f"{low:.0%} of the augmented pairs, {with_what} {bar:.0%}. A trainer may learn the trace; ask with other "
        "instructions or models, use more than one strategy, or lower the share of augmented pairs"
    ]


def _probe(pairs: Sequence[PreferencePair], what: str, seed: int) -> dict[str, Any]:
    return artefact_probe(
        [pair.chosen_text for pair in pairs],
        [pair.rejected_text for pair in pairs],
        [pair.prompt_id for pair in pairs],
        seed=seed_for(seed, "report", "artefact_probe"),
        what=what,
    )


def _origins(facts: Facts, *sides: str) -> frozenset[str]:
    return frozenset(facts.candidates[side].origin for side in sides)


def _kind(origins: Iterable[str]) -> str:
    return "sampled" if all(origin in _SAMPLED for origin in origins) else "augmented"


def _confirmed(facts: Facts, votes: Sequence[Annotation]) -> list[tuple[frozenset[str], bool]]:
    """The comparisons that both people and models decided: origins of the sides, and whether the two agree."""
    cast: dict[str, dict[str, dict[str, str]]] = {}
    for vote in sorted(votes, key=lambda each: each.revision):
        by = "people" if vote.kind == "human" else "machines" if vote.kind in _MACHINES else ""
        if by and not vote.criteria.get("demonstration"):
            cast.setdefault(vote.comparison_id, {}).setdefault(by, {})[vote.annotator] = vote.label
    for ruling in facts.rulings:
        cast.setdefault(ruling.comparison_id, {})["people"] = {ruling.by: ruling.label}
    found = []
    for comparison in facts.comparisons:
        if comparison.a not in facts.candidates or comparison.b not in facts.candidates:
            continue
        by_whom = cast.get(comparison.id, {})
        people, machines = (_majority(by_whom.get(each, {}).values()) for each in ("people", "machines"))
        if people and machines:
            found.append((_origins(facts, comparison.a, comparison.b), people == machines))
    return found


def _majority(labels: Iterable[str]) -> str:
    """The side with more votes; empty without one."""
    counts = Counter(labels)
    return "" if counts["a"] == counts["b"] else "a" if counts["a"] > counts["b"] else "b"


def _accuracy(right: Sequence[bool]) -> dict[str, Any]:
    """How often people confirmed the verdict of the models."""
    if not right:
        return figure(None, None, 0, _NO_TRUTH)
    return share_figure(sum(right), len(right), _NO_TRUTH)


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
