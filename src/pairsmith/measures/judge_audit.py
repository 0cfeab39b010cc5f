"""Whether a model judge deserves belief, from what its own votes record: both orders, canaries, repeats.

A judge whose audit fails has its votes withheld from every build; they stay in the ledger. The rules stand in
`docs/decisions/0008-withheld-judges.md`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pairsmith.measures.intervals import share_figure, wilson

__all__ = [
    "MIN_CANARIES",
    "MIN_SWAPS",
    "MIN_SWAP_CONSISTENCY",
    "audit_judge",
    "audit_judges",
    "canary_fooled",
    "detects_position",
    "failed_judges",
    "surely_detects_position",
]

MIN_SWAPS: Final = 20
"""Fewer comparisons say little about a judge."""

MIN_SWAP_CONSISTENCY: Final = 0.70
"""Coin flips and small models stay below it, see docs/reference/annotators.md."""

MIN_CANARIES: Final = 5
"""With fewer an audit is not evaluated: as many as there are kinds of canary."""

_WOBBLES: Final = frozenset({"injected_other"})
Judge = tuple[str, str]


def detects_position(agreeing: int, asked: int) -> bool:
    """Whether a judge kept its verdict on too few comparisons when the responses were exchanged."""
    return asked >= MIN_SWAPS and agreeing < MIN_SWAP_CONSISTENCY * asked


def surely_detects_position(agreeing: int, asked: int) -> bool:
    """The same beyond reasonable doubt: the 95 % interval lies below the bar. For stopping early, vote after vote."""
    interval = wilson(agreeing, asked)
    return asked >= MIN_SWAPS and interval is not None and interval[1] < MIN_SWAP_CONSISTENCY


def canary_fooled(canary: Mapping[str, Any]) -> bool:
    """Whether the judge preferred a planted text to the response it had just called the better one.

    A text without content cannot be better, whichever side it stands on: one order is enough. The losing response with
    an injected line can be nearly as good as the winner, so it must win in every order asked.

    Args:
        canary: `probe`, and `orders`: `real`, `probe`, `tie` or `unread` for each time it was asked.
    """
    orders = list(canary.get("orders", ()))
    won = [order == "probe" for order in orders]
    return bool(won) and (all(won) if canary.get("probe") in _WOBBLES else any(won))


def audit_judge(votes: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The audit of one judge under one set of instructions.

    Args:
        votes: the `criteria` of its votes; used are `swap_consistent`, `canary`, `repeats`, and that a rubric has
            `scores`.

    Returns:
        Figures `swap_consistency`, `canaries_withstood` (extra key `fooled_by`: counts by probe) and
        `retest_flip_rate`, `state` (`pass`, `fail`, `not_evaluated`) and `reasons` for any state but `pass`.
    """
    swaps = agreeing = asked_again = flipped = 0
    pointwise = False
    canaries: list[Mapping[str, Any]] = []
    for criteria in votes:
        if isinstance(criteria.get("swap_consistent"), bool):
            swaps += 1
            agreeing += criteria["swap_consistent"]
        pointwise |= "scores" in criteria
        if isinstance(criteria.get("canary"), Mapping):
            canaries.append(criteria["canary"])
        if isinstance(criteria.get("repeats"), Mapping):
            asked_again += int(criteria["repeats"]["asked"])
            flipped += int(criteria["repeats"]["flipped"])
    fooled = Counter(str(canary["probe"]) for canary in canaries if canary_fooled(canary))
    withstood = share_figure(len(canaries) - fooled.total(), len(canaries), "no canary was shown")
    failures = _failures(agreeing, swaps, fooled, len(canaries))
    gaps = [] if failures else _gaps(None if pointwise else swaps, len(canaries))
    return {
        "swap_consistency": share_figure(agreeing, swaps, "no comparison was asked in both orders"),
        "canaries_withstood": withstood | {"fooled_by": dict(sorted(fooled.items()))},
        "retest_flip_rate": share_figure(flipped, asked_again, "no question was repeated"),
        "state": "fail" if failures else "not_evaluated" if gaps else "pass",
        "reasons": failures or gaps,
    }


def audit_judges(votes: Iterable[tuple[str, str, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """One audit a judge, sorted: `audit_judge` with `name`, `guideline`, `votes` (count) and `withheld` (of those).

    Args:
        votes: annotator, guideline and criteria of every vote of kind `judge`; the order does not matter.
    """
    by_judge: dict[Judge, list[Mapping[str, Any]]] = defaultdict(list)
    for name, guideline, criteria in votes:
        by_judge[name, guideline].append(criteria)
    audits = []
    for (name, guideline), criteria_of in sorted(by_judge.items()):
        audit = audit_judge(criteria_of)
        count = len(criteria_of)
        withheld = count if audit["state"] == "fail" else 0
        audits.append({"name": name, "guideline": guideline, "votes": count, "withheld": withheld, **audit})
    return audits


def failed_judges(audits: Sequence[Mapping[str, Any]]) -> frozenset[Judge]:
    """Name and guideline of the judges whose votes are to be withheld."""
    return frozenset((audit["name"], audit["guideline"]) for audit in audits if audit["state"] == "fail")


def _failures(agreeing: int, swaps: int, fooled: Counter[str], canaries: int) -> list[str]:
    found = []
    if detects_position(agreeing, swaps):
        found.append(
            f"kept its verdict on only {agreeing / swaps:.0%} of {swaps} comparisons when the responses were exchanged "
            f"(at least {MIN_SWAP_CONSISTENCY:.0%} is needed)"
        )
    if fooled:
        kinds = ", ".join(f"{probe} {times}" for probe, times in sorted(fooled.items()))
        found.append(
            f"preferred a planted text to a real response on {fooled.total()} of {canaries} canaries ({kinds})"
        )
    return found


def _gaps(swaps: int | None, canaries: int) -> list[str]:
    """What is too little for a verdict; a rubric sees one response at a time and has no order to exchange."""
    found = []
    if swaps is not None and swaps < MIN_SWAPS:
        found.append(f"{swaps} comparisons in both orders, at least {MIN_SWAPS} are needed")
    if canaries < MIN_CANARIES:
        found.append(f"{canaries} canaries, at least {MIN_CANARIES} are needed")
    return found
