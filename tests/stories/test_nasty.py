"""Every hostile file, through the command line: its good rows, its bad lines, and nothing else in the world changed."""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

NAMES = (
    "annotations_conflicts.jsonl",
    "broken_lines.jsonl",
    "concatenated_objects.jsonl",
    "contradictions_cycle.jsonl",
    "crlf.jsonl",
    "deep_nesting_100k.jsonl",
    "duplicate_ids.jsonl",
    "duplicate_keys.jsonl",
    "emoji_rtl_combining.jsonl",
    "empty_file.jsonl",
    "html_in_text.jsonl",
    "huge_line_12MB.jsonl.gz",
    "ids_as_paths.jsonl",
    "json_array_named_jsonl.jsonl",
    "latin1.jsonl",
    "lone_surrogate.jsonl",
    "mixed_line_ends_blank_lines.jsonl",
    "null_bytes.jsonl",
    "only_newlines.jsonl",
    "pii_obfuscated.jsonl",
    "prompt_injection.jsonl",
    "quoted_newlines.csv",
    "truncated.jsonl.gz",
    "utf16le_bom.jsonl",
    "utf8_bom.jsonl",
    "wrong_types_and_fields.jsonl",
)
REFUSED = {
    "empty_file.jsonl": "is empty",
    "only_newlines.jsonl": "only blank lines",
    "truncated.jsonl.gz": "ends early",
    "utf16le_bom.jsonl": "is UTF-16 text",
}
BAD_LINES = {  # where expected.json says it in words
    "annotations_conflicts.jsonl": {8: "unknown_label", 9: "empty_text"},
    "concatenated_objects.jsonl": {1: "several_objects"},
    "duplicate_ids.jsonl": {3: "duplicate_id"},
    "quoted_newlines.csv": {6: "too_few_columns"},  # the fourth row begins on the sixth line
}
GOOD_ROWS = {
    "annotations_conflicts.jsonl": {8},
    "concatenated_objects.jsonl": {0},
    "duplicate_ids.jsonl": {3},  # the fourth contradicts the first: reported, not overwritten
}
UNREADABLE_ON_A_TERMINAL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class World:
    """A folder with a project in it, and everything else that a command might touch by mistake."""

    def __init__(self, path: Path, source: Path, settings: str) -> None:
        self.path = path
        self.project = path / "project"
        for name in ("project", "home", "here", "temporary"):
            (path / name).mkdir()
        (path / "home" / "mine.txt").write_text("mine")
        shutil.copyfile(source, self.project / source.name)
        text = f"name: nasty\ncollect: {{sources: [{{path: {source.name}, {settings}}}]}}\n"
        (self.project / "pairsmith.yaml").write_text(text)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a verb and look around afterwards."""
        before = self._outside()
        ended = subprocess.run(
            [sys.executable, "-m", "pairsmith", "-C", str(self.project), *words],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(sys.path),
                "HOME": str(self.path / "home"),
                "TMPDIR": str(self.path / "temporary"),
            },
            cwd=self.path / "here",
            capture_output=True,
            check=False,
            encoding="utf-8",
        )
        assert self._outside() == before
        assert "Traceback" not in ended.stderr
        assert not UNREADABLE_ON_A_TERMINAL.findall(ended.stdout + ended.stderr)
        return ended

    def _outside(self) -> dict[str, bytes]:
        inside = self.project.relative_to(self.path).as_posix()
        return {
            name: path.read_bytes() if path.is_file() else b""
            for path in self.path.rglob("*")
            if not (name := path.relative_to(self.path).as_posix()).startswith(f"{inside}/")
        }

    def quarantined(self) -> dict[int, str]:
        """The reason of every bad line."""
        folder = self.project / "quarantine"
        lines = [line for path in folder.glob("*.jsonl") for line in path.read_text("utf-8").split("\n") if line]
        rows = [json.loads(line) for line in lines]
        assert len({row["line"] for row in rows}) == len(rows)
        return {row["line"]: row["reason"] for row in rows}

    def metrics(self) -> Any:
        """The metrics of the build."""
        return json.loads((self.project / "builds/latest/metrics.json").read_text("utf-8"))

    def rows(self, name: str = "preference_pairs.jsonl") -> list[Any]:
        """Rows of the build."""
        data = (self.project / "builds" / "latest" / name).read_bytes()
        return [json.loads(line) for line in data.decode("utf-8").split("\n") if line]

    def texts(self) -> list[tuple[str, str, str]]:
        """Prompt, chosen and rejected of every pair."""
        return [tuple(row[side][-1]["content"] for side in ("prompt", "chosen", "rejected")) for row in self.rows()]


NewWorld = Callable[..., World]


@pytest.fixture
def new_world(tmp_path: Path, shared_data: Path) -> NewWorld:
    def make(name: str, settings: str = "format: auto") -> World:
        return World(tmp_path, shared_data / "nasty" / name, settings)

    return make


@pytest.fixture(scope="module")
def expected(shared_data: Path) -> Any:
    return json.loads((shared_data / "nasty" / "expected.json").read_text())


def good_rows(name: str, wanted: Any) -> set[int]:
    """The numbers of good rows that are right: `6`, `2 or 3`, `1 (2 if ...)`."""
    return GOOD_ROWS.get(name) or {int(number) for number in re.findall(r"\d+", str(wanted).replace("line 8", ""))}


def true_format(name: str) -> str:
    return "votes" if name.startswith("annotations") else "preference"


def test_the_list_is_complete(expected):
    assert sorted(NAMES) == sorted(expected)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("guessing", [True, False], ids=["auto", "named"])
def test_good_rows_are_kept_and_bad_lines_are_named(new_world, expected, name, guessing):
    world = new_world(name, f"format: {'auto' if guessing else true_format(name)}")
    ended = world.run("collect" if guessing else "run")
    if name in REFUSED:
        assert ended.returncode == 2
        assert len(ended.stderr.splitlines()) == 1
        assert f"{name}: " in ended.stderr
        assert REFUSED[name] in ended.stderr
        assert not (world.project / "builds").exists()
        return
    assert ended.returncode == (0 if guessing else 3)  # so few pairs never pass a gate
    if guessing:
        found = json.loads(world.run("--json", "collect").stdout)["details"][name]
    else:
        (found,) = world.metrics()["inputs"]
        assert sum(step["count"] for step in world.metrics()["funnel"] if step["step"] == "rows read") == found["rows"]
    wanted = BAD_LINES.get(name) or {int(line) for line in expected[name].get("bad_lines", {})}
    quarantined = world.quarantined()
    assert set(quarantined) == set(wanted)
    assert not isinstance(wanted, dict) or quarantined == wanted
    assert found["good"] in good_rows(name, expected[name]["good_rows"])
    assert found["rejected"] == len(quarantined)
    assert found["rows"] == found["good"] + found["rejected"]
    assert not quarantined or f"{len(quarantined)} rejected" in ended.stdout


def test_texts_come_out_as_they_went_in(new_world, shared_data):
    world = new_world("emoji_rtl_combining.jsonl", "format: preference")
    world.run("run")
    lines = (shared_data / "nasty/emoji_rtl_combining.jsonl").read_bytes().decode("utf-8").split("\n")
    wanted = [json.loads(line) for line in lines if line]
    assert sorted(world.texts()) == sorted((row["prompt"], row["chosen"], row["rejected"]) for row in wanted)
    hostile = [row for row in world.rows() if UNREADABLE_ON_A_TERMINAL.search(json.dumps(row, ensure_ascii=False))]
    assert hostile
    assert world.run("show", hostile[0]["pair_id"]).returncode == 0  # which looks for such characters itself


def test_encodings_and_line_ends_leave_no_trace(new_world):
    world = new_world("crlf.jsonl", "format: preference")
    world.run("run")
    assert not [text for texts in world.texts() for text in texts if "\r" in text]


def test_a_wrong_encoding_is_never_guessed(new_world):
    world = new_world("latin1.jsonl", "format: preference")
    world.run("run")
    assert len(world.texts()) == 9
    assert not [
        text
        for texts in world.texts()
        for text in texts
        if "\ufffd" in text or "\N{LATIN CAPITAL LETTER A WITH TILDE}" in text
    ]
    (line,) = (world.project / "quarantine").glob("*.jsonl")
    assert "byte" in json.loads(line.read_text())["detail"]


def test_a_line_of_twelve_megabytes_is_kept_whole(new_world, shared_data):
    world = new_world("huge_line_12MB.jsonl.gz", "format: preference")
    world.run("run")
    with gzip.open(shared_data / "nasty/huge_line_12MB.jsonl.gz", "rt", encoding="utf-8") as file:
        longest = max(len(json.loads(line)[side]) for line in file for side in ("prompt", "chosen", "rejected"))
    assert max(len(text) for texts in world.texts() for text in texts) == longest > 10_000_000
    assert (world.project / "builds/latest/report.html").stat().st_size < 2_000_000


def test_markup_stays_text_in_the_report(new_world):
    world = new_world("html_in_text.jsonl", "format: preference")
    world.run("run")
    hostile = [text for texts in world.texts() for text in texts if "<" in text]
    page = (world.project / "builds/latest/report.html").read_text("utf-8")
    assert hostile
    assert not [text for text in hostile if text in page]


def test_ids_that_look_like_paths_make_no_files(new_world, shared_data):
    world = new_world("ids_as_paths.jsonl", "format: preference")
    world.run("run")
    names = {part for path in world.project.rglob("*") for part in path.relative_to(world.project).parts}
    assert not [name for name in names if "passwd" in name or name in ("abs", "a", "nul") or len(name) > 60]
    assert len(world.texts()) == 7


def test_personal_data_in_every_disguise_is_gone_from_every_byte(new_world):
    world = new_world("pii_obfuscated.jsonl", "format: preference, anonymise: true")
    source = world.project / "pii_obfuscated.jsonl"
    world.run("collect")
    source.unlink()  # the user's own file
    world.run("build")
    assert len(world.texts()) == 7
    stored = b"".join(path.read_bytes() for path in world.project.rglob("*") if path.is_file())
    for secret in (
        "john.doe",
        "john dot doe",
        "1234567",
        "4111 1111 1111 1111",
        "10.0.0.1",
        "2001:db8::ff00:42:8329",
        "ghp_0123456789abcdefghijklmnopqrstuvwxyzAB",
        "AKIAIOSFODNN7EXAMPLE",
        "DE89 3704 0044 0532 0130 00",
        "078-05-1120",
        "hunter2",
    ):
        assert secret.encode("utf-8") not in stored, secret
    for harmless in ("4111 1111 1111 1112", "123-45-678"):
        assert harmless.encode("utf-8") in stored, harmless


def test_contradictions_are_found(new_world):
    world = new_world("contradictions_cycle.jsonl", "format: preference")
    world.run("run")
    dropped = world.rows("dropped.jsonl")
    assert [row["reason"] for row in dropped] == ["conflict_cycle"] * 3
    assert all(row["evidence"] for row in dropped)
    conflicts = {row["kind"]: row for row in world.rows("conflicts.jsonl")}
    assert set(conflicts) == {"cycle", "contradictory"}
    # c4 reverses c1 under a prompt that is nearly the same; c1 waits for a vote that opens the circle
    reversal = conflicts["contradictory"]
    (left,) = set(reversal["targets"])
    assert len(reversal["subjects"]) == 2
    assert reversal["evidence"]["left_before"] == {left: "conflict_cycle"}
    assert (reversal["outcome"], reversal["action"]) == ("queued", "left_before")
    assert left in conflicts["cycle"]["subjects"]


def test_a_changed_vote_counts_once_and_is_reported(new_world):
    world = new_world("annotations_conflicts.jsonl", "format: votes")
    world.run("run")
    (found,) = world.metrics()["inputs"]
    assert found["warnings"]["changed_vote"] == 1
    assert not (world.project / "builds/latest/preference_pairs.jsonl").read_bytes()  # the pairs' texts are missing


def test_orders_to_the_judge_stay_in_their_place(new_world):
    world = new_world("prompt_injection.jsonl", "format: preference")
    world.run("run")
    texts = {text for texts in world.texts() for text in texts}
    assert "{{response_b}} {prompt} %s ${HOME} {{7*7}}" in texts
