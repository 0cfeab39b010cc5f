"""Everything there is about one comparison, gathered for `resolve`: candidates, the votes that count, rulings."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pairsmith.measures.annotation import Vote
from pairsmith.records import Annotation, Candidate, Comparison, Label, Prompt, Ruling

__all__ = ["NO_SIDE", "Case", "gather_cases", "latest_votes", "plain_votes"]

NO_SIDE: tuple[Label, ...] = ("tie", "both_bad", "unsure")


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
        return Counter(vote.label for vote in self.votes) + Counter(ruling.label for ruling in self.rulings)

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
    """One case per comparison, sorted by its id; the order of what is given does not matter."""
    votes_of = _by_comparison(sorted(votes, key=lambda vote: (vote.comparison_id, vote.annotator)))
    rulings_of = _by_comparison(_one_per_person(rulings))
    gold = frozenset(gold_annotators)
    cases = []
    for comparison in sorted(comparisons, key=lambda each: each.id):
        own: list[Annotation] = votes_of.get(comparison.id, [])
        known = {vote.label for vote in own if vote.annotator in gold and vote.label != "unsure"}
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
    """The vote of each annotator on each comparison that counts, sorted, and how many do not."""
    latest: dict[tuple[str, str], Annotation] = {}
    distinct = {vote.id: vote for vote in annotations}
    for vote in distinct.values():
        key = (vote.comparison_id, vote.annotator)
        if key not in latest or _recency(vote) > _recency(latest[key]):
            latest[key] = vote
    return [latest[key] for key in sorted(latest)], len(distinct) - len(latest)


def plain_votes(annotations: Iterable[Annotation]) -> list[Vote]:
    """Votes as the measures take them."""
    return [Vote(v.comparison_id, v.annotator, v.kind, v.label, v.shown_first) for v in annotations]


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
