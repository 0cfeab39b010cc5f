"""Several samples of one prompt by one request, where the server can do that."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pairsmith.config import GenerateConfig
from pairsmith.ledger import Ledger
from pairsmith.models.fake import FakeServer
from pairsmith.models.fake_faults import Fault, in_order
from pairsmith.models.openai import OpenAIChatModel
from pairsmith.models.protocols import SamplingModel
from pairsmith.models.retry import RetryPolicy
from pairsmith.records import Candidate, Message, Progress, Prompt
from pairsmith.stages.generate import generate

FAST = RetryPolicy(attempts=4, base_s=0.001, cap_s=0.01)
ABLE = {"n": True, "usage_of_n": True}
PROMPTS, SAMPLES = 5, 4


@pytest.fixture
def ledger(tmp_path: Path):
    with Ledger.open(tmp_path / "ledger.sqlite") as opened:
        opened.append([Prompt.of([Message("user", f"Question number {each}?")]) for each in range(PROMPTS)])
        yield opened


def run(ledger: Ledger, server: FakeServer, abilities: Mapping[str, Any] = ABLE, **cfg: Any) -> Progress:
    async def stage() -> Progress:
        model = OpenAIChatModel("m", server.base_url, "fake", policy=FAST)
        assert isinstance(model, SamplingModel)
        model.learn(abilities)
        try:
            return await generate(GenerateConfig(models=("m",), n=SAMPLES, **cfg), ledger, {"m": model}, seed=7)
        finally:
            await model.close()

    return asyncio.run(stage())


def candidates(ledger: Ledger) -> list[Candidate]:
    return list(ledger.read(Candidate))


def billed(server: FakeServer) -> tuple[int, int]:
    return server.calls.total(), server.answered.total()


def test_a_prompt_costs_one_request_and_every_token_is_counted_once(ledger: Ledger):
    with FakeServer() as server:
        progress = run(ledger, server)
        assert billed(server) == (PROMPTS, PROMPTS)
    made = candidates(ledger)
    assert (progress.new, len(made)) == (PROMPTS * SAMPLES,) * 2
    words = sum(len(each.text.split()) for each in made)
    assert progress.details["completion_tokens"] == sum(each.usage["completion_tokens"] for each in made) == words
    assert progress.details["prompt_tokens"] == PROMPTS * 3  # the words of one question, once per prompt
    assert all(
        {each.engine["together"]["index"] for each in made if each.prompt_id == p} == {0, 1, 2, 3}
        for p in {each.prompt_id for each in made}
    )
    assert len({each.text for each in made}) == PROMPTS * SAMPLES


def test_ids_are_those_of_samples_drawn_one_by_one(ledger: Ledger, tmp_path: Path):
    with FakeServer() as server:
        run(ledger, server)
        with Ledger.open(tmp_path / "single.sqlite") as single:
            single.append(ledger.read(Prompt))
            run(single, server, {})
            assert single.ids(Candidate) == ledger.ids(Candidate)
        assert run(ledger, server).new == 0


def test_settings_that_differ_go_their_own_ways(ledger: Ledger):
    with FakeServer() as server:
        run(ledger, server, strategies=[{"name": "sample", "temperatures": [0.5, 1.0]}])
        assert billed(server) == (2 * PROMPTS, 2 * PROMPTS)


def test_an_answer_that_is_missing_is_asked_for_by_itself(ledger: Ledger):
    with FakeServer(faults=in_order(Fault("fewer_choices"))) as server:
        progress = run(ledger, server)
        assert server.calls.total() == PROMPTS + 1
    assert (progress.new, progress.failed) == (PROMPTS * SAMPLES, 0)
    assert sum("together" not in each.engine for each in candidates(ledger)) == 1


def test_a_server_that_drops_n_gets_single_requests_for_the_rest(ledger: Ledger):
    with FakeServer(drops=["n"]) as server:
        progress = run(ledger, server)
        assert server.calls.total() == PROMPTS * SAMPLES
    assert (progress.new, progress.failed) == (PROMPTS * SAMPLES, 0)


def test_a_server_that_refuses_n_is_asked_one_by_one(ledger: Ledger):
    with FakeServer(faults=in_order(*[Fault("status", 400)] * PROMPTS)) as server:
        progress = run(ledger, server)
        assert server.answered.total() == PROMPTS * SAMPLES
    assert (progress.new, progress.failed) == (PROMPTS * SAMPLES, 0)


@pytest.mark.parametrize("abilities", [{"n": True, "usage_of_n": False}, {"n": True, "usage_of_n": None}])
def test_tokens_that_are_counted_for_one_answer_are_not_taken_for_all(ledger: Ledger, abilities: Mapping[str, Any]):
    with FakeServer(counts="one") as server:
        progress = run(ledger, server, abilities)
        assert billed(server) == (PROMPTS, PROMPTS)
    assert progress.details["completion_tokens"] == 0
    assert all(each.usage == {} for each in candidates(ledger))


def test_a_storm_neither_loses_nor_doubles_samples(ledger: Ledger):
    faults = in_order(*(Fault(kind) for kind in ("truncated", "null_content", "html", "reset", "no_choices")))
    with FakeServer(faults=faults) as server:
        progress = run(ledger, server)
        assert set(server.answered.values()) == {1}
    assert (progress.new, progress.failed) == (PROMPTS * SAMPLES, 0)
    assert progress.details["lost_calls"] == 5 * SAMPLES  # each request was for four


def test_cut_off_answers_are_marked_one_by_one(ledger: Ledger):
    with FakeServer() as server:
        progress = run(ledger, server, max_tokens=20)
    cut = {each.id for each in candidates(ledger) if each.finish_reason == "length"}
    assert cut == {each.id for each in candidates(ledger) if len(each.text.split()) == 20}
    assert progress.details["marked"] == {"length": len(cut)}
    assert 0 < len(cut) < PROMPTS * SAMPLES
