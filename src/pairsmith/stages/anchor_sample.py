"""What people said about the anchor: which comparisons count for how much when models are held against them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from pairsmith.measures.annotation import side_counts
from pairsmith.measures.preference import label_accuracy
from pairsmith.measures.vote_table import Floats
from pairsmith.measures.weighted import inclusion_weights
from pairsmith.records import ANCHOR_PARTS, AnchorDraw
from pairsmith.stages.cases import Case, columns_of

__all__ = ["MIN_LABELS", "AnchorSample", "anchor_sample", "people_label", "strongest_draws", "typical_person"]

MIN_LABELS: Final = 50
"""With fewer labels by people no model is measured: 40 right of 50 still leaves .67 to .89."""

_MIN_RANDOM: Final = 30  # labels in the random part, or all of it
_NEITHER = ("tie", "both_bad")
_LIKELY = 0.8  # between .78 and .91, what the agreement of AlpacaFarm's and MT-Bench's people comes to
_LOWEST, _HIGHEST = 0.6, 0.99  # nobody is always right, and who is nearly a coin is no measure


@dataclass(frozen=True, slots=True)
class AnchorSample:
    """The comparisons that people labelled, as rows of the cases; `labels` are `a`, `b`, `tie` and `weights` positive.

    `design` is `drawn` (a sample of known probability) or `given` (what people happened to vote on: the figures hold
    for those comparisons alone), or empty, with the `reason`, if there is too little for either. `parts` says per part
    of the anchor how many were `drawn` and `answered`.
    """

    design: str
    reason: str
    rows: tuple[int, ...]
    labels: tuple[str, ...]
    weights: Floats
    parts: Mapping[str, Mapping[str, Any]]


def people_label(case: Case) -> str:
    """What most people said: `a`, `b`, `tie`, or nothing if nobody did or as many said something else.

    Rulings and gold verdicts stand above votes; `unsure` is no label.
    """
    truth, _ = case.truth()
    if truth is not None:
        return _label(truth)
    counts = Counter(_label(vote.label) for vote in case.votes if vote.kind == "human")
    counts.pop("", None)
    top = [label for label, count in counts.items() if count == max(counts.values())]
    return top[0] if len(top) == 1 else ""


def typical_person(cases: Sequence[Case], *, seed: int) -> float:
    """How often one person's vote is right, from how often two people agree; 0.8 where they are too few to tell."""
    human = columns_of(vote for case in cases for vote in case.votes if vote.kind == "human")
    found: float | None = label_accuracy(side_counts(human), seed=seed, replicates=2)["annotator_accuracy"]
    return _LIKELY if found is None else min(max(found, _LOWEST), _HIGHEST)


def strongest_draws(draws: Sequence[AnchorDraw]) -> dict[str, AnchorDraw]:
    """The draw of each comparison with the highest probability, by comparison."""
    return {each.comparison_id: each for each in sorted(draws, key=lambda each: (each.probability, each.id))}


def anchor_sample(cases: Sequence[Case], draws: Sequence[AnchorDraw]) -> AnchorSample:
    """The sample to measure on: what was drawn if people labelled enough of it, else everything they labelled."""
    strongest = strongest_draws(draws)
    said = [people_label(case) for case in cases]
    drawn = [row for row, case in enumerate(cases) if case.id in strongest]
    answered = [bool(said[row]) for row in drawn]
    places = [strongest[cases[row].id] for row in drawn]
    parts: dict[str, dict[str, Any]] = {
        part: _part([each for each in places if each.part == part], places, answered, part) for part in ANCHOR_PARTS
    }
    random = parts["random"]
    # Hard comparisons alone, however many, say nothing about the others.
    if sum(answered) >= MIN_LABELS and random["answered"] >= min(_MIN_RANDOM, random["drawn"]):
        weights = inclusion_weights([each.probability for each in places], [each.part for each in places], answered)
        rows = [row for row, known in zip(drawn, answered, strict=True) if known]
        return AnchorSample(
            "drawn", "", tuple(rows), tuple(said[row] for row in rows), weights[np.array(answered, dtype=bool)], parts
        )
    rows = [row for row, label in enumerate(said) if label]
    labels = tuple(said[row] for row in rows)
    if len(rows) >= MIN_LABELS:
        return AnchorSample("given", "", tuple(rows), labels, np.ones(len(rows)), parts)
    reason = f"people labelled {len(rows)} comparisons; {MIN_LABELS} are needed"
    return AnchorSample("", reason, (), (), np.ones(0), parts)


def _part(
    own: Sequence[AnchorDraw], places: Sequence[AnchorDraw], answered: Sequence[bool], part: str
) -> dict[str, Any]:
    chances = [each.probability for each in own]
    return {
        "drawn": len(own),
        "answered": sum(known for each, known in zip(places, answered, strict=True) if each.part == part),
        "probability": [min(chances), max(chances)] if chances else None,
    }


def _label(label: str) -> str:
    return label if label in ("a", "b") else "tie" if label in _NEITHER else ""
