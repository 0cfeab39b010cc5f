"""Hashes of the words of UTF-8 text, without making the words: the same in numba and in numpy, on every machine.

A text is *plain to read* if every character folds by itself. The others (combining marks, Greek and Cyrillic, which
may be disguised Latin, ligatures) go through `pairsmith.measures.text.words` and come back as words joined by spaces.
What is a word is decided there in both cases; the tests hold every code point of Unicode against it.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairsmith.measures.text import words

__all__ = [
    "PART_SEPARATOR",
    "Words",
    "concatenate",
    "decode",
    "fold_table",
    "hash_words",
    "joined_words",
    "mixed",
    "mixed_word",
    "read_code",
    "read_words",
]

PART_SEPARATOR = "\x1e"
"""Stands between the turns of one text."""

# How a code point is read: its folded form if it is a letter or digit, 0 if it separates words, or one of these.
_ALONE = 1 << 30  # a word by itself (Han, kana, Thai); its folded form is in the low bits
_SKIPPED = 1 << 29  # invisible
_CONTEXT = 1 << 28  # cannot be folded by itself
_CODE = (1 << 21) - 1
_BMP = 0x10000

# Ranges in which no character composes with the one before it; all that is not in them needs its context.
_LETTERS_AND_SIGNS = (
    range(0x80, 0x300),  # Latin
    range(0x1E00, 0x1F00),
    range(0x5D0, 0x700),  # Hebrew, Arabic
    range(0x2000, 0x2C00),
    range(0x3000, 0x3100),
)
_FORMS = (range(0xFE00, 0xFE10), range(0xFEFF, 0xFFFE))
_HAN = (range(0x3400, 0x4DC0), range(0x4E00, 0xA000))
_HANGUL = range(0xAC00, 0xD7A4)

_BLOCK_OF_WORDS = 1 << 15
_BASE = np.uint64(0x9E3779B97F4A7C15)
_MIX_ONE = np.uint64(0xFF51AFD7ED558CCD)
_MIX_TWO = np.uint64(0xC4CEB9FE1A85EC53)
_SHIFT = np.uint64(33)

_U8 = NDArray[np.uint8]
_U32 = NDArray[np.uint32]
_U64 = NDArray[np.uint64]
_I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a batch of texts: hash, text they stand in, and where (bytes of the batch; `ends` is exclusive).

    `context` marks the texts that cannot be read plainly; they have no words here.
    """

    hashes: _U64
    texts: _I64
    begins: _I64
    ends: _I64
    context: NDArray[np.bool_]


def concatenate(texts: Sequence[str]) -> tuple[_U8, _I64]:
    """The UTF-8 bytes of all texts, and where each begins and the last ends: shapes (bytes,) and (texts + 1,)."""
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    offsets = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum([len(each) for each in encoded], out=offsets[1:])
    return np.frombuffer(b"".join(encoded), dtype=np.uint8), offsets


def joined_words(text: str) -> str:
    """The words of a text joined by spaces, its parts kept apart: what `hash_words` reads with `joined`."""
    return PART_SEPARATOR.join(" ".join(words(part)) for part in text.split(PART_SEPARATOR))


@cache
def fold_table() -> _U32:
    """How each code point below 0x10000 is read."""
    table = np.full(_BMP, _CONTEXT, dtype=np.uint32)
    for code in range(128):
        table[code] = ord(chr(code).lower()) if chr(code).isalnum() else 0
    for span in (*_LETTERS_AND_SIGNS, *_FORMS):
        table[span.start : span.stop] = [_reading(chr(code)) for code in span]
    for span in _HAN:
        table[span.start : span.stop] = np.arange(span.start, span.stop, dtype=np.uint32) | np.uint32(_ALONE)
    table[_HANGUL.start : _HANGUL.stop] = np.arange(_HANGUL.start, _HANGUL.stop, dtype=np.uint32)
    return table


def _reading(character: str) -> int:
    """What a word is, `words` decides, here for one character between two letters."""
    between = words(f"a{character}b")
    if between == ["ab"]:
        return _SKIPPED
    folded = unicodedata.normalize("NFKC", character).casefold()
    if any(unicodedata.category(each)[0] == "M" or not _stands_alone(ord(each)) for each in folded):
        return _CONTEXT
    if between == ["a", "b"]:
        return 0
    if len(between) == 1 and len(between[0]) == 3:
        return ord(between[0][1])
    return ord(between[1]) | _ALONE if len(between) == 3 and len(between[1]) == 1 else _CONTEXT


def _stands_alone(code: int) -> bool:
    return code < 0x300 or any(code in span for span in (*_LETTERS_AND_SIGNS, *_HAN))


# ------------------------------------------------------------------------------- compiled: one text, byte by byte


def mixed_word(value: np.uint64) -> np.uint64:
    """A number all of whose bits depend on all bits of `value` (the finaliser of MurmurHash3)."""
    value = (value ^ (value >> _SHIFT)) * _MIX_ONE
    value = (value ^ (value >> _SHIFT)) * _MIX_TWO
    return value ^ (value >> _SHIFT)


def decode(data: _U8, at: int, end: int) -> tuple[np.int64, int]:
    """Code point and length in bytes of the character at `at`, whose first byte is above 127."""
    lead = np.int64(data[at])
    if lead >= 0xF0 and at + 3 < end:
        code = (lead & 7) << 18 | (np.int64(data[at + 1]) & 63) << 12
        return code | (np.int64(data[at + 2]) & 63) << 6 | np.int64(data[at + 3]) & 63, 4
    if lead >= 0xE0 and at + 2 < end:
        return (lead & 15) << 12 | (np.int64(data[at + 1]) & 63) << 6 | np.int64(data[at + 2]) & 63, 3
    if lead >= 0xC0 and at + 1 < end:
        return (lead & 31) << 6 | np.int64(data[at + 1]) & 63, 2
    return np.int64(32), 1


def read_code(code: np.int64, joined: bool, fold: _U32) -> np.int64:
    """How a code point above 127 is read."""
    if joined:
        return code
    if code < 0x10000:
        return np.int64(fold[code])
    enclosed = 0x1F100 <= code < 0x1F170 or code == 0x1F190 or 0x1F200 <= code < 0x1F260  # letters in disguise
    return np.int64(0 if 0x1F000 <= code < 0x1FB00 and not enclosed else 1 << 28)


def read_words(data: _U8, at: int, end: int, joined: bool, fold: _U32, hashes: _U64, begins: _I64, ends: _I64) -> int:
    """Words of data[at:end] into the three arrays; their number, or -1 if the text is not plain. For numba."""
    count, inside, begin, value = 0, False, at, np.uint64(0)
    while at < end:
        # ASCII without branches that depend on the letters: what does not count yet is written and overwritten.
        while at < end and data[at] < 128:
            code = np.uint64(fold[data[at]])
            letter = code != 0
            hashes[count], ends[count] = value, at
            count += inside and not letter
            begin = begin if inside else at
            begins[count] = begin
            value = (value * _BASE if inside else np.uint64(0)) + code
            inside = letter
            at += 1
        if at >= end:
            break
        point, size = decode(data, at, end)
        reading = read_code(point, joined, fold)
        if reading == 1 << 28:
            return -1
        if inside and (reading == 0 or reading >= 1 << 30):
            hashes[count], begins[count], ends[count] = value, begin, at
            count, inside = count + 1, False
        if reading >= 1 << 30:
            hashes[count], begins[count], ends[count] = np.uint64(reading & 0x1FFFFF), at, at + size
            count += 1
        elif 0 < reading < 1 << 28:
            begin = begin if inside else at
            value = (value * _BASE if inside else np.uint64(0)) + np.uint64(reading)
            inside = True
        at += size
    if inside:
        hashes[count], begins[count], ends[count] = value, begin, end
        count += 1
    for word in range(count):
        hashes[word] = mixed_word(hashes[word])
    return count


# ------------------------------------------------------------------------------- numpy: all texts at once


def mixed(values: _U64) -> _U64:
    """`mixed_word` of each."""
    values = (values ^ (values >> _SHIFT)) * _MIX_ONE
    values = (values ^ (values >> _SHIFT)) * _MIX_TWO
    return values ^ (values >> _SHIFT)


def hash_words(data: _U8, offsets: _I64, *, joined: bool = False) -> Words:
    """The words of the texts data[offsets[i]:offsets[i + 1]], UTF-8; with `joined`, as `joined_words` gave them."""
    codes, places = _characters(data)
    reading = _readings(codes, joined)
    context = np.zeros(len(offsets) - 1, dtype=np.bool_)
    if codes.dtype != np.uint8:
        of_text = np.searchsorted(offsets, places[(reading == _CONTEXT)], side="right") - 1
        context[of_text] = True
        kept = (reading != _SKIPPED) & ~np.repeat(context, np.diff(np.searchsorted(places, offsets)))
        reading, places = reading[kept], places[kept]
    inside = reading != 0
    joins = inside[1:] & inside[:-1]
    if codes.dtype != np.uint8:
        alone = reading >= _ALONE
        joins &= ~(alone[1:] | alone[:-1])
    borders = np.searchsorted(places, offsets[1:-1])
    joins[borders[(borders > 0) & (borders < len(places))] - 1] = False
    first, last = inside.copy(), inside.copy()
    first[1:] &= ~joins
    last[:-1] &= ~joins
    begins, ends = np.flatnonzero(first), np.flatnonzero(last) + 1
    hashes = _word_hashes(reading, begins, ends)
    begins, ends = places[begins], np.append(places, len(data))[ends]
    texts = np.repeat(np.arange(len(offsets) - 1), np.diff(np.searchsorted(begins, offsets)))
    return Words(hashes, texts, begins, np.minimum(ends, offsets[texts + 1]), context)


def _characters(data: _U8) -> tuple[NDArray[np.unsignedinteger[Any]], _I64]:
    """The code point of each character (the bytes themselves, if all are ASCII) and its first byte."""
    if not len(data) or data.max() < 128:
        return data, np.arange(len(data))
    places = np.flatnonzero((data & np.uint8(0xC0)) != 0x80)
    text = data.tobytes().decode("utf-8", "surrogatepass")
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4"), places


def _readings(codes: NDArray[np.unsignedinteger[Any]], joined: bool) -> NDArray[np.unsignedinteger[Any]]:
    table = fold_table()
    reading: NDArray[np.unsignedinteger[Any]]
    if codes.dtype == np.uint8:
        reading = table[:128].astype(np.uint8)[codes]
        return reading
    low = codes < (128 if joined else _BMP)
    if joined:
        high = codes
    else:
        high = np.full(len(codes), _CONTEXT, dtype=np.uint32)
        beyond = np.flatnonzero(~low)
        high[beyond] = [read_code(np.int64(code), joined, table) for code in codes[beyond].tolist()]
    reading = np.where(low, table[np.where(low, codes, 0)], high)
    return reading


def _word_hashes(reading: NDArray[np.unsignedinteger[Any]], begins: _I64, ends: _I64) -> _U64:
    """Horner's rule over the characters of each word, as differences of running sums (all modulo 2**64)."""
    values = np.zeros(len(begins), dtype=np.uint64)
    for block in range(0, len(begins), _BLOCK_OF_WORDS):
        here = slice(block, block + _BLOCK_OF_WORDS)
        low, high = begins[block], ends[here][-1]
        powers, inverses = _powers(1 << int(high - low).bit_length())
        codes = reading[low:high] & reading.dtype.type(_CODE & np.iinfo(reading.dtype).max)
        sums = np.zeros(high - low + 1, dtype=np.uint64)
        np.cumsum(codes * inverses[: high - low], out=sums[1:])
        values[here] = (sums[ends[here] - low] - sums[begins[here] - low]) * powers[ends[here] - low - 1]
    return mixed(values)


@lru_cache(maxsize=2)
def _powers(count: int) -> tuple[_U64, _U64]:
    """The powers of the base and of its inverse modulo 2**64."""
    base = np.full(count, _BASE, dtype=np.uint64)
    inverse = np.full(count, pow(int(_BASE), -1, 1 << 64), dtype=np.uint64)
    base[0] = inverse[0] = 1
    return np.multiply.accumulate(base), np.multiply.accumulate(inverse)
