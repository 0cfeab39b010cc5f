"""What readers hand over: good rows and bad rows, both with the line they stand on."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pairsmith.records import Annotation, AnnotatorKind, Candidate, Comparison, Prompt, Score

__all__ = ["BadRow", "Edit", "Parsed", "Parser", "ReadTally", "Row", "SourceContext"]


@dataclass(frozen=True, slots=True)
class Row:
    """One object of a file. `line` is 1-based: the physical line for JSONL and CSV, the item number for JSON arrays."""

    line: int
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be used: where, which field (empty: the whole line), a reason code, and what was seen."""

    line: int
    field: str
    reason: str
    detail: str


@dataclass(slots=True)
class ReadTally:
    """What reading a file came to, filled in while its rows are read.

    `rows` counts every row handed over, good or bad; `bad` those that could not be read; `blank` lines that hold
    nothing (they are not rows). `notes` counts what was put right on the way, by warning code.
    """

    rows: int = 0
    bad: int = 0
    blank: int = 0
    notes: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What the configuration says about a source."""

    name: str
    licence: str = ""
    category: str = ""
    language: str = ""
    annotator_kind: AnnotatorKind = "imported"


@dataclass(frozen=True, slots=True)
class Edit:
    """A response that a person improved: the id of the candidate it was, what it is now, and who did it."""

    of: str
    text: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class Parsed:
    """The facts in one good row, and warnings (codes) about it.

    `prompt` is `None` only for votes on pairs, and edits of responses, that are not in the same file; `edits` become
    candidates by the transformation that `collect` is given, which knows the ledger. `anonymise` says whether personal
    data is to be replaced before storing; `collect` sets it for each source.
    """

    line: int
    prompt: Prompt | None
    candidates: tuple[Candidate, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    scores: tuple[Score, ...] = ()
    warnings: tuple[str, ...] = ()
    anonymise: bool = False
    edits: tuple[Edit, ...] = ()


Parser = Callable[[Iterator[Row | BadRow], SourceContext], Iterator[Parsed | BadRow]]
"""Turns rows of one shape into facts: as many items out as in, in the same order."""
