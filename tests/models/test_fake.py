"""The fake server is a tool of its own: deterministic, counted, startable from the shell."""

import json
import subprocess
import sys
import urllib.request
from typing import Any

import pytest

from pairsmith.models.fake import FakeServer
from pairsmith.models.fake_answers import fake_reply
from pairsmith.models.fake_faults import FAULT_KINDS, Fault, in_order, storm

BODY: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello there"}], "seed": 3}


def post(base_url: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        f"{base_url}/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=5) as response:
        return json.load(response)


def test_answers_depend_on_messages_and_seed_alone():
    with FakeServer() as one, FakeServer() as other:
        first, second = post(one.base_url, BODY), post(other.base_url, BODY)
        changed = post(one.base_url, {**BODY, "seed": 4})
    assert first == second
    assert first["choices"][0]["message"]["content"] == fake_reply(BODY)
    assert changed["choices"][0]["message"]["content"] != fake_reply(BODY)


def test_calls_are_counted_by_body():
    with FakeServer() as server:
        for body in (BODY, BODY, {**BODY, "seed": 9}):
            post(server.base_url, body)
    assert server.calls[server.key_of(BODY)] == 2
    assert server.calls.total() == server.answered.total() == 3


def test_max_tokens_cuts_and_says_so():
    with FakeServer() as server:
        answer = post(server.base_url, {**BODY, "max_tokens": 3})
    assert answer["choices"][0]["finish_reason"] == "length"
    assert len(answer["choices"][0]["message"]["content"].split()) == 3
    assert answer["usage"] == {"prompt_tokens": 2, "completion_tokens": 3}


def test_it_plays_a_judge():
    def longer_wins(body):
        first, second = (turn["content"] for turn in body["messages"])
        return "A" if len(first) > len(second) else "B"

    turns = [{"role": "user", "content": "short"}, {"role": "user", "content": "much longer"}]
    with FakeServer(reply=longer_wins) as server:
        verdicts = [
            post(server.base_url, {**BODY, "messages": order})["choices"][0]["message"]["content"]
            for order in (turns, turns[::-1])
        ]
    assert verdicts == ["B", "A"]


def test_a_schema_gets_an_answer_of_its_shape():
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {
            "winner": {"enum": ["A", "B"]},
            "strength": {"type": "number", "minimum": 0, "maximum": 1},
            "steps": {"type": "array", "items": {"type": "integer"}, "minItems": 2},
            "sure": {"type": "boolean"},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        },
    }
    body = {**BODY, "response_format": {"type": "json_schema", "json_schema": {"name": "v", "schema": schema}}}
    answer = json.loads(fake_reply(body))
    assert list(answer) == sorted(schema["properties"])
    assert answer["winner"] in {"A", "B"}
    assert 0 <= answer["strength"] <= 1
    assert len(answer["steps"]) == 2
    assert isinstance(answer["sure"], bool)


def test_order_and_storm_are_cues():
    cue = in_order(Fault("reset"), None)
    assert [cue(call, 0) is not None for call in range(3)] == [True, False, False]
    rough = storm(0.3, [Fault(kind) for kind in FAULT_KINDS], seed=5)
    drawn = [rough(call, 0) for call in range(2000)]
    assert drawn == [rough(call, 0) for call in range(2000)]
    assert 500 < sum(fault is not None for fault in drawn) < 700
    assert {fault.kind for fault in drawn if fault} == set(FAULT_KINDS)


def test_a_port_in_use_is_an_error():
    with FakeServer() as server:
        port = int(server.base_url.split(":")[2].split("/")[0])
        with pytest.raises(OSError, match="address"), FakeServer(port=port):
            pass


def test_it_starts_from_the_shell():
    command = [sys.executable, "-m", "pairsmith.models.fake", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            answer = post(process.stdout.readline().strip(), BODY)
        finally:
            process.terminate()
    assert answer["choices"][0]["message"]["content"] == fake_reply(BODY)
