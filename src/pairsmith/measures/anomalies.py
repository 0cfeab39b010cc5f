"""Annotators whose votes do not come from reading: flipped, position only, length only, one answer, too fast.

Each vote is compared with the majority of the *other* annotators on the same comparison. An annotator who follows a
cue (the side shown first, the longer response) follows it also where that majority goes against it; one who judges
content does not, however the cue and quality go together. So a dataset in which better responses are longer, or always
stand first, accuses nobody.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairsmith.measures.annotation import Vote
from pairsmith.measures.conflicts import Conflict
from pairsmith.measures.intervals import wilson
from pairsmith.measures.significance import adjusted_p_values, binomial_tail, normal_tail

__all__ = ["annotator_anomalies", "fast_annotators"]

Integers = NDArray[np.int64]

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
class _Votes:
    """Votes as columns, sorted; sides are 1 (a), -1 (b) or 0.

    `lead` is by how many votes the others prefer a to b (negative: b); `consensus` is its sign.
    """

    items: tuple[str, ...]
    labels: tuple[str, ...]
    first: Integers
    side: Integers
    lead: Integers
    consensus: Integers
    of: Mapping[str, Integers]
    """Rows of each annotator."""


@dataclass(frozen=True, slots=True)
class _Finding:
    """What one test says of one annotator: `p_value` always, `evidence` only where the effect is large enough."""

    annotator: str
    p_value: float
    evidence: Mapping[str, Any] | None
    resolution: str = "exclude_annotator"


def annotator_anomalies(
    votes: Iterable[Vote],
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
    listed = sorted((vote for vote in votes if vote.kind != "imported"), key=lambda vote: (vote.item, vote.annotator))
    suspects: set[str] = set()
    found: list[Conflict] = []
    for _ in range(2):
        table = _columns(listed, suspects)
        found = _all_tests(table, longer or {}, alpha, min_votes)
        suspects = {name for conflict in found for name in conflict.subjects}
    return sorted(found, key=lambda each: (each.kind, each.subjects))


def _columns(votes: Sequence[Vote], distrusted: Collection[str]) -> _Votes:
    side = np.array([_SIDES.get(vote.label, 0) for vote in votes], dtype=np.int64)
    first = np.array([_SIDES.get(vote.shown_first or "", 0) for vote in votes], dtype=np.int64)
    trusted = np.array([vote.annotator not in distrusted for vote in votes], dtype=np.int64)
    numbers = {item: number for number, item in enumerate(dict.fromkeys(vote.item for vote in votes))}
    item = np.array([numbers[vote.item] for vote in votes], dtype=np.int64)
    net = np.zeros(len(numbers), dtype=np.int64)
    np.add.at(net, item, side * trusted)
    rows: dict[str, list[int]] = {}
    for row, vote in enumerate(votes):
        rows.setdefault(vote.annotator, []).append(row)
    lead = net[item] - side * trusted
    return _Votes(
        items=tuple(vote.item for vote in votes),
        labels=tuple(vote.label for vote in votes),
        first=first,
        side=side,
        lead=lead,
        consensus=np.sign(lead),
        of={name: np.array(rows[name], dtype=np.int64) for name in sorted(rows)},
    )


def _all_tests(table: _Votes, longer: Mapping[str, str], alpha: float, min_votes: int) -> list[Conflict]:
    length = np.array([_SIDES.get(longer.get(item, ""), 0) for item in table.items], dtype=np.int64)
    tests: dict[str, list[_Finding]] = {
        "flipped_annotator": [found for name in table.of if (found := _flipped(table, name, min_votes))],
        "position_only": _cue_tests(table, table.first, ("first", "second"), min_votes),
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


def _flipped(table: _Votes, name: str, min_votes: int) -> _Finding | None:
    """Against the others more often than a coin would be, each vote weighted with the lead of the others' majority."""
    rows = table.of[name]
    decided = rows[(table.side[rows] != 0) & (table.consensus[rows] != 0)]
    n = int(decided.size)
    if n < min_votes:
        return None
    agrees = table.side[decided] == table.consensus[decided]
    weights = np.abs(table.lead[decided])  # four to nothing says more about a vote than two to one
    against = int(weights[~agrees].sum() - weights[agrees].sum())
    p_value = normal_tail(against / math.sqrt(int((weights**2).sum())))
    agreement, agreeing = float(weights[agrees].sum() / weights.sum()), int(agrees.sum())
    if agreement > _MAX_FLIPPED_AGREEMENT:
        return _Finding(name, p_value, None)
    evidence = {
        "agreement": agreeing / n,
        "interval": list(wilson(agreeing, n) or ()),
        "weighted_agreement": agreement,
        "votes": n,
    }
    return _Finding(name, p_value, evidence, "flip_votes")


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


def _cue_tests(table: _Votes, cue: Integers, names: tuple[str, str], min_votes: int) -> list[_Finding]:
    """Who follows the cue far more (or less) than the median of the other annotators, at least 0.5.

    The comparison with the others matters where the cue mostly tells the truth: a majority against it is then often
    wrong, and honest people seem to follow the cue.
    """
    measured = [each for name in table.of if (each := _following(table, name, cue, min_votes))]
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


def _following(table: _Votes, name: str, cue: Integers, min_votes: int) -> _Following | None:
    rows = table.of[name]
    counted = rows[(table.side[rows] != 0) & (cue[rows] != 0) & (table.consensus[rows] != 0)]
    along = table.consensus[counted] == cue[counted]
    follows = table.side[counted] == cue[counted]
    sizes = int(along.sum()), int((~along).sum())
    if min(sizes) < _MIN_EACH_WAY or sum(sizes) < min_votes:
        return None
    return _Following(name, sizes, (int((follows & along).sum()), int((follows & ~along).sum())))


def _median_without(ordered: Sequence[float], one: float) -> float:
    """The median of sorted numbers without one of them; 0.5 if none are left."""
    rest = list(ordered)
    rest.remove(one)
    return float(np.median(rest)) if rest else _EVEN


def _constant_tests(table: _Votes, min_votes: int) -> list[_Finding]:
    """One label almost always, on comparisons where others gave it clearly less often."""
    by_label = Counter(zip(table.items, table.labels, strict=True))
    total = Counter(table.items)
    findings = []
    for name, numbers in table.of.items():
        rows = [row for row in numbers.tolist() if total[table.items[row]] > 1]
        n = len(rows)
        if n < min_votes:
            continue
        (label, same), *_ = sorted(Counter(table.labels[row] for row in rows).items(), key=lambda each: -each[1])
        others = math.fsum(
            (by_label[table.items[row], label] - (table.labels[row] == label)) / (total[table.items[row]] - 1)
            for row in rows
        )
        p_value = binomial_tail(same, n, (others + 1) / (n + 2))
        evidence = {"label": label, "share": same / n, "others_share": others / n, "votes": n}
        clear = same / n >= _MIN_CONSTANT_SHARE and others / n <= _MAX_OTHERS_SHARE
        findings.append(_Finding(name, p_value, evidence if clear else None))
    return findings


def fast_annotators(votes: Iterable[Vote], seconds: Iterable[float | None], *, min_votes: int = 20) -> list[Conflict]:
    """People with more than a tenth of their timed answers under one second (95 % sure), sorted by name.

    Proposed is `exclude_annotator` if at least half of the answers are so fast, else `review`.

    Args:
        votes: of any kind; only votes of kind `human` count, models may answer at once.
        seconds: time each vote took, aligned with `votes`; `None` where it was not recorded.
        min_votes: fewest timed votes.
    """
    times: dict[str, list[float]] = {}
    for vote, duration in zip(votes, seconds, strict=True):
        if vote.kind == "human" and duration is not None:
            times.setdefault(vote.annotator, []).append(duration)
    conflicts = []
    for name, durations in sorted(times.items()):
        fast = sum(duration < _READING_SECONDS for duration in durations)
        interval = wilson(fast, len(durations))
        if len(durations) < min_votes or interval is None or interval[0] <= _MAX_FAST_SHARE:
            continue
        share = fast / len(durations)
        evidence = {
            "share_under_1_s": share,
            "interval": list(interval),
            "median_seconds": float(np.median(durations)),
            "votes": len(durations),
        }
        resolution = "exclude_annotator" if share >= 1 / 2 else "review"
        conflicts.append(Conflict("too_fast", (name,), evidence, resolution, (name,)))
    return conflicts
