"""Appending by statements that are compiled once: SQLAlchemy's constructs cost more per commit than the database does.

All SQL for appending is made here, by SQLAlchemy in the dialect of the database at hand, and run by its driver.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.sql.compiler import SQLCompiler

from pairsmith.ledger.committing import Appended
from pairsmith.ledger.schema import FACT_TABLES, META, FactTable
from pairsmith.records import Fact

__all__ = ["Appender", "Statement"]

_IDS_PER_QUERY: Final = 256
"""A power of two below every database's limit on variables."""


class Statement:
    """A statement as the driver takes it.

    Values are given to the driver as they are, so they must be text, `int`, `float` or None, as codecs make them.
    """

    def __init__(self, construct: sa.ClauseElement, dialect: sa.Dialect) -> None:
        compiled = construct.compile(dialect=dialect)
        assert isinstance(compiled, SQLCompiler)
        self._sql = str(compiled)
        self._places = tuple(compiled.positiontup or ()) if compiled.positional else None  # None: given by name

    def run(self, connection: sa.Connection, rows: Sequence[Mapping[str, Any]] = ({},)) -> sa.CursorResult[Any]:
        """Run it for every row, a row being the values of its parameters by name; only one row brings results."""
        places = self._places
        given: Any = list(rows) if places is None else [tuple([row[name] for name in places]) for row in rows]
        return connection.exec_driver_sql(self._sql, given if len(given) > 1 else given[0])


class Appender:
    """Appends to one database. Safe in threads: at worst two compile the same statement."""

    def __init__(self, dialect: sa.Dialect) -> None:
        self._dialect = dialect
        self._position = Statement(sa.select(META.c.position), dialect)
        self._move = Statement(sa.update(META).values(position=sa.bindparam("to")), dialect)
        self._inserts: dict[str, Statement] = {}
        self._lookups: dict[tuple[str, int], Statement] = {}

    def append(self, connection: sa.Connection, by_kind: Mapping[type[Fact], Mapping[str, Fact]]) -> Appended:
        """Insert the facts that are not there yet, in the transaction that the connection is in.

        Args:
            connection: in a transaction that keeps other writers out.
            by_kind: the facts by id, by kind.
        """
        start = position = self._position.run(connection).scalar_one()
        present = 0
        conflicts: list[str] = []
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        for kind, wanted in by_kind.items():
            table = FACT_TABLES[kind]
            known = self._known(connection, table, list(wanted))
            present += len(known)
            if table.content:
                conflicts += [each for each, there in known.items() if there != getattr(wanted[each], table.content)]
            rows = [
                {**table.row(fact), "position": place, "recorded_at": now}
                for place, fact in enumerate((wanted[each] for each in wanted if each not in known), start=position + 1)
            ]
            if rows:
                self._insert(table).run(connection, rows)
                position += len(rows)
        if position != start:
            self._move.run(connection, [{"to": position}])
        return Appended(position - start, present, tuple(conflicts))

    def _known(self, connection: sa.Connection, table: FactTable, ids: Sequence[str]) -> dict[str, Any]:
        """Of these ids those that are there, each with the content that must not differ."""
        known: dict[str, Any] = {}
        for start in range(0, len(ids), _IDS_PER_QUERY):
            some = ids[start : start + _IDS_PER_QUERY]
            # The next power of two, filled up with the last id: then a handful of statements does for any number.
            size = 1 << (len(some) - 1).bit_length()
            given = {f"id_{place}": some[min(place, len(some) - 1)] for place in range(size)}
            found: Any = self._lookup(table, size).run(connection, [given]).all()
            known.update(found)
        return known

    def _insert(self, table: FactTable) -> Statement:
        name = table.table.name
        if name not in self._inserts:
            self._inserts[name] = Statement(sa.insert(table.table), self._dialect)
        return self._inserts[name]

    def _lookup(self, table: FactTable, size: int) -> Statement:
        key = (table.table.name, size)
        if key not in self._lookups:
            wanted = [sa.bindparam(f"id_{place}", type_=sa.Text()) for place in range(size)]
            columns = table.table.c
            query = sa.select(columns.id, columns[table.content or "id"].label("content")).where(columns.id.in_(wanted))
            self._lookups[key] = Statement(query, self._dialect)
        return self._lookups[key]
