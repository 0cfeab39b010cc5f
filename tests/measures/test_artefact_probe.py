"""The artefact probe: chance without a trace, more with one, and never on too little."""

import numpy as np
import pytest

from pairsmith.measures.artefact_probe import MIN_PROBED, MOST_PROBED, artefact_probe


def texts(seed: int, count: int, words: tuple[int, int] = (20, 40)) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(f"w{word}" for word in rng.integers(0, 300, rng.integers(*words))) + "." for _ in range(count)]


PROMPTS = [f"p{number}" for number in range(200)]


def test_without_a_trace_it_guesses():
    found = artefact_probe(texts(1, 200), texts(2, 200), PROMPTS, seed=5)
    assert found["interval"][0] < 0.5 < found["interval"][1]
    assert found["n"] == 200


@pytest.mark.parametrize("trace", ["As an assistant, {}", "{} I hope this helps!", "- {}", "{} {}"])
def test_a_trace_is_found(trace):
    chosen = [trace.format(*[text] * trace.count("{}")) for text in texts(1, 200)]
    found = artefact_probe(chosen, texts(2, 200), PROMPTS, seed=5)
    assert found["interval"][0] > 0.85


def test_what_all_responses_share_is_no_trace():
    chosen, rejected = ([f"{text} I hope this helps!" for text in texts(seed, 200)] for seed in (1, 2))
    assert artefact_probe(chosen, rejected, PROMPTS, seed=5)["interval"][0] < 0.5


def test_responses_of_one_prompt_are_never_on_both_sides_of_a_fold():
    """The same two responses, four times a prompt: to know three of them would be to know the fourth."""
    numbers = [number for number in range(60) for _ in range(4)]
    chosen, rejected = ([each[n] for n in numbers] for each in (texts(1, 60), texts(2, 60)))
    found = artefact_probe(chosen, rejected, [f"p{n}" for n in numbers], seed=5)
    assert found["interval"][0] < 0.5 < found["interval"][1]
    leaking = artefact_probe(chosen, rejected, [f"p{n}" for n in range(240)], seed=5)
    assert leaking["value"] > 0.9


def test_order_changes_nothing_and_a_sample_is_drawn():
    count = MOST_PROBED + 60
    chosen, rejected = texts(1, count, (5, 9)), texts(2, count, (5, 9))
    prompts = [f"p{number}" for number in range(count)]
    found = artefact_probe(chosen, rejected, prompts, seed=5)
    assert found["n"] == MOST_PROBED
    assert artefact_probe(chosen[::-1], rejected[::-1], prompts[::-1], seed=5) == found


def test_too_little_is_not_evaluated():
    few = MIN_PROBED - 1
    assert artefact_probe(texts(1, few), texts(2, few), PROMPTS[:few], seed=5)["value"] is None
    one_prompt = artefact_probe(texts(1, 200), texts(2, 200), ["p"] * 200, seed=5, what="augmented pairs")
    assert one_prompt["reason"].startswith("200 augmented pairs of 1 prompts")
    assert artefact_probe([], [], [], seed=5)["value"] is None


def test_empty_texts_count_as_half_right():
    assert artefact_probe([""] * 60, [""] * 60, PROMPTS[:60], seed=5)["value"] == 0.5
