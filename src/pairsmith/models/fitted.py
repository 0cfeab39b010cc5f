"""A fitted reward head as a scorer and as an annotator: `kind: fitted`."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from pairsmith.models.features import FeatureReader, Item
from pairsmith.models.fitted_files import ScorerFile
from pairsmith.models.scorers import BatchScorerAnnotator

__all__ = ["FittedAnnotator", "FittedScorer"]

_BATCH: Final = 64


class FittedScorer:
    """Scores by a fitted head; the difference of two scores of one prompt is the log-odds that one is better.

    A prompt whose votes trained the head is scored by a head of the cross-validation that never saw it, so that what
    the scorer says there can be compared with what people said.

    Args:
        file: the head.
        cache: folder for features that cost time; `None`: nothing is kept.
        workers: processes for hidden states and threads for embeddings; 0: one per core.
    """

    scale: tuple[float, float] | None = None

    def __init__(self, file: ScorerFile, cache: Path | None = None, *, workers: int = 0) -> None:
        self.file = file
        self.name = f"fitted:{file.name}"
        self.revision = file.revision
        self._head = file.head.head()
        self._folds = [fold.head.head() for fold in file.folds]
        self._fold_of = {prompt: number for number, fold in enumerate(file.folds) for prompt in fold.prompts}
        self._lock = threading.Lock()
        self._reader = FeatureReader(tuple(file.head.blocks), cache, workers=workers)

    async def score_many(self, items: Sequence[Item]) -> Sequence[float]:
        """See `BatchScorer.score_many`."""
        return await asyncio.to_thread(self.score_now, items)

    def score_now(self, items: Sequence[Item]) -> list[float]:
        """One number for each response, in their order."""
        if not items:
            return []
        with self._lock:  # batches that arrive together must not each start worker processes of their own
            features = self._reader.read(items)
        folds = np.array([self._fold_of.get(prompt.id, -1) for prompt, _ in items])
        scores = np.zeros(len(items))
        for fold in np.unique(folds).tolist():
            rows = np.flatnonzero(folds == fold)
            head = self._head if fold < 0 else self._folds[fold]
            scores[rows] = head.score({name: block[rows] for name, block in features.items()})
        return [float(score) for score in scores]

    async def close(self) -> None:
        """End the models behind the features."""
        self._reader.close()

    def describe(self) -> dict[str, Any]:
        """What a report must say: whose votes, how many, measured accuracy with interval, baselines, verdict."""
        file = self.file
        return {
            "name": self.name,
            "revision": self.revision,
            "criterion": file.criterion,
            "demonstration": file.demonstration,
            "level": file.level,
            "features": list(file.head.blocks),
            "data": dict(file.data),
            "measured": dict(file.figures),
        }

    def provenance(self) -> dict[str, Any]:
        """What every vote carries."""
        accuracy = self.file.figures["accuracy"]
        return {
            "calibrated": self.file.calibrated,
            "criterion": self.file.criterion,
            "measured_accuracy": accuracy["value"],
            "measured_interval": accuracy["interval"],
            "measured_n": accuracy["n"],
            "measured_on": self.file.data.get("source", ""),
            "verdict": self.file.figures["verdict"],
            "demonstration": self.file.demonstration,
        }


class FittedAnnotator(BatchScorerAnnotator):
    """Votes of a fitted head: `unsure` where the better side is less probable than `min_confidence`."""

    def __init__(self, scorer: FittedScorer, *, name: str = "", min_confidence: float = 0.6) -> None:
        super().__init__(scorer, name=name, min_confidence=min_confidence, batch=_BATCH, provenance=scorer.provenance())
