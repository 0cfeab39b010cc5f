"""What is worth a warning about the texts of a row. Simple rules, each named in `reasons.WARNINGS`."""

import re
from collections.abc import Sequence

from pairsmith.formats.fields import shared_start
from pairsmith.records import Candidate, Message

__all__ = ["advise_answer", "advise_pair", "advise_prompt"]

NEARLY_ALL = 0.97
LOOPED_SHARE = 0.3
NGRAM_WORDS = 4
LOOP_MIN_WORDS = 50
LOOP_MAX_WORDS = 2000  # enough to see a loop; bounds the cost of a very long text
ECHO_MIN_CHARACTERS = 20
OPENING_CHARACTERS = 200

_SPECIAL_TOKENS = re.compile(
    r"<\|(?:im_start|im_end|endoftext|eot_id|start_header_id|end_header_id|begin_of_text|user|assistant|system)\|>"
    r"|\[/?INST\]|<</?SYS>>|</?s>|<(?:start|end)_of_turn>"
)
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_REFUSAL = re.compile(
    r"^\W*(?:i['’]?m (?:very |so |really )?sorry|sorry|i apologi[sz]e|i (?:can ?not|can['’]t|won['’]t|am unable to)"
    r"|as an ai)\b",
    re.IGNORECASE,
)
_SELF_PHRASES = ("as an ai", "as a language model", "as a large language model", "i am chatgpt", "i am claude")
_SELF = re.compile(rf"\b(?:{'|'.join(_SELF_PHRASES)})\b")


def advise_prompt(messages: Sequence[Message]) -> tuple[str, ...]:
    """Warnings about a prompt."""
    return tuple(dict.fromkeys(code for message in messages for code in _characters(message.content)))


def advise_answer(candidate: Candidate) -> tuple[str, ...]:
    """Warnings about one answer."""
    text = candidate.text
    if not text.strip():
        return ("not_text_answer",) if candidate.error else ("empty_answer",)
    words = text.split(maxsplit=LOOP_MAX_WORDS)[:LOOP_MAX_WORDS]
    found = {
        "self_reference": _speaks_of_itself(text.lower()),
        "cut_off": candidate.finish_reason == "length",
        "unbalanced_code_fence": text.count("```") % 2 == 1,
        "looped_text": _repeated_share(words) > LOOPED_SHARE,
        "one_word_answer": len(words) == 1,
    }
    return (*_characters(text), *(code for code, holds in found.items() if holds))


def advise_pair(prompt: Sequence[Message], chosen: str, rejected: str) -> tuple[str, ...]:
    """Warnings about a labelled pair."""
    asked = prompt[-1].content.strip()
    found = {
        "nearly_identical": _shared_share(chosen, rejected) > NEARLY_ALL,
        "prompt_echo": len(asked) >= ECHO_MIN_CHARACTERS and chosen.lstrip().startswith(asked),
        "answer_in_prompt": len(chosen.strip()) >= ECHO_MIN_CHARACTERS and chosen.strip() in asked,
        "refusal_chosen": _REFUSAL.match(chosen[:OPENING_CHARACTERS]) is not None,
    }
    return tuple(code for code, holds in found.items() if holds)


def _characters(text: str) -> list[str]:
    found = ["special_tokens"] if _SPECIAL_TOKENS.search(text) else []
    if not text.isascii() and _BIDI.search(text):
        found.append("bidi_control")
    return found


def _speaks_of_itself(lowered: str) -> bool:
    # the plain search is many times faster than the pattern, and nearly always settles it
    return any(phrase in lowered for phrase in _SELF_PHRASES) and _SELF.search(lowered) is not None


def _repeated_share(words: Sequence[str]) -> float:
    if len(words) < LOOP_MIN_WORDS:
        return 0.0
    grams = list(zip(*(words[start:] for start in range(NGRAM_WORDS)), strict=False))
    return 1 - len(set(grams)) / len(grams)


def _shared_share(one: str, other: str) -> float:
    """Share of the longer text that both have at the start and the end: never more than their edit similarity."""
    longer, shorter = max(len(one), len(other)), min(len(one), len(other))
    if not longer or shorter < NEARLY_ALL * longer:
        return 0.0
    start = shared_start(one, other)
    rest = shorter - start
    end = shared_start(one[len(one) - rest :][::-1], other[len(other) - rest :][::-1])
    return (start + end) / longer
