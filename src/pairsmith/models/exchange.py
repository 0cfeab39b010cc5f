"""Worker processes: started, talked with over their pipes (JSON, a line for a line), and ended."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

__all__ = ["end_worker", "exchange", "start_worker"]

_STOP_WAIT_S = 5.0


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


def start_worker(script: Path, threads: int) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    """A worker that runs a file by itself, and the file that takes what it says besides its answers."""
    said = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
    process = subprocess.Popen(
        [sys.executable, "-P", str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=said,
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        start_new_session=True,  # Ctrl-C is for the parent, which then ends its workers
    )
    return process, said


def end_worker(process: subprocess.Popen[bytes], said: IO[bytes]) -> str:
    """Make sure the process is gone, and say how it went."""
    process.kill()
    code = process.wait(_STOP_WAIT_S)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError, ValueError):  # closing also flushes what a dead process will not read
                pipe.close()
    with said:
        said.seek(0)
        lines = said.read().decode("utf-8", "replace").strip().splitlines()
    return f"exit code {code}" + (f", last words: {lines[-1][:200]}" if lines else "")
