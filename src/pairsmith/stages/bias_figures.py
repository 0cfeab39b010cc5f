"""What else than quality moves the verdicts of people, judges and scorers: position, length, own family, manner.

The verdict of a kind of annotator on a comparison is the side with more of its votes. People's verdicts on the same
comparisons are the reference for the others; without them a preference is reported, and no bias.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from pairsmith.measures.bias import (
    TRAITS,
    first_side_figure,
    length_figures,
    response_traits,
    self_preference,
    swap_figures,
    trait_preference,
)
from pairsmith.measures.vote_table import UNKNOWN, Floats
from pairsmith.measures.votes import LABELS, NET_SIDE, Votes
from pairsmith.records import Annotation, Candidate
from pairsmith.stages.cases import Case, length_of

__all__ = ["POPULATIONS", "bias_figures", "family", "family_of", "position_figures", "response_text"]

POPULATIONS: Mapping[str, str] = MappingProxyType({"people": "human", "judges": "judge", "scorers": "reward"})
"""Whose bias is reported, and the kind of their votes."""

_SIGNS = {"a": 1.0, "b": -1.0, "tie": 0.0, "both_bad": 0.0}
_SPOKEN = np.array([label in _SIGNS for label in LABELS])
_MAX_JUDGES = 20
_PREFIX = re.compile(r"^(judge|scorer|reward):")
_FAMILY = re.compile(r"[a-z]+")


def family(model: str) -> str:
    """The family of a model by its name: the first run of letters after the owner, in lower case.

    >>> family("judge:openai/GPT-4-turbo"), family("vicuna-13b-v1.2"), family("")
    ('gpt', 'vicuna', '')
    """
    name = _PREFIX.sub("", model).rpartition("/")[2].lower()
    found = _FAMILY.search(name)
    return found[0] if found else ""


def bias_figures(cases: Sequence[Case], votes: Votes, gaps: Mapping[str, float], *, seed: int) -> dict[str, Any]:
    """Figures of each population of `POPULATIONS` that voted: `position`, `length`, `traits`, `self_preference`.

    Args:
        cases: all cases; those without both candidates say nothing about length and manner.
        votes: on them.
        gaps: measured gap of the resolved comparisons, by id.
        seed: of the intervals.
    """
    people = _verdicts(votes, "human")
    both = np.array([case.a is not None and case.b is not None for case in cases], dtype=bool)
    traits: dict[str, tuple[bool, ...]] = {}
    result: dict[str, Any] = {}
    for name, kind in POPULATIONS.items():
        theirs = votes.where(votes.is_kind(kind))
        if not theirs.item.size:
            result[name] = {"state": "not_evaluated", "reason": f"there are no votes of {name}"}
            continue
        verdicts = people if kind == "human" else _verdicts(votes, kind)
        known = np.nonzero(both & np.isfinite(verdicts))[0]
        decided = [cases[row] for row in known.tolist()]
        reference = None if kind == "human" or not np.isfinite(people).any() else people[known]
        result[name] = {
            "state": "evaluated",
            "votes": theirs.item.size,
            "position": position_figures(theirs, (vote for case in cases for vote in case.votes if vote.kind == kind)),
            "length": _length(decided, verdicts[known], gaps, reference, seed),
            "traits": _traits(decided, verdicts[known], reference, traits, seed),
            "self_preference": _own_family(cases, theirs, kind, people, seed) if kind != "human" else [],
        }
    return result


def _verdicts(votes: Votes, kind: str) -> Floats:
    """The side most votes of a kind name: 1, -1, 0 for neither, NaN without a verdict; shape (cases,)."""
    spoken = votes.where(votes.is_kind(kind) & _SPOKEN[votes.label])
    net = np.bincount(spoken.item, NET_SIDE[spoken.label], len(votes.items))
    return np.where(spoken.per_item() > 0, np.sign(net), np.nan)


def position_figures(votes: Votes, cast: Iterable[Annotation]) -> dict[str, Any]:
    """How often the side shown first won; and for judges asked in both orders, whether they said the same.

    Args:
        votes: as columns.
        cast: the same votes, with what the judges said in each order.
    """
    known = votes.sided & (votes.first != UNKNOWN)
    placed = (votes.label == votes.first)[known]
    orders = [found for vote in cast if vote.criteria and (found := _both_orders(vote))]
    swaps = swap_figures([one for one, _ in orders], [other for _, other in orders]) if orders else {}
    return {"first_side": first_side_figure(placed), **swaps}


def _both_orders(vote: Annotation) -> tuple[float, float] | None:
    """What a judge said with `a` shown first and with `b` shown first."""
    orders = vote.criteria.get("orders")
    if not isinstance(orders, (list, tuple)) or not all(isinstance(each, Mapping) for each in orders):
        return None
    said = {each.get("shown_first"): _SIGNS.get(str(each.get("label")), float("nan")) for each in orders}
    return (said["a"], said["b"]) if {"a", "b"} <= said.keys() else None


def _length(
    cases: Sequence[Case], verdicts: Floats, gaps: Mapping[str, float], reference: Floats | None, seed: int
) -> dict[str, Any]:
    sides = [(_characters(case.a), _characters(case.b)) for case in cases]
    lengths = np.array(sides, dtype=np.float64).reshape(-1, 2)
    measured = [gaps.get(case.id, float("nan")) for case in cases]
    return length_figures(lengths[:, 0], lengths[:, 1], verdicts, seed=seed, gaps=measured, reference=reference)


def _traits(
    cases: Sequence[Case],
    verdicts: Floats,
    reference: Floats | None,
    known: dict[str, tuple[bool, ...]],
    seed: int,
) -> dict[str, Any]:
    for case in cases:
        for candidate in (case.a, case.b):
            if candidate is not None and candidate.id not in known:
                found = response_traits(candidate.text)
                known[candidate.id] = tuple(found[trait] for trait in TRAITS)
    a, b = (
        np.array([known[name] for name in names], dtype=bool).reshape(-1, len(TRAITS))
        for names in ([case.comparison.a for case in cases], [case.comparison.b for case in cases])
    )
    return {
        trait: trait_preference(a[:, place], b[:, place], verdicts, seed=seed, reference=reference)
        for place, trait in enumerate(TRAITS)
    }


def _own_family(cases: Sequence[Case], votes: Votes, kind: str, people: Floats, seed: int) -> list[dict[str, Any]]:
    """For each model that voted: how it treats responses of its own family, against people on the same pairs."""
    said: dict[str, dict[int, float]] = {}
    for row in np.unique(votes.item).tolist():
        for vote in cases[row].votes:
            if vote.kind == kind and vote.label in _SIGNS:
                said.setdefault(vote.annotator, {})[row] = _SIGNS[vote.label]
    rows = []
    for name in sorted(said, key=lambda each: (-len(said[each]), each))[:_MAX_JUDGES]:
        places = list(said[name])
        families = [[family_of(side) for side in (cases[row].a, cases[row].b)] for row in places]
        figure = self_preference(
            family(name),
            [one for one, _ in families],
            [other for _, other in families],
            list(said[name].values()),
            seed=seed,
            reference=people[places] if np.isfinite(people[places]).any() else None,
        )
        rows.append({"name": name, **figure})
    return rows


def family_of(candidate: Candidate | None) -> str:
    """The family of the model that wrote a response; "" if that is not known."""
    return "" if candidate is None else family(candidate.model)


def response_text(candidate: Candidate | None) -> str:
    """All turns of a response as one text; "" if it is not there."""
    return "" if candidate is None else "\n\n".join(turn.content for turn in candidate.completion)


def _characters(candidate: Candidate | None) -> int:
    """As many as the turns have with two line ends between them."""
    return 0 if candidate is None else length_of(candidate) + 2 * len(candidate.context)
