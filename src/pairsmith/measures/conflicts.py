"""Opinions that cannot all stand: what contradicts what, the evidence, and how it may be resolved.

Detectors return conflicts and change nothing. A resolution is a proposal: a rule can carry it out, or a person rules.
Contradictions across prompts are in `opposed_examples`, groups and categories in `domains`, annotators in `anomalies`
and `collusion`.
"""

from collections import deque
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from pairsmith.measures.contradictions import cycles
from pairsmith.measures.feedback_arcs import feedback_arcs
from pairsmith.measures.intervals import wilson
from pairsmith.measures.votes import Votes, VotesLike, code, named_counts

__all__ = [
    "CONFLICT_KINDS",
    "CONFLICT_RESOLUTIONS",
    "Conflict",
    "Preference",
    "both_ways",
    "inconsistent_annotations",
    "low_confidence",
    "preference_cycles",
]

CONFLICT_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "inconsistent": "different annotators prefer different sides of one comparison",
        "low_confidence": "no label of a comparison has enough of its votes, or most voters were unsure",
        "both_ways": "the same two responses to a prompt are preferred in both directions",
        "cycle": "preferences of one prompt run in a circle: A over B over C over A",
        "contradictory": "near-identical prompts, and what one prefers resembles what the other rejects, both ways",
        "group_disagreement": "two groups of annotators prefer opposite sides more often than chance explains",
        "category_disagreement": "annotators agree clearly less in one category than in the others",
        "flipped_annotator": "an annotator votes against the others' majority, as if the sides were exchanged",
        "position_only": "an annotator's votes follow the order of display and not the responses",
        "length_only": "an annotator's votes follow the lengths of the responses and not their content",
        "constant_answer": "an annotator gives one answer to everything, where others do not",
        "too_fast": "an annotator often answers faster than anybody can read",
        "colluding_pair": "two annotators agree far more with each other than their agreement with others explains",
    }
)

CONFLICT_RESOLUTIONS: Mapping[str, str] = MappingProxyType(
    {
        "accept_majority": "the majority stands; nothing to do",
        "tie_breaker": "a tie-break annotator or a ruling decides",
        "one_more_vote": "one more vote on each target can decide",
        "discard": "leave the targets out",
        "review": "no rule can decide between the targets: a person must",
        "split_dataset": "make one dataset for each group: both preferences are valid, for different readers",
        "add_context": "say in the prompts of the targets for whom or for what purpose the response is",
        "exclude_annotator": "leave out the votes of the targets",
        "flip_votes": "ask the target which side was meant, then exchange or leave out the votes",
        "merge_votes": "count the votes of the targets as one annotator's",
    }
)

_A, _B = code("a"), code("b")
_CLEAR_SHARE = 0.6
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Conflict:
    """One conflict: the ids it concerns, the evidence as JSON values, and the proposed resolution of some of them."""

    kind: str
    subjects: tuple[str, ...]
    evidence: Mapping[str, Any]
    resolution: str
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Preference:
    """One response preferred over another; `weight` above 0 says how strongly, for example the lead in votes."""

    id: str
    prompt: str
    winner: str
    loser: str
    weight: float = 1.0


def inconsistent_annotations(votes: VotesLike, *, min_agreement: float = _CLEAR_SHARE) -> list[Conflict]:
    """Comparisons with votes for both sides from at least two annotators, sorted by id.

    The majority is accepted if its side has at least `min_agreement` of all votes; else a tie-breaker decides. The
    evidence holds the votes by label, the voters of either side, and the share of the leading side with its interval.
    """
    table = Votes.of(votes)
    sides = table.where(table.sided)
    counts, starts = table.counts(), np.searchsorted(sides.item, np.arange(len(table.items) + 1)).tolist()
    voters, labels = sides.annotator.tolist(), sides.label.tolist()
    conflicts = []
    for item in np.nonzero((counts[:, :2] > 0).all(axis=1))[0].tolist():
        rows = range(starts[item], starts[item + 1])
        if len({voters[row] for row in rows}) < 2:
            continue
        of_label = named_counts(counts[item].tolist())
        lead, total = max(of_label["a"], of_label["b"]), sum(of_label.values())
        clear = of_label["a"] != of_label["b"] and lead / total >= min_agreement
        evidence = {
            "votes": of_label,
            "for_a": [table.annotators[voters[row]] for row in rows if labels[row] == _A],
            "for_b": [table.annotators[voters[row]] for row in rows if labels[row] == _B],
            "share": lead / total,
            "interval": list(wilson(lead, total) or ()),
        }
        who = (table.items[item],)
        conflicts.append(Conflict("inconsistent", who, evidence, "accept_majority" if clear else "tie_breaker", who))
    return conflicts


def low_confidence(
    votes: VotesLike,
    *,
    min_agreement: float = _CLEAR_SHARE,
    max_votes: int = 5,
    confidence: Mapping[str, float] | None = None,
    min_confidence: float = 0.6,
) -> list[Conflict]:
    """Comparisons whose votes decide nothing, sorted by id.

    A comparison counts if its most frequent label has less than `min_agreement` of all its votes (ties and `unsure`
    are votes), if that label is `unsure`, or if its `confidence` (probability that the winner is right, by comparison)
    is below `min_confidence`. A single vote for a side is no measure of agreement and does not count. One more vote is
    asked for where it could give a side `min_agreement` within `max_votes`; else the comparison is discarded.
    """
    table = Votes.of(votes)
    counts = table.counts()
    total, most = counts.sum(axis=1), counts.max(axis=1, initial=0.0)
    share = most / np.maximum(total, 1)
    undecided = (total > 1) & (share < min_agreement)
    unsure = counts[:, code("unsure")] == most
    sure = np.array([(confidence or {}).get(item, np.nan) for item in table.items])
    helps = (total < max_votes) & ((counts[:, :2].max(axis=1, initial=0.0) + 1) / (total + 1) >= min_agreement)
    conflicts = []
    for item in np.nonzero((total > 0) & (undecided | unsure | (sure < min_confidence)))[0].tolist():
        who = (table.items[item],)
        evidence = {
            "votes": named_counts(counts[item].tolist()),
            "share": float(share[item]),
            "confidence": None if confidence is None else confidence.get(who[0]),
        }
        conflicts.append(Conflict("low_confidence", who, evidence, "one_more_vote" if helps[item] else "discard", who))
    return conflicts


def both_ways(preferences: Iterable[Preference], *, min_share: float = _CLEAR_SHARE) -> list[Conflict]:
    """Pairs of responses preferred in both directions within a prompt, sorted by ids.

    The lighter direction is discarded if the heavier has at least `min_share` of the weight; else a person decides.
    """
    together: dict[tuple[str, str, str], list[Preference]] = {}
    for each in sorted(preferences, key=lambda preference: preference.id):
        one, other = sorted((each.winner, each.loser))
        together.setdefault((each.prompt, one, other), []).append(each)
    conflicts = []
    for members in together.values():
        winners = {each.winner for each in members}
        if len(winners) < 2:
            continue
        weight = dict.fromkeys(sorted(winners), 0.0)
        for each in members:
            weight[each.winner] += each.weight
        lighter, heavier = sorted(weight, key=lambda winner: (weight[winner], winner))
        clear = weight[heavier] >= min_share * (weight[heavier] + weight[lighter]) and weight[heavier] > weight[lighter]
        evidence = {"prompt": members[0].prompt, "weight_of_winner": weight}
        targets = [each.id for each in members if each.winner == lighter or not clear]
        ids = tuple(each.id for each in members)
        conflicts.append(Conflict("both_ways", ids, evidence, "discard" if clear else "review", tuple(targets)))
    return sorted(conflicts, key=lambda each: each.subjects)


def preference_cycles(preferences: Iterable[Preference]) -> list[Conflict]:
    """Groups of responses of one prompt that beat each other in circles (strongly connected components).

    Directions of one pair are set off against each other first (see `both_ways`). Proposed for removal are the
    preferences of the lightest set of edges without which no circle is left. Where several sets are equally light, one
    more vote on the lightest edges decides; above `feedback_arcs.EXACT_NODES` responses the set found is not proven
    lightest, and a person decides.
    """
    net: dict[tuple[str, str, str], float] = {}
    ids: dict[tuple[str, str, str], list[str]] = {}
    for each in sorted(preferences, key=lambda preference: preference.id):
        edge, opposite = (each.prompt, each.winner, each.loser), (each.prompt, each.loser, each.winner)
        net[edge] = net.get(edge, 0.0) + each.weight
        net[opposite] = net.get(opposite, 0.0) - each.weight
        ids.setdefault(edge, []).append(each.id)
    standing = sorted(edge for edge, weight in net.items() if weight > _ROUNDING)
    # Nobody is in a circle who never wins or never loses, and that is most responses.
    beaten, winning = {(prompt, lost) for prompt, _, lost in standing}, {(prompt, won) for prompt, won, _ in standing}
    standing = [edge for edge in standing if (edge[0], edge[1]) in beaten and (edge[0], edge[2]) in winning]
    edges: list[tuple[Hashable, Hashable]] = [((prompt, w), (prompt, lost)) for prompt, w, lost in standing]
    components = {tuple(places) for places in cycles(edges).values()}
    found = [_cycle([standing[place] for place in places], net, ids) for places in components]
    return sorted(found, key=lambda each: each.subjects)


def _cycle(
    edges: Sequence[tuple[str, str, str]],
    net: Mapping[tuple[str, str, str], float],
    ids: Mapping[tuple[str, str, str], Sequence[str]],
) -> Conflict:
    """The conflict of one strongly connected component."""
    weights = {(winner, loser): net[prompt, winner, loser] for prompt, winner, loser in edges}
    arcs = feedback_arcs(weights)
    resolution = "discard" if arcs.unique else "one_more_vote" if arcs.exact else "review"
    doubtful = set(arcs.removed)
    if resolution == "one_more_vote":
        heaviest = max(weights[edge] for edge in arcs.removed)
        doubtful = {edge for edge in weights if weights[edge] <= heaviest + _ROUNDING}
    evidence = {
        "prompt": edges[0][0],
        "responses": sorted({node for edge in weights for node in edge}),
        "edges": [[winner, loser, weights[winner, loser]] for winner, loser in sorted(weights)],
        "cycle": _shortest_cycle(sorted(weights), arcs.removed[0]),
        "removed": [list(edge) for edge in arcs.removed],
        "removed_weight": arcs.weight,
        "total_weight": sum(weights.values()),
        "unique": arcs.unique,
        "exact": arcs.exact,
    }
    subjects = sorted({each for edge in edges for each in ids[edge]})
    targets = sorted({each for edge in edges if edge[1:] in doubtful for each in ids[edge]})
    return Conflict("cycle", tuple(subjects), evidence, resolution, tuple(targets))


def _shortest_cycle(edges: Sequence[tuple[str, str]], through: tuple[str, str]) -> list[str]:
    """A shortest circle that contains the edge `through`, beginning with its winner."""
    beaten: dict[str, list[str]] = {}
    for winner, loser in edges:
        beaten.setdefault(winner, []).append(loser)
    winner, loser = through
    came_from = {loser: winner}
    waiting = deque([loser])
    while winner not in came_from:
        node = waiting.popleft()
        for other in beaten.get(node, ()):
            if other not in came_from:
                came_from[other] = node
                waiting.append(other)
    path = [winner]
    while came_from[path[-1]] != winner:
        path.append(came_from[path[-1]])
    return [winner, *path[:0:-1]]
