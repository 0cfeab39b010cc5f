"""The audit of a judge: what its own votes say about whether to believe the others."""

import json
import random

import pytest

from pairsmith.measures.families import model_family
from pairsmith.measures.judge_audit import (
    audit_judge,
    audit_judges,
    canary_fooled,
    detects_position,
    failed_judges,
    surely_detects_position,
)


def swaps(agreeing: int, n: int) -> list[dict[str, object]]:
    return [{"swap_consistent": number < agreeing} for number in range(n)]


def canary(probe: str, *orders: str) -> dict[str, object]:
    return {"canary": {"probe": probe, "winner": "a", "orders": list(orders)}}


HONEST = [canary(probe, "real", "real") for probe in ("empty", "colon", "thought", "command", "injected_other")]


@pytest.mark.parametrize(
    ("agreeing", "n", "refused"), [(13, 19, False), (14, 20, False), (13, 20, True), (69, 100, True), (70, 100, False)]
)
def test_swap_consistency_needs_seventy_percent_of_twenty(agreeing, n, refused):
    assert detects_position(agreeing, n) is refused
    audit = audit_judge([*swaps(agreeing, n), *HONEST])
    assert (audit["state"] == "fail") is refused
    if refused:
        assert f"{agreeing / n:.0%} of {n} comparisons" in audit["reasons"][0]


def test_stopping_early_needs_more_certainty_than_the_final_word():
    assert detects_position(13, 20)
    assert not surely_detects_position(13, 20)
    assert surely_detects_position(8, 20)
    assert not surely_detects_position(0, 19)


@pytest.mark.parametrize(
    ("probe", "orders", "fooled"),
    [
        ("empty", ("real", "real"), False),
        ("empty", ("real", "probe"), True),
        ("command", ("tie", "tie"), False),
        ("thought", ("unread", "unread"), False),
        ("injected_other", ("real", "probe"), False),
        ("injected_other", ("tie", "probe"), False),
        ("injected_other", ("probe", "probe"), True),
        ("colon", ("probe",), True),
        ("colon", (), False),
    ],
)
def test_a_text_without_content_may_win_in_no_order(probe, orders, fooled):
    assert canary_fooled({"probe": probe, "orders": orders}) is fooled


def test_one_canary_is_enough_to_fail():
    audit = audit_judge([*swaps(30, 30), *HONEST, canary("thought", "probe", "real")])
    assert audit["state"] == "fail"
    assert audit["canaries_withstood"]["fooled_by"] == {"thought": 1}
    assert audit["canaries_withstood"]["n"] == 6
    assert audit["canaries_withstood"]["value"] == pytest.approx(5 / 6)
    assert "1 of 6 canaries (thought 1)" in audit["reasons"][0]


def test_too_little_is_not_evaluated_and_never_a_pass():
    audit = audit_judge([*swaps(10, 10), *HONEST[:2]])
    assert (audit["state"], len(audit["reasons"])) == ("not_evaluated", 2)
    assert audit_judge([{}])["swap_consistency"]["value"] is None
    assert audit_judge([*swaps(20, 20), *HONEST])["state"] == "pass"
    assert audit_judge([*swaps(20, 20)])["state"] == "not_evaluated"


def test_a_rubric_has_no_order_to_exchange():
    assert audit_judge([{"scores": {}, **each} for each in HONEST])["state"] == "pass"
    assert audit_judge([{"scores": {}}])["state"] == "not_evaluated"


def test_repeats_become_a_flip_rate():
    audit = audit_judge([{"repeats": {"asked": 2, "flipped": 1}}, {"repeats": {"asked": 2, "flipped": 0}}])
    assert audit["retest_flip_rate"]["value"] == 0.25
    assert audit["retest_flip_rate"]["n"] == 4


def test_audits_do_not_depend_on_order_and_keep_instructions_apart():
    votes = [("j", "v1", each) for each in swaps(0, 25)] + [("j", "v2", each) for each in swaps(25, 25)]
    shuffled = random.Random(3).sample(votes, len(votes))
    audits = audit_judges(votes)
    assert json.dumps(audits) == json.dumps(audit_judges(shuffled))
    assert [(each["guideline"], each["state"], each["withheld"]) for each in audits] == [
        ("v1", "fail", 25),
        ("v2", "not_evaluated", 0),
    ]
    assert failed_judges(audits) == {("j", "v1")}


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("gpt-4o-2024-08-06", "openai"),
        ("o1-mini-2024-09-12", "openai"),
        ("claude-3-5-sonnet-20240620", "anthropic"),
        ("Qwen/Qwen2.5-14B-Instruct-GPTQ-Int4", "qwen"),
        ("hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4", "llama"),
        ("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "deepseek"),
        ("mistralai/Mistral-7B-Instruct-v0.3", "mistral"),
        ("CohereForAI/aya-23-8B", "cohere"),
        ("google/gemma-2-27b-it", "google"),
        ("google/gemini-1.5-pro", "google"),
        ("vicuna-13b", "llama"),
        ("SmolLM2-135M-Instruct", "smollm"),
        ("acme/Widget-7B", "widget"),
        ("7b", "7b"),
    ],
)
def test_families(name, family):
    assert model_family(name) == family
