"""The verdict on every case: votes weighed, counted or modelled, combined with models, and corrected for length."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pairsmith.config import ResolveConfig
from pairsmith.ids import seed_for
from pairsmith.measures.annotation import side_counts
from pairsmith.measures.combine import Combined
from pairsmith.measures.preference import label_accuracy
from pairsmith.records import Score, Side
from pairsmith.stages.cases import Case, plain_votes
from pairsmith.stages.combining import calibrate, combined_verdicts
from pairsmith.stages.corrections import corrected_lengths, posterior_of_models, weights_of_position
from pairsmith.stages.model_votes import MODEL_KINDS
from pairsmith.stages.reweighting import weights_of_trust
from pairsmith.stages.verdicts import Verdict, panel_of, verdicts

__all__ = ["Settlement", "settle"]

_VOTERS = ("human", "judge", "reward", "verifier")


@dataclass(frozen=True, slots=True)
class Settlement:
    """One verdict per case, in the order of the cases, and how it came about.

    `accuracy` is that of a typical vote under the one-coin model, `None` if it cannot be told.
    """

    verdicts: Sequence[Verdict]
    rows: Mapping[str, int]
    accuracy: float | None
    calibrated: Combined | None
    consensus: Mapping[str, Any]
    calibration: Mapping[str, Any]
    corrections: Mapping[str, Any]

    def interval(self, row: int, winner: Side) -> tuple[float, float] | None:
        """95 % interval of the probability that the winner is right, as far as the calibration leaves it open."""
        if self.calibrated is None:
            return None
        low, high = float(self.calibrated.low[row]), float(self.calibrated.high[row])
        return (low, high) if winner == "a" else (1 - high, 1 - low)


def settle(
    cfg: ResolveConfig,
    cases: Sequence[Case],
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
    votes = [vote for case in cases for vote in case.votes]
    weights, corrections = weights_of_position(cfg, votes)
    weights |= {name: weights.get(name, 1.0) * each for name, each in weights_of_trust(votes, trust or {}).items()}
    combining = cfg.combine == "calibrated"
    accuracy = _typical_accuracy(cases, seed)
    calibrated, models, calibration = None, None, dict[str, Any]()
    if combining:
        # People are heard first and alone; what models say is then fitted to it.
        people = [_without_models(case) for case in cases]
        found, by_people, consensus = verdicts(cfg, people, panel_of(people, weights, ("human",)), weights)
        calibrated, models, calibration = calibrate(
            cfg,
            cases,
            None if by_people is None else by_people.posterior,
            accuracy,
            scores,
            seed=seed_for(seed, "resolve", "calibration"),
            fitted_on=fitted_on,
        )
        if calibrated is not None:
            found = combined_verdicts(cfg, cases, found, calibrated)
    if calibrated is None:
        panel = panel_of(cases, weights, _VOTERS)
        found, by_all, consensus = verdicts(cfg, cases, panel, weights)
        models = None if by_all is None else posterior_of_models(cases, panel, by_all)
    if not combining:
        *_, calibration = calibrate(cfg, cases, None, None, (), seed=seed, fitted_on="")
    found, by_length = corrected_lengths(cfg, cases, found, models)
    rows = {case.id: row for row, case in enumerate(cases)}
    return Settlement(found, rows, accuracy, calibrated, consensus, calibration, corrections | by_length)


def _without_models(case: Case) -> Case:
    return replace(case, votes=tuple(vote for vote in case.votes if vote.kind not in MODEL_KINDS))


def _typical_accuracy(cases: Sequence[Case], seed: int) -> float | None:
    """How often a typical vote is right, from how often two votes agree."""
    sides = side_counts(plain_votes(vote for case in cases for vote in case.votes))
    found: float | None = label_accuracy(np.array(list(sides.values())).reshape(-1, 2), seed=seed, replicates=2)[
        "annotator_accuracy"
    ]
    return found
