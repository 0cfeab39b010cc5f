"""The gate: what a dataset must reach, judged from its metrics alone. What was not measured never passes."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from pairsmith.config import GateConfig
from pairsmith.records import Criterion, GateReport, State

__all__ = ["CRITERIA", "gate", "gate_document"]

MIN_GAP_COVERAGE = 0.95  # share of pairs whose gap must be measured before their mean speaks for the dataset

REMEDIES: Mapping[str, str] = {
    "gap": "generate more diverse candidates (higher temperature, other models), sharpen the guidelines and annotate "
    "again, or keep only pairs of a higher level with validate.min_level",
    "gap_not_evaluated": "let people or a judge vote on the pairs, at least two votes each (annotate.annotators), or "
    "leave the pairs that nobody measured out: validate.unmeasured: drop",
    "pairs": "collect more prompts and annotate them, or generate more candidates per prompt (generate.n)",
    "decontamination": "remove the contaminated pairs: set validate.contaminated to drop and build again",
    "decontamination_not_evaluated": "name the evaluation files in validate.benchmarks, or put them into benchmarks/",
    "splits_created": "collect prompts that differ more: each part needs prompts of its own",
    "format_validated": "read dropped.jsonl for the rows that cannot be written, mend their source and build again",
    "ai_labels": "leave the weakest model out (resolve.exclude_annotators), or let people vote on more of the pairs",
    "ai_labels_not_evaluated": "let people label the anchor: pairsmith sheet NAME --why anchor --to FILE, or leave the "
    "votes of unmeasured models out: resolve.anchor: required",
}

CRITERIA = ("gap", "pairs", "decontamination", "splits_created", "format_validated")
"""The criteria, in the order they are shown; after them `ai_labels` where `gate.min_ai_accuracy` asks for it."""


def gate(cfg: GateConfig, metrics: Mapping[str, Any]) -> GateReport:
    """Judge the metrics of a build."""
    criteria = [
        _gap(cfg.min_gap, metrics["gap"], metrics["pairs"]["total"]),
        _pairs(cfg.min_pairs, metrics["pairs"]["total"]),
        _decontamination(cfg.min_decontamination, metrics["decontamination"]),
        _splits(metrics["split"]),
        _format(metrics["format"]),
    ]
    if cfg.min_ai_accuracy is not None:
        criteria.append(_ai_labels(cfg.min_ai_accuracy, metrics["ai_labels"]))
    return GateReport(tuple(criteria))


def gate_document(report: GateReport) -> dict[str, Any]:
    """The content of `gate.json`."""
    return {"passed": report.passed, "criteria": [asdict(criterion) for criterion in report.criteria]}


def _gap(threshold: float, gap: Mapping[str, Any], total: int) -> Criterion:
    value, reason = gap["mean"], gap["reason"]
    state = _state(value, threshold)
    if value is not None and gap["n"] < MIN_GAP_COVERAGE * total:
        value, state = None, "not_evaluated"
        reason = f"the gap of only {gap['n']} of {total} pairs is measured; {MIN_GAP_COVERAGE:.0%} is needed"
    elif value is not None and gap["single_vote"] == gap["n"]:
        value, state = None, "not_evaluated"
        reason = "no pair has two votes, and the gap of a single vote is the same whatever the responses are"
    elif value is not None:
        parts = list(_parts(gap))
        reason = "; ".join(text for _, text in parts)
        state = _state(min([value, *(mean for mean, _ in parts)]), threshold)
    remedy = _remedy("gap", state)
    return Criterion("gap", value, threshold, state, remedy, gap["interval"], gap["n"], reason)


def _parts(gap: Mapping[str, Any]) -> Iterator[tuple[float, str]]:
    """Means that must reach the bar by themselves, in words: no part of the pairs may carry the others over it.

    The gap of a single vote is high by construction; and kinds of gap are measured in different ways, so that each
    with more than a twentieth of the pairs is judged alone.
    """
    several = gap["multi_vote"]["mean"]
    if gap["single_vote"] and several is not None:
        yield several, f"{gap['single_vote']} pairs rest on one vote; the mean of the others is {several:.3f}"
    if len(gap["by_kind"]) > 1:
        for kind, found in gap["by_kind"].items():
            if found["n"] > (1 - MIN_GAP_COVERAGE) * gap["n"]:
                yield found["mean"], f"mean of the {found['n']} gaps of kind {kind}: {found['mean']:.3f}"


def _pairs(threshold: int, total: int) -> Criterion:
    state = _state(total, threshold)
    return Criterion("pairs", total, threshold, state, _remedy("pairs", state), n=total)


def _decontamination(threshold: float, figure: Mapping[str, Any]) -> Criterion:
    return _of_figure("decontamination", threshold, figure, _state(figure["value"], threshold))


def _of_figure(name: str, threshold: float, figure: Mapping[str, Any], state: State) -> Criterion:
    return Criterion(
        name=name,
        value=figure["value"],
        threshold=threshold,
        state=state,
        remedy=_remedy(name, state),
        interval=figure["interval"],
        n=figure["n"],
        reason=figure["reason"],
    )


def _splits(split: Mapping[str, Any]) -> Criterion:
    parts = split["parts"]
    empty = [name for name, part in parts.items() if not part["pairs"]]
    reason = split["reason"] or (f"no pairs in {', '.join(empty)}" if empty else "")
    if split["leaks"]:
        reason = f"{split['leaks']} similar prompts stand in different parts"
    made = not reason
    state: State = "pass" if made else "fail"
    pairs = sum(part["pairs"] for part in parts.values())
    return Criterion("splits_created", made, True, state, _remedy("splits_created", state), n=pairs, reason=reason)


def _format(written: Mapping[str, Any]) -> Criterion:
    valid = written["rows"] > 0 and not written["errors"]
    reason = "" if valid else "nothing was written" if not written["rows"] else str(written["errors"][0])
    state: State = "pass" if valid else "fail"
    remedy = _remedy("format_validated", state)
    return Criterion("format_validated", valid, True, state, remedy, n=written["rows"], reason=reason)


def _ai_labels(threshold: float, labels: Mapping[str, Any]) -> Criterion:
    """Pairs that rest on models alone need models that were measured; pairs of people need nothing."""
    accuracy = labels["accuracy"]
    state = _state(accuracy["value"], threshold) if labels["pairs"] else "pass"
    return _of_figure("ai_labels", threshold, accuracy, state)


def _state(value: float | None, threshold: float) -> State:
    if value is None:
        return "not_evaluated"
    return "pass" if value >= threshold else "fail"


def _remedy(name: str, state: State) -> str:
    if state == "pass":
        return ""
    return REMEDIES.get(f"{name}_{state}", REMEDIES[name])
