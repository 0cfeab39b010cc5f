"""Batches: handed in once, found again after any end of a run, stored whole."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from pairsmith.config import BudgetConfig, GenerateConfig, ModelConfig, RuntimeConfig
from pairsmith.errors import ConfigError, Incomplete, InputError, ModelUnavailable
from pairsmith.ledger import Ledger
from pairsmith.models.batch import OpenAIBatchModel
from pairsmith.models.batch_http import BatchServer
from pairsmith.models.fake import FakeServer
from pairsmith.models.loading import open_chat_model
from pairsmith.models.openai import OpenAIChatModel
from pairsmith.models.protocols import BatchModel, ChatModel
from pairsmith.models.retry import RetryPolicy
from pairsmith.records import Candidate, Message, Progress, Prompt
from pairsmith.stages.generate import generate

FAST = RetryPolicy(attempts=3, base_s=0.001, cap_s=0.01)
N = 2
PROMPTS = [Prompt.of([Message("user", f"Question {number}?")]) for number in range(5)]


@pytest.fixture
def ledger(tmp_path: Path):
    with Ledger.open(tmp_path / "ledger.sqlite") as opened:
        opened.append(PROMPTS)
        yield opened


def model(server: FakeServer, folder: Path, *, wait_s: float = 5.0, name: str = "m") -> OpenAIBatchModel:
    chat = OpenAIChatModel(name, server.base_url, "fake", policy=FAST)
    door = BatchServer(name, server.base_url, policy=FAST)
    return OpenAIBatchModel(chat, door, "fake", folder, wait_s=wait_s, poll_s=0.01)


def run(ledger: Ledger, server: FakeServer, *, wait_s: float = 5.0, **settings: Any) -> Progress:
    cfg = GenerateConfig(models=("m",), n=N, **settings)
    opened = model(server, ledger.path.parent / "batches" / "m", wait_s=wait_s)
    return asyncio.run(closing(opened, cfg, ledger))


async def closing(opened: ChatModel, cfg: GenerateConfig, ledger: Ledger) -> Progress:
    """One run of the stage; connections are closed in the loop that made them."""
    try:
        return await generate(cfg, ledger, {"m": opened}, seed=7)
    finally:
        await opened.close()


def texts(ledger: Ledger) -> dict[str, tuple[str, str]]:
    return {each.id: (each.text, each.finish_reason) for each in ledger.read(Candidate)}


def ordinary(folder: Path) -> dict[str, tuple[str, str]]:
    """What the ordinary way stores."""
    with Ledger.open(folder / "ordinary.sqlite") as ledger, FakeServer() as server:
        ledger.append(PROMPTS)
        chat = OpenAIChatModel("m", server.base_url, "fake", policy=FAST)
        asyncio.run(closing(chat, GenerateConfig(models=("m",), n=N), ledger))
        return texts(ledger)


def notes(ledger: Ledger) -> list[Path]:
    return sorted((ledger.path.parent / "batches" / "m").glob("*.json"))


def test_a_batch_gives_the_same_candidates_as_single_calls(ledger: Ledger, tmp_path: Path):
    with FakeServer() as server:
        progress = run(ledger, server)
        assert (progress.wanted, progress.new, progress.failed) == (10, 10, 0)
        assert len(server.batches.batches) == 1
        assert set(server.calls.values()) == {1}
        assert texts(ledger) == ordinary(tmp_path)
        assert run(ledger, server).new == 0
        assert len(server.batches.batches) == 1
    assert {each.engine["engine"] for each in ledger.read(Candidate)} == {"openai-batch"}


def test_a_run_ends_while_the_batch_goes_on_and_the_next_one_finds_it(ledger: Ledger, tmp_path: Path):
    with FakeServer() as server:
        server.batches.polls = 3
        for _ in range(3):
            with pytest.raises(Incomplete, match="10 of 10 requests are not answered yet") as waiting:
                run(ledger, server, wait_s=0.0)
            assert waiting.value.exit_code == 4
            assert len(notes(ledger)) == 1
        assert run(ledger, server, wait_s=0.0).new == 10
        assert len(server.batches.batches) == 1
        assert set(server.calls.values()) == {1}
        assert texts(ledger) == ordinary(tmp_path)


def test_more_prompts_meanwhile_are_a_batch_of_their_own(ledger: Ledger):
    with FakeServer() as server:
        server.batches.polls = 1
        with pytest.raises(Incomplete):
            run(ledger, server, wait_s=0.0)
        ledger.append([Prompt.of([Message("user", "One more?")])])
        assert run(ledger, server).new == 12
        assert len(server.batches.batches) == 2
        assert set(server.calls.values()) == {1}


def test_a_creation_whose_answer_was_lost_is_not_repeated(ledger: Ledger):
    with FakeServer() as server:
        server.batches.lost = 1
        assert run(ledger, server).new == 10
        assert len(server.batches.batches) == 1


def test_killed_between_making_a_batch_and_noting_its_id(ledger: Ledger):
    with FakeServer() as server:
        server.batches.polls = 2
        with pytest.raises(Incomplete):
            run(ledger, server, wait_s=0.0)
        (note,) = notes(ledger)
        note.write_text(json.dumps({**json.loads(note.read_text()), "batch_id": ""}))
        assert run(ledger, server).new == 10
        assert len(server.batches.batches) == 1


def test_killed_after_the_answers_came_and_before_they_were_stored(ledger: Ledger, tmp_path: Path):
    with FakeServer() as server:
        run(ledger, server)
        with Ledger.open(tmp_path / "again.sqlite") as unstored:
            unstored.append(PROMPTS)
            assert run(unstored, server).new == 10  # the same project folder, so the same notes
        assert len(server.batches.batches) == 1


def test_what_a_batch_leaves_out_is_handed_in_again(ledger: Ledger, tmp_path: Path):
    with FakeServer() as server:
        server.batches.status, server.batches.leaves_out = "expired", 4
        with pytest.raises(Incomplete, match="4 of 10"):
            run(ledger, server)
        assert len(texts(ledger)) == 6
        server.batches.status, server.batches.leaves_out = "completed", 0
        assert run(ledger, server).new == 4
        assert set(server.calls.values()) == {1}
        assert texts(ledger) == ordinary(tmp_path)
        assert run(ledger, server).wanted == 10


def test_a_refused_request_is_stored_and_a_busy_one_handed_in_again(ledger: Ledger):
    with FakeServer() as server:
        server.batches.fails = {0: 400, 1: 429}
        with pytest.raises(Incomplete, match="1 of 10"):
            run(ledger, server)
        errors = [each.error for each in ledger.read(Candidate) if each.error]
        assert len(errors) == 1
        assert errors[0].startswith("HTTP 400")
        server.batches.fails = {}
        assert run(ledger, server).new == 1


def test_a_batch_that_fails_as_a_whole_says_so_and_is_forgotten(ledger: Ledger):
    with FakeServer() as server:
        server.batches.status = "failed"
        with pytest.raises(ModelUnavailable, match="batch-0 failed"):
            run(ledger, server)
        assert notes(ledger) == []
        server.batches.status = "completed"
        assert run(ledger, server).new == 10


def test_the_budget_decides_before_anything_is_handed_in(ledger: Ledger):
    with FakeServer() as server:
        with pytest.raises(Incomplete, match="max_calls"):
            run(ledger, server, budget=BudgetConfig(max_calls=3))
        assert server.calls.total() == len(texts(ledger)) == 3


def test_a_server_without_a_batch_api_is_named(ledger: Ledger):
    with FakeServer() as server:
        opened = model(server, ledger.path.parent / "batches", name="m")
        opened._server.base_url += "/nothing"
        with pytest.raises(ModelUnavailable, match="does this server have a batch API"):
            asyncio.run(closing(opened, GenerateConfig(models=("m",)), ledger))


def test_a_damaged_note_stops_the_run_instead_of_paying_twice(ledger: Ledger):
    with FakeServer() as server:
        server.batches.polls = 9
        with pytest.raises(Incomplete):
            run(ledger, server, wait_s=0.0)
        notes(ledger)[0].write_text("{")
        with pytest.raises(InputError, match="cannot be read"):
            run(ledger, server)


def test_is_opened_from_the_configuration(tmp_path: Path):
    config = ModelConfig(base_url="http://localhost:1/v1", model="x", batch=True)
    assert isinstance(open_chat_model("m", config, RuntimeConfig(), project=tmp_path), BatchModel)
    many = config.model_copy(update={"base_url": "", "base_urls": ("http://a/v1",)})
    with pytest.raises(ConfigError, match="one base_url"):
        open_chat_model("m", many, RuntimeConfig(), project=tmp_path)


def test_an_interrupted_run_does_not_wait_for_the_batch(ledger: Ledger):
    async def interrupted(server: FakeServer) -> float:
        opened = model(server, ledger.path.parent / "batches" / "m", wait_s=60.0)
        task = asyncio.create_task(closing(opened, GenerateConfig(models=("m",), n=N), ledger))
        while not server.batches.batches:
            await asyncio.sleep(0.01)
        started = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return time.monotonic() - started

    with FakeServer() as server:
        server.batches.polls = 10_000
        assert asyncio.run(interrupted(server)) < 3
        server.batches.polls = 0
        assert run(ledger, server).new == 10
        assert len(server.batches.batches) == 1
