"""Which passages two texts have in common, to be marked when they are shown side by side."""

import re
from difflib import SequenceMatcher

from pairsmith.measures.text import words

__all__ = ["Spans", "shared_spans"]

Spans = tuple[tuple[int, int], ...]
"""Passages of a text: first character, and the one after the last; ascending, apart from each other."""

_PIECE = re.compile(r"\S+")


def shared_spans(one: str, other: str) -> tuple[Spans, Spans]:
    """The runs of words that both texts have in the same order, in each of them; case and punctuation aside.

    >>> shared_spans("The old Man sat.", "a man sat down")
    (((8, 16),), ((2, 9),))
    """
    first, second = _pieces(one), _pieces(other)
    matcher = SequenceMatcher(None, [word for _, _, word in first], [word for _, _, word in second], autojunk=False)
    blocks = [block for block in matcher.get_matching_blocks() if block.size]
    return (
        tuple((first[block.a][0], first[block.a + block.size - 1][1]) for block in blocks),
        tuple((second[block.b][0], second[block.b + block.size - 1][1]) for block in blocks),
    )


def _pieces(text: str) -> list[tuple[int, int, str]]:
    """Begin, end and normal form of everything between spaces; each character of a script without spaces by itself."""
    pieces = []
    for match in _PIECE.finditer(text):
        parts = words(match.group())
        if len(parts) > 1 and "".join(parts) == match.group() and all(len(part) == 1 for part in parts):
            pieces += [(match.start() + place, match.start() + place + 1, part) for place, part in enumerate(parts)]
        elif parts:
            pieces.append((match.start(), match.end(), " ".join(parts)))
    return pieces
