"""The client against everything a server can do wrong."""

import asyncio
import socket
import time
from datetime import UTC, datetime

import pytest

from pairsmith.config import ModelConfig, RuntimeConfig
from pairsmith.errors import ConfigError, ModelError, ModelUnavailable
from pairsmith.models.fake import FakeServer
from pairsmith.models.fake_faults import Fault, Faults, in_order
from pairsmith.models.openai import MAX_ANSWER_BYTES, OpenAIChatModel
from pairsmith.models.protocols import ChatModel, ChatRequest, Completion
from pairsmith.models.retry import RetryPolicy, retry_after_s
from pairsmith.records import Message

FAST = RetryPolicy(attempts=3, base_s=0.001, cap_s=0.01, retry_after_cap_s=0.2)
KEY = "sk-test-0123456789abcdef"


def request(text: str = "hello", seed: int = 1) -> ChatRequest:
    return ChatRequest((Message("user", text),), temperature=0.8, top_p=0.9, max_tokens=64, seed=seed)


def ask(server: FakeServer, *requests: ChatRequest, policy: RetryPolicy = FAST, timeout_s: float = 5.0, key: str = ""):
    """The outcome of each request, in order: a completion or the error."""

    async def run() -> list[Completion | BaseException]:
        model = OpenAIChatModel(
            "m", server.base_url, "fake-model", api_key=key, slots=8, timeout_s=timeout_s, policy=policy
        )
        try:
            return await asyncio.gather(*(model.complete(each) for each in requests), return_exceptions=True)
        finally:
            await model.close()

    return asyncio.run(run())


def one(faults: Faults | None = None, **settings) -> tuple[Completion | BaseException, FakeServer]:
    with FakeServer(faults=faults) as server:
        (outcome,) = ask(server, request(), **settings)
    return outcome, server


def always(fault: Fault) -> Faults:
    return lambda *_: fault


def test_an_answer_keeps_text_reason_and_counts():
    outcome, server = one()
    assert isinstance(outcome, Completion)
    assert outcome.text
    assert outcome.finish_reason == "stop"
    assert outcome.usage == {"prompt_tokens": 1, "completion_tokens": len(outcome.text.split())}
    assert outcome.engine == {"engine": "openai", "model": "fake-model"}
    assert server.calls.total() == 1


def test_is_a_chat_model():
    assert isinstance(OpenAIChatModel("m", "http://localhost:1/v1", "x"), ChatModel)


@pytest.mark.parametrize(
    "fault",
    [
        *(Fault("status", status) for status in (408, 409, 429, 500, 502, 503, 504, 529)),
        Fault("truncated"),
        Fault("wrong_length"),
        Fault("endless_chunks"),
        Fault("html"),
        Fault("empty"),
        Fault("invalid_json"),
        Fault("json_array"),
        Fault("missing_choices"),
        Fault("no_choices"),
        Fault("null_content"),
        Fault("wrong_type"),
        Fault("huge"),
        Fault("reset"),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
def test_a_passing_fault_is_survived_with_the_same_text(fault: Fault):
    clean, _ = one()
    outcome, server = one(in_order(fault, fault))
    assert outcome == clean
    assert server.calls.total() == 3
    assert server.answered.total() == 1


@pytest.mark.parametrize("kind", ["html", "empty", "invalid_json", "json_array", "no_choices", "null_content", "huge"])
def test_an_answer_that_stays_unusable_is_this_samples_error(kind):
    outcome, server = one(always(Fault(kind)))
    assert type(outcome) is ModelError
    assert server.calls.total() == FAST.attempts
    assert str(MAX_ANSWER_BYTES) in str(outcome) if kind == "huge" else "gave up after 3 attempts" in str(outcome)


@pytest.mark.parametrize("fault", [Fault("status", 500), Fault("truncated"), Fault("reset")])
def test_a_server_that_stays_broken_is_unavailable(fault: Fault):
    outcome, server = one(always(fault))
    assert isinstance(outcome, ModelUnavailable)
    assert server.base_url in str(outcome)
    assert server.calls.total() == FAST.attempts


def test_a_server_that_is_busy_for_good_is_unavailable():
    outcome, server = one(always(Fault("status", 429)), timeout_s=0.1)
    assert isinstance(outcome, ModelUnavailable)
    assert server.calls.total() > FAST.attempts


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refused_request_is_not_repeated(status):
    outcome, server = one(always(Fault("status", status)))
    assert type(outcome) is ModelError
    assert f"HTTP {status}" in str(outcome)
    assert server.calls.total() == 1


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_a_refused_key_or_address_stops_at_once(status):
    outcome, server = one(always(Fault("status", status)))
    assert isinstance(outcome, ModelUnavailable)
    assert server.calls.total() == 1


def test_a_server_that_refuses_everything_is_not_blamed_on_the_samples():
    with FakeServer(faults=always(Fault("status", 400))) as server:
        outcomes = ask(server, *(request(seed=seed) for seed in range(6)))
    assert sum(type(each) is ModelError for each in outcomes) == 2
    assert sum(isinstance(each, ModelUnavailable) for each in outcomes) == 4


def test_a_redirect_is_not_followed():
    outcome, server = one(always(Fault("redirect")), key=KEY)
    assert isinstance(outcome, ModelUnavailable)
    assert "other.invalid" in str(outcome)
    assert server.calls.total() == 1


@pytest.mark.parametrize("fault", [Fault("hang"), Fault("drip", seconds=0.05)], ids=["hang", "drip"])
def test_the_deadline_is_total_not_only_idle(fault: Fault):
    started = time.monotonic()
    outcome, _ = one(always(fault), timeout_s=0.2)
    assert isinstance(outcome, ModelUnavailable)
    assert "no complete answer within 0.2 s" in str(outcome)
    assert time.monotonic() - started < 3


def test_nobody_listens():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        model = OpenAIChatModel("m", base_url, "x", policy=FAST)

        async def run() -> None:
            try:
                await model.complete(request())
            finally:
                await model.close()

        with pytest.raises(ModelUnavailable, match=r"no connection .*Connect call failed"):
            asyncio.run(run())


def test_a_filtered_answer_is_an_answer():
    outcome, server = one(always(Fault("filtered")))
    assert isinstance(outcome, Completion)
    assert (outcome.text, outcome.finish_reason) == ("", "content_filter")
    assert server.calls.total() == 1


def test_another_model_in_the_answer_is_recorded():
    outcome, _ = one(always(Fault("other_model")))
    assert isinstance(outcome, Completion)
    assert outcome.engine["reported_model"] == "another-model"


def test_retry_after_slows_down_every_request():
    starts: list[float] = []

    def first_is_limited(call: int, _: int) -> Fault | None:
        starts.append(time.monotonic())
        return Fault("status", 429, {"Retry-After": "0.2"}) if call == 0 else None

    with FakeServer(faults=first_is_limited) as server:

        async def run() -> None:
            model = OpenAIChatModel("m", server.base_url, "x", policy=FAST)
            limited = asyncio.create_task(model.complete(request(seed=1)))
            while not starts:
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.05)
            await asyncio.gather(limited, *(model.complete(request(seed=seed)) for seed in range(2, 6)))
            await model.close()

        asyncio.run(run())
    assert len(starts) == 6
    assert min(starts[1:]) - starts[0] >= 0.2


def test_being_limited_while_others_get_through_costs_no_attempt():
    with FakeServer(latency_s=0.02, most_at_once=1) as server:
        outcomes = ask(server, *(request(seed=seed) for seed in range(20)))
    assert all(isinstance(each, Completion) for each in outcomes)
    assert server.answered.total() == 20


def test_the_circuit_opens_probes_and_closes_again():
    policy = RetryPolicy(attempts=4, base_s=0.01, cap_s=0.02, trip_after=4)
    with FakeServer(faults=lambda call, _: Fault("status", 503) if call < 10 else None) as server:
        outcomes = ask(server, *(request(seed=seed) for seed in range(8)), policy=policy)
    assert all(isinstance(each, Completion) for each in outcomes)
    assert server.answered.total() == 8


def test_the_circuit_gives_up_for_all_requests_together():
    policy = RetryPolicy(attempts=4, base_s=0.001, cap_s=0.002, trip_after=4)
    with FakeServer(faults=always(Fault("status", 503))) as server:
        outcomes = ask(server, *(request(seed=seed) for seed in range(100)), policy=policy)
    assert all(isinstance(each, ModelUnavailable) for each in outcomes)
    # The first of each, perhaps a second, and then probes only.
    assert server.calls.total() <= 100 + 8 + policy.attempts


def test_json_schema_is_sent_and_answered():
    schema = {"type": "object", "properties": {"winner": {"enum": ["A", "B", "tie"]}}, "required": ["winner"]}
    asked = ChatRequest((Message("user", "which?"),), 0.0, 1.0, 32, 5, json_schema=schema)
    with FakeServer() as server:
        (outcome,) = ask(server, asked)
    assert outcome.text in {'{"winner":"A"}', '{"winner":"B"}', '{"winner":"tie"}'}


def test_the_key_is_sent_and_never_shown():
    with FakeServer(api_key=KEY) as server:
        (right,) = ask(server, request(), key=KEY)
        (wrong,) = ask(server, request(), key=KEY + "x")
    assert isinstance(right, Completion)
    assert isinstance(wrong, ModelUnavailable)
    assert KEY not in str(wrong)


def test_the_key_is_blotted_out_of_what_the_server_says():
    with FakeServer(faults=always(Fault("status", 400, message=f"bad key {KEY}"))) as server:
        (outcome,) = ask(server, request(), key=KEY)
    assert "bad key ***" in str(outcome)


def test_one_model_serves_several_event_loops():
    with FakeServer() as server:
        model = OpenAIChatModel("m", server.base_url, "x", policy=FAST)

        async def run() -> Completion:
            try:
                return await model.complete(request())
            finally:
                await model.close()

        assert asyncio.run(run()) == asyncio.run(run())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base_url": ""}, "base_url: expected http"),
        ({"base_url": "localhost:8000/v1"}, "base_url: expected http"),
        ({"base_url": "file:///etc/passwd"}, "base_url: expected http"),
        ({"model": ""}, "model: missing"),
        ({"api_key_env": "PAIRSMITH_TEST_UNSET"}, "PAIRSMITH_TEST_UNSET is not set"),
        ({"api_key_env": "PAIRSMITH_TEST_ODD"}, "holds characters"),
    ],
)
def test_a_bad_section_is_an_error_before_any_call(changes, message, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PAIRSMITH_TEST_ODD", "sk-1\nInjected: yes")
    config = ModelConfig(**{"base_url": "http://host/v1", "model": "x", **changes})
    with pytest.raises(ConfigError, match=message) as caught:
        OpenAIChatModel.from_config("m", config, RuntimeConfig())
    assert "sk-1" not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["https://me:secret@host/v1", "https://host/v1?key=secret", "https://host/v1#secret"]
)
def test_an_address_with_a_secret_is_refused_and_not_quoted(address):
    with pytest.raises(ConfigError, match=r"password|without") as caught:
        OpenAIChatModel("m", address, "x")
    assert "secret" not in str(caught.value)


NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("", None),
        ("7", 7.0),
        ("0.5", 0.5),
        ("-5", 0.0),
        ("1e9", 60.0),
        ("inf", 60.0),
        ("nan", None),
        ("tomorrow", None),
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30.0),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0.0),
        ("Fri, 01 Jan 2027 12:00:00 GMT", 60.0),
        ("Thu, 01 Jan 2026 12:00:30", 30.0),
        ("Thu, 99 Foo 2026 12:00:30 GMT", None),
    ],
)
def test_retry_after(header, expected):
    assert retry_after_s(header, 60.0, NOW) == expected


def test_backoff_doubles_with_full_jitter_up_to_the_cap():
    policy = RetryPolicy(base_s=1.0, cap_s=30.0)
    assert [policy.ceiling_s(failures) for failures in (1, 2, 3, 6, 1000)] == [1.0, 2.0, 4.0, 30.0, 30.0]
    draws = [policy.backoff_s(4) for _ in range(500)]
    assert 0.0 <= min(draws) < 1.0
    assert 7.0 < max(draws) <= 8.0
