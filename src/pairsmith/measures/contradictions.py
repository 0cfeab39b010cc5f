"""Preferences that cannot all be true: A over B and B over A, or A over B over C over A."""

from collections.abc import Hashable, Mapping, Sequence

__all__ = ["cycles", "reversals"]


def reversals(edges: Sequence[tuple[Hashable, Hashable]]) -> dict[int, list[int]]:
    """For each (winner, loser) that also stands the other way round: the places of its opposites.

    >>> reversals([("a", "b"), ("b", "a"), ("a", "c")])
    {0: [1], 1: [0]}
    """
    places: dict[tuple[Hashable, Hashable], list[int]] = {}
    for place, edge in enumerate(edges):
        places.setdefault(edge, []).append(place)
    return {place: places[b, a] for place, (a, b) in enumerate(edges) if a != b and (b, a) in places}


def cycles(edges: Sequence[tuple[Hashable, Hashable]]) -> dict[int, list[int]]:
    """For each (winner, loser) that lies on a cycle: the places of all edges of its strongly connected component.

    >>> cycles([("a", "b"), ("b", "c"), ("c", "a"), ("a", "d")])
    {0: [0, 1, 2], 1: [0, 1, 2], 2: [0, 1, 2]}
    """
    beaten: dict[Hashable, list[Hashable]] = {}
    for winner, loser in edges:
        beaten.setdefault(winner, []).append(loser)
        beaten.setdefault(loser, [])
    component = _components(beaten)
    inside: dict[int, list[int]] = {}
    for place, (winner, loser) in enumerate(edges):
        if component[winner] == component[loser]:
            inside.setdefault(component[winner], []).append(place)
    return {place: places for places in inside.values() for place in places}


def _components(successors: Mapping[Hashable, Sequence[Hashable]]) -> dict[Hashable, int]:
    """The strongly connected component of each node (Kosaraju: finishing order, then the reversed graph)."""
    order: list[Hashable] = []
    visited: set[Hashable] = set()
    for root in successors:
        stack = [(root, iter(successors[root]))] if root not in visited else []
        visited.add(root)
        while stack:
            node, rest = stack[-1]
            following = next((each for each in rest if each not in visited), None)
            if following is None:
                order.append(stack.pop()[0])
            else:
                visited.add(following)
                stack.append((following, iter(successors[following])))
    predecessors: dict[Hashable, list[Hashable]] = {node: [] for node in successors}
    for node, followers in successors.items():
        for each in followers:
            predecessors[each].append(node)
    component: dict[Hashable, int] = {}
    for number, root in enumerate(reversed(order)):
        open_nodes = [root] if root not in component else []
        while open_nodes:
            node = open_nodes.pop()
            if node not in component:
                component[node] = number
                open_nodes.extend(each for each in predecessors[node] if each not in component)
    return component
