"""The log-probability of a response under a local model, as a scorer and as an annotator."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pytest

from pairsmith.config import AnnotatorConfig, ModelConfig, RuntimeConfig, load_config
from pairsmith.errors import ConfigError, ModelError
from pairsmith.measures.likelihood import token_log_probs
from pairsmith.models.annotators import open_annotator
from pairsmith.models.checking import check_annotator
from pairsmith.models.gguf import output_tensor, read_header, read_matrix
from pairsmith.models.hidden_states import HiddenStates, States
from pairsmith.models.local_worker import _answer, _load
from pairsmith.models.loglik import LoglikScorer
from pairsmith.models.scorers import BatchScorerAnnotator
from pairsmith.models.weights import SMOLLM2, smollm2_path
from pairsmith.records import Candidate, Comparison, Message, Prompt
from tests.models.gguf_files import floats, write_gguf

T = TypeVar("T")
PROMPT = Prompt.of([Message("user", "a or b?")])


class Letters(HiddenStates):
    """Reads a text of the tokens a and b; what it holds before each makes a nine times as probable as b."""

    def __init__(self, limit: int = 9) -> None:
        self._limit = limit
        self.read: list[tuple[tuple[str, ...], str]] = []

    def each(self, items: Sequence[tuple[Sequence[Message], str]], use: Callable[[int, States], T]) -> list[T]:
        found = []
        for place, (turns, text) in enumerate(items):
            self.read.append((tuple(turn.content for turn in turns), text))
            tokens = ["ab".index(letter) for letter in text]
            read = tokens[: self._limit]
            hidden = np.ones((len(read) + 1, 1), dtype=np.float32)
            found.append(use(place, States(hidden, read, len(tokens) - len(read))))
        return found

    def close(self) -> None:
        pass


def model_file(folder: Path) -> Path:
    return write_gguf(folder / "m.gguf", {"token_embd.weight": (0, (2, 1), floats([np.log(9.0), 0.0]))})


def candidate(text: str, context: tuple[Message, ...] = ()) -> Candidate:
    return Candidate.imported(PROMPT.id, text, context=context)


def section_of(path: Path) -> ModelConfig:
    return ModelConfig(kind="local", path=str(path))


def opened(config: AnnotatorConfig, section: ModelConfig | None = None) -> Any:
    sections = {} if section is None else {"small": section}
    return open_annotator(config, {}, seed=0, sections=sections, runtime=RuntimeConfig(workers=1))


def test_the_score_is_the_mean_or_the_sum_over_the_tokens(tmp_path):
    items = [(PROMPT, candidate(text)) for text in ("a", "ab", "bbb")]
    a, b = np.log(0.9), np.log(0.1)
    mean = LoglikScorer("small", model_file(tmp_path), states=Letters())
    assert mean.score_now(items) == pytest.approx([a, (a + b) / 2, b], abs=1e-6)
    total = LoglikScorer("small", model_file(tmp_path), reduction="sum", states=Letters())
    assert total.score_now(items) == pytest.approx([a, a + b, 3 * b], abs=1e-5)


def test_the_response_follows_the_turns_between_it_and_the_prompt(tmp_path):
    states = Letters()
    between = (Message("assistant", "a"), Message("user", "sure?"))
    LoglikScorer("small", model_file(tmp_path), states=states).score_now([(PROMPT, candidate("b", between))])
    assert states.read == [(("a or b?", "a", "sure?"), "b")]


@pytest.mark.parametrize("text", ["", "abababababab"])
def test_a_response_that_is_not_read_whole_has_no_score(tmp_path, text):
    scorer = LoglikScorer("small", model_file(tmp_path), states=Letters(limit=9))
    with pytest.raises(ModelError, match=rf"has {len(text)} tokens, and 1 to 1024.*raise context_tokens"):
        scorer.score_now([(PROMPT, candidate("a")), (PROMPT, candidate(text))])


def test_another_file_reduction_or_window_is_another_revision(tmp_path):
    path = model_file(tmp_path)
    other = write_gguf(tmp_path / "other.gguf", {"token_embd.weight": (0, (2, 1), floats([1.0, 0.0]))})
    scorers = [
        LoglikScorer("small", path, states=Letters()),
        LoglikScorer("small", other, states=Letters()),
        LoglikScorer("small", path, reduction="sum", states=Letters()),
        LoglikScorer("small", path, context_tokens=512, states=Letters()),
        LoglikScorer("small", states=Letters()),
    ]
    assert len({scorer.revision for scorer in scorers}) == 5
    assert scorers[-1].revision.startswith(SMOLLM2.sha256[:12])


def test_its_votes_say_that_they_were_never_compared_with_labels(tmp_path):
    scorer = LoglikScorer("small", model_file(tmp_path), states=Letters())
    annotator = BatchScorerAnnotator(scorer, provenance=scorer.provenance())
    first, second = candidate("aa"), candidate("bb")
    comparison = Comparison.of(first, second)
    sides = (first, second) if comparison.a == first.id else (second, first)
    votes, scores = asyncio.run(annotator.annotate(PROMPT, comparison, *sides))
    assert votes[0].label == ("a" if sides[0] is first else "b")
    assert votes[0].kind == "reward"
    assert votes[0].criteria["calibrated"] is False
    assert votes[0].criteria["signal"] == "mean log-probability"
    assert votes[0].guideline == scorer.revision
    assert {score.scorer for score in scores} == {f"loglik:small@{scorer.revision}"}


def test_it_is_opened_by_its_kind(tmp_path):
    pytest.importorskip("xllamacpp")
    config = AnnotatorConfig(kind="loglik", model="small", options={"reduce": "sum"})
    annotator = opened(config, section_of(model_file(tmp_path)))
    assert annotator.name == "loglik:small"
    assert "/sum/" in annotator.guideline
    assert annotator.describe()["calibrated"] is False
    names = asyncio.run(check_annotator(config, {"small": section_of(tmp_path / "m.gguf")}, RuntimeConfig(), tmp_path))
    assert names == ["loglik:small"]


@pytest.mark.parametrize(
    ("options", "section", "said"),
    [
        ({"reduce": "max"}, ModelConfig(kind="local"), "option 'reduce' cannot be 'max'"),
        ({"temperature": 1}, ModelConfig(kind="local"), "no option 'temperature'"),
        ({}, None, "whose kind is `local`"),
        ({}, ModelConfig(kind="openai", model="m", base_url="http://localhost/v1"), "whose kind is `local`"),
        ({}, ModelConfig(kind="local", path="none.gguf"), "none.gguf cannot be read"),
    ],
)
def test_what_cannot_be_opened_is_said_before_any_work(options, section, said):
    pytest.importorskip("xllamacpp")
    with pytest.raises(ConfigError, match=said):
        opened(AnnotatorConfig(kind="loglik", model="small", options=options), section)


def test_a_model_it_names_must_be_defined(tmp_path):
    (tmp_path / "pairsmith.yaml").write_text("annotate:\n  annotators: [{kind: loglik, model: nobody}]\n")
    with pytest.raises(ConfigError, match="names the model 'nobody'"):
        load_config(tmp_path)


def in_bytes(hidden: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Hidden states as the engine rounds them before it multiplies: 32 at a time to signed bytes."""
    blocks = hidden.reshape(len(hidden), -1, 32)
    step = np.abs(blocks).max(axis=2, keepdims=True) / 127
    rounded = np.round(blocks / step) * step.astype(np.float16).astype(np.float32)
    return np.asarray(rounded.reshape(hidden.shape), dtype=np.float32)


def written(server: Any, question: str, max_tokens: int) -> tuple[str, list[float]]:
    """An answer of the engine, and its own log-probability of each token of the text."""
    asked = {"messages": [{"role": "user", "content": question}], "max_tokens": max_tokens, "cache_prompt": False}
    choice = _answer(server, {**asked, "temperature": 0.8, "seed": 1, "logprobs": True, "top_logprobs": 1})["choices"][
        0
    ]
    told = [token["logprob"] for token in choice["logprobs"]["content"]]
    return choice["message"]["content"], told[:-1] if choice["finish_reason"] == "stop" else told


@pytest.mark.slow
def test_the_log_probabilities_are_the_engines_own():
    """Below 64 tokens the engine attends as it does when it writes; beyond, it rounds in another way by itself."""
    pytest.importorskip("xllamacpp")
    path = smollm2_path()
    server = _load({"path": str(path), "context_tokens": 512, "threads": 1})
    output = read_matrix(path, output_tensor(read_header(path), path))
    scorer = LoglikScorer("small", workers=1)
    for question, length in (("Name three colours.", 20), ("Write two sentences about rain.", 20), ("A poem!", 90)):
        text, told = written(server, question, length)
        prompt = Prompt.of([Message("user", question)])
        item = (prompt, Candidate.imported(prompt.id, text))
        own = scorer.token_log_probs([item])[0]
        assert len(own) == len(told) > length / 2  # and so the text was cut into the tokens it was written in
        assert scorer.score_now([item]) == pytest.approx([np.mean(told)], abs=0.05)
        assert np.abs(own - told).mean() < 0.1
        if length == 20:
            states = scorer._states.each([(prompt.messages, text)], lambda _, read: read)[0]
            np.testing.assert_allclose(own, told, atol=0.15)
            exactly = token_log_probs(in_bytes(states.hidden[:-1]), states.tokens, output)
            np.testing.assert_allclose(exactly, told, atol=0.01)
    asyncio.run(scorer.close())
