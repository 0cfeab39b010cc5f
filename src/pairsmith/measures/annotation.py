"""What a set of votes says about its annotators: the figures of the agreement panel."""

from typing import Any

import numpy as np

from pairsmith.measures.agreement import (
    MOST_NEIGHBOURS,
    SIDES_FLIP,
    agreement_figures,
    annotator_pairs,
    cohen_figures,
    count_votes,
    hits_with_others,
    undecided_items,
)
from pairsmith.measures.intervals import figure, share_figure
from pairsmith.measures.vote_table import UNKNOWN, Floats, Ints
from pairsmith.measures.votes import KINDS, LABELS, Mask, Votes, VotesLike, code, named_counts

__all__ = ["annotation_figures", "annotator_figures", "population_of", "side_counts"]

_CATEGORY = np.array([{"b": 0, "tie": 1, "both_bad": 1, "a": 2}.get(label, UNKNOWN) for label in LABELS])
"""Verdicts in ordinal order. `both_bad` names no side, as `tie`; `unsure` is no verdict and counts as missing."""

UNKNOWN_MAKING = "nothing is known about who made these labels (kind `imported`), so nobody can be said to agree"

_MIN_SHARED_ITEMS = 30
_MAX_ANNOTATORS = 50


def population_of(votes: VotesLike) -> tuple[str, Votes]:
    """Whose agreement counts: `human` votes if there are any, else `all`."""
    table = Votes.of(votes)
    people = table.is_kind("human")
    return ("human", table.where(people)) if people.any() else ("all", table)


def side_counts(votes: VotesLike) -> Floats:
    """Votes for `a` and for `b`, shape (items, 2), of the population whose agreement counts and whose making is known.

    Rows are those of `Votes.items`.
    """
    _, members = population_of(votes)
    return members.where(~members.is_kind("imported")).counts()[:, : code("b") + 1]


def annotation_figures(votes: VotesLike, *, seed: int, replicates: int = 1000) -> dict[str, Any]:
    """Counts and agreement figures of one population of votes (see `population_of`), in any order.

    Returns:
        `population`, `votes`, `items`, `annotators` (counts), `labels` and `by_kind` (counts by name, the latter of all
        votes), `items_with_2_or_more_votes` and `vote_pairs` and `no_majority_items` (verdicts only), the figures of
        `agreement_figures`, and `cohen_kappa`: `pairs` (at most 20 figures of annotators who share 30 items or more),
        `pairs_total`, `min_items`, and `items_capped`, with so many votes that not all pairs of them were counted.
    """
    table = Votes.of(votes)
    population, members = population_of(table)
    verdicts = members.where(_is_verdict(members))
    labels = _CATEGORY[verdicts.label]
    counts = count_votes(verdicts.item, labels, 3, len(table.items))
    per_item = counts.sum(axis=1)
    only_imported = bool(members.item.size) and bool(members.is_kind("imported").all())
    reasons = {"no_votes": UNKNOWN_MAKING} if only_imported else {}
    pairs, tables = annotator_pairs(verdicts.item, verdicts.annotator, labels, 3)
    kappas = cohen_figures(pairs, tables, seed=seed, flip=SIDES_FLIP, min_items=_MIN_SHARED_ITEMS)
    for kappa in kappas:
        kappa.update(first=table.annotators[kappa["first"]], second=table.annotators[kappa["second"]])
    by_kind = np.bincount(table.kind, minlength=len(KINDS)).tolist()
    return {
        "population": population,
        "votes": members.item.size,
        "items": _distinct(members.item),
        "annotators": _distinct(members.annotator),
        "labels": named_counts(np.bincount(members.label, minlength=len(LABELS)).tolist()),
        "by_kind": {kind: count for kind, count in zip(KINDS, by_kind, strict=True) if count},
        "items_with_2_or_more_votes": int((per_item >= 2).sum()),
        "vote_pairs": int((per_item * (per_item - 1) / 2).sum()),
        "no_majority_items": undecided_items(counts),
        **agreement_figures(counts, seed=seed, flip=SIDES_FLIP, tie=1, replicates=replicates, **reasons),
        "cohen_kappa": {
            "pairs": kappas,
            "pairs_total": len(pairs),
            "min_items": _MIN_SHARED_ITEMS,
            "items_capped": int((per_item > MOST_NEIGHBOURS + 1).sum()),
        },
    }


def annotator_figures(votes: VotesLike, *, limit: int = _MAX_ANNOTATORS) -> list[dict[str, Any]]:
    """One row per annotator, the most votes first, at most `limit` rows.

    Each row has `name`, `kind`, `votes`, `tie_share` and `unsure_share` in [0, 1], and two figures:
    `first_side_share` (how often a vote for a side chose the one shown first) and `agreement_with_others` (with the
    most frequent verdict of the others: of people, if any person voted, else of the other annotators).
    """
    table = Votes.of(votes)
    hits, heard = _hits(table)
    cast = table.per_annotator()
    most_votes_first = np.argsort(-cast, kind="stable")[: min(limit, int((cast > 0).sum()))]
    placed = table.sided & (table.first != UNKNOWN)
    chose_first = table.per_annotator(placed, table.label == table.first)
    could_choose = table.per_annotator(placed)
    labels, kinds = _by_annotator(table, table.label, len(LABELS)), _by_annotator(table, table.kind, len(KINDS))
    rows = []
    for person in most_votes_first.tolist():
        said, n = named_counts(labels[person].tolist()), int(cast[person])
        known = [kind for kind, count in zip(KINDS, kinds[person].tolist(), strict=True) if count]
        lonely = UNKNOWN_MAKING if known == ["imported"] else "nobody else gave a verdict on the same comparisons"
        first = share_figure(
            int(chose_first[person]), int(could_choose[person]), "which side was shown first is not recorded"
        )
        rows.append(
            {
                "name": table.annotators[person],
                "kind": "+".join(known),
                "votes": n,
                "tie_share": (said.get("tie", 0) + said.get("both_bad", 0)) / n,
                "unsure_share": said.get("unsure", 0) / n,
                "first_side_share": first,
                "agreement_with_others": share_figure(hits[person], int(heard[person]), lonely)
                if heard[person]
                else figure(None, reason=lonely),
            }
        )
    return rows


def _hits(table: Votes) -> tuple[Floats, Floats]:
    """By annotator: how often they said what most of the others did, and how often there were others."""
    population, members = population_of(table)
    reference = members.where(_is_verdict(members))
    counts = count_votes(reference.item, _CATEGORY[reference.label], 3, len(table.items))
    judged = table.where(_is_verdict(table) & (counts.sum(axis=1) > 0)[table.item])
    counted = None if population == "all" else judged.is_kind("human")
    hits = hits_with_others(judged.item, _CATEGORY[judged.label], counts, counted)
    heard = np.isfinite(hits)
    return judged.per_annotator(heard, hits), judged.per_annotator(heard)


def _is_verdict(votes: Votes) -> Mask:
    """Which votes say something, and are of known making."""
    spoken: Mask = _CATEGORY[votes.label] != UNKNOWN
    return spoken & ~votes.is_kind("imported")


def _by_annotator(votes: Votes, values: Ints, size: int) -> Ints:
    cells = np.bincount(votes.annotator * size + values, minlength=len(votes.annotators) * size)
    return cells.reshape(-1, size).astype(np.int64)


def _distinct(numbers: Ints) -> int:
    return int(np.unique(numbers).size)
