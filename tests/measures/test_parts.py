import random
from collections import Counter

import numpy as np
import pytest

from pairsmith.measures.parts import QUARANTINED, Placing, neediest, quarantine_missed


@pytest.mark.parametrize("shares", [(0.8, 0.2), (0.9, 0.05, 0.05), (0.25, 0.25, 0.25, 0.25), (0.5, 0.3, 0.2)])
def test_rows_that_are_near_nothing_reach_the_shares_in_every_stratum(shares):
    rng = random.Random(1)
    placing = Placing(shares)
    strata = [(rng.choice("abcde"), rng.choice("xy")) for _ in range(4000)]
    for stratum in strata:
        placing.place(stratum, (), rng.random())
    counts = Counter(zip(strata, placing.parts, strict=True))
    for stratum, total in Counter(strata).items():
        for part, share in enumerate(shares):
            assert abs(counts[stratum, part] / total - share) < 0.02


def test_many_strata_of_one_row_still_fill_every_part():
    placing = Placing((0.6, 0.2, 0.2))
    rng = random.Random(2)
    parts = Counter(placing.place((f"c{n}",), (), rng.random()) for n in range(500))
    assert [parts[n] / 500 for n in range(3)] == pytest.approx([0.6, 0.2, 0.2], abs=0.02)


def test_a_row_joins_what_it_is_near_and_lies_between_parts_nowhere():
    placing = Placing((0.5, 0.5), parts=[0, 1, 0])
    assert placing.place((), [0, 2], 0.5) == 0
    assert placing.place((), [1, 3], 0.5) == QUARANTINED
    assert placing.near == {4: [1, 3]}
    assert placing.place((), [4], 0.0) in (0, 1)  # what is near a quarantined row alone is free
    assert placing.root(3) == placing.root(2) == 0


def test_random_graphs_never_have_an_edge_across_and_never_move_a_row():
    for seed in range(300):
        rng = random.Random(seed)
        count = rng.randint(5, 60)
        edges = [sorted(rng.sample(range(row), min(row, rng.choice([0, 0, 0, 1, 1, 2, 3])))) for row in range(count)]
        strata = [(rng.choice("ab"),) for _ in range(count)]
        draws = [rng.random() for _ in range(count)]
        shares = rng.choice([(0.8, 0.2), (0.6, 0.3, 0.1)])

        def placed(stop, shares=shares, edges=edges, strata=strata, draws=draws):
            placing = Placing(shares)
            for row in range(stop):
                placing.place(strata[row], edges[row], draws[row])
            return placing.parts

        parts = placed(count)
        assert parts[: count // 2] == placed(count // 2)
        for row, others in enumerate(edges):
            for other in others:
                assert parts[row] == parts[other] or QUARANTINED in (parts[row], parts[other])


def test_another_draw_is_another_split():
    def parts(seed):
        rng = random.Random(seed)
        placing = Placing((0.4, 0.3, 0.3))
        return [placing.place((), (), rng.random()) for _ in range(60)]

    assert parts(1) != parts(2)


def test_ties_are_decided_whatever_the_number_of_parts():
    assert neediest((0.5, 0.5), [[0, 0]], 0.5) in (0, 1)
    assert {neediest((0.25,) * 4, [[0, 0, 0, 0]], draw / 100) for draw in range(100)} == {0, 1, 2, 3}


def test_the_later_of_two_rows_across_is_quarantined_once():
    parts = np.array([0, 1, 0, 1], dtype=np.int16)
    assert quarantine_missed(parts, np.array([[0, 1], [0, 3], [1, 2]])[[0, 2, 1]]) == {1: 0, 3: 0}
    assert parts.tolist() == [0, -1, 0, -1]
