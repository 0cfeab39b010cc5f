"""Stage 4: from many votes on a comparison to one winner, or a documented reason why there is none.

Counting votes, the winner needs more votes than any other label, ties and `unsure` included, so an even split is never
decided by chance and a tie never becomes a pair. Models of annotators (`verdicts`) and calibrated scores (`combining`)
decide more, and say how sure they are. What can still be decided by one more vote waits in a queue (`queueing`), pairs
that contradict each other are settled (`conflict_rules`), and of the rest a policy takes its share (`selecting`).

The gap says how much better the winner is, from the best evidence there is: people, then verifiers (a check can be
right where an opinion cannot), then judges, then reward models. People and judges: net share of votes. Verifiers and
rewards: mean strength toward the winner. Models calibrated on people: 2P - 1. If that evidence contradicts the verdict
the gap is negative and stays so. Labels of unknown making (`imported`) measure no gap.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pairsmith.config import ResolveConfig
from pairsmith.engine import without_cycle_search
from pairsmith.ids import seed_for
from pairsmith.measures.preference import votes_gap
from pairsmith.records import (
    Annotation,
    AnnotatorKind,
    Candidate,
    Comparison,
    Dropped,
    Prompt,
    Resolution,
    Resolved,
    Ruling,
    Score,
    Side,
)
from pairsmith.stages.annotator_rules import annotator_conflicts, domain_conflicts, tagged, without_excluded
from pairsmith.stages.cases import NO_SIDE, Case, gather_cases, latest_votes, vote_columns
from pairsmith.stages.conflict_rules import CONFLICT_REASONS, settle_pairs, settled_comparisons
from pairsmith.stages.corrections import stable_votes
from pairsmith.stages.queueing import queue_for_rulings, queue_for_votes
from pairsmith.stages.resolve_figures import resolve_figures
from pairsmith.stages.selecting import SELECT_REASONS, select_pairs
from pairsmith.stages.settling import Settlement, settle
from pairsmith.stages.verdicts import Verdict

__all__ = ["RESOLVE_REASONS", "resolve"]

RESOLVE_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "missing_prompt": "the prompt of the comparison is not there (redacted?)",
        "missing_candidate": "a candidate of the comparison is not there (redacted?)",
        "failed_candidate": "a candidate holds an error instead of a response, so it can neither win nor lose",
        "diverged_context": "the sides have different earlier turns, and `resolve.diverged` is `drop`",
        "conflicting_rulings": "rulings on the comparison name different labels; one of them must be withdrawn",
        "no_votes": "nobody voted",
        "too_few_votes": "fewer votes than `resolve.min_votes`",
        "tie": "most votes call it a tie, and a tie is not a preference",
        "both_bad": "most votes reject both responses",
        "unsure": "most votes could not tell",
        "no_majority": "the most frequent labels have equally many votes; one more vote or a ruling decides",
        "low_agreement": "the winner has a smaller share of all votes than `resolve.min_agreement`",
        "low_confidence": "the winner is less probable than `resolve.min_confidence`",
        "truncated_chosen": "the winner was cut off, filtered or loops, so it may not be learned from",
        **CONFLICT_REASONS,
        **SELECT_REASONS,
    }
)

_GAP_PRECEDENCE: tuple[AnnotatorKind, ...] = ("human", "verifier", "judge", "reward")
_NOT_TO_BE_CHOSEN = ("length", "content_filter", "looping")


@without_cycle_search()
def resolve(
    cfg: ResolveConfig,
    prompts: Sequence[Prompt],
    candidates: Mapping[str, Candidate],
    comparisons: Sequence[Comparison],
    annotations: Sequence[Annotation],
    rulings: Sequence[Ruling] = (),
    scores: Sequence[Score] = (),
    *,
    seed: int,
    fitted_on: str = "",
) -> Resolved:
    """One resolution or one drop per comparison, sorted by comparison id; the order of the inputs does not matter.

    Of several votes of one annotator on one comparison the last revision counts. `Resolution.votes` counts votes as
    `chosen`, `rejected`, `tie`, `both_bad`, `unsure`. `gap_kind` is `votes`, `verifier`, `reward` (calibrated),
    `reward_uncalibrated` or `not_evaluated`. `confidence` is the probability that the winner is right: of the method
    that decided, else under the one-coin model of `measures.preference`, `None` where that has too few votes.

    Args:
        cfg: the section `resolve`.
        prompts: all prompts.
        candidates: by id.
        comparisons: what is resolved.
        annotations: all votes on them.
        rulings: decisions that stand above votes.
        scores: what scorers gave candidates, for `resolve.combine`.
        seed: the project's seed.
        fitted_on: what a calibration is dated with.

    Returns:
        `queued` are the dropped comparisons that wait for a vote or a ruling; `conflicts` has everything that was found
        to contradict something else. `metrics`: `annotation`, `annotators` (at most 50), `annotators_total`, `resolve`,
        `consensus`, `queue`, `conflicts`, `selection`, `calibration`, `bias`, `corrections`.

    Raises:
        ConfigError: if `resolve.method` cannot be fitted to these votes.
    """
    latest, superseded = latest_votes(annotations)
    by_id = {prompt.id: prompt for prompt in prompts}

    def cases_of(votes: Sequence[Annotation]) -> list[Case]:
        return gather_cases(by_id, candidates, comparisons, votes, rulings, cfg.gold_annotators)

    every = cases_of(latest)
    everybody = vote_columns(every)
    suspects = annotator_conflicts(every, everybody)
    left, excluded, records = without_excluded(cfg, latest, suspects)
    stable, corrected = stable_votes(cfg, left, annotations)
    cases = every if stable == latest else cases_of(stable)
    votes = everybody if cases is every else vote_columns(cases)
    settlement = settle(cfg, cases, votes, scores, seed=seed, fitted_on=fitted_on)
    known = {case.id: case for case in cases}
    kept, dropped = _decided(cfg, cases, settlement)
    waiting = queue_for_votes(cfg, known, dropped)
    domains = domain_conflicts(cfg.conflicts, cases, votes, seed=seed_for(seed, "resolve", "domains"))
    kept, domain_records = tagged(cfg.conflicts, kept, known, domains)
    settled = settle_pairs(cfg, kept, known)
    waiting += queue_for_rulings(known, settled.waiting)
    chosen, passed_over, selection = select_pairs(cfg, settled.kept, known, seed=seed_for(seed, "resolve", "select"))
    dropped += [*settled.dropped, *passed_over]
    queued = tuple(sorted(waiting, key=lambda each: (-each.priority, each.comparison_id)))
    on_items = settled_comparisons(
        cfg, cases, votes, {each.comparison_id for each in kept}, {each.comparison_id for each in queued}
    )
    conflicts = (*records, *domain_records, *settled.records, *on_items)
    metrics = resolve_figures(
        everybody,
        cases,
        votes,
        chosen,
        dropped,
        queued,
        conflicts,
        settlement,
        seed=seed_for(seed, "resolve", "bootstrap"),
    )
    metrics["annotation"] |= {
        "superseded": superseded,
        "orphans": len(latest) - everybody.item.size,
        "excluded": excluded,
    }
    metrics |= {"selection": selection, "corrections": {**corrected, **settlement.corrections}}
    order = sorted(dropped, key=lambda each: each.id)
    return Resolved(tuple(chosen), tuple(order), metrics, queued, conflicts)


def _decided(
    cfg: ResolveConfig, cases: Sequence[Case], settlement: Settlement
) -> tuple[list[Resolution], list[Dropped]]:
    """A resolution or a drop for each case."""
    kept: list[Resolution] = []
    dropped: list[Dropped] = []
    for row, (case, verdict) in enumerate(zip(cases, settlement.verdicts, strict=True)):
        decision = _decide(cfg, case, verdict)
        if isinstance(decision, Dropped):
            dropped.append(decision)
        else:
            kept.append(_resolution(case, decision, verdict, settlement, row))
    return kept, dropped


def _decide(cfg: ResolveConfig, case: Case, verdict: Verdict) -> Side | Dropped:
    """The winning side, or why there is none."""
    unusable = _unusable(cfg, case)
    if unusable:
        return _drop(case, unusable)
    if verdict.label != "a" and verdict.label != "b":
        sure = {"probabilities": list(verdict.probabilities)} if verdict.probabilities else {}
        return _drop(case, verdict.reason or str(verdict.label), **sure)
    winner = case.a if verdict.label == "a" else case.b
    if winner is not None and winner.finish_reason in _NOT_TO_BE_CHOSEN:
        return _drop(case, "truncated_chosen", candidate=winner.id, finish_reason=winner.finish_reason)
    return verdict.label


def _unusable(cfg: ResolveConfig, case: Case) -> str:
    if case.prompt is None:
        return "missing_prompt"
    if case.a is None or case.b is None:
        return "missing_candidate"
    if case.a.error or case.b.error:
        return "failed_candidate"
    if cfg.diverged == "drop" and (case.a.context or case.b.context):
        return "diverged_context"
    return ""


def _drop(case: Case, reason: str, **evidence: Any) -> Dropped:
    seen: dict[str, Any] = {"votes": dict(sorted(case.labels().items())), **evidence}
    if case.rulings:
        seen["rulings"] = [{"by": ruling.by, "label": ruling.label, "reason": ruling.reason} for ruling in case.rulings]
    return Dropped(case.id, "resolve", reason, seen)


def _resolution(case: Case, winner: Side, verdict: Verdict, settlement: Settlement, row: int) -> Resolution:
    labels = case.labels()
    loser: Side = "b" if winner == "a" else "a"
    total = labels.total()
    comparable = total > 1 and (bool(case.rulings) or any(vote.kind != "imported" for vote in case.votes))
    gap, gap_kind = _gap(case, winner, settlement.net_of_models(row))
    confidence = settlement.confidence(row, winner)
    named = {"chosen": labels[winner], "rejected": labels[loser]}
    named |= {label: labels[label] for label in NO_SIDE if labels[label]}
    return Resolution(
        comparison_id=case.id,
        prompt_id=case.comparison.prompt_id,
        winner=winner,
        agreement=labels[winner] / total if comparable else None,
        confidence=confidence.value,
        gap=gap,
        gap_kind=gap_kind,
        method=verdict.method,
        votes=named,
        annotation_ids=tuple(vote.id for vote in case.votes),
        confidence_kind=confidence.kind,
        interval=confidence.interval,
    )


def _gap(case: Case, winner: Side, net_of_models: float | None) -> tuple[float | None, str]:
    """How much better the winner is, in [-1, 1], by the first kind of evidence that can say; see the module."""
    for kind in _GAP_PRECEDENCE:
        if kind == "judge" and net_of_models is not None:
            return (net_of_models if winner == "a" else -net_of_models), "reward"
        votes = [vote for vote in case.votes if vote.kind == kind]
        if kind in ("human", "judge"):
            labels = Counter(vote.label for vote in votes)
            if kind == "human":
                labels += Counter(ruling.label for ruling in case.rulings)
            if labels:
                ahead = labels[winner]
                behind = labels["a"] + labels["b"] - ahead
                return votes_gap(ahead, behind, labels.total() - ahead - behind), "votes"
        elif strengths := _signed_strengths(votes, winner):
            if kind == "reward" and not all(vote.criteria.get("calibrated") is True for vote in votes):
                return None, "reward_uncalibrated"  # a score that was never compared with labels measures nothing
            return math.fsum(strengths) / len(strengths), kind
    return None, "not_evaluated"


def _signed_strengths(votes: Sequence[Annotation], winner: Side) -> list[float]:
    """Strength toward the winner of each vote; nothing if a vote for a side says no strength."""
    signed: list[float] = []
    for vote in votes:
        if vote.label not in ("a", "b"):
            signed.append(0.0)
        elif vote.strength is None:
            return []
        else:
            signed.append(vote.strength if vote.label == winner else -vote.strength)
    return signed
