"""Nothing is lost: killed at any moment and run again, a project ends where an undisturbed one does."""

import itertools
import json
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from pairsmith.models.fake import FakeServer
from tests.stories.test_strategies_run import longer_wins  # a judge that turns with the order would be stopped

pytestmark = pytest.mark.slow

IN_FLIGHT = 4
UNDER_WAY = 2  # by worker: the answer it waits for, and the one before it, perhaps not on disk yet
CALLS_PER_VOTE = 2  # a judge is asked in both orders; a vote killed between the two is in flight as a whole
PROMPTS = 40
SAMPLES = 3
TOPICS = ("the moon", "bread", "a lost dog", "prime numbers", "the sea", "an old clock", "winter", "a violin")


def prompts(first: int, last: int) -> str:
    """Prompts with a check, so that the verifier has something to say beside the judge."""
    words = itertools.cycle(TOPICS)
    rows = (
        {
            "prompt": f"Write a line numbered {number} about {next(words)}.",
            "checks": [{"kind": "max_words", "args": {"n": 9}}],
        }
        for number in range(first, last)
    )
    return "".join(json.dumps(row) + "\n" for row in rows)


def config(server: FakeServer) -> str:
    """A project whose model and judge are the fake server."""
    return f"""
name: survival
seed: 3
collect: {{sources: [{{path: prompts.jsonl, format: prompts}}]}}
models: {{writer: {{kind: openai, base_url: "{server.base_url}", model: fake}}}}
generate: {{models: [writer], n: {SAMPLES}, max_tokens: 20}}
annotate: {{annotators: [{{kind: verifier}}, {{kind: judge, model: writer, audit: {{canaries: 0, repeated: 0}}}}]}}
split: {{train: 0.8}}
gate: {{min_pairs: 1}}
runtime: {{concurrency: {IN_FLIGHT}, probe: false}}
"""


def port_of(server: FakeServer) -> int:
    """The port it listens on, or did."""
    return int(re.findall(r":(\d+)/", server.base_url)[0])


def facts(project) -> dict[str, list[tuple[object, ...]]]:
    """Every fact by table, without position and time."""
    found = {}
    with sqlite3.connect(project.path / "ledger.sqlite") as connection:
        for table in ("prompts", "candidates", "comparisons", "scores", "annotations"):
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            kept = ", ".join(each for each in columns if each not in ("position", "recorded_at"))
            found[table] = sorted(connection.execute(f"SELECT {kept} FROM {table}"), key=str)
    return found


def test_killed_at_random_points_it_ends_where_an_undisturbed_run_does(new_project):
    with FakeServer(latency_s=0.03, reply=longer_wins) as server:
        clean = new_project("clean")
        clean.write("pairsmith.yaml", config(server))
        clean.write("prompts.jsonl", prompts(0, PROMPTS))
        clean.run("run", code=3)
        asked_once = sum(server.calls.values())
        text = config(server)

    killed = new_project("killed")
    killed.write("prompts.jsonl", prompts(0, PROMPTS))
    seed = random.randrange(10**6)
    rng = random.Random(seed)
    kills = 0
    with FakeServer(
        latency_s=0.03, reply=longer_wins, port=port_of(server)
    ) as server:  # the same address: the same configuration
        killed.write("pairsmith.yaml", text)
        while kills < 12:
            with killed.start("run") as process:
                time.sleep(rng.uniform(0.6, 1.6))
                if process.poll() is not None:
                    break
                process.send_signal(signal.SIGKILL)
                process.communicate()
            kills += 1
        killed.run("run", code=3)
        asked = sum(server.calls.values())

    assert kills >= 2, f"seed {seed}: the run was over before it could be killed"
    assert facts(killed) == facts(clean), f"seed {seed}"
    assert killed.build_bytes() == clean.build_bytes(), f"seed {seed}"
    repeated_at_most = kills * IN_FLIGHT * UNDER_WAY * CALLS_PER_VOTE
    assert asked_once <= asked <= asked_once + repeated_at_most, f"seed {seed}: more than was under way was repeated"


def test_a_second_process_is_refused_and_harms_nothing(new_project):
    with FakeServer(latency_s=0.4) as server:
        project = new_project()
        project.write("pairsmith.yaml", config(server))
        project.write("prompts.jsonl", prompts(0, 20))
        project.run("collect")
        with project.start("generate") as first:
            deadline = time.monotonic() + 30
            while not server.calls and time.monotonic() < deadline:
                time.sleep(0.02)
            refused = project.run("generate", code=4)
            assert f"process {first.pid}" in refused
            assert first.wait(timeout=60) == 0
        assert max(server.calls.values()) == 1


def test_adding_prompts_does_only_the_new_work_and_moves_no_row(new_project):
    with FakeServer(reply=longer_wins) as server:
        project = new_project()
        project.write("pairsmith.yaml", config(server))
        project.write("prompts.jsonl", prompts(0, 20))
        project.run("run", code=3)
        before = {row["pair_id"]: row["part"] for row in project.rows("preference_pairs.jsonl")}
        old_position = project.latest("manifest.json")["ledger_position"]
        old_bytes = project.build_bytes()
        calls = set(server.calls)

        project.write("prompts.jsonl", prompts(0, 30))
        done = project.ask("run", code=3)
        generated = next(stage for stage in done["stages"] if stage["stage"] == "generate")
        assert (generated["new"], generated["present"]) == (10 * SAMPLES, 20 * SAMPLES)
        assert max(server.calls.values()) == 1
        assert calls < set(server.calls)
        assert project.latest("metrics.json")["funnel"][0]["count"] == 30  # not 20 + 30: the file was read again
        after = {row["pair_id"]: row["part"] for row in project.rows("preference_pairs.jsonl")}
        assert before.items() <= after.items()

        project.run("build", "--as-of", str(old_position))
        again = project.path / "builds" / "0001"
        assert {path.name: path.read_bytes() for path in again.glob("*.*")} == {
            name: data for name, data in old_bytes.items() if "/" not in name
        }
        assert (project.path / "builds" / "latest").resolve().name == "0002"


def test_a_server_that_goes_away_and_comes_back(new_project):
    project = new_project()
    project.write("prompts.jsonl", prompts(0, PROMPTS))
    impatient = f"{{concurrency: {IN_FLIGHT}, probe: false, attempts: 2, timeout_s: 2}}"
    with FakeServer(latency_s=0.02) as server:
        text = config(server).replace(f"{{concurrency: {IN_FLIGHT}, probe: false}}", impatient)
        project.write("pairsmith.yaml", text)
        project.run("collect")
        process = project.start("generate")
        while sum(server.calls.values()) < 20:
            time.sleep(0.02)
    with process:
        _, complaints = process.communicate(timeout=120)
    assert process.returncode == 5, complaints
    assert "Traceback" not in complaints
    stored = project.ask("status")["facts"]["candidates"]
    assert 0 < stored < PROMPTS * SAMPLES
    with FakeServer(port=port_of(server)):
        done = project.ask("generate")
    assert (done["present"], done["new"]) == (stored, PROMPTS * SAMPLES - stored)


def test_ctrl_c_keeps_what_was_paid_for(new_project):
    with FakeServer(latency_s=0.4) as server:
        project = new_project()
        project.write("pairsmith.yaml", config(server))
        project.write("prompts.jsonl", prompts(0, 16))
        project.run("collect")
        with project.start("generate") as process:
            while sum(server.calls.values()) < 9:
                time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            _, complaints = process.communicate(timeout=60)
        assert process.returncode == 130, complaints
        assert "carry on" in complaints
        assert "Traceback" not in complaints
        project.run("generate")
        assert max(server.calls.values()) == 1


def test_output_into_a_closed_pipe_ends_quietly(new_project):
    project = new_project()
    project.run("init")
    command = f"{subprocess.list2cmdline([sys.executable, '-m', 'pairsmith', 'config', 'schema'])} | head -1"
    shown = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert "Traceback" not in shown.stderr
