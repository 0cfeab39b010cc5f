"""Chat models behind a batch API in the OpenAI style: files of requests go in, files of answers come out, days later.

What was handed in stands in the project folder, one small file for each batch, written before the batch is made. So a
run may end, or be killed, at any point: the next one finds its batches again, and nothing is handed in twice.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pairsmith.config import ModelConfig, RuntimeConfig
from pairsmith.errors import ConfigError, Incomplete, ModelError, ModelUnavailable
from pairsmith.models.batch_files import BatchState, read_states
from pairsmith.models.batch_http import BatchServer
from pairsmith.models.openai import OpenAIChatModel
from pairsmith.models.openai_wire import chat_payload, parse_answer
from pairsmith.models.protocols import ChatRequest, Completion

__all__ = ["BATCHES_FOLDER", "MAX_BATCH_BYTES", "MAX_BATCH_REQUESTS", "OpenAIBatchModel"]

BATCHES_FOLDER: Final = "batches"
MAX_BATCH_REQUESTS: Final = 50_000
MAX_BATCH_BYTES: Final = 100 * 2**20
_OVER: Final = frozenset({"completed", "expired", "cancelled", "failed"})


class OpenAIBatchModel:
    """A `BatchModel` behind `POST {base_url}/files` and `/batches`; single requests take the ordinary way."""

    shares_prompt = False

    def __init__(
        self,
        chat: OpenAIChatModel,
        server: BatchServer,
        model: str,
        folder: Path,
        *,
        wait_s: float = 600.0,
        poll_s: float = 30.0,
    ) -> None:
        """A model that keeps its state in `folder`, waits `wait_s` seconds for answers and asks every `poll_s`."""
        self.name = chat.name
        self.slots = chat.slots
        self._chat = chat
        self._server = server
        self._model = model
        self._folder = folder
        self._wait_s = wait_s
        self._poll_s = poll_s

    @classmethod
    def from_config(
        cls, name: str, config: ModelConfig, runtime: RuntimeConfig, project: Path = Path()
    ) -> "OpenAIBatchModel":
        """The model as configured; its state lies in the `project` folder.

        Raises:
            ConfigError: no usable address, more than one, no model name, or the key's variable is not set.
        """
        if config.base_urls:
            raise ConfigError(f"models.{name}: `batch` needs one base_url; a batch belongs to one server")
        chat = OpenAIChatModel.from_config(name, config, runtime)
        server = BatchServer.from_config(name, config, runtime)
        waits = {"wait_s": runtime.batch_wait_s, "poll_s": runtime.batch_poll_s}
        return cls(chat, server, config.model, project / BATCHES_FOLDER / name, **waits)

    async def complete(self, request: ChatRequest) -> Completion:
        """Draw one sample at once. See `ChatModel.complete`."""
        return await self._chat.complete(request)

    def under_way(self) -> frozenset[str]:
        """See `BatchModel.under_way`."""
        return frozenset(key for state in self._states() for key in state.open)

    async def complete_many(
        self, requests: Mapping[str, ChatRequest]
    ) -> AsyncIterator[tuple[str, Completion | ModelError]]:
        """See `BatchModel.complete_many`."""
        states = []
        for state in self._states():
            if requests.keys() & set(state.open):
                states.append(state)
            else:
                state.forget()  # all its answers are stored, or nobody wants them any more
        covered = {key for state in states for key in state.open}
        states += self._written([key for key in requests if key not in covered], requests)
        for state in states:
            await self._hand_in(state, requests)
        deadline = time.monotonic() + self._wait_s
        left = set(requests)
        while states:
            for state in list(states):
                batch = await self._server.batch(state.batch_id)
                if batch["status"] in _OVER:
                    states.remove(state)
                    async for key, outcome in self._collect(state, batch, requests):
                        left.discard(key)
                        yield key, outcome
            if time.monotonic() + self._poll_s > deadline:
                break
            if states:
                await asyncio.sleep(self._poll_s)
        if left:
            raise Incomplete(
                f"models.{self.name}: {len(left):,} of {len(requests):,} requests are not answered yet; their batches "
                f"are noted in {self._folder}. Run again later"
            )

    async def close(self) -> None:
        """Close all connections; batches go on."""
        await self._chat.close()
        await self._server.close()

    def _states(self) -> list[BatchState]:
        return read_states(self._folder, self._server.base_url)

    def _written(self, keys: Sequence[str], requests: Mapping[str, ChatRequest]) -> list[BatchState]:
        """New batches for these requests, noted on disk and not handed in yet."""
        return [BatchState.new(self._folder, self._server.base_url, each) for each in self._portions(keys, requests)]

    def _portions(self, keys: Sequence[str], requests: Mapping[str, ChatRequest]) -> Iterator[list[str]]:
        portion: list[str] = []
        size = 0
        for key in keys:
            length = len(self._line(key, requests[key]))
            if portion and (len(portion) == MAX_BATCH_REQUESTS or size + length > MAX_BATCH_BYTES):
                yield portion
                portion, size = [], 0
            portion.append(key)
            size += length
        if portion:
            yield portion

    def _line(self, key: str, request: ChatRequest) -> bytes:
        body = {"model": self._model, **chat_payload(request)}
        line = {"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": body}
        return json.dumps(line).encode("ascii") + b"\n"

    async def _hand_in(self, state: BatchState, requests: Mapping[str, ChatRequest]) -> None:
        """Make sure that the batch exists on the server: after a kill it may, without our knowing its id."""
        if state.batch_id:
            return
        batch_id = await self._server.find(state.tag) if state.tried else ""
        if not batch_id:
            wanted = [key for key in state.ids if key in requests]
            state.note(ids=wanted, tried=True)
            content = b"".join(self._line(key, requests[key]) for key in wanted)
            file_id = await self._server.upload(f"{state.tag}.jsonl", content)
            batch_id = await self._server.create(file_id, state.tag)
        state.note(batch_id=batch_id)

    async def _collect(
        self, state: BatchState, batch: Mapping[str, Any], requests: Mapping[str, ChatRequest]
    ) -> AsyncIterator[tuple[str, Completion | ModelError]]:
        """The outcomes of a batch that is over; what it did not answer may be handed in again."""
        answered: set[str] = set()
        for kind in ("output_file_id", "error_file_id"):
            if not batch.get(kind):
                continue
            async for line in self._server.lines(str(batch[kind])):
                key, outcome = self._read(line)
                if key in requests and key in state.ids and key not in answered and outcome is not None:
                    answered.add(key)
                    yield key, outcome
        if not answered and batch["status"] == "failed":
            state.forget()
            raise ModelUnavailable(
                f"models.{self.name}: batch {state.batch_id} failed: {json.dumps(batch.get('errors'))[:300]}"
            )
        state.note(unanswered=[key for key in state.ids if key in requests and key not in answered])

    def _read(self, line: bytes) -> tuple[str, Completion | ModelError | None]:
        """Id and outcome of one line; no outcome where asking again may help."""
        try:
            row = json.loads(line)
            key, response = str(row["custom_id"]), row.get("response") or {}
            status = response.get("status_code")
        except (ValueError, KeyError, TypeError, AttributeError):
            return "", None
        if status in (400, 413, 422):
            return key, ModelError(f"HTTP {status}: {json.dumps(response.get('body'))[:300]}")
        if status != 200:
            return key, None
        answer = parse_answer(json.dumps(response.get("body")).encode())
        if isinstance(answer, str):
            return key, ModelError(answer)
        engine = {"engine": "openai-batch", "model": self._model}
        if answer.model and answer.model != self._model:
            engine["reported_model"] = answer.model
        return key, Completion(answer.text, answer.finish_reason, answer.usage, engine)
