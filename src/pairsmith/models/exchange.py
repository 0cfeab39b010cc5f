"""Talking with a worker process over its pipes: JSON, a line for a line."""

import json
import subprocess
from collections.abc import Mapping
from typing import Any

__all__ = ["exchange"]


def exchange(process: subprocess.Popen[bytes], message: Mapping[str, Any]) -> dict[str, Any] | None:
    """One line to the process and one line back; `None` if it is gone."""
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(message).encode("ascii") + b"\n")
        process.stdin.flush()
        line = process.stdout.readline()
    except (OSError, ValueError):  # a broken pipe, or one closed while we waited
        return None
    reply: dict[str, Any] | None = json.loads(line) if line.endswith(b"\n") else None
    return reply
