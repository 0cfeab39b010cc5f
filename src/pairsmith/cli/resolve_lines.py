"""What `resolve` did, in a few lines for a person: who decided, what was asked for and not done, what contradicts."""

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["resolve_lines"]

_DECIDERS: Mapping[str, str] = {
    "majority": "counting votes",
    "one_coin_map": "a model of annotators (map)",
    "dawid_skene": "a model of annotators (dawid_skene)",
    "calibrated": "people and models together (calibrated)",
    "group_majority": "counting the votes of one group of annotators",
    "ruling": "rulings",
    "gold": "gold annotators",
}


def resolve_lines(metrics: Mapping[str, Any]) -> Iterator[str]:
    """One line for each thing that was decided, asked for, changed or found.

    Args:
        metrics: those of the stage `resolve`.
    """
    counts = metrics["resolve"]["methods"]
    pairs = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    if pairs:
        yield "decided by " + ", ".join(f"{_DECIDERS.get(name, name)}: {count:,}" for name, count in pairs)
    consensus, calibration = metrics["consensus"], metrics["calibration"]
    whose = "people's votes" if calibration["calibrated"] else "votes"
    if consensus["why"] != "configured":
        yield f"{whose} by {consensus['method']}: {consensus['why']}"
    if calibration["calibrated"]:
        yield f"models calibrated on {calibration['n']:,} pairs with people's votes: {', '.join(calibration['models'])}"
    elif calibration["asked"] == "calibrated":
        yield f"NOT calibrated, votes of models count as they are: {calibration['reason']}"
    yield from _corrections(metrics["corrections"])
    if metrics["resolve"]["split_by_group"]:
        yield f"{metrics['resolve']['split_by_group']:,} comparisons have a row for each of two opposed groups"
    selection = metrics["selection"]
    if selection["steps"]:
        before, after = selection["before"]["pairs"], selection["after"]["pairs"]
        yield f"selected {after:,} of {before:,} pairs ({selection['policy']})"
    found = {kind: count["found"] for kind, count in metrics["conflicts"].items() if count["found"]}
    if found:
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in found.items())
        yield f"conflicts found (conflicts.jsonl of a build has the evidence): {kinds}"


def _corrections(corrections: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for name, done in corrections.items():
        if done["reason"]:
            yield f"correction {name} did nothing: {done['reason']}"
        else:
            what = "votes" if "votes" in done else "labels"
            total = done["votes"] if "votes" in done else done["pairs"]
            yield f"correction {name}: {done['changed']:,} of {total:,} {what} changed"
