"""A storm loses nothing and repeats nothing: over 1,000 answers through the command line, by the server's own log."""

import itertools
import json
import random
import signal
import sqlite3
import time

import pytest

from pairsmith.models.fake import FakeServer
from pairsmith.models.fake_faults import Fault, Faults, storm

pytestmark = pytest.mark.slow

PROMPTS, SAMPLES, IN_FLIGHT = 260, 4, 48
WANTED = PROMPTS * SAMPLES
FAULTS = (
    *[Fault("status", 429, {"Retry-After": "0.05"})] * 3,
    Fault("status", 429),
    Fault("status", 503),
    Fault("hang"),
    Fault("truncated"),
    Fault("endless_chunks"),
    Fault("wrong_length"),
    Fault("html"),
    Fault("empty"),
    Fault("null_content"),
    Fault("reset"),
)


def config(server: FakeServer) -> str:
    """A project that draws 1,040 samples from the fake server."""
    return f"""
name: storm
seed: 5
collect: {{sources: [{{path: prompts.jsonl, format: prompts}}]}}
models: {{writer: {{base_url: "{server.base_url}", model: fake}}}}
generate: {{models: [writer], n: {SAMPLES}, max_tokens: 64, distinct: {{attempts: 0}}}}
runtime: {{concurrency: {IN_FLIGHT}, probe: false, timeout_s: 6, attempts: 30}}
"""


def stored(project) -> list[str]:
    """The requests behind all candidates, named as the server names them."""
    with sqlite3.connect(project.path / "ledger.sqlite") as connection:
        rows = connection.execute(
            "SELECT messages, params FROM candidates JOIN prompts ON prompts.id = prompt_id WHERE error = ''"
        ).fetchall()
    names = []
    for messages, params in rows:
        sampling = json.loads(params)
        body = {"model": "fake", "messages": [{"role": role, "content": text} for role, text in json.loads(messages)]}
        body |= {key: sampling[key] for key in ("temperature", "top_p", "max_tokens", "seed")}
        names.append(FakeServer.key_of(body))
    return names


def started(new_project, server: FakeServer):
    """A project with its prompts collected."""
    project = new_project()
    project.write("pairsmith.yaml", config(server))
    rows = ({"prompt": f"Write about the number {number}."} for number in range(PROMPTS))
    project.write("prompts.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    project.run("collect")
    return project


def bad_weather(seed: int) -> Faults:
    """Three calls in ten fail."""
    return storm(0.3, FAULTS, seed)


def test_every_paid_answer_is_in_the_ledger_exactly_once(new_project):
    seed = random.randrange(10**6)
    with FakeServer(faults=bad_weather(seed), latency_s=0.05) as server:
        project = started(new_project, server)
        done = project.ask("generate")
        answered = dict(server.answered)
        calls = server.calls.total()
    assert (done["new"], done["failed"]) == (WANTED, 0), f"seed {seed}"
    assert calls > 1.25 * WANTED
    assert set(answered.values()) == {1}, f"seed {seed}: answers were paid for twice"
    assert sorted(stored(project)) == sorted(answered), f"seed {seed}"
    told = done["details"]["traffic"]["writer"]
    assert told["most_in_flight"] <= IN_FLIGHT
    assert told["requests"] == calls
    assert told["retries"] == calls - WANTED
    assert told["throttled"] > 0 < told["timeouts"]
    assert done["details"]["lost_calls"] > 0


def test_killed_in_the_storm_only_what_was_under_way_is_asked_again(new_project):
    seed = random.randrange(10**6)
    rng = random.Random(seed)
    kills = 0
    with FakeServer(faults=bad_weather(seed), latency_s=0.05) as server:
        project = started(new_project, server)
        for kill in itertools.count(1):
            before = server.answered.total()
            with project.start("generate") as process:
                aim = before + rng.randint(100, 250)
                while server.answered.total() < aim and process.poll() is None:
                    time.sleep(0.005)
                process.send_signal(signal.SIGKILL)
                kills += process.wait() == -signal.SIGKILL
            if kill == 4:
                break
        held = len(stored(project))
        project.run("generate")
        answered = dict(server.answered)
    assert kills == 4
    assert 0 < held < WANTED
    assert sorted(stored(project)) == sorted(answered), f"seed {seed}"
    assert len(answered) == WANTED
    # An answer may be on its way to the disk while its slot has the next request in flight.
    assert sum(answered.values()) - WANTED <= kills * IN_FLIGHT * 2, f"seed {seed}: more was repeated"
