"""Reading a finished preference file back: its pairs as texts, with what each row says about its preference."""

import itertools
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pairsmith.formats.files import read_rows
from pairsmith.formats.parsers import PARSERS, guess_format
from pairsmith.formats.rows import BadRow, Parsed, Row, SourceContext
from pairsmith.formats.signals import Signal, read_signal
from pairsmith.records import Message

__all__ = ["FinishedPair", "read_finished"]

_ROWS_TO_GUESS_FROM = 20


@dataclass(frozen=True, slots=True)
class FinishedPair:
    """A pair of a file: its texts as turns, and its signal."""

    line: int
    prompt: tuple[Message, ...]
    chosen: tuple[Message, ...]
    rejected: tuple[Message, ...]
    signal: Signal


def read_finished(path: Path, scale: tuple[float, float] | None = None) -> Iterator[FinishedPair | BadRow]:
    """Every row of the file, in order, as a pair or as the reason why it is none; shapes as in `collect`.

    Raises:
        InputError: if the file as a whole cannot be used.
    """
    rows = read_rows(path)
    head = list(itertools.islice(rows, _ROWS_TO_GUESS_FROM))
    transcripts = guess_format([row for row in head if isinstance(row, Row)]) == "hh"
    current: deque[Row | BadRow] = deque()

    def remembered() -> Iterator[Row | BadRow]:
        for row in itertools.chain(head, rows):
            current.append(row)
            yield row

    parse = PARSERS["hh" if transcripts else "preference"]
    for parsed in parse(remembered(), SourceContext(name=path.name)):
        row = current.popleft()
        if isinstance(parsed, BadRow) or isinstance(row, BadRow):
            yield parsed if isinstance(parsed, BadRow) else BadRow(row.line, "", "missing_field", "not a pair")
            continue
        signal = read_signal(row.line, row.values, scale)
        yield signal if isinstance(signal, BadRow) else _pair(parsed, signal)


def _pair(parsed: Parsed, signal: Signal) -> FinishedPair | BadRow:
    if not parsed.comparisons or not parsed.annotations or parsed.prompt is None:
        return BadRow(parsed.line, "chosen", "missing_field", "the row holds no chosen and rejected response")
    comparison, label = parsed.comparisons[0], parsed.annotations[0].label
    turns = {candidate.id: candidate.completion for candidate in parsed.candidates}
    chosen, rejected = (comparison.a, comparison.b) if label == "a" else (comparison.b, comparison.a)
    return FinishedPair(parsed.line, parsed.prompt.messages, turns[chosen], turns[rejected], signal)
