"""Everything there is about one comparison, gathered for `resolve`: candidates, the votes that count, rulings."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from pairsmith.measures.votes import Vote, Votes
from pairsmith.records import Annotation, Candidate, Comparison, Label, Prompt, Ruling

__all__ = [
    "NO_SIDE",
    "Case",
    "Truths",
    "columns_of",
    "gather_cases",
    "latest_votes",
    "length_of",
    "truths_of",
    "vote_columns",
]

NO_SIDE: tuple[Label, ...] = ("tie", "both_bad", "unsure")

Truths: TypeAlias = Mapping[int, tuple[Label | None, str]]
"""What `Case.truth` says of those cases for which something stands above votes, by their row."""


@dataclass(frozen=True, slots=True)
class Case:
    """One comparison. `a`, `b` and `prompt` are `None` if they are not there. `gold` is the verdict of gold annotators.

    `rulings` are sorted, one for each label a person ruled.
    """

    comparison: Comparison
    prompt: Prompt | None
    a: Candidate | None
    b: Candidate | None
    votes: tuple[Annotation, ...]
    rulings: tuple[Ruling, ...]
    gold: Label | None = None

    @property
    def id(self) -> str:
        """The id of the comparison."""
        return self.comparison.id

    def labels(self) -> Counter[Label]:
        """Votes per label. The people who ruled count as one vote each: a tie-break is a vote that also decides."""
        return Counter([each.label for facts in (self.votes, self.rulings) for each in facts])

    def truth(self) -> tuple[Label | None, str]:
        """The label that stands above votes and where it comes from: `ruling`, `gold`, or "" if there is none.

        Rulings that disagree are no truth, but their source is named all the same.
        """
        if self.rulings:
            labels = {ruling.label for ruling in self.rulings}
            return (self.rulings[0].label if len(labels) == 1 else None), "ruling"
        return self.gold, "gold" if self.gold is not None else ""


def gather_cases(
    prompts: Mapping[str, Prompt],
    candidates: Mapping[str, Candidate],
    comparisons: Sequence[Comparison],
    votes: Iterable[Annotation],
    rulings: Iterable[Ruling],
    gold_annotators: Sequence[str],
) -> list[Case]:
    """One case per comparison, sorted by its id.

    Args:
        prompts: by id.
        candidates: by id.
        comparisons: in any order.
        votes: those of one comparison sorted by annotator, as `latest_votes` returns them.
        rulings: in any order.
        gold_annotators: whose verdicts are the truth.
    """
    votes_of = _by_comparison(votes)
    rulings_of = _by_comparison(_one_per_person(rulings))
    gold = frozenset(gold_annotators)
    cases = []
    for comparison in sorted(comparisons, key=lambda each: each.id):
        own: list[Annotation] = votes_of.get(comparison.id, [])
        known = {vote.label for vote in own if vote.annotator in gold and vote.label != "unsure"} if gold else set()
        cases.append(
            Case(
                comparison,
                prompts.get(comparison.prompt_id),
                candidates.get(comparison.a),
                candidates.get(comparison.b),
                tuple(own),
                tuple(rulings_of.get(comparison.id, ())),
                known.pop() if len(known) == 1 else None,
            )
        )
    return cases


def latest_votes(annotations: Iterable[Annotation]) -> tuple[list[Annotation], int]:
    """The vote of each annotator on each comparison that counts, sorted by both, and how many do not."""
    latest: dict[str, dict[str, Annotation]] = {}
    distinct = {vote.id: vote for vote in annotations}
    for vote in distinct.values():
        by_annotator = latest.setdefault(vote.comparison_id, {})
        known = by_annotator.setdefault(vote.annotator, vote)
        if known is not vote and _recency(vote) > _recency(known):
            by_annotator[vote.annotator] = vote
    # A sort of few names for each comparison is much cheaper than one of all votes.
    counted = [vote for _, by_annotator in sorted(latest.items()) for _, vote in sorted(by_annotator.items())]
    return counted, len(distinct) - len(counted)


def vote_columns(cases: Sequence[Case]) -> Votes:
    """The votes on sorted cases as the measures take them; item n is the n-th case."""
    item = np.repeat(np.arange(len(cases), dtype=np.int64), [len(case.votes) for case in cases])
    return Votes.from_columns([case.id for case in cases], item, [vote for case in cases for vote in case.votes])


def columns_of(votes: Iterable[Annotation]) -> Votes:
    """Any votes, in any order, as the measures take them."""
    return Votes.of(
        Vote(each.comparison_id, each.annotator, each.kind, each.label, each.shown_first, each.seconds)
        for each in votes
    )


def truths_of(cases: Sequence[Case]) -> Truths:
    """What stands above votes, by row."""
    return {row: case.truth() for row, case in enumerate(cases) if case.rulings or case.gold is not None}


def length_of(candidate: Candidate) -> int:
    """Characters of all turns of a candidate."""
    earlier = sum(len(turn.content) for turn in candidate.context) if candidate.context else 0
    return len(candidate.text) + earlier


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
