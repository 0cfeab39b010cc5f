"""What a finished file of preference pairs comes to: counts, gap, decontamination, label accuracy, quality score."""

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pairsmith.errors import InputError
from pairsmith.formats.benchmarks import read_benchmark
from pairsmith.formats.finished import FinishedPair, read_finished
from pairsmith.formats.rows import BadRow
from pairsmith.formats.signals import Signal
from pairsmith.ids import content_id
from pairsmith.measures.contamination import PART_SEPARATOR, build_index, find_all
from pairsmith.measures.intervals import figure, share_figure
from pairsmith.measures.preference import gap_summary, label_accuracy, quality_score, rating_gap, strength_gap

__all__ = ["MIN_COVERAGE", "Findings", "measure_file"]

MIN_COVERAGE = 0.95
"""The mean gap is evaluated only if at least this share of the pairs has a gap."""

_SEED = 0
_SPIKE_SHARE = 0.3
_PAIRS_AT_A_TIME = 10_000
_IDENTICAL = ("identical_answers", "equal_after_normalising")
_EXAMPLES = 20
_NO_GAP = (
    "no row has a gap, votes or scores; score or annotate the pairs first (a difference in length says nothing about "
    "which response is better)"
)


@dataclass(frozen=True, slots=True)
class Findings:
    """Figures of a file; `gap`, `decontamination`, `accuracy` and `quality` are figures with value or reason."""

    pairs: int
    counts: Mapping[str, Any]
    gap: Mapping[str, Any]
    decontamination: Mapping[str, Any]
    accuracy: Mapping[str, Any]
    quality: Mapping[str, Any]
    benchmarks: Sequence[Mapping[str, Any]]
    warnings: tuple[str, ...]


def measure_file(
    path: Path,
    *,
    gap_threshold: float,
    benchmarks: Sequence[Path] | None = None,
    scale: tuple[float, float] | None = None,
) -> Findings:
    """Read the file once and measure it. Arguments as in `training_metrics.validate_dpo_pairs`.

    Raises:
        InputError: if the file or a benchmark cannot be used as a whole.
    """
    benchmark_files = _benchmark_files(path, benchmarks)
    pairs, counts = _read(path, scale)
    gap, warnings = _measure_gap(pairs, gap_threshold, scale)
    decontamination, sources = _decontaminate(path, pairs, benchmark_files)
    votes = [pair.signal.votes[:2] for pair in pairs if pair.signal.votes and pair.signal.gap_kind != "not_evaluated"]
    kept = [chosen > rejected for chosen, rejected in votes]
    accuracy = label_accuracy(votes, kept, seed=_SEED)
    rows, valid = counts["rows_read"], counts["valid"]
    quality = quality_score(
        validity=valid / rows if rows else None,
        uniqueness=len(pairs) / valid if valid else None,
        decontamination=decontamination["value"],
        accuracy=accuracy["value"],
        n=rows,
    )
    if any(source["same_as_file"] for source in sources):
        warnings = [*warnings, f"a benchmark is the same file as {path.name}"]
    return Findings(len(pairs), counts, gap, decontamination, accuracy, quality, sources, tuple(warnings))


def _read(path: Path, scale: tuple[float, float] | None) -> tuple[list[FinishedPair], dict[str, Any]]:
    """The distinct valid pairs, and the counts of everything else."""
    pairs: dict[str, FinishedPair] = {}
    invalid: Counter[str] = Counter()
    examples: list[dict[str, Any]] = []
    rows = identical = duplicate = 0
    for item in read_finished(path, scale):
        rows += 1
        if isinstance(item, BadRow):
            identical += item.reason in _IDENTICAL
            invalid[item.reason] += 1
            if len(examples) < _EXAMPLES:
                examples.append(dataclasses.asdict(item))
            continue
        key = _key(item)
        duplicate += key in pairs
        pairs.setdefault(key, item)
    contradictory = sum(
        _key(dataclasses.replace(p, chosen=p.rejected, rejected=p.chosen)) in pairs for p in pairs.values()
    )
    counts = {
        "rows_read": rows,
        "valid": rows - invalid.total(),
        "invalid": invalid.total(),
        "invalid_by_reason": dict(sorted(invalid.items())),
        "invalid_examples": examples,
        "identical": identical,
        "duplicate": duplicate,
        "contradictory": contradictory,
        "gap_kinds": dict(sorted(Counter(_kind(pair.signal) for pair in pairs.values()).items())),
    }
    return list(pairs.values()), counts


def _key(pair: FinishedPair) -> str:
    return content_id("row", [[[turn.role, turn.content] for turn in side] for side in _sides(pair)])


def _sides(pair: FinishedPair) -> tuple[Any, Any, Any]:
    return pair.prompt, pair.chosen, pair.rejected


def _kind(signal: Signal) -> str:
    return signal.gap_kind or "not_evaluated"


def _measure_gap(
    pairs: Sequence[FinishedPair], threshold: float, scale: tuple[float, float] | None
) -> tuple[dict[str, Any], list[str]]:
    """The distribution of gaps; its value is `None` where too few pairs have one or none of them can be trusted."""
    raw = [number for pair in pairs for number in pair.signal.raw]
    unit = bool(raw) and scale is None and all(-1 <= number <= 1 for number in raw)
    unit = unit and all(number >= 0 for pair in pairs for number in pair.signal.scores or ())
    used = (0.0, 1.0) if unit else scale
    gaps = [_gap_of(pair.signal, used) for pair in pairs]
    prompts = [content_id("prm", [[turn.role, turn.content] for turn in pair.prompt]) for pair in pairs]
    summary = gap_summary(gaps, prompts, seed=_SEED, threshold=threshold)
    scores = [score for pair in pairs for score in pair.signal.scores or ()]
    reason = _why_unknown(summary, raw, scores, used)
    summary |= {"scale": list(used) if used and raw else None, "scale_assumed": unit, "partial_mean": summary["mean"]}
    if reason:
        summary |= {"value": None, "mean": None, "interval": None, "reason": reason}
    return summary, _gap_warnings(pairs, scores, used, unit)


def _gap_of(signal: Signal, scale: tuple[float, float] | None) -> float | None:
    if signal.kind in ("gap", "votes") or signal.kind == "none":
        return signal.value
    if scale is None:
        return None
    if signal.scores:
        return rating_gap(*signal.scores, *scale)
    if signal.kind == "margin":
        return strength_gap(signal.value or 0.0, scale[1] - scale[0])
    return strength_gap(signal.value or 0.0, scale[1])


def _why_unknown(
    summary: Mapping[str, Any], raw: Sequence[float], scores: Sequence[float], scale: tuple[float, float] | None
) -> str:
    if raw and scale is None:
        return (
            f"scores reach from {min(raw):g} to {max(raw):g}, so they are not on the scale 0 to 1; declare the scale, "
            "for example scale=(1, 5): it is never guessed"
        )
    if len(scores) > 2 and min(scores) == max(scores):
        return f"all {len(scores)} scores are {scores[0]:g}, so they measure nothing"
    if summary["pairs"] and not summary["n"]:
        return _NO_GAP
    if summary["pairs"] and summary["coverage"] < MIN_COVERAGE:
        return f"only {summary['n']} of {summary['pairs']} pairs have a gap; {MIN_COVERAGE:.0%} are needed"
    return str(summary["reason"])


def _gap_warnings(
    pairs: Sequence[FinishedPair], scores: Sequence[float], scale: tuple[float, float] | None, unit: bool
) -> list[str]:
    found = []
    if unit:
        found.append("no scale was declared; all scores lie in [0, 1] and were read on that scale")
    kinds = sorted({_kind(pair.signal) for pair in pairs} - {"not_evaluated"})
    if len(kinds) > 1:
        found.append(f"the mean gap mixes kinds of evidence: {', '.join(kinds)}")
    if "reward_uncalibrated" in kinds:
        found.append("gaps of kind reward_uncalibrated were never compared with labels; their size means little")
    inverted = sum(pair.signal.scores is not None and pair.signal.scores[0] < pair.signal.scores[1] for pair in pairs)
    if inverted:
        found.append(f"{inverted} pairs score the rejected response higher; their gap is negative")
    at_top = sum(score == scale[1] for score in scores) if scale else 0
    if scores and at_top > _SPIKE_SHARE * len(scores):
        found.append(f"{at_top / len(scores):.0%} of the scores are the highest possible one; is a parser at fault?")
    return found


def _benchmark_files(path: Path, given: Sequence[Path] | None) -> list[Path]:
    """The files given, else those in `benchmarks/` beside the file."""
    if given is not None:
        return [Path(each) for each in given]
    folder = path.parent / "benchmarks"
    if not folder.is_dir():
        return []
    return sorted(each for each in folder.iterdir() if each.is_file() and not each.name.startswith("."))


def _decontaminate(
    path: Path, pairs: Sequence[FinishedPair], files: Sequence[Path]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The share of pairs of which neither prompt nor a response repeats a benchmark item, and what was looked for."""
    if not files:
        reason = f"no benchmark files: pass benchmarks=, or put them into {path.parent / 'benchmarks'}"
        return figure(None, None, 0, reason), []
    loaded = [read_benchmark(each) for each in files]
    empty = [each.name for each in loaded if not each.items]
    if empty:
        raise InputError(f"{empty[0]}: no item could be read from this benchmark file")
    index = build_index([(each.name, each.items) for each in loaded])
    hits: Counter[str] = Counter()
    for start in range(0, len(pairs), _PAIRS_AT_A_TIME):
        found = find_all(index, [_fields(pair) for pair in pairs[start : start + _PAIRS_AT_A_TIME]])
        hits.update(hit.benchmark for hit in found if hit is not None)
    with path.open("rb") as opened:
        own = hashlib.file_digest(opened, "sha256").hexdigest()
    sources = [
        {**summary, "sha256": each.sha256, "pairs_hit": hits[each.name], "same_as_file": each.sha256 == own}
        for summary, each in zip(index.summary(), loaded, strict=True)
    ]
    return share_figure(len(pairs) - hits.total(), len(pairs), "there are no pairs"), sources


def _fields(pair: FinishedPair) -> dict[str, str]:
    sides = zip(("prompt", "chosen", "rejected"), _sides(pair), strict=True)
    return {name: PART_SEPARATOR.join(turn.content for turn in turns) for name, turns in sides}
