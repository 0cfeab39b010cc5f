"""Lines of a byte stream, one at a time, with a cap on the memory one line may take."""

from collections.abc import Iterator
from dataclasses import dataclass

from pairsmith.formats.opening import ByteSource

__all__ = ["MAX_LINE_BYTES", "Line", "iter_lines", "line_end"]

MAX_LINE_BYTES = 16 * 2**20
HEAD_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its end. `data` is `None` if it was longer than the cap; `ended`: a line end follows."""

    number: int
    data: bytes | None
    ended: bool = True


def line_end(source: ByteSource) -> bytes:
    r"""What ends the lines of a file: LF, or CR for files in the old Mac manner.

    Never U+2028 and its like, which JSON allows inside a string.
    """
    head = source.peek(HEAD_BYTES)
    return b"\r" if b"\r" in head and b"\n" not in head else b"\n"


def iter_lines(source: ByteSource, end: bytes = b"\n", cap: int = MAX_LINE_BYTES) -> Iterator[Line]:
    """The lines of `source`; at most `cap` bytes and one chunk are held at a time."""
    number = 1
    parts: list[bytes] = []
    size = 0
    while chunk := source.read():
        first, *rest = chunk.split(end)
        size += len(first)
        parts = [] if size > cap else [*parts, first]
        if not rest:
            continue
        yield Line(number, None if size > cap else b"".join(parts))
        for data in rest[:-1]:
            number += 1
            yield Line(number, None if len(data) > cap else data)
        number += 1
        parts, size = [rest[-1]], len(rest[-1])
    if size:
        yield Line(number, None if size > cap else b"".join(parts), ended=False)
