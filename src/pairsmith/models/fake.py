"""A fake model server for tests and trials: it speaks the real protocol on a real port, and can fail on cue.

    python -m pairsmith.models.fake --port 8009 --latency 0.05 --storm 0.3

Its answers are nonsense made from the request; nothing uses it unless a `base_url` names it.
"""

import argparse
import asyncio
import hashlib
import json
import sys
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Self

from pairsmith.ids import canonical_json
from pairsmith.models.fake_answers import fake_answer, fake_reply
from pairsmith.models.fake_batch import FakeBatches
from pairsmith.models.fake_embeddings import EMBEDDINGS_PATH, fake_embeddings
from pairsmith.models.fake_faults import Fault, Faults, http_head, in_order, play, storm
from pairsmith.models.fake_rewards import REWARD_PATHS, fake_rewards

__all__ = ["FakeServer", "Reply", "main"]

STORM_FAULTS = (
    Fault("status", 429, {"Retry-After": "0.05"}),
    Fault("status", 500),
    Fault("status", 503),
    Fault("truncated"),
    Fault("html"),
    Fault("reset"),
)

Reply = Callable[[Mapping[str, Any]], str]


class FakeServer:
    """The fake server, in a thread of its own while the `with` block runs.

    `calls` counts requests by body (`key_of`), `answered` those that got a whole answer, `most_in_flight` the
    largest number of requests open at once.
    """

    def __init__(
        self,
        *,
        faults: Faults | None = None,
        reply: Reply = fake_reply,
        latency_s: float = 0.0,
        api_key: str = "",
        most_at_once: int = 0,
        rewards: Collection[str] = REWARD_PATHS,
        port: int = 0,
        drops: Iterable[str] = (),
    ) -> None:
        """A server that has not started.

        Args:
            faults: what goes wrong when; nothing by default.
            reply: the text of the answer to a request body; give your own to play a judge.
            latency_s: time each answer takes, in seconds.
            api_key: if given, requests without it get 401.
            most_at_once: if given, more requests than this at once get 429.
            rewards: addresses of a reward server that it has: `pooling`, `classify`, `score`, `get_reward`.
            port: 0 takes a free one.
            drops: fields of requests that it ignores without a word, as servers do.
        """
        self.calls: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.most_in_flight = 0
        self.batches = FakeBatches(self._answer_in_batch)
        self._drops = frozenset(drops)
        self._faults = faults or in_order()
        self._reply = reply
        self._latency_s = latency_s
        self._api_key = api_key
        self._most_at_once = most_at_once
        self._rewards = rewards
        self._port = port
        self._in_flight = 0
        self._ready = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._failure: OSError | None = None

    @staticmethod
    def key_of(body: Mapping[str, Any]) -> str:
        """The name of a request body in `calls` and `answered`."""
        return hashlib.sha256(canonical_json(body).encode("utf-8")).hexdigest()

    @property
    def base_url(self) -> str:
        """The address for `models.NAME.base_url`."""
        return f"http://127.0.0.1:{self._port}/v1"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="fake-server", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is not None and self._stop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    def wait(self) -> None:
        """Serve until the thread ends, which without an interrupt is never."""
        if self._thread is not None:
            self._thread.join()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        connections: set[asyncio.Task[None]] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            connections.add(task)
            try:
                await self._converse(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass  # the client went away, or the server is stopping: either is the end of this connection
            finally:
                connections.discard(task)
                if self._stopping:
                    writer.transport.abort()
                else:
                    writer.close()

        try:
            server = await asyncio.start_server(connected, "127.0.0.1", self._port, backlog=1024)
        except OSError as error:
            self._failure = error
            self._ready.set()
            return
        self._port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in list(connections):
            task.cancel()
        if connections:
            await asyncio.wait(connections)
        await asyncio.sleep(0)  # lets the transports close

    @property
    def _stopping(self) -> bool:
        return self._stop is not None and self._stop.is_set()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection, one after the other."""
        in_order = True
        while in_order:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            raw = await reader.readexactly(int(headers.get("content-length") or 0))
            self._in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self._in_flight)
            try:
                in_order = await self._respond(first, headers, raw, writer)
            finally:
                self._in_flight -= 1

    async def _respond(self, first: str, headers: Mapping[str, str], raw: bytes, writer: asyncio.StreamWriter) -> bool:
        method, path, *_ = first.split(" ")
        if self._api_key and headers.get("authorization") != f"Bearer {self._api_key}":
            return await self._send(writer, 401, {"error": {"message": "wrong or missing key"}})
        if method == "GET" and path == "/v1/models":
            return await self._send(writer, 200, {"object": "list", "data": [{"id": "fake", "object": "model"}]})
        if path.startswith(("/v1/files", "/v1/batches")):
            return await self._send(writer, *self.batches.answer(method, path.removeprefix("/v1"), raw))
        dialect = path.lstrip("/")
        if method != "POST" or (path not in ("/v1/chat/completions", EMBEDDINGS_PATH) and dialect not in self._rewards):
            return await self._send(writer, 404, {"error": {"message": f"no such address: {path}"}})
        try:
            body = json.loads(raw)
            if path == EMBEDDINGS_PATH:
                answer = fake_embeddings(body)
            else:
                answer = fake_rewards(dialect, body) if dialect in self._rewards else self._answer(body)
        except (ValueError, KeyError, TypeError) as error:
            return await self._send(writer, 400, {"error": {"message": f"unusable request: {error!r}"}})
        return await self._answer_call(body, answer, writer)

    async def _answer_call(
        self, body: Mapping[str, Any], answer: Mapping[str, Any], writer: asyncio.StreamWriter
    ) -> bool:
        key = self.key_of(body)
        fault = self._faults(self.calls.total(), self.calls[key])
        self.calls[key] += 1
        if self._most_at_once and self._in_flight > self._most_at_once:
            return await self._send(writer, 429, {"error": {"message": "too many requests at once"}})
        if self._latency_s:
            await asyncio.sleep(self._latency_s)
        if fault is not None:
            return await play(fault, answer, writer)
        in_order = await self._send(writer, 200, answer)
        self.answered[key] += 1
        return in_order

    def _answer(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return fake_answer({key: value for key, value in body.items() if key not in self._drops}, self._reply)

    def _answer_in_batch(self, body: Mapping[str, Any]) -> dict[str, Any]:
        key = self.key_of(body)
        self.calls[key] += 1
        self.answered[key] += 1
        return self._answer(body)

    async def _send(self, writer: asyncio.StreamWriter, status: int, content: Mapping[str, Any] | bytes) -> bool:
        body = content if isinstance(content, bytes) else json.dumps(content).encode("ascii")
        writer.write(http_head(status, len(body)) + body)
        await writer.drain()
        return True


def main() -> None:
    """Serve until interrupted; the first line of output is the address."""
    parser = argparse.ArgumentParser(prog="python -m pairsmith.models.fake", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds each answer takes")
    parser.add_argument("--storm", type=float, default=0.0, help="share of calls that fail, each in its own way")
    parser.add_argument("--seed", type=int, default=0, help="seed of the storm")
    chosen = parser.parse_args()
    faults = storm(chosen.storm, STORM_FAULTS, chosen.seed) if chosen.storm else None
    with FakeServer(faults=faults, latency_s=chosen.latency, port=chosen.port) as server:
        sys.stdout.write(f"{server.base_url}\n")
        sys.stdout.flush()
        try:
            server.wait()
        except KeyboardInterrupt:
            sys.stdout.write("stopped\n")


if __name__ == "__main__":
    main()
