"""The passage of a text that was found, in its own spelling."""

import re

from pairsmith.measures.hashing import PART_SEPARATOR
from pairsmith.measures.text import words

__all__ = ["goes_on", "passage"]

_OPENING, _CLOSING = b"\"'([{*_`#>-", b"\"')]}*_`.,;:!?"
_WITHIN = frozenset(",-'\u2019/&+%$@=")
_SEPARATOR = PART_SEPARATOR.encode()


def passage(text: str, joined: str | None, begin: int, end: int, *, whole_part: bool) -> str:
    """The passage that was found, with the signs that touch it.

    Args:
        text: the text it was found in.
        joined: what was read instead of it (see `hashing.joined_words`), if the text was not read itself.
        begin: first byte in what was read.
        end: byte after the last.
        whole_part: whether it makes up a whole turn, or the whole text.
    """
    if joined is not None:
        read = joined.encode("utf-8", "surrogatepass")
        first = len(read[:begin].decode("utf-8", "surrogatepass").split())
        count = len(read[begin:end].decode("utf-8", "surrogatepass").split())
        return _traced(text, read.decode("utf-8", "surrogatepass").split(), first, first + count)
    data = text.encode("utf-8", "surrogatepass")
    if whole_part:
        begin = data.rfind(_SEPARATOR, 0, begin) + 1
        stop = data.find(_SEPARATOR, end)
        return data[begin : stop if stop >= 0 else len(data)].decode("utf-8", "surrogatepass").strip()
    while begin > 0 and data[begin - 1] in _OPENING:
        begin -= 1
    while end < len(data) and data[end] in _CLOSING:
        end += 1
    return data[begin:end].decode("utf-8", "surrogatepass")


def goes_on(after: bytes) -> bool:
    """Whether the sentence goes on where a passage ends, given what stands after it (UTF-8).

    "What time is it right now in Tokyo" is another question than "What time is it right now".
    """
    sign = after[:64].decode("utf-8", "replace").lstrip(" \t")[:1]
    return bool(sign) and (sign.isalnum() or sign in _WITHIN)


def _traced(text: str, tokens: list[str], start: int, end: int) -> str:
    """The passage of `text` that holds words `start` to `end`, in its own spelling where it can be traced back."""
    pieces = [(match.start(), match.end(), len(words(match.group()))) for match in re.finditer(r"\S+", text)]
    if sum(count for _, _, count in pieces) != len(tokens):
        return " ".join(tokens[start:end])
    seen, first, last = 0, 0, len(text)
    for left, right, count in pieces:
        if seen <= start:
            first = left
        seen += count
        if seen >= end:
            last = right
            break
    return text[first:last]
