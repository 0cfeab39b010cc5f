"""The four calls of a batch API: upload a file, make a batch, look at it, read a file."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import aiohttp

from pairsmith.config import ModelConfig, RuntimeConfig
from pairsmith.errors import ModelUnavailable
from pairsmith.models.http import Http, Lost, key_from_environment
from pairsmith.models.retry import RetryPolicy, retry_after_s

__all__ = ["BatchServer"]

_RETRIED: Final = frozenset({408, 409, 425, 429})
_LISTED: Final = 100


class BatchServer:
    """A server with a batch API. Every call is patient: it is repeated until it works or the policy gives up."""

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        api_key: str = "",
        timeout_s: float = 120.0,
        policy: RetryPolicy | None = None,
    ) -> None:
        """A server at `base_url`; `name` is the model's, for messages.

        Raises:
            ConfigError: for an address that cannot be used.
        """
        self._http = Http(base_url, f"models.{name}.base_url", api_key=api_key, timeout_s=timeout_s)
        self.base_url = self._http.base_url
        self._name = name
        self._policy = policy or RetryPolicy()

    @classmethod
    def from_config(cls, name: str, config: ModelConfig, runtime: RuntimeConfig) -> "BatchServer":
        """The server as configured."""
        key = key_from_environment(config.api_key_env, f"models.{name}.api_key_env")
        policy = RetryPolicy(attempts=runtime.attempts)
        return cls(name, config.base_url, api_key=key, timeout_s=runtime.timeout_s, policy=policy)

    async def upload(self, file_name: str, content: bytes) -> str:
        """Upload a file of requests; returns its id."""

        def form() -> dict[str, Any]:  # a form can be sent only once
            made = aiohttp.FormData({"purpose": "batch"})
            made.add_field("file", content, filename=file_name, content_type="application/jsonl")
            return {"data": made}

        answer = await self._call("POST", "/files", form)
        return self._id_of(answer, "file")

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()

    async def create(self, file_id: str, tag: str) -> str:
        """Make a batch of an uploaded file; returns its id. A call without an answer is looked up, not repeated."""
        body = {
            "input_file_id": file_id,
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            "metadata": {"pairsmith": tag},
        }
        for attempt in range(1, self._policy.attempts + 1):
            answer = await self._once("POST", "/batches", json=body)
            if isinstance(answer, dict):
                return self._id_of(answer, "batch")
            await asyncio.sleep(self._policy.backoff_s(attempt))
            if found := await self.find(tag):
                return found
        raise self._unavailable(f"POST /batches: {answer}")

    async def find(self, tag: str) -> str:
        """The id of the batch with this tag; empty if there is none."""
        after = ""
        while True:
            query = {"limit": _LISTED} | ({"after": after} if after else {})
            answer = await self._call("GET", "/batches", partial(dict, params=query))
            listed = [each for each in answer.get("data") or [] if isinstance(each, dict)]
            for batch in listed:
                if (batch.get("metadata") or {}).get("pairsmith") == tag:
                    return self._id_of(batch, "batch")
            if not listed or not answer.get("has_more"):
                return ""
            after = str(listed[-1].get("id"))

    async def batch(self, batch_id: str) -> dict[str, Any]:
        """How a batch stands: `status`, and ids of its files."""
        answer = await self._call("GET", f"/batches/{batch_id}")
        if not isinstance(answer.get("status"), str):
            raise self._unavailable(f"batch {batch_id} has no status")
        return answer

    async def lines(self, file_id: str) -> AsyncIterator[bytes]:
        """The lines of a file. A connection that breaks is made again, and the lines read already are skipped."""
        done = 0
        for attempt in range(1, self._policy.attempts + 1):
            try:
                number = 0
                async for line in self._http.stream(f"{self.base_url}/files/{file_id}/content"):
                    number += 1
                    if number > done:
                        done = number
                        yield line
                return
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                cause = f"file {file_id}: {error}"
            await asyncio.sleep(self._policy.backoff_s(attempt))
        raise self._unavailable(cause)

    async def _call(self, method: str, path: str, content: Callable[[], Mapping[str, Any]] = dict) -> dict[str, Any]:
        answer: dict[str, Any] | str = ""
        for attempt in range(1, self._policy.attempts + 1):
            answer = await self._once(method, path, **content())
            if isinstance(answer, dict):
                return answer
            await asyncio.sleep(self._policy.backoff_s(attempt))
        raise self._unavailable(f"{method} {path}: {answer}")

    async def _once(self, method: str, path: str, **content: Any) -> dict[str, Any] | str:
        """The answer to one call, or why it should be made again.

        Raises:
            ModelUnavailable: the server refuses it.
        """
        reply = await self._http.send(method, f"{self.base_url}{path}", **content)
        if isinstance(reply, Lost):
            return reply.cause
        cause = f"HTTP {reply.status}: {self._http.excerpt(reply.body)}"
        if reply.status in _RETRIED or reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            await asyncio.sleep(retry_after_s(reply.headers.get("Retry-After"), self._policy.retry_after_cap_s) or 0)
            return cause
        if not HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
            raise self._unavailable(f"{method} {path}: {cause}; does this server have a batch API?")
        try:
            answer = json.loads(reply.body)
        except ValueError:
            return f"the answer is not JSON: {self._http.excerpt(reply.body)}"
        return answer if isinstance(answer, dict) else "the answer is not a JSON object"

    def _id_of(self, answer: dict[str, Any], what: str) -> str:
        if not isinstance(answer.get("id"), str):
            raise self._unavailable(f"the server's answer names no {what}")
        return str(answer["id"])

    def _unavailable(self, cause: str) -> ModelUnavailable:
        return ModelUnavailable(f"models.{self._name} at {self.base_url}: {cause}")
