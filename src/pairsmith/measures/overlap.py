"""Who can be compared with whom, and which items need another vote."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pairsmith.measures.vote_table import UNKNOWN, Floats, Ints, VoteTable

__all__ = ["NEVER", "component_sizes", "rater_components", "votes_needed"]

NEVER = -1
"""In `votes_needed`: no number of further votes decides the item."""

_ROUNDING = 1e-9


def rater_components(table: VoteTable, truth: ArrayLike | None = None) -> Ints:
    """The part of the rater-item graph each rater is in, numbered from 0; `UNKNOWN` for raters without votes.

    A vote joins a rater and an item. Items whose truth is known (`truth` not `UNKNOWN`) are all joined: whoever rated
    a gold item is measured against the same yardstick.
    """
    nodes = table.n_raters + table.n_items + 1
    items = table.items + table.n_raters
    if truth is not None:
        gold = np.asarray(truth, dtype=np.int64)[table.items] != UNKNOWN
        items = np.where(gold, nodes - 1, items)
    parents = _roots(table.raters, items, nodes)
    parts = np.full(table.n_raters, UNKNOWN, dtype=np.int64)
    voters = np.unique(table.raters)
    parts[voters] = np.unique(parents[voters], return_inverse=True)[1]
    return parts


def component_sizes(table: VoteTable, truth: ArrayLike | None = None) -> list[int]:
    """Votes in each part of the rater-item graph, largest first."""
    sizes = np.bincount(rater_components(table, truth)[table.raters]) if table.raters.size else np.zeros(0, np.int64)
    return sorted((int(size) for size in sizes), reverse=True)


def _roots(left: Ints, right: Ints, nodes: int) -> Ints:
    """The smallest node joined to each node.

    Every round hooks roots onto smaller neighbours and then shortens all paths, so the number of rounds grows with the
    logarithm of the longest path and not with its length.
    """
    parents = np.arange(nodes, dtype=np.int64)
    while True:
        one, other = parents[left], parents[right]
        lower, higher = np.minimum(one, other), np.maximum(one, other)
        if (lower == higher).all():
            return parents
        np.minimum.at(parents, higher, lower)
        while (parents[parents] != parents).any():
            parents = parents[parents]


def votes_needed(
    counts: ArrayLike,
    *,
    min_votes: int = 1,
    min_agreement: float = 0.6,
    can_win: ArrayLike | None = None,
    max_votes: int | None = None,
) -> Ints:
    """How many further votes each item needs at least before it can be decided; 0 where it is.

    Decided means: one class leads all others, has at least `min_agreement` of **all** votes (ties and unsure count),
    and there are at least `min_votes`. The answer assumes that all further votes go to one class, so it is the number
    of votes to ask for before looking again: an item that needs one is queued for it, not dropped.

    Args:
        counts: votes per item and class, shape (items, classes).
        min_votes: see above.
        min_agreement: see above, in (0, 1].
        can_win: False for classes that no label may name, such as `unsure`, shape (classes,).
        max_votes: items that would need more votes than this in all are given up.

    Returns:
        shape (items,); `NEVER` where no further vote helps (unanimity asked for and already lost, or `max_votes`).

    Raises:
        ValueError: for a share outside (0, 1].

    >>> votes_needed([[2, 1, 0], [1, 0, 1], [0, 0, 1]], min_votes=3)
    array([0, 1, 2])
    """
    if not 0 < min_agreement <= 1:
        raise ValueError(f"min_agreement lies in (0, 1], not {min_agreement}")
    votes = np.asarray(counts, dtype=np.float64)
    winnable = np.ones(votes.shape[1], dtype=bool) if can_win is None else np.asarray(can_win, dtype=bool)
    total = votes.sum(axis=1)
    best = np.full(len(votes), np.inf)
    for winner in np.nonzero(winnable)[0]:
        rivals = np.delete(votes, winner, axis=1).max(axis=1, initial=0.0)
        lead = np.maximum(rivals - votes[:, winner] + 1, 0)
        enough = np.maximum(min_votes - total, 0)
        needed = np.maximum(np.maximum(lead, enough), _votes_to_share(votes[:, winner], total, min_agreement))
        best = np.minimum(best, needed)
    limit = np.inf if max_votes is None else float(max_votes)
    hopeless: NDArray[np.bool_] = ~np.isfinite(best) | ((best > 0) & (total + best > limit))
    return np.where(hopeless, NEVER, np.where(np.isfinite(best), best, 0)).astype(np.int64)


def _votes_to_share(votes: Floats, total: Floats, share: float) -> Floats:
    """The least k with (votes + k) / (total + k) >= share."""
    missing = share * total - votes
    if share >= 1 - _ROUNDING:
        return np.where(missing > _ROUNDING, np.inf, 0.0)
    needed: Floats = np.ceil(np.maximum(missing, 0) / (1 - share) - _ROUNDING)
    return np.maximum(needed, 0.0)
