"""The patient client of chat servers, for other questions and answers: any JSON object to any address."""

import json
from typing import Any, Final

import httpx

from pairsmith.errors import ModelError
from pairsmith.models.openai import OpenAIChatModel, _Failure
from pairsmith.models.protocols import Completion

__all__ = ["JsonClient"]

_NOT_OFFERED: Final = {400, 404, 405, 415, 422, 501}


class JsonClient(OpenAIChatModel):
    """The client of chat servers (retries, deadlines, circuit breaker, size cap), for other questions and answers."""

    async def post(self, url: str, body: dict[str, Any]) -> dict[str, Any]:
        """The JSON object that the server answers. Questions at the same time go to the same address."""
        self._url = url
        completion = await self._ask(json.dumps(body).encode("ascii"))
        answer: dict[str, Any] = json.loads(completion.text)
        return answer

    def _read_answer(self, raw: bytes) -> "Completion | _Failure":
        try:
            whole = json.loads(raw)
        except (ValueError, RecursionError):
            whole = None
        if not isinstance(whole, dict):
            return _Failure(f"the answer is not a JSON object; it sent: {self._excerpt(raw)}", unusable=True)
        self._answered = True
        return Completion(raw.decode("utf-8"), "stop")

    def _read_refusal(self, response: httpx.Response, raw: bytes) -> "_Failure":
        if response.status_code in _NOT_OFFERED:  # this address or this text, not the server
            raise ModelError(f"HTTP {response.status_code}: {self._excerpt(raw)}")
        return super()._read_refusal(response, raw)
