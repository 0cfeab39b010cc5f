"""From a section of the configuration to a model."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from pairsmith.config import ModelConfig, RuntimeConfig
from pairsmith.errors import ConfigError
from pairsmith.models.loading import open_chat_model
from pairsmith.models.openai import OpenAIChatModel
from pairsmith.models.protocols import ChatModel, ChatRequest, Completion


class Echo:
    """A model of one's own, as a user would write it."""

    shares_prompt = False

    def __init__(self, name: str, config: ModelConfig, runtime: RuntimeConfig) -> None:
        self.name = name
        self.slots = runtime.concurrency
        self.loud = bool(config.options.get("loud"))

    async def complete(self, request: ChatRequest) -> Completion:
        text = request.messages[-1].content
        return Completion(text.upper() if self.loud else text, "stop")

    async def close(self) -> None:
        pass


class NoModel:
    def __init__(self, *_: object) -> None:
        pass


def test_openai():
    config = ModelConfig(kind="openai", base_url="http://127.0.0.1:9/v1", model="x")
    model = open_chat_model("judge", config, RuntimeConfig(concurrency=3))
    assert isinstance(model, OpenAIChatModel)
    assert (model.name, model.slots) == ("judge", 3)
    asyncio.run(model.close())


def test_a_class_of_ones_own():
    config = ModelConfig(kind=f"{__name__}:Echo", options={"loud": True})
    model = open_chat_model("mine", config, RuntimeConfig())
    assert isinstance(model, ChatModel)
    assert isinstance(model, Echo)
    assert model.loud


def test_a_class_that_is_no_model():
    with pytest.raises(ConfigError, match=r"models\.mine\.kind: .*NoModel is no chat model"):
        open_chat_model("mine", ModelConfig(kind=f"{__name__}:NoModel"), RuntimeConfig())


def test_local_needs_a_gguf_file(tmp_path: Path):
    pytest.importorskip("xllamacpp")
    (tmp_path / "model.gguf").write_bytes(b"PK\x03\x04 something else")
    for path, message in (("model.gguf", "is not a GGUF file"), ("absent.gguf", "cannot be read")):
        with pytest.raises(ConfigError, match=rf"models\.small\.path: .*{message}"):
            open_chat_model("small", ModelConfig(kind="local", path=path), RuntimeConfig(), project=tmp_path)


def test_without_llama_cpp_the_extra_is_named():
    # A Python that cannot find the engine, in a process of its own.
    script = """
import importlib.util, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "xllamacpp" else find(name, *rest)
from pairsmith.config import ModelConfig, RuntimeConfig
from pairsmith.errors import MissingExtra
from pairsmith.models.loading import open_chat_model
try:
    open_chat_model("small", ModelConfig(kind="local"), RuntimeConfig())
except MissingExtra as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "pip install 'pairsmith[local]'" in done.stdout, done.stderr


def test_nothing_heavy_is_imported_before_it_is_needed():
    script = "import sys, pairsmith.models.loading; print([m for m in ('aiohttp', 'xllamacpp') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
