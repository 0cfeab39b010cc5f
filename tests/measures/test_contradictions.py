import random

from pairsmith.measures.contradictions import cycles, reversals


def test_reversals_name_their_opposites() -> None:
    assert reversals([("a", "b"), ("b", "a"), ("b", "c"), ("b", "a")]) == {0: [1, 3], 1: [0], 3: [0]}
    assert reversals([("a", "a")]) == {}


def test_a_chain_is_no_cycle() -> None:
    assert cycles([("a", "b"), ("b", "c"), ("a", "c")]) == {}


def test_two_cycles_are_told_apart() -> None:
    edges = [("a", "b"), ("b", "c"), ("c", "a"), ("c", "x"), ("x", "y"), ("y", "z"), ("z", "x")]
    found = cycles(edges)
    assert found[0] == found[1] == found[2] == [0, 1, 2]
    assert found[4] == [4, 5, 6]
    assert 3 not in found


def test_what_is_left_has_an_order() -> None:
    """Against brute force: an edge is on a cycle exactly if its loser reaches its winner."""
    rng = random.Random(3)
    for _ in range(200):
        edges = [(rng.randrange(7), rng.randrange(7)) for _ in range(rng.randrange(12))]
        edges = [(a, b) for a, b in edges if a != b]
        expected = {place for place, (a, b) in enumerate(edges) if reaches(edges, b, a)}
        assert set(cycles(edges)) == expected


def reaches(edges: list[tuple[int, int]], start: int, goal: int) -> bool:
    seen, open_nodes = {start}, [start]
    while open_nodes:
        node = open_nodes.pop()
        for a, b in edges:
            if a == node and b not in seen:
                seen.add(b)
                open_nodes.append(b)
    return goal in seen
