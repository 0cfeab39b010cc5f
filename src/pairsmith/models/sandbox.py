"""Unit tests on strangers' code, in a child process without network, other processes or a disk to change.

Limits: CPU seconds, wall time, memory, open files, size of files. On Linux the child also leaves the network, the
process list and every writable mount behind (user namespaces). Where that is not possible the code is not run, unless
the configuration allows `sandbox: limits`. The code can still read what its user can read; it has nowhere to send it.
"""

import contextlib
import functools
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pairsmith.errors import ModelError

__all__ = ["Limits", "SandboxRefused", "code_of", "isolation_problem", "run_tests"]

_CHILD: Final = Path(__file__).with_name("sandbox_child.py")
_START_S: Final = 5.0  # starting an interpreter on a busy machine
_MOST_OUTPUT: Final = 1_000_000
_FENCE: Final = re.compile(r"^```[ \t]*(\w*)[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)


class SandboxRefused(ModelError):
    """The child could not shut itself in, so it ran nothing."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one child may use. `seconds` limits CPU time and, with the time to start, wall time."""

    seconds: int = 10
    memory_mib: int = 512
    scratch_mib: int = 16


def code_of(response: str) -> str:
    r"""The Python code of a response: its fenced blocks marked `python`, `py` or nothing, or all of it without a fence.

    >>> code_of("Sure:\n```python\nx = 1\n```\nand\n```bash\nls\n```")
    'x = 1\n'
    """
    blocks = [
        code for language, code in _FENCE.findall(response) if language.lower() in ("", "python", "py", "python3")
    ]
    return "\n".join(blocks) if _FENCE.search(response) else response


def run_tests(code: str, tests: Sequence[str], limits: Limits, *, isolated: bool = True) -> list[str]:
    """Run the code, then each test in the same namespace; for each test an empty text, or why it failed.

    Only the standard library can be imported. A test that needs the others' time is cut off with them.

    Raises:
        SandboxRefused: `isolated`, and this system cannot do that.
    """
    token = secrets.token_hex(16)
    job = {
        "code": code,
        "tests": list(tests),
        "token": token,
        "isolated": isolated,
        "seconds": limits.seconds,
        "memory_mib": limits.memory_mib,
        "scratch_mib": limits.scratch_mib,
    }
    output, late = _start(json.dumps(job).encode(), limits.seconds + _START_S)
    answer = _read(output, token)
    if "refused" in answer:
        raise SandboxRefused(f"code cannot be shut in on this system ({answer['refused']})")
    results = answer.get("results")
    if isinstance(results, list) and len(results) == len(tests):
        return [str(result) for result in results]
    reason = (
        f"took more than {limits.seconds} s"
        if late
        else f"ended without a result (limit: {limits.seconds} s, {limits.memory_mib} MiB)"
    )
    return [reason] * len(tests)


@functools.cache
def isolation_problem() -> str:
    """Why strangers' code cannot be shut in here; empty if it can. Tried once by running nothing."""
    if not sys.platform.startswith("linux"):
        return f"{sys.platform} has no namespaces"
    try:
        return "" if run_tests("", ["pass"], Limits(), isolated=True) == [""] else "the trial run failed"
    except SandboxRefused as error:
        return str(error)


def _start(job: bytes, wall_s: float) -> tuple[bytes, bool]:
    """What the child wrote, and whether it was late."""
    with tempfile.TemporaryDirectory(prefix="pairsmith-sandbox-") as folder:
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
            cwd=folder,
            start_new_session=True,
        )
        try:
            return child.communicate(job, timeout=wall_s)[0], False
        except subprocess.TimeoutExpired:
            return b"", True
        finally:
            _kill(child)


def _kill(child: "subprocess.Popen[bytes]") -> None:
    """End the whole group; the child's own children end with it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.communicate()


def _read(output: bytes, token: str) -> dict[str, Any]:
    try:
        answer = json.loads(output[:_MOST_OUTPUT])
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) and answer.get("token") == token else {}
