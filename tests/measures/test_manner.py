"""The manner of a response: finite for any text, and each kind of column sees what it is named after."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairsmith.measures.manner import MANNER, manner_features


def column(name: str, response: str, prompt: str = "Tell me something.") -> float:
    return float(manner_features(prompt, response)[MANNER.index(name)])


@given(st.text(), st.text())
def test_finite_for_any_two_texts(prompt, response):
    row = manner_features(prompt, response)
    assert row.shape == (len(MANNER),)
    assert np.isfinite(row).all()


@pytest.mark.parametrize(
    ("name", "yes", "no"),
    [
        ("apology", "I'm sorry to hear that.", "Here it is."),
        ("declining", "I can’t tell you.", "I can tell you."),
        ("asking_back", "Why do you ask?", "It is blue."),
        ("warning", "That is illegal.", "That is fine."),
        ("hedge", "Perhaps it is.", "It is."),
        ("log_placeholders", "Dear [Your Name],", "Dear Ann,"),
        ("log_markers", "Output: 3", "3"),
        ("beyond_ascii", "naïve", "naive"),
        ("prompt_repeated", "something", "anything"),
        ("log_characters_past_640", "word " * 200, "word " * 100),
    ],
)
def test_a_column_sees_what_it_is_named_after(name, yes, no):
    assert column(name, yes) > column(name, no)


def test_a_looped_text_compresses():
    assert column("compressibility", "the same again " * 30) < 0.5 * column("compressibility", "The quick brown fox.")


def test_length_counts_only_where_the_prompt_wants_it():
    assert column("length_times_question", "Some answer.", "Is it so?") > 0
    assert column("length_times_question", "Some answer.", "Write it.") == 0
