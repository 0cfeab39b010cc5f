"""A judge that looks at the surface is found out; one that reads is not."""

import numpy as np
import pytest

from pairsmith.measures.style_head import MIN_VERDICTS, style_explained
from pairsmith.measures.surface import FEATURES

RNG = np.random.default_rng(1)
N = 400
X = RNG.normal(size=(N, len(FEATURES)))
PROMPTS = [str(number // 2) for number in range(N)]


def test_a_judge_of_style_is_reproduced():
    verdicts = np.sign(X[:, 0] + 0.5 * X[:, 6] + 0.5 * X[:, 8])
    found = style_explained(X, verdicts, PROMPTS, seed=1)
    assert found["value"] > 0.93
    assert found["judges_by_style"] is True
    assert 0.7 < found["length_alone"] < found["value"]


def test_a_judge_of_content_is_a_coin_to_the_head():
    runs = [style_explained(X, RNG.choice([-1, 1], N), PROMPTS, seed=seed) for seed in range(10)]
    assert np.mean([run["value"] for run in runs]) == pytest.approx(0.5, abs=0.03)
    assert not any(run["judges_by_style"] for run in runs)


def test_verdicts_for_neither_side_do_not_count():
    verdicts = np.sign(X[:, 0])
    verdicts[:100] = 0
    verdicts[100:120] = np.nan
    assert style_explained(X, verdicts, PROMPTS, seed=1)["n"] == N - 120


def test_too_few_are_not_evaluated():
    few = style_explained(X[: MIN_VERDICTS - 1], np.ones(MIN_VERDICTS - 1), PROMPTS[: MIN_VERDICTS - 1], seed=1)
    assert few["value"] is None
    one_prompt = style_explained(X, np.ones(N), ["same"] * N, seed=1)
    assert "1 prompts" in one_prompt["reason"]


def test_exchanging_the_sides_changes_nothing():
    verdicts = np.sign(X[:, 0] + RNG.normal(size=N))
    turn = RNG.choice([-1.0, 1.0], N)
    plain, turned = (
        style_explained(x, v, PROMPTS, seed=1) for x, v in ((X, verdicts), (X * turn[:, None], verdicts * turn))
    )
    assert plain["value"] == pytest.approx(turned["value"])
