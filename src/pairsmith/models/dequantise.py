"""From ggml's blocks of small integers to float32; the layouts are those of ggml-common.h and ggml-quants.c."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["TYPES", "BlockType", "dequantise"]

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

_AT_ONCE: Final = 65_536  # blocks: the numbers on the way to the result stay small


@dataclass(frozen=True, slots=True)
class BlockType:
    """A type of ggml: `values` numbers lie in `bytes` bytes; `read` turns (n, bytes) into (n, values)."""

    name: str
    values: int
    bytes: int
    read: Callable[[Bytes], Floats]


def dequantise(raw: Bytes, kind: int) -> Floats:
    """The numbers of a tensor, in order.

    Args:
        raw: its bytes, whole blocks.
        kind: ggml's number of its type, one of `TYPES`.
    """
    block = TYPES[kind]
    blocks = raw.reshape(-1, block.bytes)
    values = np.empty((len(blocks), block.values), dtype=np.float32)
    for start in range(0, len(blocks), _AT_ONCE):
        values[start : start + _AT_ONCE] = block.read(blocks[start : start + _AT_ONCE])
    return values.reshape(-1)


def _half(blocks: Bytes, start: int) -> Floats:
    """The half-precision number at a place of each block, (n, 1)."""
    return np.ascontiguousarray(blocks[:, start : start + 2]).view("<f2").astype(np.float32)


def _f32(blocks: Bytes) -> Floats:
    return blocks.view("<f4").astype(np.float32)


def _f16(blocks: Bytes) -> Floats:
    return blocks.view("<f2").astype(np.float32)


def _bf16(blocks: Bytes) -> Floats:
    return (blocks.view("<u2").astype(np.uint32) << 16).view(np.float32)


def _q4_1(blocks: Bytes) -> Floats:
    """Step, smallest value, 16 bytes: the low halves are the first 16 values, the high halves the others."""
    halves = np.concatenate([blocks[:, 4:] & 15, blocks[:, 4:] >> 4], axis=1)
    values: Floats = halves.astype(np.float32) * _half(blocks, 0) + _half(blocks, 2)
    return values


def _q8_0(blocks: Bytes) -> Floats:
    """Step, 32 signed bytes."""
    values: Floats = blocks[:, 2:].view(np.int8).astype(np.float32) * _half(blocks, 0)
    return values


def _q6_k(blocks: Bytes) -> Floats:
    """128 bytes of low 4 bits, 64 bytes of high 2 bits, 16 signed scales for 16 values each, step.

    Both halves of a block are laid out alike: byte l of 64 low ones holds values l and l + 64, byte l of 32 high ones
    the values l, l + 32, l + 64 and l + 96. 32 is subtracted from what comes together.
    """
    low = blocks[:, :128].reshape(-1, 2, 1, 64) >> np.array([0, 4], np.uint8).reshape(1, 1, 2, 1) & 15
    high = blocks[:, 128:192].reshape(-1, 2, 1, 32) >> np.array([0, 2, 4, 6], np.uint8).reshape(1, 1, 4, 1) & 3
    whole = low.reshape(-1, 256) | high.reshape(-1, 256) << 4
    steps = blocks[:, 192:208].view(np.int8).astype(np.float32) * _half(blocks, 208)
    values: Floats = (whole.astype(np.float32) - 32.0) * np.repeat(steps, 16, axis=1)
    return values


TYPES: Final[Mapping[int, BlockType]] = MappingProxyType(
    {
        0: BlockType("F32", 1, 4, _f32),
        1: BlockType("F16", 1, 2, _f16),
        3: BlockType("Q4_1", 32, 20, _q4_1),
        8: BlockType("Q8_0", 32, 34, _q8_0),
        14: BlockType("Q6_K", 256, 210, _q6_k),
        30: BlockType("BF16", 1, 2, _bf16),
    }
)
"""The types that are read, by ggml's number."""
