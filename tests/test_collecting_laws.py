"""The laws of the collecting stages, each over all three: twice is once, stopped is not lost, more adds only the new.

A stage joins by one entry in `STAGES`. What is special to one stage (real kills, storms, leases) is in its own file.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from pairsmith.config import Config, parse_config
from pairsmith.ledger import FACT_TABLES, LEDGER_FILE, Ledger
from pairsmith.models.fake import FakeServer
from pairsmith.pipeline import COLLECTING
from pairsmith.pipeline.collecting import Notify, run_annotate, run_collect, run_generate
from pairsmith.records import Progress

Run = Callable[[Path, Config, Ledger, Notify | None], Awaitable[Progress]]

STAGES: dict[str, Run] = {"collect": run_collect, "generate": run_generate, "annotate": run_annotate}
FILES = 4
CONFIG = """
seed: 5
collect: {{sources: [{{path: prompts, format: prompts}}]}}
models: {{writer: {{base_url: "{address}", model: fake}}}}
generate: {{models: [writer], n: 3, max_tokens: 12}}
annotate: {{annotators: [{{kind: verifier}}, {{kind: judge, model: writer}}]}}
runtime: {{concurrency: 1}}
"""


class Stopped(Exception):
    """Raised in the middle of a stage, where a person would press Ctrl-C."""


class World:
    """A project whose models are one fake server."""

    def __init__(self, project: Path, server: FakeServer) -> None:
        self.project, self.server = project, server
        self.config = parse_config(CONFIG.format(address=server.base_url))
        (project / "prompts").mkdir(parents=True)
        for number in range(FILES):
            self.add(number)

    def add(self, number: int) -> None:
        """One more file of prompts, one of them bad."""
        check = {"kind": "max_words", "args": {"n": 9}}
        rows = [{"prompt": f"Write a line about the number {number}.", "checks": [check]}, {"prompt": None}]
        path = self.project / "prompts" / f"{number}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    def run(self, stage: str, notify: Notify | None = None) -> Progress:
        with Ledger.open(self.project / LEDGER_FILE) as ledger:
            return asyncio.run(_progress(STAGES[stage](self.project, self.config, ledger, notify)))

    def run_before(self, stage: str) -> None:
        for earlier in COLLECTING[: COLLECTING.index(stage)]:
            self.run(earlier)

    def facts(self) -> dict[str, dict[str, Any]]:
        """Every fact by kind and id."""
        with Ledger.open(self.project / LEDGER_FILE) as ledger:
            found = {kind.__name__: [asdict(fact) for fact in ledger.read(kind)] for kind in FACT_TABLES}
        by_id = {kind: {fact["id"]: fact for fact in facts} for kind, facts in found.items()}
        assert {kind: len(facts) for kind, facts in found.items()} == {kind: len(ids) for kind, ids in by_id.items()}
        return by_id


async def _progress(running: Awaitable[Progress]) -> Progress:
    return await running


@pytest.fixture(scope="module")
def server() -> Iterator[FakeServer]:
    with FakeServer() as running:
        yield running


@pytest.fixture
def world(tmp_path: Path, server: FakeServer) -> World:
    return World(tmp_path / "project", server)


def test_every_collecting_stage_keeps_the_laws() -> None:
    assert tuple(STAGES) == COLLECTING


@pytest.mark.parametrize("stage", COLLECTING)
def test_run_twice_is_run_once(world: World, stage: str) -> None:
    world.run_before(stage)
    first = world.run(stage)
    before, calls = world.facts(), sum(world.server.calls.values())
    again = world.run(stage)
    assert first.new > 0
    assert (again.new, again.present) == (0, first.new)
    assert world.facts() == before
    assert sum(world.server.calls.values()) == calls


@pytest.mark.parametrize("stage", COLLECTING)
def test_stopped_anywhere_and_run_again_is_one_clean_run(
    world: World, stage: str, tmp_path: Path, server: FakeServer
) -> None:
    world.run_before(stage)
    told: list[int] = []
    world.run(stage, lambda done, *_: told.append(done))
    wanted = world.facts()
    assert len(told) >= FILES
    for last in {0, 1, len(told) // 2, len(told) - 1}:
        stopped = World(tmp_path / f"stopped-{last}", server)
        stopped.run_before(stage)
        left = iter(range(last))

        def stop(_done: int, _total: int, _remark: str, left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise Stopped

        with pytest.raises(Stopped):
            stopped.run(stage, stop)
        done = stopped.run(stage)
        assert stopped.facts() == wanted, f"stopped after {last} of {len(told)} notifications"
        assert done.present + done.new >= len(told) // 2


@pytest.mark.parametrize("stage", COLLECTING)
def test_more_input_adds_only_the_new(world: World, stage: str) -> None:
    world.run_before(stage)
    first = world.run(stage)
    before = world.facts()
    world.add(FILES)
    world.run_before(stage)
    grown = world.run(stage)
    assert (grown.present, grown.new * FILES) == (first.new, first.new)
    after = world.facts()
    assert all(before[kind].items() <= after[kind].items() for kind in before)
