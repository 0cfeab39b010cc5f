"""Votes on comparisons as columns of integers, sorted once: what all figures and detectors of votes work on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pairsmith.measures.vote_table import UNKNOWN, Floats, Ints

__all__ = ["KINDS", "LABELS", "NET_SIDE", "Mask", "Vote", "Votes", "VotesLike", "code", "named_counts"]

LABELS: Final = ("a", "b", "both_bad", "tie", "unsure")
"""What a vote can say; the columns hold places in this tuple. Sorted, so that counts by place are sorted by name."""

KINDS: Final = ("human", "imported", "judge", "reward", "verifier")
"""Who votes; the columns hold places in this tuple."""

NET_SIDE: Final = np.array([1, -1, 0, 0, 0], dtype=np.int64)
"""What each label adds to the lead of `a` over `b`."""

Mask: TypeAlias = NDArray[np.bool_]


class Vote(NamedTuple):
    """One vote as plain values: which comparison, by whom, of which kind, its label, the side shown first, the time."""

    item: str
    annotator: str
    kind: str
    label: str
    shown_first: str | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Votes:
    """Votes sorted by item and annotator; every column has shape (votes,).

    `items` and `annotators` are sorted names, of which some may have no vote: choosing votes renumbers nothing. `first`
    is the side shown first (place in `LABELS`, `UNKNOWN` where not recorded), `seconds` NaN where not recorded.
    """

    items: Sequence[str]
    annotators: Sequence[str]
    item: Ints
    annotator: Ints
    kind: Ints
    label: Ints
    first: Ints
    seconds: Floats

    @classmethod
    def of(cls, votes: "VotesLike") -> "Votes":
        """The columns of votes in any order; columns stay what they are.

        Raises:
            ValueError: for a label or kind of vote that is not known.
        """
        if isinstance(votes, Votes):
            return votes
        listed = list(votes)
        items, item = _numbered([vote.item for vote in listed])
        found = cls.from_columns(items, item, listed)
        order = np.lexsort((found.label, found.annotator, found.item))
        return found.where(order)

    @classmethod
    def from_columns(cls, items: Sequence[str], item: Ints, votes: Sequence[Any]) -> Self:
        """The columns of anything that has the other fields of `Vote`, sorted by item and annotator already.

        Args:
            items: sorted names.
            item: place in `items` of each vote, shape (votes,).
            votes: in the order of `item`.
        """
        annotators, annotator = _numbered([vote.annotator for vote in votes])
        return cls(
            items,
            annotators,
            item,
            annotator,
            kind=_coded([vote.kind for vote in votes], KINDS, "kind"),
            label=_coded([vote.label for vote in votes], LABELS, "label"),
            first=_coded([vote.shown_first for vote in votes], ("a", "b"), "side", {None: UNKNOWN}),
            seconds=np.array([vote.seconds for vote in votes], dtype=np.float64),
        )

    def where(self, chosen: Mask | Ints) -> Self:
        """Some of the votes, by a mask or by their places."""
        columns = ("item", "annotator", "kind", "label", "first", "seconds")
        return replace(self, **{name: getattr(self, name)[chosen] for name in columns})

    @property
    def sided(self) -> Mask:
        """Which votes name a side."""
        sided: Mask = NET_SIDE[self.label] != 0
        return sided

    def is_kind(self, *kinds: str) -> Mask:
        """Which votes are of one of these kinds."""
        known = np.zeros(len(KINDS), dtype=bool)
        known[[KINDS.index(kind) for kind in kinds]] = True
        return known[self.kind]

    def counts(self, weights: Floats | None = None) -> Floats:
        """Votes, or their weights, per item and label, shape (items, labels)."""
        cells = np.bincount(self.item * len(LABELS) + self.label, weights, len(self.items) * len(LABELS))
        return cells.reshape(-1, len(LABELS)).astype(np.float64)

    def per_item(self) -> Ints:
        """How many votes each item has, shape (items,)."""
        return np.bincount(self.item, minlength=len(self.items)).astype(np.int64)

    def per_annotator(self, chosen: Mask | None = None, values: Any = None) -> Floats:
        """Votes (of those `chosen`), or the sum of their `values`, by annotator; shape (annotators,)."""
        everyone = slice(None) if chosen is None else chosen
        weights = None if values is None else np.asarray(values, dtype=np.float64)[everyone]
        return np.bincount(self.annotator[everyone], weights, len(self.annotators)).astype(np.float64)


VotesLike: TypeAlias = Votes | Iterable[Vote]
"""What measures of votes take: columns, or single votes in any order, of which they make columns."""


def code(label: str) -> int:
    """The place of a label in `LABELS`."""
    return LABELS.index(label)


def named_counts(counts: Iterable[float]) -> dict[str, int]:
    """Votes by label from counts in the order of `LABELS`; labels without votes are left out."""
    return {label: int(count) for label, count in zip(LABELS, counts, strict=True) if count}


def _numbered(names: Sequence[str]) -> tuple[tuple[str, ...], Ints]:
    """The distinct names, sorted, and the place of each of `names` among them."""
    distinct = tuple(sorted(set(names)))
    place = {name: number for number, name in enumerate(distinct)}
    return distinct, np.fromiter(map(place.__getitem__, names), np.int64, len(names))


def _coded(values: Sequence[Any], known: Sequence[str], what: str, extra: dict[Any, int] | None = None) -> Ints:
    place = {name: number for number, name in enumerate(known)} | (extra or {})
    try:
        return np.fromiter(map(place.__getitem__, values), np.int64, len(values))
    except KeyError as error:
        raise ValueError(f"a vote has the {what} {error.args[0]!r}; known are {', '.join(known)}") from None
