"""The bars of the stages after the n-grams, on real benchmarks and texts; figures: docs/reference/benchmarks.md."""

import random
from pathlib import Path

import pytest

from benchmarks.contamination_recall import (
    CHOSEN_ON,
    SEEDS,
    Benchmarks,
    Search,
    accused,
    benchmarks_in,
    hard_negatives,
    labelled,
    plants,
    rephrased,
    texts_in,
)
from pairsmith.measures.text import words
from pairsmith.models.minilm import MiniLMEmbedder
from tests.models.test_embedders import minilm

__all__ = ["minilm"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def real(shared_data: Path) -> Benchmarks:
    return benchmarks_in(shared_data)


@pytest.fixture(scope="module")
def generic(shared_data: Path) -> list[str]:
    found = texts_in(shared_data / "prompts", ("gpteacher", "oasst", "self_instruct", "vicuna", "clinc"))[1::2]
    return found + texts_in(shared_data / "preferences", ("hh_rlhf", "fine_grained", "pandalm/testset"))[1::2]


def test_three_words_in_ten_replaced(real: Benchmarks, generic: list[str]) -> None:
    rng = random.Random(f"{SEEDS['held-out']} slow")
    pool = [item for name, items in real if name not in CHOSEN_ON for item in items if len(words(item)) >= 12]
    edit = plants(generic)["edit30"]
    hits = Search(real, near=True, embedder=None).find([edit(item, rng) for item in rng.sample(pool, 400)])
    assert sum(hit is not None for hit in hits) / len(hits) >= 0.95


def test_clean_texts_are_left_alone(real: Benchmarks, generic: list[str]) -> None:
    search = Search(real, near=True, embedder=None)
    assert len(accused(search, generic)) / len(generic) <= 0.002
    assert len(hard_negatives(search, real, "gsm8k_test")) / len(dict(real)["gsm8k_test"]) <= 0.002


def test_real_leaks_and_labelled_rows(real: Benchmarks, shared_data: Path) -> None:
    found = labelled(Search(real, near=True, embedder=None), shared_data)
    assert found["arena_leaks"] == [8, 8]
    assert all(found["planted"][kind]["found"] >= 0.95 for kind in ("exact", "wrapped", "typos_4pct", "last_60pct"))


def test_rephrased_by_a_language_model(real: Benchmarks, shared_data: Path, minilm: MiniLMEmbedder) -> None:
    shares = rephrased(Search(real, near=True, embedder=minilm), shared_data, 1)
    assert shares["rephrased_gsm8k"] >= 0.90
