"""The local model, with a real language model: SmolLM2-135M-Instruct."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from pairsmith.config import GenerateConfig
from pairsmith.errors import ModelError, ModelUnavailable
from pairsmith.ids import seed_for
from pairsmith.ledger import Ledger
from pairsmith.models.local import LocalChatModel
from pairsmith.models.protocols import ChatModel, ChatRequest, Completion
from pairsmith.models.weights import SMOLLM2, smollm2_path
from pairsmith.records import Candidate, Message, Prompt
from pairsmith.stages.generate import generate

pytestmark = pytest.mark.slow

QUESTIONS = (
    "What is the capital of France?",
    "Write a haiku about the sea.",
    "Explain in two sentences why the sky is blue.",
    "List three fruits.",
)
# An answer that must be long: short ones could end before the test does.
LIST = {"type": "array", "items": {"type": "integer"}, "minItems": 500, "maxItems": 501}
ENDLESS = ChatRequest((Message("user", "Count."),), 0.8, 0.9, 1900, 1, json_schema=LIST)


@pytest.fixture(scope="module")
def weights() -> Path:
    pytest.importorskip("xllamacpp")
    try:
        return smollm2_path()
    except ModelUnavailable as error:
        pytest.skip(f"the model is not here and cannot be fetched: {error}")


def requests(samples: int = 2, max_tokens: int = 24) -> list[ChatRequest]:
    return [
        ChatRequest((Message("user", question),), 0.8, 0.9, max_tokens, seed_for(1, "test", question, sample))
        for question in QUESTIONS
        for sample in range(samples)
    ]


def ask(weights: Path, asked: Sequence[ChatRequest], workers: int = 2) -> list[Completion]:
    async def run() -> list[Completion]:
        model = LocalChatModel("small", weights, workers=workers)
        try:
            return await asyncio.gather(*(model.complete(each) for each in asked))
        finally:
            await model.close()

    return asyncio.run(run())


def test_the_same_seed_is_the_same_text_in_any_order_on_any_worker(weights: Path):
    asked = requests()
    forward = ask(weights, asked)
    assert forward == ask(weights, asked[::-1], workers=1)[::-1]
    assert len({each.text for each in forward}) == len(asked)
    first = forward[0]
    assert first.finish_reason in {"stop", "length"}
    assert 0 < first.usage["completion_tokens"] <= 24
    assert first.usage["prompt_tokens"] > len(QUESTIONS[0].split())
    assert first.engine["gguf_sha256"] == SMOLLM2.sha256
    assert first.engine["threads"] == 1
    assert str(first.engine["engine"]).startswith("xllamacpp ")


def test_what_a_worker_read_before_does_not_change_a_text(weights: Path):
    # Prompts with a common beginning, which the engine would reuse, cut differently each time.
    story = "Here is the start of a story. A fox lived at the edge of a wood, and every morning it went to the river. "
    tasks = ("Continue it.", "Say what the fox wants.", "Retell it as a letter to a friend, in the first person.")
    texts = [story * repeats + task for repeats in (1, 2) for task in tasks]
    asked = [ChatRequest((Message("user", text),), 0.8, 0.9, 80, seed) for text in texts for seed in (1, 2)]
    forward = ask(weights, asked, workers=1)
    order = asked[::-2] + asked[::2]
    mixed = ask(weights, order, workers=1)
    assert {each: forward[asked.index(each)].text for each in asked} == {
        each: mixed[order.index(each)].text for each in asked
    }


def test_is_a_chat_model_that_shares_prompts(weights: Path):
    model = LocalChatModel("small", weights, workers=3)
    assert isinstance(model, ChatModel)
    assert model.shares_prompt
    assert model.slots == 3


def test_a_schema_is_obeyed(weights: Path):
    schema = {"type": "object", "properties": {"winner": {"enum": ["A", "B"]}}, "required": ["winner"]}
    (answer,) = ask(weights, [ChatRequest((Message("user", "A or B?"),), 0.0, 1.0, 64, 1, json_schema=schema)], 1)
    assert '"winner"' in answer.text


def test_a_prompt_longer_than_the_context_names_the_tokens(weights: Path):
    long = ChatRequest((Message("user", "word " * 4000),), 0.8, 0.9, 8, 1)
    with pytest.raises(ModelError, match=r"the prompt has 4\d\d\d tokens, the context window 2048") as caught:
        ask(weights, [long], workers=1)
    assert not isinstance(caught.value, ModelUnavailable)


def test_a_file_that_is_no_model_is_unavailable_with_its_name(tmp_path: Path):
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF" + bytes(64))
    with pytest.raises(ModelUnavailable, match=r"cannot load .*broken\.gguf"):
        ask(path, requests(1)[:1], workers=1)


def test_a_worker_that_dies_is_started_again(weights: Path):
    async def run() -> tuple[Completion, Completion]:
        model = LocalChatModel("small", weights, workers=1)
        try:
            before = await model.complete(requests()[0])
            (pid,) = children(os.getpid())
            os.kill(pid, signal.SIGKILL)
            return before, await model.complete(requests()[0])
        finally:
            await model.close()

    before, after = asyncio.run(run())
    assert before == after


def test_a_worker_that_dies_again_is_unavailable(weights: Path):
    async def run() -> int:
        model = LocalChatModel("small", weights, workers=1)
        killed = set()
        try:
            await model.complete(requests()[0])
            task = asyncio.create_task(model.complete(ENDLESS))
            while not task.done():
                for pid in children(os.getpid()):
                    os.kill(pid, signal.SIGKILL)
                    killed.add(pid)
                await asyncio.sleep(0.02)
            with pytest.raises(ModelUnavailable, match=r"died twice over one request|it ended while loading"):
                await task
        finally:
            await model.close()
        return len(killed)

    assert asyncio.run(run()) == 2


def test_closing_ends_every_worker_even_in_the_middle_of_a_sample(weights: Path):
    async def run() -> float:
        model = LocalChatModel("small", weights, workers=2)
        task = asyncio.create_task(model.complete(ENDLESS))
        await first_child(task)
        await asyncio.sleep(1.5)
        started = time.monotonic()
        await model.close()
        with pytest.raises(ModelUnavailable):
            await task
        return time.monotonic() - started

    assert asyncio.run(run()) < 2
    assert children(os.getpid()) == []


def test_no_worker_survives_its_parent(weights: Path):
    script = f"""
import asyncio
from pathlib import Path
from pairsmith.models.local import LocalChatModel
from tests.models.test_local import ENDLESS

async def main():
    model = LocalChatModel("small", Path({str(weights)!r}), workers=2)
    await asyncio.gather(*(model.complete(ENDLESS) for _ in range(4)))

asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", script]) as parent:
        deadline = time.monotonic() + 30
        while len(workers := children(parent.pid)) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(2)  # well into a sample
        parent.kill()
    assert len(workers) == 2
    deadline = time.monotonic() + 5
    while any(alive(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(alive(pid) for pid in workers)


def test_the_stage_stopped_halfway_ends_with_the_same_texts(weights: Path, tmp_path: Path):
    cfg = GenerateConfig(models=("small",), n=3, max_tokens=24)
    given = [Prompt.of([Message("user", question)]) for question in QUESTIONS]

    async def run(ledger: Ledger, stop_at: int) -> None:
        model = LocalChatModel("small", weights, workers=2)
        told = asyncio.Event()
        task = asyncio.create_task(
            generate(
                cfg,
                ledger,
                {"small": model},
                seed=7,
                notify=lambda done, _: told.set() if done >= stop_at else None,
            )
        )
        stop = asyncio.create_task(told.wait())
        try:
            await asyncio.wait([task, stop], return_when=asyncio.FIRST_COMPLETED)
            task.cancel()
            await asyncio.wait([task])
        finally:
            stop.cancel()
            await model.close()

    texts = []
    for name, stops in (("clean", (99,)), ("stopped", (4, 9, 99))):
        with Ledger.open(tmp_path / f"{name}.sqlite") as ledger:
            ledger.append(given)
            for stop_at in stops:
                asyncio.run(run(ledger, stop_at))
            texts.append({candidate.id: candidate for candidate in ledger.read(Candidate)})
    assert len(texts[0]) == 12
    assert texts[0] == texts[1]


def children(parent: int) -> list[int]:
    """The worker processes of a process."""
    done = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=True
    )
    rows = (line.split(None, 3) for line in done.stdout.splitlines())
    return [
        int(pid)
        for pid, ppid, state, args in rows
        if int(ppid) == parent and state[0] != "Z" and "local_worker" in args
    ]


def alive(pid: int) -> bool:
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return done.stdout.strip() not in {"", "Z", "Zs", "Zl"}


async def first_child(task: asyncio.Task[Completion]) -> int:
    """The first worker process, once there is one."""
    while not task.done():
        found = children(os.getpid())
        if found:
            return found[0]
        await asyncio.sleep(0.02)
    raise AssertionError(f"the request ended early: {task}")
