"""The part of stage 5 that looks for benchmark items: copies of them, and prompts that only come near one."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pairsmith.config import ValidateConfig
from pairsmith.measures.contamination import Hit, build_index, find_all
from pairsmith.measures.near_items import Near, build_near, decide, propose
from pairsmith.measures.side_by_side import shared_spans
from pairsmith.measures.text import words
from pairsmith.records import Benchmark, PreferencePair

__all__ = [
    "COMMON_PHRASE_PROMPTS",
    "Fields",
    "NearFindings",
    "explained",
    "look_near",
    "mark",
    "nearest",
    "prompt_texts",
    "without_common_phrases",
]

COMMON_PHRASE_PROMPTS = 10
"""A short item within the texts of more prompts than this is a common phrase, and accuses nobody."""
_PHRASE_WORDS = 11
_SHOWN_CHARACTERS = 400

Fields = Mapping[str, str]
"""The texts of one pair by name: prompt, chosen, rejected."""


@dataclass(frozen=True, slots=True)
class NearFindings:
    """What came near a benchmark item, by text, and what was done to find it.

    `semantic` has `state` (`evaluated` or `not_evaluated`), `reason`, and where a model was asked its `model`,
    `revision` and the number of `texts`.
    """

    hits: Mapping[str, Near]
    semantic: Mapping[str, Any]


def prompt_texts(pair: PreferencePair) -> list[str]:
    """What is compared with whole items: every turn of the user, and all of them as one."""
    turns = [turn.content for turn in pair.prompt if turn.role == "user"]
    return [*turns, "\n\n".join(turns)] if len(turns) > 1 else turns


def look_near(benchmarks: Sequence[Benchmark], pairs: Sequence[PreferencePair], reason: str) -> NearFindings:
    """What the words of the prompts come near to; `reason` says why no model was asked about their meaning."""
    index = build_near([(each.name, each.items) for each in benchmarks])
    texts = sorted({text for pair in pairs for text in prompt_texts(pair)})
    hits = decide(index, texts, propose(index, texts))
    return NearFindings(hits, {"state": "not_evaluated", "reason": reason})


def nearest(findings: NearFindings, pair: PreferencePair) -> Near | None:
    """The item nearest to any text of the prompt; what is only possible comes last."""
    found = [findings.hits[text] for text in prompt_texts(pair) if text in findings.hits]
    return max(found, key=lambda near: (near.method != "possible", near.score), default=None)


def without_common_phrases(
    cfg: ValidateConfig,
    benchmarks: Sequence[Benchmark],
    pairs: Sequence[PreferencePair],
    fields: Sequence[Fields],
    hits: Sequence[Hit | None],
) -> tuple[list[Hit | None], list[dict[str, Any]]]:
    """The hits, but for those of items that are common phrases of this dataset; and these phrases.

    "What is the meaning of life?" within one long text may be a leak; within twenty it is how people talk. Only items
    of at most 11 words that are contained in a longer text can be common phrases: equal texts always count. Texts
    that hold one are searched again for everything else.
    """
    holders: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
    for place, hit in enumerate(hits):
        if hit and hit.method == "contained" and len(words(hit.text)) <= _PHRASE_WORDS:
            holders[hit.benchmark, hit.item].append(place)
    common = {
        key: places
        for key, places in holders.items()
        if len({pairs[place].prompt_id for place in places}) > COMMON_PHRASE_PROMPTS
    }
    if not common:
        return list(hits), []
    left = [
        (each.name, ["" if (each.name, number) in common else text for number, text in enumerate(each.items)])
        for each in benchmarks
    ]
    again = sorted(place for places in common.values() for place in places)
    index = build_index(left, ngram=cfg.ngram, coverage=cfg.coverage)
    found = dict(zip(again, find_all(index, [fields[place] for place in again]), strict=True))
    texts = {(hit.benchmark, hit.item): hit.text for hit in hits if hit}
    phrases = [
        {"benchmark": name, "item": item, "text": texts[name, item], "pairs": len(places)}
        for (name, item), places in sorted(common.items())
    ]
    return [found.get(place, hit) for place, hit in enumerate(hits)], phrases


def mark(hit: Hit | Near) -> str:
    """What a row says about itself: benchmark, item, method and score in one line."""
    return f"{hit.benchmark} item {hit.item}: {hit.method} {hit.score:.2f}"


def explained(hit: Hit | Near) -> dict[str, Any]:
    """The evidence: the item and the passage, and in `shared` the characters of each that the other has, too."""
    text, span = hit.text[:_SHOWN_CHARACTERS], hit.span[:_SHOWN_CHARACTERS]
    in_text, in_span = shared_spans(text, span)
    return {
        "benchmark": hit.benchmark,
        "item": hit.item,
        "text": text,
        "field": hit.field if isinstance(hit, Hit) else "prompt",
        "method": hit.method,
        "score": hit.score,
        "span": span,
        "shared": {"text": [list(each) for each in in_text], "span": [list(each) for each in in_span]},
        **({} if isinstance(hit, Hit) else {"lexical": hit.lexical, "cosine": hit.cosine}),
    }
