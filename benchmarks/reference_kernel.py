"""Builds and calls reference_kernel.c: how fast the question whether any known n-gram occurs can be answered at all."""

import ctypes
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pairsmith.measures.hashing import concatenate

__all__ = ["reference_kernel"]

_SOURCE = Path(__file__).with_name("reference_kernel.c")
_BITMAP_BYTES = 1 << 21
_SLACK = np.zeros(64, dtype=np.uint8)


def reference_kernel(items: Sequence[str], ngram: int) -> Callable[[Sequence[tuple[Any, Any]]], int] | None:
    """How many texts of buffers (data, offsets) hold an n-gram of `items`; None without a C compiler or AVX2."""
    compiler = shutil.which("cc")
    if compiler is None or platform.machine() != "x86_64" or "avx2" not in Path("/proc/cpuinfo").read_text():
        return None
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "reference.so"
        command = [compiler, "-O3", "-march=native", "-shared", "-fPIC", "-o", str(library), str(_SOURCE)]
        subprocess.run(command, check=True)
        run = ctypes.CDLL(str(library)).texts_with_grams
    run.restype = ctypes.c_int64
    bitmap = np.zeros(_BITMAP_BYTES, dtype=np.uint8)
    slots = np.zeros(1 << 22, dtype=np.uint64)

    def call(data: Any, offsets: Any, add: bool) -> int:
        scratch = np.zeros(2 * int(np.diff(offsets).max()) + 128, dtype=np.uint8)
        pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in (data, offsets, bitmap, slots, scratch)]
        counts = [ctypes.c_int64(value) for value in (len(offsets) - 1, ngram, len(slots))]
        return int(run(*pointers[:2], *counts[:2], *pointers[2:4], counts[2], ctypes.c_int(add), pointers[4]))

    def padded(data: Any) -> Any:
        return np.concatenate([data, _SLACK])

    data, offsets = concatenate(items)
    call(padded(data), offsets, add=True)
    return lambda columns: sum(call(data, offsets, add=False) for data, offsets in columns)
