"""The batch API of the fake server: files go in, batches take their time, files come out."""

import json
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["FakeBatches"]

Answer = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class FakeBatches:
    """Files and batches of one server. Set the attributes to make it slow or bad.

    `polls` is how often a batch is looked at before it is over; `status` is what it is then; `leaves_out` of its last
    requests are not answered; requests whose number (from 0) is in `fails` get that status. `lost` creations are done
    but answered with 500.
    """

    def __init__(self, answer: Answer) -> None:
        self.polls = 1
        self.status = "completed"
        self.leaves_out = 0
        self.fails: dict[int, int] = {}
        self.lost = 0
        self.batches: dict[str, dict[str, Any]] = {}
        self._answer = answer
        self._files: dict[str, bytes] = {}
        self._looked: dict[str, int] = {}

    def answer(self, method: str, path: str, raw: bytes) -> tuple[int, Mapping[str, Any] | bytes]:
        """Status and content of the answer to one call."""
        path = path.partition("?")[0]
        parts = path.strip("/").split("/")
        if (method, path) == ("POST", "/files"):
            return 200, {"id": self._store(_uploaded(raw)), "object": "file", "purpose": "batch"}
        if (method, path) == ("POST", "/batches"):
            made = self._create(json.loads(raw))
            if self.lost:
                self.lost -= 1
                return 500, {"error": {"message": "the answer is lost"}}
            return 200, made
        if (method, path) == ("GET", "/batches"):
            return 200, {"object": "list", "data": list(self.batches.values()), "has_more": False}
        if method == "GET" and len(parts) == 2 and parts[1] in self.batches:
            return 200, self._look(parts[1])
        if method == "GET" and parts[-1] == "content" and parts[1] in self._files:
            return 200, self._files[parts[1]]
        return 404, {"error": {"message": f"no such address: {path}"}}

    def _store(self, content: bytes) -> str:
        name = f"file-{len(self._files)}"
        self._files[name] = content
        return name

    def _create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        name = f"batch-{len(self.batches)}"
        made = {**body, "id": name, "object": "batch", "status": "in_progress"}
        self.batches[name] = made
        self._looked[name] = 0
        return made

    def _look(self, name: str) -> Mapping[str, Any]:
        batch = self.batches[name]
        self._looked[name] += 1
        if batch["status"] == "in_progress" and self._looked[name] > self.polls:
            batch["status"] = self.status
            if self.status != "failed":
                batch.update(self._work_through(self._files[batch["input_file_id"]]))
        return batch

    def _work_through(self, content: bytes) -> dict[str, str]:
        """Answer a file of requests, in reverse order, as nothing promises any."""
        rows = [json.loads(line) for line in content.splitlines()]
        good: list[str] = []
        bad: list[str] = []
        for number, row in reversed(list(enumerate(rows[: len(rows) - self.leaves_out]))):
            status = self.fails.get(number, 200)
            body = self._answer(row["body"]) if status == 200 else {"error": {"message": "refused"}}
            line = {"custom_id": row["custom_id"], "response": {"status_code": status, "body": body}, "error": None}
            (good if status == 200 else bad).append(json.dumps(line))
        files = {"output_file_id": self._store("\n".join(good).encode())}
        return files | ({"error_file_id": self._store("\n".join(bad).encode())} if bad else {})


def _uploaded(raw: bytes) -> bytes:
    """The file in a multipart form."""
    boundary = raw.partition(b"\r\n")[0]
    for part in raw.split(boundary):
        head, _, content = part.partition(b"\r\n\r\n")
        if b"filename=" in head:
            return content.removesuffix(b"\r\n")
    return b""
