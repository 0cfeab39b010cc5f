"""Votes of a real crowd become labels that agree with the gold better than counting; planted conflicts all come out."""

import gzip
import json
import random
import shutil
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pairsmith.ledger import Ledger
from pairsmith.measures.conflicts import CONFLICT_KINDS
from pairsmith.records import Candidate, Comparison
from tests.planted import Data, simulate

pytestmark = pytest.mark.slow

UKP_CONFIG = """version: 1
name: ukp
seed: 1
collect: {sources: [{path: full-XML, format: ukp, licence: CC-BY-4.0}]}
resolve:
  method: auto
  conflicts: {both_ways: keep, cycles: keep, contradictory: keep}
"""


def gold_labels(folder: Path) -> dict[tuple[str, str], str]:
    """The gold label of each pair of arguments, by their numbers: the winner's number, or `equal`."""
    labels = {}
    for path in sorted(folder.iterdir()):
        for pair in ET.fromstring(gzip.decompress(path.read_bytes())):  # our own shared data
            one, other = (pair.findtext(f"{name}/id", "") for name in ("arg1", "arg2"))
            gold = pair.findtext("goldLabel", "")
            labels[one, other] = {"a1": one, "a2": other}.get(gold, gold)
    return labels


def agreement_with_gold(project: Any, gold: dict[tuple[str, str], str]) -> tuple[float, Counter[str]]:
    """Share of all pairs whose label equals the gold label (undecided where there is none), and reasons for drops."""
    with Ledger.open(project.path / "ledger.sqlite") as ledger:
        models = {candidate.id: candidate.model for candidate in ledger.read(Candidate)}
        sides = {each.id: (models[each.a], models[each.b]) for each in ledger.read(Comparison)}
    said = {}
    for row in project.rows("resolve/resolutions.jsonl"):
        said[row["comparison_id"]] = sides[row["comparison_id"]][0 if row["winner"] == "a" else 1]
    dropped = [row for row in project.rows("dropped.jsonl") if row["stage"] == "resolve"]
    said |= {row["id"]: "equal" for row in dropped if row["reason"] == "tie"}
    gold_of = {frozenset(pair): label for pair, label in gold.items()}
    hits = sum(
        said.get(name) == gold_of[frozenset(pair)] if gold_of[frozenset(pair)] else name not in said
        for name, pair in sides.items()
    )
    return hits / len(sides), Counter(row["reason"] for row in dropped)


def test_a_crowd_of_3678_agrees_with_the_gold_better_than_counting(new_project, shared_data):
    source = shared_data / "preferences/ukpconvarg1/full-XML"
    gold = gold_labels(source)
    project = new_project("ukp")
    shutil.copytree(source, project.path / "full-XML")
    project.write("pairsmith.yaml", UKP_CONFIG)
    project.run("run", code=3)  # without benchmarks nothing passes
    metrics = project.latest("metrics.json")
    assert metrics["consensus"]["method"] == "map"
    assert "votes per rater" in metrics["consensus"]["why"]
    assert metrics["consensus"]["against_majority"]["newly_decided"] == 1758
    assert metrics["annotation"]["label_accuracy"]["kind"] == "posterior"

    modelled, reasons = agreement_with_gold(project, gold)
    assert set(reasons) <= {"tie", "low_confidence"}
    # what the model is not sure enough of waits for a ruling, every one of it
    waiting = Counter(row["why"] for row in project.rows("queue.jsonl"))
    assert waiting["low_confidence"] == reasons["low_confidence"]
    assert all(row["votes_needed"] >= 1 and row["votes"] for row in project.rows("queue.jsonl"))
    resolutions = project.rows("resolve/resolutions.jsonl")
    assert all(0.5 <= row["confidence"] <= 1 and row["confidence_kind"] == "posterior" for row in resolutions)

    project.run("build", "--set", "resolve.min_confidence=0")
    everything, reasons = agreement_with_gold(project, gold)
    assert set(reasons) == {"tie"}  # nothing is undecided
    assert len(project.rows("resolve/resolutions.jsonl")) + reasons["tie"] == 10_106

    project.run("build", "--set", "resolve.method=majority", "--set", "resolve.min_agreement=0")
    counted, _ = agreement_with_gold(project, gold)
    assert counted == pytest.approx(0.809, abs=1e-3)
    assert modelled >= counted + 0.03
    assert everything >= counted + 0.03


WORDS = [f"{first}{middle}{last}" for first in "bdfgklmn" for middle in "aeiou" for last in ("ra", "so", "ti", "lu")]


POLITE = ("please", "kindly", "now", "today")


def sentence(rng: random.Random, length: int) -> str:
    return " ".join(rng.choices(WORDS, k=length))


def vote_row(prompt: str, texts: tuple[str, str], models: tuple[str, str], first: str, **vote: Any) -> dict[str, Any]:
    """A vote on two texts whose canonical sides are `a` and `b`, shown with `first` on the left."""
    order = (0, 1) if first == "a" else (1, 0)
    label = vote.pop("label")
    if label in ("a", "b"):
        label = "a" if label == first else "b"
    shown = {f"response_{'ab'[place]}": texts[side] for place, side in enumerate(order)}
    named = {f"model_{'ab'[place]}": models[side] for place, side in enumerate(order)}
    return {"prompt": prompt, **shown, **named, "preference": label, "shown_first": "a", **vote}


def planted_rows(data: Data) -> Iterator[dict[str, Any]]:
    """The planted data as votes on texts."""
    rng = random.Random(5)
    texts: dict[str, tuple[str, tuple[str, str]]] = {}
    sizes = {"a": (24, 12), "b": (12, 24)}
    for vote in [*data.votes, *data.decided]:
        if vote.item not in texts:
            lengths = sizes[data.longer.get(vote.item, "a")]
            texts[vote.item] = sentence(rng, 14), (sentence(rng, lengths[0]), sentence(rng, lengths[1]))
    for vote, seconds in zip(data.votes, data.seconds, strict=True):
        prompt, sides = texts[vote.item]
        yield vote_row(
            prompt,
            sides,
            ("alpha", "beta"),
            vote.shown_first or "a",
            label=vote.label,
            annotator=vote.annotator,
            seconds=seconds,
            category=data.categories[vote.item],
        )
    for vote in data.decided:
        prompt, sides = texts[vote.item]
        first = rng.choice("ab")
        yield vote_row(prompt, sides, ("alpha", "beta"), first, label=vote.label, annotator=vote.annotator)
    prompts = {each.prompt: sentence(rng, 14) for each in data.preferences}
    answers = {name: sentence(rng, 18) for each in data.preferences for name in (each.winner, each.loser)}
    for each in data.preferences:
        # a preference against the ranking comes from other samples of the same models with the same texts
        against = each.winner > each.loser
        models = tuple(f"{'again' if against else 'model'}-{name[-1]}" for name in sorted((each.winner, each.loser)))
        texts_of = tuple(answers[name] for name in sorted((each.winner, each.loser)))
        for voter in range(int(each.weight)):
            label = "b" if against else "a"
            first = rng.choice("ab")
            yield vote_row(prompts[each.prompt], texts_of, models, first, label=label, annotator=f"ranker{voter}")  # type: ignore[arg-type]
    for example in data.examples:
        chosen_is_a = rng.random() < 0.5
        pair = (example.chosen, example.rejected) if chosen_is_a else (example.rejected, example.chosen)
        label = "a" if chosen_is_a else "b"
        near = f"{example.prompt} {POLITE[int(example.id.rpartition('-')[2])]}"  # the same prompt would be one prompt
        yield vote_row(near, pair, ("alpha", "beta"), "a", label=label, annotator="writer")


def test_every_planted_conflict_is_found_with_its_evidence(new_project):
    data = simulate(1000, planted=True)
    project = new_project("planted")
    project.write("votes.jsonl", "".join(json.dumps(row) + "\n" for row in planted_rows(data)))
    groups = json.dumps(data.groups)
    project.write(
        "pairsmith.yaml",
        "name: planted\ncollect: {sources: [{path: votes.jsonl, format: votes, annotator_kind: human}]}\n"
        f"resolve: {{exclude_anomalous: true, conflicts: {{groups: {groups}, domains: split_dataset}}}}\n",
    )
    project.run("run", code=3)
    conflicts = project.rows("conflicts.jsonl")
    found = Counter(each["kind"] for each in conflicts)
    assert set(found) == set(CONFLICT_KINDS)
    assert all(each["evidence"] and each["subjects"] and each["action"] for each in conflicts)
    for kind in ("flipped_annotator", "position_only", "length_only", "constant_answer", "colluding_pair"):
        assert {tuple(each["subjects"]) for each in conflicts if each["kind"] == kind} == data.planted[kind]
    assert {("hasty",)} == {tuple(each["subjects"]) for each in conflicts if each["kind"] == "too_fast"}
    contested = next(each for each in conflicts if each["kind"] == "group_disagreement")
    assert tuple(contested["subjects"]) in data.planted["group_disagreement"]
    for kind in ("both_ways", "contradictory"):
        assert found[kind] == len(data.planted[kind])
    assert found["cycle"] == len(data.planted["cycle"])

    metrics = project.latest("metrics.json")
    assert {kind: row["found"] for kind, row in metrics["conflicts"].items()} == dict(found)
    assert all(
        row["found"] == row["resolved"] + row["queued"] + row["reported"] for row in metrics["conflicts"].values()
    )
    assert metrics["annotation"]["excluded"]["annotators"].keys() >= {"flipped", "first", "lengthy", "constant"}
    assert metrics["pairs"]["contradictory"] == 0  # nothing is left for `validate` to find
    queue = project.rows("queue.jsonl")
    assert len(queue) == metrics["queue"]["total"] == sum(step["queued"] for step in metrics["funnel"])
    dropped = {row["id"] for row in project.rows("dropped.jsonl")}
    assert {row["comparison_id"] for row in queue} <= dropped
    domains = Counter(row["domain"] for row in project.rows("preference_pairs.jsonl"))
    assert set(data.groups.values()) <= set(domains)
    assert domains[""] > sum(count for name, count in domains.items() if name)
