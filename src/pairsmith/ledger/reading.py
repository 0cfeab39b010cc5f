"""Opening a ledger where nothing may be written: a read-only folder, medium or user."""

import sqlite3
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa

__all__ = ["reading_engine"]


def reading_engine(path: Path, timeout_s: float) -> sa.Engine:
    """A database that can only be read.

    SQLite reads a database with a write-ahead log only if it can make its files beside it. Where it cannot, it is told
    that nobody writes, which is true where nobody can, unless a log is left over whose content would be missed.

    Raises:
        sqlalchemy.exc.DatabaseError: it cannot be read.
    """
    engine = _engine(path, "mode=ro", timeout_s)
    log = path.with_name(f"{path.name}-wal")
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
    except sa.exc.OperationalError:
        engine.dispose()
        if log.exists() and log.stat().st_size:
            raise
        return _engine(path, "immutable=1", timeout_s)
    return engine


def _engine(path: Path, how: str, timeout_s: float) -> sa.Engine:
    address = f"file:{quote(str(path.absolute()))}?{how}"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(address, uri=True, timeout=timeout_s, isolation_level=None, check_same_thread=False)

    return sa.create_engine("sqlite://", creator=connect, poolclass=sa.pool.QueuePool)
