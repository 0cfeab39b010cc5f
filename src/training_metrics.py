"""Metrics of a finished file of preference pairs, as the DPO workflow asks for them.

    from pathlib import Path
    from training_metrics import validate_dpo_pairs

    metrics = validate_dpo_pairs(dpo_path=Path("preference_pairs.jsonl"), gap_threshold=0.15)

What a file cannot tell fails closed: an unknown gap is 0.0, unknown decontamination and quality 0.0, an unknown KL
divergence infinite, each with the state `not_evaluated` and a reason. A difference in length is never a gap.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["DPOMetrics", "validate_dpo_pairs"]

State = Literal["pass", "fail", "not_evaluated"]

_ROUNDING = 1e-9  # 2 * 0.575 - 1 is a gap of 0.15, and 0.14999999999999991 in binary
_ABOVE_ZERO = 1e-6
_NO_KL = (
    "a file of pairs does not hold log-probabilities of the policy's own samples, nor all candidates a best-of-N was "
    "chosen from; train a pilot, or use pairsmith.measures.divergence on such samples"
)
_ISSUES = {
    "avg_gap": "INSUFFICIENT_GAP",
    "kl_divergence": "HIGH_KL_DIVERGENCE",
    "decontamination": "CONTAMINATION_RISK",
    "total_pairs": "INSUFFICIENT_PAIRS",
}


@dataclass(frozen=True, slots=True)
class DPOMetrics:
    """What is known about a file of preference pairs.

    Attributes:
        avg_gap: mean signed gap in [-1, 1]; 0.0 if not evaluated.
        total_pairs: valid pairs, exact repetitions counted once.
        decontamination: share of pairs free of benchmark items, in [0, 1]; 0.0 if not evaluated.
        quality_score: share of rows that is clean signal, in [0, 1]; 0.0 if not evaluated.
        kl_divergence: nats per token; infinite if not evaluated.
        status: `pass`, `fail` or `not_evaluated` for each of the five. `quality_score` has no threshold: it passes
            if it was evaluated and is above 0.
        reasons: why a metric is not evaluated, or what it rests on.
        intervals: 95 % intervals of `avg_gap` (prompts drawn as clusters), `decontamination` (Wilson) and
            `label_accuracy` (items drawn).
        counts: rows_read, invalid (by reason), duplicate, identical, contradictory, pairs by kind of gap, ...
        details: gap distribution, factors and upper bound of the quality score, benchmarks, scale.
        warnings: what is odd, in sentences.
    """

    avg_gap: float
    total_pairs: int
    decontamination: float
    quality_score: float
    kl_divergence: float
    status: Mapping[str, State]
    reasons: Mapping[str, str] = field(default_factory=dict)
    intervals: Mapping[str, tuple[float, float] | None] = field(default_factory=dict)
    counts: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def preference_gap(self) -> float:
        """The same as `avg_gap`."""
        return self.avg_gap

    @property
    def pair_count(self) -> int:
        """The same as `total_pairs`."""
        return self.total_pairs

    @property
    def decontamination_score(self) -> float:
        """The same as `decontamination`."""
        return self.decontamination

    @property
    def upper_bound(self) -> float:
        """The highest quality score that what is known leaves possible."""
        return float(self.details["quality_score"]["upper_bound"])

    @property
    def quality_issues(self) -> list[str]:
        """Names of the thresholds that are not passed; an unknown KL divergence is no issue, an unknown gap is."""
        excused = {"kl_divergence": ("pass", "not_evaluated")}
        return [_ISSUES[name] for name in _ISSUES if self.status[name] not in excused.get(name, ("pass",))]

    @property
    def is_valid(self) -> bool:
        """Whether gap, number of pairs and decontamination pass, and KL divergence, where it is known."""
        return not self.quality_issues

    def passes_thresholds(self) -> bool:
        """The same as `is_valid`."""
        return self.is_valid

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; metrics that are not evaluated are null."""
        values = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        unknown = dict.fromkeys(name for name, state in self.status.items() if state == "not_evaluated")
        intervals = {name: list(bounds) if bounds else None for name, bounds in self.intervals.items()}
        return {**values, **unknown, "intervals": intervals, "warnings": list(self.warnings), "is_valid": self.is_valid}


def validate_dpo_pairs(
    dpo_path: Path,
    gap_threshold: float = 0.15,
    *,
    benchmarks: Sequence[Path] | None = None,
    scale: tuple[float, float] | None = None,
    min_pairs: int = 1000,
    min_decontamination: float = 0.9,
    max_kl: float = 0.1,
) -> DPOMetrics:
    """Measure a file of preference pairs.

    The gap of a row comes from its `gap` (as Pairsmith exports it), else its `votes`, else the scores of both sides
    (`score_chosen`, ...), else `margin`, else `preference_strength`; docs/reference/metrics.md has names and formulas.

    Args:
        dpo_path: JSON Lines, JSON, CSV or Parquet; texts or lists of messages.
        gap_threshold: smallest mean gap, in [0, 1].
        benchmarks: evaluation files; by default those in a folder `benchmarks` beside the file, and without that
            decontamination is not evaluated.
        scale: lowest and highest possible score. Without it, scores that all lie in [0, 1] are read on that scale and
            the result says so; other scores stay unused.
        min_pairs: fewest pairs.
        min_decontamination: smallest share of clean pairs.
        max_kl: largest KL divergence in nats per token.

    Raises:
        ValueError: for thresholds or a scale that cannot be meant.
        InputError: (a ValueError) if a file is missing, empty or unreadable as a whole.
    """
    _check_arguments(gap_threshold, min_pairs, min_decontamination, max_kl, scale)
    from pathlib import Path

    from pairsmith.report.finished_file import measure_file

    found = measure_file(Path(dpo_path), gap_threshold=gap_threshold, benchmarks=benchmarks, scale=scale)
    values = {"avg_gap": found.gap, "decontamination": found.decontamination, "quality_score": found.quality}
    status: dict[str, State] = {
        "avg_gap": _state(found.gap["value"], gap_threshold),
        "total_pairs": "pass" if found.pairs >= min_pairs else "fail",
        "decontamination": _state(found.decontamination["value"], min_decontamination),
        "quality_score": _state(found.quality["value"], _ABOVE_ZERO),
        "kl_divergence": "not_evaluated",
    }
    measured = {"avg_gap": found.gap, "decontamination": found.decontamination, "label_accuracy": found.accuracy}
    thresholds = {
        "avg_gap": gap_threshold,
        "total_pairs": min_pairs,
        "decontamination": min_decontamination,
        "kl_divergence": max_kl,
    }
    return DPOMetrics(
        avg_gap=found.gap["value"] or 0.0,
        total_pairs=found.pairs,
        decontamination=found.decontamination["value"] or 0.0,
        quality_score=found.quality["value"] or 0.0,
        kl_divergence=float("inf"),
        status=status,
        reasons={name: each["reason"] for name, each in values.items() if each["reason"]} | {"kl_divergence": _NO_KL},
        intervals={name: _interval(each) for name, each in measured.items()},
        counts=found.counts,
        details={
            "gap": found.gap,
            "decontamination": found.decontamination,
            "label_accuracy": found.accuracy,
            "quality_score": found.quality,
            "benchmarks": found.benchmarks,
            "thresholds": thresholds,
        },
        warnings=found.warnings,
    )


def _state(value: float | None, threshold: float) -> State:
    if value is None:
        return "not_evaluated"
    return "pass" if value >= threshold - _ROUNDING else "fail"


def _interval(measured: Mapping[str, Any]) -> tuple[float, float] | None:
    bounds = measured["interval"]
    return (bounds[0], bounds[1]) if bounds else None


def _check_arguments(
    gap_threshold: float,
    min_pairs: int,
    min_decontamination: float,
    max_kl: float,
    scale: tuple[float, float] | None,
) -> None:
    for name, share in (("gap_threshold", gap_threshold), ("min_decontamination", min_decontamination)):
        if 1 < share <= 100:
            meant = share / 10 if share <= 10 else share / 100
            raise ValueError(f"{name} is on the scale 0 to 1; {share} is outside it, did you mean {meant:.2f}?")
        if not 0 <= share <= 1:
            raise ValueError(f"{name} is on the scale 0 to 1; {share} is outside it")
    if min_pairs < 1 or not max_kl >= 0:
        raise ValueError(f"min_pairs must be at least 1 and max_kl at least 0, not {min_pairs} and {max_kl}")
    if scale is not None and not scale[0] < scale[1]:
        raise ValueError(f"scale is (lowest, highest), for example (1, 5), not {scale}")
