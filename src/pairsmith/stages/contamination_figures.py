"""The figures of decontamination: how clean the dataset is as written, what was found, what was not looked for."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pairsmith.config import ValidateConfig
from pairsmith.measures.contamination import Hit
from pairsmith.measures.intervals import figure, wilson
from pairsmith.measures.near_items import GATE, LEXICAL, POSSIBLE, SEMANTIC, Near
from pairsmith.records import Benchmark, PreferencePair
from pairsmith.stages.contamination import explained

__all__ = ["Contamination", "decontamination_figures"]

_EXAMPLES = 20
_NO_BENCHMARKS = "no benchmark files were given"


@dataclass(frozen=True, slots=True)
class Contamination:
    """What was found among the pairs that were examined, and in those that are kept.

    Attributes:
        checked: the pairs that were compared with the benchmarks.
        found: those that repeat an item.
        near: those that do not, but whose prompt comes near one.
        phrases: items that are common phrases of this dataset.
        semantic: what `NearFindings.semantic` says.
        kept: the pairs of the dataset.
    """

    checked: Sequence[PreferencePair]
    found: Sequence[tuple[PreferencePair, Hit]]
    near: Sequence[tuple[PreferencePair, Near]]
    phrases: Sequence[Mapping[str, Any]]
    semantic: Mapping[str, Any]
    kept: Sequence[PreferencePair]


def decontamination_figures(
    cfg: ValidateConfig,
    benchmarks: Sequence[Benchmark],
    summaries: Sequence[Mapping[str, Any]],
    contamination: Contamination,
) -> dict[str, Any]:
    """Share of pairs free of benchmark items: in the dataset as it is written, and as it was found before dropping.

    Args:
        cfg: the section `validate`.
        benchmarks: the evaluation sets.
        summaries: what the index says about each of them, in the same order.
        contamination: what was found.
    """
    found, kept, checked = contamination.found, contamination.kept, contamination.checked
    dirty = {pair.id for pair, _ in found}
    flagged = sum(pair.id in dirty for pair in kept)
    shared: dict[str, Any] = {
        "mode": cfg.contaminated,
        "rule": {"ngram": cfg.ngram, "coverage": cfg.coverage},
        "prompts": _prompts(kept, checked, dirty, bool(benchmarks)),
        "near": _near(cfg, contamination, bool(benchmarks)),
        "common_phrases": list(contamination.phrases),
    }
    if not benchmarks:
        nothing: dict[str, Any] = {"value": None, "contaminated": 0, "n": 0}
        extra: dict[str, Any] = {"found": nothing, "benchmarks": [], "methods": {}, "hits": []}
        return figure(None, reason=_NO_BENCHMARKS, state="not_evaluated", **shared, **extra)
    value, n = (1 - flagged / len(kept), len(kept)) if kept else (None, 0)
    return figure(
        value,
        wilson(n - flagged, n),
        n,
        reason="no pair is left" if not kept else "",
        state="evaluated" if kept else "not_evaluated",
        **shared,
        found={
            "value": 1 - len(found) / len(checked) if checked else None,
            "contaminated": len(found),
            "n": len(checked),
        },
        benchmarks=[
            {
                **summary,
                "fields": list(benchmark.fields),
                "sha256": benchmark.sha256,
                "pairs_hit": sum(hit.benchmark == benchmark.name for _, hit in found),
                "items_hit": len({hit.item for _, hit in found if hit.benchmark == benchmark.name}),
            }
            for benchmark, summary in zip(benchmarks, summaries, strict=True)
        ],
        methods=dict(sorted(Counter(hit.method for _, hit in found).items())),
        hits=_examples(found),
    )


def _prompts(
    kept: Sequence[PreferencePair], checked: Sequence[PreferencePair], dirty: set[str], compared: bool
) -> dict[str, Any]:
    """The same share over prompts: one is clean if none of its pairs is contaminated."""
    if not compared or not kept:
        return figure(None, reason="no pair is left" if compared else _NO_BENCHMARKS, state="not_evaluated")
    ids = [{pair.prompt_id for pair in pairs} for pairs in (kept, checked)]
    hit = [{pair.prompt_id for pair in pairs if pair.id in dirty} for pairs in (kept, checked)]
    n = len(ids[0])
    clean = n - len(hit[0])
    found = {"value": 1 - len(hit[1]) / len(ids[1]), "contaminated": len(hit[1]), "n": len(ids[1])}
    return figure(clean / n, wilson(clean, n), n, state="evaluated", found=found)


def _near(cfg: ValidateConfig, contamination: Contamination, compared: bool) -> dict[str, Any]:
    """How many prompts come near an item, and how much of that was looked for."""
    reason = _NO_BENCHMARKS if not compared else "`validate.near` is off" if cfg.near == "off" else ""
    methods = Counter(near.method for _, near in contamination.near)
    return {
        "state": "not_evaluated" if reason else "evaluated",
        "reason": reason,
        "mode": cfg.near,
        "rule": {"lexical": LEXICAL, "gate": list(GATE), "semantic": list(SEMANTIC), "possible": list(POSSIBLE)},
        "pairs": None if reason else methods["lexical"] + methods["semantic"],
        "possible": None if reason else methods["possible"],
        "methods": dict(sorted(methods.items())),
        "semantic": {"state": "not_evaluated", "reason": reason} if reason else dict(contamination.semantic),
        "hits": _examples([each for each in contamination.near if each[1].method != "possible"]),
    }


def _examples(found: Sequence[tuple[PreferencePair, Hit | Near]]) -> list[dict[str, Any]]:
    """One pair for each benchmark item that was hit, and how many pairs hit it."""
    by_item: dict[tuple[str, int], list[tuple[PreferencePair, Hit | Near]]] = {}
    for pair, hit in found:
        by_item.setdefault((hit.benchmark, hit.item), []).append((pair, hit))
    chosen = list(by_item.values())[:_EXAMPLES]
    return [{"pairs": len(pairs), "pair_id": pairs[0][0].id, **explained(pairs[0][1])} for pairs in chosen]
