"""The cheapest preferences to give up so that the rest has no cycle: the minimum feedback arc set.

Exact up to `EXACT_NODES` responses (dynamic programming over subsets, Lawler 1964); beyond that the heuristic of Eades,
Lin and Smyth (1993), improved by moving single responses, so the set is small but not proven smallest.
"""

import heapq
from collections.abc import Mapping, Sequence
from typing import NamedTuple

__all__ = ["EXACT_NODES", "FeedbackArcs", "feedback_arcs"]

EXACT_NODES = 9
_ROUNDING = 1e-9
_MOST_ROUNDS = 10
_MOST_STEPS = 4_000_000  # a round takes as many as responses squared; beyond 2,000 responses there is none

Edge = tuple[str, str]


class FeedbackArcs(NamedTuple):
    """Edges whose removal leaves no cycle.

    `unique` is False where another set is as cheap, so that naming this one is arbitrary; `exact` is False where the
    set comes from the heuristic (then `unique` is False too).
    """

    removed: tuple[Edge, ...]
    weight: float
    unique: bool
    exact: bool


def feedback_arcs(weights: Mapping[Edge, float]) -> FeedbackArcs:
    """The lightest set of edges (winner, loser) to remove; of equally light ones a smallest, then the first by name.

    Args:
        weights: weight of each edge, above 0.

    Raises:
        ValueError: for a weight that is not above 0, or an edge from a node to itself.

    >>> feedback_arcs({("a", "b"): 3, ("b", "c"): 2, ("c", "a"): 1}).removed
    (('c', 'a'),)
    """
    for edge, weight in weights.items():
        if not weight > 0 or edge[0] == edge[1]:
            raise ValueError(f"edge {edge} has weight {weight}; edges join two nodes and weigh more than 0")
    nodes = sorted({node for edge in weights for node in edge})
    if len(nodes) > EXACT_NODES:
        removed = _backward(_improved(_greedy_order(nodes, weights), weights), weights)
        return FeedbackArcs(removed, sum(weights[edge] for edge in removed), unique=False, exact=False)
    removed = _backward(_exact_order(nodes, weights), weights)
    cost = sum(weights[edge] for edge in removed)
    return FeedbackArcs(removed, cost, _is_unique(nodes, weights, removed, cost), exact=True)


def _is_unique(nodes: Sequence[str], weights: Mapping[Edge, float], removed: Sequence[Edge], cost: float) -> bool:
    """Whether keeping any one of the removed edges would cost more."""
    forbidding = 2 * sum(weights.values()) + 1
    for edge in removed:
        other = _backward(_exact_order(nodes, {**weights, edge: forbidding}), weights)
        if sum(weights[each] for each in other) <= cost + _ROUNDING:
            return False
    return True


def _backward(order: Sequence[str], weights: Mapping[Edge, float]) -> tuple[Edge, ...]:
    """Edges that contradict the ranking `order`, best first."""
    place = {node: number for number, node in enumerate(order)}
    return tuple(sorted(edge for edge in weights if place[edge[0]] > place[edge[1]]))


def _exact_order(nodes: Sequence[str], weights: Mapping[Edge, float]) -> list[str]:
    """The ranking with the lightest contradicting edges: the best last node for every subset, from small to large."""
    size = len(nodes)
    number = {node: place for place, node in enumerate(nodes)}
    beaten: list[list[tuple[int, float]]] = [[] for _ in nodes]
    for (winner, loser), weight in sorted(weights.items()):
        beaten[number[winner]].append((1 << number[loser], weight))
    best: list[tuple[float, int]] = [(0.0, 0)] * (1 << size)
    last = [0] * (1 << size)
    for subset in range(1, 1 << size):
        options = []
        for node in range(size):
            if subset >> node & 1:
                rest = subset ^ (1 << node)
                above = [weight for bit, weight in beaten[node] if rest & bit]
                options.append((round(best[rest][0] + sum(above), 9), best[rest][1] + len(above), node))
        weight, count, last[subset] = min(options)
        best[subset] = (weight, count)
    order: list[str] = []
    subset = (1 << size) - 1
    while subset:
        order.append(nodes[last[subset]])
        subset ^= 1 << last[subset]
    return order[::-1]


def _greedy_order(nodes: Sequence[str], weights: Mapping[Edge, float]) -> list[str]:
    """The node that wins most on balance against those left comes next (Eades, Lin and Smyth)."""
    balance = dict.fromkeys(nodes, 0.0)
    joined: dict[str, list[tuple[str, float]]] = {node: [] for node in nodes}
    for (winner, loser), weight in sorted(weights.items()):
        balance[winner] += weight
        balance[loser] -= weight
        joined[winner].append((loser, weight))
        joined[loser].append((winner, -weight))
    order: list[str] = []
    placed: set[str] = set()
    waiting = [(-balance[node], node) for node in nodes]
    heapq.heapify(waiting)
    while waiting:
        negative, chosen = heapq.heappop(waiting)
        if chosen in placed or -negative != balance[chosen]:
            continue  # an entry with the present balance is waiting too
        placed.add(chosen)
        order.append(chosen)
        for other, weight in joined[chosen]:
            if other not in placed:
                balance[other] += weight
                heapq.heappush(waiting, (-balance[other], other))
    return order


def _improved(order: list[str], weights: Mapping[Edge, float]) -> list[str]:
    """`order` after moving single nodes to better places until no move helps, in rounds of bounded cost."""
    lead = dict(weights)
    for (winner, loser), weight in weights.items():
        lead[loser, winner] = lead.get((loser, winner), 0.0) - weight
    for _ in range(min(_MOST_ROUNDS, _MOST_STEPS // len(order) ** 2)):
        moved = False
        for node in sorted(order):
            rest = [other for other in order if other != node]
            gains, best, place = 0.0, 0.0, 0
            for position, other in enumerate(rest, start=1):
                gains += lead.get((other, node), 0.0)
                if gains > best + _ROUNDING:
                    best, place = gains, position
            current = sum(lead.get((other, node), 0.0) for other in order[: order.index(node)])
            if best > current + _ROUNDING:
                order = [*rest[:place], node, *rest[place:]]
                moved = True
        if not moved:
            break
    return order
