"""Votes from numbers: any scorer as an annotator, and the surface scorer that ships as a demonstration."""

import asyncio
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from importlib.resources import files
from typing import Any, Final

import numpy as np

from pairsmith.errors import ConfigError, ModelError
from pairsmith.measures.calibration import sigmoid
from pairsmith.measures.surface import FEATURES, surface_features
from pairsmith.models.batching import Batcher
from pairsmith.models.protocols import BatchScorer, Scorer
from pairsmith.records import Annotation, Candidate, Comparison, Label, Prompt, Score

__all__ = ["SURFACE_V0", "BatchScorerAnnotator", "ScorerAnnotator", "SurfaceScorer"]

SURFACE_V0: Final = "surface-v0"
_REMEMBERED_SCORES = 4096  # a candidate meets several others; its comparisons come close together


class SurfaceScorer:
    """Scores the surface of a response: length, layout, repetition, echo of the prompt. A demonstration.

    It understands nothing, and is hardly better than "longer wins"; `describe` holds the measured figures. Its gap
    alone never satisfies a gate.
    """

    name: str = SURFACE_V0
    scale: tuple[float, float] | None = None

    @cached_property
    def _fitted(self) -> Mapping[str, Any]:
        text = files("pairsmith.models").joinpath("surface_v0.json").read_text(encoding="utf-8")
        fitted: dict[str, Any] = json.loads(text)
        if tuple(fitted["features"]) != FEATURES:
            raise ConfigError(
                "surface_v0.json was fitted on other features than measures/surface.py computes; "
                "run scripts/fit_surface_scorer.py again"
            )
        return fitted

    @cached_property
    def _weights(self) -> Any:
        return np.array(self._fitted["weights"]) / np.array(self._fitted["scale"])

    @cached_property
    def _offset(self) -> float:
        return float(np.array(self._fitted["mean"]) @ self._weights)

    @property
    def temperature(self) -> float:
        """Divide a difference of scores by this before taking it for log-odds."""
        return float(self._fitted["temperature"])

    def score(self, prompt: Prompt, candidate: Candidate) -> float:
        """A log-odds-like number without bounds, 0 for the average response of the training data."""
        return float(surface_features(prompt.text, candidate.text) @ self._weights) - self._offset

    def describe(self) -> dict[str, Any]:
        """What a report must say: data, licence, date, measured accuracy with interval, baselines, transfer."""
        internal = ("features", "mean", "scale", "weights")
        return {key: value for key, value in self._fitted.items() if key not in internal}

    def provenance(self) -> dict[str, Any]:
        """What every vote carries."""
        accuracy = self._fitted["measured"]["accuracy"]
        return {
            "calibrated": False,
            "measured_accuracy": accuracy["value"],
            "measured_interval": accuracy["interval"],
            "measured_n": accuracy["n"],
            "measured_on": self._fitted["data"],
            "demonstration": True,
        }


class ScorerAnnotator:
    """Votes for the response with the higher score; `unsure` where the probability is below `min_confidence`.

    Args:
        scorer: who scores.
        name: name in the records.
        min_confidence: smallest probability of the better side, in [0.5, 1], that counts as a vote.
        temperature: score difference that multiplies the odds by e; it must be fitted on labels to mean anything.
        provenance: written into the criteria of every vote, for example the scorer's measured accuracy.
    """

    guideline: str = ""

    def __init__(
        self,
        scorer: Scorer | BatchScorer,
        *,
        name: str = "",
        min_confidence: float = 0.6,
        temperature: float = 1.0,
        provenance: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name or f"scorer:{scorer.name}"
        self.scorer = scorer
        self._min_confidence = min_confidence
        self._temperature = temperature
        self._provenance = {"calibrated": False} if provenance is None else dict(provenance)
        self._remembered: dict[str, float] = {}

    def wants(self, prompt: Prompt) -> bool:  # noqa: ARG002 - the protocol's signature
        """A scorer has a number for every prompt."""
        return True

    def describe(self) -> dict[str, Any]:
        """What the scorer says about itself."""
        describe = getattr(self.scorer, "describe", None)
        return dict(describe()) if describe else {"name": self.scorer.name}

    async def annotate(
        self, prompt: Prompt, comparison: Comparison, a: Candidate, b: Candidate
    ) -> tuple[Sequence[Annotation], Sequence[Score]]:
        """One vote and two scores.

        Raises:
            ModelError: if the scorer returns something that is not a finite number.
        """
        value_a, value_b = await self._values(prompt, a, b)
        p = float(sigmoid((value_a - value_b) / self._temperature))
        label: Label = "unsure" if max(p, 1 - p) < self._min_confidence or p == 0.5 else "a" if p > 0.5 else "b"
        vote = Annotation.of(
            comparison.id,
            self.name,
            "reward",
            label,
            guideline=self.guideline,
            strength=abs(2 * p - 1),
            criteria={"p": p, **self._provenance},
            rationale=f"{self.scorer.name}: {value_a:.3f} against {value_b:.3f}",
        )
        scores = [
            Score.of(candidate.id, self._score_name, value, self.scorer.scale)
            for candidate, value in ((a, value_a), (b, value_b))
        ]
        return [vote], scores

    @property
    def _score_name(self) -> str:
        """The scorer's name in the records, with its revision if it has one."""
        revision = getattr(self.scorer, "revision", "")
        return f"{self.scorer.name}@{revision}" if revision else self.scorer.name

    async def _values(self, prompt: Prompt, a: Candidate, b: Candidate) -> tuple[float, float]:
        return self._score(prompt, a), self._score(prompt, b)

    def _score(self, prompt: Prompt, candidate: Candidate) -> float:
        known = self._remembered.get(candidate.id)
        if known is not None:
            return known
        assert not isinstance(self.scorer, BatchScorer)
        value = self._finite(candidate, float(self.scorer.score(prompt, candidate)))
        if len(self._remembered) >= _REMEMBERED_SCORES:
            self._remembered.clear()
        self._remembered[candidate.id] = value
        return value

    def _finite(self, candidate: Candidate, value: float) -> float:
        if not math.isfinite(value):
            raise ModelError(f"{self.name}: the score of {candidate.id} is {value}, not a finite number")
        return value


class BatchScorerAnnotator(ScorerAnnotator):
    """The same for a scorer that is asked for several responses at once; each response is paid for once.

    Its votes carry the revision of the scorer as their guideline: another revision is another voter.
    """

    def __init__(
        self,
        scorer: BatchScorer,
        *,
        name: str = "",
        min_confidence: float = 0.6,
        batch: int = 16,
        provenance: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(scorer, name=name or scorer.name, min_confidence=min_confidence, provenance=provenance)
        self.guideline = scorer.revision
        self._batcher = Batcher(scorer.score_many, batch)
        self._asked: dict[str, asyncio.Task[float]] = {}

    def recall(self, scores: Iterable[Score]) -> None:
        """Take over what earlier runs paid for."""
        own = self._score_name
        self._remembered |= {score.candidate_id: score.value for score in scores if score.scorer == own}

    async def close(self) -> None:
        """Close the scorer's connections, if it has any."""
        close = getattr(self.scorer, "close", None)
        if close is not None:
            await close()

    async def _values(self, prompt: Prompt, a: Candidate, b: Candidate) -> tuple[float, float]:
        value_a, value_b = await asyncio.gather(self._value(prompt, a), self._value(prompt, b))
        return value_a, value_b

    async def _value(self, prompt: Prompt, candidate: Candidate) -> float:
        if candidate.id in self._remembered:
            return self._remembered[candidate.id]
        task = self._asked.get(candidate.id)
        if task is None:
            task = self._asked[candidate.id] = asyncio.create_task(self._batcher.score(prompt, candidate))
        return self._finite(candidate, await asyncio.shield(task))
