"""Traces in the text that a trainer would learn instead of the preference: length, loops, echoes, template tokens.

None of this says which response is better. A difference in length is an artefact to report, never a preference gap.
"""

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairsmith.measures.intervals import cluster_bootstrap_mean, figure, wilson
from pairsmith.measures.text import normalise, words

__all__ = ["WARNINGS", "length_auc", "length_summary", "looped_share", "text_warnings"]

WARNINGS: Mapping[str, str] = {
    "looped": "More than 30 % of a response's word 4-grams repeat an earlier one.",
    "unbalanced_fence": "A response opens a code fence and does not close it.",
    "truncated": "A response of 40 words or more ends in the middle of a sentence.",
    "prompt_echo": "A response begins by repeating the prompt.",
    "answer_in_prompt": "The whole chosen response stands in the prompt already.",
    "refusal_chosen": "The chosen response declines to answer.",
    "special_tokens": "A text holds control tokens of a chat template, such as <|im_start|> or [INST].",
}
"""Oddities that are counted and reported; none of them drops a pair."""

LENGTH_EDGES = (0, 5, 10, 20, 40, 80, 160, 320, 640, 1280)
"""Edges of the length histogram, in words; a last edge is added that no length reaches."""

_LOOP_WORDS = 4
_LOOP_SHARE = 0.3
_LOOP_MIN_WORDS = 20
_TRUNCATED_MIN_WORDS = 40
_ECHO_MIN_WORDS = 8
_MATCHED_RATIO = (0.8, 1.25)

_FENCE = re.compile(r"^\s*(?:```|~~~)", re.MULTILINE)
_SPECIAL = re.compile(
    r"<\|(?:im_start|im_end|endoftext|eot_id|begin_of_text|end_of_text|start_header_id|end_header_id|system|user|"
    r"assistant|end)\|>|\[/?INST\]|<</?SYS>>|</?s>|<(?:start|end)_of_turn>"
)
_ENDS = tuple(".!?:;)]}\"'`*_|>~。！？」』”’…।")
_REFUSAL = re.compile(
    r"(?:(?:i m|i am|im) (?:very |so |really )?sorry (?:but|i)|(?:sorry|apologies) (?:but )?i (?:can|am|m|do)|"
    r"i (?:can(?:not| not| t)|am (?:not able|unable)|m (?:not able|unable)|won t|will not|must decline) "
    r"(?:to |help|assist|provide|answer|fulfil|do|comply|create|write|generate|support|engage)|as an ai)"
)


def length_summary(
    chosen: Sequence[int],
    rejected: Sequence[int],
    gaps: Sequence[float | None],
    groups: Sequence[str] | None = None,
    *,
    seed: int,
) -> dict[str, Any]:
    """What length alone gives away about the labels of a dataset.

    Args:
        chosen: length of each chosen response, in words.
        rejected: the same for the rejected ones.
        gaps: gap of each pair in [-1, 1] or None.
        groups: prompt of each pair, for the interval of the mean gap.
        seed: seed of that interval.

    Returns:
        `chosen` and `rejected` histograms (`edges` are in words; `mean`, `median`), `chosen_longer` (share
        of pairs of unequal length in which the chosen response is the longer one; 0.5 means no bias), `auc` (chance
        that a random chosen response is longer than a random rejected one) and `gap_length_matched` (mean gap of the
        pairs whose lengths differ by a factor of at most 1.25).
    """
    longer = sum(a > b for a, b in zip(chosen, rejected, strict=True))
    unequal = sum(a != b for a, b in zip(chosen, rejected, strict=True))
    auc = length_auc(chosen, rejected)
    matched = [
        place
        for place, (a, b) in enumerate(zip(chosen, rejected, strict=True))
        if b and _MATCHED_RATIO[0] <= a / b <= _MATCHED_RATIO[1] and gaps[place] is not None
    ]
    values = [gap for place in matched if (gap := gaps[place]) is not None]
    clusters = [groups[place] for place in matched] if groups else None
    return {
        "chosen": _histogram(chosen),
        "rejected": _histogram(rejected),
        "chosen_longer": figure(longer / unequal, wilson(longer, unequal), unequal)
        if unequal
        else figure(None, reason="no pair has responses of unequal length"),
        "auc": figure(auc, None, len(chosen)) if auc is not None else figure(None, reason="there are no pairs"),
        "gap_length_matched": figure(
            float(np.mean(np.sort(values))), cluster_bootstrap_mean(values, clusters, seed=seed), len(values)
        )
        if values
        else figure(None, reason="no pair with a known gap has responses of similar length"),
    }


def length_auc(chosen: Sequence[int], rejected: Sequence[int]) -> float | None:
    """P(len(chosen) > len(rejected)) + P(equal) / 2 over all combinations (Mann-Whitney); None for no values."""
    if not len(chosen) or not len(rejected):
        return None
    lower = np.sort(np.asarray(rejected))
    wins = np.searchsorted(lower, chosen, side="left") + np.searchsorted(lower, chosen, side="right")
    return float(wins.sum() / (2 * len(chosen) * len(rejected)))


def looped_share(text: str) -> float:
    """Share of word 4-grams that repeat an earlier one, in [0, 1); 0 for texts under 20 words.

    >>> looped_share("and so on " * 20) > 0.9
    True
    """
    tokens = words(text)
    if len(tokens) < _LOOP_MIN_WORDS:
        return 0.0
    grams = list(zip(*(tokens[start:] for start in range(_LOOP_WORDS)), strict=False))
    return 1 - len(set(grams)) / len(grams)


def text_warnings(prompt: str, chosen: str, rejected: str) -> list[str]:
    """The codes of `WARNINGS` that apply to one pair, in alphabetical order.

    The rules read surfaces and err on both sides: they are for counting and for finding rows to look at.
    """
    found = set()
    for response in (chosen, rejected):
        if looped_share(response) > _LOOP_SHARE:
            found.add("looped")
        if len(_FENCE.findall(response)) % 2:
            found.add("unbalanced_fence")
        if _is_cut_off(response):
            found.add("truncated")
        if _SPECIAL.search(response):
            found.add("special_tokens")
    if _SPECIAL.search(prompt):
        found.add("special_tokens")
    asked, preferred, other = normalise(prompt), normalise(chosen), normalise(rejected)
    if asked.count(" ") >= _ECHO_MIN_WORDS - 1 and (preferred.startswith(asked) or other.startswith(asked)):
        found.add("prompt_echo")
    if preferred.count(" ") >= _ECHO_MIN_WORDS - 1 and preferred in asked:
        found.add("answer_in_prompt")
    if _REFUSAL.match(preferred):
        found.add("refusal_chosen")
    return sorted(found)


def _is_cut_off(text: str) -> bool:
    """Prose that stops without a mark at its end; lists, tables and code end as they like."""
    body = text.rstrip()
    last_line = body[body.rfind("\n") + 1 :].strip()
    if not last_line or last_line.endswith(_ENDS) or len(_FENCE.findall(body)):
        return False
    is_item = re.match(r"(?:[-*+•|#>]|\d+[.)])\s?", last_line) or len(last_line.split()) < 6
    return not is_item and len(body.split()) >= _TRUNCATED_MIN_WORDS


def _histogram(lengths: Sequence[int]) -> dict[str, Any]:
    counts = [0] * len(LENGTH_EDGES)
    for length in lengths:
        counts[bisect_left(LENGTH_EDGES, length + 1) - 1] += 1
    values: NDArray[np.int64] = np.asarray(lengths, dtype=np.int64)
    return {
        "edges": [*LENGTH_EDGES, max([2 * LENGTH_EDGES[-1], *(length + 1 for length in lengths)])],
        "counts": counts,
        "mean": float(values.mean()) if len(values) else None,
        "median": float(np.median(values)) if len(values) else None,
    }
