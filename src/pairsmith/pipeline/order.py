"""The seven stages, in order."""

__all__ = ["COLLECTING", "DERIVING", "STAGES"]

COLLECTING = ("collect", "generate", "annotate")
"""These append facts to the ledger."""

DERIVING = ("resolve", "validate", "split", "export")
"""These are pure functions of facts and configuration; together they make a build."""

STAGES = COLLECTING + DERIVING
