"""The metrics of a build: what every stage measured, the funnel from rows read to rows written, and samples."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pairsmith.formats.reasons import REASONS as COLLECT_REASONS
from pairsmith.ids import seed_for
from pairsmith.pipeline.facts import Facts
from pairsmith.pipeline.origins import augmentation_figures, intentions, origin_figures
from pairsmith.records import Annotation, Dropped, Outcome, PreferencePair, Resolved
from pairsmith.stages.export import EXPORT_REASONS
from pairsmith.stages.resolve import RESOLVE_REASONS
from pairsmith.stages.split import SPLIT_REASONS
from pairsmith.stages.validate import VALIDATE_REASONS

__all__ = ["REASON_TEXTS", "summarise"]

SAMPLES = 20
_MEASURED = ("demonstration", "measured_")

REASON_TEXTS: Mapping[str, str] = {
    **COLLECT_REASONS,
    "unsafe_request": "the prompt asks for harm, as far as rules can tell (collect.unsafe: drop)",
    "failed": "the model gave no usable answer; the error is stored with the candidate",
    **RESOLVE_REASONS,
    **VALIDATE_REASONS,
    **SPLIT_REASONS,
    **EXPORT_REASONS,
}
"""Every reason code for leaving something out, in plain words."""


def summarise(
    facts: Facts,
    believed: Sequence[Annotation],
    resolved: Resolved,
    validated: Outcome[PreferencePair],
    parts: Outcome[PreferencePair],
    exported: Outcome[Mapping[str, Any]],
    dataset: Mapping[str, Any],
    *,
    seed: int,
) -> dict[str, Any]:
    """The content of `metrics.json`: plain JSON values, the same for the same facts in any order.

    `believed` are the votes that count: all but those of judges that failed their audit.
    """
    shown = ("name", "seed", "ledger_position", "code_version", "config_sha256")
    funnel = [
        _step(
            "rows read", sum(each.rows for each in facts.last_intakes), (each.reason for each in facts.last_rejected)
        ),
        _step("prompts", len(facts.prompts)),
        _step("candidates", len(facts.candidates), ("failed" for each in facts.candidates.values() if each.error)),
        _step("comparisons", len(facts.comparisons), _reasons(resolved.dropped), len(resolved.queued)),
        _step("resolved pairs", len(resolved.kept), _reasons(validated.dropped), len(validated.queued)),
        _step("valid pairs", len(validated.kept), _reasons(parts.dropped)),
        _step("pairs in a part", len(parts.kept), _reasons(exported.dropped)),
        _step("rows written", len(exported.kept)),
    ]
    reasons = {reason for step in funnel for reason in step["dropped"]}
    return {
        "dataset": {key: dataset[key] for key in shown},
        "funnel": funnel,
        "reason_texts": {reason: REASON_TEXTS[reason] for reason in sorted(reasons)},
        **resolved.metrics,
        "annotators": [{**each, "measured": _measured(facts, each["name"])} for each in resolved.metrics["annotators"]],
        **validated.metrics,
        "decontamination": _with_sources(facts, validated.metrics["decontamination"]),
        **parts.metrics,
        **exported.metrics,
        "generation": _generation(facts)
        | {
            "origins": origin_figures(facts, believed, parts.kept),
            "as_intended": intentions(facts, parts.kept),
            "augmentation": augmentation_figures(facts, believed, parts.kept, seed=seed),
        },
        "samples": _samples(parts.kept, seed),
        "inputs": sorted(
            (
                {
                    "name": each.source,
                    "sha256": each.sha256,
                    "rows": each.rows,
                    "good": each.good,
                    "rejected": each.rejected,
                    "blank": each.blank,
                    "warnings": dict(sorted(each.warnings.items())),
                }
                for each in facts.last_intakes
            ),
            key=lambda each: (each["name"], each["sha256"]),
        ),
        "licences": _counts(pair.licence or "not stated" for pair in parts.kept),
    }


def _step(name: str, count: int, dropped: Iterable[str] = (), queued: int = 0) -> dict[str, Any]:
    """One line of the funnel; `queued` of the dropped wait for people."""
    return {"step": name, "count": count, "dropped": _counts(dropped), "queued": queued}


def _reasons(dropped: Sequence[Dropped]) -> Iterable[str]:
    return (each.reason for each in dropped)


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _generation(facts: Facts) -> dict[str, Any]:
    """What each model wrote: candidates, failures, tokens, and how its answers ended."""
    by_model: dict[tuple[str, str], list[Any]] = {}
    for candidate in facts.candidates.values():
        by_model.setdefault((candidate.model, candidate.origin), []).append(candidate)
    return {
        "models": [
            {
                "name": model,
                "origin": origin,
                "candidates": len(candidates),
                "failed": sum(bool(each.error) for each in candidates),
                "tokens": sum(each.usage.get("completion_tokens", 0) for each in candidates),
                "finish_reasons": _counts(
                    each.finish_reason or "not recorded" for each in candidates if not each.error
                ),
                "engine": _common([each.engine for each in candidates]),
            }
            for (model, origin), candidates in sorted(by_model.items())
        ]
    }


def _measured(facts: Facts, annotator: str) -> dict[str, Any]:
    """How often an annotator was right where that was measured, as its votes say; empty if they do not."""
    vote = next((each for each in facts.annotations if each.annotator == annotator and each.criteria), None)
    criteria = vote.criteria if vote else {}
    return {key: criteria[key] for key in sorted(criteria) if key.startswith(_MEASURED)}


def _common(engines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The engine facts on which all candidates agree."""
    first = engines[0]
    return {key: first[key] for key in sorted(first) if all(each.get(key) == first[key] for each in engines)}


def _samples(pairs: Sequence[PreferencePair], seed: int) -> dict[str, Any]:
    """Pairs to look at: drawn by seed, and those with the smallest measured gap."""
    drawn = sorted(pairs, key=lambda pair: (seed_for(seed, "report", pair.id), pair.id))[:SAMPLES]
    measured = sorted((pair for pair in pairs if pair.gap is not None), key=lambda pair: (pair.gap, pair.id))
    return {"random": [_sample(each) for each in drawn], "smallest_gap": [_sample(each) for each in measured[:SAMPLES]]}


def _sample(pair: PreferencePair) -> dict[str, Any]:
    return {
        "pair_id": pair.id,
        "prompt": pair.prompt_text,
        "chosen": pair.chosen_text,
        "rejected": pair.rejected_text,
        "gap": pair.gap,
        "agreement": pair.agreement,
        "level": pair.level,
        "category": pair.category,
        "chosen_model": pair.chosen_model,
        "rejected_model": pair.rejected_model,
    }


def _with_sources(facts: Facts, decontamination: Mapping[str, Any]) -> dict[str, Any]:
    """The figures, with the name of the source that is the very file of a benchmark: a test set among the data."""
    sources = {each.sha256: each.source for each in facts.last_intakes}
    benchmarks = [{**each, "same_as_source": sources.get(each["sha256"], "")} for each in decontamination["benchmarks"]]
    return {**decontamination, "benchmarks": benchmarks}
