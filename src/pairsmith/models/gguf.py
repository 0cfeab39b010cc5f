"""Reading one matrix out of a GGUF file, and its metadata; the format is described in ggml's docs/gguf.md."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt

from pairsmith.errors import ConfigError
from pairsmith.models.dequantise import TYPES, dequantise

__all__ = ["GGUFHeader", "Tensor", "output_tensor", "read_header", "read_matrix"]

_MAGIC: Final = b"GGUF"
_VERSIONS: Final = (2, 3)  # 1 counted in 32 bits; big-endian files show as a version beyond these
_NUMBERS: Final[Mapping[int, str]] = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d",
}  # fmt: skip
_TEXT: Final = 8
_ARRAY: Final = 9
_MOST_DIMENSIONS: Final = 4
_ALIGNMENT: Final = 32

_CHANGES_LOGITS: Final = ("final_logit_softcapping", "logit_scale")
"""Metadata of models that do more to a logit than one product."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """Where a tensor lies: its shape (slowest dimension first), ggml's number of its type, its place in the file."""

    shape: tuple[int, ...]
    type: int
    offset: int


@dataclass(frozen=True, slots=True)
class GGUFHeader:
    """What a file says of itself; `metadata` leaves lists out."""

    metadata: Mapping[str, Any]
    tensors: Mapping[str, Tensor]


def read_header(path: Path) -> GGUFHeader:
    """The metadata and the places of the tensors.

    Raises:
        ConfigError: the file cannot be read or is not GGUF.
    """
    try:
        with path.open("rb") as stream:
            return _header(stream)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); name a GGUF file") from None
    except (ValueError, struct.error, MemoryError, OverflowError, RecursionError) as error:
        raise ConfigError(f"{path} is not a GGUF file that can be read: {error}") from None


def output_tensor(header: GGUFHeader, path: Path) -> Tensor:
    """The matrix that makes logits of final hidden states: of its own, or the one of the token embeddings.

    Raises:
        ConfigError: there is none, it has a type that is not read, or the model does more than multiply with it.
    """
    changed = [key for key in header.metadata if key.rpartition(".")[2] in _CHANGES_LOGITS]
    if changed:
        raise ConfigError(f"{path}: {changed[0]} is set; log-likelihoods of such models are not computed")
    if "output.bias" in header.tensors:
        raise ConfigError(f"{path}: has an output.bias; log-likelihoods of such models are not computed")
    names = ("output.weight", "token_embd.weight")
    found = next((header.tensors[name] for name in names if name in header.tensors), None)
    if found is None or len(found.shape) != 2:
        raise ConfigError(f"{path}: holds no matrix {' or '.join(names)}; a file in several parts must be joined first")
    if found.type not in TYPES:
        known = ", ".join(each.name for each in TYPES.values())
        raise ConfigError(
            f"{path}: its output matrix is of ggml type {found.type}, and {known} are read; quantise the model anew "
            "with `llama-quantize --token-embedding-type q8_0 --output-tensor-type q8_0`"
        )
    if found.shape[1] % TYPES[found.type].values:
        raise ConfigError(f"{path}: rows of {found.shape[1]} do not divide into blocks of {TYPES[found.type].name}")
    return found


def read_matrix(path: Path, tensor: Tensor) -> npt.NDArray[np.float32]:
    """The numbers of a matrix, float32 of the tensor's shape.

    Raises:
        ConfigError: the file ends before the matrix does.
    """
    kind = TYPES[tensor.type]
    size = tensor.shape[0] * tensor.shape[1] // kind.values * kind.bytes
    with path.open("rb") as stream:
        stream.seek(tensor.offset)
        raw = np.frombuffer(stream.read(size), dtype=np.uint8)
    if len(raw) != size:
        raise ConfigError(f"{path}: ends in the middle of its output matrix; fetch it again")
    return dequantise(raw, tensor.type).reshape(tensor.shape)


def _header(stream: IO[bytes]) -> GGUFHeader:
    if stream.read(len(_MAGIC)) != _MAGIC:
        raise ValueError("it does not begin with GGUF")
    version, tensors, entries = _unpack(stream, "<IQQ")
    if version not in _VERSIONS:
        raise ValueError(f"its version is {version}; 2 and 3 are known, in little-endian order")
    metadata: dict[str, Any] = {}
    for _ in range(entries):
        key, (kind,) = _text(stream), _unpack(stream, "<I")
        value = _value(stream, kind)
        if kind != _ARRAY:
            metadata[key] = value
    places = dict(_tensor(stream) for _ in range(tensors))
    alignment = int(metadata.get("general.alignment", _ALIGNMENT))
    begin = stream.tell() + -stream.tell() % alignment
    found = {name: Tensor(each.shape, each.type, begin + each.offset) for name, each in places.items()}
    return GGUFHeader(metadata, found)


def _tensor(stream: IO[bytes]) -> tuple[str, Tensor]:
    name, (dimensions,) = _text(stream), _unpack(stream, "<I")
    if dimensions > _MOST_DIMENSIONS:
        raise ValueError(f"{name} has {dimensions} dimensions")
    shape = _unpack(stream, f"<{dimensions}Q")
    kind, offset = _unpack(stream, "<IQ")
    return name, Tensor(tuple(reversed(shape)), kind, offset)  # the file gives the fastest dimension first


def _value(stream: IO[bytes], kind: int) -> Any:
    """One value; of a list nothing is kept, as vocabularies are long and not asked for."""
    if kind == _TEXT:
        return _text(stream)
    if kind == _ARRAY:
        inner, count = _unpack(stream, "<IQ")
        if inner in _NUMBERS:
            stream.seek(count * struct.calcsize(_NUMBERS[inner]), 1)
            return None
        for _ in range(count):
            _value(stream, inner)
        return None
    if kind not in _NUMBERS:
        raise ValueError(f"a value of unknown type {kind}")
    return _unpack(stream, _NUMBERS[kind])[0]


def _text(stream: IO[bytes]) -> str:
    (length,) = _unpack(stream, "<Q")
    text = stream.read(length)
    if len(text) != length:
        raise ValueError("it ends in its header")
    return text.decode("utf-8", "replace")


def _unpack(stream: IO[bytes], form: str) -> tuple[Any, ...]:
    return struct.unpack(form, stream.read(struct.calcsize(form)))
