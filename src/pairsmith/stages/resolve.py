"""Stage 4: from many votes on a comparison to one winner, or a documented reason why there is none.

The winner needs more votes than any other label, ties and `unsure` included, so an even split is never decided by
chance and a tie never becomes a pair. All votes count alike for the winner.

The gap says how much better the winner is, from the best evidence there is: people, then verifiers (a check can be
right where an opinion cannot), then judges, then reward models. People and judges: net share of votes. Verifiers and
rewards: mean strength toward the winner. If that evidence contradicts the majority the gap is negative and stays so.
Labels of unknown making (`imported`) measure no gap.
"""

import dataclasses
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pairsmith.config import ResolveConfig
from pairsmith.ids import seed_for
from pairsmith.measures.annotation import Vote, annotation_figures, annotator_figures, side_counts
from pairsmith.measures.preference import label_accuracy, one_coin_posterior, votes_gap
from pairsmith.records import (
    Annotation,
    AnnotatorKind,
    Candidate,
    Comparison,
    Dropped,
    Label,
    Outcome,
    Prompt,
    Resolution,
    Ruling,
    Side,
)

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
        "truncated_chosen": "the winner was cut off, filtered or loops, so it may not be learned from",
    }
)

_GAP_PRECEDENCE: tuple[AnnotatorKind, ...] = ("human", "verifier", "judge", "reward")
_NO_SIDE: tuple[Label, ...] = ("tie", "both_bad", "unsure")
_NOT_TO_BE_CHOSEN = ("length", "content_filter", "looping")


@dataclasses.dataclass(frozen=True, slots=True)
class _Case:
    """Everything there is about one comparison."""

    comparison: Comparison
    a: Candidate | None
    b: Candidate | None
    has_prompt: bool
    votes: tuple[Annotation, ...]
    rulings: tuple[Ruling, ...]

    def labels(self) -> Counter[Label]:
        """Votes per label. The people who ruled count as one vote each: a tie-break is a vote that also decides."""
        return Counter(vote.label for vote in self.votes) + Counter(ruling.label for ruling in self.rulings)


def resolve(
    cfg: ResolveConfig,
    prompts: Sequence[Prompt],
    candidates: Mapping[str, Candidate],
    comparisons: Sequence[Comparison],
    annotations: Sequence[Annotation],
    rulings: Sequence[Ruling] = (),
    *,
    seed: int,
) -> Outcome[Resolution]:
    """One resolution or one drop per comparison, sorted by comparison id; the order of the inputs does not matter.

    Of several votes of one annotator on one comparison the last revision counts. `Resolution.votes` counts votes as
    `chosen`, `rejected`, `tie`, `both_bad`, `unsure`. `gap_kind` is `votes`, `verifier`, `reward` (calibrated),
    `reward_uncalibrated` or `not_evaluated`. `confidence` is the probability that the winner is right under the
    one-coin model of `measures.preference`, `None` where that has too few votes to stand on.

    Returns:
        `metrics` has `annotation` (agreement of the votes, `label_accuracy`), `annotators` (at most 50) with
        `annotators_total`, and `resolve` (counts).
    """
    known_prompts = {prompt.id for prompt in prompts}
    latest, superseded = _latest_votes(annotations)
    votes_of, rulings_of = _by_comparison(latest), _by_comparison(_one_per_person(rulings))
    kept: list[Resolution] = []
    dropped: list[Dropped] = []
    for comparison in sorted(comparisons, key=lambda each: each.id):
        case = _Case(
            comparison,
            candidates.get(comparison.a),
            candidates.get(comparison.b),
            comparison.prompt_id in known_prompts,
            tuple(votes_of.get(comparison.id, ())),
            tuple(rulings_of.get(comparison.id, ())),
        )
        decision = _decide(cfg, case)
        if isinstance(decision, Dropped):
            dropped.append(decision)
        else:
            kept.append(_resolution(case, decision))
    known = {comparison.id for comparison in comparisons}
    counted = [vote for vote in latest if vote.comparison_id in known]
    votes = [Vote(v.comparison_id, v.annotator, v.kind, v.label, v.shown_first) for v in counted]
    metrics = _metrics(kept, dropped, votes, seed_for(seed, "resolve", "bootstrap"))
    metrics["annotation"] |= {"superseded": superseded, "orphans": len(latest) - len(counted)}
    accuracy = metrics["annotation"]["label_accuracy"]["annotator_accuracy"]
    return Outcome(_with_confidence(kept, votes, accuracy), tuple(dropped), metrics)


def _latest_votes(annotations: Sequence[Annotation]) -> tuple[list[Annotation], int]:
    """The vote of each annotator on each comparison that counts, sorted, and how many do not."""
    latest: dict[tuple[str, str], Annotation] = {}
    distinct = {vote.id: vote for vote in annotations}
    for vote in distinct.values():
        key = (vote.comparison_id, vote.annotator)
        if key not in latest or _recency(vote) > _recency(latest[key]):
            latest[key] = vote
    return [latest[key] for key in sorted(latest)], len(distinct) - len(latest)


def _recency(vote: Annotation) -> tuple[int, str, str]:
    return vote.revision, vote.guideline, vote.id


def _one_per_person(rulings: Iterable[Ruling]) -> list[Ruling]:
    """Rulings sorted, without repetitions of one label by one person."""
    distinct = {
        (ruling.comparison_id, ruling.by, ruling.label): ruling for ruling in sorted(rulings, key=lambda r: r.id)
    }
    return [distinct[key] for key in sorted(distinct)]


def _by_comparison(facts: Iterable[Any]) -> dict[str, list[Any]]:
    grouped: dict[str, list[Any]] = {}
    for fact in facts:
        grouped.setdefault(fact.comparison_id, []).append(fact)
    return grouped


def _decide(cfg: ResolveConfig, case: _Case) -> Side | Dropped:
    """The winning side, or why there is none."""
    unusable = _unusable(cfg, case)
    if unusable:
        return _drop(case, unusable)
    label, reason = _ruled(case) if case.rulings else _majority(cfg, case)
    if label != "a" and label != "b":
        return _drop(case, reason or str(label))
    winner = case.a if label == "a" else case.b
    if winner is not None and winner.finish_reason in _NOT_TO_BE_CHOSEN:
        return _drop(case, "truncated_chosen", candidate=winner.id, finish_reason=winner.finish_reason)
    return label


def _unusable(cfg: ResolveConfig, case: _Case) -> str:
    if not case.has_prompt:
        return "missing_prompt"
    if case.a is None or case.b is None:
        return "missing_candidate"
    if case.a.error or case.b.error:
        return "failed_candidate"
    if cfg.diverged == "drop" and (case.a.context or case.b.context):
        return "diverged_context"
    return ""


def _ruled(case: _Case) -> tuple[Label | None, str]:
    labels = {ruling.label for ruling in case.rulings}
    return (case.rulings[0].label, "") if len(labels) == 1 else (None, "conflicting_rulings")


def _majority(cfg: ResolveConfig, case: _Case) -> tuple[Label | None, str]:
    """The label with most votes and no reason, or no label and the reason."""
    labels = case.labels()
    total = labels.total()
    if total == 0:
        return None, "no_votes"
    if total < cfg.min_votes:
        return None, "too_few_votes"
    most = max(labels.values())
    top = [label for label in ("a", "b", *_NO_SIDE) if labels[label] == most]
    if len(top) > 1 and top[0] in ("a", "b"):
        return None, "no_majority"
    if top[0] in ("a", "b") and total > 1 and most / total < cfg.min_agreement:
        return None, "low_agreement"
    return top[0], ""


def _drop(case: _Case, reason: str, **evidence: Any) -> Dropped:
    seen: dict[str, Any] = {"votes": dict(sorted(case.labels().items())), **evidence}
    if case.rulings:
        seen["rulings"] = [{"by": ruling.by, "label": ruling.label, "reason": ruling.reason} for ruling in case.rulings]
    return Dropped(case.comparison.id, "resolve", reason, seen)


def _resolution(case: _Case, winner: Side) -> Resolution:
    labels = case.labels()
    loser: Side = "b" if winner == "a" else "a"
    total = labels.total()
    comparable = total > 1 and (bool(case.rulings) or any(vote.kind != "imported" for vote in case.votes))
    gap, gap_kind = _gap(case, winner)
    named = {"chosen": labels[winner], "rejected": labels[loser]}
    named |= {label: labels[label] for label in _NO_SIDE if labels[label]}
    return Resolution(
        comparison_id=case.comparison.id,
        prompt_id=case.comparison.prompt_id,
        winner=winner,
        agreement=labels[winner] / total if comparable else None,
        confidence=None,
        gap=gap,
        gap_kind=gap_kind,
        method="ruling" if case.rulings else "majority",
        votes=named,
        annotation_ids=tuple(vote.id for vote in case.votes),
    )


def _gap(case: _Case, winner: Side) -> tuple[float | None, str]:
    """How much better the winner is, in [-1, 1], by the first kind of evidence that can say; see the module."""
    for kind in _GAP_PRECEDENCE:
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


def _metrics(
    kept: Sequence[Resolution], dropped: Sequence[Dropped], votes: Sequence[Vote], seed: int
) -> dict[str, Any]:
    winners = {resolution.comparison_id for resolution in kept}
    sides = side_counts(votes)
    accuracy = label_accuracy(list(sides.values()), [item in winners for item in sides], seed=seed)
    return {
        "annotation": annotation_figures(votes, seed=seed) | {"label_accuracy": accuracy},
        "annotators": annotator_figures(votes),
        "annotators_total": len({vote.annotator for vote in votes}),
        "resolve": {
            "comparisons": len(kept) + len(dropped),
            "kept": len(kept),
            "dropped": dict(sorted(Counter(each.reason for each in dropped).items())),
            "methods": dict(sorted(Counter(each.method for each in kept).items())),
            "gap_kinds": dict(sorted(Counter(each.gap_kind for each in kept).items())),
            "single_vote_pairs": sum(sum(each.votes.values()) == 1 for each in kept),
        },
    }


def _with_confidence(
    kept: Sequence[Resolution], votes: Sequence[Vote], accuracy: float | None
) -> tuple[Resolution, ...]:
    if accuracy is None:
        return tuple(kept)
    sides = side_counts(votes)
    resolutions = []
    for each in kept:
        a, b = sides.get(each.comparison_id, (0, 0))
        lead = a - b if each.winner == "a" else b - a
        confidence = float(one_coin_posterior(lead, accuracy)) if a + b else None
        resolutions.append(dataclasses.replace(each, confidence=confidence))
    return tuple(resolutions)
