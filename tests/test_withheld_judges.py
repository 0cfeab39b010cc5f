"""Votes of a judge that failed its audit: in the ledger for good, in no build, and the metrics say why."""

from typing import Any

from pairsmith.config import parse_config
from pairsmith.pipeline.deriving import Derived, derive
from pairsmith.pipeline.facts import Facts
from pairsmith.records import Annotation, Candidate, Comparison, Message, Prompt

DATASET = dict.fromkeys(("name", "seed", "ledger_position", "code_version", "config_sha256"), "")
WITHSTOOD = {"canary": {"probe": "empty", "winner": "a", "orders": ["real", "real"]}}
FOOLED = {"canary": {"probe": "empty", "winner": "a", "orders": ["probe", "real"]}}


def derived(criteria_of_last: dict[str, Any], *, people: bool = False, reverse: bool = False, n: int = 30) -> Derived:
    prompts, candidates, comparisons, votes = [], {}, [], []
    for number in range(n):
        prompt = Prompt.of([Message("user", f"Question number {number} about topic {number * 7}?")])
        sides = [Candidate.imported(prompt.id, f"Answer {name} to number {number}.") for name in ("one", "two")]
        comparison = Comparison.of(*sides)
        criteria = criteria_of_last if number == n - 1 else WITHSTOOD
        votes.append(
            Annotation.of(
                comparison.id, "judge:x", "judge", "a", guideline="g", criteria={"swap_consistent": True, **criteria}
            )
        )
        if people:
            votes.append(Annotation.of(comparison.id, "ann", "human", "b"))
        prompts.append(prompt)
        candidates.update({side.id: side for side in sides})
        comparisons.append(comparison)
    given = votes[::-1] if reverse else votes
    facts = Facts(0, tuple(prompts), candidates, tuple(comparisons), (), tuple(given), (), (), ())
    return derive(parse_config("runtime: {workers: 1}"), facts, [], DATASET)


def test_an_honest_judge_is_believed():
    result = derived(WITHSTOOD)
    assert len(result.resolved.kept) == 30
    assert [(each["name"], each["state"], each["withheld"]) for each in result.metrics["judges"]] == [
        ("judge:x", "pass", 0)
    ]


def test_one_canary_withholds_all_votes():
    result = derived(FOOLED)
    assert result.resolved.kept == ()
    assert {each.reason for each in result.resolved.dropped} == {"no_votes"}
    [audit] = result.metrics["judges"]
    assert (audit["state"], audit["votes"], audit["withheld"]) == ("fail", 30, 30)
    assert "1 of 30 canaries (empty 1)" in audit["reasons"][0]


def test_other_votes_decide_then():
    believed, withheld = derived(WITHSTOOD, people=True), derived(FOOLED, people=True)
    assert believed.resolved.kept == ()
    assert {each.winner for each in withheld.resolved.kept} == {"b"}


def test_the_order_of_the_votes_does_not_matter():
    assert derived(FOOLED, people=True) == derived(FOOLED, people=True, reverse=True)
