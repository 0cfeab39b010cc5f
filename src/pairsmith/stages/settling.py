"""The verdict on every case: votes weighed, counted or modelled, combined with models, and corrected for length."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pairsmith.config import ResolveConfig
from pairsmith.ids import seed_for
from pairsmith.measures.annotation import side_counts
from pairsmith.measures.preference import label_accuracy, one_coin_posterior
from pairsmith.measures.vote_table import Floats
from pairsmith.measures.votes import Votes
from pairsmith.records import Score, Side
from pairsmith.stages.cases import Case, truths_of
from pairsmith.stages.combining import MODEL_KINDS, Calibrated, calibrate, combined_verdicts
from pairsmith.stages.corrections import corrected_lengths, weights_of_position
from pairsmith.stages.verdicts import Verdict, panel_of, verdicts

__all__ = ["Confidence", "Settlement", "settle"]

_VOTERS = ("human", "judge", "reward", "verifier")


class Confidence(NamedTuple):
    """The probability that a winner is right, the model that says so, and its 95 % interval, as far as known."""

    value: float | None = None
    kind: str = ""
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """One verdict per case, in the order of the cases, and how it came about.

    `one_coin` has the probabilities of `a` and of `b` by the lead in votes, if all annotators are alike; shape (cases,
    2), NaN where that cannot be told.
    """

    verdicts: Sequence[Verdict]
    rows: Mapping[str, int]
    one_coin: Floats
    calibrated: Calibrated | None
    consensus: Mapping[str, Any]
    calibration: Mapping[str, Any]
    corrections: Mapping[str, Any]

    def net_of_models(self, row: int) -> float | None:
        """By how much calibrated models prefer `a` on a case, in [-1, 1]; `None` if none said anything."""
        if self.calibrated is None or not self.calibrated.scored[row]:
            return None
        return 2 * float(self.calibrated.models[row]) - 1

    def interval(self, row: int, winner: Side) -> tuple[float, float] | None:
        """95 % interval of the probability that the winner is right, as far as the calibration leaves it open."""
        if self.calibrated is None:
            return None
        low, high = float(self.calibrated.both.low[row]), float(self.calibrated.both.high[row])
        return (low, high) if winner == "a" else (1 - high, 1 - low)

    def confidence(self, row: int, winner: Side) -> Confidence:
        """How probable it is that the winner is right: by the method that decided, else by the one-coin model."""
        verdict, side = self.verdicts[row], 0 if winner == "a" else 1
        if verdict.probabilities is not None:
            sure = verdict.probabilities[side]
            if verdict.method == "calibrated":
                return Confidence(sure, "calibrated", self.interval(row, winner))
            return Confidence(sure, "posterior")
        sure = float(self.one_coin[row, side])
        return Confidence() if math.isnan(sure) else Confidence(sure, "one_coin")


def settle(
    cfg: ResolveConfig, cases: Sequence[Case], votes: Votes, scores: Sequence[Score], *, seed: int, fitted_on: str
) -> Settlement:
    """Reach a verdict on every case.

    Raises:
        ConfigError: if `resolve.method` cannot be fitted to these votes.
    """
    truths = truths_of(cases)
    weights, corrections = weights_of_position(cfg, votes)
    sides = side_counts(votes)
    accuracy = label_accuracy(sides, seed=seed, replicates=2)["annotator_accuracy"]
    combining = cfg.combine == "calibrated"
    calibrated, probabilities = None, None
    if combining:
        # People are heard first and alone; what models say is then fitted to it.
        heard = ~votes.is_kind(*MODEL_KINDS)
        alone, their_weights = votes.where(heard), weights[heard]
        panel = panel_of(alone, truths, their_weights, ("human",))
        found, probabilities, consensus = verdicts(cfg, alone, truths, panel, their_weights)
    calibrated, calibration = calibrate(
        cfg,
        cases,
        votes,
        truths,
        probabilities,
        accuracy,
        scores if combining else (),
        seed=seed_for(seed, "resolve", "calibration"),
        fitted_on=fitted_on,
    )
    if calibrated is not None:
        found = combined_verdicts(cfg, cases, found, calibrated)
    else:
        found, _, consensus = verdicts(cfg, votes, truths, panel_of(votes, truths, weights, _VOTERS), weights)
    found, by_length = corrected_lengths(cfg, cases, found)
    one_coin = np.full(sides.shape, np.nan)
    if accuracy is not None:
        voted = sides.any(axis=1)
        one_coin[voted] = one_coin_posterior(sides[voted] - sides[voted][:, ::-1], accuracy)
    rows = {case.id: row for row, case in enumerate(cases)}
    return Settlement(found, rows, one_coin, calibrated, consensus, calibration, corrections | by_length)
