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
from pairsmith.measures.preference import quality_level
from pairsmith.measures.text import squash, words
from pairsmith.records import LEVELS, Benchmark, Dropped, Message, Outcome, PreferencePair, Queued
from pairsmith.stages.pair_figures import Examined, decontamination_figures, pair_figures

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
) -> Outcome[PreferencePair]:
    """Keep the sound pairs, each with its level; drop the others with a reason of `VALIDATE_REASONS` and the evidence.

    Args:
        cfg: the section `validate`.
        pairs: in any order.
        benchmarks: evaluation sets to keep out; without any, decontamination is not evaluated.
        seed: of the bootstrap intervals.
        workers: processes for large sets; changes nothing but speed.
        engine: what they are, for large sets; changes nothing either.
        gap_threshold: for the share of pairs below it.

    Returns:
        Kept and dropped, both sorted by pair id. `metrics`: pairs, gap, decontamination, quality_matrix,
        label_accuracy, effective_pairs, quality_score, kl_divergence, lengths, diversity, warnings.
    """
    graded = [
        dataclasses.replace(pair, level=quality_level(pair.gap, pair.agreement))
        for pair in sorted(pairs, key=lambda each: each.id)
    ]
    dropped: list[Dropped] = []
    sound = _consistent(_unique(_well_formed(graded, dropped), dropped), dropped)
    index = build_index([(b.name, b.items) for b in benchmarks], ngram=cfg.ngram, coverage=cfg.coverage)
    examined = _examine_all(index if benchmarks else None, sound, workers, engine)
    kept: list[tuple[PreferencePair, Examined]] = []
    queued: list[Queued] = []
    for pair, result in zip(sound, examined, strict=True):
        if result.hit and cfg.contaminated == "drop":
            dropped.append(_drop(pair, "contaminated", _hit_evidence(result.hit)))
        elif pair.gap is None and cfg.unmeasured == "drop":
            dropped.append(_drop(pair, "unmeasured_gap", {"gap_kind": pair.gap_kind, "votes": dict(pair.votes)}))
        elif pair.level != "not_evaluated" and LEVELS.index(pair.level) > LEVELS.index(cfg.min_level):
            evidence = {"level": pair.level, "gap": pair.gap, "agreement": pair.agreement, "min_level": cfg.min_level}
            dropped.append(_drop(pair, "low_level", evidence))
            queued += [_queued(pair)] if cfg.poor == "queue" else []
        else:
            kept.append((pair, result))
    dropped.sort(key=lambda each: each.id)
    found = [(pair, result.hit) for pair, result in zip(sound, examined, strict=True) if result.hit]
    decontamination = decontamination_figures(cfg, benchmarks, index.summary(), found, len(sound), kept)
    metrics = pair_figures(kept, dropped, decontamination, seed=seed, gap_threshold=gap_threshold)
    metrics["pairs"]["contaminated"] = len(found)
    return Outcome(tuple(pair for pair, _ in kept), tuple(dropped), metrics, tuple(queued))


def _drop(pair: PreferencePair, reason: str, evidence: Mapping[str, Any]) -> Dropped:
    return Dropped(pair.id, "validate", reason, evidence)


def _queued(pair: PreferencePair) -> Queued:
    """A pair of a low level waits for another vote, after those that no vote decided yet."""
    return Queued(
        pair.comparison_id, pair.prompt_id, "validate", "low_level", "vote", 1, dict(sorted(pair.votes.items())), 0.5
    )


def _hit_evidence(hit: Hit) -> dict[str, Any]:
    return {name: getattr(hit, name) for name in ("benchmark", "item", "text", "field", "method", "score", "span")}


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


def _examine_all(
    index: ContaminationIndex | None, pairs: Sequence[PreferencePair], workers: int, engine: EngineKind
) -> list[Examined]:
    texts = [
        (
            PART_SEPARATOR.join(turn.content for turn in pair.prompt),
            PART_SEPARATOR.join(turn.content for turn in pair.chosen),
            PART_SEPARATOR.join(turn.content for turn in pair.rejected),
        )
        for pair in pairs
    ]
    # One batch per process and no more: they are all alike, and each costs a task.
    large = workers > 1 and len(texts) >= _MIN_PAIRS_FOR_PROCESSES
    batch_size = -(-len(texts) // max(4, workers)) if large else 1024
    examine = partial(_examine, index)
    return list(map_batches(examine, texts, batch_size=batch_size, workers=workers if large else 1, engine=engine))


def _examine(index: ContaminationIndex | None, batch: Sequence[tuple[str, str, str]]) -> list[Examined]:
    """All that needs the whole text of a pair; runs in other processes for large sets."""
    fields = ({"prompt": prompt, "chosen": chosen, "rejected": rejected} for prompt, chosen, rejected in batch)
    hits = find_all(index, list(fields)) if index else [None] * len(batch)
    return [
        Examined(
            hit=hit,
            warnings=tuple(text_warnings(prompt, chosen, rejected)),
            chosen_words=len(words(chosen)),
            rejected_words=len(words(rejected)),
        )
        for hit, (prompt, chosen, rejected) in zip(hits, batch, strict=True)
    ]
