"""Watching the processes of a command from outside: who they are, how much memory they took, and ending one."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pairsmith

MARK = "PAIRSMITH_TEST_MARK"


@dataclass
class Watched:
    """How a command ended. `peak_mb`: by what a process was, the most memory one of them held at a time."""

    code: int
    output: str
    peak_mb: Mapping[str, float] = field(default_factory=dict)
    left_over: int = 0


def processes_of(mark: str) -> dict[int, str]:
    """Processes started by the command with this mark, with their command lines."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes():
                    found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (OSError, UnicodeDecodeError):
                continue  # it ended meanwhile, or is not ours to read
    return found


def watch(words: list[str], folder: Path, each: Callable[[dict[int, str]], None] | None = None) -> Watched:
    """Run `pairsmith WORDS` in a folder; `each` is shown all its processes again and again."""
    mark = uuid.uuid4().hex
    peaks: dict[str, float] = {}
    command = [sys.executable, "-m", "pairsmith", *words]
    environment = {**os.environ, MARK: mark, "PYTHONPATH": str(Path(pairsmith.__file__).parents[1])}
    with (folder / "output.txt").open("w+") as output:
        started = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)
        while started.poll() is None:
            there = processes_of(mark)
            for pid, line in there.items():
                kind = "driver" if pid == started.pid else "worker" if "ray::" in line or "spawn_main" in line else ""
                if kind:
                    peaks[kind] = max(peaks.get(kind, 0.0), _peak_mb(pid))
            if each:
                each(there)
            time.sleep(0.01)
        output.seek(0)
        shown = output.read()
    deadline = time.monotonic() + 20
    while (left := processes_of(mark)) and time.monotonic() < deadline:
        time.sleep(0.2)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    return Watched(started.returncode, shown, peaks, len(left))


def _peak_mb(pid: int) -> float:
    """The most memory of its own the process has held: what it shares with others (libraries, files) aside."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    values = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return int(values.get("RssAnon", "0 kB").split()[0]) / 1024


class KillOne:
    """Ends the first process whose command line holds `what`, once."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.killed = 0

    def __call__(self, processes: dict[int, str]) -> None:
        for pid, line in processes.items():
            if not self.killed and self.what in line:
                os.kill(pid, signal.SIGKILL)
                self.killed = pid
