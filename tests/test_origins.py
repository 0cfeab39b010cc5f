"""What is told about augmented pairs: share, label accuracy against people, and whether they give themselves away."""

import numpy as np

from pairsmith.config import parse_config
from pairsmith.pipeline.deriving import derive
from pairsmith.pipeline.facts import Facts
from pairsmith.pipeline.gate import gate_document
from pairsmith.records import Annotation, Candidate, Comparison, Label, Message, Origin, Prompt, Ruling
from pairsmith.report.html import render_report

DATASET = dict.fromkeys(("name", "seed", "ledger_position", "code_version", "config_sha256"), "")
CONFIG = parse_config("runtime: {workers: 1}")
RNG = np.random.default_rng(4)
TEXTS = [" ".join(f"w{word}" for word in RNG.integers(0, 300, 20)) for _ in range(600)]


def facts(count: int = 60, trace: str = "", people_agree: int = 30) -> Facts:
    """Half the prompts compare two samples, half an edit with its original; judges prefer the edit."""
    prompts, candidates, comparisons, votes = [], [], [], []
    for number in range(2 * count):
        prompt = Prompt.of([Message("user", TEXTS[3 * number])])
        text, other = TEXTS[3 * number + 1], TEXTS[3 * number + 2]
        augmented = number % 2 == 0
        one = Candidate(Candidate.asked_id(prompt.id, "m", {}, 0), prompt.id, text, model="m")
        origin: Origin = "edited" if augmented else "model"
        two = Candidate(
            Candidate.asked_id(prompt.id, "m", {}, 1, origin), prompt.id, other + (trace if augmented else ""), "m",
            origin=origin, sample=1, params={"of": one.id} if augmented else {},
        )  # fmt: skip
        comparison = Comparison.of(one, two)
        better: Label = "a" if comparison.a == two.id else "b"
        if not augmented and number % 4 == 1:
            better = "b" if better == "a" else "a"
        votes += [Annotation.of(comparison.id, f"judge:{name}", "judge", better) for name in "xy"]
        if number < people_agree:
            worse: Label = "b" if better == "a" else "a"
            votes.append(Annotation.of(comparison.id, "ann", "human", better if number % 3 else worse))
        prompts.append(prompt)
        candidates += [one, two]
        comparisons.append(comparison)
    by_id = {each.id: each for each in candidates}
    return Facts(1, tuple(prompts), by_id, tuple(comparisons), (), tuple(votes), (), (), ())


def test_label_accuracy_is_what_people_confirm():
    generation = derive(CONFIG, facts(), [], DATASET).metrics["generation"]
    accuracy = generation["augmentation"]["label_accuracy"]
    assert (accuracy["augmented"]["n"], accuracy["sampled"]["n"]) == (15, 15)
    assert accuracy["augmented"]["value"] == accuracy["sampled"]["value"] == 10 / 15
    by_origin = {each["name"]: each for each in generation["origins"]}
    assert by_origin["edited"]["augmented"]
    assert by_origin["edited"]["label_accuracy"]["n"] == 15
    assert by_origin["model"]["label_accuracy"]["n"] == 30


def test_a_ruling_stands_above_votes_and_without_people_nothing_is_said():
    known = facts(people_agree=0)
    accuracy = derive(CONFIG, known, [], DATASET).metrics["generation"]["augmentation"]["label_accuracy"]
    assert accuracy["augmented"]["value"] is None
    assert "have people vote" in accuracy["augmented"]["reason"]
    first = next(vote for vote in known.annotations if vote.comparison_id == known.comparisons[0].id)
    ruled = Facts(**{name: getattr(known, name) for name in Facts.__dataclass_fields__} | {
        "rulings": (Ruling.of(first.comparison_id, first.label, "lead", "spot check"),)
    })  # fmt: skip
    accuracy = derive(CONFIG, ruled, [], DATASET).metrics["generation"]["augmentation"]["label_accuracy"]
    assert (accuracy["augmented"]["value"], accuracy["augmented"]["n"]) == (1.0, 1)


def test_a_trace_of_augmentation_is_warned_about_on_the_report():
    quiet = derive(CONFIG, facts(people_agree=0), [], DATASET)
    assert quiet.metrics["generation"]["augmentation"]["warnings"] == []
    loud = derive(CONFIG, facts(trace=" I hope this helps!", people_agree=0), [], DATASET)
    augmentation = loud.metrics["generation"]["augmentation"]
    assert augmentation["kept_pairs"]["value"] == 0.5
    assert augmentation["artefact_probe"]["augmented"]["value"] > 0.9
    (warning,) = augmentation["warnings"]
    assert "lower the share of augmented pairs" in warning
    page = render_report(loud.metrics, gate_document(loud.gate))
    assert "the augmentation leaves a trace" in page
    assert "Artefact probe, sampled pairs" in page
