"""From the votes on each comparison to one verdict: by counting, or by a model of how reliable each annotator is.

Votes of unknown making (`imported`) and `unsure` are counted, but no model is fitted to them. A comparison on which
most voters were unsure stays undecided under every method.
"""

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
from pairsmith.measures.vote_table import UNKNOWN, Floats, Ints, VoteTable, vote_table
from pairsmith.measures.votes import LABELS, NET_SIDE, Votes, code
from pairsmith.records import Label
from pairsmith.stages.cases import NO_SIDE, Case, Truths, truths_of, vote_columns

__all__ = ["Panel", "Verdict", "counted_verdicts", "panel_of", "verdicts"]

CLASSES: tuple[Label, ...] = ("a", "b", "tie")
"""What the models tell apart; `both_bad` names no side either and counts as `tie` there."""

_CLASS_OF: Mapping[str, int] = {"a": 0, "b": 1, "tie": 2, "both_bad": 2}
_CLASS = np.array([_CLASS_OF.get(label, UNKNOWN) for label in LABELS], dtype=np.int64)
_FIRST_OF_EQUAL = np.array([code(label) for label in ("a", "b", *NO_SIDE)])
_FLIPPED = (1, 0, 2)
_SHOWN_RATERS = 50
_EQUAL = 1e-9


@dataclass(frozen=True, slots=True)
class Verdict:
    """A label, or why there is none; `probabilities` of `a`, `b` and neither where a model claims them."""

    label: Label | None
    reason: str
    method: str
    probabilities: tuple[float, float, float] | None = None


_BY_COUNTING = (
    *(Verdict(label, "", "majority") for label in LABELS),
    *(Verdict(None, reason, "majority") for reason in ("no_votes", "too_few_votes", "no_majority", "low_agreement")),
)
"""What counting can come to: the labels in the order of `LABELS`, then the reasons in the order they are looked for."""


@dataclass(frozen=True, slots=True)
class Panel:
    """The votes that models are fitted to, and what is known about their truth; rows are cases in their order."""

    table: VoteTable
    truth: np.ndarray[Any, np.dtype[np.int64]]
    raters: tuple[str, ...]


def panel_of(votes: Votes, truths: Truths, weights: Floats, kinds: Sequence[str]) -> Panel:
    """The votes of annotators of these kinds, each with its weight."""
    cast = votes.is_kind(*kinds) & (votes.label != code("unsure"))
    voters, rater = np.unique(votes.annotator[cast], return_inverse=True)
    table = vote_table(
        votes.item[cast],
        rater,
        _CLASS[votes.label[cast]],
        len(CLASSES),
        n_items=len(votes.items),
        n_raters=voters.size,
        weights=weights[cast],
    )
    truth = np.full(len(votes.items), UNKNOWN, dtype=np.int64)
    for row, (label, _) in truths.items():
        truth[row] = UNKNOWN if label is None else _CLASS[code(label)]
    return Panel(table, truth, tuple(votes.annotators[voter] for voter in voters.tolist()))


def verdicts(
    cfg: ResolveConfig, votes: Votes, truths: Truths, panel: Panel, weights: Floats
) -> tuple[list[Verdict], Consensus | None, dict[str, Any]]:
    """One verdict per case, what the model of annotators says if one was used, and the figures.

    Raises:
        ConfigError: if the configured model cannot be fitted to these votes; `auto` counts instead and says why.
    """
    method, why = _method(cfg, panel)
    plain = majority(panel.table, panel.truth)
    found = _fitted(cfg, method, panel)
    by_gold, gold = _weights_of_gold(cfg, method, panel)
    worth = np.array([by_gold.get(name, 1.0) for name in votes.annotators])
    listed = _counted(cfg, votes, truths, weights * worth[votes.annotator] if by_gold else weights)
    if found is not None:
        listed = _modelled(cfg, votes, found, listed, panel.table.items)
    figures = {
        "asked": cfg.method,
        "method": method,
        "why": why,
        "votes_per_annotator": typical_votes_per_rater(panel.table),
        "parts": len(component_sizes(panel.table, panel.truth)),
        "truths": int((panel.truth != UNKNOWN).sum()),
        "against_majority": _changes(listed, plain, found),
        "accuracies": _accuracies(panel, found),
        "gold": gold,
    }
    return listed, found, figures


def counted_verdicts(cfg: ResolveConfig, cases: Sequence[Case]) -> list[Verdict]:
    """One verdict per case by counting, each vote alike."""
    votes = vote_columns(cases)
    return _counted(cfg, votes, truths_of(cases), np.ones(votes.item.size))


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


def _counted(cfg: ResolveConfig, votes: Votes, truths: Truths, weights: Floats) -> list[Verdict]:
    """For each case the label with most votes and no reason, or no label and the reason."""
    shares, cast = votes.counts(weights), votes.per_item()
    total, most = shares.sum(axis=1), shares.max(axis=1, initial=0.0)
    leading = shares[:, _FIRST_OF_EQUAL] >= (most - _EQUAL)[:, None]
    winner = _FIRST_OF_EQUAL[leading.argmax(axis=1)]
    sided = NET_SIDE[winner] != 0
    even = (total <= 0) | (sided & (leading.sum(axis=1) > 1))
    small = sided & (cast > 1) & (most / np.maximum(total, _EQUAL) < cfg.min_agreement - _EQUAL)
    problems = [cast == 0, cast < cfg.min_votes, even, small]
    outcome = np.select(problems, range(len(LABELS), len(_BY_COUNTING)), winner)
    listed = [_BY_COUNTING[number] for number in outcome.tolist()]
    for row, (label, source) in truths.items():
        listed[row] = Verdict(label, "" if label else "conflicting_rulings", source)
    return listed


def _modelled(
    cfg: ResolveConfig, votes: Votes, found: Consensus, counted: Sequence[Verdict], voted: Ints
) -> list[Verdict]:
    """The verdicts of the model on the rows in `voted`, unless something stands above it."""
    if found.posterior is None:
        return list(counted)
    posterior, labels = found.posterior.tolist(), found.labels.tolist()
    counts = votes.counts()
    both_bad = (counts[:, code("both_bad")] > counts[:, code("tie")]).tolist()
    listed = list(counted)
    for row in np.unique(voted).tolist():
        a, b, neither = posterior[row]
        sure, verdict = (a, b, neither), counted[row]
        if verdict.method in ("ruling", "gold") and verdict.label is not None:
            listed[row] = replace(verdict, probabilities=sure)
        elif verdict.reason in ("too_few_votes", "conflicting_rulings") or verdict.label == "unsure":
            continue
        elif labels[row] == UNKNOWN:
            listed[row] = Verdict(None, "no_majority", found.method, sure)
        elif CLASSES[labels[row]] == "tie":
            listed[row] = Verdict("both_bad" if both_bad[row] else "tie", "", found.method, sure)
        elif sure[labels[row]] < cfg.min_confidence:
            listed[row] = Verdict(None, "low_confidence", found.method, sure)
        else:
            listed[row] = Verdict(CLASSES[labels[row]], "", found.method, sure)
    return listed


def _changes(listed: Sequence[Verdict], plain: Consensus, found: Consensus | None) -> dict[str, Any]:
    """What the method changed against counting votes, each vote alike and without a smallest share."""
    if found is None:
        labels = [UNKNOWN if each.label is None else _CLASS_OF.get(each.label, UNKNOWN) for each in listed]
        found = Consensus("majority", np.array(labels, dtype=np.int64))
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
