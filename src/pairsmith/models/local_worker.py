"""The worker process of a local model: one line of JSON in, one line of JSON out.

It is started as a script and imports nothing of Pairsmith: what it needs comes in the first line. When its input
ends, because the parent closed it or died, it ends at once, in the middle of a sample if need be.
"""

import json
import os
import queue
import secrets
import sys
import threading
from collections.abc import Mapping
from typing import Any, TextIO

__all__ = ["main"]

_QUIET = -1


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
        server = _load(settings)
    except Exception as error:
        _write(replies, {"error": {"message": f"{type(error).__name__}: {error}"}})
        return
    _write(replies, {"ready": True})
    read: Any = None
    while True:
        request = json.loads(lines.get())
        reply = _read_prompt(server, request) if request["messages"] != read else {}
        read = request["messages"] if "error" not in reply else None
        _write(replies, reply if "error" in reply else _answer(server, {**request, "cache_prompt": True}))


def _read(source: TextIO, lines: queue.SimpleQueue[str]) -> None:
    for line in source:
        lines.put(line)
    os._exit(0)  # nobody is left to answer


def _write(replies: TextIO, reply: Mapping[str, Any]) -> None:
    replies.write(json.dumps(reply) + "\n")
    replies.flush()


def _load(settings: Mapping[str, Any]) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = settings["path"]
    params.n_ctx = settings["context_tokens"]
    params.n_parallel = 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings["threads"]
    params.n_threads_http = 1
    params.cache_prompt = True
    params.cache_ram_mib = 0  # the slot itself keeps the last prompt, which is all that is reused
    params.warmup = False
    params.verbosity = _QUIET
    params.endpoint_slots = False
    # The engine always listens on a port of this machine; nobody else may use it.
    params.api_keys = [secrets.token_urlsafe(32)]
    return xllamacpp.Server(params)


def _read_prompt(server: Any, request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Let the engine read the prompt from its first token, so that every sample starts from the same state.

    How a prompt is cut into batches changes the last digits of what the engine remembers of it, and with them, a few
    dozen tokens on, the text. Reusing whatever prefix the previous prompt left would make samples depend on history.
    """
    return _answer(server, {"messages": request["messages"], "cache_prompt": False, "max_tokens": 1})


def _answer(server: Any, request: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        reply = server.handle_chat_completions(dict(request))
    except (ValueError, RuntimeError) as error:
        return {"error": {"message": f"{type(error).__name__}: {error}"}}
    return reply if isinstance(reply, dict) else {"error": {"message": "the engine sent no answer"}}


if __name__ == "__main__":
    main()
