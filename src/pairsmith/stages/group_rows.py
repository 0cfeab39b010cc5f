"""Two groups of annotators that want opposite things: one row for each, decided by the group's own votes.

Only where such a disagreement was found (`measures.domains`), the configuration splits by it, nobody ruled, and the
votes of each group alone decide the comparison, for opposite sides. Everything else is one comparison, one row.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pairsmith.config import ConflictsConfig
from pairsmith.measures.conflicts import Conflict
from pairsmith.records import Resolution
from pairsmith.stages.annotator_rules import group_of
from pairsmith.stages.cases import Case

__all__ = ["GROUP_MAJORITY", "opposed_rows", "votes_of_groups"]

GROUP_MAJORITY = "group_majority"
"""The method of a resolution that holds for one group of annotators."""


def votes_of_groups(cfg: ConflictsConfig, cases: Iterable[Case], found: Sequence[Conflict]) -> dict[str, list[Case]]:
    """By group: the comparisons both groups of a found disagreement voted on, with the votes of that group alone."""
    disagreements = [each for each in found if each.kind == "group_disagreement"]
    if cfg.domains == "report" or not disagreements:
        return {}
    listed: dict[str, list[Case]] = {}
    for case in cases:
        if case.truth()[1]:
            continue
        votes = {vote.id: group_of(cfg, vote.annotator) for vote in case.votes if vote.kind != "imported"}
        category = "" if case.prompt is None else case.prompt.category
        groups: set[str] = set()
        for conflict in disagreements:
            both = set(conflict.evidence["groups"])
            if conflict.evidence["category"] in ("", category) and both <= set(votes.values()):
                groups |= both
        for group in sorted(groups):
            own = tuple(vote for vote in case.votes if votes.get(vote.id) == group)
            listed.setdefault(group, []).append(replace(case, votes=own))
    return listed


def opposed_rows(cfg: ConflictsConfig, decided: Mapping[str, Sequence[Resolution]]) -> dict[str, list[Resolution]]:
    """Of what each group decided, the resolutions that another group opposes, marked with their group.

    With `add_context` a group whose line is not given has no row: nothing would say for whom it holds.
    """
    winners: dict[str, set[str]] = {}
    for resolutions in decided.values():
        for each in resolutions:
            winners.setdefault(each.comparison_id, set()).add(each.winner)
    rows: dict[str, list[Resolution]] = {}
    for group in sorted(decided):
        line = cfg.context.get(group, "") if cfg.domains == "add_context" else ""
        if line or cfg.domains == "split_dataset":
            rows[group] = [
                replace(each, domain=group, context=line, method=GROUP_MAJORITY)
                for each in decided[group]
                if len(winners[each.comparison_id]) > 1
            ]
    return {group: listed for group, listed in rows.items() if listed}
