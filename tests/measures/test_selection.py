import json
import math
import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairsmith.measures.pools import Pick, Pool, Scored, scores_from_votes
from pairsmith.measures.selection import PICKING, TRIMMING, Selection, all_above_margin, pick, trim

OPTIONS: dict[str, dict[str, Any]] = {"random_below_chosen": {"seed": 7}, "all_above_margin": {"margin": 0.2}}
TRIMS: dict[str, dict[str, Any]] = {
    "max_pairs_per_prompt": {"limit": 2},
    "length_balanced": {},
    "refill_to_n": {"n": 12},
}


def pool(
    *scores: float | None, lengths: Sequence[int] = (), ties: tuple[tuple[str, str], ...] = (), prompt: str = "p"
) -> Pool:
    lengths = lengths or [10] * len(scores)
    names = "abcdefghijklmnop"
    return Pool(prompt, tuple(Scored(names[n], score, lengths[n]) for n, score in enumerate(scores)), ties)


def pairs(selection: Selection) -> list[tuple[str, str]]:
    return [(each.chosen, each.rejected) for each in selection.picks]


scores = st.one_of(st.none(), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0]), st.just(math.nan))
pools = st.lists(st.lists(st.tuples(scores, st.integers(0, 50)), max_size=6), min_size=1, max_size=6).flatmap(
    lambda rows: st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=2).map(
        lambda tied: [
            Pool(
                f"p{n}",
                tuple(Scored(f"c{n}{k}", score, length) for k, (score, length) in enumerate(row)),
                tuple((f"c{n}{one}", f"c{n}{other}") for one, other in tied),
            )
            for n, row in enumerate(rows)
        ]
    )
)


def select(listed: list[Pool], picking: str, trimming: str | None = None) -> Selection:
    selection = pick(listed, picking, **OPTIONS.get(picking, {}))
    return trim(selection, trimming, pools=listed, **TRIMS[trimming]) if trimming else selection


def sound(selection: Selection, listed: list[Pool]) -> None:
    by_prompt = {each.prompt: each for each in listed}
    for each in selection.picks:
        candidates = {one.id: one for one in by_prompt[each.prompt].candidates}
        chosen, rejected = candidates[each.chosen], candidates[each.rejected]
        assert chosen.score is not None
        assert rejected.score is not None
        assert each.gap == chosen.score - rejected.score > 0
        assert (each.chosen_length, each.rejected_length) == (chosen.length, rejected.length)
        assert not {(each.chosen, each.rejected), (each.rejected, each.chosen)} & set(by_prompt[each.prompt].ties)
    assert len({each.key for each in selection.picks}) == len(selection.picks)


@pytest.mark.parametrize("trimming", [None, *TRIMMING])
@pytest.mark.parametrize("picking", PICKING)
@settings(max_examples=20)
@given(listed=pools, rng=st.randoms())
def test_every_policy_is_sound_and_blind_to_order_and_reports(picking, trimming, listed, rng):
    selection = select(listed, picking, trimming)
    sound(selection, listed)
    shuffled = [
        Pool(each.prompt, tuple(rng.sample(each.candidates, len(each.candidates))), each.ties) for each in listed
    ]
    rng.shuffle(shuffled)
    assert select(shuffled, picking, trimming) == selection
    report = selection.reports[-1]
    assert report["policy"] == (trimming or picking)
    assert report["after"]["pairs"] == len(selection.picks)
    assert json.loads(json.dumps(selection.reports, allow_nan=False))
    possible = len(pick(listed, "all_above_margin", margin=0.0).picks)
    assert selection.reports[0]["before"]["pairs"] == possible
    assert selection.reports[0]["candidates"] == sum(len(each.candidates) for each in listed)


@pytest.mark.parametrize("picking", PICKING)
def test_equal_scores_and_called_ties_never_become_pairs(picking):
    assert not pairs(select([pool(0.5, 0.5, 0.5)], picking))
    assert not pairs(select([pool(0.9, 0.1, ties=(("b", "a"),))], picking))
    assert not pairs(select([pool(0.5), pool(None, math.inf, prompt="q"), Pool("r", ())], picking))


def test_best_worst_and_adjacent_and_margin():
    listed = [pool(0.1, 0.9, 0.5, 0.9)]
    assert pairs(pick(listed, "best_worst")) == [("b", "a")]
    assert pairs(pick(listed, "adjacent")) == [("b", "c"), ("c", "a")]
    assert pairs(pick(listed, "all_above_margin", margin=0.4)) == [
        ("b", "a"), ("b", "c"), ("c", "a"), ("d", "a"), ("d", "c"),
    ]  # fmt: skip
    assert pick(listed, "best_worst").reports[0]["tied"] == 1


def test_mu_minus_2sigma_takes_the_worst_of_few_and_spares_the_freak_of_many():
    assert pairs(pick([pool(0.2, 0.4, 0.6, 0.8)], "mu_minus_2sigma")) == [("d", "a")]
    freak = pool(0.5, 0.52, 0.48, 0.55, 0.45, 0.6, 0.4, 0.5, 0.51, 0.49, 0.53, 0.3, 0.0)
    ((_, rejected),) = pairs(pick([freak], "mu_minus_2sigma"))
    assert rejected == "l"  # mean 0.45, deviation 0.14: 0.16 is nearer to 0.3 than to 0
    ((_, worst),) = pairs(pick([freak], "best_worst"))
    assert worst == "m"


def test_a_random_rejected_depends_on_the_seed_and_ids_only():
    listed = [pool(1.0, 0.1, 0.2, 0.3, 0.4, prompt=f"p{number}") for number in range(200)]
    drawn = pairs(pick(listed, "random_below_chosen", seed=1))
    assert {rejected for _, rejected in drawn} == set("bcde")
    assert drawn != pairs(pick(listed, "random_below_chosen", seed=2))
    assert drawn[:100] == pairs(pick(sorted(listed, key=lambda each: each.prompt)[:100], "random_below_chosen", seed=1))


@given(listed=pools, limit=st.integers(1, 3), keep=st.sampled_from(["largest_gap", "random"]))
def test_max_pairs_per_prompt_keeps_the_limit(listed, limit, keep):
    everything = pick(listed, "all_above_margin", margin=0.0)
    kept = trim(everything, "max_pairs_per_prompt", limit=limit, keep=keep).picks
    for prompt in {each.prompt for each in everything.picks}:
        before = [each for each in everything.picks if each.prompt == prompt]
        after = [each for each in kept if each.prompt == prompt]
        assert len(after) == min(limit, len(before))
        if keep == "largest_gap":
            assert sorted(each.gap for each in after) == sorted(each.gap for each in before)[-len(after) :]


@given(listed=pools, max_share=st.sampled_from([0.5, 0.6, 0.75]))
def test_length_balanced_is_balanced_and_takes_no_more_than_needed(listed, max_share):
    everything = pick(listed, "all_above_margin", margin=0.0)
    kept = trim(everything, "length_balanced", max_share=max_share).picks
    longer = sum(each.chosen_length > each.rejected_length for each in kept)
    shorter = sum(each.chosen_length < each.rejected_length for each in kept)
    assert max(longer, shorter) <= max_share * (longer + shorter) + 1e-9
    assert set(kept) <= set(everything.picks)
    if len(kept) < len(everything.picks):
        assert max(longer, shorter) + 1 > max_share * (longer + shorter + 1)


def test_length_balanced_drops_the_most_lopsided_first():
    lengths = [(90, 10), (60, 10), (12, 10), (10, 20)]
    listed = [pool(1.0, 0.0, lengths=pair, prompt=f"p{number}") for number, pair in enumerate(lengths)]
    after = trim(pick(listed, "best_worst"), "length_balanced")
    assert [each.prompt for each in after.picks] == ["p2", "p3"]
    assert after.reports[-1]["before"]["chosen_longer"]["value"] == 0.75
    assert after.reports[-1]["after"]["chosen_longer"]["value"] == 0.5


@given(listed=pools, n=st.integers(0, 20))
def test_refill_keeps_everything_and_spreads_over_prompts(listed, n):
    start = pick(listed, "best_worst")
    filled = trim(start, "refill_to_n", pools=listed, n=n).picks
    reserve = pick(listed, "all_above_margin", margin=0.0).picks
    assert set(start.picks) <= set(filled) <= set(reserve)
    assert len(filled) == max(len(start.picks), min(n, len(reserve)))
    counts = {each.prompt: sum(one.prompt == each.prompt for one in filled) for each in listed}
    left = {each.prompt for each in set(reserve) - set(filled)}
    if len(filled) > len(start.picks):
        most = max(counts[each.prompt] for each in set(filled) - set(start.picks))
        assert all(counts[prompt] >= most - 1 for prompt in left)


def test_refill_minds_the_margin():
    listed = [pool(1.0, 0.95, 0.0)]
    assert len(trim(pick(listed, "best_worst"), "refill_to_n", pools=listed, n=9, margin=0.1).picks) == 2


def test_your_own_policies_take_part():
    def second_best(ranked: Pool) -> list[tuple[Scored, Scored]]:
        return [(ranked.candidates[0], ranked.candidates[1])]

    listed = [pool(0.9, 0.5, 0.1), pool(0.9, 0.9, 0.1, prompt="q")]
    selection = pick(listed, second_best)
    assert pairs(selection) == [("a", "b")]
    assert (selection.reports[0]["policy"], selection.reports[0]["empty_prompts"]) == ("second_best", 1)
    assert trim(selection, lambda picks, _: picks[:0]).picks == ()


def test_a_report_without_pairs_says_so():
    after = pick([pool(0.5, 0.5)], "best_worst").reports[0]["after"]
    assert (after["pairs"], after["mean_gap"]["value"]) == (0, None)
    assert after["mean_gap"]["reason"]
    assert after["chosen_longer"]["reason"]


@pytest.mark.parametrize(
    ("policy", "options"),
    [
        ("max_pairs_per_prompt", {"limit": 0}),
        ("max_pairs_per_prompt", {"limit": 1, "keep": "all"}),
        ("length_balanced", {"max_share": 0.4}),
    ],
)
def test_senseless_options_are_refused(policy, options):
    with pytest.raises(ValueError, match=r"limit|max_share"):
        trim(Selection((), ()), policy, **options)


def test_a_candidate_without_a_score_is_named_to_those_who_forget_to_rank():
    with pytest.raises(ValueError, match="candidate a has no score"):
        list(all_above_margin(0.1)(pool(None, 0.5)))


def test_pick_of_two_candidates():
    made = Pick.of("p", Scored("x", 0.75, 3), Scored("y", 0.5, 9))
    assert made == Pick("p", "x", "y", 0.25, 3, 9)


def test_votes_become_scores():
    found = scores_from_votes({("x", "y"): 7, ("y", "x"): 3}, ["x", "y", "z"])
    assert found["x"] > found["z"] > found["y"]
    only = scores_from_votes({("x", "y"): 7000, ("y", "x"): 3000}, ["x", "y"])
    assert only["x"] == pytest.approx(0.7, abs=0.001)  # Bradley-Terry of 7 to 3 is ln(7/3)
    one = scores_from_votes({("x", "y"): 1}, ["x", "y"])
    assert 0.7 < one["x"] < 0.85  # one vote is no certainty
    assert scores_from_votes({}, ["x", "y"]) == {"x": 0.5, "y": 0.5}
    assert scores_from_votes({}, ["x"]) == {"x": 0.5}


def test_scores_from_votes_agree_with_the_published_three_model_example():
    """Wins 6-4, 7-3 and 9-1 have Bradley-Terry strengths .78345, .16016 and -.94361."""
    wins = {("0", "1"): 6, ("1", "0"): 4, ("1", "2"): 7, ("2", "1"): 3, ("0", "2"): 9, ("2", "0"): 1}
    found = scores_from_votes({pair: 10_000 * count for pair, count in wins.items()}, "012")
    strength = (0.78345, 0.16016, -0.94361)
    for one in range(3):
        expected = [1 / (1 + math.exp(other - strength[one])) for k, other in enumerate(strength) if k != one]
        assert found[str(one)] == pytest.approx(sum(expected) / 2, abs=1e-4)


def test_the_winner_of_random_votes_is_the_best():
    rng = random.Random(0)
    truth = {f"c{number}": number / 2 for number in range(6)}
    wins: dict[tuple[str, str], float] = {}
    for _ in range(600):
        one, other = rng.sample(sorted(truth), 2)
        first = rng.random() < 1 / (1 + math.exp(truth[other] - truth[one]))
        pair = (one, other) if first else (other, one)
        wins[pair] = wins.get(pair, 0) + 1
    found = scores_from_votes(wins, truth)
    assert sorted(found, key=found.__getitem__) == sorted(truth)
