"""Annotated data sets that exist already: PandaLM's three annotators, HH-RLHF's transcripts."""

import gzip
import json
import shutil

import pytest

pytestmark = pytest.mark.slow


def test_pandalm_agreement_is_the_published_one(new_project, shared_data):
    project = new_project()
    shutil.copy(shared_data / "preferences/pandalm/testset-v1.json", project.path)
    project.write(
        "pairsmith.yaml",
        "name: pandalm\ncollect: {sources: [{path: testset-v1.json, format: pandalm, licence: Apache-2.0}]}\n",
    )
    project.run("run", code=3)  # no benchmarks were given: not evaluated never passes
    annotation = project.latest("metrics.json")["annotation"]
    reference = json.loads((shared_data / "REFERENCE.json").read_text())["pandalm"]
    assert annotation["votes"] == 3 * reference["pairs"]
    assert annotation["fleiss_kappa"]["value"] == pytest.approx(reference["fleiss_kappa"], abs=1e-3)
    assert annotation["krippendorff_alpha"]["value"] == pytest.approx(reference["krippendorff_alpha_nominal"], abs=1e-3)
    states = {each["name"]: each["state"] for each in project.latest("gate.json")["criteria"]}
    assert states["decontamination"] == "not_evaluated"
    assert states["gap"] == "pass"


def test_hh_rlhf_loses_and_invents_no_row(new_project, shared_data):
    project = new_project()
    (source,) = (shared_data / "preferences/hh_rlhf").glob("*.jsonl*")
    shutil.copy(source, project.path)
    text = f"name: hh\ncollect: {{sources: [{{path: {source.name}, format: hh, licence: MIT}}]}}\n"
    project.write("pairsmith.yaml", text)
    done = project.ask("run", code=3)
    opened = gzip.open(source) if source.name.endswith(".gz") else source.open("rb")
    with opened as file:
        rows = sum(1 for line in file if line.strip())
    assert rows == 1410
    (intake,) = project.latest("metrics.json")["inputs"]
    assert (intake["rows"], intake["good"] + intake["rejected"]) == (rows, rows)
    pairs, dropped = project.rows("preference_pairs.jsonl"), project.rows("dropped.jsonl")
    votes = project.latest("metrics.json")["annotation"]["votes"]
    comparisons = next(step["count"] for step in project.latest("metrics.json")["funnel"] if step["step"] == "comparisons")
    assert comparisons + intake["rejected"] == len(pairs) + len(dropped)
    assert votes <= intake["good"]
    gap = next(each for each in done["gate"]["criteria"] if each["name"] == "gap")
    assert gap["state"] == "not_evaluated"  # a label without votes says nothing about how much better
