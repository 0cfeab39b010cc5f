"""A comparison drawn for people to label, so that the labels of models can be checked against theirs."""

from dataclasses import dataclass
from typing import Literal, Self, get_args

from pairsmith.ids import content_id

__all__ = ["ANCHOR_PARTS", "AnchorDraw", "AnchorPart"]

AnchorPart = Literal["random", "hardest", "active"]

ANCHOR_PARTS: tuple[AnchorPart, ...] = get_args(AnchorPart)


@dataclass(frozen=True, slots=True)
class AnchorDraw:
    """One comparison of the anchor: the part it was drawn for, and its inclusion probability in (0, 1].

    A comparison may be drawn again with a higher probability when the anchor grows; the highest one counts.
    """

    id: str
    comparison_id: str
    part: AnchorPart
    probability: float

    @classmethod
    def of(cls, comparison_id: str, part: AnchorPart, probability: float) -> Self:
        """A draw with the id that comparison, part and probability give it."""
        return cls(content_id("anc", [comparison_id, part, probability]), comparison_id, part, probability)
