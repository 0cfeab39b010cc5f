"""Everything that can go wrong between a client and a server, to be played by the fake server on cue."""

import asyncio
import json
import random
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

__all__ = ["FAULT_KINDS", "Fault", "FaultKind", "Faults", "http_head", "in_order", "play", "storm"]

FaultKind = Literal[
    "status",
    "hang",
    "drip",
    "slow",
    "truncated",
    "wrong_length",
    "endless_chunks",
    "html",
    "empty",
    "invalid_json",
    "json_array",
    "missing_choices",
    "no_choices",
    "fewer_choices",
    "null_content",
    "wrong_type",
    "filtered",
    "other_model",
    "huge",
    "redirect",
    "reset",
]
FAULT_KINDS: tuple[FaultKind, ...] = get_args(FaultKind)
"""All of them. `slow`, `filtered`, `other_model` and, of several, `fewer_choices` are answers; the others are none."""

HUGE_BYTES = 9 * 2**20
_FOREVER_S = 3600.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One misbehaviour. `status`, `headers` and `message` are for `status`; `seconds` for `slow`, `hang`, `drip`."""

    kind: FaultKind
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    message: str = "fake error"
    seconds: float = _FOREVER_S


Faults = Callable[[int, int], Fault | None]
"""What happens to a call, given its number and how often the same body came before (both from 0)."""


def in_order(*faults: Fault | None) -> Faults:
    """The first calls get these, one each; later ones are answered."""
    return lambda call, _: faults[call] if call < len(faults) else None


def storm(share: float, kinds: Sequence[Fault], seed: int = 0) -> Faults:
    """This share of all calls gets one of `kinds`, drawn by the number of the call."""

    def draw(call: int, _: int) -> Fault | None:
        rng = random.Random(f"{seed} {call}")
        return rng.choice(kinds) if rng.random() < share else None

    return draw


def http_head(
    status: int, length: int | None, kind: str = "application/json", headers: Mapping[str, str] | None = None
) -> bytes:
    """The first lines of an HTTP/1.1 answer; without a length the body comes in chunks."""
    lines = [f"HTTP/1.1 {status} Fake", f"Content-Type: {kind}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    lines.append("Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def play(fault: Fault, answer: Mapping[str, Any], writer: asyncio.StreamWriter) -> bool:
    """Send what the fault makes of the answer. True: the connection is still in order."""
    body = json.dumps(answer).encode("ascii")
    if fault.kind == "hang":
        await asyncio.sleep(fault.seconds)
        return False
    if fault.kind == "reset":
        _reset(writer)
        return False
    if fault.kind == "drip":
        await _drip(writer, body, fault.seconds)
        return False
    if fault.kind == "slow":
        await asyncio.sleep(fault.seconds)
    sent, whole = _spoilt(fault, answer, body)
    writer.write(sent)
    await writer.drain()
    return whole


def _spoilt(fault: Fault, answer: Mapping[str, Any], body: bytes) -> tuple[bytes, bool]:
    """The bytes of a spoilt answer, and whether they are a whole HTTP message."""
    half = body[: len(body) // 2]
    if fault.kind == "status":
        error = json.dumps({"error": {"message": fault.message, "type": "fake"}}).encode("ascii")
        return http_head(fault.status, len(error), headers=fault.headers) + error, True
    if fault.kind == "redirect":
        return http_head(307, 0, headers={"Location": "http://other.invalid/v1/chat/completions"}), True
    if fault.kind == "truncated":
        return http_head(200, len(body)) + half, False
    if fault.kind == "wrong_length":
        return http_head(200, len(half)) + body, False
    if fault.kind == "endless_chunks":
        return http_head(200, None) + f"{len(half):x}\r\n".encode("ascii") + half + b"\r\n", False
    if fault.kind == "html":
        page = b"<!doctype html><title>Sign in</title><p>Please sign in to the network."
        return http_head(200, len(page), "text/html") + page, True
    content = _spoilt_content(fault.kind, answer, body)
    return http_head(200, len(content)) + content, True


def _spoilt_content(kind: FaultKind, answer: Mapping[str, Any], body: bytes) -> bytes:
    choice: dict[str, Any] = answer.get("choices", [{}])[0]
    changed: dict[FaultKind, Any] = {
        "json_array": [answer],
        "missing_choices": {key: value for key, value in answer.items() if key != "choices"},
        "no_choices": {**answer, "choices": []},
        "fewer_choices": {**answer, "choices": answer.get("choices", [])[1:]},
        "null_content": {**answer, "choices": [{**choice, "message": {"role": "assistant", "content": None}}]},
        "wrong_type": {**answer, "choices": [{**choice, "message": {"role": "assistant", "content": 42}}]},
        "filtered": {
            **answer,
            "choices": [
                {**choice, "finish_reason": "content_filter", "message": {"role": "assistant", "content": None}}
            ],
        },
        "other_model": {**answer, "model": "another-model"},
    }
    plain: dict[FaultKind, bytes] = {
        "empty": b"",
        "invalid_json": body[:-1] + b",,",
        "huge": b'{"filler": "' + b"x" * HUGE_BYTES + b'"}',
    }
    return plain[kind] if kind in plain else json.dumps(changed.get(kind, answer)).encode("ascii")


def _reset(writer: asyncio.StreamWriter) -> None:
    """End the connection with RST, as a crashing server does."""
    sock: socket.socket | None = writer.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _drip(writer: asyncio.StreamWriter, body: bytes, pause_s: float) -> None:
    """One byte at a time, each soon enough to keep an idle timeout from firing."""
    writer.write(http_head(200, len(body)))
    for position in range(len(body)):
        writer.write(body[position : position + 1])
        await writer.drain()
        await asyncio.sleep(pause_s)
