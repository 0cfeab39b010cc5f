"""Log-probabilities of given tokens, against scipy."""

import numpy as np
import pytest
from scipy.special import log_softmax

from pairsmith.measures.likelihood import token_log_probs


@pytest.mark.parametrize("count", [1, 64, 65, 200])
def test_they_are_those_of_the_softmax(count):
    random = np.random.default_rng(count)
    hidden = random.normal(size=(count, 8)).astype(np.float32)
    output = random.normal(size=(50, 8)).astype(np.float32)
    tokens = random.integers(0, 50, size=count).tolist()
    expected = log_softmax(hidden.astype(float) @ output.astype(float).T, axis=1)[np.arange(count), tokens]
    np.testing.assert_allclose(token_log_probs(hidden, tokens, output), expected, atol=1e-5)


def test_large_logits_neither_overflow_nor_vanish():
    output = np.array([[1.0], [-1.0]], dtype=np.float32)
    hidden = np.array([[500.0], [500.0]], dtype=np.float32)
    np.testing.assert_allclose(token_log_probs(hidden, [0, 1], output), [0.0, -1000.0])


def test_no_tokens_have_no_log_probabilities():
    assert token_log_probs(np.zeros((0, 4), np.float32), [], np.zeros((9, 4), np.float32)).shape == (0,)


@pytest.mark.parametrize(("rows", "tokens"), [(2, [1]), (1, [9]), (1, [-1])])
def test_what_does_not_fit_is_refused(rows, tokens):
    with pytest.raises(ValueError, match=r"do not fit|numbered from 0"):
        token_log_probs(np.zeros((rows, 4), np.float32), tokens, np.zeros((9, 4), np.float32))
