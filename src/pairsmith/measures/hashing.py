"""Hashes of the words of UTF-8 text, without making the words: the same by numba and by numpy, on every machine.

The hash of a word is made of the UTF-8 bytes of its folded form, eight at a time, as a little-endian number each:
Horner's rule over those numbers, then mixed. Here is how characters are folded, and the words of many texts at once
with numpy; `reading_kernel` does the same text by text for numba.

A text is *plain to read* if every character folds by itself. The others (combining marks, ligatures) go through
`pairsmith.measures.text.words` and come back as words joined by spaces. What is a word is decided there in both cases;
the tests hold every code point of Unicode against it. Greek and Cyrillic letters fold by themselves, but are read as
the Latin letters they look like where a part of a text uses them as a disguise; see there.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairsmith.measures.text import LOOKALIKES, OTHER_ALPHABETS, words

__all__ = [
    "ALONE",
    "CONTEXT",
    "FOLDED",
    "FOREIGN",
    "LOOKALIKE_SHIFT",
    "MIX_ONE",
    "MIX_SHIFT",
    "MIX_TWO",
    "PART_SEPARATOR",
    "SKIPPED",
    "WORD_BASE",
    "Words",
    "concatenate",
    "fold_table",
    "hash_words",
    "joined_words",
    "mixed",
    "read_code",
]

PART_SEPARATOR = "\x1e"
"""Stands between the turns of one text."""

# How a code point is read: its folded form if it is a letter or digit, 0 if it separates words, or one of these.
ALONE = 1 << 30  # a word by itself (Han, kana, Thai); its folded form is in the low bits
SKIPPED = 1 << 29  # invisible
CONTEXT = 1 << 28  # cannot be folded by itself
FOREIGN = 1 << 31  # Greek or Cyrillic; the Latin letter it looks like, or 0, is above the low bits
LOOKALIKE_SHIFT = 21
FOLDED = (1 << 21) - 1
_BMP = 0x10000

# Ranges in which no character composes with the one before it; all that is not in them needs its context.
_LETTERS_AND_SIGNS = (
    range(0x80, 0x300),  # Latin
    range(0x370, 0x530),  # Greek, Cyrillic
    range(0x1E00, 0x1F00),
    range(0x5D0, 0x700),  # Hebrew, Arabic
    range(0x2000, 0x2C00),
    range(0x3000, 0x3100),
)
_FORMS = (range(0xFE00, 0xFE10), range(0xFEFF, 0xFFFE))
_HAN = (range(0x3400, 0x4DC0), range(0x4E00, 0xA000))
_HANGUL = range(0xAC00, 0xD7A4)

WORD_BASE = np.uint64(0x9E3779B97F4A7C15)
MIX_ONE = np.uint64(0xFF51AFD7ED558CCD)
MIX_TWO = np.uint64(0xC4CEB9FE1A85EC53)
MIX_SHIFT = np.uint64(33)

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
    table = np.full(_BMP, CONTEXT, dtype=np.uint32)
    for code in range(128):
        table[code] = ord(chr(code).lower()) if chr(code).isalnum() else 0
    for span in (*_LETTERS_AND_SIGNS, *_FORMS):
        table[span.start : span.stop] = [_reading(chr(code)) for code in span]
    for span in _HAN:
        table[span.start : span.stop] = np.arange(span.start, span.stop, dtype=np.uint32) | np.uint32(ALONE)
    table[_HANGUL.start : _HANGUL.stop] = np.arange(_HANGUL.start, _HANGUL.stop, dtype=np.uint32)
    return table


def _reading(character: str) -> int:
    """What a word is, `words` decides, here for one character between two letters."""
    between = words(f"a{character}b")
    if between == ["ab"]:
        return SKIPPED
    folded = unicodedata.normalize("NFKC", character).casefold()
    if any(unicodedata.category(each)[0] == "M" for each in folded):
        return CONTEXT
    if len(folded) == 1 and ord(folded) in OTHER_ALPHABETS:
        code = ord(folded) if words(character) == [folded] else 0
        return FOREIGN | LOOKALIKES.get(code, 0) << LOOKALIKE_SHIFT | code
    if between == ["a", "b"]:
        return 0
    if not all(_stands_alone(ord(each)) for each in folded):
        return CONTEXT
    if len(between) == 1 and len(between[0]) == 3:
        return ord(between[0][1])
    return ord(between[1]) | ALONE if len(between) == 3 and len(between[1]) == 1 else CONTEXT


def _stands_alone(code: int) -> bool:
    return code < 0x300 or any(code in span for span in (*_LETTERS_AND_SIGNS, *_HAN))


def read_code(code: np.int64, joined: bool, fold: _U32) -> np.int64:
    """How a code point above 127 is read."""
    if joined:
        return code
    if code < 0x10000:
        return np.int64(fold[code])
    enclosed = 0x1F100 <= code < 0x1F170 or code == 0x1F190 or 0x1F200 <= code < 0x1F260  # letters in disguise
    return np.int64(0 if 0x1F000 <= code < 0x1FB00 and not enclosed else 1 << 28)


def mixed(values: _U64) -> _U64:
    """Numbers all of whose bits depend on all bits of `values` (the finaliser of MurmurHash3)."""
    values = (values ^ (values >> MIX_SHIFT)) * MIX_ONE
    values = (values ^ (values >> MIX_SHIFT)) * MIX_TWO
    return values ^ (values >> MIX_SHIFT)


def hash_words(data: _U8, offsets: _I64, *, joined: bool = False) -> Words:
    """The words of the texts data[offsets[i]:offsets[i + 1]], UTF-8; with `joined`, as `joined_words` gave them."""
    codes, places = _characters(data)
    reading = _readings(codes, joined)
    context = np.zeros(len(offsets) - 1, dtype=np.bool_)
    if codes.dtype != np.uint8:
        reading = _undisguised(reading, codes, np.searchsorted(places, offsets[:-1]))
        of_text = np.searchsorted(offsets, places[(reading == CONTEXT)], side="right") - 1
        context[of_text] = True
        kept = (reading != SKIPPED) & ~np.repeat(context, np.diff(np.searchsorted(places, offsets)))
        reading, places = reading[kept], places[kept]
    inside = reading != 0
    joins = inside[1:] & inside[:-1]
    if codes.dtype != np.uint8:
        alone = reading >= ALONE
        joins &= ~(alone[1:] | alone[:-1])
    borders = np.searchsorted(places, offsets[1:-1])
    joins[borders[(borders > 0) & (borders < len(places))] - 1] = False
    first, last = inside.copy(), inside.copy()
    first[1:] &= ~joins
    last[:-1] &= ~joins
    begins, ends = np.flatnonzero(first), np.flatnonzero(last) + 1
    hashes = _word_hashes(*_folded_bytes(reading, begins, ends))
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
        high = np.full(len(codes), CONTEXT, dtype=np.uint32)
        beyond = np.flatnonzero(~low)
        high[beyond] = [read_code(np.int64(code), joined, table) for code in codes[beyond].tolist()]
    reading = np.where(low, table[np.where(low, codes, 0)], high)
    return reading


def _undisguised(
    reading: NDArray[np.unsignedinteger[Any]], codes: NDArray[np.unsignedinteger[Any]], starts: _I64
) -> NDArray[np.unsignedinteger[Any]]:
    """The readings with Greek and Cyrillic letters as such, or as Latin ones in parts where they are a disguise."""
    foreign = np.flatnonzero(reading & np.uint32(FOREIGN)) if reading.dtype == np.uint32 else np.zeros(0, np.int64)
    if not foreign.size:
        return reading
    part_starts = np.unique(np.concatenate([starts, np.flatnonzero(codes == ord(PART_SEPARATOR))]))
    part_starts = part_starts[part_starts < len(codes)]
    parts = np.searchsorted(part_starts, foreign, side="right") - 1
    has_latin = np.logical_or.reduceat((reading >= ord("a")) & (reading <= ord("z")), part_starts)
    letters = reading[foreign]
    alike = letters >> np.uint32(LOOKALIKE_SHIFT) & np.uint32(0x7F)
    counts = [np.bincount(each, minlength=len(part_starts)) for each in (parts[alike > 0], parts[alike == 0])]
    disguised = has_latin & (counts[0] > 0) & (counts[1] == 0)
    reading = reading.copy()
    reading[foreign] = np.where(disguised[parts], alike, letters & np.uint32(FOLDED))
    return reading


def _folded_bytes(
    reading: NDArray[np.unsignedinteger[Any]], begins: _I64, ends: _I64
) -> tuple[NDArray[np.uint8], _I64, _I64]:
    """The folded characters as UTF-8, and where in it the words reading[begins[i]:ends[i]] begin and end."""
    if reading.dtype == np.uint8:
        return reading.astype(np.uint8), begins, ends
    codes = reading & reading.dtype.type(FOLDED)
    places = np.zeros(len(codes) + 1, dtype=np.int64)
    np.cumsum(1 + (codes >= 0x80).astype(np.uint8) + (codes >= 0x800) + (codes >= 0x10000), out=places[1:])
    text = codes.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
    return np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8), places[begins], places[ends]


def _word_hashes(folded: NDArray[np.uint8], begins: _I64, ends: _I64) -> _U64:
    """Horner's rule over the bytes of each word, eight at a time (modulo 2**64)."""
    padded = np.append(folded, np.zeros(8, dtype=np.uint8))
    eights = np.ndarray(len(folded) + 1, dtype="<u8", buffer=padded, strides=(1,))  # the eight bytes from each place
    values = np.zeros(len(begins), dtype=np.uint64)
    words, at = np.arange(len(begins)), begins
    while words.size:
        left = np.minimum(ends[words] - at, 8)
        masks = np.uint64(0xFFFFFFFFFFFFFFFF) >> (64 - 8 * left).astype(np.uint64)
        values[words] = values[words] * WORD_BASE + (eights[at] & masks)
        longer = ends[words] - at > 8
        words, at = words[longer], at[longer] + 8
    return mixed(values)
