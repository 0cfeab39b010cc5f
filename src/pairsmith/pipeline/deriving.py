"""The deriving stages in a row: from facts to rows, metrics and a verdict. Pure, but for worker processes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pairsmith.config import Config
from pairsmith.engine import available_cores
from pairsmith.measures.judge_audit import audit_judges, failed_judges
from pairsmith.models.protocols import Embedder
from pairsmith.pipeline.anchoring import Review, ai_label_figures, review
from pairsmith.pipeline.facts import Facts
from pairsmith.pipeline.gate import gate
from pairsmith.pipeline.meanings import compare_meanings
from pairsmith.pipeline.summary import summarise
from pairsmith.records import (
    Annotation,
    Benchmark,
    Dropped,
    GateReport,
    Outcome,
    PreferencePair,
    Queued,
    Resolution,
    Resolved,
    Validated,
)
from pairsmith.stages.anchor_queue import one_each
from pairsmith.stages.export import export
from pairsmith.stages.queueing import queue_figures
from pairsmith.stages.resolve import resolve
from pairsmith.stages.split import split
from pairsmith.stages.validate import validate

__all__ = ["Decided", "Derived", "derive", "resolve_facts"]


@dataclass(frozen=True, slots=True)
class Derived:
    """What the deriving stages made of the facts."""

    resolved: Resolved
    pairs: tuple[PreferencePair, ...]
    validated: Validated
    split: Outcome[PreferencePair]
    exported: Outcome[Mapping[str, Any]]
    metrics: Mapping[str, Any]
    gate: GateReport
    queued: tuple[Queued, ...]
    """Everything that waits for people, the most urgent first."""

    @property
    def dropped(self) -> tuple[Dropped, ...]:
        """Everything left out by a deriving stage, in the order of the stages."""
        return self.resolved.dropped + self.validated.dropped + self.split.dropped + self.exported.dropped


@dataclass(frozen=True, slots=True)
class Decided:
    """What the votes come to: by the votes that are believed, after audits of judges and people's labels on models."""

    resolved: Resolved
    believed: Sequence[Annotation]
    audits: Sequence[Mapping[str, Any]]
    reviewed: Review


def derive(
    config: Config,
    facts: Facts,
    benchmarks: Sequence[Benchmark],
    dataset: Mapping[str, Any],
    embedder: Embedder | None = None,
) -> Derived:
    """Run resolve, validate, split and export on the facts.

    Args:
        config: the whole configuration.
        facts: what the ledger holds.
        benchmarks: evaluation sets to keep out.
        dataset: what the metrics are about.
        embedder: compares the meaning of prompts and benchmark items; without it only words are compared.
    """
    workers = config.runtime.workers or available_cores()
    decided = resolve_facts(config, facts)
    resolved, reviewed = decided.resolved, decided.reviewed
    pairs = _pairs(facts, resolved.kept)
    validated = validate(
        config.validation,
        pairs,
        benchmarks,
        seed=config.seed,
        workers=workers,
        engine=config.runtime.engine,
        gap_threshold=config.gate.min_gap,
        near=compare_meanings(embedder, pairs, benchmarks) if embedder and benchmarks else None,
    )
    parts = split(config.split, facts.prompts, validated.kept, seed=config.seed)
    exported = export(config.export, parts.kept)
    queued = one_each([*resolved.queued, *validated.queued, *reviewed.queued])
    anchor = reviewed.anchored.figures
    metrics = summarise(facts, decided.believed, resolved, validated, parts, exported, dataset, seed=config.seed) | {
        "judges": decided.audits,
        "anchor": anchor,
        "ai_labels": ai_label_figures(resolved.kept, decided.believed, anchor),
        "queue": queue_figures(queued),
    }
    return Derived(resolved, pairs, validated, parts, exported, metrics, gate(config.gate, metrics), queued)


def resolve_facts(config: Config, facts: Facts) -> Decided:
    """What the votes come to, without the votes of judges that failed their audit."""
    audits = audit_judges(
        (vote.annotator, vote.guideline, vote.criteria) for vote in facts.annotations if _judged(vote)
    )
    withheld = failed_judges(audits)
    believed = [vote for vote in facts.annotations if (vote.annotator, vote.guideline) not in withheld]
    reviewed = review(config, facts, believed)
    resolved = resolve(
        config.resolve,
        facts.prompts,
        facts.candidates,
        facts.comparisons,
        believed,
        facts.rulings,
        facts.scores,
        seed=config.seed,
        fitted_on=f"ledger position {facts.position}",
        trust=reviewed.anchored.trust,
    )
    return Decided(resolved, believed, audits, reviewed)


def _judged(vote: Annotation) -> bool:
    """Whether a vote is a model's opinion; imported verdicts of judges carry no audit and are not withheld."""
    return vote.kind == "judge"


def _pairs(facts: Facts, resolutions: Sequence[Resolution]) -> tuple[PreferencePair, ...]:
    prompts = {prompt.id: prompt for prompt in facts.prompts}
    comparisons = {comparison.id: comparison for comparison in facts.comparisons}
    pairs = []
    for resolution in resolutions:
        comparison = comparisons[resolution.comparison_id]
        a, b = facts.candidates[comparison.a], facts.candidates[comparison.b]
        pairs.append(PreferencePair.of(resolution, prompts[resolution.prompt_id], a, b))
    return tuple(pairs)
