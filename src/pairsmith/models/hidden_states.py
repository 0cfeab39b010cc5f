"""Features of a response from inside a local language model: its hidden states, in worker processes of one thread.

The model reads the end of the prompt and the beginning of the response. What it holds after the last token, and the
mean over all tokens of the response, is what a head can be trained on.
"""

import base64
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, Final, Self, TypeVar

import numpy as np
import numpy.typing as npt

from pairsmith.engine import available_cores
from pairsmith.errors import MissingExtra, ModelError, ModelUnavailable
from pairsmith.models.exchange import end_worker, exchange, start_worker
from pairsmith.models.weights import SMOLLM2, smollm2_path
from pairsmith.records import Message

__all__ = ["HIDDEN_REVISION", "PROMPT_TOKENS", "RESPONSE_TOKENS", "HiddenStates", "States"]

PROMPT_TOKENS: Final = 64
RESPONSE_TOKENS: Final = 96
THREADS: Final = 1
HIDDEN_REVISION: Final = f"{SMOLLM2.name}@{SMOLLM2.sha256[:12]}/last+mean/{PROMPT_TOKENS}+{RESPONSE_TOKENS}"
"""What the features are of: the model file, what is taken of it, and how much it is shown."""

_WORKER = Path(__file__).with_name("hidden_worker.py")

Floats = npt.NDArray[np.float32]
T = TypeVar("T")


class States:
    """What the model held while it read one response."""

    __slots__ = ("hidden", "tokens", "unread")

    def __init__(self, hidden: Floats, tokens: Sequence[int], unread: int = 0) -> None:
        """What came back.

        Args:
            hidden: (1 + len(tokens), width); after the last token of the prompt, then after each of the response.
            tokens: those of the response that were read.
            unread: how many more the response has.
        """
        self.hidden = hidden
        self.tokens = tuple(tokens)
        self.unread = unread

    def features(self) -> Floats:
        """The state after the last token, and the mean over the response; shape (2 * width,)."""
        answer = self.hidden[1:] if self.tokens else self.hidden
        return np.concatenate([self.hidden[-1], answer.mean(axis=0, dtype=np.float32)])


class HiddenStates:
    """The hidden states of SmolLM2-135M-Instruct, or of a GGUF file of your own.

    Worker processes start when they are first needed; close it, or use it in a `with` block.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        workers: int = 0,
        prompt_tokens: int = PROMPT_TOKENS,
        response_tokens: int = RESPONSE_TOKENS,
        add_special: bool = False,
    ) -> None:
        """A model that has not started yet.

        Args:
            path: a GGUF file; `None` is SmolLM2-135M-Instruct, fetched when first needed.
            workers: worker processes; 0: one per core.
            prompt_tokens: how much of the end of the prompt is read.
            response_tokens: how much of the beginning of the response is read.
            add_special: put the token before the prompt that the model's tokenizer asks for, as generation does.

        Raises:
            MissingExtra: llama.cpp is not installed.
        """
        if find_spec("xllamacpp") is None:
            raise MissingExtra("hidden states need llama.cpp; pip install 'pairsmith[local]', or leave them out")
        self._path = path
        self._settings = {
            "threads": THREADS,
            "prompt_tokens": prompt_tokens,
            "response_tokens": response_tokens,
            "add_special": add_special,
        }
        self._count = workers or available_cores()
        self._idle: list[_Worker] = []
        self._workers: list[_Worker] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the worker processes; a request in flight fails."""
        with self._lock:
            workers, self._workers, self._idle = self._workers, [], []
        for worker in workers:
            worker.close()

    def features(
        self,
        items: Sequence[tuple[Sequence[Message], str]],
        done: Callable[[int, Floats], None] | None = None,
    ) -> Floats:
        """One row per (turns of the prompt, response), float32, shape (len(items), 2 * width).

        Args:
            items: what to read.
            done: called with index and row as soon as one is known, from a thread of this model.

        Raises:
            ModelUnavailable: the engine does not start or died.
            ModelError: it refuses a text.
        """

        def row_of(index: int, states: States) -> Floats:
            row = states.features()
            if done is not None:
                done(index, row)
            return row

        return np.array(self.each(items, row_of), dtype=np.float32)

    def each(self, items: Sequence[tuple[Sequence[Message], str]], use: Callable[[int, States], T]) -> list[T]:
        """What `use` makes of the index and the states of each item, in their order.

        Args:
            items: what to read: turns of the prompt, response.
            use: called from several threads of this model; the states are not kept.

        Raises:
            ModelUnavailable: the engine does not start or died.
            ModelError: it refuses a text.
        """
        settings = {**self._settings, "path": str(self._path or smollm2_path())}

        def one(index: int) -> T:
            return use(index, self._read(settings, *items[index]))

        pool = ThreadPoolExecutor(max(1, min(self._count, len(items))), thread_name_prefix="hidden")
        try:
            return list(pool.map(one, range(len(items))))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            self.close()  # whoever waits for a worker sees its pipe end
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _read(self, settings: Mapping[str, Any], turns: Sequence[Message], response: str) -> States:
        with self._lock:
            if not self._idle:
                self._idle.append(_Worker(settings))
                self._workers.append(self._idle[-1])
            worker = self._idle.pop()
        try:
            messages = [{"role": turn.role, "content": _whole(turn.content)} for turn in turns]
            reply = worker.ask({"messages": messages, "response": _whole(response)})
        finally:
            with self._lock:
                self._idle.append(worker)
        if "error" in reply:
            raise ModelError(f"hidden states: {reply['error']}")
        flat = np.frombuffer(base64.b64decode(reply["states"]), dtype=np.float32)
        return States(flat.reshape(-1, reply["width"]), reply["tokens"], reply["unread"])


class _Worker:
    """One process, started when first asked."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._said: IO[bytes] | None = None

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The reply to one request."""
        process = self._process or self._start()
        reply = exchange(process, request)
        if reply is None:
            raise ModelUnavailable(f"hidden states: the worker process died ({self.close()})")
        return reply

    def close(self) -> str:
        """End the process, and say how it went."""
        process, self._process = self._process, None
        if process is None or self._said is None:
            return "closed"
        return end_worker(process, self._said)

    def _start(self) -> subprocess.Popen[bytes]:
        self._process, self._said = process, _ = start_worker(_WORKER, THREADS)
        reply = exchange(process, self._settings)
        if reply is not None and "ready" in reply:
            return process
        cause = reply["error"] if reply else "it ended while loading"
        raise ModelUnavailable(f"hidden states: cannot load {self._settings['path']} ({cause}; {self.close()})")


def _whole(text: str) -> str:
    """The text without half characters, which no tokenizer takes."""
    return text.encode("utf-8", "replace").decode()
