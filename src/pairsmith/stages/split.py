"""Stage 6: parts (train, validation, ...) that share no similar prompts, and keep their rows when the dataset grows.

Every prompt of the ledger is assigned once, in order of arrival, by what came before it alone. A prompt that is near
earlier ones joins their part; near several parts, it joins none. So a row never changes sides when prompts are added,
nor when pairs come or go. The price: the shares can miss their targets by what such groups weigh, which is reported.
"""

import dataclasses
import itertools
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pairsmith.config import SplitConfig
from pairsmith.ids import seed_for
from pairsmith.measures.parts import QUARANTINED, Placing, group_warnings
from pairsmith.measures.similarity import NearDuplicates, cross_pairs
from pairsmith.measures.text import normalise
from pairsmith.records import Dropped, Outcome, PreferencePair, Prompt

__all__ = ["SPLIT_REASONS", "split"]

SPLIT_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "near_both_parts": "the prompt is similar to prompts of several parts, so it would leak from one to the other",
        "unknown_prompt": "the prompt of the pair is not among the prompts of the ledger",
    }
)

# A conversation that goes on from the same opening belongs with it; openings shorter than this ("hi") say nothing.
_MIN_OPENING_WORDS = 6
_SEED_RANGE = 2**31

_Stratum = tuple[str, ...]


@dataclasses.dataclass(slots=True)
class _Assignment:
    """Where each prompt went. `part` is None for prompts near several parts, whose nearest prompts are in `near`.

    `group`: for the others, the number of the first prompt of their group.
    """

    part: dict[str, str | None] = dataclasses.field(default_factory=dict)
    group: dict[str, int] = dataclasses.field(default_factory=dict)
    near: dict[str, list[str]] = dataclasses.field(default_factory=dict)


def split(
    cfg: SplitConfig, prompts: Sequence[Prompt], pairs: Sequence[PreferencePair], *, seed: int
) -> Outcome[PreferencePair]:
    """Give every pair its `part`; drop those whose prompt is near several parts.

    Args:
        cfg: the section `split`.
        prompts: all prompts of the ledger, in order of arrival, whether they have pairs or not.
        pairs: the validated pairs, in any order.
        seed: decides ties between the parts.

    Returns:
        Kept and dropped, both sorted by pair id. `metrics["split"]`: state, reason, parts, target, strata,
        max_deviation, groups, largest_group_share, warnings, quarantined, leaks, similarity.
    """
    prompts = list({prompt.id: prompt for prompt in prompts}.values())
    assigned = _assign(cfg, prompts, seed)
    leaks = _quarantine_missed(prompts, assigned, _crossing(cfg, prompts, assigned))
    kept: list[PreferencePair] = []
    dropped: list[Dropped] = []
    for pair in sorted(pairs, key=lambda each: each.id):
        if pair.prompt_id not in assigned.part:
            dropped.append(Dropped(pair.id, "split", "unknown_prompt", {"prompt": pair.prompt_id}))
        elif (part := assigned.part[pair.prompt_id]) is None:
            dropped.append(Dropped(pair.id, "split", "near_both_parts", {"near": assigned.near[pair.prompt_id]}))
        else:
            kept.append(dataclasses.replace(pair, part=part))
    return Outcome(tuple(kept), tuple(dropped), {"split": _figures(cfg, kept, assigned, leaks)})


def _assign(cfg: SplitConfig, prompts: Sequence[Prompt], seed: int) -> _Assignment:
    """The part of each prompt, decided in order of arrival."""
    seen = NearDuplicates(cfg.similarity)
    rows: list[int] = []  # of the texts in `seen`: prompts near several parts are in none and attract nothing
    openings: dict[str, int] = {}
    shares = cfg.shares()
    names = list(shares)
    placing = Placing(list(shares.values()))
    for row, prompt in enumerate(prompts):
        opening = _opening(prompt)
        near = {rows[number] for number in seen.neighbours(_text(prompt), lambda number: placing.root(rows[number]))}
        if opening in openings:
            near.add(openings[opening])
        draw = seed_for(seed, "split", prompt.id) / _SEED_RANGE
        if placing.place(_stratum(cfg, prompt), sorted(near), draw) == QUARANTINED:
            continue
        if opening:
            openings.setdefault(opening, row)
        seen.add(_text(prompt))
        rows.append(row)
    return _Assignment(
        part={
            p.id: None if part == QUARANTINED else names[part] for p, part in zip(prompts, placing.parts, strict=True)
        },
        group={prompts[row].id: placing.root(row) for row in rows},
        near={prompts[row].id: [prompts[other].id for other in others] for row, others in placing.near.items()},
    )


def _quarantine_missed(prompts: Sequence[Prompt], assigned: _Assignment, crossing: Sequence[tuple[str, str]]) -> int:
    """Take the later of each two similar prompts across the parts out; how many such twos are left.

    MinHash proposes all but about one in a thousand pairs at the threshold. Whether a pair was missed depends on its
    two texts alone, so this too never changes when the dataset grows.
    """
    arrival = {prompt.id: number for number, prompt in enumerate(prompts)}
    in_order = [sorted(ids, key=lambda each: arrival[each]) for ids in crossing]
    for earlier, later in sorted(in_order, key=lambda ids: (arrival[ids[1]], arrival[ids[0]])):
        if assigned.part[earlier] and assigned.part[later]:
            assigned.part[later] = None
            assigned.near[later] = [earlier]
    return sum(bool(assigned.part[one] and assigned.part[other]) for one, other in crossing)


def _crossing(cfg: SplitConfig, prompts: Sequence[Prompt], assigned: _Assignment) -> list[tuple[str, str]]:
    """All similar prompts in different parts, found from the texts by an exact method, without MinHash."""
    sides = ([p for p in prompts if assigned.part[p.id] == part] for part in cfg.shares())
    found: set[tuple[str, str]] = set()
    for one, other in itertools.combinations(sides, 2):
        texts = [_text(p) for p in one], [_text(p) for p in other]
        found |= {(one[i].id, other[j].id) for i, j in cross_pairs(*texts, cfg.similarity)}
        openings = {_opening(p): p.id for p in one}
        found |= {(openings[o], p.id) for p in other if (o := _opening(p)) and o in openings}
    return sorted(found)


def _text(prompt: Prompt) -> str:
    """What is compared: all turns but the system's, which whole datasets share."""
    turns = [message.content for message in prompt.messages if message.role != "system"]
    return "\n\n".join(turns) or prompt.text


def _opening(prompt: Prompt) -> str:
    """The first turn of the user in normal form; "" if it is too short to tell conversations apart."""
    first = normalise(next((message.content for message in prompt.messages if message.role == "user"), ""))
    return first if first.count(" ") >= _MIN_OPENING_WORDS - 1 else ""


def _stratum(cfg: SplitConfig, record: Prompt | PreferencePair) -> _Stratum:
    return tuple(getattr(record, name) for name in cfg.stratify)


def _figures(cfg: SplitConfig, pairs: Sequence[PreferencePair], assigned: _Assignment, leaks: int) -> dict[str, Any]:
    shares = cfg.shares()
    rows = Counter(pair.part for pair in pairs)
    prompt_ids = {part: {pair.prompt_id for pair in pairs if pair.part == part} for part in shares}
    sizes = Counter(assigned.group[pair.prompt_id] for pair in pairs)
    largest = max(sizes.values(), default=0)
    strata = _strata(cfg, pairs)
    reason = _why_not({part: rows[part] for part in shares}, len(sizes), leaks)
    return {
        "state": "fail" if reason else "pass",
        "reason": reason,
        "target": shares,
        "parts": {
            part: {
                "pairs": rows[part],
                "prompts": len(prompt_ids[part]),
                "share": rows[part] / len(pairs) if pairs else None,
            }
            for part in shares
        },
        "strata": strata,
        "max_deviation": max((abs(row["deviation"]) for row in strata), default=None),
        "groups": len(sizes),
        "largest_group_share": largest / len(pairs) if pairs else None,
        "warnings": group_warnings(largest, [sum(row["parts"].values()) for row in strata], len(shares), "pairs"),
        "quarantined": {
            "prompts": sum(part is None for part in assigned.part.values()),
            "near": dict(sorted(assigned.near.items())[:20]),
        },
        "leaks": leaks,
        "similarity": cfg.similarity,
    }


def _strata(cfg: SplitConfig, pairs: Sequence[PreferencePair]) -> list[dict[str, Any]]:
    """Pairs per part in each stratum, and by how much the part that misses its share most misses it."""
    counts: defaultdict[_Stratum, Counter[str]] = defaultdict(Counter)
    for pair in pairs:
        counts[_stratum(cfg, pair)][pair.part] += 1
    shares = cfg.shares()
    found = []
    for stratum, count in sorted(counts.items()):
        missed = {part: count[part] / count.total() - share for part, share in shares.items()}
        worst = max(missed, key=lambda part: round(abs(missed[part]), 9))  # of two parts, which miss alike: the first
        by_part = {part: count[part] for part in shares}
        found.append({"stratum": ", ".join(stratum), "parts": by_part, "part": worst, "deviation": missed[worst]})
    return found


def _why_not(rows: Mapping[str, int], groups: int, leaks: int) -> str:
    """Why there is no usable split; "" if there is one."""
    if not sum(rows.values()):
        return "there are no pairs to split"
    if groups < len(rows):
        return (
            f"all pairs belong to {groups} group{'s' if groups != 1 else ''} of similar prompts, which cannot be "
            f"divided into {len(rows)} parts; collect more prompts"
        )
    empty = [part for part in rows if not rows[part]]
    if empty:
        return f"no pair is in the part {empty[0]}; collect more prompts"
    return f"{leaks} pairs of similar prompts lie in different parts" if leaks else ""
