from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairsmith.measures.contradictions import cycles
from pairsmith.measures.feedback_arcs import EXACT_NODES, feedback_arcs

Edge = tuple[str, str]
Weights = dict[Edge, int]


def graphs(nodes: int, weights: st.SearchStrategy[int]) -> st.SearchStrategy[Weights]:
    names = [f"n{number:02}" for number in range(nodes)]
    pairs = st.tuples(st.sampled_from(names), st.sampled_from(names)).filter(lambda pair: pair[0] != pair[1])
    return st.dictionaries(pairs, weights, min_size=1, max_size=nodes * nodes)


def brute_force(weights: Weights) -> tuple[float, list[frozenset[Edge]]]:
    nodes = sorted({node for edge in weights for node in edge})
    backward = set()
    for order in permutations(nodes):
        place = {node: number for number, node in enumerate(order)}
        backward.add(frozenset(edge for edge in weights if place[edge[0]] > place[edge[1]]))
    costs = {edges: sum(weights[edge] for edge in edges) for edges in backward}
    lightest = min(costs.values())
    return lightest, [edges for edges, cost in costs.items() if cost == lightest]


@given(graphs(5, st.integers(1, 4)))
def test_the_set_is_as_light_as_the_best_of_all_rankings(weights):
    found = feedback_arcs(weights)
    lightest, sets = brute_force(weights)
    assert found.exact
    assert found.weight == lightest
    assert frozenset(found.removed) in sets
    assert len(found.removed) == min(len(edges) for edges in sets)
    assert found.unique == (len(sets) == 1)


@given(graphs(EXACT_NODES + 4, st.integers(1, 4)))
def test_nothing_runs_in_circles_without_the_set(weights):
    found = feedback_arcs(weights)
    assert not cycles(sorted(set(weights) - set(found.removed)))
    assert found.weight == sum(weights[edge] for edge in found.removed)


def test_a_planted_ranking_of_many_nodes_is_found():
    names = [f"n{number:02}" for number in range(20)]
    weights = {(names[i], names[j]): 3.0 for i in range(20) for j in range(i + 1, 20)}
    planted = {("n07", "n01"): 1.0, ("n19", "n00"): 1.0, ("n12", "n08"): 1.0}
    for winner, loser in planted:
        del weights[loser, winner]
    found = feedback_arcs({**weights, **planted})
    assert set(found.removed) == set(planted)
    assert not found.exact


@given(graphs(12, st.integers(1, 4)), st.randoms())
def test_the_order_of_the_edges_does_not_matter(weights, rng):
    shuffled = list(weights.items())
    rng.shuffle(shuffled)
    assert feedback_arcs(dict(shuffled)) == feedback_arcs(weights)


@pytest.mark.parametrize("weights", [{("a", "b"): 0.0}, {("a", "a"): 1.0}, {("a", "b"): float("nan")}])
def test_senseless_edges_are_refused(weights):
    with pytest.raises(ValueError, match="edge"):
        feedback_arcs(weights)
