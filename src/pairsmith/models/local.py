"""A chat model on this machine: llama.cpp in worker processes, one per core, one thread each.

Two threads in one process are slower than one on a busy machine, because the engine's threads wait for each other
by spinning; two processes do not wait for each other.
"""

import asyncio
import subprocess
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from pairsmith.config import ModelConfig, RuntimeConfig
from pairsmith.engine import available_cores
from pairsmith.errors import ConfigError, MissingExtra, ModelError, ModelUnavailable
from pairsmith.models.exchange import end_worker, exchange, start_worker
from pairsmith.models.openai_wire import chat_payload, first_token_logprobs
from pairsmith.models.protocols import ChatRequest, Completion
from pairsmith.models.weights import file_sha256, smollm2_path
from pairsmith.records import Message

__all__ = ["LocalChatModel"]

THREADS = 1
SAMPLER = {"top_k": 40, "min_p": 0.05}
"""Settings the engine applies besides temperature and top_p; sent and recorded, so that no new build changes them."""

_GGUF_MAGIC = b"GGUF"
_WORKER = Path(__file__).with_name("local_worker.py")


class LocalChatModel:
    """A GGUF model, answered by worker processes that start when they are first needed.

    The same request (seed included) gets the same text, whichever worker answers and whatever it answered before,
    on one machine with one engine build. Samples of one prompt that follow each other go to the same worker, which
    has read the prompt already.
    """

    shares_prompt = True

    def __init__(self, name: str, path: Path | None = None, *, context_tokens: int = 2048, workers: int = 0) -> None:
        """A model that has not started yet.

        Args:
            name: the model's name in the configuration, for records and messages.
            path: a GGUF file; `None` is SmolLM2-135M-Instruct, fetched at the first request.
            context_tokens: context window, prompt and answer together.
            workers: worker processes, and so requests in flight; 0: one per core.

        Raises:
            MissingExtra: llama.cpp is not installed.
            ConfigError: `path` is not a GGUF file.
        """
        if find_spec("xllamacpp") is None:
            raise MissingExtra(f"models.{name}: kind `local` needs llama.cpp; pip install 'pairsmith[local]'")
        if path is not None:
            _check_gguf(path, f"models.{name}.path")
        self.name = name
        self.slots = workers or available_cores()
        self._path = path
        self._context_tokens = context_tokens
        self._lock = threading.Lock()
        self._weights_lock = threading.Lock()  # held while weights are fetched, which may take minutes
        self._weights: tuple[Path, Mapping[str, Any]] | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._workers: tuple[_Worker, ...] = ()
        self._idle: list[_Worker] = []

    @classmethod
    def from_config(
        cls, name: str, config: ModelConfig, runtime: RuntimeConfig, project: Path = Path()
    ) -> "LocalChatModel":
        """The model as configured; a relative `path` starts at the `project` folder."""
        path = project / Path(config.path).expanduser() if config.path else None
        return cls(name, path, context_tokens=config.context_tokens, workers=runtime.workers)

    async def complete(self, request: ChatRequest) -> Completion:
        """Draw one sample. See `ChatModel.complete`."""
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self.slots, thread_name_prefix=f"model-{self.name}")
                self._workers = tuple(_Worker(self.name) for _ in range(self.slots))
                self._idle = list(self._workers)
            threads = self._threads
        return await asyncio.wrap_future(threads.submit(self._complete, request))

    async def close(self) -> None:
        """End the worker processes; a request in flight fails."""
        with self._lock:
            threads, self._threads = self._threads, None
        for worker in self._workers:
            worker.close()
        if threads is not None:
            threads.shutdown(wait=True, cancel_futures=True)

    def _complete(self, request: ChatRequest) -> Completion:
        path, engine = self._load_weights()
        settings = {"path": str(path), "context_tokens": self._context_tokens, "threads": THREADS}
        worker = self._take(request.messages)
        try:
            reply = worker.ask(settings, {**chat_payload(request), **SAMPLER})
        finally:
            with self._lock:
                self._idle.append(worker)
        error = reply.get("error")
        if error is not None:
            raise ModelError(_explain(error))
        choice = reply["choices"][0]
        usage = {key: reply["usage"][key] for key in ("prompt_tokens", "completion_tokens")}
        return Completion(
            choice["message"].get("content") or "",
            choice["finish_reason"] or "",
            usage,
            engine,
            first_token_logprobs(choice),
        )

    def _take(self, messages: tuple[Message, ...]) -> "_Worker":
        """The idle worker that read this prompt last, else the one that became idle last."""
        with self._lock:
            worker = next((each for each in self._idle if each.prompt == messages), self._idle[-1])
            self._idle.remove(worker)
        worker.prompt = messages
        return worker

    def _load_weights(self) -> tuple[Path, Mapping[str, Any]]:
        with self._weights_lock:
            if self._weights is None:
                path = self._path or smollm2_path()
                build = f"xllamacpp {version('xllamacpp')}"
                facts = {"engine": build, "gguf_sha256": file_sha256(path), "threads": THREADS, **SAMPLER}
                self._weights = (path, facts)
            return self._weights


class _Worker:
    """A worker process: started when first asked, started again once when it dies over a request."""

    def __init__(self, name: str) -> None:
        self.prompt: tuple[Message, ...] = ()
        self._name = name
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._said: IO[bytes] | None = None
        self._closed = False

    def ask(self, settings: Mapping[str, Any], payload: Mapping[str, Any]) -> dict[str, Any]:
        """The reply to one request.

        Raises:
            ModelUnavailable: the process does not start, or died twice over this request.
        """
        for _ in range(2):
            process = self._process or self._start(settings)
            reply = exchange(process, payload)
            if reply is not None:
                return reply
            ending = self._end()
        raise ModelUnavailable(f"models.{self._name}: the worker process died twice over one request ({ending})")

    def close(self) -> None:
        """End the process, whatever it is doing."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                self._process.kill()  # whoever waits for its reply sees the pipe end, and cleans up
        # An idle worker has nobody waiting.
        self._end()

    def _start(self, settings: Mapping[str, Any]) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._closed:
                raise ModelUnavailable(f"models.{self._name}: closed while a request was waiting")
            self._process, self._said = process, _ = start_worker(_WORKER, THREADS)
        reply = exchange(process, settings)
        if reply is not None and "ready" in reply:
            return process
        cause = reply["error"]["message"] if reply else "it ended while loading"
        ending = self._end()
        raise ModelUnavailable(
            f"models.{self._name}: cannot load {settings['path']} ({cause}; {ending}); "
            "is it a GGUF model this build of llama.cpp knows, and is there memory for it?"
        )

    def _end(self) -> str:
        """Make sure the process is gone, and say how it went."""
        with self._lock:
            process, self._process = self._process, None
            said, self._said = self._said, None
        if process is None or said is None:
            return "closed"
        return end_worker(process, said)


def _explain(error: Mapping[str, Any]) -> str:
    if "n_prompt_tokens" in error:
        return (
            f"the prompt has {error['n_prompt_tokens']} tokens, the context window {error.get('n_ctx')}; "
            "raise context_tokens or leave the prompt out"
        )
    return str(error.get("message", error))


def _check_gguf(path: Path, key: str) -> None:
    try:
        with path.open("rb") as stream:
            magic = stream.read(len(_GGUF_MAGIC))
    except OSError as error:
        raise ConfigError(f"{key}: {path} cannot be read ({error.strerror}); name a GGUF file") from None
    if magic != _GGUF_MAGIC:
        raise ConfigError(f"{key}: {path} is not a GGUF file; convert the model to GGUF first")
