"""The anchor: which comparisons people are asked about, so that the labels of models can be checked against theirs.

It is drawn once the models have voted: a random part of stated power, the comparisons that were hardest for them, and
those of which they together know least. What is drawn stays drawn when the dataset grows, see
`measures/anchor_sampling.py`.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np

from pairsmith.config import AnchorConfig
from pairsmith.ids import seed_for
from pairsmith.ledger import Ledger, lease
from pairsmith.measures.anchor_sampling import first_by, hardness, sampling_threshold, uncertainty
from pairsmith.measures.sample_size import size_for_half_width, size_to_exceed
from pairsmith.records import AnchorDraw, AnchorPart, Annotation, Candidate, Comparison, Prompt, Score
from pairsmith.stages.model_votes import ModelVotes, model_votes

__all__ = ["anchor_size", "draw_anchor", "plan_anchor"]

_STAGE: Final = "annotate"
_STEPS: Final = float(2**31)


def anchor_size(cfg: AnchorConfig) -> int:
    """How many comparisons are to be drawn at random."""
    if cfg.size is not None:
        return cfg.size
    size = size_for_half_width(cfg.expected_accuracy, cfg.half_width)
    return size if cfg.bar is None else max(size, size_to_exceed(cfg.bar, cfg.expected_accuracy, cfg.power))


def draw_anchor(cfg: AnchorConfig, ledger: Ledger, *, seed: int) -> dict[str, Any]:
    """Append what is still to be drawn; the number drawn in all by part, and how many of them are `new`.

    Raises:
        LeaseHeld: another process is annotating this project.
    """
    if not cfg.draw:
        return {"new": 0, "parts": {}}
    with lease(ledger, _STAGE):
        drawn = list(ledger.read(AnchorDraw))
        prompts, candidates = ledger.ids(Prompt), ledger.ids(Candidate)
        comparisons = [
            each for each in ledger.read(Comparison) if each.prompt_id in prompts and {each.a, each.b} <= candidates
        ]
        new = plan_anchor(cfg, comparisons, ledger.read(Annotation), ledger.read(Score), drawn, seed=seed)
        ledger.append(new)
    parts = {each.comparison_id: each.part for each in sorted([*drawn, *new], key=lambda each: each.probability)}
    before = {each.comparison_id for each in drawn}
    fresh = {each.comparison_id for each in new} - before
    return {"new": len(fresh), "parts": dict(sorted(Counter(parts.values()).items()))}


def plan_anchor(
    cfg: AnchorConfig,
    comparisons: Iterable[Comparison],
    votes: Iterable[Annotation],
    scores: Iterable[Score],
    drawn: Sequence[AnchorDraw],
    *,
    seed: int,
) -> list[AnchorDraw]:
    """What is to be drawn beside what is drawn already; nothing if the plan is met. Order does not matter.

    Only models decide what is hard or uncertain, never people's labels: the probabilities then do not depend on what
    the sample is to measure.

    Args:
        cfg: the section `annotate.anchor`.
        comparisons: all that could be drawn; those no model said anything about are not.
        votes: all votes.
        scores: all scores.
        drawn: earlier draws.
        seed: the project's seed.
    """
    ordered = sorted(comparisons, key=lambda each: each.id)
    last = sorted(votes, key=lambda vote: (vote.revision, vote.guideline, vote.id))
    said = model_votes(ordered, last, scores)
    population = np.flatnonzero(said.known())
    names = [ordered[row].id for row in population.tolist()]
    luck = np.array([seed_for(seed, "annotate.anchor", name) / _STEPS for name in names])
    size = anchor_size(cfg)
    threshold = sampling_threshold(luck, size)
    highest = {each.comparison_id: each.probability for each in sorted(drawn, key=lambda each: each.probability)}
    found: dict[str, AnchorDraw] = {}

    def add(places: Iterable[int], part: AnchorPart, probability: float) -> None:
        for name in (names[place] for place in places):
            if highest.get(name, 0.0) < probability:
                highest[name] = probability
                found[name] = AnchorDraw.of(name, part, probability)

    # What is taken for sure is chosen without looking at what was drawn at random, or its probability would not be 1.
    sure = _for_sure(cfg, said, population, names, drawn, size, seed)
    for part, places in sure.items():
        add(places, part, 1.0)
    add(np.flatnonzero(luck < threshold).tolist(), "random", threshold)
    return [found[name] for name in sorted(found)]


def _for_sure(
    cfg: AnchorConfig,
    said: ModelVotes,
    population: np.ndarray[Any, np.dtype[np.int64]],
    names: Sequence[str],
    drawn: Sequence[AnchorDraw],
    size: int,
    seed: int,
) -> dict[AnchorPart, list[int]]:
    """Places of the hardest and of the least certain comparisons that are still wanted.

    Equally hard ones are told apart by another random number than the one that draws at random: by the same, the
    certain part would depend on it, and its probability would not be 1.
    """
    luck = [seed_for(seed, "annotate.anchor.equal", name) for name in names]
    before = {(each.comparison_id, each.part) for each in drawn if each.part != "random"}
    parts = Counter[AnchorPart](part for _, part in before)
    taken = np.isin(np.array(names, dtype=str), sorted({name for name, _ in before}))
    hard = hardness(said.verdicts[population], said.unstable[population], said.margins[population])
    unsure = uncertainty(said.beliefs[population], said.margins[population])
    chosen: dict[AnchorPart, list[int]] = {}
    wanted: list[tuple[AnchorPart, float, Any]] = [("hardest", cfg.hardest, hard), ("active", cfg.active, unsure)]
    for part, share, scores in wanted:
        places = first_by(scores, luck, taken, round(share * size) - parts[part])
        taken[places] = True
        chosen[part] = places.tolist()
    return chosen
