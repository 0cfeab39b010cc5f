"""Dividing rows into parts that share no near rows, so that no row ever changes its part when rows are added.

Rows are placed in order, each by what came before it alone: near placed rows of one part, it joins them; near rows of
several parts, it is quarantined; near none, it goes to the part that lacks most in its stratum and over all.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["QUARANTINED", "Placing", "group_warnings", "neediest", "quarantine_missed"]

QUARANTINED = -1

_LARGE_GROUP_SHARE = 0.2

_Stratum = tuple[str, ...]


def neediest(shares: Sequence[float], counts: Iterable[Sequence[int]], draw: float) -> int:
    """The part that lacks most rows after one more, summed over scopes (its stratum, all rows).

    Alone, a stratum of one row would always go to the largest part.

    Args:
        shares: of the parts, adding up to 1.
        counts: rows per part in each scope.
        draw: in [0, 1): moves the choice by up to half a row, so that another seed gives another split.
    """
    lack = [_nudge(part, len(shares), draw) for part in range(len(shares))]
    for scope in counts:
        total = sum(scope) + 1
        for part, share in enumerate(shares):
            lack[part] += share * total - scope[part]
    best = max(lack)
    # the last of equals, so that two parts tie towards the second whichever way they are written down
    return max(part for part, value in enumerate(lack) if value == best)


def _nudge(part: int, parts: int, draw: float) -> float:
    """In [-0.5, 0.5), for each part another; 0 for the last."""
    return 0.0 if part == parts - 1 else (draw * (2 * part + 1)) % 1.0 - 0.5


@dataclass(slots=True)
class Placing:
    """Rows placed so far.

    Attributes:
        shares: of the parts.
        parts: part of each row, or `QUARANTINED`.
        counts: rows per part by stratum; () stands for all rows.
        groups: for rows near others, a row nearer to the first of their group.
        near: for quarantined rows, the near ones in different parts.
    """

    shares: Sequence[float]
    parts: list[int] = field(default_factory=list)
    counts: dict[_Stratum, list[int]] = field(default_factory=dict)
    groups: dict[int, int] = field(default_factory=dict)
    near: dict[int, list[int]] = field(default_factory=dict)

    def place(self, stratum: _Stratum, near: Sequence[int], draw: float) -> int:
        """The part of the next row, given the numbers of the earlier rows near it."""
        row = len(self.parts)
        placed = [other for other in near if self.parts[other] != QUARANTINED]
        sides = {self.parts[other] for other in placed}
        if len(sides) > 1:
            self.near[row] = placed
            self.parts.append(QUARANTINED)
            return QUARANTINED
        scopes = [self._count(name) for name in dict.fromkeys((stratum, ()))]
        part = sides.pop() if sides else neediest(self.shares, scopes, draw)
        for scope in scopes:
            scope[part] += 1
        for other in placed:
            one, two = sorted((self.root(row), self.root(other)))
            if one != two:
                self.groups[two] = one
        self.parts.append(part)
        return part

    def root(self, row: int) -> int:
        """The first row of the group of a row."""
        while (parent := self.groups.get(row, row)) != row:
            self.groups[row] = self.groups.get(parent, parent)
            row = parent
        return row

    def _count(self, stratum: _Stratum) -> list[int]:
        return self.counts.setdefault(stratum, [0] * len(self.shares))


def quarantine_missed(parts: NDArray[np.int16], pairs: NDArray[np.int64]) -> Mapping[int, int]:
    """Take the later of each pair across the parts out of `parts`; the earlier one of each that was taken out.

    Whether two rows are near depends on them alone, so this too never changes when rows are added.

    Args:
        parts: changed in place.
        pairs: near rows in different parts, smaller number first, sorted by the second and the first.
    """
    taken: dict[int, int] = {}
    for earlier, later in pairs.tolist():
        if parts[earlier] >= 0 and parts[later] >= 0 and parts[earlier] != parts[later]:
            parts[later] = QUARANTINED
            taken[later] = earlier
    return taken


def group_warnings(largest: int, strata: Sequence[int], parts: int, unit: str) -> list[str]:
    """What keeps the shares from being met, in words.

    Args:
        largest: rows of the largest group of near rows.
        strata: rows of each stratum.
        parts: how many parts there are.
        unit: what a row is called.
    """
    found = []
    if largest > _LARGE_GROUP_SHARE * (whole := max(1, sum(strata))):
        share = f"{100 * largest / whole:.0f} %"
        found.append(f"one group of near prompts holds {largest:,} {unit} ({share}), which all lie in one part")
    if lonely := sum(rows < parts for rows in strata):
        found.append(f"{lonely:,} of {len(strata):,} strata have fewer {unit} than there are parts")
    return found
