import random

import pytest

from pairsmith.measures.artefacts import WARNINGS, length_auc, length_summary, looped_share, text_warnings

PROSE = (
    "The river rises in the hills and runs past the old town before it meets the sea in a wide and quiet bay. "
    "Fishermen mend their nets there, while children collect shells and gulls wait on every roof for something to eat. "
)


@pytest.mark.parametrize(
    ("code", "prompt", "chosen", "rejected"),
    [
        ("looped", "Go on.", "and then he said " * 30 + "so.", "Fine."),
        ("unbalanced_fence", "Code?", "```python\nprint(1)\n", "Fine."),
        ("truncated", "Story?", PROSE + "After that the people who lived there", "Fine."),
        ("prompt_echo", "Please tell me the story of the river again.", "Fine.",
         "Please tell me the story of the river again. It rises in the hills."),
        ("answer_in_prompt", f"Correct this text: {PROSE}", PROSE, "Fine."),
        ("refusal_chosen", "How do I boil an egg?", "I'm sorry, but I can't help with that.", "Six minutes."),
        ("special_tokens", "Hello <|im_start|>", "Fine.", "Well."),
        ("special_tokens", "Hello", "Fine. [INST] more [/INST]", "Well."),
    ],
)  # fmt: skip
def test_each_warning(code: str, prompt: str, chosen: str, rejected: str) -> None:
    assert text_warnings(prompt, chosen, rejected) == [code]
    assert code in WARNINGS


@pytest.mark.parametrize(
    ("chosen", "rejected"),
    [
        ("Paris.", "London."),
        ("```python\nprint(1)\n```", "Use print."),
        (PROSE, "- one\n- two\n- three"),
        ("I cannot recommend this book enough.", "Sorry to hear that. Drink some tea."),
        ("if a < s > b or <br> then </p>", "plain"),
    ],
)
def test_ordinary_responses_get_none(chosen: str, rejected: str) -> None:
    assert text_warnings("What do you think of it?", chosen, rejected) == []


def test_looped_share() -> None:
    assert looped_share(PROSE) == 0.0
    assert looped_share("no " * 10) == 0.0
    assert looped_share("no " * 100) > 0.95


def test_length_auc_equals_counting() -> None:
    rng = random.Random(0)
    a, b = ([rng.randrange(12) for _ in range(40)] for _ in range(2))
    counted = sum((x > y) + 0.5 * (x == y) for x in a for y in b) / (40 * 40)
    assert length_auc(a, b) == pytest.approx(counted)
    assert length_auc([], []) is None


def test_length_summary() -> None:
    figures = length_summary([10, 30, 5, 8], [10, 10, 10, 9], [0.5, 1.0, 0.2, None], seed=1)
    assert figures["chosen_longer"]["value"] == pytest.approx(1 / 3)
    assert figures["chosen_longer"]["n"] == 3
    assert figures["gap_length_matched"] == {"value": 0.5, "interval": None, "n": 1, "reason": ""}
    assert sum(figures["chosen"]["counts"]) == 4
    edges, counts = figures["rejected"]["edges"], figures["rejected"]["counts"]
    assert counts[edges.index(10)] == 3
    assert counts[edges.index(5)] == 1


def test_length_summary_of_nothing_says_why() -> None:
    figures = length_summary([], [], [], seed=1)
    for name in ("chosen_longer", "auc", "gap_length_matched"):
        assert figures[name]["value"] is None
        assert figures[name]["reason"]
