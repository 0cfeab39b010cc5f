"""The worker process behind hidden states: one line of JSON in, one line of JSON out.

It is started as a script and imports nothing of Pairsmith: what it needs comes in the first line. When its input
ends, because the parent closed it or died, it ends at once.
"""

import base64
import http.client
import json
import os
import queue
import secrets
import sys
import threading
from array import array
from collections.abc import Mapping, Sequence
from typing import Any, TextIO
from urllib.parse import urlsplit

__all__ = ["main"]

_QUIET = -1
_UNNORMALISED = -1  # the engine would make unit vectors of them, and the lengths carry information
_TIMEOUT_S = 600.0


def main() -> None:
    """Load the model the first line names, then answer one request after the other."""
    # The engine may print; replies must stay alone on their pipe.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    settings = json.loads(sys.stdin.readline() or "null")
    if settings is None:
        return
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin, lines), daemon=True).start()
    try:
        engine = _Engine(settings)
        ready: dict[str, Any] = {"ready": True}
    except Exception as error:
        ready = {"error": f"{type(error).__name__}: {error}"}
    _write(replies, ready)
    while "ready" in ready:
        _write(replies, engine.states(json.loads(lines.get())))


def _read(source: TextIO, lines: "queue.SimpleQueue[str]") -> None:
    for line in source:
        lines.put(line)
    os._exit(0)  # nobody is left to answer


def _write(replies: TextIO, reply: Mapping[str, Any]) -> None:
    replies.write(json.dumps(reply) + "\n")
    replies.flush()


class _Engine:
    """llama.cpp as an embedding server without pooling, reached over its own port with a random key."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        import xllamacpp

        self._prompt_tokens: int = settings["prompt_tokens"]
        self._response_tokens: int = settings["response_tokens"]
        self._add_special: bool = settings["add_special"]
        window = self._prompt_tokens + self._response_tokens
        params = xllamacpp.CommonParams()
        params.model.path = settings["path"]
        params.n_ctx = params.n_batch = params.n_ubatch = window + (-window) % 64
        params.n_parallel = 1
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings["threads"]
        params.n_threads_http = 1
        params.embedding = True
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_NONE
        params.embd_normalize = _UNNORMALISED
        params.cache_ram_mib = 0
        params.warmup = False
        params.verbosity = _QUIET
        params.endpoint_slots = False
        self._key = secrets.token_urlsafe(32)
        params.api_keys = [self._key]
        self._server = xllamacpp.Server(params)
        self._connection = http.client.HTTPConnection(
            urlsplit(self._server.listening_address).netloc, timeout=_TIMEOUT_S
        )

    def states(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The hidden states of the last prompt token and of each response token, float32 in base64."""
        try:
            asked = self._post("/apply-template", {"messages": request["messages"]})["prompt"]
            prompt = self._tokens(asked, add_special=self._add_special, parse_special=True)[-self._prompt_tokens :]
            whole = self._tokens(request["response"], add_special=False, parse_special=False)
            response = whole[: self._response_tokens]
            reply = self._post("/embeddings", {"content": [*prompt, *response], "embd_normalize": _UNNORMALISED})
            rows = reply[0]["embedding"][len(prompt) - 1 :]
        except (ValueError, RuntimeError, KeyError, IndexError, http.client.HTTPException, OSError) as error:
            return {"error": f"{type(error).__name__}: {error}"}
        flat = array("f", [number for row in rows for number in row])
        states = base64.b64encode(flat.tobytes()).decode("ascii")
        return {"tokens": response, "unread": len(whole) - len(response), "width": len(rows[0]), "states": states}

    def _tokens(self, text: str, *, add_special: bool, parse_special: bool) -> Sequence[int]:
        asked = {"content": text, "add_special": add_special, "parse_special": parse_special}
        tokens: list[int] = self._post("/tokenize", asked)["tokens"]
        return tokens

    def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        self._connection.request("POST", path, json.dumps(body).encode("utf-8"), headers)
        reply = json.loads(self._connection.getresponse().read())
        if isinstance(reply, dict) and "error" in reply:
            raise RuntimeError(str(reply["error"].get("message", reply["error"])))
        return reply


if __name__ == "__main__":
    main()
