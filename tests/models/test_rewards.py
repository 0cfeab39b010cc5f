"""Reward servers in every dialect, in-process reward models behind a stand-in, and batches by length."""

import asyncio
import importlib.util
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pairsmith.config import AnnotatorConfig, ModelConfig, RuntimeConfig
from pairsmith.errors import ConfigError, MissingExtra, ModelError, ModelUnavailable
from pairsmith.models.annotators import open_annotator
from pairsmith.models.batching import Batcher, Item, by_length
from pairsmith.models.fake import FakeServer
from pairsmith.models.fake_faults import Fault, in_order
from pairsmith.models.protocols import Annotator, BatchScorer
from pairsmith.models.reward_model import TransformersReward, folder_revision, load_transformers
from pairsmith.models.reward_server import RewardServer
from pairsmith.models.reward_wire import DIALECTS
from pairsmith.models.scorers import BatchScorerAnnotator
from pairsmith.records import Candidate, Score
from tests.models.scripted import asked

SHORT, LONG = "short", "a response that is a good deal longer than the other one"


def server_of(url: str, dialect: str = "", **more: Any) -> RewardServer:
    section = ModelConfig(model="rm", base_url=url, **more)
    return RewardServer("rm", section, RuntimeConfig(attempts=1, timeout_s=5), dialect=dialect)


def items(*texts: str) -> list[Item]:
    prompt, _, _, _ = asked("x", "y")
    return [(prompt, Candidate.imported(prompt.id, text)) for text in texts]


async def scores_of(server: RewardServer, *texts: str) -> list[float]:
    try:
        return list(await server.score_many(items(*texts)))
    finally:
        await server.close()


@pytest.mark.parametrize(
    ("offered", "found", "scale"),
    [
        (("pooling",), "pooling", None),
        (("classify",), "classify", (0.0, 1.0)),
        (("score",), "score", None),
        (("get_reward",), "openrlhf", None),
        (("pooling", "classify", "score", "get_reward"), "pooling", None),
        (("score", "get_reward"), "score", None),
    ],
)
def test_the_dialect_is_found_by_asking(offered, found, scale):
    with FakeServer(rewards=offered) as fake:
        server = server_of(fake.base_url)
        values = asyncio.run(scores_of(server, LONG, SHORT, "ok"))
        assert server.describe()["dialect"] == found
        assert server.scale == scale
        wanted = [len(text) / 100 for text in (LONG, SHORT, "ok")]
        assert values == pytest.approx([1 / (1 + math.exp(-each)) for each in wanted] if scale else wanted)


@pytest.mark.parametrize("suffix", ["/v1", "", "/get_reward", "/"])
def test_the_address_may_be_given_as_servers_print_it(suffix):
    with FakeServer(rewards=("get_reward",)) as fake:
        assert asyncio.run(scores_of(server_of(fake.base_url.removesuffix("/v1") + suffix), "x" * 50)) == [0.5]


def test_a_dialect_that_was_asked_for_is_the_only_one_tried():
    with FakeServer() as fake:
        server = server_of(fake.base_url, "classify_text")
        assert asyncio.run(scores_of(server, "x" * 78)) == pytest.approx([1 / (1 + math.exp(-1))])
        assert server.describe()["dialect"] == "classify_text"
    with FakeServer(rewards=("pooling",)) as fake, pytest.raises(ModelUnavailable, match="score: HTTP 404"):
        asyncio.run(scores_of(server_of(fake.base_url, "score"), SHORT))


def test_a_server_without_rewards_says_what_was_tried():
    with FakeServer(rewards=()) as fake, pytest.raises(ModelUnavailable) as caught:
        asyncio.run(scores_of(server_of(fake.base_url), SHORT))
    assert all(f"{name}: HTTP 404" in str(caught.value) for name in DIALECTS)


def test_a_key_is_sent_and_never_shown(monkeypatch):
    monkeypatch.setenv("RM_KEY", "sk-very-secret")
    with FakeServer(api_key="sk-very-secret") as fake:
        assert asyncio.run(scores_of(server_of(fake.base_url, api_key_env="RM_KEY"), "x" * 10)) == [0.1]
        with pytest.raises(ModelUnavailable) as caught:
            asyncio.run(scores_of(server_of(fake.base_url), SHORT))
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize("kind", ["status", "truncated", "html", "reset", "invalid_json", "json_array", "empty"])
def test_trouble_is_retried_like_any_other_call(kind):
    with FakeServer(faults=in_order(None, Fault(kind), Fault(kind)), rewards=("score",)) as fake:
        section = ModelConfig(model="rm", base_url=fake.base_url)
        server = RewardServer("rm", section, RuntimeConfig(attempts=4, timeout_s=5), dialect="score")
        server._client._policy = type(server._client._policy)(attempts=4, base_s=0.001)
        assert asyncio.run(scores_of(server, "x" * 20)) == [0.2]


@pytest.mark.parametrize(
    ("dialect", "answer", "problem"),
    [
        ("pooling", {"data": [{"index": 0, "data": [0.1, 0.2, 0.3]}]}, "3 numbers"),
        ("pooling", {"data": [{"index": 0, "data": [[0.1, 0.2]]}]}, "2 numbers"),
        ("pooling", {"data": [{"index": 0, "data": []}]}, "0 numbers"),
        ("pooling", {"data": [{"index": 0, "data": [[True]]}]}, "not a finite number"),
        ("pooling", {"data": [{"index": 0, "data": [[float("nan")]]}]}, "not a finite number"),
        ("classify", {"data": [{"index": 0, "probs": [0.1, 0.2, 0.7]}]}, "one or two classes"),
        ("classify", {"data": [{"index": 0, "probs": [3.5]}]}, "no probability"),
        ("score", {"data": []}, "one entry for each of 1"),
        ("score", {"data": [{"index": 1, "score": 1}]}, "one entry for each of 1"),
        ("score", {"data": [{"index": 0, "score": "1"}]}, "not a finite number"),
        ("score", {"choices": []}, "no list `data`"),
        ("openrlhf", {"rewards": [1, 2]}, "expected 1 rewards"),
        ("openrlhf", {"scores": [1]}, "expected 1 rewards"),
    ],
)
def test_nothing_else_is_a_reward(dialect: str, answer: Mapping[str, Any], problem: str):
    with pytest.raises(ModelError, match=problem):
        DIALECTS[dialect].read(answer, 1)


def test_entries_are_read_by_their_index():
    answer = {"data": [{"index": 1, "score": 0.2}, {"index": 0, "score": 0.1}]}
    assert DIALECTS["score"].read(answer, 2) == [0.1, 0.2]
    assert DIALECTS["openrlhf"].read({"rewards": [[0.5], 1]}, 2) == [0.5, 1.0]
    assert DIALECTS["classify"].read({"data": [{"index": 0, "probs": [0.3, 0.7]}]}, 1) == [0.7]


class Counting:
    """A scorer that is told many at once and remembers how."""

    name, revision = "reward:counting", "r1"
    scale: tuple[float, float] | None = None

    def __init__(self, refuse: str = "", error: Exception | None = None) -> None:
        self.batches: list[list[int]] = []
        self.refuse, self.error = refuse, error

    async def score_many(self, items: Sequence[Item]) -> Sequence[float]:
        self.batches.append([len(candidate.text) for _, candidate in items])
        if self.error is not None:
            raise self.error
        if self.refuse and any(candidate.text == self.refuse for _, candidate in items):
            raise ModelError("too long")
        return [float(len(candidate.text)) for _, candidate in items]


def test_batches_hold_similar_lengths():
    lengths = [5, 900, 7, 950, 6, 1000]
    assert by_length(items(*("x" * n for n in lengths)), 3) == [[0, 4, 2], [1, 3, 5]]

    async def gathered() -> list[float]:
        scorer = Counting()
        batcher = Batcher(scorer.score_many, 3)
        values = await asyncio.gather(*(batcher.score(*item) for item in items(*("x" * n for n in lengths))))
        assert scorer.batches == [[5, 6, 7], [900, 950, 1000]]
        return list(values)

    assert asyncio.run(gathered()) == lengths


def test_one_text_that_cannot_be_scored_costs_only_itself():
    async def gathered() -> list[Any]:
        batcher = Batcher(Counting(refuse="bad").score_many, 8)
        return await asyncio.gather(
            *(batcher.score(*item) for item in items("a", "bad", "ccccc")), return_exceptions=True
        )

    one, bad, other = asyncio.run(gathered())
    assert (one, other) == (1.0, 5.0)
    assert isinstance(bad, ModelError)


@pytest.mark.parametrize("error", [ModelUnavailable("gone"), MissingExtra("no torch")])
def test_a_scorer_that_is_gone_is_told_to_everybody_once(error):
    async def gathered() -> tuple[list[Any], int]:
        scorer = Counting(error=error)
        batcher = Batcher(scorer.score_many, 8)
        told = await asyncio.gather(*(batcher.score(*item) for item in items("a", "b")), return_exceptions=True)
        return told, len(scorer.batches)

    told, calls = asyncio.run(gathered())
    assert [type(each) for each in told] == [type(error)] * 2
    assert calls == 1


def test_votes_carry_the_revision_and_scores_are_paid_for_once():
    scorer = Counting()
    annotator = BatchScorerAnnotator(scorer)
    assert isinstance(scorer, BatchScorer)
    assert isinstance(annotator, Annotator)

    async def twice() -> tuple[Any, Any]:
        question = asked(SHORT, LONG)
        return await asyncio.gather(annotator.annotate(*question), annotator.annotate(*question))

    ([vote], scores), _ = asyncio.run(twice())
    assert scorer.batches == [[len(SHORT), len(LONG)]]
    assert (vote.annotator, vote.guideline, vote.kind) == ("reward:counting", "r1", "reward")
    assert vote.criteria["calibrated"] is False
    assert {score.scorer for score in scores} == {"reward:counting@r1"}
    later = Counting()
    again = BatchScorerAnnotator(later)
    again.recall([*scores, Score.of(scores[0].candidate_id, "reward:counting@r0", 99.0)])
    [same], _ = asyncio.run(again.annotate(*asked(SHORT, LONG)))
    assert later.batches == []
    assert (same.id, same.label, same.strength) == (vote.id, vote.label, vote.strength)


def stand_in(path: str, revision: str) -> Any:
    """A stand-in for a transformers model: it rewards the length of the last turn."""
    assert (path, revision) == ("org/rm", "abc123")
    return lambda conversations: [float(len(turns[-1]["content"])) for turns in conversations]


def test_a_model_in_process_scores_conversations():
    scorer = TransformersReward("org/rm", revision="abc123", load=stand_in)
    assert asyncio.run(scorer.score_many(items("four", "seven!!"))) == [4.0, 7.0]
    assert (scorer.name, scorer.revision) == ("reward:rm", "abc123")


def test_a_model_that_fails_on_a_text_is_no_crash():
    def broken(conversations: Any) -> list[float]:
        raise ValueError("5000 tokens, at most 4096 are scored")

    scorer = TransformersReward("org/rm", revision="abc123", load=lambda *_: broken)
    with pytest.raises(ModelError, match="reward:rm: ValueError: 5000 tokens"):
        asyncio.run(scorer.score_many(items("x")))


def test_a_folder_is_its_own_revision(tmp_path: Path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"1234")
    before = folder_revision(tmp_path)
    assert TransformersReward(str(tmp_path)).revision == before
    (tmp_path / "model.safetensors").write_bytes(b"12345")
    assert folder_revision(tmp_path) != before


@pytest.mark.skipif(importlib.util.find_spec("transformers") is not None, reason="transformers are installed")
def test_without_the_extra_it_says_so():
    with pytest.raises(MissingExtra, match=r"pairsmith\[reward\]"):
        load_transformers("org/rm", "abc")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"kind": "reward_model"}, "needs `model:`"),
        ({"kind": "reward_model", "model": "org/rm"}, "give the commit"),
        ({"kind": "reward_server", "model": "nobody"}, "a name from `models`"),
        ({"kind": "reward_server", "model": "rm", "options": {"dialect": "french"}}, "'dialect' cannot be 'french'"),
        ({"kind": "reward_server", "model": "rm", "options": {"batch": 0}}, "'batch' cannot be 0"),
        ({"kind": "reward_model", "model": "x", "options": {"dialect": "score"}}, "no option 'dialect'"),
    ],
)
def test_entries_that_cannot_work_say_why(config, message):
    sections = {"rm": ModelConfig(model="rm", base_url="http://localhost:1/v1")}
    with pytest.raises(ConfigError, match=message):
        open_annotator(AnnotatorConfig.model_validate(config), {}, seed=1, sections=sections)


def test_from_configuration_to_votes():
    with FakeServer(rewards=("score",)) as fake:
        entry = AnnotatorConfig.model_validate({"kind": "reward_server", "model": "rm", "options": {"revision": "v7"}})
        sections = {"rm": ModelConfig(model="rm", base_url=fake.base_url)}
        annotator = open_annotator(entry, {}, seed=1, sections=sections)
        assert isinstance(annotator, BatchScorerAnnotator)

        async def vote_and_close() -> Any:
            voted = await annotator.annotate(*asked(SHORT, LONG))
            await annotator.close()
            return voted

        [vote], scores = asyncio.run(vote_and_close())
    assert (annotator.name, annotator.guideline) == ("reward:rm", "v7")
    _, _, a, _ = asked(SHORT, LONG)
    assert vote.criteria["p"] > 0.5 if a.text == LONG else vote.criteria["p"] < 0.5
    assert {score.scorer for score in scores} == {"reward:rm@v7"}
