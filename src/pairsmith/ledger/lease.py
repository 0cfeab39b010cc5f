"""One process at a time works on a collecting stage of a project; a dead one gives way."""

import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from pairsmith.errors import LeaseHeld
from pairsmith.ledger.schema import LEASES
from pairsmith.ledger.store import Ledger
from pairsmith.processes import is_alive

__all__ = ["lease"]

HEARTBEAT_S = 5.0
STALE_S = 60.0  # for holders on other hosts; here the process table tells at once


@contextmanager
def lease(ledger: Ledger, stage: str) -> Iterator[None]:
    """Hold the lease of `stage` while the block runs.

    Raises:
        LeaseHeld: if a live process holds it; the message names process and host.
    """
    owner = uuid.uuid4().hex
    _take(ledger, stage, owner)
    stop = threading.Event()
    thread = threading.Thread(target=_beat, args=(ledger, stage, owner, stop), name=f"lease-{stage}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        with ledger.engine.begin() as connection:
            connection.execute(sa.delete(LEASES).where(LEASES.c.stage == stage, LEASES.c.owner == owner))


def _take(ledger: Ledger, stage: str, owner: str) -> None:
    mine = {"owner": owner, "pid": os.getpid(), "host": socket.gethostname(), "boot": _boot_id()}
    with ledger.engine.begin() as connection:
        held = connection.execute(sa.select(LEASES).where(LEASES.c.stage == stage)).mappings().first()
        if held is not None:
            if _alive(held["pid"], held["host"], held["boot"], held["heartbeat_at"]):
                raise LeaseHeld(
                    f"{stage}: process {held['pid']} on {held['host']} is already working on this stage of "
                    f"{ledger.path.parent}; wait for it, or stop it and run again"
                )
            connection.execute(sa.delete(LEASES).where(LEASES.c.stage == stage))
        connection.execute(sa.insert(LEASES).values(stage=stage, heartbeat_at=time.time(), **mine))


def _beat(ledger: Ledger, stage: str, owner: str, stop: threading.Event) -> None:
    while not stop.wait(HEARTBEAT_S):
        with ledger.engine.begin() as connection:
            connection.execute(
                sa.update(LEASES)
                .where(LEASES.c.stage == stage, LEASES.c.owner == owner)
                .values(heartbeat_at=time.time())
            )


def _alive(pid: int, host: str, boot: str, heartbeat_at: float) -> bool:
    if host != socket.gethostname():
        return time.time() - heartbeat_at < STALE_S
    return boot == _boot_id() and is_alive(pid)


def _boot_id() -> str:
    """Distinguishes a process from another with the same number after a restart; empty where the system has none."""
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else ""
