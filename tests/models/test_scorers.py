"""Scorers as annotators, and the surface scorer that ships."""

import asyncio
import json
import math
from pathlib import Path

import pytest

from pairsmith.errors import ModelError
from pairsmith.measures.surface import FEATURES
from pairsmith.models.protocols import Annotator, Scorer
from pairsmith.models.scorers import ScorerAnnotator, SurfaceScorer
from pairsmith.records import Annotation, Candidate, Prompt, Score
from tests.models.scripted import asked


class Length:
    """Scores a response by its length."""

    name = "length"
    scale: tuple[float, float] | None = None

    def __init__(self) -> None:
        self.calls = 0

    def score(self, prompt: Prompt, candidate: Candidate) -> float:  # noqa: ARG002 - the protocol's signature
        self.calls += 1
        return float(len(candidate.text))


def vote_of(annotator: ScorerAnnotator, *texts: str) -> tuple[Annotation, list[Score]]:
    [vote], scores = asyncio.run(annotator.annotate(*asked(*texts)))
    return vote, list(scores)


def test_probability_strength_and_label_follow_from_the_difference():
    annotator = ScorerAnnotator(Length(), temperature=2.0)
    vote, scores = vote_of(annotator, "four", "seven!!")
    p_longer = 1 / (1 + math.exp(-3 / 2))
    _, _, a, _ = asked("four", "seven!!")
    assert vote.label == ("a" if len(a.text) == 7 else "b")
    assert vote.criteria["p"] == pytest.approx(p_longer if vote.label == "a" else 1 - p_longer)
    assert vote.strength == pytest.approx(2 * p_longer - 1)
    assert (vote.kind, vote.annotator) == ("reward", "scorer:length")
    assert sorted(score.value for score in scores) == [4.0, 7.0]
    assert {score.scorer for score in scores} == {"length"}


def test_below_the_confidence_asked_for_it_is_unsure():
    vote, _ = vote_of(ScorerAnnotator(Length(), temperature=2.0, min_confidence=0.82), "four", "seven!!")
    assert vote.label == "unsure"
    vote, _ = vote_of(ScorerAnnotator(Length(), temperature=2.0, min_confidence=0.81), "four", "seven!!")
    assert vote.label != "unsure"


def test_equal_scores_are_never_a_vote():
    vote, _ = vote_of(ScorerAnnotator(Length(), min_confidence=0.5), "one", "two")
    assert (vote.label, vote.strength) == ("unsure", 0.0)


def test_huge_differences_do_not_overflow():
    vote, _ = vote_of(ScorerAnnotator(Length(), temperature=1e-3), "x" * 100_000, "y")
    assert vote.strength == 1.0


def test_a_candidate_is_scored_once():
    scorer = Length()
    annotator = ScorerAnnotator(scorer)
    for _ in range(3):
        vote_of(annotator, "one", "other")
    assert scorer.calls == 2


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_score_that_is_no_number_is_no_vote(value):
    class Broken(Length):
        def score(self, *_: object) -> float:
            return float(value)

    with pytest.raises(ModelError, match="not a finite number"):
        vote_of(ScorerAnnotator(Broken()), "one", "other")


def test_the_surface_scorer_says_what_it_is():
    scorer = SurfaceScorer()
    assert isinstance(scorer, Scorer)
    said = scorer.describe()
    assert said["demonstration"] is True
    assert said["data_licence"] == "Apache-2.0"
    low, high = said["measured"]["accuracy"]["interval"]
    assert low < said["measured"]["accuracy"]["value"] < high
    assert said["measured"]["longer_wins"]["value"] < said["measured"]["accuracy"]["value"]
    assert {"llmbar_natural", "mt_bench_majority"} == set(said["transfer"])
    assert "weights" not in said


def test_every_vote_of_the_demonstration_is_marked():
    scorer = SurfaceScorer()
    annotator = ScorerAnnotator(scorer, temperature=scorer.temperature, provenance=scorer.provenance())
    assert isinstance(annotator, Annotator)
    vote, _ = vote_of(annotator, "The sky is blue because air scatters blue light more than red light.", "idk")
    assert vote.annotator == "scorer:surface-v0"
    assert vote.criteria["demonstration"] is True
    assert vote.criteria["calibrated"] is False
    assert vote.criteria["measured_accuracy"] == scorer.describe()["measured"]["accuracy"]["value"]


def test_the_surface_scorer_prefers_an_answer_to_an_echo():
    scorer = SurfaceScorer()
    prompt, _, a, b = asked(
        "Air scatters the blue part of sunlight more than the red part.\n\nSo blue light reaches us from all sides.",
        "Why is the sky blue? Why is the sky blue? Why is the sky blue?",
    )
    answer, echo = (a, b) if a.text.startswith("Air") else (b, a)
    assert scorer.score(prompt, answer) > scorer.score(prompt, echo)


def test_the_shipped_coefficients_fit_the_features(shared_data):
    # the figures in the file are those of its own coefficients: PandaLM's decided items, in sample
    rows = json.loads((shared_data / "preferences/pandalm/testset-v1.json").read_text(encoding="utf-8"))
    scorer, right, decided = SurfaceScorer(), 0, 0
    for row in rows:
        votes = [row[f"annotator{number}"] for number in (1, 2, 3)]
        winner = max((1, 2), key=votes.count)
        if votes.count(winner) < 2 or not all(isinstance(row[f"response{side}"], str) for side in (1, 2)):
            continue
        prompt, _, a, b = asked(
            row["response1"], row["response2"], prompt=f"{row['instruction']}\n\n{row['input']}".strip()
        )
        first, second = (a, b) if a.sample == 0 else (b, a)
        decided += 1
        right += (scorer.score(prompt, first) > scorer.score(prompt, second)) == (winner == 1)
    measured = scorer.describe()["measured"]["accuracy"]
    assert decided == measured["n"] == 583
    assert measured["value"] < right / decided < 0.85


def test_features_and_coefficients_have_one_length():
    assert len(SurfaceScorer()._weights) == len(FEATURES)


def test_the_documented_figures_are_the_shipped_ones():
    text = (Path(__file__).parents[2] / "docs" / "reference" / "annotators.md").read_text(encoding="utf-8")
    said = SurfaceScorer().describe()
    for result in (said["measured"], *said["transfer"].values()):
        for name in ("accuracy", "longer_wins"):
            low, high = result[name]["interval"]
            assert (
                f"{result[name]['value']:.1%}".replace("%", " %") + f" [{low:.1%}, {high:.1%}]".replace("%", "") in text
            )
        low, high = result["gain_over_longer_wins"]["interval"]
        assert (
            f"{100 * result['gain_over_longer_wins']['value']:.1f} points [{100 * low:.1f}, {100 * high:.1f}]" in text
        )
        assert f"| {result['length_balanced']:.1%}".replace("%", " %") in text
