"""Rows that repeat earlier ones of their file: exact copies add nothing, a reused id with other content is refused."""

import hashlib
from collections import Counter
from collections.abc import Iterator

from pairsmith.formats.rows import BadRow, Row
from pairsmith.ids import canonical_json

__all__ = ["without_repeats"]

_DIGEST_BYTES = 12  # as in ids: 96 bits never collide by chance, and a set of them stays small


def without_repeats(
    rows: Iterator[Row | BadRow], warnings: Counter[str], *, ids_are_unique: bool = True
) -> Iterator[Row | BadRow]:
    """Leave out exact copies of earlier rows, counting them as `duplicate_row`, and refuse reused ids.

    Args:
        rows: rows in the order of the file.
        warnings: where the copies are counted.
        ids_are_unique: whether `id` names the row; in files of votes it may name the pair.
    """
    seen: set[bytes] = set()
    line_of_id: dict[str | int, int] = {}
    for row in rows:
        if isinstance(row, BadRow):
            yield row
            continue
        digest = hashlib.sha256(canonical_json(row.values).encode("utf-8")).digest()[:_DIGEST_BYTES]
        if digest in seen:
            warnings["duplicate_row"] += 1
            continue
        seen.add(digest)
        identity = row.values.get("id")
        if ids_are_unique and isinstance(identity, str | int) and identity != "" and not isinstance(identity, bool):
            first = line_of_id.setdefault(identity, row.line)
            if first != row.line:
                detail = f"{identity!r} was given to line {first}, with other content"
                yield BadRow(row.line, "id", "duplicate_id", detail)
                continue
        yield row
