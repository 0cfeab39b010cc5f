"""From the votes on each comparison to one verdict: by counting, or by a model of how reliable each annotator is.

Votes of unknown making (`imported`) and `unsure` are counted, but no model is fitted to them. A comparison on which
most voters were unsure stays undecided under every method.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pairsmith.config import ResolveConfig
from pairsmith.errors import ConfigError
from pairsmith.measures.consensus import (
    Consensus,
    choose_method,
    compare_labels,
    majority,
    one_coin_map,
    typical_votes_per_rater,
)
from pairsmith.measures.dawid_skene import dawid_skene, why_not_dawid_skene
from pairsmith.measures.gold_weights import gold_figures, gold_weights
from pairsmith.measures.overlap import component_sizes
from pairsmith.measures.vote_table import UNKNOWN, VoteTable, vote_table
from pairsmith.records import Annotation, Label
from pairsmith.stages.cases import NO_SIDE, Case

__all__ = ["Panel", "Verdict", "counted_verdicts", "panel_of", "verdicts"]

CLASSES: tuple[Label, ...] = ("a", "b", "tie")
"""What the models tell apart; `both_bad` names no side either and counts as `tie` there."""

_CLASS_OF: Mapping[Label, int] = {"a": 0, "b": 1, "tie": 2, "both_bad": 2}
_FLIPPED = (1, 0, 2)
_SHOWN_RATERS = 50


@dataclass(frozen=True, slots=True)
class Verdict:
    """A label, or why there is none; `probabilities` of `a`, `b` and neither where a model claims them."""

    label: Label | None
    reason: str
    method: str
    probabilities: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """The votes that models are fitted to, and what is known about their truth; rows are cases in their order."""

    table: VoteTable
    truth: np.ndarray[Any, np.dtype[np.int64]]
    raters: tuple[str, ...]
    voted: frozenset[int]


def panel_of(cases: Sequence[Case], weights: Mapping[str, float], kinds: Sequence[str]) -> Panel:
    """The votes of annotators of these kinds, each with its weight by annotation id (by default 1)."""
    cast: list[tuple[int, Annotation]] = [
        (row, vote)
        for row, case in enumerate(cases)
        for vote in case.votes
        if vote.kind in kinds and vote.label != "unsure"
    ]
    raters = sorted({vote.annotator for _, vote in cast})
    number = {name: place for place, name in enumerate(raters)}
    table = vote_table(
        [row for row, _ in cast],
        [number[vote.annotator] for _, vote in cast],
        [_CLASS_OF[vote.label] for _, vote in cast],
        len(CLASSES),
        n_items=len(cases),
        n_raters=len(raters),
        weights=[weights.get(vote.id, 1.0) for _, vote in cast],
    )
    known = [case.truth()[0] for case in cases]
    truth = np.array([UNKNOWN if label is None else _CLASS_OF.get(label, UNKNOWN) for label in known], dtype=np.int64)
    return Panel(table, truth, tuple(raters), frozenset(row for row, _ in cast))


def verdicts(
    cfg: ResolveConfig, cases: Sequence[Case], panel: Panel, weights: Mapping[str, float]
) -> tuple[list[Verdict], Consensus | None, dict[str, Any]]:
    """One verdict per case, what the model of annotators says if one was used, and the figures.

    Raises:
        ConfigError: if the configured model cannot be fitted to these votes; `auto` counts instead and says why.
    """
    method, why = _method(cfg, panel)
    plain = majority(panel.table, panel.truth)
    found = _fitted(cfg, method, panel)
    by_gold, gold = _weights_of_gold(cfg, method, panel)
    listed = []
    for row, case in enumerate(cases):
        counted = _counted(cfg, case, weights, by_gold)
        modelled = found is not None and row in panel.voted
        listed.append(_modelled(cfg, case, row, found, counted) if found and modelled else counted)
    figures = {
        "asked": cfg.method,
        "method": method,
        "why": why,
        "votes_per_annotator": typical_votes_per_rater(panel.table),
        "parts": len(component_sizes(panel.table, panel.truth)),
        "truths": int((panel.truth != UNKNOWN).sum()),
        "against_majority": _changes(cases, listed, plain, found),
        "accuracies": _accuracies(panel, found),
        "gold": gold,
    }
    return listed, found, figures


def counted_verdicts(cfg: ResolveConfig, cases: Sequence[Case]) -> list[Verdict]:
    """One verdict per case by counting, each vote alike."""
    return [_counted(cfg, case, {}, {}) for case in cases]


def _method(cfg: ResolveConfig, panel: Panel) -> tuple[str, str]:
    """The method to use, and why."""
    if cfg.method == "majority":
        return "majority", "configured"
    truth = panel.truth if (panel.truth != UNKNOWN).any() else None
    problem = why_not_dawid_skene(panel.table, truth)
    if cfg.method != "auto":
        if problem and panel.table.items.size:
            raise ConfigError(
                f"pairsmith.yaml: resolve.method: {cfg.method} cannot be used on these votes: {problem}; "
                "or set resolve.method to auto or majority"
            )
        return (cfg.method, "configured") if not problem else ("majority", problem)
    if problem:
        return "majority", problem
    chosen, why = choose_method(panel.table)
    return ("map" if chosen == "one_coin_map" else "majority"), why


def _fitted(cfg: ResolveConfig, method: str, panel: Panel) -> Consensus | None:
    if method == "map":
        return one_coin_map(panel.table, panel.truth, prior=cfg.accuracy_prior)
    if method == "dawid_skene":
        seen = (cfg.accuracy_prior[0] - 1, cfg.accuracy_prior[1] - 1)
        return dawid_skene(panel.table, panel.truth, prior_votes=seen, flip=_FLIPPED)
    return None


def _weights_of_gold(cfg: ResolveConfig, method: str, panel: Panel) -> tuple[dict[str, float], dict[str, Any]]:
    """How much each annotator's vote counts (empty: all alike), and how each did on pairs whose truth is known."""
    if not (panel.truth != UNKNOWN).any() or not panel.raters:
        return {}, {"weights_used": False, "annotators": []}
    found = gold_weights(panel.table, panel.truth, prior=cfg.accuracy_prior)
    rows = [{"name": name, **row} for name, row in zip(panel.raters, gold_figures(found), strict=True)]
    used = cfg.gold_weights and method == "majority"
    shown = sorted((row for row in rows if row["n"]), key=lambda row: (-row["n"], row["name"]))[:_SHOWN_RATERS]
    weights = dict(zip(panel.raters, found.weight.tolist(), strict=True)) if used else {}
    return weights, {"weights_used": used, "annotators": shown}


def _counted(cfg: ResolveConfig, case: Case, weights: Mapping[str, float], by_gold: Mapping[str, float]) -> Verdict:
    """The label with most votes and no reason, or no label and the reason."""
    label, source = case.truth()
    if source:
        return Verdict(label, "" if label else "conflicting_rulings", source)
    if not case.votes:
        return Verdict(None, "no_votes", "majority")
    if len(case.votes) < cfg.min_votes:
        return Verdict(None, "too_few_votes", "majority")
    shares: Counter[Label] = Counter()
    for vote in case.votes:
        shares[vote.label] += weights.get(vote.id, 1.0) * by_gold.get(vote.annotator, 1.0)  # type: ignore[assignment]
    total, most = sum(shares.values()), max(shares.values())
    top = [each for each in ("a", "b", *NO_SIDE) if shares[each] >= most - 1e-9]
    if total <= 0 or (len(top) > 1 and top[0] in ("a", "b")):
        return Verdict(None, "no_majority", "majority")
    winner = top[0]
    if winner in ("a", "b") and len(case.votes) > 1 and most / total < cfg.min_agreement - 1e-9:
        return Verdict(None, "low_agreement", "majority")
    return Verdict(winner, "", "majority")


def _modelled(cfg: ResolveConfig, case: Case, row: int, found: Consensus, counted: Verdict) -> Verdict:
    """The verdict of the model, unless something stands above it."""
    if found.posterior is None or counted.reason in ("too_few_votes", "conflicting_rulings"):
        return counted
    a, b, neither = found.posterior[row].tolist()
    if counted.method in ("ruling", "gold"):
        return replace(counted, probabilities=(a, b, neither))
    if counted.label == "unsure":
        return counted
    label = int(found.labels[row])
    if label == UNKNOWN:
        return Verdict(None, "no_majority", found.method, (a, b, neither))
    if label == _CLASS_OF["tie"]:
        labels = case.labels()
        named: Label = "both_bad" if labels["both_bad"] > labels["tie"] else "tie"
        return Verdict(named, "", found.method, (a, b, neither))
    if found.posterior[row, label] < cfg.min_confidence:
        return Verdict(None, "low_confidence", found.method, (a, b, neither))
    return Verdict(CLASSES[label], "", found.method, (a, b, neither))


def _changes(
    cases: Sequence[Case], listed: Sequence[Verdict], plain: Consensus, found: Consensus | None
) -> dict[str, Any]:
    """What the method changed against counting votes, each vote alike and without a smallest share."""
    if found is None:
        labels = [UNKNOWN if each.label is None else _CLASS_OF.get(each.label, UNKNOWN) for each in listed]
        found = Consensus("majority", np.array(labels, dtype=np.int64).reshape(len(cases)))
    compared = compare_labels(plain, found)
    return {key: compared[key] for key in ("items", "same", "changed", "newly_decided", "newly_undecided")}


def _accuracies(panel: Panel, found: Consensus | None) -> list[dict[str, Any]]:
    """The accuracy the model gives each annotator, most votes first."""
    if found is None or found.rater_accuracy is None:
        return []
    cast = panel.table.votes_per_rater().tolist()
    rows = [
        {"name": name, "votes": votes, "accuracy": accuracy}
        for name, votes, accuracy in zip(panel.raters, cast, found.rater_accuracy.tolist(), strict=True)
    ]
    return sorted(rows, key=lambda row: (-row["votes"], row["name"]))[:_SHOWN_RATERS]
