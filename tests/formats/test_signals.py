import pytest

from pairsmith.formats.rows import BadRow
from pairsmith.formats.signals import Signal, read_signal


@pytest.mark.parametrize(
    ("values", "kind", "value"),
    [
        ({}, "none", None),
        ({"chosen": "x" * 900, "rejected": "y"}, "none", None),
        ({"gap": 0.3, "votes": {"chosen": 1}, "score_chosen": 3, "score_rejected": 1}, "gap", 0.3),
        ({"votes": {"chosen": 3, "rejected": 1}, "score_chosen": 3, "score_rejected": 1}, "votes", 0.5),
        ({"votes": {"chosen": 1, "both_bad": 2, "unsure": 1}}, "votes", 0.25),
        ({"score_chosen": 3, "score_rejected": 1, "margin": 2}, "scores", None),
        ({"score_chosen": 3, "margin": 2}, "margin", 2),
        ({"score_chosen": "", "score_rejected": "", "margin": " 2.5e-1 "}, "margin", 0.25),
        ({"preference_strength": -2}, "strength", -2),
        ({"gap": None, "votes": {"chosen": 1}}, "none", None),
    ],
)
def test_the_first_signal_there_is_counts(values, kind, value):
    signal = read_signal(1, values)
    assert isinstance(signal, Signal)
    assert (signal.kind, signal.value) == (kind, value)


@pytest.mark.parametrize(
    "score", ["9/10", "1_0", "nan", "٣", True, [1], float("inf"), pytest.param(10**400, id="huge")]
)
def test_what_is_not_a_finite_number_is_a_bad_row(score):
    found = read_signal(7, {"score_chosen": score, "score_rejected": 1})
    assert isinstance(found, BadRow)
    assert (found.line, found.field, found.reason) == (7, "score_chosen", "score_not_a_number")


def test_of_several_votes_of_one_annotator_the_last_counts():
    votes = [{"annotator": 1, "label": "tie"}, {"annotator": 2, "vote": "chosen"}, {"annotator": 1, "label": "chosen"}]
    signal = read_signal(1, {"votes": votes})
    assert isinstance(signal, Signal)
    assert signal.votes == (2, 0, 0)
