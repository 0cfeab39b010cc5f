"""What the surface of a response shows without understanding it: length, layout, repetition, echo of the prompt."""

import math
import re
from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["FEATURES", "Vector", "surface_features", "surface_traits"]

Vector: TypeAlias = npt.NDArray[np.float64]

FEATURES: Final = (
    "log_characters",
    "log_words",
    "log_sentences",
    "log_sentence_length",
    "mean_word_length",
    "log_paragraphs",
    "log_list_items",
    "log_code_fences",
    "log_headings_and_bold",
    "log_questions",
    "log_exclamations",
    "digit_share",
    "capital_share",
    "punctuation_share",
    "distinct_word_share",
    "repeated_trigram_share",
    "repeated_line_share",
    "share_from_prompt",
    "prompt_word_coverage",
    "prompt_trigram_share",
    "refusal",
    "first_person",
    "ends_a_sentence",
    "starts_with_capital",
)
"""Names of the columns, in order. `log_` is the natural logarithm of 1 + count; shares and flags lie in [0, 1]."""

_WORD = re.compile(r"\w+")
_SENTENCE_END = re.compile(r"[.!?…。！？]+(?=\s|$|[\"')\]])")
_PARAGRAPH = re.compile(r"\n\s*\n")
_LIST_ITEM = re.compile(r"^\s{0,8}(?:[-*•+]|\d{1,3}[.)])\s+\S", re.MULTILINE)
_HEADING_OR_BOLD = re.compile(r"^#{1,6}\s|\*\*[^*\n]+\*\*", re.MULTILINE)
_FIRST_PERSON = re.compile(r"\b(?:I|I'm|I've|me|my)\b")
_REFUSAL = re.compile(
    r"\b(?:as an ai|i(?:'m| am) sorry,? but|i (?:can't|cannot|can not|won't|am unable to|'m unable to)|"
    r"i(?:'m| am) (?:not able|unable) to|unable to (?:help|assist|comply))\b",
    re.IGNORECASE,
)
_REFUSAL_WINDOW = 200  # characters; a refusal comes first, a later "I cannot" is usually content
_CLOSING = "\"')]}*`”’»"
_SENTENCE_MARKS = (".", "!", "?", "…", "。", "！", "？", ":")

Trigram: TypeAlias = tuple[str, str, str]


def surface_features(prompt: str, response: str) -> Vector:
    """The surface of one response to one prompt.

    Returns:
        float64, shape (len(FEATURES),), finite for any two texts, the empty ones included.
    """
    text = response.strip()
    words = _WORD.findall(text.lower())
    sentences = max(len(_SENTENCE_END.findall(text)), 1 if words else 0)
    values = (
        math.log1p(len(text)),
        math.log1p(len(words)),
        math.log1p(sentences),
        math.log1p(len(words) / sentences) if sentences else 0.0,
        _share(sum(map(len, words)), len(words)),
        *_layout(text),
        *_character_shares(text),
        *_repetition(text, words),
        *_echo(_WORD.findall(prompt.lower()), words),
        *_manner(text),
    )
    return np.array(values, dtype=np.float64)


def surface_traits(response: str) -> dict[str, bool]:
    """What `surface_features` would call a refusal, headings, bold or code (`markdown`), and a list, and no more."""
    text = response.strip()
    marked = "```" in text or (("#" in text or "**" in text) and _HEADING_OR_BOLD.search(text) is not None)
    return {"refusal": _refuses(text), "markdown": marked, "list": _LIST_ITEM.search(text) is not None}


def _layout(text: str) -> tuple[float, ...]:
    counts = (
        len(_PARAGRAPH.split(text)) if text else 0,
        len(_LIST_ITEM.findall(text)),
        text.count("```"),
        len(_HEADING_OR_BOLD.findall(text)),
        text.count("?") + text.count("？"),
        text.count("!") + text.count("！"),
    )
    return tuple(math.log1p(count) for count in counts)


def _character_shares(text: str) -> tuple[float, float, float]:
    digits = sum(map(str.isdigit, text))
    capitals = sum(map(str.isupper, text))
    letters = sum(map(str.isalpha, text))
    spaces = sum(map(str.isspace, text))
    marks = len(text) - sum(map(str.isalnum, text)) - spaces
    return _share(digits, len(text)), _share(capitals, letters), _share(marks, len(text))


def _repetition(text: str, words: Sequence[str]) -> tuple[float, float, float]:
    trigrams = _trigrams(words)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (
        _share(len(set(words)), len(words)),
        1.0 - _share(len(set(trigrams)), len(trigrams)) if trigrams else 0.0,
        1.0 - _share(len(set(lines)), len(lines)) if lines else 0.0,
    )


def _echo(prompt_words: Sequence[str], words: Sequence[str]) -> tuple[float, float, float]:
    asked, answered = set(prompt_words), set(words)
    asked_trigrams, trigrams = set(_trigrams(prompt_words)), _trigrams(words)
    return (
        _share(sum(word in asked for word in words), len(words)),
        _share(len(asked & answered), len(asked)),
        _share(sum(trigram in asked_trigrams for trigram in trigrams), len(trigrams)),
    )


def _manner(text: str) -> tuple[float, float, float, float]:
    return (
        float(_refuses(text)),
        float(_FIRST_PERSON.search(text) is not None),
        float(text.rstrip(_CLOSING).endswith(_SENTENCE_MARKS)),
        float(text[:1].isupper()),
    )


def _refuses(text: str) -> bool:
    return _REFUSAL.search(text[:_REFUSAL_WINDOW].replace("’", "'")) is not None


def _trigrams(words: Sequence[str]) -> list[Trigram]:
    return list(zip(words, words[1:], words[2:], strict=False))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
