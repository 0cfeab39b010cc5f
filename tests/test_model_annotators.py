"""From `pairsmith.yaml` to votes and back: a panel, a rubric and a reward server behind the fake server."""

import asyncio
from pathlib import Path

import pytest

from pairsmith.config import Config, parse_config
from pairsmith.ledger import Ledger
from pairsmith.models.fake import FakeServer
from pairsmith.pipeline.collecting import run_annotate
from pairsmith.pipeline.deriving import derive
from pairsmith.pipeline.facts import read_facts
from pairsmith.records import Annotation, Candidate, Message, Progress, Prompt, Score

DATASET = dict.fromkeys(("name", "seed", "ledger_position", "code_version", "config_sha256"), "")


def configured(base_url: str) -> Config:
    return parse_config(
        f"""
models:
  one: {{model: Llama-3.1-8B-Instruct, base_url: "{base_url}"}}
  two: {{model: Qwen2.5-7B-Instruct, base_url: "{base_url}"}}
  rm: {{model: reward, base_url: "{base_url}"}}
annotate:
  annotators:
    - {{kind: panel, models: [one, two], audit: {{canaries: 0.5, repeated: 0.5}}}}
    - {{kind: rubric, model: one, scale: [0, 5], criteria: [honesty]}}
    - {{kind: reward_server, model: rm}}
runtime: {{workers: 1}}
"""
    )


@pytest.fixture
def ledger(tmp_path: Path):
    with Ledger.open(tmp_path / "ledger.sqlite") as opened:
        for number in range(3):
            prompt = Prompt.of([Message("user", f"Question number {number}?")])
            texts = ["Short.", "Somewhat longer.", "The longest of all three answers."]
            ids = [Candidate.asked_id(prompt.id, "m", {}, sample) for sample in range(3)]
            opened.append([prompt])
            opened.append(
                [Candidate(ids[k], prompt.id, f"{text} {number}", model="m", sample=k) for k, text in enumerate(texts)]
            )
        yield opened


def go(tmp_path: Path, base_url: str, ledger: Ledger) -> Progress:
    return asyncio.run(run_annotate(tmp_path, configured(base_url), ledger))


def test_everybody_votes_once_and_is_paid_once(tmp_path, ledger):
    with FakeServer() as fake:
        progress = go(tmp_path, fake.base_url, ledger)
        asked = fake.calls.total()
        again = go(tmp_path, fake.base_url, ledger)
        assert fake.calls.total() == asked
    assert (progress.failed, progress.new, again.new) == (0, 36, 0)
    assert set(progress.details["annotators"]) == {"judge:one", "judge:two", "rubric:one", "reward:rm"}
    votes = list(ledger.read(Annotation))
    assert {vote.criteria.get("family") for vote in votes} == {"llama", "qwen", None}
    rewards = {score.candidate_id: score.value for score in ledger.read(Score) if score.scorer == "reward:rm@reward"}
    assert len(rewards) == 9
    assert {score.scale for score in ledger.read(Score) if score.scorer.startswith("rubric:one")} == {(0.0, 5.0)}
    metrics = derive(configured(fake.base_url), read_facts(ledger), [], DATASET).metrics
    assert [audit["name"] for audit in metrics["judges"]] == ["judge:one", "judge:two", "rubric:one"]
    assert {audit["state"] for audit in metrics["judges"]} <= {"fail", "not_evaluated"}


def test_scores_of_an_earlier_run_are_not_asked_for_again(tmp_path, ledger):
    with FakeServer(rewards=("score",)) as fake:
        go(tmp_path, fake.base_url, ledger)
        [prompt] = list(ledger.read(Prompt))[:1]
        more = Candidate(Candidate.asked_id(prompt.id, "m", {}, 3), prompt.id, "One more.", model="m", sample=3)
        ledger.append([more])
        before = dict(fake.calls)
        assert go(tmp_path, fake.base_url, ledger).failed == 0
        repeated = [key for key, count in fake.calls.items() if key in before and count > before[key]]
    assert len(repeated) <= 5  # a new run asks the reward server for its dialect again
    assert sum(score.scorer == "reward:rm@reward" for score in ledger.read(Score)) == 10
