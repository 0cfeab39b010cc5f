"""What all formats with two answers share: the comparison, whose side is whose, and counting repeated votes."""

from typing import Any

from pairsmith.formats.advice import advise_answer, advise_pair, advise_prompt
from pairsmith.formats.fields import RowProblem, normal_form
from pairsmith.formats.rows import Parsed
from pairsmith.records import Annotation, AnnotatorKind, Candidate, Comparison, Label, Prompt, Score, flip

__all__ = ["Ballots", "labelled_pair", "refuse_equal", "voted_pair"]


class Ballots:
    """Votes of one source, numbered: the nth vote of one annotator on one comparison is revision n (from 0)."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], tuple[int, Label]] = {}

    def last(self, comparison_id: str, annotator: str) -> Label | None:
        """What the annotator said last about this comparison."""
        return self._last.get((comparison_id, annotator), (0, None))[1]

    def cast(
        self, comparison_id: str, annotator: str, kind: AnnotatorKind, label: Label, **details: Any
    ) -> tuple[Annotation, tuple[str, ...]]:
        """The vote, and a warning if the annotator voted on this comparison before."""
        key = (comparison_id, annotator)
        before = self._last.get(key)
        revision = 0 if before is None else before[0] + 1
        self._last[key] = (revision, label)
        warnings = () if before is None else ("repeat_vote" if before[1] == label else "changed_vote",)
        return Annotation.of(comparison_id, annotator, kind, label, revision=revision, **details), warnings


def refuse_equal(chosen: str, rejected: str, field: str = "rejected") -> None:
    """Raise `RowProblem` if two answers that are labelled as better and worse are the same."""
    if chosen == rejected:
        raise RowProblem("identical_answers", field, "the same as chosen")
    if normal_form(chosen) == normal_form(rejected):
        raise RowProblem("equal_after_normalising", field, "differs from chosen only in case, spacing or invisibles")


def labelled_pair(
    line: int,
    prompt: Prompt,
    chosen: Candidate,
    rejected: Candidate,
    ballots: Ballots,
    annotator: str,
    source: str,
    kind: AnnotatorKind,
    *,
    scores: tuple[Score, ...] = (),
    warnings: tuple[str, ...] = (),
) -> Parsed:
    """A pair whose better side is known, as one vote by `annotator`, or by the `source` if that is empty.

    A person may have second thoughts, and then the last vote counts. Rows of nobody in particular that contradict each
    other are no second thoughts: each direction is a voter of its own, so that neither silently replaces the other.
    """
    comparison = Comparison.of(chosen, rejected)
    label: Label = "a" if comparison.a == chosen.id else "b"
    reversed_before = not annotator and ballots.last(comparison.id, source) == flip(label)
    voter = annotator or (f"{source} (reversed)" if reversed_before else source)
    vote, about_vote = ballots.cast(comparison.id, voter, kind, label)
    if reversed_before:
        about_vote = ("reversed_pair",)
    found = (
        *warnings,
        *about_vote,
        *advise_prompt(prompt.messages),
        *advise_answer(chosen),
        *advise_answer(rejected),
        *advise_pair(prompt.messages, chosen.text, rejected.text),
    )
    return Parsed(line, prompt, (chosen, rejected), (comparison,), (vote,), scores, _each_once(found))


def voted_pair(
    line: int,
    prompt: Prompt,
    first: Candidate,
    second: Candidate,
    votes: list[tuple[str, AnnotatorKind, Label]],
    ballots: Ballots,
    *,
    in_order_shown: bool = False,
    warnings: tuple[str, ...] = (),
    **details: Any,
) -> Parsed:
    """A pair with votes on it. Labels name `first` as `a`; they are turned round where the comparison does so.

    `votes`: annotator, kind and label of each. `in_order_shown`: the annotators saw `first` first.
    """
    if first.id == second.id:
        raise RowProblem("identical_answers", "", "both sides are the same answer by the same model")
    comparison = Comparison.of(first, second)
    straight = comparison.a == first.id
    found = [*warnings, *advise_prompt(prompt.messages), *advise_answer(first), *advise_answer(second)]
    if first.text == second.text:
        found.append("same_answer")
    cast: list[Annotation] = []
    for annotator, kind, label in votes:
        vote, about_vote = ballots.cast(
            comparison.id,
            annotator,
            kind,
            label if straight else flip(label),
            shown_first=("a" if straight else "b") if in_order_shown else None,
            **details,
        )
        cast.append(vote)
        found += about_vote
    return Parsed(line, prompt, (first, second), (comparison,), tuple(cast), (), _each_once(found))


def _each_once(codes: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(codes))
