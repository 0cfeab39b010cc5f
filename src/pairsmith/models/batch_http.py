"""The four calls of a batch API: upload a file, make a batch, look at it, read a file."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx

from pairsmith.config import ModelConfig, RuntimeConfig
from pairsmith.errors import ModelUnavailable
from pairsmith.models.openai_server import key_from_environment, server_address
from pairsmith.models.retry import RetryPolicy, retry_after_s

__all__ = ["BatchServer"]

_RETRIED: Final = frozenset({408, 409, 425, 429})
_LISTED: Final = 100
_EXCERPT_CHARS: Final = 300


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
        self.base_url = server_address(base_url, f"models.{name}.base_url")
        self._name = name
        self._api_key = api_key
        self._timeout_s = timeout_s
        self._policy = policy or RetryPolicy()
        self._tls = httpx.create_ssl_context()  # slow to make, and a new client is made for every call

    @classmethod
    def from_config(cls, name: str, config: ModelConfig, runtime: RuntimeConfig) -> "BatchServer":
        """The server as configured."""
        key = key_from_environment(config.api_key_env, f"models.{name}.api_key_env")
        policy = RetryPolicy(attempts=runtime.attempts)
        return cls(name, config.base_url, api_key=key, timeout_s=runtime.timeout_s, policy=policy)

    async def upload(self, file_name: str, content: bytes) -> str:
        """Upload a file of requests; returns its id."""
        files = {"file": (file_name, content, "application/jsonl")}
        answer = await self._call("POST", "/files", data={"purpose": "batch"}, files=files)
        return self._id_of(answer, "file")

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
            answer = await self._call("GET", "/batches", params=query)
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
                async with self._client() as client, client.stream("GET", f"/files/{file_id}/content") as response:
                    response.raise_for_status()
                    async for line in response.aiter_lines():
                        number += 1
                        if number > done:
                            done = number
                            yield line.encode("utf-8")
                return
            except httpx.HTTPError as error:
                cause = f"file {file_id}: {error}"
            await asyncio.sleep(self._policy.backoff_s(attempt))
        raise self._unavailable(cause)

    async def _call(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        answer: dict[str, Any] | str = ""
        for attempt in range(1, self._policy.attempts + 1):
            answer = await self._once(method, path, **content)
            if isinstance(answer, dict):
                return answer
            await asyncio.sleep(self._policy.backoff_s(attempt))
        raise self._unavailable(f"{method} {path}: {answer}")

    async def _once(self, method: str, path: str, **content: Any) -> dict[str, Any] | str:
        """The answer to one call, or why it should be made again.

        Raises:
            ModelUnavailable: the server refuses it.
        """
        try:
            async with self._client() as client, asyncio.timeout(self._timeout_s):
                response = await client.request(method, path, **content)
        except TimeoutError:
            return f"no complete answer within {self._timeout_s:g} s"
        except httpx.RequestError as error:
            return f"{type(error).__name__}: {error}"
        cause = f"HTTP {response.status_code}: {self._excerpt(response.text)}"
        if response.status_code in _RETRIED or response.is_server_error:
            await asyncio.sleep(retry_after_s(response.headers.get("Retry-After"), self._policy.retry_after_cap_s) or 0)
            return cause
        if not response.is_success:
            raise self._unavailable(f"{method} {path}: {cause}; does this server have a batch API?")
        try:
            answer = json.loads(response.text)
        except ValueError:
            return f"the answer is not JSON: {self._excerpt(response.text)}"
        return answer if isinstance(answer, dict) else "the answer is not a JSON object"

    def _client(self) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self._api_key}"} if self._api_key else {}
        local = httpx.URL(self.base_url).host in {"localhost", "127.0.0.1", "::1"}
        return httpx.AsyncClient(
            base_url=self.base_url, headers=headers, timeout=self._timeout_s, verify=self._tls, trust_env=not local
        )

    def _id_of(self, answer: dict[str, Any], what: str) -> str:
        if not isinstance(answer.get("id"), str):
            raise self._unavailable(f"the server's answer names no {what}")
        return str(answer["id"])

    def _excerpt(self, text: str) -> str:
        text = " ".join(text.split())
        return repr((text.replace(self._api_key, "***") if self._api_key else text)[:_EXCERPT_CHARS])

    def _unavailable(self, cause: str) -> ModelUnavailable:
        return ModelUnavailable(f"models.{self._name} at {self.base_url}: {cause}")
