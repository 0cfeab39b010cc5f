"""The verifier: votes that follow from checks alone."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from pairsmith.errors import ConfigError, ModelError
from pairsmith.models.protocols import Annotator
from pairsmith.models.verifier import Verifier
from pairsmith.records import Annotation, Message, Prompt, Score
from tests.models.scripted import asked

SHORT = ("max_words", {"n": 4})
SEVEN = ("number", {"answer": 7})


def votes(*texts: str, checks: tuple[tuple[str, Mapping[str, Any]], ...]) -> tuple[Annotation, dict[str, Score], str]:
    """The vote, the scores by text, and which text is side a."""
    prompt, comparison, a, b = asked(*texts, checks=checks)
    [vote], scores = asyncio.run(Verifier().annotate(prompt, comparison, a, b))
    by_candidate = {score.candidate_id: score for score in scores}
    return vote, {a.text: by_candidate[a.id], b.text: by_candidate[b.id]}, a.text


def test_it_wants_prompts_with_checks_only():
    verifier = Verifier()
    assert isinstance(verifier, Annotator)
    assert verifier.wants(asked("x", "y", checks=(SHORT,))[0])
    assert not verifier.wants(Prompt.of([Message("user", "Hi")]))


def test_the_response_that_meets_more_wins():
    vote, scores, a = votes("It is 7.", "It is 8.", checks=(SHORT, SEVEN))
    assert vote.label == ("a" if a == "It is 7." else "b")
    assert (vote.kind, vote.strength, vote.annotator) == ("verifier", 0.5, "verifier")
    assert scores["It is 7."].value == 1.0
    assert scores["It is 8."].value == 0.5
    assert {score.scale for score in scores.values()} == {(0.0, 1.0)}
    assert {score.scorer for score in scores.values()} == {"verifier"}


def test_the_rationale_names_the_failing_check_and_what_was_seen():
    vote, _, a = votes("It is 7.", "It is 8.", checks=(SHORT, SEVEN))
    loser = "b" if a == "It is 7." else "a"
    assert vote.rationale == f"{loser} fails number: last number 8, expected 7"
    assert [each["passed"] for each in vote.criteria[loser]] == [True, False]


def test_both_right_is_a_tie():
    vote, _, _ = votes("7", "It is 7.", checks=(SEVEN,))
    assert (vote.label, vote.strength, vote.rationale) == ("tie", 0.0, "all checks passed")


@pytest.mark.parametrize("texts, checks", [(("8", "9"), (SEVEN,)), (("a b c d e", "v w x y z"), (SHORT,))])
def test_both_failing_everything_alike_is_both_bad(texts, checks):
    assert votes(*texts, checks=checks)[0].label == "both_bad"


def test_equal_scores_with_something_passed_is_a_tie():
    assert votes("8", "9", checks=(SHORT, SEVEN))[0].label == "tie"
    # one passes two of three, the other passes one and earns 0.2 and 0.8 for the rest
    vote, _, _ = votes("8", "one two three 7 four", checks=(("max_words", {"n": 1}), SEVEN, SHORT))
    assert vote.label == "tie"


def test_partial_credit_decides_between_two_failures():
    vote, _, a = votes("one two three four five", "one two three four five six seven eight", checks=(SHORT,))
    assert vote.label == ("a" if a.endswith("five") else "b")
    assert vote.strength == pytest.approx(4 / 5 - 4 / 8)


@pytest.mark.parametrize("check", [("no_such_check", {}), ("max_words", {"words": 3})])
def test_a_check_that_cannot_be_run_is_no_vote(check):
    with pytest.raises(ModelError, match=r"prompt prm_\w+: check"):
        votes("x", "y", checks=(check,))


CODE = ("unit_tests", {"tests": ["assert double(2) == 4", "assert double('a') == 'aa'"]})


def test_code_is_run_and_the_failing_test_is_the_rationale():
    good, half = "```python\ndef double(x):\n    return x + x\n```", "def double(x):\n    return int(x) * 2\n"
    prompt, comparison, a, b = asked(good, half, checks=(CODE,))
    [vote], scores = asyncio.run(Verifier(sandbox="limits").annotate(prompt, comparison, a, b))
    assert vote.label == ("a" if a.text == good else "b")
    assert vote.strength == 0.5
    assert {score.candidate_id: score.value for score in scores}[b.id if a.text == good else a.id] == 0.5
    assert "1 of 2 tests pass; \"assert double('a') == 'aa'\": ValueError" in vote.rationale


def test_code_that_cannot_be_isolated_is_not_run():
    class NotHere(Verifier):
        """A verifier on a system without namespaces."""

        def isolation_problem(self) -> str:
            return "darwin has no namespaces"

    prompt, comparison, a, b = asked("x = 1", "x = 2", checks=(CODE,))
    with pytest.raises(ConfigError, match=r"darwin has no namespaces; .*options: .sandbox: limits."):
        asyncio.run(NotHere().annotate(prompt, comparison, a, b))


def test_an_empty_response_is_not_run():
    vote, scores, _ = votes("", "...", checks=(CODE,))
    assert vote.label == "both_bad"
    assert {score.value for score in scores.values()} == {0.0}
