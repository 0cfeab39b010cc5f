"""Stage 4: from many votes on a comparison to one winner, or a documented reason why there is none.

Counting votes, the winner needs more votes than any other label, ties and `unsure` included, so an even split is never
decided by chance and a tie never becomes a pair. Models of annotators (`verdicts`) and calibrated scores (`combining`)
decide more, and say how sure they are. What can still be decided by one more vote waits in a queue (`queueing`), pairs
that contradict each other are settled (`conflict_rules`), and of the rest a policy takes its share (`selecting`).
"""

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pairsmith.config import ResolveConfig
from pairsmith.engine import without_cycle_search
from pairsmith.ids import seed_for
from pairsmith.measures.votes import Votes
from pairsmith.records import (
    Annotation,
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
from pairsmith.stages.gaps import gap_of
from pairsmith.stages.group_rows import opposed_rows, votes_of_groups
from pairsmith.stages.queueing import queue_for_rulings, queue_for_votes
from pairsmith.stages.resolve_figures import resolve_figures
from pairsmith.stages.reweighting import reweighting_figures, without_distrusted
from pairsmith.stages.selecting import SELECT_REASONS, select_pairs
from pairsmith.stages.settling import Confidence, Settlement, settle
from pairsmith.stages.verdicts import Verdict, counted_verdicts

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
    trust: Mapping[str, float] | None = None,
) -> Resolved:
    """One resolution or one drop per comparison, sorted by comparison id; the order of the inputs does not matter.

    Where `conflicts.domains` splits by groups of annotators, a comparison on which two of them are opposed has one of
    these for each group (`group_rows`).

    Of several votes of one annotator on one comparison the last revision counts. `Resolution.votes` counts votes as
    `chosen`, `rejected`, `tie`, `both_bad`, `unsure`. `gap` is explained in `gaps`.
    `confidence` is the probability that the winner is right: of the method that decided, else under the one-coin model
    of `measures.preference`, `None` where that has too few votes.

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
        trust: what a vote of each model counts, in [0, 1]; by default 1.

    Returns:
        `queued` are the dropped comparisons that wait for a vote or a ruling; `conflicts` has everything that was found
        to contradict something else. `metrics`: `annotation`, `annotators` (at most 50), `annotators_total`, `resolve`,
        `consensus`, `queue`, `conflicts`, `selection`, `calibration`, `bias`, `corrections`,
        `reweighting`.

    Raises:
        ConfigError: if `resolve.method` cannot be fitted to these votes.
    """
    latest, superseded = latest_votes(annotations)
    by_id = {prompt.id: prompt for prompt in prompts}

    def gathered(votes: Sequence[Annotation]) -> tuple[list[Case], Votes]:
        cases = gather_cases(by_id, candidates, comparisons, votes, rulings, cfg.gold_annotators)
        return cases, vote_columns(cases)

    every, everybody = gathered(latest)
    suspects = annotator_conflicts(every, everybody)
    left, excluded, records = without_excluded(cfg, latest, suspects)
    stable, corrected = stable_votes(cfg, left, annotations)
    trusted, distrusted = without_distrusted(stable, trust or {})
    cases, votes = (every, everybody) if trusted == latest else gathered(trusted)
    settlement = settle(cfg, cases, votes, scores, seed=seed, fitted_on=fitted_on, trust=trust)
    alike = settlement
    if any(weight != 1 for weight in (trust or {}).values()):
        alike = settle(cfg, *gathered(stable), scores, seed=seed, fitted_on=fitted_on)
    known = {case.id: case for case in cases}
    kept, dropped = _decided(cfg, cases, settlement)
    domains = domain_conflicts(cfg.conflicts, cases, votes, seed=seed_for(seed, "resolve", "domains"))
    groups = votes_of_groups(cfg.conflicts, cases, domains)
    rows = opposed_rows(cfg.conflicts, {name: _decided_by_group(cfg, own, settlement) for name, own in groups.items()})
    split = {each.comparison_id for own in rows.values() for each in own}
    kept = [each for each in kept if each.comparison_id not in split]
    dropped = [each for each in dropped if each.id not in split]
    waiting = queue_for_votes(cfg, known, dropped)
    kept, domain_records = tagged(cfg.conflicts, kept, known, domains)
    parts = [_settled(cfg, kept, known, "", seed)]
    parts += [_settled(cfg, own, {case.id: case for case in groups[name]}, name, seed) for name, own in rows.items()]
    chosen = sorted((each for part in parts for each in part.kept), key=lambda each: (each.comparison_id, each.domain))
    dropped += [each for part in parts for each in part.dropped]
    waiting += [each for part in parts for each in part.queued]
    queued = tuple(sorted(waiting, key=lambda each: (-each.priority, each.comparison_id)))
    decided = {each.comparison_id for each in kept} | split
    on_items = settled_comparisons(cfg, cases, votes, decided, {each.comparison_id for each in queued})
    conflicts = (*records, *domain_records, *(each for part in parts for each in part.conflicts), *on_items)
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
    metrics["resolve"] |= {"comparisons": len(cases), "split_by_group": len(split)}
    metrics |= {"corrections": {**corrected, **settlement.corrections}, "selection": dict(parts[0].metrics)}
    metrics["reweighting"] = reweighting_figures(trust or {}, distrusted, alike.verdicts, settlement.verdicts)
    if rows:
        metrics["selection"]["groups"] = {name: part.metrics for name, part in zip(rows, parts[1:], strict=True)}
    return Resolved(tuple(chosen), tuple(sorted(dropped, key=lambda each: each.id)), metrics, queued, conflicts)


def _settled(
    cfg: ResolveConfig, kept: Sequence[Resolution], cases: Mapping[str, Case], group: str, seed: int
) -> Resolved:
    """The resolutions of all annotators, or of one `group`, without those in conflict and those not selected."""
    settled = settle_pairs(cfg, kept, cases)
    queued = queue_for_rulings(cases, settled.waiting)
    chosen, out, selection = select_pairs(cfg, settled.kept, cases, seed=seed_for(seed, "resolve", "select"))
    dropped = [*settled.dropped, *out]
    if group:
        dropped = [dataclasses.replace(each, evidence={**each.evidence, "domain": group}) for each in dropped]
    return Resolved(tuple(chosen), tuple(dropped), selection, tuple(queued), settled.records)


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
            kept.append(_resolution(case, decision, verdict, settlement.confidence(row, decision)))
    return kept, dropped


def _decided_by_group(cfg: ResolveConfig, cases: Sequence[Case], settlement: Settlement) -> list[Resolution]:
    """The resolutions of cases that hold the votes of one group only, by counting."""
    kept = []
    for case, verdict in zip(cases, counted_verdicts(cfg, cases), strict=True):
        winner = _decide(cfg, case, verdict)
        if not isinstance(winner, Dropped):
            labels = case.labels()
            lead = 2 * labels[winner] - labels["a"] - labels["b"]
            kept.append(_resolution(case, winner, verdict, settlement.confidence_of_lead(lead)))
    return kept


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


def _resolution(case: Case, winner: Side, verdict: Verdict, confidence: Confidence) -> Resolution:
    labels = case.labels()
    loser: Side = "b" if winner == "a" else "a"
    total = labels.total()
    comparable = total > 1 and (bool(case.rulings) or any(vote.kind != "imported" for vote in case.votes))
    gap, gap_kind = gap_of(case, winner, verdict)
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
