"""Real prompts through the real local model, killed on the way, and the demonstration to its report."""

import random
import shutil
import signal
import sqlite3
import time
from importlib import resources

import pytest

pytestmark = pytest.mark.slow

pytest.importorskip("xllamacpp")

CONFIG = """
name: local
seed: 11
collect: {sources: [{path: prompts.jsonl, format: prompts, licence: Apache-2.0, limit: 60}]}
models: {small: {kind: local}}
generate: {models: [small], n: 2, max_tokens: 24}
annotate: {annotators: [{kind: verifier}]}
gate: {min_pairs: 1}
"""


def texts(project) -> dict[str, str]:
    """The text of every candidate by its id."""
    with sqlite3.connect(project.path / "ledger.sqlite") as connection:
        return dict(connection.execute("SELECT id, text FROM candidates"))


def test_sixty_real_prompts_killed_twice_end_as_one_clean_run(new_project):
    prompts = resources.files("pairsmith.demo") / "prompts.jsonl"
    projects = {name: new_project(name) for name in ("clean", "killed")}
    for project in projects.values():
        project.write("pairsmith.yaml", CONFIG)
        project.write("prompts.jsonl", prompts.read_text(encoding="utf-8"))
        project.run("collect")
    projects["clean"].run("generate")
    wanted = texts(projects["clean"])
    assert len(wanted) == 120
    assert all(text.strip() for text in wanted.values())

    killed = projects["killed"]
    rng = random.Random(5)
    for _ in range(2):
        before = len(texts(killed))
        with killed.start("generate") as process:
            while len(texts(killed)) < before + 10 and process.poll() is None:
                time.sleep(0.05)
            time.sleep(rng.uniform(0, 0.5))
            process.send_signal(signal.SIGKILL)
            process.communicate()
        assert before < len(texts(killed)) < 120
    stored = len(texts(killed))
    done = killed.ask("generate")
    assert (done["present"], done["new"]) == (stored, 120 - stored)
    assert texts(killed) == wanted  # the same seeds give the same text, whoever was killed


def test_the_demonstration_reaches_its_report(new_project):
    project = new_project()
    demo = project.path / "demo"
    printed = project.run("demo", "demo", "--set", "generate.max_tokens=24", "--set", "generate.n=2")
    assert "Gate:" in printed
    report = (demo / "builds" / "latest" / "report.html").read_text(encoding="utf-8")
    assert "surface-v0" in report
    assert shutil.which("pairsmith") is None or "xllamacpp" in report
    again = project.run("demo", "demo", "--set", "generate.max_tokens=24", "--set", "generate.n=2")
    assert "was there already" in again
