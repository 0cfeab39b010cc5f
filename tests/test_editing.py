"""Improving what lost: by a strong model once there are votes, and by people through a file and back."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pairsmith.cli.main import app
from pairsmith.config import Config, parse_config
from pairsmith.errors import UsageError
from pairsmith.ledger import LEDGER_FILE, Ledger
from pairsmith.models.fake import FakeServer
from pairsmith.pipeline.collecting import run_annotate, run_generate
from pairsmith.pipeline.estimating import estimate
from pairsmith.records import Annotation, Candidate, Comparison, Label, Message, Prompt

TEXTS = ("A river is water.", "A river is water that flows to the sea.", "Rivers flow.")


def vote(ledger: Ledger, one: Candidate, other: Candidate, better: Candidate, by: str = "ann") -> None:
    comparison = Comparison.of(one, other)
    label: Label = "a" if comparison.a == better.id else "b"
    ledger.append([comparison, Annotation.of(comparison.id, by, "human", label)])


def filled(folder: Path, prompts: int = 2) -> list[Candidate]:
    """Three responses to each prompt; the second beats both others, the first beats the third."""
    made = []
    with Ledger.open(folder / LEDGER_FILE) as ledger:
        for number in range(prompts):
            prompt = Prompt.of([Message("user", f"What is river number {number}?")])
            ids = [Candidate.asked_id(prompt.id, "small", {}, sample) for sample in range(3)]
            three = [
                Candidate(ids[k], prompt.id, f"{text} {number}", model="small", sample=k)
                for k, text in enumerate(TEXTS)
            ]
            ledger.append([prompt, *three])
            for one, other, better in ((0, 1, 1), (1, 2, 1), (0, 2, 0)):
                vote(ledger, three[one], three[other], three[better])
            made += three
    return made


def configured(url: str, extra: str = "") -> Config:
    return parse_config(
        f"""
models: {{big: {{base_url: "{url}", model: big}}}}
generate: {{strategies: [{{name: edit, model: big, of: [rejected], n: 1}}], distinct: {{attempts: 0}}}}
annotate: {{max_per_prompt: 3, annotators: [{{kind: scorer}}]}}
runtime: {{probe: false, workers: 1}}
{extra}"""
    )


def edited(ledger: Ledger) -> list[Candidate]:
    return [each for each in ledger.read(Candidate) if each.origin == "edited"]


def test_what_lost_most_is_improved_once_and_meets_its_original(tmp_path):
    three = filled(tmp_path)
    with FakeServer() as server, Ledger.open(tmp_path / LEDGER_FILE) as ledger:
        config = configured(server.base_url)
        assert estimate(tmp_path, config, ledger)["calls"] == 2
        progress = asyncio.run(run_generate(tmp_path, config, ledger))
        assert (progress.new, progress.wanted) == (2, 2)
        made = edited(ledger)
        assert {each.params["of"] for each in made} == {three[2].id, three[5].id}
        assert all(each.engine["edit"]["changes"] for each in made)
        asyncio.run(run_annotate(tmp_path, config, ledger))
        compared = set(ledger.ids(Comparison))
        by_id = {each.id: each for each in three}
        assert {Comparison.of(each, by_id[each.params["of"]]).id for each in made} <= compared
        # the scorer has voted meanwhile, and more people: whoever lost now, one edit a prompt is what was asked for
        vote(ledger, three[0], three[1], three[0], by="other")
        vote(ledger, three[0], three[2], three[2], by="other")
        vote(ledger, three[0], three[2], three[2], by="third")
        again = asyncio.run(run_generate(tmp_path, config, ledger))
        assert again.new == 0
        assert len(edited(ledger)) == 2


def test_before_the_first_votes_there_is_nothing_to_improve(tmp_path):
    with FakeServer() as server, Ledger.open(tmp_path / LEDGER_FILE) as ledger:
        prompt = Prompt.of([Message("user", "What is a river?")])
        ledger.append([prompt, Candidate.imported(prompt.id, "Water.")])
        progress = asyncio.run(run_generate(tmp_path, configured(server.base_url), ledger))
        assert (progress.wanted, server.calls.total()) == (0, 0)


def command(project: Path, *words: str) -> str:
    return CliRunner().invoke(app, ["-C", str(project), *words], catch_exceptions=False).output


def test_a_person_edits_a_file_and_collect_reads_it_back(tmp_path):
    three = filled(tmp_path)
    source = "collect: {sources: [{path: edits.jsonl, format: edits}]}\nruntime: {workers: 1}\n"
    (tmp_path / "pairsmith.yaml").write_text(source)
    assert "4 responses in" in command(tmp_path, "edits")
    rows = [json.loads(line) for line in (tmp_path / "edits.jsonl").read_text().splitlines()]
    assert [row["candidate_id"] for row in rows[:2]] == sorted([three[2].id, three[5].id])
    assert rows[0]["conversation"][0]["role"] == "user"
    with pytest.raises(UsageError, match="exists already"):
        command(tmp_path, "edits")
    rows[0] |= {"edited": rows[0]["response"].replace("flow", "flow downhill"), "editor": "Kim"}
    rows[1]["edited"] = rows[1]["response"].upper()
    rows[2] |= {"edited": "A better text.", "candidate_id": "cnd_" + "0" * 24}
    (tmp_path / "edits.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = command(tmp_path, "collect")
    assert "3 of 4 rows good, 1 rejected" in said
    assert "not_edited 2" in said
    assert '"unknown_response"' in next((tmp_path / "quarantine").iterdir()).read_text()
    with Ledger.open(tmp_path / LEDGER_FILE) as ledger:
        (made,) = edited(ledger)
        assert made.params == {"of": rows[0]["candidate_id"], "by": "Kim"}
        assert made.engine["edit"] == {"kept": 0.67, "changes": [["flow. ", "flow downhill. "]]}
        assert made.prompt_id == next(each for each in three if each.id == made.params["of"]).prompt_id
    command(tmp_path, "annotate")
    with Ledger.open(tmp_path / LEDGER_FILE) as ledger:
        original = next(each for each in three if each.id == made.params["of"])
        assert Comparison.of(made, original).id in ledger.ids(Comparison)
    assert "3 responses in" in command(tmp_path, "edits", "--to", "more.jsonl")


def test_a_file_of_edits_is_recognised_and_a_foreign_id_is_refused(tmp_path):
    filled(tmp_path, 1)
    (tmp_path / "pairsmith.yaml").write_text("collect: {sources: [{path: e.jsonl}]}\n")
    (tmp_path / "e.jsonl").write_text('{"candidate_id": "mine-7", "edited": "Better."}\n')
    said = command(tmp_path, "collect")
    assert "read as edits" in said
    assert "1 rejected" in said
