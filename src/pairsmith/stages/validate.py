"""Stage 5: is the pair well formed, does it contradict another, does it repeat a benchmark, is it worth training on?

The checks run in the order of `VALIDATE_REASONS`, and a pair is dropped by the first one it fails. Comparing texts
ignores only what a reader cannot see (spacing, invisible characters): "x = 2" and "x = -2" are two answers.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

from pairsmith.config import ValidateConfig
from pairsmith.engine import EngineKind, map_batches
from pairsmith.measures.artefacts import text_warnings
from pairsmith.measures.contamination import PART_SEPARATOR, ContaminationIndex, Hit, build_index, find_all
from pairsmith.measures.contradictions import cycles, reversals
from pairsmith.measures.near_items import Near
from pairsmith.measures.preference import quality_level
from pairsmith.measures.text import squash, words
from pairsmith.records import LEVELS, Benchmark, Dropped, Message, PreferencePair, Queued, Validated
from pairsmith.stages.contamination import (
    Fields,
    NearFindings,
    explained,
    look_near,
    mark,
    nearest,
    without_common_phrases,
)
from pairsmith.stages.contamination_figures import Contamination, decontamination_figures
from pairsmith.stages.pair_figures import Examined, pair_figures

__all__ = ["VALIDATE_REASONS", "validate"]

VALIDATE_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "empty_field": "the prompt, the chosen or the rejected response has no visible text",
        "identical": "chosen and rejected are the same text, so there is nothing to prefer",
        "identical_normalised": "chosen and rejected differ only in spacing or invisible characters",
        "duplicate": "an earlier pair (by id) has the same prompt, chosen and rejected response",
        "reversed": "the same prompt and responses also stand with chosen and rejected exchanged; both are dropped",
        "cycle": "the pair lies on a cycle of preferences (A over B over C over A) of one prompt; all are dropped",
        "contaminated": "the prompt or a response repeats an item of a benchmark",
        "near_benchmark": "the prompt is near a benchmark item by its words or its meaning (`validate.near: drop`)",
        "unmeasured_gap": "nobody measured how much better the chosen response is (`validate.unmeasured: drop`)",
        "low_level": "the pair's level in the quality matrix is below `validate.min_level`",
    }
)

# Below this, sending the index to other processes takes longer than they save.
_MIN_PAIRS_FOR_PROCESSES = 20_000

_Reply = tuple[tuple[str, str], ...]


def validate(
    cfg: ValidateConfig,
    pairs: Sequence[PreferencePair],
    benchmarks: Sequence[Benchmark],
    *,
    seed: int,
    workers: int = 1,
    engine: EngineKind = "processes",
    gap_threshold: float = 0.15,
    near: NearFindings | None = None,
) -> Validated:
    """Keep the sound pairs, each with its level; drop the others with a reason of `VALIDATE_REASONS` and the evidence.

    Args:
        cfg: the section `validate`.
        pairs: in any order.
        benchmarks: evaluation sets to keep out; without any, decontamination is not evaluated.
        seed: of the bootstrap intervals.
        workers: processes for large sets; changes nothing but speed.
        engine: what they are, for large sets; changes nothing either.
        gap_threshold: for the share of pairs below it.
        near: what the prompts come near to, if an embedder was asked; without it only their words are compared.

    Returns:
        Kept and dropped, both sorted by pair id; every benchmark item found. `metrics`: pairs, gap, decontamination,
        quality_matrix, label_accuracy, effective_pairs, quality_score, kl_divergence, lengths, diversity, warnings.
    """
    graded = [
        dataclasses.replace(pair, level=quality_level(pair.gap, pair.agreement))
        for pair in sorted(pairs, key=lambda each: each.id)
    ]
    dropped: list[Dropped] = []
    sound = _consistent(_unique(_well_formed(graded, dropped), dropped), dropped)
    index = build_index([(b.name, b.items) for b in benchmarks], ngram=cfg.ngram, coverage=cfg.coverage)
    texts = [_fields(pair) for pair in sound]
    examined = _examine_all(index if benchmarks else None, texts, workers, engine)
    hits, phrases = without_common_phrases(cfg, benchmarks, sound, texts, [each.hit for each in examined])
    looked = near or look_near(benchmarks if cfg.near != "off" else (), sound, "`validate.semantic` is off")
    nears = [None if hit else nearest(looked, pair) for pair, hit in zip(sound, hits, strict=True)]
    kept: list[tuple[PreferencePair, Examined]] = []
    queued: list[Queued] = []
    actions: list[Mapping[str, Any]] = []
    for pair, result, hit, close in zip(sound, examined, hits, nears, strict=True):
        reason, evidence = _problem(cfg, pair, hit, close)
        if reason:
            dropped.append(_drop(pair, reason, evidence))
            queued += [_queued(pair)] if reason == "low_level" and cfg.poor == "queue" else []
        else:
            kept.append((_marked(cfg, pair, hit, close), result))
        if found := hit or close:
            actions.append({"pair_id": pair.id, "prompt_id": pair.prompt_id, "action": _action(cfg, found, reason)})
            actions[-1] = {**actions[-1], **explained(found)}
    dropped.sort(key=lambda each: each.id)
    contamination = Contamination(
        checked=sound,
        found=[(pair, hit) for pair, hit in zip(sound, hits, strict=True) if hit],
        near=[(pair, close) for pair, close in zip(sound, nears, strict=True) if close],
        phrases=phrases,
        semantic=looked.semantic,
        kept=[pair for pair, _ in kept],
    )
    decontamination = decontamination_figures(cfg, benchmarks, index.summary(), contamination)
    metrics = pair_figures(kept, dropped, decontamination, seed=seed, gap_threshold=gap_threshold)
    metrics["pairs"]["contaminated"] = len(contamination.found)
    return Validated(tuple(pair for pair, _ in kept), tuple(dropped), metrics, tuple(queued), tuple(actions))


def _problem(
    cfg: ValidateConfig, pair: PreferencePair, hit: Hit | None, close: Near | None
) -> tuple[str, Mapping[str, Any]]:
    """Reason code and evidence of what keeps a sound pair out of the dataset; "" if nothing does."""
    if hit and cfg.contaminated == "drop":
        return "contaminated", explained(hit)
    if close and close.method != "possible" and cfg.near == "drop":
        return "near_benchmark", explained(close)
    if pair.gap is None and cfg.unmeasured == "drop":
        return "unmeasured_gap", {"gap_kind": pair.gap_kind, "votes": dict(pair.votes)}
    if pair.level != "not_evaluated" and LEVELS.index(pair.level) > LEVELS.index(cfg.min_level):
        evidence = {"level": pair.level, "gap": pair.gap, "agreement": pair.agreement, "min_level": cfg.min_level}
        return "low_level", evidence
    return "", {}


def _marked(cfg: ValidateConfig, pair: PreferencePair, hit: Hit | None, close: Near | None) -> PreferencePair:
    """The pair, which says of itself what it repeats or comes near to."""
    if hit and cfg.contaminated == "flag":
        return dataclasses.replace(pair, contamination=mark(hit))
    if close and close.method != "possible":
        return dataclasses.replace(pair, contamination=mark(close))
    return pair


def _action(cfg: ValidateConfig, found: Hit | Near, reason: str) -> str:
    """What was done about a pair in which an item was found: dropped, or what waits for a person's look."""
    if reason:
        return "dropped"
    return {"flag": "flagged"}.get(cfg.contaminated, "reported") if isinstance(found, Hit) else "review"


def _drop(pair: PreferencePair, reason: str, evidence: Mapping[str, Any]) -> Dropped:
    return Dropped(pair.id, "validate", reason, evidence)


def _queued(pair: PreferencePair) -> Queued:
    """A pair of a low level waits for another vote, after those that no vote decided yet."""
    return Queued(
        pair.comparison_id, pair.prompt_id, "validate", "low_level", "vote", 1, dict(sorted(pair.votes.items())), 0.5
    )


def _reply(messages: Iterable[Message]) -> _Reply:
    """What is compared: roles and texts as a reader sees them."""
    return tuple((message.role, squash(message.content)) for message in messages)


def _well_formed(pairs: Sequence[PreferencePair], dropped: list[Dropped]) -> list[PreferencePair]:
    """Pairs with text in all three fields, and two different responses."""
    left = []
    for pair in pairs:
        empty = [name for name in ("prompt", "chosen", "rejected") if not _has_text(name, getattr(pair, name))]
        if empty:
            dropped.append(_drop(pair, "empty_field", {"fields": empty}))
        elif pair.chosen == pair.rejected:
            dropped.append(_drop(pair, "identical", {"text": pair.chosen_text[:200]}))
        elif _reply(pair.chosen) == _reply(pair.rejected):
            dropped.append(_drop(pair, "identical_normalised", {"text": squash(pair.chosen_text)[:200]}))
        else:
            left.append(pair)
    return left


def _has_text(name: str, messages: tuple[Message, ...]) -> bool:
    """A prompt needs text in some turn that is not the system's; a response, in its last turn."""
    turns = [message for message in messages if message.role != "system"] if name == "prompt" else messages[-1:]
    return any(words(turn.content) or squash(turn.content) for turn in turns)


def _unique(pairs: Sequence[PreferencePair], dropped: list[Dropped]) -> list[PreferencePair]:
    """The first pair (by id) of each prompt, chosen and rejected."""
    first: dict[tuple[_Reply, _Reply, _Reply], str] = {}
    left = []
    for pair in pairs:
        key = (_reply(pair.prompt), _reply(pair.chosen), _reply(pair.rejected))
        if key in first:
            dropped.append(_drop(pair, "duplicate", {"kept": first[key]}))
        else:
            first[key] = pair.id
            left.append(pair)
    return left


def _consistent(pairs: Sequence[PreferencePair], dropped: list[Dropped]) -> list[PreferencePair]:
    """Pairs that no other pair of the same prompt contradicts, directly or round a cycle."""
    by_prompt: defaultdict[_Reply, list[PreferencePair]] = defaultdict(list)
    for pair in pairs:
        by_prompt[_reply(pair.prompt)].append(pair)
    contradicted: set[str] = set()
    for part in (part for group in by_prompt.values() for part in _of_one_domain(group)):
        group = [pair for pair in part if pair.id not in contradicted]
        opposites = reversals([(_reply(pair.chosen), _reply(pair.rejected)) for pair in group])
        for place, others in opposites.items():
            dropped.append(_drop(group[place], "reversed", {"pairs": [group[other].id for other in others]}))
        left = [pair for place, pair in enumerate(group) if place not in opposites]
        rounds = cycles([(_reply(pair.chosen), _reply(pair.rejected)) for pair in left])
        for place, others in rounds.items():
            dropped.append(_drop(left[place], "cycle", {"pairs": [left[other].id for other in others]}))
        contradicted |= {group[place].id for place in opposites} | {left[place].id for place in rounds}
    return [pair for pair in pairs if pair.id not in contradicted]


def _of_one_domain(group: Sequence[PreferencePair]) -> Iterator[list[PreferencePair]]:
    """Pairs for the same readers: two groups of annotators may prefer opposite sides, each for its own dataset."""
    domains = sorted({pair.domain for pair in group if pair.domain}) or [""]
    for domain in domains:
        yield [pair for pair in group if pair.domain in ("", domain)]


def _fields(pair: PreferencePair) -> Fields:
    names = ("prompt", "chosen", "rejected")
    return {name: PART_SEPARATOR.join(turn.content for turn in getattr(pair, name)) for name in names}


def _examine_all(
    index: ContaminationIndex | None, texts: Sequence[Fields], workers: int, engine: EngineKind
) -> list[Examined]:
    # One batch per process and no more: they are all alike, and each costs a task.
    large = workers > 1 and len(texts) >= _MIN_PAIRS_FOR_PROCESSES
    batch_size = -(-len(texts) // max(4, workers)) if large else 1024
    examine = partial(_examine, index)
    return list(map_batches(examine, texts, batch_size=batch_size, workers=workers if large else 1, engine=engine))


def _examine(index: ContaminationIndex | None, batch: Sequence[Fields]) -> list[Examined]:
    """All that needs the whole text of a pair; runs in other processes for large sets."""
    hits = find_all(index, batch) if index else [None] * len(batch)
    return [
        Examined(
            hit=hit,
            warnings=tuple(text_warnings(fields["prompt"], fields["chosen"], fields["rejected"])),
            chosen_words=len(words(fields["chosen"])),
            rejected_words=len(words(fields["rejected"])),
        )
        for hit, fields in zip(hits, batch, strict=True)
    ]
