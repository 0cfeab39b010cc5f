"""Stories run the command line as a user would: in another process, in a folder of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


class Project:
    """A project folder and the command line in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, text: str) -> Path:
        """Write a file of the project."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def start(self, *words: str, **env: str) -> "subprocess.Popen[str]":
        """Start a verb and return at once."""
        return subprocess.Popen(
            [sys.executable, "-m", "pairsmith", "-C", str(self.path), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **env},
        )

    def run(self, *words: str, code: int = 0, **env: str) -> str:
        """Run a verb to its end, check its exit code, and return what it printed."""
        with self.start(*words, **env) as process:
            printed, complaints = process.communicate(timeout=600)
        assert process.returncode == code, f"exit {process.returncode}, not {code}\n{printed}\n{complaints}"
        assert "Traceback" not in complaints
        return printed + complaints if code else printed

    def ask(self, *words: str, code: int = 0, **env: str) -> Any:
        """Run a verb with --json and return the document."""
        with self.start("--json", *words, **env) as process:
            printed, complaints = process.communicate(timeout=600)
        assert process.returncode == code, f"exit {process.returncode}, not {code}\n{printed}\n{complaints}"
        return json.loads(printed)

    def latest(self, name: str) -> Any:
        """A JSON file of the latest build."""
        return json.loads((self.path / "builds" / "latest" / name).read_text(encoding="utf-8"))

    def rows(self, name: str) -> list[Any]:
        """The rows of a JSONL file of the latest build."""
        return [json.loads(line) for line in (self.path / "builds" / "latest" / name).read_bytes().split(b"\n") if line]

    def build_bytes(self) -> dict[str, bytes]:
        """Every file of the latest build."""
        folder = (self.path / "builds" / "latest").resolve()
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def new_project(tmp_path: Path) -> Callable[[str], Project]:
    """Makes project folders by name."""

    def make(name: str = "project") -> Project:
        path = tmp_path / name
        path.mkdir()
        return Project(path)

    return make
