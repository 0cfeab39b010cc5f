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
from pairsmith.stages.combining import Calibrated, calibrate, combined_verdicts
from pairsmith.stages.corrections import corrected_lengths, posterior_of_models, weights_of_position
from pairsmith.stages.model_votes import MODEL_KINDS
from pairsmith.stages.reweighting import weights_of_trust
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

    `accuracy` is that of a typical vote if all annotators are alike, `None` if it cannot be told; `one_coin` has the
    probabilities of `a` and of `b` by the lead in votes that follow, shape (cases, 2), NaN where there is none.
    """

    verdicts: Sequence[Verdict]
    rows: Mapping[str, int]
    accuracy: float | None
    one_coin: Floats
    calibrated: Calibrated | None
    consensus: Mapping[str, Any]
    calibration: Mapping[str, Any]
    corrections: Mapping[str, Any]

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

    def confidence_of_lead(self, lead: int) -> Confidence:
        """The same for some of the votes on a case, in which the winner leads by so many."""
        return (
            Confidence()
            if self.accuracy is None
            else Confidence(float(one_coin_posterior(lead, self.accuracy)), "one_coin")
        )


def settle(
    cfg: ResolveConfig,
    cases: Sequence[Case],
    votes: Votes,
    scores: Sequence[Score],
    *,
    seed: int,
    fitted_on: str,
    trust: Mapping[str, float] | None = None,
) -> Settlement:
    """Reach a verdict on every case; `trust` is what a vote of each model counts, by default 1.

    Raises:
        ConfigError: if `resolve.method` cannot be fitted to these votes.
    """
    truths = truths_of(cases)
    weights, corrections = weights_of_position(cfg, votes)
    weights = weights * weights_of_trust(votes, trust or {})
    sides = side_counts(votes)
    accuracy = label_accuracy(sides, seed=seed, replicates=2)["annotator_accuracy"]
    combining = cfg.combine == "calibrated"
    by_people, models = None, None
    if combining:
        # People are heard first and alone; what models say is then fitted to it.
        heard = ~votes.is_kind(*MODEL_KINDS)
        alone, their_weights = votes.where(heard), weights[heard]
        panel = panel_of(alone, truths, their_weights, ("human",))
        found, by_people, consensus = verdicts(cfg, alone, truths, panel, their_weights)
    calibrated, calibration = calibrate(
        cfg,
        cases,
        votes,
        truths,
        None if by_people is None else by_people.posterior,
        accuracy,
        scores if combining else (),
        seed=seed_for(seed, "resolve", "calibration"),
        fitted_on=fitted_on,
    )
    if calibrated is not None:
        found, models = combined_verdicts(cfg, cases, found, calibrated), calibrated.models
    else:
        panel = panel_of(votes, truths, weights, _VOTERS)
        found, by_all, consensus = verdicts(cfg, votes, truths, panel, weights)
        models = None if by_all is None else posterior_of_models(votes, panel, by_all)
    found, by_length = corrected_lengths(cfg, cases, found, models)
    one_coin = np.full(sides.shape, np.nan)
    if accuracy is not None:
        voted = sides.any(axis=1)
        one_coin[voted] = one_coin_posterior(sides[voted] - sides[voted][:, ::-1], accuracy)
    rows = {case.id: row for row, case in enumerate(cases)}
    return Settlement(found, rows, accuracy, one_coin, calibrated, consensus, calibration, corrections | by_length)
