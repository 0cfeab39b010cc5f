import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from pairsmith.engine import EngineKind, map_batches, open_engine
from pairsmith.errors import Incomplete, InputError


def squares(offset: int, item: int) -> int:
    time.sleep(0.02 * (item % 3))
    return offset + item * item


def fails(_shared: None, item: int) -> int:
    if item == 3:
        raise InputError("file 3: is broken")
    return item


def dies_once(folder: str, item: int) -> int:
    mark = Path(folder) / f"{item}"
    if item in (2, 5) and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def always_dies(_shared: None, item: int) -> int:
    if item == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def doubled(batch: Sequence[int]) -> list[int]:
    return [2 * each for each in batch]


def test_results_come_in_order_whatever_the_engine():
    engines: list[tuple[EngineKind, int]] = [("serial", 1), ("processes", 1), ("processes", 2)]
    for kind, workers in engines:
        with open_engine(kind, workers) as mapper:
            assert list(mapper(squares, 7, range(12))) == [7 + n * n for n in range(12)]
            assert list(mapper(squares, 7, [])) == []


def test_batches_are_the_same_over_processes():
    items = list(range(50))
    for workers in (1, 2):
        assert list(map_batches(doubled, items, batch_size=6, workers=workers)) == [2 * each for each in items]


@pytest.mark.parametrize("kind", ["serial", "processes"])
def test_an_error_of_a_task_is_raised_as_it_is(kind):
    with open_engine(kind, 2) as mapper, pytest.raises(InputError, match="file 3: is broken"):
        list(mapper(fails, None, range(8)))


def test_a_process_that_dies_changes_nothing(tmp_path):
    with open_engine("processes", 2) as mapper:
        assert list(mapper(dies_once, str(tmp_path), range(9))) == list(range(9))
    assert len(list(tmp_path.iterdir())) == 2


def test_a_task_that_always_kills_its_process_ends_with_a_remedy():
    with open_engine("processes", 2) as mapper, pytest.raises(Incomplete, match="fewer --workers"):
        list(mapper(always_dies, None, range(6)))


def test_map_batches_takes_any_engine_for_few_batches():
    engines: list[EngineKind] = ["serial", "processes"]
    for engine in engines:
        assert list(map_batches(doubled, [1, 2, 3], batch_size=2, workers=2, engine=engine)) == [2, 4, 6]
