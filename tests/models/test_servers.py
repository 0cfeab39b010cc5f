"""Several servers of one model, and finding out what a server can do."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pairsmith.config import ModelConfig, RuntimeConfig, parse_config
from pairsmith.errors import ConfigError, ModelUnavailable
from pairsmith.models.balanced import BalancedChatModel
from pairsmith.models.fake import FakeServer
from pairsmith.models.fake_faults import Fault, FaultKind, in_order
from pairsmith.models.loading import open_chat_model
from pairsmith.models.openai import OpenAIChatModel
from pairsmith.models.probe import probe, shortcomings
from pairsmith.models.protocols import ChatModel, ChatRequest, Completion
from pairsmith.models.retry import RetryPolicy
from pairsmith.pipeline.servers import know_servers
from pairsmith.records import Message

FAST = RetryPolicy(attempts=2, base_s=0.001, cap_s=0.01)


def requests(count: int) -> list[ChatRequest]:
    return [ChatRequest((Message("user", f"q{each}"),), 0.8, 0.9, 64, seed=each) for each in range(count)]


def ask(
    servers: Sequence[FakeServer], asked: Sequence[ChatRequest], slots: int = 4
) -> list[Completion | BaseException]:
    async def run() -> list[Completion | BaseException]:
        endpoints = [OpenAIChatModel("m", each.base_url, "fake", slots=slots, policy=FAST) for each in servers]
        model = BalancedChatModel("m", endpoints)
        assert isinstance(model, ChatModel)
        assert model.slots == slots * len(servers)
        try:
            return await asyncio.gather(*(model.complete(each) for each in asked), return_exceptions=True)
        finally:
            await model.close()

    return asyncio.run(run())


def test_requests_are_spread_and_no_server_gets_more_than_its_share_at_once():
    with FakeServer(latency_s=0.02) as one, FakeServer(latency_s=0.02) as other:
        answers = ask([one, other], requests(40))
        assert all(isinstance(each, Completion) for each in answers)
        assert one.calls.total() + other.calls.total() == 40
        assert 16 <= one.calls.total() <= 24
        assert max(one.most_in_flight, other.most_in_flight) <= 4


def test_a_slow_server_gets_less():
    with FakeServer(latency_s=0.002) as fast, FakeServer(latency_s=0.1) as slow:

        async def run() -> None:
            model = BalancedChatModel(
                "m", [OpenAIChatModel("m", each.base_url, "fake", slots=2) for each in (fast, slow)]
            )
            queue = iter(requests(60))

            async def slot() -> None:
                for request in queue:
                    await model.complete(request)

            await asyncio.gather(*(slot() for _ in range(model.slots)))
            await model.close()

        asyncio.run(run())
        assert fast.calls.total() > 3 * slow.calls.total() > 0


def test_a_server_that_goes_away_is_left_out_and_nothing_is_lost():
    with FakeServer(faults=lambda call, _: Fault("status", 503) if call > 4 else None) as bad, FakeServer() as good:
        answers = ask([bad, good], requests(30))
        assert all(isinstance(each, Completion) for each in answers)
        assert bad.answered.total() + good.answered.total() == 30
        assert bad.calls.total() <= 5 + 4 * 2


def test_without_any_server_left_the_run_stops():
    with (
        FakeServer(faults=lambda *_: Fault("status", 401)) as one,
        FakeServer(faults=lambda *_: Fault("status", 401)) as other,
    ):
        answers = ask([one, other], requests(3))
    assert all(isinstance(each, ModelUnavailable) for each in answers)


def test_addresses_stand_in_one_place_and_once():
    runtime = RuntimeConfig(concurrency=3)
    both = ModelConfig(model="x", base_urls=("http://a/v1", "http://b/v1"))
    assert open_chat_model("m", both, runtime).slots == 6
    with pytest.raises(ConfigError, match="both base_url and base_urls"):
        open_chat_model("m", both.model_copy(update={"base_url": "http://c/v1"}), runtime)
    with pytest.raises(ConfigError, match="twice"):
        open_chat_model("m", both.model_copy(update={"base_urls": ("http://a/v1",) * 2}), runtime)


def abilities(server: FakeServer) -> Mapping[str, bool | None]:
    config = ModelConfig(model="fake", base_url=server.base_url)
    return asyncio.run(probe("m", config, RuntimeConfig(timeout_s=1.0)))[server.base_url]


def test_a_probe_finds_what_a_server_does():
    with FakeServer() as server:
        found = abilities(server)
        assert set(found) == {"seed", "n", "usage_of_n", "json_schema", "logprobs", "usage"}
        assert set(found.values()) == {True}
        assert server.calls.total() == 6


@pytest.mark.parametrize(
    ("field", "ability", "found"),
    [
        ("seed", "seed", None),  # a server without chance in it says the same whatever the seed
        ("n", "n", False),
        ("response_format", "json_schema", False),
        ("logprobs", "logprobs", False),
    ],
)
def test_a_field_that_is_dropped_without_a_word_is_noticed(field: str, ability: str, found: bool | None):
    with FakeServer(drops=[field]) as server:
        assert abilities(server)[ability] is found


def test_a_server_that_draws_anew_ignores_the_seed():
    count = iter(range(100))
    with FakeServer(reply=lambda _: f"answer {next(count)}") as server:
        found = abilities(server)
    assert found["seed"] is False
    (remark,) = shortcomings("m", {"http://a/v1": {**found, "json_schema": True}})
    assert remark == "models.m at http://a/v1: ignores `seed`: its samples cannot be repeated"


def test_a_refusal_is_an_answer_and_an_outage_is_none():
    with FakeServer(faults=in_order(None, None, None, Fault("status", 400), Fault("status", 503))) as server:
        found = abilities(server)
    assert (found["n"], found["json_schema"], found["logprobs"]) == (False, None, True)


@pytest.mark.parametrize("kind", ["reset", "html", "hang", "json_array", "null_content", "wrong_type", "no_choices"])
def test_whatever_a_server_does_the_probe_goes_on(kind: FaultKind):
    with FakeServer(faults=lambda *_: Fault(kind)) as server:
        config = ModelConfig(model="fake", base_url=server.base_url)
        found = asyncio.run(probe("m", config, RuntimeConfig(timeout_s=0.2)))[server.base_url]
    assert found["seed"] is None


def test_servers_are_asked_once_and_remembered(tmp_path: Path):
    with FakeServer(drops=["response_format"]) as server:
        text = f"models: {{m: {{base_url: '{server.base_url}', model: fake}}, s: {{kind: local}}}}"

        def know(*overrides: str) -> tuple[dict[str, Any], list[str]]:
            return asyncio.run(know_servers(tmp_path, parse_config(text, overrides), ["m", "s"]))

        found, remarks = know()
        assert (list(found), len(remarks)) == (["m"], 1)
        assert know() == (found, remarks)
        assert server.calls.total() == 6
        know("models.m.model=another")
        assert server.calls.total() == 12
        assert know("runtime.probe=false") == ({}, [])
    stored = json.loads((tmp_path / "cache" / "servers.json").read_text())
    assert stored["m"]["asked"]["model"] == "another"


def test_a_server_that_counts_one_of_several_answers_is_noticed():
    with FakeServer(counts="one") as server:
        found = abilities(server)
    assert (found["n"], found["usage_of_n"]) == (True, False)
