"""Near items: cosines against scikit-learn and plain sums, thresholds by length, and passages side by side."""

import itertools
import math
import pickle
import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairsmith.measures.near_items import (
    GATE,
    LEXICAL,
    POSSIBLE,
    SEMANTIC,
    NearIndex,
    build_near,
    cosines_of,
    decide,
    propose,
    to_embed,
)
from pairsmith.measures.neighbours import build_lexical, nearest_items
from pairsmith.measures.side_by_side import shared_spans
from pairsmith.measures.text import words

ITEM = (
    "A farmer keeps 24 hens in the yard and every hen lays five eggs a week. If he sells a dozen eggs for 3 dollars "
    "on the market, how much does he earn in four weeks?"
)
REWORDED = (
    "In a farmer's yard live 24 hens, and each hen lays five eggs per week. How much does he earn in four weeks if a "
    "dozen eggs sells for 3 dollars on the market?"
)
SIBLING = (
    "On a farm every one of 31 hens lays seven eggs a week. At 8 dollars for a dozen, how much does the farmer earn in "
    "six weeks on the market?"
)
OTHERS = [
    "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May.",
    "Which of the following statements about the boiling point of water at high altitude is correct?",
    "Write a Python function that returns the longest common prefix of a list of strings.",
    "What is the capital?",
]


@pytest.fixture(scope="module")
def index() -> NearIndex:
    return build_near([("farm", [ITEM]), ("rest", OTHERS)])


def plain_cosine(items: list[str], text: str) -> list[float]:
    """The definition, word by word: unknown features lengthen the vector of the text by three tenths of the weight."""

    def features(value: str) -> Counter[tuple[str, ...]]:
        tokens = words(value)
        return Counter([(each,) for each in tokens] + list(itertools.pairwise(tokens)))

    counted = [features(item) for item in items]
    holders = Counter(feature for each in counted for feature in each)
    weight = {feature: math.log((1 + len(items)) / (1 + n)) + 1 for feature, n in holders.items()}
    unknown = 0.3 * (math.log(1 + len(items)) + 1)
    query = {feature: n * weight.get(feature, unknown) for feature, n in features(text).items()}
    length = math.sqrt(sum(value**2 for value in query.values()))
    cosines = []
    for each in counted:
        norm = math.sqrt(sum((n * weight[feature]) ** 2 for feature, n in each.items()))
        dot = sum(query.get(feature, 0.0) * n * weight[feature] for feature, n in each.items())
        cosines.append(dot / (norm * length) if norm and length else 0.0)
    return cosines


@given(st.lists(st.text("ab c", min_size=1, max_size=12), min_size=1, max_size=6), st.text("ab cd", max_size=20))
def test_cosines_are_those_of_the_definition(items: list[str], text: str) -> None:
    found = nearest_items(build_lexical(items), [text], floor=1e-6, most=10)
    wanted = {place: cosine for place, cosine in enumerate(plain_cosine(items, text)) if cosine > 1e-6}
    assert dict(zip(found.items.tolist(), found.cosines.tolist(), strict=True)) == pytest.approx(wanted)
    assert found.cosines.tolist() == sorted(found.cosines.tolist(), reverse=True)


def test_known_words_have_the_weights_of_scikit_learn() -> None:
    text_features = pytest.importorskip("sklearn.feature_extraction.text")
    rng = random.Random(3)
    vocabulary = [f"w{number}" for number in range(40)]
    items = [" ".join(rng.choices(vocabulary, k=rng.randint(3, 30))) for _ in range(50)]
    vectoriser = text_features.TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"\S+").fit(items)
    vectors = vectoriser.transform(items)
    reference = (vectors @ vectors.T).toarray()
    found = nearest_items(build_lexical(items), items, floor=1e-3, most=4)
    for text, item, cosine in zip(found.texts.tolist(), found.items.tolist(), found.cosines.tolist(), strict=True):
        assert cosine == pytest.approx(reference[text, item])
    best = np.sort(reference, axis=1)[:, ::-1][:, :4]
    assert found.cosines.reshape(50, 4) == pytest.approx(best)


def test_the_neighbours_of_a_text_do_not_depend_on_the_other_texts(index: NearIndex) -> None:
    texts = [REWORDED, *OTHERS, "", "Nothing of the kind.", ITEM] * 20
    together = nearest_items(index.lexical, texts, floor=0.01, most=3)
    for place in (0, 5, 7, 64, 100, 159):
        alone = nearest_items(index.lexical, [texts[place]], floor=0.01, most=3)
        chosen = together.texts == place
        assert together.items[chosen].tolist() == alone.items.tolist()
        assert together.cosines[chosen].tobytes() == alone.cosines.tobytes()


@pytest.mark.parametrize(("items", "texts"), [([], ["a b"]), (["a b"], []), (["", "..."], ["a"]), (["a"], ["", "?"])])
def test_nothing_is_near_nothing(items: list[str], texts: list[str]) -> None:
    assert not len(nearest_items(build_lexical(items), texts, floor=0.01).texts)


def test_boilerplate_proposes_nobody_and_costs_nothing() -> None:
    items = [f"Which of the following statements about topic{number} is true?" for number in range(2000)]
    lexical = build_lexical(items)
    found = nearest_items(lexical, ["Which of the following statements is true?"], floor=0.01)
    assert not len(found.texts)
    found = nearest_items(lexical, ["Which of the following statements about topic77 is true?"], floor=0.9)
    assert found.items.tolist() == [77]


def test_a_reworded_item_is_near_by_its_words(index: NearIndex) -> None:
    near = decide(index, [REWORDED], propose(index, [REWORDED]))[REWORDED]
    assert (near.benchmark, near.item, near.method, near.text) == ("farm", 0, "lexical", ITEM)
    assert near.score == near.lexical >= LEXICAL
    assert near.cosine is None


def test_short_texts_and_short_items_are_near_nothing(index: NearIndex) -> None:
    assert "What is the capital?" not in index.passages
    short = "A farmer keeps 24 hens."
    assert not len(propose(index, [short]).texts)


def test_turns_are_passages_of_their_own() -> None:
    turns = ["Write a letter to the mayor about the noise at night.", "Now rewrite the letter as a poem of four lines."]
    index = build_near([("talk", ["\x1e".join(turns)])])
    assert index.passages == ("\n\n".join(turns), *turns)
    near = decide(index, [turns[1]], propose(index, [turns[1]]))[turns[1]]
    assert (near.item, near.text) == (0, turns[1])


def weak_text(index: NearIndex, words_each: int) -> tuple[NearIndex, str]:
    """An item of so many words, and a text of as many that shares just enough of them to be asked about."""
    item = " ".join(f"item{place}" for place in range(words_each))
    text = " ".join(f"item{place}" if place < words_each * 2 // 5 else f"new{place}" for place in range(words_each))
    return build_near([("b", [item]), ("rest", OTHERS)]), text


@pytest.mark.parametrize(("length", "at"), [(30, 0), (60, 0), (12, 1), (10, 1)])
def test_the_fewer_words_the_more_alike_meanings_must_be(index: NearIndex, length: int, at: int) -> None:
    near_index, text = weak_text(index, length)
    found = propose(near_index, [text])
    assert GATE[at] <= found.cosines[0] < LEXICAL
    for cosine, method in (
        (SEMANTIC[at] + 0.001, "semantic"),
        (SEMANTIC[at] - 0.001, "possible"),
        (POSSIBLE[at] + 0.001, "possible"),
        (POSSIBLE[at] - 0.001, None),
        (float("nan"), None),
    ):
        near = decide(near_index, [text], found, np.array([cosine])).get(text)
        assert (near.method if near else None) == method
        assert near is None or (near.score, near.cosine) == (cosine, cosine)


def test_the_embedder_is_asked_only_where_words_leave_it_open(index: NearIndex) -> None:
    near_index, text = weak_text(index, 20)
    texts = [near_index.passages[0], "Something else entirely, about boats and the open sea.", text]
    found = propose(near_index, texts)
    wanted = to_embed(near_index, texts, found)
    assert wanted == sorted([text, near_index.passages[0]])
    cosines = cosines_of(near_index, texts, found, {text: [0.6, 0.8], near_index.passages[0]: [1.0, 0.0]})
    assert cosines[found.texts == 2].tolist() == [pytest.approx(0.6)]
    assert np.isnan(cosines_of(near_index, texts, found, {})).all()


def test_what_is_sure_goes_before_what_is_possible(index: NearIndex) -> None:
    text = "Tell me about the history of sailing boats on the inland lakes of the north."
    found = propose(index, [REWORDED])
    two = found._replace(
        texts=np.array([0, 0]), items=np.array([2, 3]), cosines=np.array([LEXICAL + 0.01, GATE[1] + 0.01])
    )
    near = decide(index, [text], two, np.array([np.nan, 0.89]))[text]
    assert (near.method, near.text) == ("lexical", OTHERS[1])


def test_the_index_travels_to_other_processes(index: NearIndex) -> None:
    again = pickle.loads(pickle.dumps(index))
    assert decide(again, [REWORDED], propose(again, [REWORDED])) == decide(
        index, [REWORDED], propose(index, [REWORDED])
    )


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("The old Man sat.", "a man sat down", (["Man sat."], ["man sat"])),
        ("今天天气很好", "昨天天气很好", (["天天气很好"], ["天天气很好"])),
        ("", "a", ([], [])),
        ("?!", "?!", ([], [])),
        ("def f(x): return x", "def g(x): return x", (["def", "return x"], ["def", "return x"])),
    ],
)
def test_what_two_texts_share(one: str, other: str, shared: tuple[list[str], list[str]]) -> None:
    spans = shared_spans(one, other)
    assert [[text[a:b] for a, b in each] for text, each in zip((one, other), spans, strict=True)] == list(shared)


@given(st.text("ab .", max_size=30), st.text("ab .", max_size=30))
def test_shared_passages_are_apart_and_in_order(one: str, other: str) -> None:
    for text, spans in zip((one, other), shared_spans(one, other), strict=True):
        flat = [edge for span in spans for edge in span]
        assert flat == sorted(flat)
        assert all(0 <= begin < end <= len(text) for begin, end in spans)
    assert [words(one[a:b]) for a, b in shared_spans(one, other)[0]] == [
        words(other[a:b]) for a, b in shared_spans(one, other)[1]
    ]


@pytest.mark.parametrize(
    ("text", "method"),
    [
        (REWORDED, "lexical"),
        (REWORDED.replace("24", "twenty-four").replace("five", "5"), "lexical"),
        (SIBLING, "possible"),
    ],
)
def test_a_problem_with_other_numbers_is_a_sibling(index: NearIndex, text: str, method: str) -> None:
    assert decide(index, [text], propose(index, [text]))[text].method == method
