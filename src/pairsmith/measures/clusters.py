"""Clusters of near-duplicates in a whole set of texts: MinHash with banding proposes, the true similarity decides.

Near is what `pairsmith.measures.similarity` calls near; that module takes texts one by one, this one all at once. Of
the texts in one bucket only those beside each other and those beside the first are compared: a bucket of thousands of
texts made from one template costs thousands of comparisons, not millions. A cluster can still swallow half the set,
one near neighbour at a time; clusters above a limit are cut at a higher similarity, and that is reported.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairsmith.measures.compiled import has_numba, with_numba
from pairsmith.measures.hashing import mixed
from pairsmith.measures.shingles import Sets, features, signatures
from pairsmith.measures.similarity import MULTIPLIERS, OFFSETS, bands_for

__all__ = ["Clusters", "jaccards", "near_duplicate_clusters"]

_MIN_TEXTS_FOR_NUMBA = 5_000
_ROW_BASE = np.uint64(0xE7037ED1A0B428DB)

_I64 = NDArray[np.int64]
_U64 = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Clusters:
    """Who belongs together.

    Attributes:
        labels: per text, the number of the first text of its cluster.
        edges: shape (pairs, 2): near texts, the smaller number first, as far as they were compared.
        similarities: that of each pair.
        figures: texts, clusters, largest, candidate_pairs and candidate_bound (2 x bands x texts), near_pairs, cut
            (clusters above the limit, each with its size, the similarity it was cut at, and the sizes left).
    """

    labels: _I64
    edges: _I64
    similarities: NDArray[np.float64]
    figures: dict[str, Any]


def near_duplicate_clusters(
    texts: Sequence[str],
    threshold: float,
    *,
    limit: float = 0.05,
    compiled: bool | None = None,
    apart: _I64 | None = None,
) -> Clusters:
    """Cluster texts by near-duplication.

    Args:
        texts: in any order; the clusters do not depend on it where no bucket has more than three texts.
        threshold: smallest Jaccard similarity of near texts, in (0, 1].
        limit: largest share of the texts that one cluster may have (but never under 100 texts) before it is cut.
        compiled: by numba; by default where it is installed and there are enough texts.
        apart: a number for each text; texts with different ones are never compared.

    Raises:
        ValueError: for a threshold or limit out of range.
    """
    if not 0 < threshold <= 1 or not 0 < limit <= 1:
        raise ValueError(f"the threshold and the limit must be in (0, 1], not {threshold} and {limit}")
    if compiled is None:
        compiled = len(texts) >= _MIN_TEXTS_FOR_NUMBA and has_numba()
    bands, rows = bands_for(threshold)
    grams, bags = features(texts, compiled=compiled)
    salt = np.zeros(len(texts), dtype=np.uint64) if apart is None else mixed(apart.astype(np.uint64) + np.uint64(1))
    pairs = np.sort(np.concatenate([_candidates(sets, bands, rows, salt, compiled=compiled) for sets in (grams, bags)]))
    pairs = pairs[np.append(True, pairs[1:] != pairs[:-1])[: len(pairs)]]
    edges = np.stack([pairs // max(1, len(texts)), pairs % max(1, len(texts))], axis=1)
    similarities = np.maximum(*(jaccards(sets, edges, compiled=compiled) for sets in (grams, bags)))
    near = similarities >= threshold
    edges, similarities = edges[near], similarities[near]
    labels = _components(len(texts), edges, compiled=compiled)
    most = max(100, int(limit * len(texts)))
    labels, cut = _cut(labels, edges, similarities, threshold, most, compiled=compiled)
    sizes = np.bincount(labels, minlength=1)
    short = int(np.count_nonzero(np.diff(bags.starts)))
    return Clusters(
        labels,
        edges,
        similarities,
        {
            "texts": len(texts),
            "clusters": int(np.count_nonzero(sizes)),
            "largest": int(sizes.max()),
            "candidate_pairs": len(pairs),
            "candidate_bound": 2 * bands * (len(texts) + short),
            "near_pairs": len(edges),
            "cut": cut,
        },
    )


def _candidates(sets: Sets, bands: int, rows: int, salt: _U64, *, compiled: bool) -> _I64:
    """Pairs i * count + j, i < j, that share a bucket: each text with the one before it there, and with the first."""
    count = len(salt)
    filled = np.flatnonzero(np.diff(sets.starts))
    used = bands * rows
    signed = signatures(sets, MULTIPLIERS.ravel()[:used], OFFSETS.ravel()[:used], compiled=compiled)
    columns = np.ascontiguousarray(signed[filled].T)
    # Each key carries the place of its text in its last bits: sorting it sorts both. Keys differ in all other bits, and
    # what shares a bucket by accident is compared and found different.
    low = np.uint64((1 << len(filled).bit_length()) - 1)
    places = np.arange(len(filled), dtype=np.uint64)
    found = [np.zeros(0, dtype=np.int64)]
    for band in range(bands):
        key = salt[filled]
        for row in range(band * rows, band * rows + rows):
            key = key * _ROW_BASE + columns[row]
        keyed = np.sort(mixed(key) & ~low | places)
        members, bucket = filled[(keyed & low).astype(np.int64)], keyed & ~low
        new = np.ones(len(bucket), dtype=np.bool_)
        new[1:] = bucket[1:] != bucket[:-1]
        same = np.flatnonzero(~new)
        head = members[np.maximum.accumulate(np.where(new, np.arange(len(new)), 0))[same]]
        found += [head * count + members[same], members[same - 1] * count + members[same]]
    return np.concatenate(found)


def jaccards(sets: Sets, edges: _I64, *, compiled: bool) -> NDArray[np.float64]:
    """The Jaccard similarity of each pair of sets, edges of shape (pairs, 2); 0 where one is empty."""
    result = np.zeros(len(edges), dtype=np.float64)
    run = with_numba(_compare) if compiled else _compare_by_numpy
    run(sets.hashes, sets.starts, edges, result)
    return result


def _compare(hashes: _U64, starts: _I64, edges: _I64, result: NDArray[np.float64]) -> None:
    """Jaccard similarity of each pair, by merging two sorted sets. For numba."""
    for each in range(len(edges)):
        at, end = starts[edges[each, 0]], starts[edges[each, 0] + 1]
        other, stop = starts[edges[each, 1]], starts[edges[each, 1] + 1]
        sizes, shared = end - at + stop - other, 0
        while at < end and other < stop:
            one, two = hashes[at], hashes[other]
            shared += one == two
            at += one <= two
            other += two <= one
        if shared:
            result[each] = shared / (sizes - shared)


def _compare_by_numpy(hashes: _U64, starts: _I64, edges: _I64, result: NDArray[np.float64]) -> None:
    for each, (one, other) in enumerate(edges.tolist()):
        left, right = hashes[starts[one] : starts[one + 1]], hashes[starts[other] : starts[other + 1]]
        shared = len(np.intersect1d(left, right, assume_unique=True))
        if shared:
            result[each] = shared / (len(left) + len(right) - shared)


def _components(count: int, edges: _I64, *, compiled: bool) -> _I64:
    """The smallest number in the component of each."""
    parents = np.arange(count)
    run = with_numba(_unite) if compiled else _unite
    run(parents, edges)
    return parents


def _unite(parents: _I64, edges: _I64) -> None:
    for each in range(len(edges)):
        one, other = edges[each, 0], edges[each, 1]
        while parents[one] != one:
            parents[one] = parents[parents[one]]
            one = parents[one]
        while parents[other] != other:
            parents[other] = parents[parents[other]]
            other = parents[other]
        parents[max(one, other)] = min(one, other)
    for each in range(len(parents)):
        parents[each] = parents[parents[each]]  # the parent is smaller, so it already points at its root


def _cut(
    labels: _I64, edges: _I64, similarities: NDArray[np.float64], threshold: float, most: int, *, compiled: bool
) -> tuple[_I64, list[dict[str, Any]]]:
    """Leave weak edges out of clusters of more than `most` texts, step by step, until they fall apart or are equal."""
    report: list[dict[str, Any]] = []
    sizes = np.bincount(labels, minlength=1)
    for label in np.flatnonzero(sizes > most).tolist():
        members = np.flatnonzero(labels == label)
        inside = labels[edges[:, 0]] == label
        level, parts = threshold, labels[members]
        while np.bincount(parts).max() > most and level < 0.999:
            level += (1 - level) / 8
            strong = edges[inside & (similarities >= level)]
            parts = _components(len(labels), strong, compiled=compiled)[members]
        labels[members] = parts
        left = np.sort(np.bincount(parts))[::-1]
        report.append(
            {
                "size": int(sizes[label]),
                "similarity": level,
                "clusters": int(np.count_nonzero(left)),
                "largest": int(left[0]),
                "near_pairs_cut": int(np.count_nonzero(labels[edges[inside, 0]] != labels[edges[inside, 1]])),
            }
        )
    return labels, report
