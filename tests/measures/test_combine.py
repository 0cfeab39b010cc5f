"""Scores calibrated on people, and both combined: planted curves, real reward models, and what is refused."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import isotonic_regression

from pairsmith.measures.calibration import sigmoid
from pairsmith.measures.combine import (
    MIN_LABELS,
    Calibration,
    calibration_figures,
    combine,
    fit_calibration,
    net_win_check,
)
from pairsmith.measures.isotonic import fit_isotonic
from pairsmith.measures.score_curve import CurveKind, curve_probability, fit_curve

KINDS: tuple[CurveKind, ...] = ("temperature", "isotonic")


def planted(n: int, temperature: float, *, level: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 3 * temperature, n)
    probability = 0.5 + level * (sigmoid(scores / temperature) - 0.5)
    return scores, (rng.random(n) < probability).astype(float)


@pytest.mark.parametrize("temperature", [0.02, 1.0, 500.0])
def test_a_logistic_score_is_recovered_on_any_scale(temperature: float) -> None:
    scores, outcomes = planted(4000, temperature)
    found = fit_calibration(scores, outcomes, seed=1, replicates=20)
    assert found.curve.temperatures[0] == pytest.approx(temperature, rel=0.1)
    assert found.curve.level > 0.97
    assert found.calibrated
    assert found.ece is not None
    assert found.ece < 0.02
    truth = sigmoid(scores / temperature)
    assert np.abs(combine(found, scores).probability - truth).max() < 0.03


@pytest.mark.parametrize("kind", KINDS)
def test_a_score_that_is_noise_claims_nothing(kind: CurveKind) -> None:
    rng = np.random.default_rng(3)
    found = fit_calibration(rng.normal(0, 10, 2000), rng.integers(0, 2, 2000), seed=1, kind=kind, replicates=5)
    claimed = np.abs(2 * combine(found, rng.normal(0, 10, 500)).probability - 1).mean()
    assert claimed < 0.06
    inverted = fit_calibration(np.arange(-50.0, 50.0), np.arange(100) < 50, seed=1, kind=kind, replicates=5)
    assert combine(inverted, [40.0]).probability[0] == pytest.approx(0.5)  # never trusted for being wrong


def test_the_level_keeps_the_net_win_true_where_small_gaps_are_coins() -> None:
    rng = np.random.default_rng(4)
    scores = rng.normal(0, 2, 4000)
    probability = np.where(np.abs(scores) < 1.5, 0.5, sigmoid(scores))
    outcomes = (rng.random(4000) < probability).astype(float)
    claimed, true, _ = net_win_check(scores, outcomes, seed=1)
    assert claimed == pytest.approx(true, abs=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_exchanging_sides_exchanges_probabilities(kind: CurveKind) -> None:
    scores, outcomes = planted(300, 2.0, level=0.8)
    curve = fit_curve(scores[:, None], outcomes, kind)
    swapped = fit_curve(-scores[:, None], 1 - outcomes, kind)
    p = curve_probability(curve, scores[:, None])
    assert curve_probability(curve, -scores[:, None]) == pytest.approx(1 - p, abs=1e-12)
    assert curve_probability(swapped, -scores[:, None]) == pytest.approx(1 - p, abs=1e-6)
    order = np.argsort(scores)
    assert (np.diff(p[order]) >= -1e-12).all()


def test_several_models_beat_each_one_and_missing_scores_are_no_evidence() -> None:
    rng = np.random.default_rng(5)
    truth = rng.normal(0, 1.5, 3000)
    outcomes = (rng.random(3000) < sigmoid(truth)).astype(float)
    scores = np.stack(
        [truth + rng.normal(0, 1.5, 3000), 40 * (truth + rng.normal(0, 1.5, 3000)), rng.normal(0, 1, 3000)], 1
    )
    scores[rng.random(scores.shape) < 0.2] = np.nan
    together = fit_calibration(scores, outcomes, seed=1, replicates=5)
    alone = [fit_calibration(scores[:, model], outcomes, seed=1, replicates=5) for model in range(3)]
    assert together.nll is not None
    assert all(each.nll is not None and together.nll < each.nll - 0.01 for each in alone)
    assert together.curve.weights[2] < 0.2
    assert together.check is not None
    assert together.check.claimed == pytest.approx(together.check.true, abs=0.02)
    nothing = combine(together, [[np.nan] * 3])
    assert (nothing.probability[0], nothing.low[0], nothing.high[0]) == (0.5, 0, 1)
    assert not nothing.evaluated[0]


def test_votes_add_their_log_odds() -> None:
    scores, outcomes = planted(500, 1.0)
    found = fit_calibration(scores, outcomes, seed=1, replicates=50)
    alone = combine(found, [1.0, np.nan])
    both = combine(found, [1.0, np.nan], [np.log(3), np.log(3)])
    odds = alone.probability[0] / (1 - alone.probability[0])
    assert both.probability[0] == pytest.approx(3 * odds / (1 + 3 * odds))
    assert both.probability[1] == pytest.approx(0.75)
    assert both.evaluated.all()
    assert (both.low <= both.probability).all()
    assert (both.probability <= both.high).all()
    with pytest.raises(ValueError, match="one log-odds per pair"):
        combine(found, [1.0], [0.0, 0.0])


def test_intervals_cover_the_curve_and_shrink_with_labels() -> None:
    covered, widths = [], []
    for seed in range(20):
        scores, outcomes = planted(200, 1.0, seed=seed)
        found = combine(fit_calibration(scores, outcomes, seed=seed, replicates=100), [1.0])
        covered.append(found.low[0] <= sigmoid(1.0) <= found.high[0])
        widths.append(found.high[0] - found.low[0])
    assert np.mean(covered) >= 0.85
    scores, outcomes = planted(5000, 1.0)
    many = combine(fit_calibration(scores, outcomes, seed=1, replicates=50), [1.0])
    assert many.high[0] - many.low[0] < np.mean(widths) / 3


def test_too_few_labels_are_never_called_calibrated() -> None:
    scores, outcomes = planted(MIN_LABELS - 1, 1.0)
    found = fit_calibration(scores, outcomes, seed=1)
    assert not found.calibrated
    assert found.reason == "49 labelled pairs; 50 are needed"
    figures = calibration_figures(found)
    assert figures["nll"]["value"] is None
    assert json.loads(json.dumps(figures))["net_win_error"]["reason"] == found.reason
    applied = combine(found, scores)
    assert (applied.low == 0).all()
    assert (applied.high == 1).all()
    with pytest.raises(ValueError, match="cannot calibrate"):
        Calibration(found.curve, found.n, calibrated=True)
    scores, outcomes = planted(MIN_LABELS, 1.0)
    assert fit_calibration(scores, outcomes, seed=1, replicates=2).calibrated


def test_a_claim_far_from_the_truth_on_unseen_pairs_is_said() -> None:
    # each prompt's pairs agree with each other and say nothing about other prompts
    rng = np.random.default_rng(1)
    groups = [f"prompt {index // 20}" for index in range(120)]
    scores = np.repeat([3.0, 3.0, 3.0, -3.0, 3.0, 3.0], 20) + rng.normal(0, 0.1, 120)
    outcomes = np.repeat([1.0, 1.0, 1.0, 1.0, 0.0, 1.0], 20)
    found = fit_calibration(scores, outcomes, seed=1, groups=groups, replicates=5)
    assert found.check is not None
    assert found.check.error > 0.15
    assert "misses the true one by" in found.warnings[0]
    calm = fit_calibration(*planted(1000, 1.0), seed=1, replicates=5)
    assert not calm.warnings
    one_prompt = fit_calibration(scores[:100], outcomes[:100], seed=1, groups=[*["x"] * 80, *["y"] * 20], replicates=5)
    assert one_prompt.nll is None  # two prompts cannot make five folds


def test_ties_count_half_and_outcomes_are_checked() -> None:
    scores, _ = planted(200, 1.0)
    ties = fit_calibration(scores, np.full(200, 0.5), seed=1, replicates=5)
    assert np.abs(combine(ties, scores).probability - 0.5).max() < 1e-6
    with pytest.raises(ValueError, match="one outcome per pair"):
        fit_calibration(scores, [1.0], seed=1)
    with pytest.raises(ValueError, match="lie in"):
        fit_calibration(scores, np.full(200, 2.0), seed=1)
    with pytest.raises(ValueError, match="finite or NaN"):
        fit_calibration([np.inf], [1.0], seed=1)


def brute_isotonic(y: np.ndarray) -> np.ndarray:
    """max over starts of min over ends of means: the closed form of isotonic regression."""
    n = len(y)
    return np.array([max(min(y[a : b + 1].mean() for b in range(i, n)) for a in range(i + 1)) for i in range(n)])


def test_isotonic_is_its_closed_form() -> None:
    rng = np.random.default_rng(2)
    for _ in range(30):
        y = rng.random(12)
        x = rng.permutation(12).astype(float)
        _, fitted = fit_isotonic(x, y)
        assert fitted == pytest.approx(brute_isotonic(y[np.argsort(x)]))
    knots, fitted = fit_isotonic([1, 1, 2], [0.0, 1.0, 0.2], weights=[1, 1, 2])
    assert knots.tolist() == [1, 2]
    assert fitted == pytest.approx([0.35, 0.35])
    with pytest.raises(ValueError, match="expected n places"):
        fit_isotonic([], [])


@pytest.mark.parametrize("seed", range(5))
def test_isotonic_is_what_scipy_fits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 400
    x, weights = rng.permutation(np.linspace(-3, 3, n)), rng.integers(1, 6, n).astype(float)
    y = (rng.random(n) < sigmoid(2 * x)).astype(float) if seed else np.sort(rng.random(n))[::-1]
    order = np.argsort(x)
    knots, fitted = fit_isotonic(x, y, weights=weights)
    assert knots == pytest.approx(x[order])
    assert fitted == pytest.approx(isotonic_regression(y[order], weights=weights[order]).x, abs=1e-12)
    rounded = np.round(x, 1)  # equal places share one value: fit their means
    knots, fitted = fit_isotonic(rounded, y, weights=weights)
    total = np.array([weights[rounded == place].sum() for place in knots])
    means = np.array([np.average(y[rounded == place], weights=weights[rounded == place]) for place in knots])
    assert fitted == pytest.approx(isotonic_regression(means, weights=total).x, abs=1e-12)


def test_isotonic_follows_a_curve_that_no_temperature_does() -> None:
    """A score that is a coin below 1 and always right above it."""
    rng = np.random.default_rng(8)

    def drawn(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        scores = rng.uniform(-3, 3, n)
        truth = np.where(np.abs(scores) < 1, 0.5, np.where(scores > 0, 0.98, 0.02))
        return scores, (rng.random(n) < truth).astype(float), truth

    scores, outcomes, _ = drawn(600)
    unseen, _, truth = drawn(2000)
    error = {}
    for kind in KINDS:
        fit = fit_calibration(scores, outcomes, seed=1, kind=kind, replicates=20)
        error[kind] = float(np.abs(combine(fit, unseen).probability - truth).mean())
    assert error["isotonic"] < 0.05 < error["temperature"]


REWARD_MODELS = "preferences/judgebench/reward_model_outputs"


def reward_scores(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    pairs = np.array([row["judgments"][0]["judgment"]["scores"] for row in rows])
    return pairs[:, 0] - pairs[:, 1], np.array([row["label"] == "A>B" for row in rows], dtype=float)


def test_claimed_net_win_of_real_reward_models_is_true_on_unseen_halves(shared_data: Path) -> None:
    files = sorted((shared_data / REWARD_MODELS).iterdir())
    assert len(files) == 5
    for path in files:
        scores, outcomes = reward_scores(path)
        for kind in KINDS:
            claimed, true, error = net_win_check(scores, outcomes, seed=1, kind=kind, halves=40)
            assert abs(claimed - true) < 0.05, path.name
            assert error < 0.15, path.name  # of one half of 101 pairs, whose own standard error is about 0.1
        uncalibrated = np.tanh(np.abs(scores) / 2).mean()
        if "internlm" not in path.name:
            assert uncalibrated - true > 0.4  # what T = 1 claims
