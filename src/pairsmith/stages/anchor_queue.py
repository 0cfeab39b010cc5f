"""Comparisons that people are asked about though they are decided: the anchor, and responses that talk to the judge."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from pairsmith.config import AnchorConfig
from pairsmith.measures.judge_talk import talks_to_judge
from pairsmith.records import AnchorDraw, Queued
from pairsmith.stages.anchor_sample import strongest_draws
from pairsmith.stages.cases import Case
from pairsmith.stages.model_votes import MODEL_KINDS

__all__ = ["QUEUE_REASONS", "anchor_queue", "judge_talk_queue", "one_each"]

QUEUE_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "anchor": "drawn for people to label, so that the labels of models can be checked against theirs",
        "talks_to_judge": "a response holds text aimed at its judge, and no person has looked at the comparison",
    }
)


def anchor_queue(cfg: AnchorConfig, cases: Sequence[Case], draws: Sequence[AnchorDraw]) -> list[Queued]:
    """The comparisons of the anchor that fewer than `people` people have voted on."""
    drawn = strongest_draws(draws)
    found = []
    for case in cases:
        missing = 0 if case.id not in drawn or case.rulings else cfg.people - _people(case)
        if missing > 0:
            found.append(_queued(case, "anchor", missing))
    return found


def judge_talk_queue(cases: Sequence[Case]) -> list[Queued]:
    """Comparisons that models judged and no person, with a response aimed at the judge."""
    known: dict[str, bool] = {}
    found = []
    for case in cases:
        judged = any(vote.kind in MODEL_KINDS for vote in case.votes)
        if not judged or case.rulings or _people(case):
            continue
        for side in (case.a, case.b):
            if side is not None and side.id not in known:
                known[side.id] = not side.error and bool(talks_to_judge(side.text))
        if any(side is not None and known[side.id] for side in (case.a, case.b)):
            found.append(_queued(case, "talks_to_judge", 1))
    return found


def one_each(queued: Iterable[Queued]) -> tuple[Queued, ...]:
    """One entry per comparison, the most urgent first: rulings, then the anchor, then the others as they are given."""
    ranked = sorted(queued, key=lambda each: (each.needs != "ruling", each.why not in QUEUE_REASONS))
    first: dict[str, Queued] = {}
    for each in ranked:
        first.setdefault(each.comparison_id, each)
    return tuple(sorted(first.values(), key=lambda each: (-each.priority, each.comparison_id)))


def _people(case: Case) -> int:
    return sum(vote.kind == "human" for vote in case.votes)


def _queued(case: Case, why: str, votes: int) -> Queued:
    return Queued(
        comparison_id=case.id,
        prompt_id=case.comparison.prompt_id,
        stage="annotate",
        why=why,
        needs="vote",
        votes_needed=votes,
        votes=dict(sorted(case.labels().items())),
        priority=1 / votes,
    )
