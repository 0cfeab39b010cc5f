"""Conflicts between annotators: whose votes do not come from reading, and groups that want different things."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pairsmith.config import ConflictsConfig, ResolveConfig
from pairsmith.measures.anomalies import annotator_anomalies, fast_annotators
from pairsmith.measures.collusion import colluding_pairs
from pairsmith.measures.conflicts import Conflict
from pairsmith.measures.domains import category_disagreement, group_disagreement
from pairsmith.measures.votes import Votes
from pairsmith.records import Annotation, ConflictRecord, Resolution
from pairsmith.stages.cases import Case, length_of

__all__ = ["annotator_conflicts", "domain_conflicts", "group_of", "recorded", "tagged", "without_excluded"]

_EXCLUDING = ("exclude_annotator", "flip_votes")


def annotator_conflicts(cases: Sequence[Case], votes: Votes) -> list[Conflict]:
    """Annotators and pairs of annotators whose votes have another explanation than reading, sorted by kind and name."""
    longer = {case.id: side for case in cases if (side := _longer(case))}
    found = annotator_anomalies(votes, longer=longer) + fast_annotators(votes)
    explained = {name for conflict in found for name in conflict.subjects}
    return [*found, *colluding_pairs(votes, explained=explained)]


def _longer(case: Case) -> str:
    """The side with the longer response; "" if there is none."""
    if case.a is None or case.b is None:
        return ""
    a, b = length_of(case.a), length_of(case.b)
    return "" if a == b else "a" if a > b else "b"


def without_excluded(
    cfg: ResolveConfig, votes: Sequence[Annotation], found: Sequence[Conflict]
) -> tuple[list[Annotation], dict[str, Any], list[ConflictRecord]]:
    """The votes that are left, how many were left out and whose, and what was done about each conflict.

    Of two who collude, equal votes on one comparison count once: that of the first by name stays.
    """
    anomalous = {
        name for each in found if cfg.exclude_anomalous and each.resolution in _EXCLUDING for name in each.targets
    }
    out = anomalous | set(cfg.exclude_annotators)
    twins = [each.targets for each in found if cfg.exclude_anomalous and each.resolution == "merge_votes"]
    label_of = {(vote.annotator, vote.comparison_id): vote.label for vote in votes if twins}
    second: dict[str, list[str]] = {}
    for first, other in twins:
        second.setdefault(other, []).append(first)

    def copied(vote: Annotation) -> bool:
        return any(label_of.get((first, vote.comparison_id)) == vote.label for first in second.get(vote.annotator, ()))

    left, excluded, merged = [], Counter[str](), 0
    for vote in votes:
        if vote.annotator in out:
            excluded[vote.annotator] += 1
        elif second and copied(vote):
            merged += 1
        else:
            left.append(vote)
    records = []
    for each in found:
        action = "reported"
        if cfg.exclude_anomalous and each.resolution in _EXCLUDING:
            action = "votes_excluded"
        elif cfg.exclude_anomalous and each.resolution == "merge_votes":
            action = "votes_merged"
        records.append(recorded(each, "reported" if action == "reported" else "resolved", action))
    figures = {"votes": excluded.total(), "annotators": dict(sorted(excluded.items())), "merged": merged}
    return left, figures, records


def domain_conflicts(cfg: ConflictsConfig, cases: Sequence[Case], votes: Votes, *, seed: int) -> list[Conflict]:
    """Groups of annotators that want opposite things, and categories in which people differ."""
    known = votes.where(~votes.is_kind("imported"))
    categories = {case.id: case.prompt.category for case in cases if case.prompt is not None and case.prompt.category}
    groups = {name: group for name in votes.annotators if (group := group_of(cfg, name))}
    found = group_disagreement(known, groups, categories, seed=seed) if groups else []
    return found + category_disagreement(known, categories)


def group_of(cfg: ConflictsConfig, annotator: str) -> str:
    """The group of the longest beginning of the name that `groups` knows; "" if there is none."""
    known = [prefix for prefix in cfg.groups if annotator.startswith(prefix)]
    return cfg.groups[max(known, key=len)] if known else ""


def tagged(
    cfg: ConflictsConfig,
    kept: Iterable[Resolution],
    cases: Mapping[str, Case],
    found: Sequence[Conflict],
) -> tuple[list[Resolution], list[ConflictRecord]]:
    """Resolutions with their `domain` (and `context`), where the configuration wants it, and what was done.

    A pair belongs to the one of two disagreeing groups that prefers its winner while the other prefers its loser, else
    to its contested category; pairs on which both groups agree belong to everybody and get no tag.
    """
    if cfg.domains == "report":
        return list(kept), [recorded(each, "reported", "reported") for each in found]
    by_group = [each for each in found if each.kind == "group_disagreement"]
    contested = {each.subjects[0] for each in found if each.kind == "category_disagreement"}
    listed = []
    for resolution in kept:
        case = cases[resolution.comparison_id]
        category = "" if case.prompt is None else case.prompt.category
        domain = _side_taken(cfg, case, resolution, by_group, category) or (category if category in contested else "")
        line = cfg.context.get(domain, "") if cfg.domains == "add_context" else ""
        listed.append(replace(resolution, domain=domain, context=line) if domain else resolution)
    return listed, [recorded(each, "resolved", cfg.domains) for each in found]


def _side_taken(
    cfg: ConflictsConfig, case: Case, resolution: Resolution, conflicts: Sequence[Conflict], category: str
) -> str:
    """The group whose preference the resolution is, against that of another group."""
    net: Counter[str] = Counter()
    for vote in case.votes:
        if vote.label in ("a", "b"):
            net[group_of(cfg, vote.annotator)] += 1 if vote.label == resolution.winner else -1
    for conflict in conflicts:
        first, other = conflict.evidence["groups"]
        if conflict.evidence["category"] in ("", category) and net[first] * net[other] < 0:
            return str(first if net[first] > 0 else other)
    return ""


def recorded(conflict: Conflict, outcome: str, action: str, targets: Sequence[str] | None = None) -> ConflictRecord:
    """The conflict with what was done about it."""
    done = conflict.targets if targets is None else tuple(targets)
    return ConflictRecord(
        conflict.kind, conflict.subjects, conflict.evidence, conflict.resolution, done, outcome, action
    )
