import random

import numpy as np
import pytest

from pairsmith.measures.opposed_examples import Example, ExampleVectors, contradictory_examples
from pairsmith.measures.opposed_texts import same_question

PROMPT = "Write a short note to a neighbour who plays loud music late at night, please."
NEAR = "Write a short note to a neighbour who plays loud music late in the night, please!"
POLITE = "Dear neighbour, could you kindly turn the music down after ten in the evening? Thank you very much."
RUDE = "Turn that awful noise off now or I will call the police and they will take your stereo away."


def test_opposite_preferences_of_near_prompts_go_to_review():
    (conflict,) = contradictory_examples(
        [Example("1", PROMPT, POLITE, RUDE), Example("2", NEAR, RUDE, POLITE + " Bye.")]
    )
    assert (conflict.subjects, conflict.targets, conflict.resolution) == (("1", "2"), ("1", "2"), "review")
    (pair,) = conflict.evidence["pairs"]
    assert pair["examples"] == ["1", "2"]
    assert pair["found_by"] == "words"
    assert 0.5 <= pair["prompt_similarity"] < 1
    assert pair["opposition"] > 0.9


def test_the_few_against_the_many_are_discarded():
    many = [Example(str(number), PROMPT + "!" * number, POLITE, RUDE) for number in range(4)]
    (conflict,) = contradictory_examples([*many, Example("odd", NEAR, RUDE, POLITE)])
    assert (conflict.targets, conflict.resolution) == (("odd",), "discard")
    assert conflict.evidence["pairs_total"] == 4
    heavy = Example("odd", NEAR, RUDE, POLITE, weight=10.0)
    (conflict,) = contradictory_examples([*many, heavy])
    assert (conflict.targets, conflict.resolution) == (("0", "1", "2", "3"), "discard")


@pytest.mark.parametrize(
    "other",
    [
        Example("2", NEAR, POLITE, RUDE),  # the same direction
        Example("2", NEAR, "Play something else.", "Sing along."),  # other responses
        Example("2", NEAR, RUDE, "Sing along with it, as loudly as you can."),  # only one of them crossed
        Example("2", "How do I bake bread without an oven at home?", RUDE, POLITE),  # another prompt
        Example("2", PROMPT, RUDE, POLITE),  # the same pair both ways, which is another kind
        Example("2", NEAR.replace("who plays", "who never plays"), RUDE, POLITE),  # another question
    ],
    ids=["agrees", "other responses", "half crossed", "other prompt", "both ways", "negated"],
)
def test_no_contradiction(other):
    assert not contradictory_examples([Example("1", PROMPT, POLITE, RUDE), other])


def test_responses_that_all_look_alike_have_no_direction():
    text = "The capital of France is the city of Paris, which lies on the river Seine in the north"
    listed = [
        Example("1", PROMPT, text + ".", text + " indeed."),
        Example("2", NEAR, text + " indeed.", text + " also."),
    ]
    assert not contradictory_examples(listed)


def test_numbers_make_another_question():
    assert not same_question("What is 12 + 7?", "What is 12 + 6?")
    listed = [Example("1", "What is 12 + 7?", "19", "18"), Example("2", "What is 12 + 6?", "18", "19")]
    assert not contradictory_examples(listed)


def test_vectors_find_rewordings_and_agree_with_brute_force():
    rng = np.random.default_rng(0)
    prompts, directions = rng.normal(size=(2, 900, 16))
    prompts[600:] = prompts[:300] + 0.05 * rng.normal(size=(300, 16))
    directions[600:] = np.where(np.arange(300)[:, None] % 3 == 0, -1, 1) * directions[:300]
    examples = [Example(f"{n:03}", f"prompt {chr(97 + n % 26)} x{n}", f"yes x{n}", f"no x{n}") for n in range(900)]
    examples = [Example(each.id, "same words", each.chosen, each.rejected) for each in examples]
    conflicts = contradictory_examples(examples, vectors=ExampleVectors(prompts, directions, np.zeros_like(directions)))
    expected = {(f"{n:03}", f"{n + 600:03}") for n in range(0, 300, 3)}
    assert expected <= {each.subjects for each in conflicts}
    unit = prompts / np.linalg.norm(prompts, axis=1, keepdims=True)
    ways = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    total = np.triu((unit @ unit.T >= 0.9) & (ways @ ways.T <= -0.5), 1).sum()
    assert sum(each.evidence["pairs_total"] for each in conflicts) == total


def test_order_does_not_matter_in_large_groups_of_one_template():
    rng = random.Random(3)
    words = [f"word{number}" for number in range(200)]
    listed = []
    for number in range(60):
        good, bad = (" ".join(rng.choices(words, k=25)) for _ in range(2))
        prompt = f"Rewrite the sentence below so that a child of any age can read it with ease: {rng.choice(words)}"
        listed.append(Example(f"{number:02}", prompt, good, bad))
        if number % 10 == 0:
            listed.append(Example(f"{number:02}x", prompt, bad + " so", good))
    found = contradictory_examples(listed)
    assert [each.subjects for each in found] == [(f"{n:02}", f"{n:02}x") for n in range(0, 60, 10)]
    rng.shuffle(listed)
    assert contradictory_examples(listed) == found


def test_ids_must_differ():
    with pytest.raises(ValueError, match="same id"):
        contradictory_examples([Example("1", PROMPT, POLITE, RUDE)] * 2)
