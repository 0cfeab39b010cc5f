"""The figures of stage 5: what the kept pairs are worth."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pairsmith.measures.artefacts import WARNINGS, length_summary
from pairsmith.measures.contamination import Hit
from pairsmith.measures.intervals import cluster_bootstrap_mean, figure
from pairsmith.measures.preference import effective_pairs, gap_summary, quality_level, quality_score
from pairsmith.measures.prompts import diversity
from pairsmith.measures.text import normalise
from pairsmith.records import LEVELS, Dropped, PreferencePair

__all__ = ["Examined", "pair_figures"]

_MIN_COVERAGE = 0.95  # a mean over fewer pairs than this is not a figure of the dataset


@dataclass(frozen=True, slots=True)
class Examined:
    """What reading the texts of one pair gave; lengths in words."""

    hit: Hit | None
    warnings: tuple[str, ...]
    chosen_words: int
    rejected_words: int


Kept = Sequence[tuple[PreferencePair, Examined]]


def pair_figures(
    kept: Kept,
    dropped: Sequence[Dropped],
    decontamination: Mapping[str, Any],
    *,
    seed: int,
    gap_threshold: float,
) -> dict[str, Any]:
    """All metrics of stage 5 but `pairs.contaminated`; see docs/reference/metrics.md."""
    pairs = [pair for pair, _ in kept]
    reasons = Counter(drop.reason for drop in dropped)
    accuracy = _label_accuracy(pairs, seed)
    warnings = Counter(warning for _, result in kept for warning in result.warnings)
    return {
        "pairs": _pair_counts(len(pairs), reasons),
        "gap": _gap(pairs, seed, gap_threshold),
        "decontamination": dict(decontamination),
        "quality_matrix": _quality_matrix(pairs),
        "label_accuracy": accuracy,
        "effective_pairs": _effective_pairs(len(pairs), accuracy),
        "quality_score": _quality_score(len(pairs), reasons, decontamination, accuracy),
        "kl_divergence": figure(
            None,
            reason="how far a trained model drifts cannot be read off its data; that needs log-probabilities, or pairs "
            "that are all the best against the rest of N samples of one model",
            kind="none",
            state="not_evaluated",
        ),
        "lengths": length_summary(
            [result.chosen_words for _, result in kept],
            [result.rejected_words for _, result in kept],
            [pair.gap for pair in pairs],
            [pair.prompt_id for pair in pairs],
            seed=seed,
        ),
        "diversity": _diversity(pairs, seed),
        "warnings": {code: warnings[code] for code in WARNINGS},
    }


def _pair_counts(total: int, reasons: Mapping[str, int]) -> dict[str, int]:
    """How many pairs came in, went out, and were dropped for what."""
    return {
        "read": total + sum(reasons.values()),
        "total": total,
        "invalid": reasons.get("empty_field", 0),
        "identical": reasons.get("identical", 0) + reasons.get("identical_normalised", 0),
        "duplicate": reasons.get("duplicate", 0),
        "contradictory": reasons.get("reversed", 0) + reasons.get("cycle", 0),
        "contaminated": reasons.get("contaminated", 0),
        "near_benchmark": reasons.get("near_benchmark", 0),
        "low_level": reasons.get("low_level", 0),
        "unmeasured": reasons.get("unmeasured_gap", 0),
    }


def _gap(pairs: Sequence[PreferencePair], seed: int, threshold: float) -> dict[str, Any]:
    summary = gap_summary([p.gap for p in pairs], [p.prompt_id for p in pairs], seed=seed, threshold=threshold)
    summary["share_below_threshold"] = summary.pop("share_below")
    multiple = [pair for pair in pairs if not _rests_on_one_vote(pair)]
    several = gap_summary([p.gap for p in multiple], [p.prompt_id for p in multiple], seed=seed, threshold=threshold)
    return {
        **summary,
        "state": "not_evaluated" if summary["value"] is None else "evaluated",
        "kinds": dict(sorted(Counter(pair.gap_kind for pair in pairs).items())),
        "by_kind": _means_by_kind(pairs),
        "multi_vote": {name: several[name] for name in ("mean", "interval", "n")},
        "single_vote": len(pairs) - len(multiple),
    }


def _means_by_kind(pairs: Sequence[PreferencePair]) -> dict[str, dict[str, Any]]:
    """A share of votes and a probability are not measured alike: the mean of each kind, which the gate looks at too."""
    gaps: dict[str, list[float]] = {}
    for pair in pairs:
        if pair.gap is not None:
            gaps.setdefault(pair.gap_kind, []).append(pair.gap)
    return {kind: {"mean": math.fsum(values) / len(values), "n": len(values)} for kind, values in sorted(gaps.items())}


def _rests_on_one_vote(pair: PreferencePair) -> bool:
    """Then its gap is 1, or what a model takes its annotator for, whatever the responses are.

    A verifier's single verdict is no opinion, and has a strength of its own; so has a calibrated score.
    """
    return pair.gap_kind in ("votes", "posterior") and sum(pair.votes.values()) == 1


def _quality_matrix(pairs: Sequence[PreferencePair]) -> dict[str, Any]:
    """Pairs per level, and per combination of the levels that gap and agreement give by themselves."""
    levels = Counter(pair.level for pair in pairs)
    cells = Counter((quality_level(pair.gap, 1.0), quality_level(1.0, pair.agreement)) for pair in pairs)
    return {
        "levels": {level: levels[level] for level in LEVELS},
        "cells": [
            {"gap_level": by_gap, "agreement_level": by_agreement, "count": cells[by_gap, by_agreement]}
            for by_gap in LEVELS
            for by_agreement in LEVELS
            if cells[by_gap, by_agreement]
        ],
    }


def _label_accuracy(pairs: Sequence[PreferencePair], seed: int) -> dict[str, Any]:
    """Mean probability that a label of the dataset is right, under the model that gave the pairs their confidence."""
    known = [pair for pair in pairs if pair.confidence is not None]
    coverage = len(known) / len(pairs) if pairs else 0.0
    extra: dict[str, Any] = {"kind": "mean_confidence", "coverage": coverage}
    if not pairs or coverage < _MIN_COVERAGE:
        reason = f"{len(known)} of {len(pairs)} pairs have a measured confidence; {_MIN_COVERAGE:.0%} are needed"
        return figure(None, n=len(known), reason=reason, state="not_evaluated", **extra)
    values = [pair.confidence for pair in known if pair.confidence is not None]
    interval = cluster_bootstrap_mean(values, [pair.prompt_id for pair in known], seed=seed)
    return figure(sum(sorted(values)) / len(values), interval, len(values), state="evaluated", **extra)


def _effective_pairs(total: int, accuracy: Mapping[str, Any]) -> dict[str, Any]:
    """Clean pairs that carry as much signal; the interval is that of the accuracy."""
    if accuracy["value"] is None:
        return figure(None, n=total, reason=f"label accuracy: {accuracy['reason']}", state="not_evaluated")
    interval = accuracy["interval"] and [effective_pairs(total, bound) for bound in accuracy["interval"]]
    return figure(effective_pairs(total, accuracy["value"]), interval, total, state="evaluated")


def _quality_score(
    total: int, reasons: Mapping[str, int], decontamination: Mapping[str, Any], accuracy: Mapping[str, Any]
) -> dict[str, Any]:
    """Share of all rows that is clean signal; rows dropped for their level count as rows."""
    counts = _pair_counts(total, reasons)
    formed = counts["read"] - counts["invalid"] - counts["identical"]
    unique = formed - counts["duplicate"]
    consistent = unique - counts["contradictory"]
    score = quality_score(
        validity=formed / counts["read"] * (consistent / unique) if unique else None,
        uniqueness=unique / formed if formed else None,
        decontamination=decontamination["found"]["value"],
        accuracy=accuracy["value"],
        n=counts["read"],
    )
    return {**score, "state": "not_evaluated" if score["value"] is None else "evaluated"}


def _diversity(pairs: Sequence[PreferencePair], seed: int) -> dict[str, Any]:
    category_of = {pair.prompt_id: pair.category for pair in pairs}
    return {
        "entropy": diversity(list(category_of.values()), seed=seed)["entropy"],
        "distinct_prompts": len({normalise(pair.prompt_text) or pair.prompt_id for pair in pairs}),
        "categories": dict(sorted(Counter(pair.category for pair in pairs).items())),
        "difficulty": dict(sorted(Counter(pair.difficulty for pair in pairs).items())),
        "sources": dict(sorted(Counter(pair.source for pair in pairs).items())),
    }
