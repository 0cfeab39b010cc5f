"""Surface features of known texts."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairsmith.measures.surface import FEATURES, surface_features


def features(prompt: str, response: str) -> dict[str, float]:
    return dict(zip(FEATURES, surface_features(prompt, response).tolist(), strict=True))


def test_a_known_text():
    found = features("Name two fruits.", "Here are two fruits:\n\n- Apple\n- **Pear** 7\n\nDo you agree?")
    assert found["log_words"] == pytest.approx(math.log1p(10))
    assert found["log_paragraphs"] == pytest.approx(math.log1p(3))
    assert found["log_list_items"] == pytest.approx(math.log1p(2))
    assert found["log_headings_and_bold"] == pytest.approx(math.log1p(1))
    assert found["log_questions"] == pytest.approx(math.log1p(1))
    assert found["log_sentences"] == pytest.approx(math.log1p(1))
    assert found["share_from_prompt"] == pytest.approx(2 / 10)
    assert found["prompt_word_coverage"] == pytest.approx(2 / 3)
    assert found["digit_share"] == pytest.approx(1 / 57)
    assert found["ends_a_sentence"] == found["starts_with_capital"] == 1.0


def test_repetition():
    found = features("", "go on now go on now go on now")
    assert found["distinct_word_share"] == pytest.approx(3 / 9)
    assert found["repeated_trigram_share"] == pytest.approx(1 - 3 / 7)
    assert features("", "same\nsame\nother\nsame")["repeated_line_share"] == pytest.approx(1 / 2)


def test_an_echo_of_the_prompt_is_seen():
    found = features("what is the capital of France", "What is the capital of France?")
    assert found["share_from_prompt"] == found["prompt_word_coverage"] == found["prompt_trigram_share"] == 1.0


@pytest.mark.parametrize("text", ["I'm sorry, but I can't do that.", "As an AI language model, no.", "I’m unable to."])
def test_refusals_are_seen(text):
    assert features("x", text)["refusal"] == 1.0


def test_an_answer_is_no_refusal():
    assert features("x", "You can do that with a hammer.")["refusal"] == 0.0


def test_code_fences_are_counted():
    assert features("x", "```py\npass\n```")["log_code_fences"] == pytest.approx(math.log1p(2))


@given(st.text(), st.text())
def test_any_texts_give_finite_numbers_and_shares_stay_in_range(prompt, response):
    found = features(prompt, response)
    assert np.isfinite(list(found.values())).all()
    assert all(
        0.0 <= value <= 1.0 for name, value in found.items() if name.endswith(("_share", "_coverage", "refusal"))
    )


def test_no_text_is_all_zero():
    assert surface_features("a prompt", "  \n ").tolist() == [0.0] * len(FEATURES)
