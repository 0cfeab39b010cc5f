"""Blocks of features: what is read, what is kept, and what a lost or damaged cache costs."""

import numpy as np
import pytest

from pairsmith.errors import UsageError
from pairsmith.models import features
from pairsmith.models.features import BLOCKS, CACHE_FILE, FeatureReader, columns_of
from pairsmith.records import Candidate, Message, Prompt

PROMPT = Prompt.of([Message("user", "Name a colour.")])


def item(text: str, prompt: Prompt = PROMPT, context: tuple[Message, ...] = ()) -> features.Item:
    return prompt, Candidate.imported(prompt.id, text, context=context)


class Counted(FeatureReader):
    """Counts texts instead of reading them with a model."""

    def __init__(self, cache):
        super().__init__((), cache)
        self.blocks = ("hidden",)
        self.computed: list[str] = []

    def _compute(self, block, items):  # noqa: ARG002 - as in the class above
        self.computed += [candidate.text for _, candidate in items]
        return np.array([[len(candidate.text), 0.5] for _, candidate in items], dtype=np.float32)


def test_blocks_that_need_no_model():
    with FeatureReader(["surface", "manner", "surface"]) as reader:
        read = reader.read([item("Blue."), item("")])
    assert list(read) == ["surface", "manner"]
    assert {name: rows.shape for name, rows in read.items()} == {
        name: (2, len(columns_of(name))) for name in ("surface", "manner")
    }


def test_nothing_to_read():
    with FeatureReader(["surface"]) as reader:
        assert reader.read([])["surface"].shape == (0, len(columns_of("surface")))


def test_an_unknown_block_is_named_with_the_known_ones():
    with pytest.raises(UsageError, match=f"'bert'.*{', '.join(BLOCKS)}"):
        FeatureReader(["bert"])


def test_what_cost_time_is_computed_once(tmp_path):
    with Counted(tmp_path) as reader:
        first = reader.read([item("one"), item("three")])["hidden"]
    steps: list[int] = []
    with Counted(tmp_path) as reader:
        again = reader.read([item("three"), item("one"), item("new one")], steps.append)["hidden"]
        assert reader.computed == ["new one"]
    np.testing.assert_array_equal(again[[1, 0]], first)
    assert sum(steps) == 3


def test_another_prompt_or_other_turns_are_another_question(tmp_path):
    other = Prompt.of([Message("user", "Name a tree.")])
    with Counted(tmp_path) as reader:
        reader.read([item("oak"), item("oak", other), item("oak", context=(Message("user", "Again."),))])
        assert len(reader.computed) == 3


def test_half_a_character_is_read(tmp_path):
    half = (PROMPT, Candidate("cnd_half", PROMPT.id, "half \ud800"))
    with Counted(tmp_path) as reader:
        assert reader.read([half])["hidden"].shape == (1, 2)
    with FeatureReader(["surface", "manner"]) as plain:
        assert all(np.isfinite(rows).all() for rows in plain.read([half]).values())


def test_another_revision_computes_anew(tmp_path, monkeypatch):
    with Counted(tmp_path) as reader:
        reader.read([item("one")])
    monkeypatch.setitem(features.REVISIONS, "hidden", "another model")
    with Counted(tmp_path) as reader:
        reader.read([item("one")])
        assert reader.computed == ["one"]


def test_an_interrupted_run_keeps_what_it_read(tmp_path):
    class Interrupted(Counted):
        def _compute(self, block, items):
            if self.computed:
                raise KeyboardInterrupt
            return super()._compute(block, items)

    texts = [item(f"text {number}") for number in range(100)]
    with pytest.raises(KeyboardInterrupt), Interrupted(tmp_path) as stopped:
        stopped.read(texts)
    with Counted(tmp_path) as reader:
        reader.read(texts)
        assert len(reader.computed) == 100 - 16


@pytest.mark.parametrize("damage", [b"not a database at all", b""])
def test_a_damaged_cache_is_made_anew(tmp_path, damage):
    (tmp_path / CACHE_FILE).write_bytes(damage)
    with Counted(tmp_path) as reader:
        assert reader.read([item("one")])["hidden"].shape == (1, 2)


def test_minilm_relates_response_and_prompt(tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("tokenizers")
    with FeatureReader(["minilm"], tmp_path) as reader:
        rows = reader.read([item("A colour is blue."), item("The train is late.")])["minilm"]
    assert rows.shape == (2, 769)
    assert rows[0, -1] > rows[1, -1]
    np.testing.assert_allclose(rows[:, 384:768].sum(axis=1), rows[:, -1], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(rows[:, :384], axis=1), 1.0, atol=1e-5)
