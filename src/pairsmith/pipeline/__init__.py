"""The order of the stages, the build and the gate: the only place that knows what comes after what."""

from pairsmith.pipeline.order import COLLECTING, DERIVING, STAGES

__all__ = ["COLLECTING", "DERIVING", "STAGES"]
