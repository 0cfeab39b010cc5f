"""Sixty-four bytes at a time for numba: what its arrays cannot say, in the vectors of LLVM. Imported only with numba.

LLVM turns these into what the processor has (AVX-512, AVX2, SSE2, NEON); the results are the same everywhere.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

__all__ = ["BLOCK", "eight_bytes", "fold_block", "lowest_bit", "nonzero_block"]

BLOCK = 64
"""Bytes per block; the bits of a mask are its bytes, the first one the lowest."""

_BYTE, _WORD = ir.IntType(8), ir.IntType(64)
_BYTES = ir.VectorType(_BYTE, BLOCK)


def _every(value: int) -> Any:
    return ir.Constant(_BYTES, [value] * BLOCK)


def _address(context: Any, builder: Any, array_type: Any, array: Any, at: Any, kind: Any) -> Any:
    start = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(start, [at]), kind.as_pointer())


def _load(context: Any, builder: Any, array_type: Any, array: Any, at: Any, kind: Any) -> Any:
    loaded = builder.load(_address(context, builder, array_type, array, at, kind))
    loaded.align = 1
    return loaded


def _within(builder: Any, block: Any, first: str, last: str) -> Any:
    shifted = builder.sub(block, _every(ord(first)))
    return builder.icmp_unsigned("<=", shifted, _every(ord(last) - ord(first)))


def _fold_block(_typing: Any, data: Any, at: Any, folded: Any, to: Any) -> Any:
    """Write data[at:at + 64], ASCII letters small, digits as they are, all else 0, to folded[to:to + 64].

    Returns three masks: of letters and digits, of bytes above 127, of bytes that separate parts (0x1E).
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        block = _load(context, builder, signature.args[0], values[0], values[1], _BYTES)
        small = builder.or_(block, _every(0x20))
        letters, digits = _within(builder, small, "a", "z"), _within(builder, block, "0", "9")
        kept = builder.select(letters, small, builder.select(digits, block, _every(0)))
        stored = builder.store(kept, _address(context, builder, signature.args[2], values[2], values[3], _BYTES))
        stored.align = 1
        masks = [
            builder.or_(letters, digits),
            builder.icmp_signed("<", block, _every(0)),
            builder.icmp_unsigned("==", block, _every(0x1E)),
        ]
        return context.make_tuple(builder, signature.return_type, [builder.bitcast(mask, _WORD) for mask in masks])

    masks: Any = types.UniTuple(types.uint64, 3)  # type: ignore[no-untyped-call]
    return masks(data, at, folded, to), generate


def _nonzero_block(_typing: Any, data: Any, at: Any) -> Any:
    """The mask of the bytes of data[at:at + 64] that are not 0."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        block = _load(context, builder, signature.args[0], values[0], values[1], _BYTES)
        return builder.bitcast(builder.icmp_unsigned("!=", block, _every(0)), _WORD)

    return types.uint64(data, at), generate


def _eight_bytes(_typing: Any, data: Any, at: Any) -> Any:
    """data[at:at + 8] as a number, the first byte the lowest."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return _load(context, builder, signature.args[0], values[0], values[1], _WORD)

    return types.uint64(data, at), generate


def _lowest_bit(_typing: Any, _mask: Any) -> Any:
    """The number of the lowest bit that is set; one must be."""

    def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return builder.cttz(values[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generate


fold_block: Any = intrinsic(_fold_block)
nonzero_block: Any = intrinsic(_nonzero_block)
eight_bytes: Any = intrinsic(_eight_bytes)
lowest_bit: Any = intrinsic(_lowest_bit)
