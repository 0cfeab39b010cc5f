import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairsmith.measures.domains import category_disagreement, group_disagreement
from pairsmith.measures.votes import Vote
from tests.planted import CATEGORIES, CONTESTED, GROUPS, simulate

PEOPLE = {f"p{number}": "gh"[number % 2] for number in range(12)}


def crowd(
    seed: int, *, opposed: float = 0.0, skills: tuple[float, float] = (0.85, 0.85), items: int = 300
) -> list[Vote]:
    """Votes of two groups; in a share `opposed` of the comparisons the second group prefers the opposite."""
    rng = random.Random(seed)
    votes = []
    for number in range(items):
        truth = rng.choice("ab")
        flips = rng.random() < opposed
        for name in sorted(rng.sample(sorted(PEOPLE), 6)):
            second = PEOPLE[name] == "h"
            right = rng.random() < skills[second]
            label = truth if right != (second and flips) else "ba"["ab".index(truth)]
            votes.append(Vote(f"c{number:03}", name, "human", label))
    return votes


def test_groups_that_prefer_opposite_sides_are_split():
    (conflict,) = group_disagreement(crowd(1, opposed=0.9), PEOPLE, seed=0)
    assert (conflict.subjects, conflict.targets, conflict.resolution) == (("g", "h"), ("g", "h"), "split_dataset")
    assert conflict.evidence["concordance"] == pytest.approx(-0.8, abs=0.2)
    assert conflict.evidence["agreement_between"] < 0.5 < min(conflict.evidence["agreement_within"])
    assert conflict.evidence["tests"] == 1


def test_a_careless_group_is_not_another_opinion():
    for seed in range(20):
        assert not group_disagreement(crowd(seed, skills=(0.95, 0.6)), PEOPLE, seed=0)


def test_one_contested_category_asks_for_context():
    data = simulate(101, planted=True)
    honest = [vote for vote in data.votes if vote.annotator.startswith("person")]
    (conflict,) = group_disagreement(honest, data.groups, data.categories, seed=0)
    assert conflict.subjects == (*GROUPS, CONTESTED)
    assert (conflict.resolution, conflict.targets) == ("add_context", (CONTESTED,))
    assert conflict.evidence["tests"] == len(CATEGORIES)
    assert all(data.categories[item] == CONTESTED for item in conflict.evidence["most_opposed"])
    (conflict,) = category_disagreement(honest, data.categories)
    assert conflict.subjects == (CONTESTED,)
    assert conflict.evidence["agreement"] < conflict.evidence["agreement_elsewhere"]


def permuted(votes: list[Vote], rng: random.Random) -> list[Vote]:
    """A random deal of the votes of every comparison to its voters."""
    dealt: list[Vote] = []
    on_item: dict[str, list[Vote]] = {}
    for vote in votes:
        on_item.setdefault(vote.item, []).append(vote)
    for listed in on_item.values():
        labels = [vote.label for vote in listed]
        rng.shuffle(labels)
        dealt += [vote._replace(label=label) for vote, label in zip(listed, labels, strict=True)]
    return dealt


def disagreements(votes: list[Vote], groups: dict[str, str]) -> int:
    counts = Counter((vote.item, groups[vote.annotator], vote.label) for vote in votes)
    items = {vote.item for vote in votes}
    return sum(
        counts[item, "g", one] * counts[item, "h", other] for item in items for one, other in (("a", "b"), ("b", "a"))
    )


def test_the_exact_p_value_is_that_of_many_permutations():
    votes = crowd(5, opposed=0.4, items=25)
    (conflict,) = group_disagreement(votes, PEOPLE, seed=0, alpha=1.0, max_concordance=1.0)
    rng = random.Random(0)
    observed = disagreements(votes, PEOPLE)
    dealt = [disagreements(permuted(votes, rng), PEOPLE) for _ in range(2000)]
    share = np.mean([each >= observed for each in dealt])
    assert conflict.evidence["p_value"] == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 2000) + 1e-3)


def test_too_few_comparisons_and_unknown_groups_say_nothing():
    votes = crowd(1, opposed=0.9)
    assert not group_disagreement(votes[: 6 * 15], PEOPLE, seed=0)
    assert not group_disagreement(votes, dict.fromkeys(PEOPLE, "g"), seed=0)
    assert not group_disagreement([], {}, seed=0)
    assert not category_disagreement([], {})


@settings(max_examples=20)
@given(st.integers(0, 5), st.randoms())
def test_order_and_names_of_sides_do_not_matter(seed, rng):
    votes = crowd(seed, opposed=0.8, items=60)
    categories = {f"c{number:03}": "xy"[number < 25] for number in range(60)}
    found = group_disagreement(votes, PEOPLE, categories, seed=0), category_disagreement(votes, categories)
    renamed = {f"c{number:03}" for number in range(60) if rng.random() < 0.5}
    other = [vote._replace(label="ba"["ab".index(vote.label)]) if vote.item in renamed else vote for vote in votes]
    rng.shuffle(other)
    again = group_disagreement(other, PEOPLE, categories, seed=0), category_disagreement(other, categories)
    for one, same in zip(found[0] + found[1], again[0] + again[1], strict=True):
        assert one == same
