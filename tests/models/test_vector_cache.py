"""Vectors are asked for once; the file that keeps them may be deleted, and belongs to one model."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from pairsmith.errors import ModelUnavailable, UsageError
from pairsmith.models.protocols import Embedder
from pairsmith.models.vector_cache import CachedEmbedder


class Counting:
    """Vectors made from letters; remembers what it was asked, and may go down."""

    def __init__(self, revision: str = "r1", down_after: int = 10**9) -> None:
        self.name, self.revision = "counting", revision
        self.asked: list[str] = []
        self.down_after = down_after

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        if len(self.asked) >= self.down_after:
            raise ModelUnavailable("the server went away")
        self.asked += texts
        return np.array([[len(text), text.count("a")] for text in texts], dtype=np.float32).reshape(-1, 2)


def test_each_text_is_asked_for_once_and_comes_back_to_the_last_bit(tmp_path: Path):
    first, second = Counting(), Counting()
    texts = ["abc", "", "aa", "abc", "x\ud83d"]
    vectors = CachedEmbedder(first, tmp_path).embed(texts)
    again = CachedEmbedder(second, tmp_path).embed(texts[::-1])
    assert first.asked == ["abc", "", "aa", "x\ud83d"]
    assert second.asked == []
    assert vectors.tobytes() == again[::-1].tobytes() == Counting().embed(texts).tobytes()
    assert isinstance(CachedEmbedder(first, tmp_path), Embedder)


def test_another_revision_starts_afresh(tmp_path: Path):
    CachedEmbedder(Counting(), tmp_path).embed(["a"])
    other = Counting("r2")
    CachedEmbedder(other, tmp_path).embed(["a"])
    assert other.asked == ["a"]
    assert len(list(tmp_path.glob("vectors-*.sqlite"))) == 2


def test_what_came_before_the_server_went_away_is_kept(tmp_path: Path):
    texts = [f"text {number}" for number in range(600)]
    with pytest.raises(ModelUnavailable, match="went away"):
        CachedEmbedder(Counting(down_after=1), tmp_path).embed(texts)
    later = Counting()
    CachedEmbedder(later, tmp_path).embed(texts)
    assert later.asked == texts[512:]


def test_no_texts_have_dimensions_too(tmp_path: Path):
    assert CachedEmbedder(Counting(), tmp_path).embed([]).shape == (0, 2)


def test_a_file_that_is_none_of_ours_is_named(tmp_path: Path):
    CachedEmbedder(Counting(), tmp_path).embed(["a"])
    (path,) = tmp_path.glob("vectors-*.sqlite")
    path.write_bytes(b"this is no database, only words about one" * 20)
    with pytest.raises(UsageError, match="delete this file, it only saves time"):
        CachedEmbedder(Counting(), tmp_path).embed(["a"])
