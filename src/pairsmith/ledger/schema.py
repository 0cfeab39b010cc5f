"""The tables of the ledger: one per kind of fact, readable by anyone with `sqlite3 ledger.sqlite`."""

import dataclasses
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from pairsmith.ids import canonical_json
from pairsmith.records import (
    AnchorDraw,
    Annotation,
    Candidate,
    Check,
    Comparison,
    Fact,
    Intake,
    Message,
    Prompt,
    Rejected,
    Ruling,
    Score,
)

__all__ = ["FACT_TABLES", "LEASES", "META", "SCHEMA_VERSION", "Codec", "FactTable", "metadata"]

SCHEMA_VERSION = 1

metadata = sa.MetaData()

META = sa.Table(
    "ledger",
    metadata,
    sa.Column("only_row", sa.Integer, primary_key=True),
    sa.Column("schema_version", sa.Integer, nullable=False),
    sa.Column("position", sa.Integer, nullable=False, comment="number of facts appended so far"),
    sa.Column("created_at", sa.Text, nullable=False),
)

LEASES = sa.Table(
    "leases",
    metadata,
    sa.Column("stage", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("boot", sa.Text, nullable=False),
    sa.Column("heartbeat_at", sa.Float, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Codec:
    """How one field is written to its column and read back."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


def _same(value: Any) -> Any:
    return value


def _messages(text: str) -> tuple[Message, ...]:
    return () if text == "[]" else tuple(Message(role, content) for role, content in json.loads(text))


def _pair(text: str | None) -> tuple[float, float] | None:
    return None if text is None else (json.loads(text)[0], json.loads(text)[1])


PLAIN = Codec(_same, _same)
REAL = Codec(lambda value: None if value is None else float(value), _same)
JSON = Codec(
    lambda value: canonical_json(dict(value)) if value else "{}", lambda text: {} if text == "{}" else json.loads(text)
)
MESSAGES = Codec(
    lambda turns: canonical_json([[turn.role, turn.content] for turn in turns]) if turns else "[]", _messages
)
CHECKS = Codec(
    lambda checks: canonical_json([[check.kind, dict(check.args)] for check in checks]),
    lambda text: tuple(Check(kind, args) for kind, args in json.loads(text)),
)
SCALE = Codec(lambda scale: None if scale is None else canonical_json(list(scale)), _pair)

_CODECS: Mapping[str, Codec] = {
    "messages": MESSAGES,
    "context": MESSAGES,
    "checks": CHECKS,
    "params": JSON,
    "usage": JSON,
    "engine": JSON,
    "criteria": JSON,
    "warnings": JSON,
    "scale": SCALE,
}

_INTEGERS = {"sample", "revision", "rows", "good", "rejected", "blank", "line"}
_REALS = {"value", "strength", "seconds", "probability"}
_REPEATED = {"prompt_id", "comparison_id", "candidate_id", "annotator", "model", "guideline"}
"""Texts that many facts share are kept once in memory."""
_OPTIONAL = {"scale", "strength", "shown_first", "seconds"}


@dataclass(frozen=True, slots=True)
class FactTable:
    """One kind of fact and its table."""

    type: type[Any]
    table: sa.Table
    codecs: Mapping[str, Codec]
    content: str = ""
    """The column that must not differ when the same id is appended again; empty: the id says it all."""

    def row(self, fact: Fact) -> dict[str, Any]:
        """The column values of a fact."""
        return {name: codec.write(getattr(fact, name)) for name, codec in self.codecs.items()}

    def select(self) -> sa.Select[Any]:
        """All rows in the order they were appended, as `facts` reads them."""
        return sa.select(*(self.table.c[name] for name in self.codecs)).order_by(self.table.c.position)

    def facts(self, rows: Iterable[Sequence[Any]]) -> Iterator[Any]:
        """The facts in rows whose columns are the fields in their order."""
        encoded = [(place, codec.read) for place, codec in enumerate(self.codecs.values()) if codec.read is not _same]
        shared = [place for place, name in enumerate(self.codecs) if name in _REPEATED]
        for row in rows:
            values = list(row)
            for place, read in encoded:
                values[place] = read(values[place])
            for place in shared:
                values[place] = sys.intern(values[place])
            yield self.type(*values)


def _fact_table(kind: type[Any], name: str, *indexed: str, content: str = "") -> FactTable:
    fields = [field.name for field in dataclasses.fields(kind)]
    columns: list[sa.Column[Any]] = [sa.Column("position", sa.Integer, nullable=False, unique=True)]
    for field in fields:
        column_type = sa.Integer() if field in _INTEGERS else sa.Float() if field in _REALS else sa.Text()
        columns.append(
            sa.Column(
                field,
                column_type,
                primary_key=field == "id",
                nullable=field in _OPTIONAL,
                index=field in indexed or None,
            )
        )
    columns.append(sa.Column("recorded_at", sa.Text, nullable=False))
    table = sa.Table(name, metadata, *columns)
    return FactTable(
        kind, table, {field: _CODECS.get(field, REAL if field in _REALS else PLAIN) for field in fields}, content
    )


FACT_TABLES: Mapping[type[Any], FactTable] = {
    table.type: table
    for table in (
        _fact_table(Prompt, "prompts"),
        _fact_table(Candidate, "candidates", "prompt_id"),
        _fact_table(Comparison, "comparisons", "prompt_id"),
        _fact_table(Score, "scores", "candidate_id", content="value"),
        _fact_table(Annotation, "annotations", "comparison_id", content="label"),
        _fact_table(Ruling, "rulings", "comparison_id", content="label"),
        _fact_table(Intake, "intakes"),
        _fact_table(Rejected, "rejected"),
        _fact_table(AnchorDraw, "anchor_draws", "comparison_id"),
    )
}
