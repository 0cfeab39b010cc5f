"""The ledger: facts are appended, never changed, and numbered by one position that grows by one."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, OperationalError

from pairsmith.errors import LedgerError
from pairsmith.ledger.appending import Appender
from pairsmith.ledger.committing import Appended, Committer
from pairsmith.ledger.reading import reading_engine
from pairsmith.ledger.schema import FACT_TABLES, LEASES, META, SCHEMA_VERSION, metadata
from pairsmith.records import Fact

__all__ = ["LEDGER_FILE", "Ledger"]

LEDGER_FILE = "ledger.sqlite"
BUSY_TIMEOUT_MS = 30_000
CHECKED_BYTES = 256 * 2**20  # larger files are checked by `status --check`, not at every start
_IDS_PER_QUERY = 500  # stays below SQLite's limit on variables

F = TypeVar("F", bound=Fact)


class Ledger:
    """The facts of one project. Safe for many readers and writers, in threads and in processes."""

    def __init__(self, engine: sa.Engine, path: Path) -> None:
        self._engine = engine
        self._appender = Appender(engine.dialect)
        self.path = path

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the ledger at `path`, creating it if it is not there.

        Raises:
            LedgerError: if the file is damaged, of another version, or cannot be written.
        """
        checked = path.exists() and path.stat().st_size <= CHECKED_BYTES
        address = sa.URL.create("sqlite", database=str(path))  # a text would be cut at a ? in the path
        engine = sa.create_engine(address, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000})
        sa.event.listen(engine, "connect", _set_up_connection)
        sa.event.listen(engine, "begin", _begin_immediate)
        ledger = cls(engine, path)
        with ledger._guard():
            if checked:
                ledger.check()
            ledger._create()
        return ledger

    @classmethod
    def open_read_only(cls, path: Path) -> Self:
        """Open a ledger to read it, also where neither the file nor its folder may be written.

        Raises:
            LedgerError: if the file is damaged or of another version, or cannot be read.
        """
        with cls._trouble(path):
            ledger = cls(reading_engine(path, BUSY_TIMEOUT_MS / 1000), path)
        if path.stat().st_size <= CHECKED_BYTES:
            ledger.check()
        with ledger._guard(), ledger._reading() as connection:
            ledger._check_version(connection.execute(sa.select(META.c.schema_version)).scalar())
        return ledger

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def check(self) -> None:
        """Let SQLite look for damage; raises `LedgerError` with the first thing found."""
        with self._guard(), self._reading() as connection:
            found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        if found != "ok":
            raise LedgerError(f"{self.path}: damaged ({found}); restore your last copy of this file")

    def append(self, facts: Iterable[Fact]) -> Appended:
        """Store facts that are not there yet, all in one transaction; on return they survive a power cut."""
        by_kind: dict[type[Fact], dict[str, Fact]] = {}
        repeated = 0
        for fact in facts:
            known = by_kind.setdefault(type(fact), {})
            repeated += fact.id in known
            known.setdefault(fact.id, fact)
        if not by_kind:
            return Appended()
        with self._guard(), self._engine.begin() as connection:
            done = self._appender.append(connection, by_kind)
        return replace(done, present=done.present + repeated) if repeated else done

    @contextmanager
    def committer(self) -> Iterator["Committer"]:
        """Group commit: facts handed in while a transaction runs share the next one. All are stored on leaving."""
        committer = Committer(self.append)
        try:
            yield committer
        finally:
            committer.close()

    def position(self) -> int:
        """How many facts have been appended so far."""
        with self._guard(), self._reading() as connection:
            return cast(int, connection.execute(sa.select(META.c.position)).scalar_one())

    def read(self, kind: type[F], as_of: int | None = None) -> Iterator[F]:
        """All facts of one kind in the order they were appended, up to position `as_of` (inclusive)."""
        table = FACT_TABLES[kind]
        query = table.select()
        if as_of is not None:
            query = query.where(table.table.c.position <= as_of)
        with self._guard(), self._reading() as connection:
            yield from table.facts(connection.execution_options(yield_per=1000).execute(query))

    def ids(self, kind: type[Fact]) -> set[str]:
        """The ids of all facts of one kind."""
        with self._guard(), self._reading() as connection:
            return set(connection.execute(sa.select(FACT_TABLES[kind].table.c.id)).scalars())

    def where(self, kind: type[F], column: str, values: Sequence[str]) -> Iterator[F]:
        """The facts of one kind whose `column` (an id) has one of these values."""
        table = FACT_TABLES[kind]
        with self._guard(), self._reading() as connection:
            for start in range(0, len(values), _IDS_PER_QUERY):
                some = values[start : start + _IDS_PER_QUERY]
                yield from table.facts(connection.execute(table.select().where(table.table.c[column].in_(some))))

    def get(self, kind: type[F], ids: Sequence[str]) -> dict[str, F]:
        """The facts of one kind with these ids; ids that are not there are left out."""
        return {fact.id: fact for fact in self.where(kind, "id", ids)}

    def counts(self) -> dict[str, int]:
        """How many facts there are of each kind, by table name."""
        with self._guard(), self._reading() as connection:
            return {
                each.table.name: cast(
                    int, connection.execute(sa.select(sa.func.count()).select_from(each.table)).scalar()
                )
                for each in FACT_TABLES.values()
            }

    @property
    def engine(self) -> sa.Engine:
        """The database itself, for leases and for reading by other tools."""
        return self._engine

    def _create(self) -> None:
        with self._engine.begin() as connection:
            metadata.create_all(connection, tables=[META, LEASES, *(each.table for each in FACT_TABLES.values())])
            version = connection.execute(sa.select(META.c.schema_version)).scalar()
            if version is None:
                connection.execute(
                    sa.insert(META).values(only_row=1, schema_version=SCHEMA_VERSION, position=0, created_at=_now())
                )
            else:
                self._check_version(version)

    def _check_version(self, version: int | None) -> None:
        if version != SCHEMA_VERSION:
            raise LedgerError(
                f"{self.path}: written in ledger format {version}, this Pairsmith reads {SCHEMA_VERSION}; "
                "use the version of Pairsmith that made it"
            )

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        """A snapshot that never waits for writers."""
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection

    def _guard(self) -> AbstractContextManager[None]:
        return self._trouble(self.path)

    @staticmethod
    @contextmanager
    def _trouble(path: Path) -> Iterator[None]:
        """Say which file is in trouble, and what to do."""
        try:
            yield
        except OperationalError as error:
            raise LedgerError(f"{path}: {error.orig}; check free space and permissions, then run again") from error
        except DatabaseError as error:
            raise LedgerError(f"{path}: {error.orig}; restore your last copy of this file") from error


def _set_up_connection(connection: Any, _: object) -> None:
    connection.isolation_level = None  # transactions are begun by _begin_immediate, not by the driver
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_TIMEOUT_MS}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: sa.Connection) -> None:
    # A deferred BEGIN that later writes fails at once under concurrency instead of waiting its turn.
    # The options are asked, not the connection: SQLite's driver says SERIALIZABLE whatever was set.
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
