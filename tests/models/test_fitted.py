"""Files of fitted heads and the scorer behind them: what is written is what is read, and nothing else is believed."""

import asyncio
import json
from typing import Any

import numpy as np
import pytest

from pairsmith.config import AnnotatorConfig
from pairsmith.errors import ConfigError
from pairsmith.measures.reward_head import BlockHead, Head
from pairsmith.measures.surface import FEATURES
from pairsmith.models.annotators import open_annotator
from pairsmith.models.features import FeatureReader
from pairsmith.models.fitted import FittedAnnotator, FittedScorer
from pairsmith.models.fitted_files import SHIPPED, ScorerFile, find_scorer, numbers_of, read_scorer
from pairsmith.records import Candidate, Comparison, Message, Prompt


def prompt_of(text: str) -> Prompt:
    return Prompt.of([Message("user", text)])


def head_of(name: str, sign: float = 1.0) -> Head:
    """A head that likes the column `name` of the surface."""
    weights = np.zeros(len(FEATURES))
    weights[FEATURES.index(name)] = sign
    ones = np.ones(len(FEATURES))
    return Head({"surface": BlockHead(0 * ones, ones, weights, 4.0)}, {"surface": 2.0}, 0.5, None)


def file_of(**changes: Any) -> ScorerFile:
    values: dict[str, Any] = {
        "name": "mine",
        "criterion": "overall",
        "demonstration": False,
        "level": "good",
        "data": {"source": "votes.jsonl"},
        "figures": {"accuracy": {"value": 0.7, "interval": [0.6, 0.8], "n": 400}, "verdict": "better"},
        "head": numbers_of(head_of("log_characters")),
    }
    return ScorerFile.model_validate({**values, **changes})


def saved(tmp_path, document: Any) -> Any:
    (tmp_path / "scorers").mkdir(exist_ok=True)
    path = tmp_path / "scorers" / "mine.json"
    path.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
    return path


def test_a_file_is_read_as_it_was_written(tmp_path):
    file = file_of()
    read = read_scorer(saved(tmp_path, file.to_json()))
    assert read == file
    assert read.revision == file.revision
    assert find_scorer("mine", tmp_path, "here") == file
    items = [(prompt_of("What?"), Candidate.imported("p", text)) for text in ("short", "much longer than that")]
    assert FittedScorer(read).score_now(items) == FittedScorer(file).score_now(items)


def test_the_score_is_the_heads(tmp_path):
    items = [(prompt_of("What?"), Candidate.imported("p", "x" * 99))]
    assert FittedScorer(file_of()).score_now(items) == [pytest.approx(2.0 * np.log(100) / 0.5)]
    with FeatureReader(["surface"]) as reader:
        assert head_of("log_characters").score(reader.read(items)) == pytest.approx(2.0 * np.log(100) / 0.5)


def test_the_revision_changes_with_any_number_that_makes_scores():
    base = file_of()
    other_head = numbers_of(head_of("log_characters", 1.001))
    fold = {"prompts": ["prm-1"], "head": numbers_of(head_of("log_words"))}
    assert len({base.revision, file_of(head=other_head).revision, file_of(folds=[fold]).revision}) == 3
    assert base.revision == file_of(name="renamed", data={}).revision


def test_a_prompt_that_trained_the_head_is_scored_by_a_head_that_never_saw_it():
    seen, new = prompt_of("Seen?"), prompt_of("New?")
    fold = {"prompts": [seen.id], "head": numbers_of(head_of("log_characters", -1.0))}
    scorer = FittedScorer(file_of(folds=[fold]))
    texts = [Candidate.imported("p", "one answer")] * 2
    scores = scorer.score_now(list(zip([seen, new], texts, strict=True)))
    assert scores[0] == -scores[1] < 0


def broken(**changes: Any) -> dict[str, Any]:
    document: dict[str, Any] = {**json.loads(file_of().to_json()), **changes}
    return document


def with_block(**changes: Any) -> dict[str, Any]:
    document = broken()
    document["head"]["blocks"]["surface"] |= changes
    return document


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (b"\x80\x04K\x01.", "not the JSON of a scorer"),  # a pickle
        (b"[" * 100_000, "not the JSON of a scorer"),
        (b'{"a": 1, "a": 2}', "a key occurs twice"),
        (b'{"a": NaN}', "NaN is no number"),
        ([], "the file"),
        (broken(extra=1), "extra"),
        (broken(schema_version=2), "schema_version"),
        (broken(format="pickle"), "format"),
        (broken(name="../../etc"), "name"),
        (broken(level="refused"), "level"),
        (broken(demonstration="no"), "demonstration"),
        (broken(figures={}), "figures.accuracy is missing"),
        (broken(figures={"accuracy": {"value": 1, "interval": [1, 1], "n": 1}}), "figures.verdict is missing"),
        (broken(head={"blocks": {}, "fusion": {}, "temperature": 1.0, "tie": None}), "at least one"),
        (with_block(revision="surface/0"), "run `pairsmith fit` again"),
        (with_block(columns=["log_characters"]), "differ in length"),
        (with_block(columns=list(reversed(FEATURES))), "was fitted on features"),
        (with_block(weights=[1.0]), "differ in length"),
        (with_block(scale=[0.0] * len(FEATURES)), "greater than 0"),
        (with_block(mean=["1"] * len(FEATURES)), "valid number"),
    ],
)
def test_a_file_that_is_not_sound_is_refused_with_its_place(tmp_path, document, said):
    path = saved(tmp_path, document)
    with pytest.raises(ConfigError, match="run `pairsmith fit` again") as caught:
        read_scorer(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["nobody", "", "../mine", "/etc/passwd"])
def test_a_scorer_that_is_not_there(tmp_path, name):
    saved(tmp_path, file_of().to_json())
    with pytest.raises(ConfigError, match="there are: harmless-v0, helpful-v0, mine"):
        find_scorer(name, tmp_path, "here")


@pytest.mark.parametrize(
    ("changes", "calibrated"),
    [
        ({}, True),
        ({"demonstration": True}, False),
        ({"level": "warn"}, False),
        ({"figures": {**file_of().figures, "verdict": "no better than length"}}, False),
        ({"figures": {**file_of().figures, "verdict": "no better than chance"}}, False),
    ],
)
def test_only_a_head_that_proved_itself_here_counts_as_calibrated(changes, calibrated):
    assert file_of(**changes).calibrated is calibrated


def test_its_votes_say_what_it_is_worth(tmp_path):
    saved(tmp_path, file_of().to_json())
    config = AnnotatorConfig(kind="fitted", model="mine")
    annotator = open_annotator(config, {}, seed=0, project=tmp_path)
    assert isinstance(annotator, FittedAnnotator)
    prompt = prompt_of("Why?")
    one, other = (Candidate.imported(prompt.id, text) for text in ("short", "a longer answer than that"))
    comparison = Comparison.of(one, other)
    sides = {each.id: each for each in (one, other)}

    async def vote():
        return await annotator.annotate(prompt, comparison, sides[comparison.a], sides[comparison.b])

    (annotation,), scores = asyncio.run(vote())
    assert sides[{"a": comparison.a, "b": comparison.b}[annotation.label]] == other
    assert (annotation.kind, annotation.annotator) == ("reward", "fitted:mine")
    assert annotation.guideline == file_of().revision
    assert annotation.criteria["calibrated"] is True
    assert annotation.criteria["measured_accuracy"] == 0.7
    assert {score.scorer for score in scores} == {f"fitted:mine@{file_of().revision}"}


@pytest.mark.parametrize("name", SHIPPED)
def test_the_heads_that_ship_say_that_they_are_demonstrations(name, tmp_path):
    file = find_scorer(name, tmp_path, "here")
    assert file.demonstration
    assert not file.calibrated
    assert not file.folds
    assert file.data["licences"] in (["MIT"], ["Apache-2.0"])
    figures = file.figures
    accuracy, length = figures["accuracy"], figures["length_only"]
    assert accuracy["interval"][0] > 0.6
    assert accuracy["value"] - length["value"] >= 0.03
    assert figures["length_balanced"]["value"] >= 0.62
    assert figures["kept"]["adds"]["value"] >= 0.04
    assert figures["ece"]["value"] <= figures["ece"]["if_true"] + 0.025
    assert [at["pairs"] for at in figures["learning_curve"]][:3] == [25, 50, 100]
    assert len(file.to_json()) < 100_000
