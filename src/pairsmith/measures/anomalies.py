"""Annotators whose votes do not come from reading: flipped, position only, length only, one answer, too fast.

Each vote is compared with the majority of the *other* annotators on the same comparison. An annotator who follows a
cue (the side shown first, the longer response) follows it also where that majority goes against it; one who judges
content does not, however the cue and quality go together. So a dataset in which better responses are longer, or always
stand first, accuses nobody.
"""

import bisect
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pairsmith.measures.conflicts import Conflict
from pairsmith.measures.intervals import wilson
from pairsmith.measures.significance import adjusted_p_values, binomial_tail, normal_tail
from pairsmith.measures.vote_table import UNKNOWN, Ints
from pairsmith.measures.votes import LABELS, NET_SIDE, Mask, Votes, VotesLike

__all__ = ["annotator_anomalies", "fast_annotators"]

_SIDES = {"a": 1, "b": -1}
_MAX_FLIPPED_AGREEMENT = 0.4
_MIN_EXCESS = 0.6
_EVEN = 0.5
_MIN_EACH_WAY = 10
_MIN_CONSTANT_SHARE = 0.9
_MAX_OTHERS_SHARE = 0.8
_READING_SECONDS = 1.0
_MAX_FAST_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class _Table:
    """Votes and what the others say; arrays of shape (votes,), sides are 1 (a), -1 (b) or 0.

    `lead` is by how many votes the others prefer a to b (negative: b); `consensus` is its sign.
    """

    votes: Votes
    side: Ints
    lead: Ints
    consensus: Ints


@dataclass(frozen=True, slots=True)
class _Finding:
    """What one test says of one annotator: `p_value` always, `evidence` only where the effect is large enough."""

    annotator: str
    p_value: float
    evidence: Mapping[str, Any] | None
    resolution: str = "exclude_annotator"


def annotator_anomalies(
    votes: VotesLike,
    *,
    longer: Mapping[str, str] | None = None,
    alpha: float = 0.01,
    min_votes: int = 20,
) -> list[Conflict]:
    """Annotators that are flipped, follow position or length alone, or give one answer; sorted by kind and name.

    Two passes: votes of those found in the first do not count as the others' majority in the second.

    Args:
        votes: each annotator's last vote on each comparison; votes of unknown making (`imported`) are left out.
        longer: the side ("a" or "b") with the longer response of each comparison; leave out equal lengths.
        alpha: false discovery rate of each kind over all annotators (Benjamini-Hochberg).
        min_votes: fewest votes of an annotator that a test uses.
    """
    table = Votes.of(votes)
    known = table.where(~table.is_kind("imported"))
    length = np.array([_SIDES.get((longer or {}).get(item, ""), 0) for item in known.items], dtype=np.int64)
    suspects: set[str] = set()
    found: list[Conflict] = []
    for _ in range(2):
        found = _all_tests(_with_others(known, suspects), length[known.item], alpha, min_votes)
        suspects = {name for conflict in found for name in conflict.subjects}
    return sorted(found, key=lambda each: (each.kind, each.subjects))


def _with_others(votes: Votes, distrusted: Collection[str]) -> _Table:
    trusted = np.array([name not in distrusted for name in votes.annotators], dtype=np.int64)
    side = NET_SIDE[votes.label]
    counted = side * trusted[votes.annotator] if votes.annotators else side
    net = np.bincount(votes.item, counted, len(votes.items)).astype(np.int64)
    lead = net[votes.item] - counted
    return _Table(votes, side, lead, np.sign(lead))


def _all_tests(table: _Table, length: Ints, alpha: float, min_votes: int) -> list[Conflict]:
    first = np.where(table.votes.first == UNKNOWN, 0, NET_SIDE[table.votes.first])
    tests: dict[str, list[_Finding]] = {
        "flipped_annotator": _flip_tests(table, min_votes),
        "position_only": _cue_tests(table, first, ("first", "second"), min_votes),
        "length_only": _cue_tests(table, length, ("longer", "shorter"), min_votes),
        "constant_answer": _constant_tests(table, min_votes),
    }
    conflicts = []
    for kind, findings in tests.items():
        adjusted = adjusted_p_values([finding.p_value for finding in findings]).tolist()
        for finding, value in zip(findings, adjusted, strict=True):
            if finding.evidence is not None and value <= alpha:
                evidence = {**finding.evidence, "p_value": finding.p_value, "adjusted_p_value": value}
                who = (finding.annotator,)
                conflicts.append(Conflict(kind, who, evidence, finding.resolution, who))
    return conflicts


def _flip_tests(table: _Table, min_votes: int) -> list[_Finding]:
    """Against the others more often than a coin would be, each vote weighted with the lead of the others' majority."""
    decided = (table.side != 0) & (table.consensus != 0)
    agrees = table.side == table.consensus
    weights = np.abs(table.lead)  # four to nothing says more about a vote than two to one
    sums = _sums(table.votes, decided, agrees, weights, weights * agrees, weights**2)
    findings = []
    for name, n, agreeing, weight, for_them, squares in sums:
        if n < min_votes:
            continue
        p_value = normal_tail((weight - 2 * for_them) / math.sqrt(squares))
        agreement = for_them / weight
        evidence = {
            "agreement": agreeing / n,
            "interval": list(wilson(agreeing, n) or ()),
            "weighted_agreement": agreement,
            "votes": n,
        }
        flipped = agreement <= _MAX_FLIPPED_AGREEMENT
        findings.append(_Finding(name, p_value, evidence if flipped else None, "flip_votes"))
    return findings


def _sums(votes: Votes, chosen: Mask, *values: Any) -> list[tuple[Any, ...]]:
    """For each annotator: the name, how many votes were chosen, and the sums of the values of those; whole numbers."""
    columns = [votes.per_annotator(chosen), *(votes.per_annotator(chosen, each) for each in values)]
    return list(zip(votes.annotators, *(column.astype(np.int64).tolist() for column in columns), strict=True))


@dataclass(frozen=True, slots=True)
class _Following:
    """How often one annotator followed a cue: where the others agree with it, and where they oppose it."""

    annotator: str
    sizes: tuple[int, int]
    hits: tuple[int, int]

    @property
    def share(self) -> float:
        """Mean of both shares: 0.5 for judging content alone, 1 for following the cue alone."""
        return sum(hit / size for hit, size in zip(self.hits, self.sizes, strict=True)) / 2


def _cue_tests(table: _Table, cue: Ints, names: tuple[str, str], min_votes: int) -> list[_Finding]:
    """Who follows the cue far more (or less) than the median of the other annotators, at least 0.5.

    The comparison with the others matters where the cue mostly tells the truth: a majority against it is then often
    wrong, and honest people seem to follow the cue.
    """
    measured = _following(table, cue, min_votes)
    shares = sorted(each.share for each in measured)
    findings = []
    for each in measured:
        share, along = (each.share, True) if each.share >= _EVEN else (1 - each.share, False)
        usual = max(_EVEN, _median_without(shares, each.share)) if along else _EVEN
        smooth = [(hit + 1) / (size + 2) for hit, size in zip(each.hits, each.sizes, strict=True)]
        error = math.sqrt(sum(p * (1 - p) / size for p, size in zip(smooth, each.sizes, strict=True))) / 2
        seen = sum(smooth) / 2 if along else 1 - sum(smooth) / 2
        p_value = min(1.0, 2 * normal_tail((seen - usual) / error))
        excess = (share - usual) / (1 - usual) if usual < 1 else 0.0
        evidence = {
            "follows": names[0] if along else names[1],
            "balanced_share": share,
            "usual_share": usual,
            "excess": excess,
            "share_where_others_agree_with_cue": each.hits[0] / each.sizes[0],
            "share_where_others_oppose_cue": each.hits[1] / each.sizes[1],
            "votes": list(each.sizes),
        }
        findings.append(_Finding(each.annotator, p_value, evidence if excess >= _MIN_EXCESS else None))
    return findings


def _following(table: _Table, cue: Ints, min_votes: int) -> list[_Following]:
    counted = (table.side != 0) & (cue != 0) & (table.consensus != 0)
    along, follows = table.consensus == cue, table.side == cue
    sums = _sums(table.votes, counted, along, follows & along, follows & ~along)
    return [
        _Following(name, (with_cue, n - with_cue), (hits_along, hits_against))
        for name, n, with_cue, hits_along, hits_against in sums
        if min(with_cue, n - with_cue) >= _MIN_EACH_WAY and n >= min_votes
    ]


def _median_without(ordered: Sequence[float], one: float) -> float:
    """The median of sorted numbers without one of them; 0.5 if none are left."""
    left = len(ordered) - 1
    if not left:
        return _EVEN
    gap = bisect.bisect_left(ordered, one)
    middle = [place + (place >= gap) for place in ((left - 1) // 2, left // 2)]
    return (ordered[middle[0]] + ordered[middle[1]]) / 2


def _constant_tests(table: _Table, min_votes: int) -> list[_Finding]:
    """One label almost always, on comparisons where others gave it clearly less often."""
    votes, on_item = table.votes, table.votes.per_item()
    shared = on_item[votes.item] > 1
    cells = votes.annotator[shared] * len(LABELS) + votes.label[shared]
    given = np.bincount(cells, minlength=len(votes.annotators) * len(LABELS)).reshape(-1, len(LABELS))
    usual = given.argmax(axis=1)
    wanted = usual[votes.annotator]
    of_others = votes.counts()[votes.item, wanted] - (votes.label == wanted)
    shares = votes.per_annotator(shared, of_others / np.maximum(on_item[votes.item] - 1, 1)).tolist()
    findings = []
    for name, label, counts, others in zip(votes.annotators, usual.tolist(), given.tolist(), shares, strict=True):
        n, same = sum(counts), counts[label]
        if n < min_votes:
            continue
        p_value = binomial_tail(same, n, (others + 1) / (n + 2))
        evidence = {"label": LABELS[label], "share": same / n, "others_share": others / n, "votes": n}
        clear = same / n >= _MIN_CONSTANT_SHARE and others / n <= _MAX_OTHERS_SHARE
        findings.append(_Finding(name, p_value, evidence if clear else None))
    return findings


def fast_annotators(votes: VotesLike, *, min_votes: int = 20) -> list[Conflict]:
    """People with more than a tenth of their timed answers under one second (95 % sure), sorted by name.

    Proposed is `exclude_annotator` if at least half of the answers are so fast, else `review`. Only votes of kind
    `human` count, models may answer at once.

    Args:
        votes: with the `seconds` each took, where that was recorded.
        min_votes: fewest timed votes.
    """
    table = Votes.of(votes)
    timed = table.is_kind("human") & ~np.isnan(table.seconds)
    by_person = np.nonzero(timed)[0]
    by_person = by_person[np.argsort(table.annotator[by_person], kind="stable")]
    starts = np.searchsorted(table.annotator[by_person], np.arange(len(table.annotators) + 1))
    conflicts = []
    for person, (name, n, fast) in enumerate(_sums(table, timed, table.seconds < _READING_SECONDS)):
        interval = wilson(fast, n)
        if n < min_votes or interval is None or interval[0] <= _MAX_FAST_SHARE:
            continue
        share = fast / n
        evidence = {
            "share_under_1_s": share,
            "interval": list(interval),
            "median_seconds": float(np.median(table.seconds[by_person[starts[person] : starts[person + 1]]])),
            "votes": n,
        }
        resolution = "exclude_annotator" if share >= 1 / 2 else "review"
        conflicts.append(Conflict("too_fast", (name,), evidence, resolution, (name,)))
    return conflicts
