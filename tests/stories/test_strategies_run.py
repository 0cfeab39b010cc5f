"""A project that uses every strategy, from the estimate to the report."""

import json
import re
from collections.abc import Mapping
from typing import Any

from pairsmith.models.fake import FakeServer
from pairsmith.models.fake_answers import fake_reply

CONFIG = """
version: 1
name: augmented
seed: 3
collect: {{sources: [{{path: prompts.jsonl}}]}}
models:
  big: {{base_url: '{url}', model: big, price: {{input: 1, output: 4}}}}
  small: {{base_url: '{url}', model: small, price: {{input: 0.1, output: 0.2}}}}
generate:
  models: [small]
  n: 1
  max_tokens: 64
  strategies:
    - {{name: sample, temperatures: [0.7, 1.1], n: 2}}
    - {{name: strong_weak, strong: [big], weak: [small], corruptions: [drop_words]}}
    - {{name: contrast, model: big, guideline: Name your sources.}}
    - {{name: edit, model: big, of: [small]}}
annotate: {{annotators: [{{kind: judge, model: big, audit: {{canaries: 0}}}}], max_per_prompt: 15}}
validate: {{unmeasured: keep}}
"""


def longer_wins(body: Mapping[str, Any]) -> str:
    """A judge whose verdict does not depend on the order, so that pairs come of its votes."""
    if "response_format" not in body:
        return fake_reply(body)
    shown = re.findall(
        r"--- (?:first|second) response \w+ begins ---\n(.*?)\n---", body["messages"][-1]["content"], re.S
    )
    if len(shown) < 2:  # the probe of the server asks for JSON too
        return fake_reply(body)
    better = "first" if (len(shown[0]), shown[0]) > (len(shown[1]), shown[1]) else "second"
    properties = body["response_format"]["json_schema"]["schema"]["properties"]
    return json.dumps({key: "It is longer." if key == "rationale" else better for key in properties})


def test_every_strategy_reaches_annotation_and_the_report(new_project):
    project = new_project()
    rows = (
        f'{{"prompt": "Question {number}: which rivers of Europe flow into the sea there?"}}' for number in range(12)
    )
    project.write("prompts.jsonl", "\n".join(rows))
    with FakeServer(reply=longer_wins) as server:
        project.write("pairsmith.yaml", CONFIG.format(url=server.base_url))
        project.ask("collect")
        estimated = project.ask("generate", "--estimate")
        assert {each["name"]: each["calls"] for each in estimated["models"]} == {"big": 36, "small": 36}
        assert 0 < estimated["cost"] <= estimated["cost_at_most"]
        assert server.calls.total() == 0
        stopped = project.run("generate", "--set", "generate.budget.max_calls=30", code=4)
        assert "generate.budget.max_calls is 30, 30 are spent" in stopped
        drawn = project.ask("generate")
        assert (drawn["wanted"], drawn["present"], drawn["new"]) == (84, 30, 54)
        assert set(drawn["details"]["servers"]) == {"big", "small"}
        project.run("annotate")
        project.run("build")
    generation = project.latest("metrics.json")["generation"]
    assert {each["name"]: each["candidates"] for each in generation["origins"]} == {
        "contrast": 24,
        "corrupted": 12,
        "edited": 12,
        "model": 24,
        "strong": 12,
    }
    augmented = [each for each in generation["origins"] if each["augmented"]]
    assert all(each["label_accuracy"]["value"] is None and each["label_accuracy"]["reason"] for each in augmented)
    assert all(0 < each["kept_pairs"]["value"] < 1 for each in augmented)
    assert set(generation["as_intended"]) == {"edited", "strong_weak", "contrast"}
    assert all(each["n"] > 0 for each in generation["as_intended"].values())
