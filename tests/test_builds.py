"""Builds: numbered, immutable, complete or absent."""

import json
from pathlib import Path

import pytest

from pairsmith.builds import builds_of, find_build, latest_build, make_latest, write_atomically, write_build
from pairsmith.errors import BuildError, UsageError

FILES = {"train.jsonl": b"{}\n", "resolve/metrics.json": b"{}"}


def origin(fingerprint: str) -> dict[str, str]:
    return {"fingerprint": fingerprint}


def test_builds_are_numbered_and_latest_points_at_the_newest(tmp_path):
    first = write_build(tmp_path, FILES, origin("a"))
    second = write_build(tmp_path, FILES, origin("b"))
    assert (first.name, second.name) == ("0001", "0002")
    assert latest_build(tmp_path).name == "0002"
    assert [build.name for build in builds_of(tmp_path)] == ["0002", "0001"]
    assert (tmp_path / "builds" / "latest" / "train.jsonl").read_bytes() == b"{}\n"


def test_a_build_of_the_past_leaves_latest_alone(tmp_path):
    write_build(tmp_path, FILES, origin("a"))
    write_build(tmp_path, FILES, origin("b"), latest=False)
    assert latest_build(tmp_path).name == "0001"
    make_latest(latest_build(tmp_path, "0002"))
    assert latest_build(tmp_path).name == "0002"


def test_the_same_fingerprint_is_found_unless_its_files_changed(tmp_path):
    build = write_build(tmp_path, FILES, origin("a"))
    assert find_build(tmp_path, "a") == build
    assert find_build(tmp_path, "b") is None
    (build.path / "train.jsonl").write_bytes(b"tampered")
    (build.path / "note.txt").write_bytes(b"")
    assert [problem.split(": ")[1] for problem in build.problems()] == [
        "changed since it was written",
        "not part of the build",
    ]
    assert find_build(tmp_path, "a") is None


def test_the_manifest_names_every_file_with_its_hash(tmp_path):
    build = write_build(tmp_path, FILES, origin("a"))
    manifest = json.loads((build.path / "manifest.json").read_text())
    assert set(manifest["files"]) == set(FILES)
    assert manifest["files"]["train.jsonl"]["bytes"] == 3


def test_an_interrupted_build_is_never_seen_and_is_cleaned_up(tmp_path, monkeypatch):
    class Interrupted(BaseException):
        pass

    def interrupt(path: Path, data: bytes) -> None:
        raise Interrupted

    with monkeypatch.context() as patch:
        patch.setattr("pairsmith.builds.store.write_synced", interrupt)
        with pytest.raises(Interrupted):
            write_build(tmp_path, FILES, origin("a"))
    assert list((tmp_path / "builds").iterdir()) == []
    left_by_the_dead = tmp_path / "builds" / ".unfinished-999999999-x"
    left_by_the_dead.mkdir()
    assert write_build(tmp_path, FILES, origin("a")).name == "0001"
    assert not left_by_the_dead.exists()


def test_a_place_that_cannot_be_written_is_an_error_with_a_remedy(tmp_path):
    (tmp_path / "builds").write_text("a file where the folder should be")
    with pytest.raises(BuildError, match=r"cannot be written .* then build again"):
        write_build(tmp_path, FILES, origin("a"))


def test_no_build_says_what_to_do(tmp_path):
    with pytest.raises(UsageError, match="pairsmith build"):
        latest_build(tmp_path)


def test_an_atomic_write_leaves_the_old_content_on_failure(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, b"old")
    with pytest.raises(TypeError):
        write_atomically(path, "not bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
