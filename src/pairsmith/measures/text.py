"""Normal forms of text for matching and counting; what is stored and exported is never normalised."""

import re
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["LOOKALIKES", "OTHER_ALPHABETS", "normalise", "squash", "words"]

# U+00AD soft hyphen, zero-width characters, bidirectional controls, word joiner and invisible operators, BOM, tags
_INVISIBLE = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e007f]")

# Scripts written without spaces: each character counts as one word. Thai, Lao, Myanmar, Khmer, kana, Han.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
# Vowel signs of the Indic scripts are marks, not letters, for `\w`; without them every word would fall apart.
_INDIC = "\u0900-\u0963\u0966-\u0dff"
_ASCII_WORD = re.compile("[a-z0-9]+")
_WORD = re.compile(f"[{_UNSPACED}]|(?:[^\\W_{_UNSPACED}]|[{_INDIC}\u0300-\u036f])+")

LOOKALIKES: Mapping[int, int] = MappingProxyType(
    str.maketrans(
        "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u04bb\u0501\u051b\u051d\u03bf\u03bd\u03b1\u03b9",
        "aeopcyxijshdqwovai",
    )
)
"""Cyrillic and Greek letters that look like Latin ones, after casefolding."""
OTHER_ALPHABETS = range(0x370, 0x530)
"""Greek and Cyrillic."""
_LOOKALIKE = re.compile("[" + "".join(map(chr, LOOKALIKES)) + "]")
_LATIN = re.compile("[a-z]")
_OTHER_ALPHABET = re.compile("[\u0370-\u052f]")


def _fold(text: str) -> str:
    """Compatibility forms, case and invisible characters levelled; punctuation and spaces still there."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).casefold()
    # A text in Latin letters that uses foreign letters only where they look Latin is disguised, not Russian or Greek.
    if _LOOKALIKE.search(folded) and _LATIN.search(folded):
        latin = folded.translate(LOOKALIKES)
        if not _OTHER_ALPHABET.search(latin):
            return latin
    return folded


def words(text: str) -> list[str]:
    """The words of `text` in normal form: runs of letters and digits; each Han, kana or Thai character is one word.

    >>> words("Ｈｅｌｌｏ, wo\u200brld_2! 你好")
    ['hello', 'world', '2', '你', '好']
    """
    folded = _fold(text)
    return (_ASCII_WORD if folded.isascii() else _WORD).findall(folded)


def normalise(text: str) -> str:
    r"""`text` for matching: NFKC, casefolded, invisible characters gone, punctuation and whitespace one space each.

    Two texts that differ only in operators ("x = -2" and "x = 2") become equal: use `squash` where that matters.

    >>> normalise("  What's  the SUM?\n")
    'what s the sum'
    """
    return " ".join(words(text))


def squash(text: str) -> str:
    r"""`text` as a reader sees it: NFKC, invisible characters gone, whitespace collapsed; case and signs kept.

    >>> squash(" x =\u00a0-2\n\n")
    'x = -2'
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))
    return " ".join(text.split())
