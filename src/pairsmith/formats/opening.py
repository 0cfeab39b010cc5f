"""Opening files: what cannot be read is refused by name, what is compressed is recognised by its first bytes."""

import errno
import gzip
import hashlib
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pairsmith.errors import InputError, MissingExtra

__all__ = ["ByteSource", "check_file", "open_bytes", "sha256_of", "verify"]

CHUNK_BYTES = 1024 * 1024
MAX_UNPACKED_BYTES = 64 * 2**30
MAX_RATIO = 200
RATIO_MATTERS_FROM_BYTES = 64 * 2**20  # small files of repetitive text pack better than 200 to 1 and harm nobody

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"

_KINDS = (
    (stat.S_ISDIR, "a folder; name a file in it"),
    (stat.S_ISFIFO, "a pipe; save its content to a file first"),
    (stat.S_ISSOCK, "a socket; save its content to a file first"),
    (stat.S_ISCHR, "a device; save its content to a file first"),
    (stat.S_ISBLK, "a device; save its content to a file first"),
)


class ByteSource:
    """Unpacked bytes of a file, with a look ahead."""

    def __init__(self, path: Path, read: Callable[[int], bytes], packed_bytes: int | None) -> None:
        """`read` returns b"" at the end; `packed_bytes`: size of a compressed file, `None` if it is not compressed."""
        self.path = path
        self._read_some = read
        self._packed_bytes = packed_bytes
        self._ahead = b""
        self._unpacked_bytes = 0

    @property
    def packed(self) -> bool:
        """Whether the file is compressed."""
        return self._packed_bytes is not None

    def peek(self, size: int) -> bytes:
        """The next `size` bytes (fewer at the end of the file) without consuming them."""
        while len(self._ahead) < size and (more := self._read(size - len(self._ahead))):
            self._ahead += more
        return self._ahead[:size]

    def push_back(self, data: bytes) -> None:
        """Hand back bytes that were read too far."""
        self._ahead = data + self._ahead

    def read(self, size: int = CHUNK_BYTES) -> bytes:
        """At most `size` bytes; b"" at the end.

        Raises:
            InputError: if compressed data is damaged, cut off, or unpacks to an absurd size.
        """
        if self._ahead:
            taken, self._ahead = self._ahead[:size], self._ahead[size:]
            return taken
        return self._read(size)

    def _read(self, size: int) -> bytes:
        try:
            data = self._read_some(size)
        except EOFError:
            raise InputError(
                f"{self.path}: the compressed data ends early, after {self._unpacked_bytes:,} unpacked bytes; "
                "the file was cut off, copy it again"
            ) from None
        except (OSError, zlib.error) as error:
            raise InputError(f"{self.path}: cannot be read ({error}); the file is damaged, copy it again") from None
        self._unpacked_bytes += len(data)
        if self._packed_bytes is not None:
            self._stop_bombs(self._packed_bytes)
        return data

    def _stop_bombs(self, packed_bytes: int) -> None:
        unpacked = self._unpacked_bytes
        if unpacked > MAX_UNPACKED_BYTES:
            raise InputError(f"{self.path}: unpacks to more than {MAX_UNPACKED_BYTES:,} bytes; unpack it and split it")
        if unpacked > RATIO_MATTERS_FROM_BYTES and unpacked > MAX_RATIO * packed_bytes:
            raise InputError(
                f"{self.path}: unpacks to more than {MAX_RATIO} times its size (a decompression bomb?); "
                "unpack it yourself if you trust it"
            )


def check_file(path: Path) -> int:
    """The size in bytes of a regular, readable file that is not empty.

    Raises:
        InputError: if it is missing, a folder, pipe, device or link loop, empty, or may not be read.
    """
    try:
        info = path.stat()
    except FileNotFoundError:
        what = "a link to a file that is not there" if path.is_symlink() else "no such file"
        raise InputError(f"{path}: {what}; check the path (it is relative to the project folder)") from None
    except OSError as error:
        raise InputError(_why_not(path, error)) from None
    for is_kind, remedy in _KINDS:
        if is_kind(info.st_mode):
            raise InputError(f"{path}: is {remedy}")
    if info.st_size == 0:
        raise InputError(f"{path}: is empty; there is nothing to read in it")
    return info.st_size


@contextmanager
def open_bytes(path: Path) -> Iterator[ByteSource]:
    """The bytes of `path`, unpacked if its first bytes are those of gzip or zstd, whatever its name.

    Raises:
        InputError: if the file cannot be read; see also `ByteSource.read`.
        MissingExtra: for zstd without pyarrow.
    """
    size = check_file(path)
    try:
        file = path.open("rb")
    except OSError as error:
        raise InputError(_why_not(path, error)) from None
    with file:
        magic = file.peek(4)[:4]
        if magic.startswith(GZIP_MAGIC):
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield ByteSource(path, unpacked.read1, size)  # `read` would drop what precedes a cut
        elif magic == ZSTD_MAGIC:
            with _open_zstd(path) as unpacked:
                yield ByteSource(path, unpacked.read, size)
        else:
            yield ByteSource(path, file.read, None)


def sha256_of(path: Path) -> str:
    """SHA-256 of the bytes of a file as they lie on disk, in hexadecimal.

    Raises:
        InputError: if the file cannot be read.
    """
    check_file(path)
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(_why_not(path, error)) from None


def verify(path: Path) -> int:
    """Read the whole file once, so that a cut-off or hostile one is refused before anything of it is used.

    Returns:
        The number of line ends: an estimate of the rows.

    Raises:
        InputError: if it cannot be read to its end.
    """
    lines = 0
    with open_bytes(path) as source:
        while chunk := source.read():
            lines += chunk.count(b"\n")
    return lines


def _open_zstd(path: Path) -> Any:
    try:
        import pyarrow
    except ImportError:
        raise MissingExtra(
            f"{path}: reading zstd needs pyarrow; run `pip install 'pairsmith[arrow]'`, or unpack the file"
        ) from None
    return pyarrow.CompressedInputStream(pyarrow.OSFile(str(path)), "zstd")


def _why_not(path: Path, error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return f"{path}: is a link that leads back to itself; link it to a file"
    if error.errno == errno.EACCES:
        return f"{path}: may not be read; give yourself read permission (chmod u+r)"
    return f"{path}: cannot be read ({error.strerror}); check the file and its disk"
