"""What a set of votes says about its annotators: the figures of the agreement panel, from plain columns."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from pairsmith.measures.agreement import (
    SIDES_FLIP,
    agreement_figures,
    annotator_pairs,
    cohen_figures,
    count_votes,
    hits_with_others,
    undecided_items,
)
from pairsmith.measures.intervals import figure, share_figure

__all__ = ["Vote", "annotation_figures", "annotator_figures", "population_of", "side_counts"]

CATEGORIES = {"b": 0, "tie": 1, "both_bad": 1, "a": 2}
"""Verdicts in ordinal order. `both_bad` names no side, as `tie`; `unsure` is no verdict and counts as missing."""

UNKNOWN_MAKING = "nothing is known about who made these labels (kind `imported`), so nobody can be said to agree"

_MIN_SHARED_ITEMS = 30
_MAX_ANNOTATORS = 50


class Vote(NamedTuple):
    """One vote as plain values: which comparison, by whom, of which kind, its label, and the side shown first."""

    item: str
    annotator: str
    kind: str
    label: str
    shown_first: str | None = None


def population_of(votes: Sequence[Vote]) -> tuple[str, list[Vote]]:
    """Whose agreement counts: `human` votes if there are any, else `all`; sorted."""
    people = [vote for vote in votes if vote.kind == "human"]
    return ("human" if people else "all"), sorted(people or votes, key=_place)


def side_counts(votes: Sequence[Vote]) -> dict[str, tuple[int, int]]:
    """Votes for `a` and for `b` by item, of the population whose agreement counts and whose making is known."""
    _, members = population_of(votes)
    counted = Counter((vote.item, vote.label) for vote in members if vote.kind != "imported")
    return {item: (counted[item, "a"], counted[item, "b"]) for item, label in counted if label in ("a", "b")}


def annotation_figures(votes: Sequence[Vote], *, seed: int, replicates: int = 1000) -> dict[str, Any]:
    """Counts and agreement figures of one population of votes (see `population_of`), in any order.

    Returns:
        `population`, `votes`, `items`, `annotators` (counts), `labels` and `by_kind` (counts by name, the latter of all
        votes), `items_with_2_or_more_votes` and `vote_pairs` and `no_majority_items` (verdicts only), the figures of
        `agreement_figures`, and `cohen_kappa`: `pairs` (at most 20 figures of annotators who share 30 items or more),
        `pairs_total`, `min_items`.
    """
    population, members = population_of(votes)
    verdicts = [vote for vote in members if vote.kind != "imported" and vote.label in CATEGORIES]
    people = sorted({vote.annotator for vote in verdicts})
    items = _index(vote.item for vote in verdicts)
    labels = np.array([CATEGORIES[vote.label] for vote in verdicts], dtype=np.int64)
    rows = np.array([items[vote.item] for vote in verdicts], dtype=np.int64)
    counts = count_votes(rows, labels, 3, len(items))
    per_item = counts.sum(axis=1)
    only_imported = bool(members) and all(vote.kind == "imported" for vote in members)
    reasons = {"no_votes": UNKNOWN_MAKING} if only_imported else {}
    person = {name: number for number, name in enumerate(people)}
    pairs, tables = annotator_pairs(rows, [person[vote.annotator] for vote in verdicts], labels, 3)
    kappas = cohen_figures(pairs, tables, seed=seed, flip=SIDES_FLIP, min_items=_MIN_SHARED_ITEMS)
    for kappa in kappas:
        kappa.update(first=people[kappa["first"]], second=people[kappa["second"]])
    return {
        "population": population,
        "votes": len(members),
        "items": len({vote.item for vote in members}),
        "annotators": len({vote.annotator for vote in members}),
        "labels": _counted(vote.label for vote in members),
        "by_kind": _counted(vote.kind for vote in votes),
        "items_with_2_or_more_votes": int((per_item >= 2).sum()),
        "vote_pairs": int((per_item * (per_item - 1) / 2).sum()),
        "no_majority_items": undecided_items(counts),
        **agreement_figures(counts, seed=seed, flip=SIDES_FLIP, tie=1, replicates=replicates, **reasons),
        "cohen_kappa": {"pairs": kappas, "pairs_total": len(pairs), "min_items": _MIN_SHARED_ITEMS},
    }


def annotator_figures(votes: Sequence[Vote], *, limit: int = _MAX_ANNOTATORS) -> list[dict[str, Any]]:
    """One row per annotator, the most votes first, at most `limit` rows.

    Each row has `name`, `kind`, `votes`, `tie_share` and `unsure_share` in [0, 1], and two figures:
    `first_side_share` (how often a vote for a side chose the one shown first) and `agreement_with_others` (with the
    most frequent verdict of the others: of people, if any person voted, else of the other annotators).
    """
    population, members = population_of(votes)
    reference = [vote for vote in members if vote.kind != "imported" and vote.label in CATEGORIES]
    items = _index(vote.item for vote in reference)
    counts = count_votes(
        [items[vote.item] for vote in reference], [CATEGORIES[vote.label] for vote in reference], 3, len(items)
    )
    judged = sorted((v for v in votes if v.kind != "imported" and v.label in CATEGORIES and v.item in items), key=str)
    hits = hits_with_others(
        [items[vote.item] for vote in judged],
        [CATEGORIES[vote.label] for vote in judged],
        counts,
        [population == "all" or vote.kind == "human" for vote in judged],
    )
    hits_of: dict[str, list[float]] = {}
    for vote, hit in zip(judged, hits.tolist(), strict=True):
        if hit == hit:  # NaN: nobody else voted
            hits_of.setdefault(vote.annotator, []).append(hit)
    votes_of: dict[str, list[Vote]] = {}
    for vote in votes:
        votes_of.setdefault(vote.annotator, []).append(vote)
    most_votes_first = sorted(votes_of, key=lambda name: (-len(votes_of[name]), name))
    return [_annotator_row(name, votes_of[name], hits_of.get(name, [])) for name in most_votes_first[:limit]]


def _annotator_row(name: str, votes: Sequence[Vote], hits: Sequence[float]) -> dict[str, Any]:
    labels = Counter(vote.label for vote in votes)
    placed = [vote for vote in votes if vote.label in ("a", "b") and vote.shown_first is not None]
    first = sum(vote.label == vote.shown_first for vote in placed)
    kinds = sorted({vote.kind for vote in votes})
    lonely = UNKNOWN_MAKING if kinds == ["imported"] else "nobody else gave a verdict on the same comparisons"
    return {
        "name": name,
        "kind": "+".join(kinds),
        "votes": len(votes),
        "tie_share": (labels["tie"] + labels["both_bad"]) / len(votes),
        "unsure_share": labels["unsure"] / len(votes),
        "first_side_share": share_figure(first, len(placed), "which side was shown first is not recorded"),
        "agreement_with_others": share_figure(sum(hits), len(hits), lonely) if hits else figure(None, reason=lonely),
    }


def _place(vote: Vote) -> tuple[str, str]:
    return vote.item, vote.annotator


def _index(items: Any) -> dict[str, int]:
    return {item: number for number, item in enumerate(sorted(set(items)))}


def _counted(names: Any) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))
