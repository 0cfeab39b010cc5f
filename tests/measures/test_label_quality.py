"""How many labels are right, by the best evidence there is."""

import numpy as np
import pytest

from pairsmith.measures.consensus import one_coin_map
from pairsmith.measures.label_quality import (
    audited_accuracy,
    best_accuracy,
    effective_pairs_figure,
    posterior_accuracy,
)
from pairsmith.measures.vote_table import UNKNOWN, vote_table
from tests.measures.planted import crowd


def test_mean_posterior_is_the_share_of_right_labels() -> None:
    planted = crowd(3000, 30, 4, seed=8)
    found = one_coin_map(vote_table(planted.items, planted.raters, planted.labels, 3))
    assert found.posterior is not None
    figure = posterior_accuracy(found.posterior, found.labels, seed=1)
    assert figure["value"] == pytest.approx((found.labels == planted.truth).mean(), abs=0.02)
    right = found.posterior[np.arange(3000), found.labels]
    assert figure["value"] == pytest.approx(right.mean(), abs=1e-12)
    half = 1.96 * right.std() / np.sqrt(3000)
    assert figure["interval"] == pytest.approx([right.mean() - half, right.mean() + half], abs=half * 0.15)
    assert figure["kind"] == "posterior"


def test_items_without_a_label_do_not_count() -> None:
    figure = posterior_accuracy([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]], [0, UNKNOWN, 1], seed=1)
    assert (figure["value"], figure["n"]) == (pytest.approx(0.85), 2)
    none = posterior_accuracy(np.zeros((2, 2)), [UNKNOWN, UNKNOWN], seed=1)
    assert (none["value"], none["reason"]) == (None, "no item has a label")


def test_an_audit_beats_a_model_and_nothing_is_said_without_either() -> None:
    audit, posterior = audited_accuracy(90, 100), posterior_accuracy([[0.7, 0.3]], [0], seed=1)
    assert best_accuracy([posterior, audit])["value"] == 0.9
    assert best_accuracy([posterior, audit])["others"] == [posterior]
    assert best_accuracy([audited_accuracy(0, 0), posterior])["kind"] == "posterior"
    nothing = best_accuracy([audited_accuracy(0, 0)])
    assert (nothing["value"], nothing["reason"]) == (None, "audit: no label was audited")
    with pytest.raises(ValueError, match="kinds of evidence"):
        best_accuracy([{"value": 1.0}])


def test_effective_pairs_carry_the_interval_over() -> None:
    figure = effective_pairs_figure(1000, audited_accuracy(90, 100))
    assert figure["value"] == pytest.approx(640)
    low, high = audited_accuracy(90, 100)["interval"]
    assert figure["interval"] == pytest.approx([1000 * (2 * low - 1) ** 2, 1000 * (2 * high - 1) ** 2])
    assert effective_pairs_figure(1000, audited_accuracy(0, 0))["value"] is None
