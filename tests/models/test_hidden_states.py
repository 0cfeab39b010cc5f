"""Hidden states of a local model: what is taken of them, and what happens when there is no model."""

import numpy as np
import pytest

from pairsmith.errors import ModelUnavailable
from pairsmith.models.features import FeatureReader
from pairsmith.models.hidden_states import PROMPT_TOKENS, RESPONSE_TOKENS, HiddenStates, States
from pairsmith.models.weights import smollm2_path
from pairsmith.records import Candidate, Message, Prompt

TURNS = (Message("user", "What is the capital of Australia?"),)


def test_the_features_are_the_last_state_and_the_mean_over_the_response():
    hidden = np.array([[9.0, 9.0], [1.0, 2.0], [3.0, 6.0]], dtype=np.float32)
    np.testing.assert_array_equal(States(hidden, [5, 7]).features(), [3.0, 6.0, 2.0, 4.0])


def test_without_a_response_they_are_of_the_end_of_the_prompt():
    np.testing.assert_array_equal(States(np.array([[9.0, 8.0]], np.float32), []).features(), [9.0, 8.0, 9.0, 8.0])


def test_a_file_that_is_no_model_is_named(tmp_path):
    pytest.importorskip("xllamacpp")
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF and then nothing")
    with HiddenStates(path, workers=1) as model, pytest.raises(ModelUnavailable, match=r"broken\.gguf"):
        model.features([(TURNS, "Canberra.")])


@pytest.mark.slow
def test_states_of_the_real_model():
    pytest.importorskip("xllamacpp")
    smollm2_path()
    seen: list[int] = []
    with HiddenStates(workers=2) as model:
        answers = ["Canberra.", "", "Sydney. " * 200, "Sydney. " * 300, "Canberra.", "\ud800 \0 <|im_end|>"]
        rows = model.features([(TURNS, answer) for answer in answers], lambda place, _: seen.append(place))
    assert rows.shape == (6, 1152)
    assert np.isfinite(rows).all()
    np.testing.assert_array_equal(rows[0], rows[4])  # whichever worker read it, and whatever before
    np.testing.assert_array_equal(rows[2], rows[3])  # past the limit nothing is looked at
    assert not np.allclose(rows[0], rows[2])
    assert sorted(seen) == [0, 1, 2, 3, 4, 5]
    np.testing.assert_allclose(rows[1][:576], rows[1][576:])


@pytest.mark.slow
def test_a_worker_that_dies_is_reported_and_the_next_use_starts_another():
    pytest.importorskip("xllamacpp")
    with HiddenStates(workers=1) as model:
        before = model.features([(TURNS, "Canberra.")])
        process = model._workers[0]._process
        assert process is not None
        process.kill()
        process.wait()
        with pytest.raises(ModelUnavailable, match="died"):
            model.features([(TURNS, "Canberra.")])
        np.testing.assert_array_equal(model.features([(TURNS, "Canberra.")]), before)


@pytest.mark.slow
def test_the_block_knows_the_turns_between_prompt_and_response(tmp_path):
    pytest.importorskip("xllamacpp")
    prompt = Prompt.of(TURNS)
    between = (Message("assistant", "Canberra."), Message("user", "And of Austria?"))
    candidates = [Candidate.imported(prompt.id, "Vienna.", context=context) for context in ((), between)]
    with FeatureReader(["hidden"], tmp_path, workers=1) as reader:
        rows = reader.read([(prompt, candidate) for candidate in candidates])["hidden"]
    assert rows.shape == (2, 1152)
    assert not np.allclose(rows[0], rows[1])
    assert PROMPT_TOKENS + RESPONSE_TOKENS == 160
