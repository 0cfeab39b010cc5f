"""Planted votes: what it finds, what it refuses to claim, and that it never saw what it is tested on."""

import numpy as np
import pytest

from pairsmith.measures.head_figures import (
    cross_validate,
    head_figures,
    label_level,
    learning_curve,
    length_log_odds,
    verdict,
)
from pairsmith.measures.reward_head import PairTable, fit_head


def planted(n=600, *, signal=1.5, length=0.0, noise_columns=100, per_group=2, seed=0, ties=0.0):
    """Two blocks: three good columns, and many of pure noise; `length` is how much people like it."""
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=(2, n, 3))
    noise = rng.normal(size=(2, n, noise_columns))
    longer = np.sign(first[:, 2] - second[:, 2])
    d = signal * (first[:, 0] - second[:, 0]) + length * longer
    votes = np.zeros((n, 3))
    winner = np.where(rng.random(n) < 1 / (1 + np.exp(-d)), 0, 1)
    winner[rng.random(n) < ties] = 2
    votes[np.arange(n), winner] = 1.0
    groups = tuple(f"prompt {row // per_group}" for row in range(n))
    return PairTable({"good": first, "noise": noise[0]}, {"good": second, "noise": noise[1]}, votes, groups, longer)


def test_the_good_block_is_found_and_the_noise_is_left_out():
    head = fit_head(planted())
    weights = head.blocks["good"].weights / head.blocks["good"].scale * head.fusion["good"] / head.temperature
    assert weights[0] == pytest.approx(1.5, rel=0.2)
    assert abs(weights[1]) < 0.25
    shares = {name: head.fusion[name] * np.std(block.weights) for name, block in head.blocks.items()}
    assert shares["noise"] < 0.1 * shares["good"]


def test_late_fusion_is_nearly_as_good_as_the_good_block_alone():
    table = planted()
    both = head_figures(cross_validate(table, repeats=1).log_odds, table)
    alone = head_figures(cross_validate(table.only(["good"]), repeats=1).log_odds, table)
    assert both["accuracy"]["value"] > alone["accuracy"]["value"] - 0.015


def test_the_figures_of_a_planted_head():
    table = planted(1200, ties=0.2)
    held = cross_validate(table.only(["good"]))
    figures = head_figures(held.log_odds, table, length=held.length)
    truth = 0.5 + 0.5 * np.sign(table.first["good"][:, 0] - table.second["good"][:, 0]) * (2 * table.outcomes - 1)
    assert figures["accuracy"]["value"] == pytest.approx(truth[table.decided].mean(), abs=0.02)
    assert figures["tied_pairs"] == len(table) - table.decided.sum() > 100
    assert figures["ece"]["value"] < figures["ece"]["if_true"] + 0.02
    assert figures["kept"]["adds"]["value"] > 0.03
    assert figures["verdict"] == "better"
    # an independent count of what is kept
    p = 1 / (1 + np.exp(-np.abs(held.log_odds[:, table.decided])))
    assert figures["kept"]["share"]["value"] == pytest.approx((p >= 0.6).mean())


def test_votes_by_chance_are_called_chance():
    """An interval of 95 % is wrong now and then, on either side."""
    said = []
    for seed in range(12):
        table = planted(200, signal=0.0, noise_columns=1, seed=seed).only(["good"])
        held = cross_validate(table, repeats=1)
        said.append(head_figures(held.log_odds, table, length=held.length)["verdict"])
    assert said.count("no better than chance") >= 10


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_votes_for_length_alone_are_called_length(sign):
    table = planted(600, signal=0.0, length=2.0 * sign)
    held = cross_validate(table.only(["good"]), repeats=1)
    figures = head_figures(held.log_odds, table, length=held.length)
    assert figures["accuracy"]["interval"][0] > 0.6
    assert figures["verdict"] == "no better than length"
    assert np.sign(length_log_odds(table) * table.longer).mean() == sign


def test_pairs_of_one_prompt_that_agree_widen_the_interval():
    """Every vote ten times over is no more evidence, though Wilson's interval believes it."""
    once = planted(40, signal=0.3, per_group=1)
    rows = np.repeat(np.arange(40), 10)
    often = once.rows(rows.tolist())
    figures = head_figures(once.longer[rows], often)
    low, high = figures["accuracy"]["clustered_interval"]
    assert high - low > 2 * (figures["accuracy"]["interval"][1] - figures["accuracy"]["interval"][0])


def test_no_prompt_is_judged_by_a_head_that_saw_it():
    """A column that names the prompt's winner is worthless for prompts that were held out."""
    rng = np.random.default_rng(0)
    groups = tuple(f"prompt {row // 4}" for row in range(400))
    names = np.eye(100)[np.arange(400) // 4]
    votes = np.eye(3)[np.repeat(rng.integers(0, 2, 100), 4)]
    table = PairTable({"leak": names}, {"leak": np.zeros((400, 100))}, votes, groups, np.ones(400))
    assert fit_head(table).log_odds(table) @ (votes[:, 0] - votes[:, 1]) > 0
    held = cross_validate(table, repeats=1)
    assert head_figures(held.log_odds, table)["accuracy"]["value"] < 0.6
    seen = [groups & set(table.groups) for _, groups in held.folds]
    assert sum(map(len, seen)) == 100


def test_exchanging_the_sides_reverses_every_verdict():
    table = planted(200)
    swapped = PairTable(table.second, table.first, table.votes[:, [1, 0, 2]], table.groups, -table.longer)
    np.testing.assert_allclose(fit_head(table).log_odds(table), -fit_head(swapped).log_odds(swapped), atol=1e-6)


def test_the_learning_curve_rises_and_ends_where_the_pairs_end():
    curve = learning_curve(planted(400, noise_columns=20).only(["good"]))
    assert [at["pairs"] for at in curve] == [25, 50, 100, 200]
    assert curve[-1]["accuracy"]["value"] > curve[0]["accuracy"]["value"] - 0.02
    assert all(at["accuracy"]["n"] == 400 for at in curve)


def test_prompts_with_many_pairs_are_drawn_from_in_turn():
    """Thirty pairs to a prompt: the first 25 in order would be of one prompt, on which nothing can be held out."""
    curve = learning_curve(planted(300, noise_columns=5, per_group=30).only(["good"]))
    assert [at["pairs"] for at in curve] == [25, 50, 100, 200]
    assert curve[-1]["accuracy"]["value"] > 0.6


def test_levels():
    assert [label_level(n) for n in (0, 49, 50, 199, 200, 399, 400)] == [
        *("refused", "refused", "warn", "warn", "usable", "usable", "good")
    ]


def test_nothing_decided_is_not_evaluated():
    table = planted(20, ties=1.0)
    figures = head_figures(np.zeros(20), table)
    assert figures["accuracy"]["value"] is None
    assert figures["verdict"] == verdict(figures) == "not evaluated"
