"""The words of one text and their hashes, for numba: what `hashing.hash_words` does with numpy. Imported with numba."""

import numpy as np
from numpy.typing import NDArray

from pairsmith.measures.hashing import (
    ALONE,
    CONTEXT,
    FOLDED,
    FOREIGN,
    LOOKALIKE_SHIFT,
    MIX_ONE,
    MIX_SHIFT,
    MIX_TWO,
    SKIPPED,
    WORD_BASE,
    read_code,
)
from pairsmith.measures.vectors import BLOCK, eight_bytes, fold_block, lowest_bit, nonzero_block

__all__ = ["HELPERS", "Desk", "desk_for", "mixed_word", "read_words", "word_begin", "word_end"]

_U8 = NDArray[np.uint8]
_U32 = NDArray[np.uint32]
_U64 = NDArray[np.uint64]
_I64 = NDArray[np.int64]

_ONE, _LAST, _ALL = np.uint64(1), np.uint64(63), np.uint64(0xFFFFFFFFFFFFFFFF)

# What reading one text needs: folded bytes, where each comes from, borders of the words (begin, end, begin, ...).
Desk = tuple[_U8, _I64, _I64]


def mixed_word(value: np.uint64) -> np.uint64:
    """`hashing.mixed` of one number."""
    value = (value ^ (value >> MIX_SHIFT)) * MIX_ONE
    value = (value ^ (value >> MIX_SHIFT)) * MIX_TWO
    return value ^ (value >> MIX_SHIFT)


def desk_for(longest: int) -> Desk:
    """Room to read texts of at most `longest` bytes."""
    room = 2 * longest + 2 * BLOCK
    return np.zeros(room, np.uint8), np.zeros(room, np.int64), np.zeros(room, np.int64)


def read_words(
    data: _U8, at: int, end: int, joined: bool, fold: _U32, desk: Desk, hashes: _U64
) -> tuple[int, bool, bool]:
    """Hash the words of data[at:end]; their borders lie on the desk then.

    Returns:
        How many there are, or -1 if the text is not plain; whether the text has non-ASCII characters (`word_begin`
        wants to know); whether it has several parts.
    """
    folded, origins, borders = desk
    count, parts = _fold_ascii(data, at, end, folded, borders)
    foreign = count < 0
    if foreign:
        size, parts = _fold_any(data, at, end, joined, fold, folded, origins)
        if size < 0:
            return -1, True, False
        count = _find_borders(folded, size, borders)
    words = count // 2
    for word in range(words):
        hashes[word] = _hash_word(folded, borders[2 * word], borders[2 * word + 1])
    return words, foreign, parts


def word_begin(desk: Desk, at: int, foreign: bool, word: int) -> int:
    """The first byte of a word of the text that begins at `at`."""
    place = desk[2][2 * word]
    return at + int(desk[1][place] if foreign else place)


def word_end(desk: Desk, at: int, foreign: bool, word: int) -> int:
    """The byte after a word."""
    place = desk[2][2 * word + 1]
    return at + int(desk[1][place] if foreign else place)


def _fold_ascii(data: _U8, at: int, end: int, folded: _U8, borders: _I64) -> tuple[int, bool]:
    """Folded bytes and borders of an ASCII text: how many borders, or -1 if it is none; whether it has parts."""
    count, carry, separators, place, size = 0, np.uint64(0), np.uint64(0), 0, end - at
    while place < size:
        if place + BLOCK <= size:
            letters, others, breaks = fold_block(data, at + place, folded, place)
        else:  # what follows the text is not its own, and may not even be there
            for byte in range(place, size):
                folded[byte] = data[at + byte]
            folded[size : place + BLOCK] = 0
            letters, others, breaks = fold_block(folded, place, folded, place)
        if others:
            return -1, False
        separators |= breaks
        count = _add_borders(letters, carry, place, borders, count)
        carry = letters >> _LAST
        place += BLOCK
    if carry:
        borders[count] = size
        count += 1
    return count, separators != 0


def _find_borders(folded: _U8, size: int, borders: _I64) -> int:
    """The borders of the words in folded bytes; how many there are."""
    folded[size : size + BLOCK] = 0
    count, carry = 0, np.uint64(0)
    for place in range(0, size + 1, BLOCK):
        letters = nonzero_block(folded, place)
        count = _add_borders(letters, carry, place, borders, count)
        carry = letters >> _LAST
    if carry:
        borders[count] = size
        count += 1
    return count


def _add_borders(letters: np.uint64, carry: np.uint64, place: int, borders: _I64, count: int) -> int:
    """Append where words begin and end in one block; `carry` is 1 if the byte before it belongs to a word."""
    changes = letters ^ (letters << _ONE | carry)
    while changes:
        borders[count] = place + lowest_bit(changes)
        count += 1
        changes &= changes - _ONE
    return count


def _hash_word(folded: _U8, begin: int, end: int) -> np.uint64:
    value = np.uint64(0)
    while end - begin > 8:
        value = value * WORD_BASE + eight_bytes(folded, begin)
        begin += 8
    return mixed_word(value * WORD_BASE + (eight_bytes(folded, begin) & _ALL >> np.uint64(64 - 8 * (end - begin))))


def _fold_any(data: _U8, at: int, end: int, joined: bool, fold: _U32, folded: _U8, origins: _I64) -> tuple[int, bool]:
    """Folded bytes of any text, and where each comes from: how many, or -1 if it is not plain; whether it has parts."""
    size, place, parts, part, disguised = 0, at, False, at, -1
    while place < end:
        if data[place] < 128:
            if data[place] == 0x1E:
                parts, part, disguised = True, place, -1
            folded[size], origins[size] = fold[data[place]], place - at
            size, place = size + 1, place + 1
            continue
        code, width = _decode(data, place, end)
        reading = read_code(code, joined, fold)
        if reading == CONTEXT:
            return -1, False
        if not joined and reading & FOREIGN:
            if disguised < 0:
                disguised = _is_disguised(data, part, end, fold)
            reading = reading >> LOOKALIKE_SHIFT & 0x7F if disguised else reading & FOLDED
        alone = reading >= ALONE
        if alone and size and folded[size - 1]:
            size = _put(np.int64(0), place - at, folded, origins, size)
        if reading != SKIPPED:
            size = _put(reading & FOLDED, place - at, folded, origins, size)
        place += width
        if alone:
            size = _put(np.int64(0), place - at, folded, origins, size)
    origins[size] = end - at
    return size, parts


def _is_disguised(data: _U8, part: int, end: int, fold: _U32) -> int:
    """Whether a part uses Greek and Cyrillic letters only where they look like the Latin ones it also has: 1 or 0."""
    latin, alike, place = False, False, part
    while place < end and (data[place] != 0x1E or place == part):
        code, width = np.int64(data[place]), 1
        if code >= 128:
            code, width = _decode(data, place, end)
        reading = np.int64(fold[code]) if code < 0x10000 else np.int64(0)
        if reading & FOREIGN:
            alike = True
            if reading >> LOOKALIKE_SHIFT & 0x7F == 0:
                return 0
        latin = latin or bool(97 <= reading <= 122)
        place += width
    return 1 if latin and alike else 0


def _put(code: np.int64, origin: int, folded: _U8, origins: _I64, size: int) -> int:
    """Append a character as UTF-8; how many bytes there are then."""
    more = int(code >= 0x80) + int(code >= 0x800) + int(code >= 0x10000)  # bytes after the first
    lead = 0 if more == 0 else 0x1F80 >> more & 0xFF
    folded[size] = lead | code >> 6 * more
    for byte in range(1, more + 1):
        folded[size + byte] = 0x80 | code >> 6 * (more - byte) & 63
    origins[size : size + more + 1] = origin
    return size + more + 1


def _decode(data: _U8, at: int, end: int) -> tuple[np.int64, int]:
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


HELPERS = (
    mixed_word,
    desk_for,
    read_words,
    word_begin,
    word_end,
    read_code,
    _fold_ascii,
    _find_borders,
    _add_borders,
    _hash_word,
    _fold_any,
    _is_disguised,
    _put,
    _decode,
)
"""What `compiled.with_numba` must be told to compile whatever reads words."""
