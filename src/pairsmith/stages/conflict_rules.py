"""Resolved pairs that contradict each other: both ways, in circles, or across near-identical prompts.

Responses are compared as a reader sees them, so two candidates with the same text are one response. A preference
weighs as much as its lead in votes; what a person ruled outweighs any votes.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from pairsmith.config import ResolveConfig
from pairsmith.measures.conflicts import (
    CONFLICT_KINDS,
    Conflict,
    Preference,
    both_ways,
    inconsistent_annotations,
    low_confidence,
    preference_cycles,
)
from pairsmith.measures.opposed_examples import Example, contradictory_examples
from pairsmith.measures.text import squash
from pairsmith.measures.votes import Votes
from pairsmith.records import ConflictRecord, Dropped, Message, Resolution
from pairsmith.stages.annotator_rules import recorded
from pairsmith.stages.cases import Case

__all__ = ["CONFLICT_REASONS", "Settled", "conflict_figures", "settle_pairs", "settled_comparisons"]

CONFLICT_REASONS: Mapping[str, str] = {
    "conflict_both_ways": "the same two responses to the prompt are also preferred the other way round, by as many "
    "votes or more (`resolve.conflicts.both_ways`)",
    "conflict_cycle": "preferences of the prompt run in a circle, and this one is among the lightest in it "
    "(`resolve.conflicts.cycles`)",
    "conflict_contradictory": "a near-identical prompt has the opposite preference with as much weight or more "
    "(`resolve.conflicts.contradictory`)",
}

_REASON_OF = {kind: f"conflict_{kind}" for kind in ("both_ways", "cycle", "contradictory")}
_RULED_WEIGHT = 1000.0
_LEAST_WEIGHT = 0.5  # a verdict without a lead in votes: a model's, or one against the votes
_SHOWN = 20
_SAME_RESPONSE = 0.6


@dataclass(frozen=True, slots=True)
class Settled:
    """What is left of the resolutions, what was dropped for which conflict, and what waits: id -> (reason, needs)."""

    kept: tuple[Resolution, ...]
    dropped: tuple[Dropped, ...]
    waiting: Mapping[str, tuple[str, str]]
    records: tuple[ConflictRecord, ...]


def settle_pairs(cfg: ResolveConfig, kept: Sequence[Resolution], cases: Mapping[str, Case]) -> Settled:
    """Apply the rules of `resolve.conflicts` to resolutions, one kind of conflict after the other.

    Every kind is looked for in everything that was decided, so a conflict is reported even if a rule for another kind
    already took away what would settle it. Only what is left of it is then acted on.
    """
    names = _Names(cases)
    by_id = {each.comparison_id: each for each in kept}
    gone: dict[str, Dropped] = {}
    waiting: dict[str, tuple[str, str]] = {}
    records: list[ConflictRecord] = []
    preferences = {each.comparison_id: names.preference(each) for each in kept}
    for kind, rule in (
        ("both_ways", cfg.conflicts.both_ways),
        ("cycle", cfg.conflicts.cycles),
        ("contradictory", cfg.conflicts.contradictory),
    ):
        out: dict[str, Dropped] = {}
        for conflict in _detect(kind, kept, cases, preferences):
            before = {name: gone[name].reason for name in conflict.subjects if name in gone}
            left = [by_id[name] for name in conflict.subjects if name not in before]
            rest = _detect(kind, left, cases, preferences) if before else [conflict]
            if not rest:
                outcome = "queued" if any(name in waiting for name in before) else "resolved"
                records.append(recorded(_explained(conflict, before), outcome, "left_before", tuple(before)))
            for each in rest:
                targets, outcome, action = _ruled(rule, each)
                records.append(recorded(_explained(each, before), outcome, action, targets))
                out |= {target: _drop(each, target, cases[target]) for target in targets}
                if outcome == "queued":
                    needs = "vote" if each.resolution == "one_more_vote" else "ruling"
                    waiting |= dict.fromkeys(targets, (_REASON_OF[kind], needs))
        gone |= out
    dropped = tuple(gone[name] for name in sorted(gone))
    return Settled(tuple(each for each in kept if each.comparison_id not in gone), dropped, waiting, tuple(records))


def _explained(conflict: Conflict, before: Mapping[str, str]) -> Conflict:
    """The conflict with the members that had left for another reason, by id, if any had."""
    return replace(conflict, evidence={**conflict.evidence, "left_before": dict(before)}) if before else conflict


def _detect(
    kind: str, resolutions: Sequence[Resolution], cases: Mapping[str, Case], known: Mapping[str, Preference]
) -> list[Conflict]:
    if kind == "contradictory":
        return _contradictory([_example(each, cases[each.comparison_id]) for each in resolutions])
    preferences = (known[each.comparison_id] for each in resolutions)
    different = [each for each in preferences if each.winner != each.loser]
    return both_ways(different) if kind == "both_ways" else preference_cycles(different)


def _contradictory(examples: Sequence[Example]) -> list[Conflict]:
    """Contradictions across prompts; within one prompt only where the responses are near-identical too.

    Different models often answer one prompt in similar words, and one of two similar answers may well be the better.
    """
    of_id = {each.id: each for each in examples}
    found = []
    for conflict in contradictory_examples(examples):
        members = [of_id[name] for name in conflict.subjects]
        if len({each.prompt for each in members}) > 1:
            found.append(conflict)
        else:
            found += contradictory_examples(members, response_threshold=_SAME_RESPONSE)
    return found


def _ruled(rule: str, conflict: Conflict) -> tuple[tuple[str, ...], str, str]:
    """Which pairs leave, whether the conflict is `resolved`, `queued` or `reported`, and by what."""
    if rule == "keep":
        return (), "reported", "kept"
    if rule == "all":
        return conflict.subjects, "resolved", "dropped_all"
    if rule == "queue":
        return conflict.subjects, "queued", "queued"
    if conflict.resolution == "discard":
        return conflict.targets, "resolved", "dropped_lighter"
    return conflict.targets, "queued", "queued"


def _drop(conflict: Conflict, name: str, case: Case) -> Dropped:
    others = (each for each in conflict.subjects if each != name)
    evidence = {
        "votes": dict(sorted(case.labels().items())),
        "with": list(islice(others, _SHOWN)),
        "with_total": len(conflict.subjects) - 1,
        "proposed": conflict.resolution,
    }
    return Dropped(name, "resolve", _REASON_OF[conflict.kind], evidence)


class _Names:
    """One name for every prompt and response that reads the same: the smallest id of those."""

    def __init__(self, cases: Mapping[str, Case]) -> None:
        self._cases = cases
        self._first: dict[Any, str] = {}
        self._of: dict[str, Any] = {}
        for name in sorted(cases):
            case = cases[name]
            if case.prompt is None or case.a is None or case.b is None:
                continue
            prompt = self._learn(case.prompt.id, case.prompt.messages, "")
            for side in (case.a, case.b):
                if side.id not in self._of:
                    self._learn(side.id, side.completion, prompt)
        self._name = {name: self._first[key] for name, key in self._of.items()}

    def _learn(self, name: str, messages: Sequence[Message], prompt: str) -> str:
        if name not in self._of:
            self._of[name] = (prompt, _fingerprint(messages))
        key = self._of[name]
        self._first[key] = min(self._first.get(key, name), name)
        return self._first[key]

    def preference(self, resolution: Resolution) -> Preference:
        """The resolution as one preference among the responses of its prompt."""
        comparison = self._cases[resolution.comparison_id].comparison
        winner, loser = (comparison.a, comparison.b) if resolution.winner == "a" else (comparison.b, comparison.a)
        return Preference(
            resolution.comparison_id,
            self._name[resolution.prompt_id],
            self._name[winner],
            self._name[loser],
            _weight(resolution),
        )


def _fingerprint(messages: Sequence[Message]) -> bytes:
    """Equal for turns that read the same; much shorter than they are."""
    read = "\x1e".join([f"{turn.role}\x1e{squash(turn.content)}" for turn in messages])
    return hashlib.blake2b(read.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _weight(resolution: Resolution) -> float:
    lead = float(resolution.votes.get("chosen", 0) - resolution.votes.get("rejected", 0))
    ruled = _RULED_WEIGHT if resolution.method in ("ruling", "gold") else 0.0
    return max(lead, _LEAST_WEIGHT) + ruled


def _example(resolution: Resolution, case: Case) -> Example:
    first, second = (case.a, case.b) if resolution.winner == "a" else (case.b, case.a)
    chosen, rejected = (
        "" if side is None else "\n\n".join(turn.content for turn in side.completion) for side in (first, second)
    )
    prompt = "" if case.prompt is None else case.prompt.text
    return Example(resolution.comparison_id, prompt, chosen, rejected, _weight(resolution))


def settled_comparisons(
    cfg: ResolveConfig, cases: Sequence[Case], votes: Votes, kept: set[str], queued: set[str]
) -> list[ConflictRecord]:
    """Disagreement on single comparisons, and what became of them: a pair, a place in the queue, or a drop."""
    found = inconsistent_annotations(votes, min_agreement=cfg.min_agreement)
    found += low_confidence(votes, min_agreement=cfg.min_agreement, max_votes=cfg.max_votes)
    ruled = {case.id for case in cases if case.truth()[0] is not None}
    records = []
    for conflict in found:
        (name,) = conflict.subjects
        if name in queued:
            records.append(recorded(conflict, "queued", "queued"))
        elif name in kept:
            records.append(recorded(conflict, "resolved", "ruled" if name in ruled else "decided"))
        else:
            records.append(recorded(conflict, "resolved", "dropped"))
    return records


def conflict_figures(records: Sequence[ConflictRecord]) -> dict[str, dict[str, int]]:
    """For every kind of conflict: how many were found, and how many of them resolved, queued or only reported."""
    counts = Counter((record.kind, record.outcome) for record in records)
    return {
        kind: {
            "found": sum(counts[kind, outcome] for outcome in ("resolved", "queued", "reported")),
            **{outcome: counts[kind, outcome] for outcome in ("resolved", "queued", "reported")},
        }
        for kind in CONFLICT_KINDS
    }
