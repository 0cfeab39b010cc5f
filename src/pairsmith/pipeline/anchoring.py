"""The anchor in a build: models held against people before votes are resolved, and what rests on models afterwards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pairsmith.config import Config
from pairsmith.ids import seed_for
from pairsmith.measures.intervals import figure
from pairsmith.pipeline.facts import Facts
from pairsmith.records import Annotation, Queued, Resolution
from pairsmith.stages.anchor_drawing import anchor_size
from pairsmith.stages.anchor_figures import Anchored, anchor_figures
from pairsmith.stages.anchor_queue import anchor_queue, judge_talk_queue
from pairsmith.stages.anchor_sample import typical_person
from pairsmith.stages.cases import gather_cases, latest_votes
from pairsmith.stages.model_votes import MODEL_KINDS

__all__ = ["Review", "ai_label_figures", "review"]


@dataclass(frozen=True, slots=True)
class Review:
    """How models did against people, and what people are asked to look at though it is decided."""

    anchored: Anchored
    queued: tuple[Queued, ...]


def review(config: Config, facts: Facts, believed: Sequence[Annotation]) -> Review:
    """Hold every model against the anchor; `believed` are the votes of all whose own audit did not fail."""
    latest, _ = latest_votes(believed)
    prompts = {prompt.id: prompt for prompt in facts.prompts}
    gold = config.resolve.gold_annotators
    cases = gather_cases(prompts, facts.candidates, facts.comparisons, latest, facts.rulings, gold)
    seed = seed_for(config.seed, "annotate", "anchor")
    anchored = anchor_figures(
        config.annotate.anchor,
        config.resolve,
        cases,
        facts.anchor,
        facts.scores,
        size=anchor_size(config.annotate.anchor),
        person=typical_person(cases, seed=seed),
        seed=seed,
    )
    queued = [*anchor_queue(config.annotate.anchor, cases, facts.anchor), *judge_talk_queue(cases)]
    return Review(anchored, tuple(queued))


def ai_label_figures(
    kept: Sequence[Resolution], annotations: Sequence[Annotation], anchor: Mapping[str, Any]
) -> dict[str, Any]:
    """How many pairs rest on models alone, and whether those models were measured.

    Returns:
        `pairs` that no person, ruling or verifier decided, their `share`, `unmeasured` (those with a vote of a model
        without an anchor), and `accuracy`: the figure of the least accurate of the measured models, with its `name`.
    """
    by_id = {vote.id: vote for vote in annotations}
    rows = {row["name"]: row for row in anchor["models"]}
    alone, unmeasured, behind = 0, 0, set[str]()
    for each in kept:
        votes = [by_id[name] for name in each.annotation_ids if name in by_id]
        if not votes or each.method in ("ruling", "gold") or any(vote.kind not in MODEL_KINDS for vote in votes):
            continue
        names = {vote.annotator for vote in votes}
        alone += 1
        behind |= names
        unmeasured += any(rows.get(name, {}).get("state") != "evaluated" for name in names)
    measured = [rows[name] for name in sorted(behind) if rows.get(name, {}).get("state") == "evaluated"]
    worst = min(measured, key=lambda row: row["accuracy"]["value"], default=None)
    if worst is not None and not unmeasured:
        accuracy = {**worst["accuracy"], "name": worst["name"]}
    else:
        reason = (
            f"{unmeasured} pairs rest on models alone that were not measured on labels by people"
            if unmeasured
            else "no pair rests on models alone"
        )
        accuracy = {**figure(None, None, 0, reason), "name": ""}
    share = alone / len(kept) if kept else 0.0
    return {"pairs": alone, "share": share, "unmeasured": unmeasured, "accuracy": accuracy}
