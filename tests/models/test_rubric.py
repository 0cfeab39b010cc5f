"""Scores by a language model: strictly read, asked once a candidate, audited with canaries."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from pairsmith.config import AuditConfig
from pairsmith.errors import ModelError
from pairsmith.measures.judge_audit import audit_judge
from pairsmith.models.judge import NO_AUDIT
from pairsmith.models.protocols import Annotator, ChatRequest
from pairsmith.models.rubric import Rubric
from pairsmith.models.verdicts import parse_ratings, rating_schema
from pairsmith.records import Annotation, Score
from tests.models.scripted import CRITERIA, ScriptedChat, asked, shown

SCALE = (1, 10)


def scored(value: Any, **criteria: Any) -> str:
    return json.dumps({"rationale": "r", **dict.fromkeys(CRITERIA, value), **criteria})


def by_length(request: ChatRequest) -> str:
    return scored(min(max(len(shown(request)[1]) // 4, 1), 10))


def ask(rubric: Rubric, *texts: str, prompt: str = "Why is the sky blue?") -> tuple[Annotation, dict[str, float]]:
    [vote], scores = asyncio.run(rubric.annotate(*asked(*texts, prompt=prompt)))
    return vote, {f"{score.candidate_id} {score.scorer}": score.value for score in scores}


def rubric(script: Callable[[ChatRequest], str], audit: AuditConfig = NO_AUDIT) -> Rubric:
    return Rubric(ScriptedChat(script), audit=audit)


def test_it_is_an_annotator_whose_instructions_name_the_scale():
    made = rubric(by_length)
    assert isinstance(made, Annotator)
    assert made.guideline == "rubric1:1-10:helpfulness+harmlessness+honesty"


def test_the_higher_mean_wins():
    texts = ("short", "a response of some length")
    vote, scores = ask(rubric(by_length), *texts)
    _, _, a, b = asked(*texts)
    longer = a if len(a.text) > len(b.text) else b
    assert vote.label == ("a" if longer is a else "b")
    assert vote.kind == "judge"
    assert vote.strength == pytest.approx(5 / 9)
    assert len(scores) == 8
    assert scores[f"{longer.id} rubric:scripted@{vote.guideline}"] == 6
    assert scores[f"{longer.id} rubric:scripted/honesty@{vote.guideline}"] == 6


def test_equal_means_are_a_tie_even_where_criteria_differ():
    def script(request: ChatRequest) -> str:
        good = len(shown(request)[1]) > 5
        return scored(5, helpfulness=7 if good else 5, honesty=3 if good else 5)

    vote, _ = ask(rubric(script), "short", "a longer response")
    assert (vote.label, vote.strength, vote.criteria["harmlessness"]) == ("tie", 0.0, "tie")
    assert {vote.criteria["helpfulness"], vote.criteria["honesty"]} == {"a", "b"}


def test_the_ten_that_was_one():
    """UltraFeedback's parser read "10" as "1": the best responses got the worst score and were rejected."""
    assert parse_ratings(scored(10), CRITERIA, SCALE).scores == dict.fromkeys(CRITERIA, 10)
    assert parse_ratings(scored(1), CRITERIA, SCALE).scores == dict.fromkeys(CRITERIA, 1)
    best, worst = "the best response there could be", "bad"
    vote, _ = ask(rubric(lambda request: scored(10 if shown(request)[1] == best else 1)), best, worst)
    _, _, a, _ = asked(best, worst)
    assert vote.label == ("a" if a.text == best else "b")
    assert vote.strength == 1.0


@pytest.mark.parametrize(
    "answer",
    [
        scored("10"),
        scored("10/10"),
        scored(10.0),
        scored(9.5),
        scored(11),
        scored(0),
        scored(-1),
        scored(True),
        scored(None),
        scored([10]),
        scored(10) + scored(1),
        scored(10, extra=1),
        '{"rationale": "r", "helpfulness": 10, "honesty": 10}',
        '{"rationale": "r", "helpfulness": 1, "helpfulness": 10, "harmlessness": 1, "honesty": 10}',
        "Score: 10",
        "10",
        "I give it a 10 out of 10, better than the 1 before.",
        "١٠",
        scored("１０"),
        "I cannot help with that.",
        "",
    ],
)
def test_nothing_else_is_a_score(answer):
    with pytest.raises(ModelError):
        parse_ratings(answer, CRITERIA, SCALE)


def test_one_repair_call_then_no_vote():
    model = ScriptedChat(lambda request: scored(7) if len(request.messages) == 4 else "ten")
    ask(Rubric(model, audit=NO_AUDIT), "one", "other")
    assert len(model.requests) == 4
    assert "not one JSON object" in model.requests[1].messages[3].content
    with pytest.raises(ModelError, match=r"rubric:scripted: no usable scores of cnd_\w+: asked twice"):
        ask(rubric(lambda _: "ten"), "one", "other")


def test_a_candidate_is_scored_once_however_many_comparisons_it_is_in():
    model = ScriptedChat(by_length)
    made = Rubric(model, audit=NO_AUDIT)

    async def both() -> None:
        question = asked("one", "a longer one")
        await asyncio.gather(made.annotate(*question), made.annotate(*question))

    asyncio.run(both())
    assert len(model.requests) == 2


def test_what_earlier_runs_paid_for_is_not_asked_again():
    first = rubric(by_length)
    question = asked("one", "a longer one")
    [vote], scores = asyncio.run(first.annotate(*question))
    model = ScriptedChat(by_length)
    second = Rubric(model, audit=NO_AUDIT)
    second.recall([*scores, Score.of("cnd_other", "else", 1.0)])
    [again], same = asyncio.run(second.annotate(*question))
    assert model.requests == []
    assert (again.id, again.label, again.strength) == (vote.id, vote.label, vote.strength)
    assert list(same) == list(scores)


def test_a_rubric_that_rates_nothing_higher_than_something_fails_its_audit():
    def likes_openers(request: ChatRequest) -> str:
        return scored(10) if shown(request)[1] == "Thought process:" else by_length(request)

    made = rubric(likes_openers, AuditConfig(canaries=1.0, repeated=0.5))
    votes = [ask(made, "short", "a response of some length", prompt=f"Question {n}?")[0].criteria for n in range(40)]
    audit = audit_judge(votes)
    assert audit["state"] == "fail"
    assert set(audit["canaries_withstood"]["fooled_by"]) >= {"thought"}
    assert audit["retest_flip_rate"]["value"] == 0.0


def test_the_schema_asks_for_reasons_first_and_whole_numbers_on_the_scale():
    schema = rating_schema(("helpfulness",), (0, 5))
    assert list(schema["properties"]) == ["rationale", "helpfulness"]
    assert schema["properties"]["helpfulness"] == {"type": "integer", "minimum": 0, "maximum": 5}
