"""Which of the resolved pairs become rows: a policy that picks among the pairs that were compared, then trims.

Candidates are scored by the votes on all comparisons of their prompt (see `measures.pools.scores_from_votes`). Only
pairs that were compared and resolved can be picked, and only if their winner also has the higher score.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

from pairsmith.config import ResolveConfig, SelectConfig
from pairsmith.measures.pools import Pick, Pool, Scored, columns, scores_from_votes, summary
from pairsmith.measures.selection import PICKING, PickingPolicy, Selection, pick, trim
from pairsmith.records import Candidate, Dropped, Resolution
from pairsmith.stages.cases import Case, length_of

__all__ = ["SELECT_REASONS", "select_pairs"]

SELECT_REASONS: Mapping[str, str] = {
    "not_selected": "the pair is sound, but `resolve.select` picked others of its prompt or trimmed it"
}

_ONE_PER_PROMPT = ("best_worst", "mu_minus_2sigma", "random_below_chosen")


def select_pairs(
    cfg: ResolveConfig, kept: Sequence[Resolution], cases: Mapping[str, Case], *, seed: int
) -> tuple[list[Resolution], list[Dropped], dict[str, Any]]:
    """The resolutions that were selected, the others as dropped, and what each policy did to gap, length and counts."""
    select = cfg.select
    if select == SelectConfig():
        counts = {"pairs": len(kept), "prompts": len({each.prompt_id for each in kept})}
        return list(kept), [], {"policy": "all", "before": counts, "after": counts, "steps": []}
    scores = _scores(kept, cases)
    picks = {each.comparison_id: _pick(each, cases[each.comparison_id], scores) for each in kept}
    listed = sorted(picks.values(), key=lambda each: each.key)
    before = summary(columns(listed), len({each.prompt for each in listed}))
    sound = {each.key for each in listed if each.gap > 0}
    pools = _pools(listed, sound, scores)
    chosen = _picked(select, listed, pools, sound, seed)
    if select.max_pairs_per_prompt is not None:
        chosen = trim(chosen, "max_pairs_per_prompt", limit=select.max_pairs_per_prompt)
    if select.length_balanced:
        chosen = trim(chosen, "length_balanced")
    if select.refill_to is not None:
        chosen = trim(chosen, "refill_to_n", pools=pools, n=select.refill_to, margin=_margin(select))
    taken = {each.key for each in chosen.picks}
    left = [each for each in kept if picks[each.comparison_id].key in taken]
    dropped = [
        Dropped(each.comparison_id, "resolve", "not_selected", _evidence(select, picks[each.comparison_id]))
        for each in kept
        if picks[each.comparison_id].key not in taken
    ]
    after = summary(columns(chosen.picks), len({each.prompt for each in chosen.picks}))
    steps = [dict(report) for report in chosen.reports]
    return left, dropped, {"policy": select.policy, "before": before, "after": after, "steps": steps}


def _margin(select: SelectConfig) -> float:
    return select.margin if select.policy == "all_above_margin" else 0.0


def _picked(
    select: SelectConfig, listed: Sequence[Pick], pools: Sequence[Pool], sound: set[tuple[str, str, str]], seed: int
) -> Selection:
    if select.policy == "all":
        return Selection(tuple(listed), ())
    options: dict[str, Any] = {}
    if select.policy == "all_above_margin":
        options = {"margin": select.margin}
    elif select.policy == "random_below_chosen":
        options = {"seed": seed}
    base = PICKING[select.policy](**options)
    found = pick(pools, _among_compared(base, sound) if select.policy in _ONE_PER_PROMPT else base)
    report = {**found.reports[0], "policy": select.policy, "options": options}
    return Selection(found.picks, (report,))


def _among_compared(base: PickingPolicy, sound: set[tuple[str, str, str]]) -> PickingPolicy:
    """The policy applied to the best candidate that beat another, and to those it was compared with and beat."""

    def policy(pool: Pool) -> Iterable[tuple[Scored, Scored]]:
        for best in pool.candidates:
            beaten = tuple(each for each in pool.candidates if (pool.prompt, best.id, each.id) in sound)
            if beaten:
                return base(Pool(pool.prompt, (best, *beaten)))
        return []

    return policy


def _scores(kept: Sequence[Resolution], cases: Mapping[str, Case]) -> dict[str, dict[str, float]]:
    """By prompt: the score of each candidate that votes, or the verdict where there are no votes, give it."""
    winner = {each.comparison_id: each.winner for each in kept}
    wins: dict[str, dict[tuple[str, str], float]] = {}
    for name, case in cases.items():
        a, b = case.comparison.a, case.comparison.b
        labels = case.labels()
        neither = (labels["tie"] + labels["both_bad"]) / 2
        won = {(a, b): labels["a"] + neither, (b, a): labels["b"] + neither}
        if not any(won.values()) and name in winner:
            won[(a, b) if winner[name] == "a" else (b, a)] = 1.0
        for pair, count in won.items():
            of_prompt = wins.setdefault(case.comparison.prompt_id, {})
            of_prompt[pair] = of_prompt.get(pair, 0.0) + count
    wanted = {each.prompt_id for each in kept}
    known: dict[tuple[tuple[int, int, float], ...], list[float]] = {}
    found = {}
    for prompt in sorted(wanted):
        names = sorted({name for pair in wins[prompt] for name in pair})
        number = {name: place for place, name in enumerate(names)}
        # Most prompts have few candidates and few votes: the same pattern of wins need not be fitted again.
        pattern = tuple(sorted((number[one], number[other], count) for (one, other), count in wins[prompt].items()))
        if pattern not in known:
            fitted = scores_from_votes(wins[prompt], names)
            known[pattern] = [fitted[name] for name in names]
        found[prompt] = dict(zip(names, known[pattern], strict=True))
    return found


def _pick(resolution: Resolution, case: Case, scores: Mapping[str, Mapping[str, float]]) -> Pick:
    one, other = (case.a, case.b) if resolution.winner == "a" else (case.b, case.a)
    first, second = _scored(one, resolution.prompt_id, scores), _scored(other, resolution.prompt_id, scores)
    return Pick.of(resolution.prompt_id, first, second)


def _scored(candidate: Candidate | None, prompt: str, scores: Mapping[str, Mapping[str, float]]) -> Scored:
    if candidate is None:
        raise ValueError(f"a resolved comparison of {prompt} has lost a candidate")
    return Scored(candidate.id, scores[prompt][candidate.id], length_of(candidate))


def _pools(
    listed: Sequence[Pick], sound: set[tuple[str, str, str]], scores: Mapping[str, Mapping[str, float]]
) -> list[Pool]:
    """One pool per prompt, in which whatever was not resolved in the order of the scores counts as a tie."""
    members: dict[str, dict[str, int]] = {}
    for each in listed:
        members.setdefault(each.prompt, {}).update(
            {each.chosen: each.chosen_length, each.rejected: each.rejected_length}
        )
    pools = []
    for prompt, lengths in sorted(members.items()):
        names = sorted(lengths)
        ties = frozenset(
            (one, other)
            for one, other in combinations(names, 2)
            if (prompt, one, other) not in sound and (prompt, other, one) not in sound
        )
        candidates = tuple(Scored(name, scores[prompt][name], lengths[name]) for name in names)
        pools.append(Pool(prompt, candidates, ties))
    return pools


def _evidence(select: SelectConfig, found: Pick) -> dict[str, Any]:
    return {"policy": select.policy, "score_difference": found.gap}
