"""Planted items must be found, unrelated text must not; the floors are measured figures, rounded down."""

import gzip
import json
import pickle
import random
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairsmith.formats.benchmarks import read_benchmark
from pairsmith.measures.compiled import has_numba
from pairsmith.measures.contamination import PART_SEPARATOR, ContaminationIndex, build_index, find_all
from pairsmith.measures.hashing import concatenate, hash_words, joined_words
from pairsmith.measures.text import words

ITEM = (
    "A farmer keeps 24 hens in the yard and every hen lays five eggs a week. If he sells a dozen eggs for 3 dollars "
    "on the market, how much does he earn in four weeks?"
)
FILLER = "the weather was fine that year and nobody in the village could remember a better harvest than this one "


@pytest.fixture(scope="module")
def index() -> ContaminationIndex:
    return build_index([("farm", ["Predators eat", ITEM, "Name the largest moon of the planet Saturn and its finder"])])


@pytest.mark.parametrize(
    ("text", "method"),
    [
        (ITEM, "exact"),
        (ITEM.upper().replace(" ", "  \n"), "exact"),
        (ITEM.replace("e", "\u0435").replace("a", "\u0430"), "exact"),
        (f"{FILLER}\n\n> {ITEM}\n\n{FILLER}", "contained"),
        (ITEM.replace("yard", "garden").replace("market", "square"), "ngram"),
        (ITEM[: len(ITEM) * 65 // 100], "ngram"),
        ("predators EAT!", "exact"),
    ],
)
def test_what_is_found(index: ContaminationIndex, text: str, method: str) -> None:
    hit = index.find({"prompt": "Tell me more.", "chosen": text, "rejected": "No."})
    assert hit is not None
    assert (hit.benchmark, hit.field, hit.method) == ("farm", "chosen", method)
    assert hit.text == ("Predators eat" if "redators" in text else ITEM)
    assert (hit.score == 1.0) == (method != "ngram")
    assert 0.5 < hit.score <= 1.0


@pytest.mark.parametrize(
    "text",
    [
        "A farmer keeps 24 hens in the yard and sells them.",
        "A farmer in a yard keeps some hens; 24 of them lay eggs, which he sells by the dozen for dollars each week.",
        "We learn today what predators eat",
        "",
        "?!",
        FILLER * 20,
    ],
)
def test_what_is_not_found(index: ContaminationIndex, text: str) -> None:
    assert index.find({"prompt": text}) is None


def test_score_and_span_of_a_partial_match(index: ContaminationIndex) -> None:
    tokens = words(ITEM)
    part = " ".join(tokens[5:25])
    hit = index.find({"prompt": f"{FILLER} -- {part}! -- {FILLER}"})
    assert hit is not None
    assert hit.score == pytest.approx(20 / len(tokens))
    assert words(hit.span) == tokens[5:25]


def test_the_span_keeps_the_spelling_of_the_field(index: ContaminationIndex) -> None:
    loud = ITEM.upper()
    hit = index.find({"prompt": f"Solve this: {loud} Thanks!"})
    assert hit is not None
    assert hit.span == loud


def test_coverage_counts_each_word_once() -> None:
    """Against the definition, with a repetitive item and overlapping n-grams."""
    item = "a b c d e f g h i j k l a b c d e f x y m n o p q r s t u v"  # 30 words: `coverage` alone decides
    for text in ("c d e f g h i j k l a b c d", "a b c d e f g h i j", "e f x y", "l a b c d e f x"):
        hit = build_index([("b", [item])], ngram=4, coverage=0.01).find({"prompt": text})
        expected = coverage(item.split(), text.split(), 4)
        assert (hit.score if hit else 0.0) == pytest.approx(expected)


def coverage(item: list[str], text: list[str], n: int) -> float:
    grams = {tuple(text[i : i + n]) for i in range(len(text) - n + 1)}
    covered = {i + k for i in range(len(item) - n + 1) if tuple(item[i : i + n]) in grams for k in range(n)}
    return len(covered) / len(item)


def test_turns_are_looked_for_by_themselves() -> None:
    first = "Write a short poem about the sea in winter."
    second = "Now translate that poem into German and explain every choice of word you made."
    index = build_index([("chat", [f"{first}{PART_SEPARATOR}{second}", f"Hello there you{PART_SEPARATOR}Be brief."])])
    for text in (first, second, f"Good morning.{PART_SEPARATOR}{first}", f"{FILLER} {second}"):
        hit = index.find({"prompt": text})
        assert hit is not None
        assert hit.item == 0
        assert PART_SEPARATOR not in hit.text
    assert index.find({"prompt": "Be brief."}) is None


def test_a_docstring_alone_is_found() -> None:
    code = (
        "from typing import List\n\ndef rescale(numbers: List[float]) -> List[float]:\n"
        '    """ Given list of numbers (of at least two elements), apply a linear transform to that list,\n'
        "    such that the smallest number will become 0 and the largest will become 1\n"
        "    >>> rescale([1.0, 2.0, 3.0, 4.0, 5.0])\n    [0.0, 0.25, 0.5, 0.75, 1.0]\n"
        "    >>> rescale([2.0, 49.9, 3.0, 4.0, 5.0, 6.0, 7.0])\n    [0.0, 1.0, 0.02, 0.04, 0.06, 0.08, 0.1]\n"
        '    """\n'
    )
    prose = code.split('"""')[1].split(">>>")[0]
    hit = build_index([("code", [code])]).find({"prompt": f"Please do this in Rust: {prose}"})
    assert hit is not None
    assert hit.method == "contained"


def test_counts_of_the_index(index: ContaminationIndex) -> None:
    assert index.summary() == [
        {"name": "farm", "items": 3, "short_items": 1, "empty_items": 0, "repeated_items": 0},
    ]
    odd = build_index([("a", ["", "?!", "same words", "Same, words!"]), ("b", [])])
    assert [(s["items"], s["empty_items"], s["repeated_items"]) for s in odd.summary()] == [(4, 2, 1), (0, 0, 0)]


def test_the_best_hit_wins_whatever_the_order_of_fields() -> None:
    index = build_index([("b", [ITEM, FILLER])])
    fields = {"prompt": ITEM[: len(ITEM) * 65 // 100], "chosen": FILLER, "rejected": ITEM + " " + ITEM}
    hit = index.find(fields)
    assert hit is not None
    assert (hit.field, hit.method) == ("chosen", "exact")
    assert index.find(dict(reversed(fields.items()))) == hit


def test_the_index_travels_to_other_processes(index: ContaminationIndex) -> None:
    batch = [{"prompt": ITEM}, {"prompt": FILLER}, {"chosen": f"{FILLER}{ITEM}"}]
    assert find_all(pickle.loads(pickle.dumps(index)), batch) == find_all(index, batch)


@pytest.mark.parametrize(("ngram", "coverage"), [(1, 0.5), (8, 0.0), (8, 1.1)])
def test_settings_out_of_range(ngram: int, coverage: float) -> None:
    with pytest.raises(ValueError, match="ngram must be"):
        build_index([], ngram=ngram, coverage=coverage)


def test_boilerplate_accuses_nobody() -> None:
    """What many items share weighs little; what one item alone has weighs much."""
    things = ["moon", "tide", "comet", "magnet", "glacier", "volcano", "enzyme", "neutron", "vaccine", "fossil"]
    stem = "Which of the following statements about the behaviour of the"
    items = [f"{stem} {one} near a large {other} is true in general today" for one in things for other in things]
    index = build_index([("quiz", items)])
    assert index.find({"prompt": f"{stem} stock exchange in winter would you call wrong?"}) is None
    hit = index.find({"prompt": items[37].replace("Which", "Hmm, which").replace("today", "")})
    assert hit is not None
    assert hit.item == 37
    alone = build_index([("quiz", items[:1])]).find({"prompt": " ".join(words(items[0])[:11])})
    assert alone is not None, "the same share of a single item, whose words are all its own"
    assert index.find({"prompt": " ".join(words(items[0])[:10])}) is None


def test_short_items_must_be_there_as_a_whole() -> None:
    index = build_index([("b", ["Who painted the ceiling of the chapel?"])])
    assert index.find({"prompt": f"{FILLER} Who painted the ceiling of the chapel? {FILLER}"}) is not None
    assert index.find({"prompt": "Who painted the ceiling of the hall? Who cleaned the ceiling of the chapel?"}) is None
    assert index.find({"prompt": "who painted the ceiling of the old chapel"}) is None


# --------------------------------------------------------------------------------------- the two ways of reading


def test_every_character_is_read_as_in_words() -> None:
    """Plain or not: what is read of a text is what `words` makes of it, for all of Unicode."""
    codes = [*range(0x10000), *range(0x10000, 0x110000, 61), *range(0x1F000, 0x1FC00)]
    texts = [f"a{chr(code)}b {chr(code)}{chr(code)}" for code in codes]
    plain = hash_words(*concatenate(texts))
    joined = hash_words(*concatenate([joined_words(text) for text in texts]), joined=True)
    readable = ~plain.context[joined.texts]
    assert plain.hashes.tolist() == joined.hashes[readable].tolist()
    assert plain.texts.tolist() == joined.texts[readable].tolist()
    assert plain.context[:0x250].sum() < 40, "Latin texts are read plainly"
    assert not plain.context[0x4E00:0x9FFF].any()


PIECES = st.sampled_from(
    [
        *ITEM.split()[:14],
        ITEM,
        "Predators eat",
        PART_SEPARATOR,
        "\u2019s",
        "e\u0301",
        "\u0430",
        "\U0001f600",
        "今天",
        "ß",
        ",\u200b",
    ]
)


@pytest.mark.skipif(not has_numba(), reason="needs the extra `fast`")
@given(st.lists(st.one_of(st.text(max_size=6), st.lists(PIECES, max_size=40).map(" ".join)), max_size=8))
def test_compiled_and_numpy_find_the_same(texts: list[str]) -> None:
    index = build_index(
        [("farm", ["Predators eat", ITEM, "今天的天气怎么样我们去公园", f"{ITEM[:60]}{PART_SEPARATOR}{ITEM[60:]}"])],
        coverage=0.2,
    )
    batch = [{"prompt": text} for text in texts]
    assert find_all(index, batch, compiled=True) == find_all(index, batch, compiled=False)


@pytest.mark.skipif(not has_numba(), reason="needs the extra `fast`")
def test_compiled_and_numpy_find_the_same_in_real_text(shared_data: Path, real_index: ContaminationIndex) -> None:
    path = shared_data / "derived" / "planted_contamination.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        batch = [{"prompt": json.loads(line)["prompt"]} for line in file]
    hits = find_all(real_index, batch, compiled=True)
    assert hits == find_all(real_index, batch, compiled=False)
    assert hits == [real_index.find(fields) for fields in batch], "one by one as all at once"


# ------------------------------------------------------------------------------------------------ real benchmarks


@pytest.fixture(scope="module")
def real_index(shared_data: Path) -> ContaminationIndex:
    folder = shared_data / "benchmarks"
    files = ["gsm8k_test.jsonl.gz", "HumanEval.jsonl.gz", "SVAMP.json", "ifeval_input_data.jsonl.gz", "mbpp.jsonl.gz"]
    files += ["hellaswag_val_1000.jsonl.gz", "TruthfulQA.csv.gz", "mt_bench_question.jsonl"]
    files += [f"decon_mmlu_test-{part}.jsonl.gz" for part in (1, 2, 3)]
    read = [read_benchmark(folder / file) for file in files]
    return build_index([(benchmark.name, benchmark.items) for benchmark in read])


# Measured on the 2,956 rows of derived/planted_contamination.jsonl.gz against the 11 files above.
FLOORS = {
    "exact": 1.0,
    "case_punct_space": 1.0,
    "fullwidth_unicode": 1.0,
    "html_markdown": 1.0,
    "wrapped": 1.0,
    "sentences_rotated": 1.0,
    "first_60pct": 0.93,  # "Write a python function to find the cube" accuses nobody
    "options_shuffled": 0.93,
    "identifier_renamed": 0.93,
    "last_60pct": 0.9,
    "typos_4pct": 0.9,
}
PARAPHRASES_FOUND = 6 / 90


def test_recall_of_planted_items_and_false_positives(shared_data: Path, real_index: ContaminationIndex) -> None:
    found: defaultdict[str, list[bool]] = defaultdict(list)
    with gzip.open(shared_data / "derived" / "planted_contamination.jsonl.gz", "rt", encoding="utf-8") as file:
        for row in map(json.loads, file):
            found[row["kind"]].append(real_index.find({"prompt": row["prompt"]}) is not None)
    recall = {kind: sum(hits) / len(hits) for kind, hits in found.items()}
    assert {kind: recall[kind] for kind, floor in FLOORS.items() if recall[kind] < floor} == {}
    # They share no 8-gram with a benchmark; but one holds a whole question of TruthfulQA: "what time is it right now".
    assert recall["clean"] <= 1 / 2446
    assert recall["rephrased"] == PARAPHRASES_FOUND, "better than documented: update docs/reference and this number"


PLANTS: dict[str, tuple[float, Callable[[str, random.Random], str]]] = {
    "in_response": (1.0, lambda text, rng: f"Sure! {FILLER * rng.randrange(3)}{text}\n\n{FILLER}"),
    "homoglyph": (1.0, lambda text, _: "".join({"a": "а", "e": "е", "o": "о"}.get(c, c) for c in text)),
    "two_words_edited": (0.98, lambda text, rng: replace_words(text, rng, 2)),
    "half": (0.96, lambda text, _: " ".join(text.split()[: -(-len(text.split()) // 2)])),
    "one_word_in_ten_edited": (0.96, lambda text, rng: replace_words(text, rng, len(text.split()) // 10)),
}


def replace_words(text: str, rng: random.Random, count: int) -> str:
    tokens = text.split()
    for place in rng.sample(range(len(tokens)), count):
        tokens[place] = "zebra"
    return " ".join(tokens)


@pytest.mark.parametrize("kind", PLANTS)
def test_recall_of_more_kinds(shared_data: Path, real_index: ContaminationIndex, kind: str) -> None:
    floor, plant = PLANTS[kind]
    rng = random.Random(kind)
    items = rng.sample(read_benchmark(shared_data / "benchmarks" / "gsm8k_test.jsonl.gz").items, 200)
    hits = [real_index.find({"chosen": plant(item, rng)}) for item in items]
    assert sum(hit is not None for hit in hits) / len(items) >= floor


def test_real_leaks_from_arena_into_mt_bench(shared_data: Path, real_index: ContaminationIndex) -> None:
    path = shared_data / "contamination" / "routellm_mt_bench_contaminated_prompts.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    hits = [real_index.find({"prompt": row["train_prompt"]}) for row in rows]
    assert [hit.benchmark for hit in hits if hit] == ["mt_bench_question"] * 8


def test_unrelated_prompts_and_speed(shared_data: Path, real_index: ContaminationIndex) -> None:
    texts = []
    for path in sorted((shared_data / "prompts" / "gpteacher").glob("*.gz")):
        rows = json.loads(gzip.decompress(path.read_bytes()))
        texts += [f"{row['instruction']}\n{row['input']}" for row in rows]
    flagged = sum(real_index.find({"prompt": text}) is not None for text in texts)
    assert flagged / len(texts) < 0.006, "of synthetic code and role-play prompts, some of them near MBPP's wording"
    tokens = " ".join(texts).split()
    fields = [" ".join(tokens[start : start + 120]) for start in range(0, 120_000, 120)]
    start = time.process_time()
    find_all(real_index, [{"prompt": text} for text in fields])
    assert (time.process_time() - start) / len(fields) < 400e-6, "about 60 us on a quiet core"
