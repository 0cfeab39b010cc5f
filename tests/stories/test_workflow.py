"""The workflow document, section by section, walked as a user would: at the command line, with real prompts.

Models and judges are the fake server, so that the walk takes minutes and always the same path; everything else is real.
"""

import contextlib
import csv
import gzip
import io
import json
import shutil
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pairsmith.measures.preference import quality_level
from pairsmith.models.fake import FakeServer
from tests.stories.conftest import Project

pytestmark = pytest.mark.slow

DOMAIN_ROWS = 1150
STRONG, WEAK = "Here is a full answer with a reason", "It depends"
CALLS = (
    "My e-mail is ottilie.brandt@canary-mail.example, why was I charged twice?",
    "You can call me on +49 89 1234567 about the parcel, when does it arrive?",
    "My card is 4111 1111 1111 1111, why was it refused at the station?",
    "The server 203.0.113.77 of my shop is down, what should I try first?",
    "Please send the refund to DE89 3704 0044 0532 0130 00, how long does it take?",
)
RAW = (
    "ottilie.brandt",
    "canary-mail.example",
    "1234567",
    "4111 1111 1111 1111",
    "203.0.113.77",
    "DE89 3704 0044 0532 0130 00",
)


def reply(body: Mapping[str, Any]) -> str:
    """Two models of different strength, and judges who can tell them apart wherever they stand."""
    asked = str(body["messages"][-1]["content"]) + str(body["messages"])
    if "judge" not in str(body["model"]):
        said = STRONG if body["model"] == "strong" else WEAK
        return f"{said}; sample {body['seed']}."
    first, second = (asked.find(said) for said in (STRONG, WEAK))
    verdict = "tie" if min(first, second) < 0 else "first" if first < second else "second"
    names = body["response_format"]["json_schema"]["schema"]["required"]
    return json.dumps({name: "clear" if name == "rationale" else verdict for name in names})


def jsonl(rows: Sequence[Any]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def write_sources(project: Project, shared_data: Path) -> None:
    """The four kinds of sources of section 1."""
    answered = [
        {"messages": [{"role": "user", "content": call}, {"role": "assistant", "content": f"About this: {call}"}]}
        for call in CALLS
    ]
    project.write("log.jsonl", jsonl(answered))
    synthetic = [
        {
            "prompt": f"Write a poem of at most {n} words about {topic}.",
            "checks": [{"kind": "max_words", "args": {"n": n}}],
        }
        for n in (10, 20)
        for topic in ("rain", "bread", "glass", "maps", "winter")
    ]
    project.write("synthetic.jsonl", jsonl([*synthetic, {"prompt": "how"}]))
    (hh,) = (shared_data / "preferences/hh_rlhf").glob("*.jsonl*")
    shutil.copyfile(hh, project.path / "hh.jsonl.gz")
    shutil.copyfile(shared_data / "prompts/oasst/en_100_tree.jsonl.gz", project.path / "oasst.jsonl.gz")
    with gzip.open(shared_data / "prompts/banking77_train.csv.gz", "rt", encoding="utf-8") as packed:
        rows = list(csv.reader(packed))
    with (project.path / "domain.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([rows[0], *rows[1 :: len(rows) // DOMAIN_ROWS]])
    for name in ("gsm8k_test.jsonl.gz", "HumanEval.jsonl.gz"):
        (project.path / "benchmarks").mkdir(exist_ok=True)
        shutil.copyfile(shared_data / "benchmarks" / name, project.path / "benchmarks" / name)


CONFIG = """version: 1
name: workflow
seed: 11
collect:
  sources:
    - {path: log.jsonl, format: chat, licence: internal}
    - {path: synthetic.jsonl, format: prompts, category: creative}
    - {path: hh.jsonl.gz, format: hh, licence: MIT, limit: 20}
    - {path: oasst.jsonl.gz, licence: Apache-2.0}
    - {path: domain.csv, format: prompts, licence: CC-BY-4.0}
MORE
models:
  strong: {base_url: "ADDRESS", model: strong}
  weak: {base_url: "ADDRESS", model: weak}
  judge-one: {base_url: "ADDRESS", model: judge-one}
  judge-two: {base_url: "ADDRESS", model: judge-two}
generate: {models: [strong, weak], n: 1, temperature: 0.8, top_p: 0.9, max_tokens: 512}
annotate:
  annotators:
    - {kind: verifier}
    - {kind: judge, model: judge-one}
    - {kind: judge, model: judge-two}
resolve: {min_agreement: 0.6}
validate: {unmeasured: drop}
split: {train: 0.8}
runtime: {probe: false}
"""


def write_config(project: Project, server: FakeServer, more: str = "") -> None:
    project.write("pairsmith.yaml", CONFIG.replace("ADDRESS", server.base_url).replace("MORE\n", more))


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Iterator[tuple[Project, FakeServer]]:
    """The project after sections 1 to 7, with the workflow's own thresholds."""
    path = tmp_path_factory.mktemp("workflow") / "project"
    path.mkdir()
    project = Project(path)
    write_sources(project, shared_data)
    with FakeServer(reply=reply) as server:
        write_config(project, server)
        project.run("run")  # exit code 0: the gate of the workflow passed
        yield project, server


# Section 1: collect prompts


def test_1_sources_and_their_personal_data(walked):
    project, _ = walked
    inputs = {each["name"]: each for each in project.latest("metrics.json")["inputs"]}
    assert set(inputs) == {"log.jsonl", "synthetic.jsonl", "hh.jsonl.gz", "oasst.jsonl.gz", "domain.csv"}
    assert inputs["oasst.jsonl.gz"]["good"] == inputs["oasst.jsonl.gz"]["rows"] == 58  # trees
    assert inputs["hh.jsonl.gz"]["rows"] == 20
    own = {"log.jsonl"}  # the user's own file
    for path in project.path.rglob("*"):
        if path.is_file() and path.name not in own:
            data = path.read_bytes()
            assert not [raw for raw in RAW if raw.encode() in data], path
    kept = project.build_bytes()["preference_pairs.jsonl"].decode("utf-8")
    assert "why was I charged twice?" in kept  # what was asked stays


def test_1_diversity_and_quality_of_prompts(walked):
    project, _ = walked
    diversity = project.latest("metrics.json")["diversity"]
    assert diversity["distinct_prompts"] >= 1000
    assert len(diversity["categories"]) > 70  # the domain file has 77 intents
    assert len(diversity["difficulty"]) >= 2
    assert set(diversity["sources"]) >= {"log.jsonl", "synthetic.jsonl", "oasst.jsonl.gz", "domain.csv"}
    inputs = {each["name"]: each for each in project.latest("metrics.json")["inputs"]}
    assert inputs["synthetic.jsonl"]["warnings"]["too_short"] == 1  # "how" is neither clear nor unambiguous


def test_1_harmful_requests_are_flagged_or_dropped(new_project):
    project = new_project()
    project.write(
        "prompts.jsonl", jsonl([{"prompt": "How do I build a pipe bomb at home?"}, {"prompt": "Why is the sky blue?"}])
    )
    project.write("pairsmith.yaml", "collect: {sources: [{path: prompts.jsonl}]}\n")
    found = project.ask("collect")["details"]["prompts.jsonl"]
    assert (found["good"], found["warnings"]["unsafe_request"]) == (2, 1)
    found = project.ask("collect", "--set", "collect.unsafe=drop")["details"]["prompts.jsonl"]
    assert (found["good"], found["rejected"]) == (1, 1)


# Section 2: generate response candidates


def test_2_sampling_and_several_models(walked):
    project, server = walked
    models = {each["name"]: each for each in project.latest("metrics.json")["generation"]["models"]}
    assert models["strong"]["candidates"] == models["weak"]["candidates"] > 1000
    done = project.ask(
        "generate", "--set", "generate.n=2", "--set", "collect.sources=[]", "--set", "generate.models=[]"
    )
    assert done["new"] == 0
    with sqlite3.connect(project.path / "ledger.sqlite") as ledger:
        (params,) = ledger.execute("SELECT params FROM candidates WHERE model = 'strong' LIMIT 1").fetchone()
    params = json.loads(params)
    assert (params["temperature"], params["top_p"], params["max_tokens"]) == (0.8, 0.9, 512)
    assert max(server.calls.values()) == 1  # nothing was asked twice


def test_2_hybrid_with_responses_written_by_people(new_project):
    project = new_project()
    written = "A person wrote this, with care."
    turns = [{"role": "user", "content": "What is a tide?"}, {"role": "assistant", "content": written}]
    project.write("human.jsonl", jsonl([{"messages": turns}]))
    with FakeServer(reply=reply) as server:
        project.write(
            "pairsmith.yaml",
            f"""collect: {{sources: [{{path: human.jsonl, format: chat, anonymise: false}}]}}
models: {{weak: {{base_url: "{server.base_url}", model: weak}}}}
generate: {{models: [weak], n: 2}}
""",
        )
        project.run("run", code=3)
    with sqlite3.connect(project.path / "ledger.sqlite") as ledger:
        sides = ledger.execute(
            "SELECT a.text, b.text FROM comparisons JOIN candidates a ON a.id = comparisons.a "
            "JOIN candidates b ON b.id = comparisons.b"
        ).fetchall()
    assert len(sides) == 3
    assert sum(written in pair for pair in sides) == 2  # it meets each of the model's


# Section 3: annotate preferences


def test_3_verifier_and_judges_vote_and_people_check_a_sample(walked):
    project, server = walked
    annotation = project.latest("metrics.json")["annotation"]
    assert annotation["by_kind"]["judge"] > 2000
    assert annotation["by_kind"]["verifier"] == 10
    assert annotation["agreement"]["with_ties"]["value"] > 0.9
    before = Counter(row["pair_id"] for row in project.rows("preference_pairs.jsonl"))
    pairs = project.rows("preference_pairs.jsonl")[:30]
    calls = sum(server.calls.values())
    votes = [
        {"comparison_id": row["comparison_id"], "annotator": f"person{n}", "label": label}
        for row in pairs
        for n, label in enumerate(side_of_chosen(project, row) * 2)
    ]
    project.write("people.jsonl", jsonl(votes))
    write_config(project, server, "    - {path: people.jsonl, format: votes, annotator_kind: human}\n")
    project.run("run")
    assert sum(server.calls.values()) == calls  # votes of people cost no call
    assert project.latest("metrics.json")["annotation"]["by_kind"]["human"] == 60
    assert Counter(row["pair_id"] for row in project.rows("preference_pairs.jsonl")) == before
    found = project.ask("show", pairs[0]["pair_id"])
    assert {vote["kind"] for vote in found["annotations"]} >= {"human", "judge"}
    assert all(vote["guideline"] for vote in found["annotations"] if vote["kind"] == "judge")


def side_of_chosen(project: Project, row: Any) -> list[str]:
    with sqlite3.connect(project.path / "ledger.sqlite") as ledger:
        (a,) = ledger.execute("SELECT a FROM comparisons WHERE id = ?", (row["comparison_id"],)).fetchone()
    return ["a" if a == row["chosen_id"] else "b"]


# Section 4: handle conflicting preferences


def voted(number: int, prompt: str, votes: str, **columns: Any) -> list[dict[str, Any]]:
    labels = {"a": "a", "b": "b", "t": "tie", "u": "unsure", "x": "both_bad"}
    return [
        {
            "prompt": prompt,
            "response_a": f"The one answer to question {number}.",
            "response_b": f"Quite another reply, number {number}.",
            "annotator": f"person{voter}",
            "label": labels[vote],
            **columns,
        }
        for voter, vote in enumerate(votes)
    ]


def votes_project(project: Project, cases: Mapping[str, str], more: str = "") -> None:
    rows = [row for number, (prompt, votes) in enumerate(cases.items()) for row in voted(number, prompt, votes)]
    project.write("votes.jsonl", jsonl(rows))
    text = "collect: {sources: [{path: votes.jsonl, format: votes, annotator_kind: human}]}\n"
    project.write("pairsmith.yaml", text + more)


def test_4_conflicts_end_in_a_majority_or_a_named_reason(new_project):
    project = new_project()
    cases = {
        "What is a tide?": ("aab", "kept"),
        "What is bread made of?": ("aabb", "no_majority"),
        "How is glass blown?": ("aabbx", "no_majority"),
        "Why do clocks tick?": ("aaabb", "kept"),  # 60 % is enough
        "Where do maps come from?": ("aaaabbt", "low_agreement"),  # 57 % is not
        "Who built the bridge?": ("uuua", "unsure"),
        "When does winter end?": ("ttta", "tie"),
        "Which violin is best?": ("xxxa", "both_bad"),
    }
    votes_project(project, {prompt: votes for prompt, (votes, _) in cases.items()})
    project.run("run", code=3)
    kept = {row["prompt"][0]["content"]: "kept" for row in project.rows("preference_pairs.jsonl")}
    dropped = {}
    for row in project.rows("dropped.jsonl"):
        found = project.ask("show", row["comparison_id"])
        dropped[found["prompt"]["messages"][0]["content"]] = row["reason"]
    assert kept | dropped == {prompt: outcome for prompt, (_, outcome) in cases.items()}


def test_4_contradictions_and_domains(new_project):
    project = new_project()
    rows = [
        {"prompt": "Is coffee healthy?", "chosen": "Yes, in moderation it is.", "rejected": "No, never drink it."},
        {"prompt": "Is coffee healthy?", "chosen": "No, never drink it.", "rejected": "Yes, in moderation it is."},
        # a domain disagreement: both preferences are right, once the context stands in the prompt
        {"prompt": "You advise adults. Is wine fine?", "chosen": "Yes, a glass.", "rejected": "No, none."},
        {"prompt": "You advise children. Is wine fine?", "chosen": "No, none.", "rejected": "Yes, a glass."},
    ]
    project.write("pairs.jsonl", jsonl(rows))
    project.write("pairsmith.yaml", "collect: {sources: [{path: pairs.jsonl, format: preference}]}\n")
    project.run("run", code=3)
    assert len(project.rows("preference_pairs.jsonl")) == 2
    (dropped,) = project.rows("dropped.jsonl")
    assert dropped["reason"] == "no_majority"  # to be ruled on, or left out
    (found,) = project.latest("metrics.json")["inputs"]
    assert found["warnings"]["reversed_pair"] == 1


def test_4_groups_that_want_opposite_things_get_a_dataset_each(new_project):
    project = new_project()
    cases = {f"What should one know about topic {number * 7919}?": "aabb" for number in range(40)}
    rows = [row for number, (prompt, votes) in enumerate(cases.items()) for row in voted(number, prompt, votes)]
    for row in rows:
        row["annotator"] = ("nurse" if row["label"] == "a" else "patient") + row["annotator"][-1]
    project.write("votes.jsonl", jsonl(rows))
    project.write(
        "pairsmith.yaml",
        "collect: {sources: [{path: votes.jsonl, format: votes, annotator_kind: human}]}\n"
        "resolve: {conflicts: {domains: split_dataset, groups: {nurse: medical staff, patient: patients}}}\n",
    )
    project.run("collect")
    said = project.run("resolve")
    assert "80 kept, 0 dropped" in said
    assert "40 comparisons have a row for each of two opposed groups" in said
    project.run("run", code=3)
    assert len(project.rows("preference_pairs.jsonl")) == 80
    assert not project.rows("dropped.jsonl")
    folders = {path.name for path in (project.path / "builds/latest/domains").iterdir()}
    (named,) = folders - {"patients"}
    assert named.startswith("domain_")  # "medical staff" is no name of a folder
    for folder in folders:
        own = [row for part in ("train", "validation") for row in project.rows(f"domains/{folder}/{part}.jsonl")]
        assert len(own) == 40
        assert len({row["domain"] for row in own}) == 1
        assert len({row["prompt_id"] for row in own}) == 40  # nothing contradicts itself in one dataset


# Section 5: validate preference pairs


def snippet(shared_data: Path) -> str:
    """The Python of section 5, as it stands."""
    text = (shared_data.parent / "workflow.md").read_text(encoding="utf-8")
    section = text.split("### 5. ")[1].split("### 6. ")[0]
    return section.split("```python\n")[1].split("```")[0]


def printed_by(code: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(folder)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(code, "workflow.md", "exec"), {"__name__": "__main__"})
    return out.getvalue()


def test_5_the_snippet_runs_unchanged_on_our_export(walked, shared_data, monkeypatch):
    project, _ = walked
    project.run("export", "--to", str(project.path), "--force")  # beside benchmarks/, where the snippet looks
    printed = printed_by(snippet(shared_data), project.path, monkeypatch)
    metrics = project.latest("metrics.json")
    assert f"Preference Gap: {metrics['gap']['mean']:.4f}" in printed
    assert f"Total Pairs: {metrics['pairs']['total']}" in printed
    assert f"Decontamination: {metrics['decontamination']['value']:.4f}" in printed
    assert "\N{WARNING SIGN}" not in printed


@pytest.mark.parametrize(
    ("fields", "gap"),
    [
        ({"score_chosen": 0.9, "score_rejected": 0.4}, "0.5000"),
        ({"votes": {"chosen": 4, "rejected": 1}}, "0.6000"),
        ({}, "0.0000"),
    ],
    ids=["scores", "votes", "neither"],
)
def test_5_the_snippet_runs_unchanged_on_plain_files(tmp_path, shared_data, monkeypatch, fields, gap):
    rows = [
        {"prompt": f"What is {n}?", "chosen": f"{n} is a number.", "rejected": f"No idea, {n}.", **fields}
        for n in range(9)
    ]
    (tmp_path / "preference_pairs.jsonl").write_text(jsonl(rows), encoding="utf-8")
    printed = printed_by(snippet(shared_data), tmp_path, monkeypatch)
    assert f"Preference Gap: {gap}" in printed
    assert "Total Pairs: 9" in printed
    assert ("gap too low" in printed) == (gap == "0.0000")
    assert "Insufficient pairs" in printed
    assert "Eval contamination detected" in printed  # no benchmarks: what is not evaluated does not pass


# Section 6: create data splits


def test_6_parts_are_stratified_and_share_no_similar_prompts(walked):
    project, _ = walked
    rows = project.rows("preference_pairs.jsonl")
    parts = Counter(row["part"] for row in rows)
    assert parts["train"] >= 800
    assert parts["validation"] >= 200
    assert 0.77 <= parts["train"] / len(rows) <= 0.83
    by_category: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        by_category[row["category"]][row["part"]] += 1
    large = {name: count for name, count in by_category.items() if sum(count.values()) >= 10}
    assert len(large) > 30
    assert not [name for name, count in large.items() if not 0.5 < count["train"] / sum(count.values()) < 1.0]
    grams = {part: [trigrams(row) for row in rows if row["part"] == part] for part in parts}
    assert not [
        1 for one in grams["validation"] for other in grams["train"] if len(one & other) >= 0.8 * len(one | other)
    ]


def trigrams(row: Any) -> frozenset[tuple[str, ...]]:
    words = " ".join(turn["content"] for turn in row["prompt"]).lower().split()
    return frozenset(zip(*(words[start:] for start in range(min(3, len(words)))), strict=False))


# Section 7: format and save data


def examples(shared_data: Path) -> list[str]:
    """The two lines of section 7."""
    section = (shared_data.parent / "workflow.md").read_text(encoding="utf-8").split("### 7. ")[1]
    return [line for line in section.split("```jsonl\n")[1].split("\n") if line.startswith('{"prompt"')][:2]


def test_7_the_documents_own_lines_are_read_and_written(new_project, shared_data):
    lines = examples(shared_data)
    assert len(lines) == 2
    project = new_project()
    project.write("pairs.jsonl", "\n".join(lines) + "\n")
    project.write(
        "pairsmith.yaml",
        "collect: {sources: [{path: pairs.jsonl, format: preference}]}\nexport: {shape: standard}\n",
    )
    project.run("run", code=3)
    wanted = sorted((json.loads(line) for line in lines), key=lambda row: row["prompt"])
    found = sorted(project.rows("preference_pairs.jsonl"), key=lambda row: row["prompt"])
    assert [{key: row[key] for key in ("prompt", "chosen", "rejected")} for row in found] == wanted
    assert [list(row)[:3] for row in found] == [["prompt", "chosen", "rejected"]] * 2
    again = new_project("again")  # what was written is read back
    shutil.copyfile(project.path / "builds/latest/preference_pairs.jsonl", again.path / "pairs.jsonl")
    shutil.copyfile(project.path / "pairsmith.yaml", again.path / "pairsmith.yaml")
    again.run("run", code=3)
    texts = [[row[key] for key in ("prompt", "chosen", "rejected")] for row in found]
    rows = sorted(again.rows("preference_pairs.jsonl"), key=lambda row: row["prompt"])
    assert [[row[key] for key in ("prompt", "chosen", "rejected")] for row in rows] == texts


# Outputs


def test_outputs(walked):
    project, _ = walked
    files = project.build_bytes()
    assert set(files) >= {
        "train.jsonl",
        "validation.jsonl",
        "preference_pairs.jsonl",
        "dropped.jsonl",
        "metrics.json",
        "gate.json",
        "report.html",
        "README.md",
        "manifest.json",
    }
    for name in ("train.jsonl", "validation.jsonl", "preference_pairs.jsonl"):
        for line in files[name].decode("utf-8").splitlines():
            row = json.loads(line)
            assert all(turn["content"].strip() for key in ("prompt", "chosen", "rejected") for turn in row[key])
    page = files["report.html"].decode("utf-8")
    for word in ("quality matrix", "decontamination", "category", "agreement"):
        assert word in page.lower()


# The quality gate


def test_the_gate_passes_at_the_thresholds_of_the_workflow(walked):
    project, _ = walked
    verdict = project.ask("gate")
    assert verdict["passed"]
    assert {each["name"]: each["threshold"] for each in verdict["criteria"]} == {
        "gap": 0.15,
        "pairs": 1000,
        "decontamination": 0.9,
        "splits_created": True,
        "format_validated": True,
    }


TOPICS = ("a tide", "bread", "glass", "a clock", "a map", "winter", "a violin", "salt", "rust", "wool", "ink", "a lens")


def failing(project: Project, *overrides: str) -> dict[str, str]:
    """The remedy of every criterion that does not pass."""
    words = [word for override in overrides for word in ("--set", override)]
    project.run("build", *words)
    verdict = project.latest("gate.json")
    assert all(each["remedy"] for each in verdict["criteria"] if each["state"] != "pass")
    return {each["name"]: each["remedy"] for each in verdict["criteria"] if each["state"] != "pass"}


@pytest.fixture
def small(new_project, shared_data) -> Project:
    """Twelve prompts, half of them with a clear preference, and a gate it passes."""
    project: Project = new_project()
    cases = {f"What is known about {topic}?": "aaaaa" if n % 2 else "aaabb" for n, topic in enumerate(TOPICS)}
    more = "gate: {min_pairs: 6, min_gap: 0.5}\nvalidate: {benchmarks: [known.jsonl]}\n"
    votes_project(project, cases, more)
    project.write("known.jsonl", jsonl([{"question": "A question that nobody asked here, is it?", "answer": "1"}]))
    project.run("run")
    return project


def test_a_gap_too_small_and_its_remedy(small):
    remedies = failing(small, "gate.min_gap=0.7")
    assert set(remedies) == {"gap"}
    assert "validate.min_level" in remedies["gap"]
    assert failing(small, "gate.min_gap=0.7", "validate.min_level=good") == {}


def test_too_few_pairs_and_their_remedy(small):
    assert set(failing(small, "gate.min_pairs=13")) == {"pairs"}
    rows = (small.path / "votes.jsonl").read_text() + jsonl(voted(99, "Who first wrote an opera?", "aaaaa"))
    small.write("votes.jsonl", rows)
    small.run("collect")
    assert failing(small, "gate.min_pairs=13") == {}


def test_contamination_and_its_remedy(small):
    questions = [f"What is known about {topic}?" for topic in TOPICS[:3]]
    small.write("known.jsonl", jsonl([{"question": question, "answer": "1"} for question in questions]))
    remedies = failing(small, "validate.contaminated=flag")
    assert set(remedies) == {"decontamination"}
    assert "validate.contaminated to drop" in remedies["decontamination"]
    assert failing(small, "validate.contaminated=drop") == {}
    assert Counter(row["reason"] for row in small.rows("dropped.jsonl")) == {"contaminated": 3}
    remedies = failing(small, "validate.benchmarks=[]")
    assert "benchmarks/" in remedies["decontamination"]  # not evaluated is another case, with another remedy


def test_no_split_and_its_remedy(new_project):
    project = new_project()
    votes_project(project, {"What is a tide?": "aaaaa"}, "gate: {min_pairs: 1}\n")
    project.run("collect")
    remedies = failing(project)
    assert "prompts that differ more" in remedies["splits_created"]
    votes_project(project, {f"What is known about {topic}?": "aaaaa" for topic in TOPICS}, "gate: {min_pairs: 1}\n")
    project.run("collect")
    assert set(failing(project)) == {"decontamination"}


def test_a_format_that_cannot_be_written_and_its_remedy(new_project):
    project = new_project()
    turns = [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Hello!"}]
    rows = [
        {
            "prompt": [*turns, {"role": "user", "content": f"What is known about {topic}?"}],
            "chosen": [{"role": "assistant", "content": f"Much, about {topic}."}],
            "rejected": [{"role": "assistant", "content": "Nothing."}],
        }
        for topic in TOPICS
    ]
    project.write("pairs.jsonl", jsonl(rows))
    project.write(
        "pairsmith.yaml", "collect: {sources: [{path: pairs.jsonl, format: preference}]}\ngate: {min_pairs: 1}\n"
    )
    project.run("collect")
    remedies = failing(project, "export.shape=standard")
    assert "dropped.jsonl" in remedies["format_validated"]
    reasons = {row["reason"] for row in project.rows("dropped.jsonl")}
    assert len(reasons) == 1
    assert "format_validated" not in failing(project, "export.shape=conversational")


# The quality matrix


@pytest.mark.parametrize(
    ("gap", "agreement", "level"),
    [
        (0.30, 0.90, "excellent"),
        (0.2999, 0.90, "good"),
        (0.30, 0.8999, "good"),
        (0.15, 0.70, "good"),
        (0.1499, 0.70, "marginal"),
        (0.15, 0.6999, "marginal"),
        (0.10, 0.50, "marginal"),
        (0.0999, 0.50, "poor"),
        (0.10, 0.4999, "poor"),
        (2 * 0.575 - 1, 0.9, "good"),  # 0.15 in decimal, a little less in binary
        (None, 0.9, "not_evaluated"),
        (0.3, None, "not_evaluated"),
    ],
)
def test_levels_at_their_exact_boundaries(gap, agreement, level):
    assert quality_level(gap, agreement) == level


def test_levels_of_pairs_by_their_votes(new_project):
    project = new_project()
    cases = {
        "What is a tide?": ("a" * 9 + "b", "excellent"),  # 90 %, gap 0.8
        "What is salt?": ("a" * 8 + "bb", "good"),
        "What is rust?": ("a" * 7 + "bbb", "good"),  # 70 %, gap 0.4
        "What is wool?": ("a" * 13 + "b" * 7, "marginal"),  # 65 %
        "What is ink?": ("a" * 6 + "b" * 4, "marginal"),  # gap 0.2
        "What is a lens?": ("aaab" + "t" * 3, None),  # 43 %: discarded
    }
    votes_project(project, {prompt: votes for prompt, (votes, _) in cases.items()}, "validate: {min_level: poor}\n")
    project.run("run", code=3)
    levels = {row["prompt"][0]["content"]: row["level"] for row in project.rows("preference_pairs.jsonl")}
    assert levels == {prompt: level for prompt, (_, level) in cases.items() if level}
