"""Scored candidates of a prompt, the pairs they can form, and what a set of pairs looks like in gap and length."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairsmith.measures.intervals import figure, share_figure

__all__ = [
    "Pick",
    "Pool",
    "Scored",
    "columns",
    "longer_side",
    "possible_columns",
    "score_of",
    "scores_from_votes",
    "summary",
]

Array = NDArray[np.float64]

ROUNDING = 1e-9
"""Scores closer than this are equal."""

_PRIOR_WINS = 0.5
_ROUNDS = 200


@dataclass(frozen=True, slots=True)
class Scored:
    """One candidate: a score on a scale on which differences are gaps, and the length of its text (not below 0)."""

    id: str
    score: float | None
    length: int = 0


@dataclass(frozen=True, slots=True)
class Pool:
    """The candidates of one prompt, and pairs of ids that voters called equal (a set, where there may be many)."""

    prompt: str
    candidates: tuple[Scored, ...]
    ties: Collection[tuple[str, str]] = ()

    def tied(self, one: Scored, other: Scored) -> bool:
        """Whether the two cannot be told apart: equal scores, or called equal."""
        return abs(score_of(one) - score_of(other)) <= ROUNDING or (
            bool(self.ties) and ((one.id, other.id) in self.ties or (other.id, one.id) in self.ties)
        )

    def ranked(self) -> "Pool":
        """The pool with its scored candidates only, best first; equal scores by id."""
        usable = [each for each in self.candidates if each.score is not None and math.isfinite(each.score)]
        return Pool(self.prompt, tuple(sorted(usable, key=lambda each: (-score_of(each), each.id))), self.ties)


@dataclass(frozen=True, slots=True)
class Pick:
    """A pair: `gap` above 0 is the difference in score; lengths are those of the texts."""

    prompt: str
    chosen: str
    rejected: str
    gap: float
    chosen_length: int
    rejected_length: int

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells pairs apart, and what they are sorted by."""
        return self.prompt, self.chosen, self.rejected

    @classmethod
    def of(cls, prompt: str, chosen: Scored, rejected: Scored) -> "Pick":
        """The pair of two candidates."""
        gap = score_of(chosen) - score_of(rejected)
        return cls(prompt, chosen.id, rejected.id, gap, chosen.length, rejected.length)


def score_of(candidate: Scored) -> float:
    """The score of a candidate that has one.

    Raises:
        ValueError: if it has none.
    """
    if candidate.score is None:
        raise ValueError(f"candidate {candidate.id} has no score; `Pool.ranked` leaves such candidates out")
    return candidate.score


def longer_side(pick: Pick) -> int:
    """1 if the chosen response is longer, -1 if the rejected is, 0 if neither."""
    return (pick.chosen_length > pick.rejected_length) - (pick.chosen_length < pick.rejected_length)


def columns(picks: Sequence[Pick]) -> Array:
    """Gap, chosen length and rejected length of each pair, shape (pairs, 3)."""
    rows = [(each.gap, each.chosen_length, each.rejected_length) for each in picks]
    return np.array(rows, dtype=np.float64).reshape(-1, 3)


def possible_columns(pool: Pool) -> Array:
    """As `columns`, of every pair of a ranked pool that does not tie."""
    ranked = pool.candidates
    better, worse = np.triu_indices(len(ranked), 1)
    scores = np.array([score_of(each) for each in ranked])
    lengths = np.array([each.length for each in ranked], dtype=np.float64)
    if not better.size:
        return np.zeros((0, 3))
    table = np.stack([scores[better] - scores[worse], lengths[better], lengths[worse]], axis=1)
    if pool.ties:
        free = [not pool.tied(ranked[i], ranked[j]) for i, j in zip(better.tolist(), worse.tolist(), strict=True)]
    else:
        free = (table[:, 0] > ROUNDING).tolist()
    untied: Array = table[np.array(free, dtype=bool)]
    return untied


def summary(table: Array, prompts: int) -> dict[str, Any]:
    """Counts, gap and length of pairs given as `columns`; the order of the rows does not matter.

    Returns:
        `pairs`, `prompts`, the figures `mean_gap`, `median_gap`, `chosen_longer` (share of the pairs of different
        lengths, 0.5 is no bias) and `log_length_ratio` (mean of ln((chosen + 1) / (rejected + 1)), 0 is no bias).
    """
    gaps, chosen, rejected = np.sort(table[:, 0]), table[:, 1], table[:, 2]
    n = len(table)
    none = "there are no pairs"
    ratios = np.sort(np.log((chosen + 1) / (rejected + 1)))
    return {
        "pairs": n,
        "prompts": prompts,
        "mean_gap": figure(math.fsum(gaps) / n if n else None, None, n, none),
        "median_gap": figure(float(np.median(gaps)) if n else None, None, n, none),
        "chosen_longer": share_figure(
            int((chosen > rejected).sum()),
            int((chosen != rejected).sum()),
            "no pair has responses of different lengths",
        ),
        "log_length_ratio": figure(math.fsum(ratios) / n if n else None, None, n, none),
    }


def scores_from_votes(wins: Mapping[tuple[str, str], float], candidates: Iterable[str]) -> dict[str, float]:
    """A score in [0, 1] for each candidate of one prompt: its mean probability to beat one of the others.

    Bradley-Terry strengths (Hunter 2004, minorisation-maximisation), with one drawn game of every candidate against
    an average opponent, so that one vote is no certainty and candidates nobody compared get 0.5. A tie is half a win
    for either side.

    Args:
        wins: how often the first of two ids beat the second.
        candidates: all ids, among them those of `wins`.
    """
    names = sorted(set(candidates))
    number = {name: place for place, name in enumerate(names)}
    if len(names) < 2:
        return dict.fromkeys(names, 0.5)
    beaten = np.zeros((len(names), len(names)))
    for (winner, loser), count in sorted(wins.items()):
        beaten[number[winner], number[loser]] += count
    games = beaten + beaten.T
    won = beaten.sum(axis=1) + _PRIOR_WINS
    strength = np.ones(len(names))
    for _ in range(_ROUNDS):
        pulls = games / (strength[:, None] + strength[None, :])
        strength = won / (pulls.sum(axis=1) + 2 * _PRIOR_WINS / (strength + 1))
    odds = strength[:, None] / (strength[:, None] + strength[None, :])
    means = (odds.sum(axis=1) - 0.5) / (len(names) - 1)
    return {name: float(means[number[name]]) for name in names}
