"""`pairsmith fit` from the ledger to a file, and what its votes are allowed to do."""

import asyncio
import json
import random
from pathlib import Path

import pytest

from pairsmith.cli.main import run
from pairsmith.config import parse_config
from pairsmith.errors import UsageError
from pairsmith.ledger import LEDGER_FILE, Ledger
from pairsmith.models.fitted_files import ID_END, SHIPPED, find_scorer, read_scorer
from pairsmith.pipeline.collecting import run_annotate
from pairsmith.pipeline.deriving import derive
from pairsmith.pipeline.facts import read_facts
from pairsmith.pipeline.fitting import FitOptions, fit_scorer, measure_scorer
from pairsmith.pipeline.gate import gate
from pairsmith.pipeline.labelled import labelled_pairs
from pairsmith.records import (
    Annotation,
    AnnotatorKind,
    Candidate,
    Comparison,
    Label,
    Message,
    Prompt,
    Ruling,
    flip,
)

DATASET = dict.fromkeys(("name", "seed", "ledger_position", "code_version", "config_sha256"), "")
WORDS = ("apple", "river", "stone", "cloud", "house", "music", "light", "paper", "green", "table")


def candidate(prompt: Prompt, text: str, sample: int) -> Candidate:
    return Candidate(Candidate.asked_id(prompt.id, "m", {}, sample), prompt.id, text, model="m", sample=sample)


def fill(
    ledger: Ledger, prompts: int = 60, *, kind: AnnotatorKind = "human", wrong: float = 0.15, seed: int = 0
) -> None:
    """People like answers with a question mark, whatever their length, and err now and then."""
    luck = random.Random(seed)
    for number in range(prompts):
        prompt = Prompt.of([Message("user", f"Tell me about {luck.choice(WORDS)} {number}.")], licence="CC0-1.0")
        texts = [" ".join(luck.choices(WORDS, k=luck.randint(5, 40))) + mark for mark in (".", "? ?")]
        luck.shuffle(texts)
        one, other = (candidate(prompt, text, sample) for sample, text in enumerate(texts))
        comparison = Comparison.of(one, other)
        asks = {each.id: "?" in each.text for each in (one, other)}
        right: Label = "a" if asks[comparison.a] else "b"
        label = flip(right) if luck.random() < wrong else right
        vote = Annotation.of(comparison.id, "ann", kind, label, criteria={"honesty": right})
        ledger.append([prompt, one, other, comparison, vote])


@pytest.fixture
def ledger(tmp_path: Path):
    (tmp_path / "pairsmith.yaml").write_text("runtime: {workers: 1}\n")
    with Ledger.open(tmp_path / LEDGER_FILE) as opened:
        yield opened


def config(annotators: str = ""):
    return parse_config(f"annotate: {{annotators: [{annotators}]}}\nruntime: {{workers: 1}}\n")


def test_the_last_vote_of_each_annotator_counts_and_rulings_stand_above(ledger):
    prompt = Prompt.of([Message("user", "?")])
    one, other, broken = (candidate(prompt, text, sample) for sample, text in enumerate(["x", "y", ""]))
    broken = Candidate(broken.id, prompt.id, "", model="m", sample=2, error="no answer")
    pairs = [Comparison.of(one, other), Comparison.of(one, broken)]
    first = pairs[0].id
    ledger.append([prompt, one, other, broken, *pairs])
    ledger.append(
        [
            Annotation.of(first, "ann", "human", "a"),
            Annotation.of(first, "ann", "human", "tie", revision=1),
            Annotation.of(first, "bob", "human", "b"),
            Annotation.of(first, "eve", "human", "unsure"),
            Annotation.of(first, "gpt", "judge", "a"),
            Annotation.of(pairs[1].id, "ann", "human", "a"),
        ]
    )
    labelled = labelled_pairs(ledger)
    assert labelled.votes.tolist() == [[0.0, 0.5, 0.5]]
    assert labelled.cast == 2
    assert labelled_pairs(ledger, kinds=("judge",)).votes.tolist() == [[1.0, 0.0, 0.0]]
    assert labelled_pairs(ledger, "honesty").pairs == ()
    ledger.append([Ruling.of(first, "a", "boss", "seen")])
    assert labelled_pairs(ledger).votes.tolist() == [[1.0, 0.0, 0.0]]


def test_fit_writes_a_head_that_is_as_good_as_the_votes_allow(ledger, tmp_path):
    fill(ledger)
    fitted = fit_scorer(tmp_path, config(), ledger, FitOptions())
    assert fitted.path == tmp_path / "scorers" / "overall.json"
    assert read_scorer(fitted.path) == fitted.file
    figures = fitted.file.figures
    assert figures["accuracy"]["value"] == pytest.approx(0.85, abs=0.08)
    assert (figures["pairs"], fitted.file.level, figures["verdict"]) == (60, "warn", "better")
    assert fitted.file.data["licences"] == ["CC0-1.0"]
    assert set(fitted.shipped) == set(SHIPPED)
    again = fit_scorer(tmp_path, config(), ledger, FitOptions())
    assert again.replaced
    assert again.file == fitted.file


def test_a_criterion_has_a_head_of_its_own(ledger, tmp_path):
    fill(ledger)
    fitted = fit_scorer(tmp_path, config(), ledger, FitOptions(criterion="honesty"))
    assert fitted.path.stem == fitted.file.criterion == "honesty"
    assert fitted.file.figures["accuracy"]["value"] > 0.95  # those votes never err


def test_what_it_says_of_its_own_votes_is_held_out(ledger, tmp_path):
    """Pure noise can be learned by heart, and a head that had seen the votes would seem to agree with them."""
    fill(ledger, 80, wrong=0.5)
    fit_scorer(tmp_path, config(), ledger, FitOptions(features=("surface", "manner")))
    measured = measure_scorer(tmp_path, config(), ledger, "overall", FitOptions())
    assert measured["accuracy"]["value"] < 0.65
    assert measured["verdict"] == "no better than chance"
    progress = asyncio.run(run_annotate(tmp_path, config("{kind: fitted, model: overall}"), ledger))
    votes = {vote.comparison_id: vote for vote in ledger.read(Annotation) if vote.kind == "reward"}
    said = {vote.comparison_id: vote.label for vote in ledger.read(Annotation) if vote.kind == "human"}
    agree = [(vote.criteria["p"] > 0.5) == (said[comparison] == "a") for comparison, vote in votes.items()]
    assert len(agree) == 80
    assert sum(agree) / 80 == pytest.approx(measured["accuracy"]["value"])
    assert any("no better than chance" in note for note in progress.notes)


def test_a_head_that_ships_is_not_measured_on_what_trained_it(ledger, tmp_path):
    fill(ledger)
    file = fit_scorer(tmp_path, config(), ledger, FitOptions()).file
    known = sorted(prompt.id[-ID_END:] for prompt in ledger.read(Prompt))
    shipped = file.model_copy(update={"name": "head", "demonstration": True, "folds": [], "trained_on": known[:20]})
    (tmp_path / "scorers" / "head.json").write_bytes(shipped.to_json())
    measured = measure_scorer(tmp_path, config(), ledger, "head", FitOptions())
    assert (measured["pairs"], measured["trained_on_pairs"]) == (40, 20)


@pytest.mark.parametrize(
    ("prompts", "options", "said"),
    [
        (49, FitOptions(), "49 pairs are decided by votes of kind human on overall, and 50 are needed"),
        (60, FitOptions(criterion="harmlessness"), "0 pairs are decided"),
        (60, FitOptions(kinds=("imported",)), "50 warn, 200 usable, 400 good"),
    ],
)
def test_too_few_votes_are_refused_before_any_work(ledger, tmp_path, prompts, options, said):
    fill(ledger, prompts)
    with pytest.raises(UsageError, match=said):
        fit_scorer(tmp_path, config(), ledger, options)
    assert not (tmp_path / "scorers").exists()
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    "options",
    [
        {"criterion": "beauty"},
        {"name": "helpful-v0"},
        {"name": "../x"},
        {"features": ()},
        {"kinds": ()},
        {"features": ("bert",)},
        {"kinds": ("humans",)},
    ],
)
def test_options_that_mean_nothing(options):
    with pytest.raises(UsageError):
        FitOptions(**options)


def test_many_votes_on_few_prompts_cannot_be_measured(ledger, tmp_path):
    prompt = Prompt.of([Message("user", "?")])
    sides = [candidate(prompt, f"text {number}", number) for number in range(12)]
    pairs = [Comparison.of(one, other) for place, one in enumerate(sides) for other in sides[:place]]
    ledger.append([prompt, *sides, *pairs, *(Annotation.of(pair.id, "ann", "human", "a") for pair in pairs)])
    with pytest.raises(UsageError, match="only 1 prompts"):
        fit_scorer(tmp_path, config(), ledger, FitOptions())


def judged_by_scorers_alone(ledger, tmp_path, names):
    """A project of candidates without any vote, annotated by fitted heads, through to its gate."""
    for number in range(20):
        prompt = Prompt.of([Message("user", f"Explain {WORDS[number % 10]} number {number} to me, please.")])
        texts = [f"It is {WORDS[number % 10]}.", f"Well, {WORDS[number % 10]} is made of many parts, and so on and on."]
        ledger.append([prompt, *(candidate(prompt, text, sample) for sample, text in enumerate(texts))])
    cfg = config(", ".join(f"{{kind: fitted, model: {name}, min_confidence: 0.5}}" for name in names))
    progress = asyncio.run(run_annotate(tmp_path, cfg, ledger))
    assert progress.failed == 0
    return progress, derive(cfg, read_facts(ledger), [], DATASET)


@pytest.mark.parametrize("level", ["demonstration", "warn"])
def test_a_head_that_proved_nothing_here_never_satisfies_the_gate(tmp_path, level):
    (tmp_path / "one").mkdir()
    with Ledger.open(tmp_path / "one" / LEDGER_FILE) as labelled:
        fill(labelled)
        file = fit_scorer(tmp_path, config(), labelled, FitOptions()).file
    assert file.level == "warn"
    changes = {"name": "head", "folds": []} | ({"demonstration": True, "level": "good"} if level != "warn" else {})
    (tmp_path / "scorers" / "head.json").write_bytes(file.model_copy(update=changes).to_json())
    with Ledger.open(tmp_path / LEDGER_FILE) as ledger:
        _, derived = judged_by_scorers_alone(ledger, tmp_path, ["head"])
    assert {each.gap_kind for each in derived.resolved.kept} == {"reward_uncalibrated"}
    report = gate(config().gate, derived.metrics)
    assert [each.state for each in report.criteria if each.name == "gap"] == ["not_evaluated"]
    assert not report.passed


def test_the_shipped_heads_together_never_satisfy_the_gate(ledger, tmp_path):
    for module in ("onnxruntime", "tokenizers"):
        pytest.importorskip(module)
    progress, derived = judged_by_scorers_alone(ledger, tmp_path, ["helpful-v0"])
    assert any("demonstration" in note for note in progress.notes)
    assert {each.gap_kind for each in derived.resolved.kept} == {"reward_uncalibrated"}
    assert not gate(config().gate, derived.metrics).passed


def shown(capsys, *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        run(arguments)
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


def test_the_verb_says_what_the_head_is_worth(ledger, tmp_path, capsys):
    fill(ledger)
    code, text, _ = shown(capsys, "-C", str(tmp_path), "fit", "mine", "--features", "surface")
    assert code == 0
    for words in ("accuracy", "length only", "random", "length-balanced", "calibration error", "WARNING", "25:"):
        assert words in text
    assert "harmless-v0 (a demonstration)" in text
    assert "{kind: fitted, model: mine}" in text
    code, text, _ = shown(capsys, "-C", str(tmp_path), "fit", "--measure", "mine", "--json")
    measured = json.loads(text)
    assert (code, measured["name"]) == (0, "mine")
    assert measured["accuracy"]["n"] == 60
    code, text, _ = shown(capsys, "-C", str(tmp_path), "fit", "mine", "--json")
    assert json.loads(text)["figures"]["learning_curve"][0]["pairs"] == 25
    assert find_scorer("mine", tmp_path, "here").head.blocks.keys() == {"surface", "manner"}


def test_the_verb_refuses_with_words(ledger, tmp_path, capsys):
    fill(ledger, 3, kind="imported")
    code, _, said = shown(capsys, "-C", str(tmp_path), "fit")
    assert code == 2
    assert "--votes human,imported" in said
    code, _, said = shown(capsys, "-C", str(tmp_path), "fit", "--measure", "nobody")
    assert code == 2
    assert "there is no scorer 'nobody'" in said
