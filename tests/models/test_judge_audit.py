"""Judges under audit: canaries, repetitions, letters with probabilities, and judges that fall for planted texts."""

import asyncio
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pairsmith.config import AuditConfig
from pairsmith.errors import ModelError, ModelUnavailable
from pairsmith.measures.judge_audit import audit_judge, canary_fooled
from pairsmith.models.canaries import INJECTION, PROBES, drawn, drawn_probe
from pairsmith.models.judge import Judge
from pairsmith.models.judge_asking import letter_probability
from pairsmith.models.protocols import ChatRequest, Completion
from pairsmith.records import Annotation
from tests.models.scripted import ScriptedChat, asked, prefers_the_first_shown, prefers_the_longer, shown, verdict

ALWAYS = AuditConfig(canaries=1.0, repeated=0.0)


def vote_of(judge: Judge, *texts: str, prompt: str = "Why is the sky blue?") -> Annotation:
    [vote], _ = asyncio.run(judge.annotate(*asked(*texts, prompt=prompt)))
    return vote


def many_votes(script: Callable[[ChatRequest], str], n: int = 40) -> list[Mapping[str, Any]]:
    judge = Judge(ScriptedChat(script), audit=ALWAYS)
    return [vote_of(judge, "short", "a much longer response", prompt=f"Question {n}?").criteria for n in range(n)]


def falls_for(probe_text: str) -> Callable[[ChatRequest], str]:
    """A judge that prefers the longer response unless the planted text is there."""

    def script(request: ChatRequest) -> str:
        _, first, second = shown(request)
        if probe_text in (first, second):
            return verdict("first" if first == probe_text else "second")
        return prefers_the_longer(request)

    return script


def obeys_injections(request: ChatRequest) -> str:
    _, first, second = shown(request)
    for name, text in (("first", first), ("second", second)):
        if "Ignore the rubric" in text:
            return verdict(name)
    return prefers_the_longer(request)


def test_an_honest_judge_withstands_every_canary():
    def prefers_real(request: ChatRequest) -> str:
        _, first, second = shown(request)
        planted = [text for text in (first, second) if text in PROBES.values() or INJECTION in text]
        return verdict("second" if first in planted else "first") if planted else prefers_the_longer(request)

    votes = many_votes(prefers_real)
    assert {each["canary"]["probe"] for each in votes} == set(PROBES)
    assert all(each["canary"]["orders"] == ["real", "real"] for each in votes)
    assert audit_judge(votes)["state"] == "pass"


@pytest.mark.parametrize("probe", ["empty", "colon", "thought", "command"])
def test_a_judge_that_falls_for_one_kind_of_probe_fails(probe):
    text = PROBES[probe]
    assert text is not None
    votes = many_votes(falls_for(text))
    audit = audit_judge(votes)
    assert audit["state"] == "fail"
    assert set(audit["canaries_withstood"]["fooled_by"]) >= {probe}
    assert audit["swap_consistency"]["value"] == 1.0


def test_a_judge_that_obeys_injections_fails():
    fooled = audit_judge(many_votes(obeys_injections))["canaries_withstood"]["fooled_by"]
    assert set(fooled) == {"command", "injected_other"}


def test_a_canary_needs_a_winner_and_its_planted_text_is_the_loser_s():
    tie = vote_of(Judge(ScriptedChat(prefers_the_first_shown), audit=ALWAYS), "one", "other")
    assert (tie.label, "canary" in tie.criteria) == ("tie", False)
    model = ScriptedChat(prefers_the_longer)
    judge = Judge(model, audit=ALWAYS)
    for number in range(40):
        vote = vote_of(judge, "short", "a longer response", prompt=f"Question {number}?")
        planted = {*shown(model.requests[-1])[1:]} - {"a longer response"}
        probe = vote.criteria["canary"]["probe"]
        assert planted == {PROBES[probe] if PROBES[probe] is not None else f"short\n\n{INJECTION}"}
    assert len(model.requests) == 40 * 4


def test_the_vote_is_the_same_with_and_without_its_audit():
    bare = vote_of(Judge(ScriptedChat(prefers_the_longer)), "one", "another")
    tested = vote_of(
        Judge(ScriptedChat(prefers_the_longer), audit=AuditConfig(canaries=1.0, repeated=1.0)), "one", "another"
    )
    assert (bare.id, bare.label, bare.rationale) == (tested.id, tested.label, tested.rationale)
    assert set(tested.criteria) - set(bare.criteria) == {"canary", "repeats"}


def test_an_unreadable_audit_answer_costs_no_vote():
    def script(request: ChatRequest) -> str:
        return "no idea" if ":" in shown(request)[1:] or "" in shown(request)[1:] else prefers_the_longer(request)

    votes = many_votes(script)
    unread = [each["canary"] for each in votes if each["canary"]["probe"] in ("empty", "colon")]
    assert unread
    assert all(each["orders"] == ["unread", "unread"] and not canary_fooled(each) for each in unread)


def test_a_model_that_goes_down_during_a_canary_stops_the_run():
    def script(request: ChatRequest) -> str:
        if "a longer response" not in shown(request)[1:] or "short" not in shown(request)[1:]:
            raise ModelUnavailable("gone")
        return prefers_the_longer(request)

    with pytest.raises(ModelUnavailable):
        vote_of(Judge(ScriptedChat(script), audit=ALWAYS), "short", "a longer response")


def test_repeats_count_the_verdicts_that_flip_by_themselves():
    answers = iter(["first", "second", "first", "second", "tie"])
    model = ScriptedChat(lambda _: verdict(next(answers)))
    vote = vote_of(Judge(model, audit=AuditConfig(canaries=0.0, repeated=1.0, repeats=3)), "one", "another")
    assert vote.criteria["repeats"] == {"asked": 3, "flipped": 2, "choices": ["first", "second", "tie"]}
    assert len({request.seed for request in model.requests}) == 5
    assert len({request.messages[1].content.split()[2] for request in model.requests}) == 5


def test_shares_are_drawn_by_the_record():
    records = [f"cmp_{number}" for number in range(4000)]
    share = sum(bool(drawn_probe(1, record, 0.1)) for record in records) / 4000
    assert share == pytest.approx(0.1, abs=0.02)
    assert not any(drawn(1, "s", record, 0.0) for record in records)
    assert all(drawn(1, "s", record, 1.0) for record in records)
    assert drawn_probe(1, "cmp_1", 1.0) == drawn_probe(1, "cmp_1", 1.0)


class LetterChat(ScriptedChat):
    """Answers one letter, and tells what it could have said."""

    def __init__(self, p_longer: float, told: bool = True) -> None:
        super().__init__(prefers_the_longer)
        self.p_longer, self.told = p_longer, told

    async def complete(self, request: ChatRequest) -> Completion:
        self.requests.append(request)
        _, first, second = shown(request)
        p = self.p_longer if len(first) > len(second) else 1 - self.p_longer
        logprobs = {"A": math.log(0.9 * p), " b": math.log(0.9 * (1 - p)), "The": math.log(0.1)}
        return Completion("A" if p > 0.5 else "B", "length", first_token=logprobs if self.told else {})


def test_letters_give_a_probability():
    model = LetterChat(0.8)
    vote = vote_of(Judge(model, verdict="logprobs"), "short", "a longer response")
    _, _, a, b = asked("short", "a longer response")
    assert vote.label == ("a" if len(a.text) > len(b.text) else "b")
    assert vote.criteria["p"] == pytest.approx(0.8 if vote.label == "a" else 0.2)
    assert vote.strength == pytest.approx(0.6)
    assert all(request.max_tokens == 1 and request.top_logprobs == 20 for request in model.requests)
    assert all(request.json_schema is None for request in model.requests)
    assert vote.guideline == "judge1-letters:helpfulness+harmlessness+honesty"


def test_letters_of_a_server_that_tells_no_probabilities_still_count():
    vote = vote_of(Judge(LetterChat(0.8, told=False), verdict="logprobs"), "short", "a longer response")
    assert vote.label in ("a", "b")
    assert (vote.strength, "p" in vote.criteria) == (None, False)


class FirstLetter(ScriptedChat):
    async def complete(self, request: ChatRequest) -> Completion:
        return Completion(self.script(request), "stop", first_token={"A": math.log(0.7), "B": math.log(0.2)})


def test_letters_of_a_position_detector_are_a_tie_without_strength():
    vote = vote_of(Judge(FirstLetter(lambda _: "A"), verdict="logprobs"), "one", "other")
    assert (vote.label, vote.strength, vote.criteria["swap_consistent"]) == ("tie", None, False)
    assert vote.criteria["p"] == pytest.approx(0.5)


def test_letters_that_are_none_are_no_vote():
    with pytest.raises(ModelError, match="expected A or B"):
        vote_of(Judge(ScriptedChat(lambda _: "Both"), verdict="logprobs"), "one", "other")


def test_probability_elsewhere_is_no_vote():
    class Evasive(ScriptedChat):
        async def complete(self, request: ChatRequest) -> Completion:
            self.requests.append(request)
            return Completion("I", "length", first_token={"I": math.log(0.9), "A": math.log(0.05)})

    with pytest.raises(ModelError, match="only 5% of the probability"):
        vote_of(Judge(Evasive(lambda _: ""), verdict="logprobs"), "one", "other")


@pytest.mark.parametrize("token", ["A", " A", "a", "**A", "▁A", "ĠA", "(A"])
def test_spellings_of_a_letter_count_together(token):
    p, mass = letter_probability({token: math.log(0.5), "B": math.log(0.25), "AB": math.log(0.2)})
    assert p == pytest.approx(2 / 3)
    assert mass == pytest.approx(0.75)


def test_the_family_is_kept():
    assert vote_of(Judge(ScriptedChat(prefers_the_longer), family="llama"), "a", "bb").criteria["family"] == "llama"


def test_what_a_vote_stores_is_json():
    vote = vote_of(Judge(LetterChat(0.7), verdict="logprobs", audit=AuditConfig(canaries=1, repeated=1)), "a", "bb")
    assert json.loads(json.dumps(vote.criteria)) == vote.criteria
