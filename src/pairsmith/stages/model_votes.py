"""What models said about each comparison, as numbers: verdicts, whether they turned with the order, differences."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from pairsmith.measures.vote_table import Floats
from pairsmith.records import Annotation, Comparison, Score

__all__ = ["MODEL_KINDS", "SIGNS", "ModelVotes", "model_votes"]

MODEL_KINDS = ("judge", "reward")
"""Annotators whose votes are a model's opinion; a verifier's are not."""

SIGNS: Mapping[str, float] = MappingProxyType({"a": 1.0, "b": -1.0, "tie": 0.0, "both_bad": 0.0})


@dataclass(frozen=True, slots=True)
class ModelVotes:
    """One row per comparison, in the order given, and one column per name; NaN where nothing was said.

    `verdicts` are 1 for `a`, -1 for `b`, 0 for neither; `unstable` 1 where the verdict turned with the order
    or the judge could not tell;
    `beliefs` the verdict of a judge times how far apart it put the two; `margins` the difference of scores.
    """

    judges: tuple[str, ...]
    scorers: tuple[str, ...]
    verdicts: Floats
    unstable: Floats
    beliefs: Floats
    margins: Floats

    def known(self) -> NDArray[np.bool_]:
        """Where any model said anything, shape (comparisons,)."""
        said: NDArray[np.bool_] = np.isfinite(np.concatenate([self.verdicts, self.margins], axis=1))
        return np.asarray(said.any(axis=1), dtype=np.bool_)


def model_votes(comparisons: Sequence[Comparison], votes: Iterable[Annotation], scores: Iterable[Score]) -> ModelVotes:
    """The votes of models (of several by one annotator on one comparison the one given last) and the scores."""
    row_of = {comparison.id: row for row, comparison in enumerate(comparisons)}
    every = [vote for vote in votes if vote.comparison_id in row_of]
    cast = [vote for vote in every if vote.kind in MODEL_KINDS]
    checkers = {vote.annotator for vote in every if vote.kind == "verifier"}  # what they score is no opinion
    names = sorted({vote.annotator for vote in cast})
    column_of = {name: column for column, name in enumerate(names)}
    shape = (len(comparisons), len(names))
    verdicts, unstable, beliefs = (np.full(shape, np.nan) for _ in range(3))
    for vote in cast:
        place = row_of[vote.comparison_id], column_of[vote.annotator]
        turned = vote.criteria.get("swap_consistent")
        if isinstance(turned, bool):
            unstable[place] = float(not turned)
        if vote.label in SIGNS:
            verdicts[place] = SIGNS[vote.label]
            if vote.kind == "judge":
                beliefs[place] = SIGNS[vote.label] * (1.0 if vote.strength is None else vote.strength)
        elif vote.kind == "judge":
            beliefs[place] = 0.0
            unstable[place] = 1.0
    scorers, margins = _margins(comparisons, (score for score in scores if score.scorer not in checkers))
    return ModelVotes(tuple(names), scorers, verdicts, unstable, beliefs, margins)


def _margins(comparisons: Sequence[Comparison], scores: Iterable[Score]) -> tuple[tuple[str, ...], Floats]:
    value = {(score.scorer, score.candidate_id): score.value for score in sorted(scores, key=lambda each: each.id)}
    scorers = sorted({scorer for scorer, _ in value})
    margins = np.full((len(comparisons), len(scorers)), np.nan)
    for column, scorer in enumerate(scorers):
        for row, comparison in enumerate(comparisons):
            one, other = value.get((scorer, comparison.a)), value.get((scorer, comparison.b))
            if one is not None and other is not None and math.isfinite(one - other):
                margins[row, column] = one - other
    return tuple(scorers), margins
