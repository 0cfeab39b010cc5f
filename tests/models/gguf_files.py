"""Small GGUF files for tests, written from the description of the format."""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


def text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def entry(key: str, value: Any) -> bytes:
    if isinstance(value, str):
        return text(key) + struct.pack("<I", 8) + text(value)
    if isinstance(value, list):
        return text(key) + struct.pack("<IIQ", 9, 8, len(value)) + b"".join(text(each) for each in value)
    if isinstance(value, float):
        return text(key) + struct.pack("<If", 6, value)
    return text(key) + struct.pack("<II", 4, value)


def write_gguf(
    path: Path, tensors: Mapping[str, tuple[int, tuple[int, ...], bytes]], metadata: Mapping[str, Any] | None = None
) -> Path:
    """A file with these tensors: type, shape (slowest dimension first), bytes."""
    metadata = metadata if metadata is not None else {"general.name": "tiny", "tokenizer.ggml.tokens": ["a", "b"]}
    alignment = metadata.get("general.alignment", 32)
    infos, data = b"", b""
    for name, (kind, shape, raw) in tensors.items():
        infos += text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *reversed(shape))
        infos += struct.pack("<IQ", kind, len(data))
        data += raw + b"\0" * (-len(raw) % alignment)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    head += b"".join(entry(key, value) for key, value in metadata.items()) + infos
    path.write_bytes(head + b"\0" * (-len(head) % alignment) + data)
    return path


def floats(values: Any) -> bytes:
    return np.asarray(values, dtype="<f4").tobytes()
