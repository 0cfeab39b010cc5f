"""Builds on disk: `builds/0001`, `builds/0002`, ... each immutable, each with a manifest that was written last."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pairsmith.builds.files import sync_folder, write_synced
from pairsmith.errors import BuildError, UsageError
from pairsmith.processes import is_alive

__all__ = [
    "BUILDS_FOLDER",
    "LATEST",
    "MANIFEST_FILE",
    "Build",
    "builds_of",
    "find_build",
    "latest_build",
    "make_latest",
    "write_build",
]

BUILDS_FOLDER = "builds"
LATEST = "latest"
MANIFEST_FILE = "manifest.json"
MANIFEST_FORMAT = 1
_UNFINISHED = ".unfinished-"


@dataclass(frozen=True, slots=True)
class Build:
    """A complete build."""

    path: Path
    manifest: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its number as it stands on disk, such as `0007`."""
        return self.path.name

    @property
    def fingerprint(self) -> str:
        """What it was made from: ledger position, configuration, code, benchmark files."""
        return str(self.manifest["fingerprint"])

    def read_json(self, name: str) -> Any:
        """The content of one of its JSON files."""
        return json.loads((self.path / name).read_bytes())

    def problems(self) -> list[str]:
        """Files that are missing, changed or foreign; empty if the build is as it was written."""
        found = []
        for name, wanted in self.manifest["files"].items():
            path = self.path / name
            if not path.is_file():
                found.append(f"{path}: missing")
            elif hashlib.sha256(path.read_bytes()).hexdigest() != wanted["sha256"]:
                found.append(f"{path}: changed since it was written")
        known = {MANIFEST_FILE, *self.manifest["files"]}
        present = {path.relative_to(self.path).as_posix() for path in self.path.rglob("*") if path.is_file()}
        found += [f"{self.path / name}: not part of the build" for name in sorted(present - known)]
        return found


def write_build(project: Path, files: Mapping[str, bytes], origin: Mapping[str, Any], *, latest: bool = True) -> Build:
    """Write a new build and return it; `origin` goes into the manifest and must hold `fingerprint`.

    The folder gets its number only when everything in it is on disk, so an interrupted build never looks whole.
    With `latest`, `builds/latest` points at it afterwards.

    Raises:
        BuildError: if it cannot be written; nothing is left behind then.
    """
    folder = project / BUILDS_FOLDER
    manifest = {
        "format": MANIFEST_FORMAT,
        **origin,
        "files": {
            name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()
        },
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_unfinished(folder)
        unfinished = Path(tempfile.mkdtemp(dir=folder, prefix=f"{_UNFINISHED}{os.getpid()}-"))
        try:
            _fill(unfinished, files, manifest)
            path = _give_number(unfinished, folder)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        if latest:
            _point_latest(folder, path.name)
    except OSError as error:
        raise BuildError(
            f"{folder}: the build cannot be written ({error.strerror}); free space or fix permissions, then build again"
        ) from error
    return Build(path, json.loads((path / MANIFEST_FILE).read_bytes()))


def builds_of(project: Path) -> Iterator[Build]:
    """All complete builds of a project, newest first."""
    folder = project / BUILDS_FOLDER
    if not folder.is_dir():
        return
    for path in sorted((each for each in folder.iterdir() if each.name.isdigit()), reverse=True):
        manifest = path / MANIFEST_FILE
        if manifest.is_file():
            try:
                yield Build(path, json.loads(manifest.read_bytes()))
            except ValueError:
                raise BuildError(f"{manifest}: damaged; delete {path} and build again") from None


def find_build(project: Path, fingerprint: str) -> Build | None:
    """The newest intact build made from exactly this, if there is one."""
    for build in builds_of(project):
        if build.fingerprint == fingerprint and not build.problems():
            return build
    return None


def latest_build(project: Path, name: str = LATEST) -> Build:
    """The build that `builds/latest` points at, or the one called `name`.

    Raises:
        UsageError: if there is none.
    """
    path = (project / BUILDS_FOLDER / name).resolve()
    for build in builds_of(project):
        if build.path.resolve() == path:
            return build
    raise UsageError(f"{project / BUILDS_FOLDER / name}: no such build; run `pairsmith build` first")


def make_latest(build: Build) -> None:
    """Let `builds/latest` point at a build."""
    _point_latest(build.path.parent, build.name)


def _fill(folder: Path, files: Mapping[str, bytes], manifest: Mapping[str, Any]) -> None:
    folders = {folder}
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        folders.add(path.parent)
        write_synced(path, data)
    text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    write_synced(folder / MANIFEST_FILE, text.encode("utf-8"))
    for each in folders:
        sync_folder(each)
    folder.chmod(0o755)


def _give_number(unfinished: Path, folder: Path) -> Path:
    while True:
        numbers = [int(each.name) for each in folder.iterdir() if each.name.isdigit()]
        path = folder / f"{max(numbers, default=0) + 1:04d}"
        try:
            unfinished.rename(path)
        except OSError:
            if not path.exists():
                raise
            continue  # another process took this number first
        sync_folder(folder)
        return path


def _point_latest(folder: Path, name: str) -> None:
    link = folder / f".{LATEST}-{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(name)
    link.replace(folder / LATEST)
    sync_folder(folder)


def _remove_unfinished(folder: Path) -> None:
    """Remove what interrupted builds of dead processes left."""
    for path in folder.glob(f"{_UNFINISHED}*"):
        pid = path.name.removeprefix(_UNFINISHED).split("-")[0]
        if not (pid.isdigit() and is_alive(int(pid))):
            shutil.rmtree(path, ignore_errors=True)
