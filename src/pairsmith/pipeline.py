"""The order of the stages, the build, and the gate: the only place that knows what comes after what."""

STAGES = ("collect", "generate", "annotate", "resolve", "validate", "split", "export")
"""The seven stages, in order."""
