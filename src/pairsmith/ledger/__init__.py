"""The facts of a project: an append-only store, and the lease that lets one process at a time add to it."""

from pairsmith.ledger.committing import Appended, Committer
from pairsmith.ledger.lease import lease
from pairsmith.ledger.schema import FACT_TABLES, SCHEMA_VERSION
from pairsmith.ledger.store import LEDGER_FILE, Ledger

__all__ = ["FACT_TABLES", "LEDGER_FILE", "SCHEMA_VERSION", "Appended", "Committer", "Ledger", "lease"]
