"""One matrix out of a GGUF file: the numbers of every block type, and what is refused."""

import re

import numpy as np
import pytest

from pairsmith.errors import ConfigError
from pairsmith.models.dequantise import TYPES, dequantise
from pairsmith.models.gguf import output_tensor, read_header, read_matrix
from pairsmith.models.weights import smollm2_path
from tests.models.gguf_files import floats, write_gguf

NUMBER = {block.name: number for number, block in TYPES.items()}


def half(value: float) -> bytes:
    return np.array([value], dtype="<f2").tobytes()


def values_of(name: str, raw: bytes) -> list[float]:
    found: list[float] = dequantise(np.frombuffer(raw, dtype=np.uint8), NUMBER[name]).tolist()
    return found


def test_plain_numbers():
    assert values_of("F32", floats([1.5, -2.0])) == [1.5, -2.0]
    assert values_of("F16", half(0.5) + half(-3.0)) == [0.5, -3.0]
    assert values_of("BF16", b"\x80\x3f\x40\xc0") == [1.0, -3.0]


def test_q8_0_is_a_step_and_32_signed_bytes():
    block = half(0.25) + bytes([0, 1, 127, 128, 255]) + bytes(27)
    assert values_of("Q8_0", block) == [0.0, 0.25, 31.75, -32.0, -0.25] + [0.0] * 27


def test_q4_1_holds_its_first_half_in_the_low_bits():
    block = half(0.5) + half(-1.0) + bytes([0xF0, 0x21]) + bytes(14)
    assert values_of("Q4_1", block) == [-1.0, -0.5] + [-1.0] * 14 + [6.5, 0.0] + [-1.0] * 14


def q6_k_one_by_one(block: bytes) -> list[float]:
    """`dequantize_row_q6_K` of ggml-quants.c, one value after the other."""
    low, high, scales = block[:128], block[128:192], np.frombuffer(block[192:208], dtype=np.int8)
    step = float(np.frombuffer(block[208:], dtype="<f2")[0])
    values = [0.0] * 256
    for n in (0, 1):
        for place in range(32):
            ql, qh = low[64 * n :], high[32 * n + place]
            four = (
                (ql[place] & 0xF) | ((qh >> 0) & 3) << 4,
                (ql[place + 32] & 0xF) | ((qh >> 2) & 3) << 4,
                (ql[place] >> 4) | ((qh >> 4) & 3) << 4,
                (ql[place + 32] >> 4) | ((qh >> 6) & 3) << 4,
            )
            for quarter, q in enumerate(four):
                at = 128 * n + 32 * quarter + place
                values[at] = step * int(scales[8 * n + place // 16 + 2 * quarter]) * (q - 32)
    return values


def test_q6_k_is_what_ggml_computes():
    random = np.random.default_rng(5)
    blocks = [random.integers(0, 256, size=208, dtype=np.uint8).tobytes() + half(0.125) for _ in range(3)]
    assert values_of("Q6_K", b"".join(blocks)) == [value for each in blocks for value in q6_k_one_by_one(each)]


@pytest.mark.parametrize("alignment", [None, 64])
def test_the_matrix_is_found_behind_other_tensors(tmp_path, alignment):
    metadata = {"general.name": "x", "tokens": ["a", "bc"], "rope": 1.5}
    metadata |= {"general.alignment": alignment} if alignment else {}
    tensors = {"first": (0, (3,), floats([7, 8, 9])), "token_embd.weight": (0, (2, 3), floats(range(6)))}
    path = write_gguf(tmp_path / "m.gguf", tensors, metadata)
    header = read_header(path)
    np.testing.assert_array_equal(read_matrix(path, output_tensor(header, path)), [[0, 1, 2], [3, 4, 5]])
    assert "tokens" not in header.metadata
    assert header.metadata["rope"] == 1.5


def test_an_output_matrix_of_its_own_goes_before_the_embeddings(tmp_path):
    tensors = {"token_embd.weight": (0, (1, 2), floats([1, 2])), "output.weight": (0, (1, 2), floats([3, 4]))}
    path = write_gguf(tmp_path / "m.gguf", tensors)
    np.testing.assert_array_equal(read_matrix(path, output_tensor(read_header(path), path)), [[3, 4]])


@pytest.mark.parametrize(
    ("tensors", "metadata", "said"),
    [
        ({}, {}, "no matrix output.weight or token_embd.weight"),
        ({"token_embd.weight": (12, (1, 256), bytes(144))}, {}, "ggml type 12, and F32, F16, Q4_1, Q8_0, Q6_K, BF16"),
        ({"token_embd.weight": (8, (1, 16), bytes(34))}, {}, "rows of 16"),
        ({"token_embd.weight": (0, (1, 1), bytes(4))}, {"gemma2.final_logit_softcapping": 30.0}, "softcapping is set"),
        ({"token_embd.weight": (0, (1, 1), bytes(4)), "output.bias": (0, (1,), bytes(4))}, {}, "output.bias"),
    ],
)
def test_what_cannot_be_computed_is_refused(tmp_path, tensors, metadata, said):
    path = write_gguf(tmp_path / "m.gguf", tensors, metadata)
    with pytest.raises(ConfigError, match=re.escape(said)):
        output_tensor(read_header(path), path)


@pytest.mark.parametrize(
    "raw", [b"", b"GGML" + bytes(40), b"GGUF\x01\0\0\0" + bytes(16), b"GGUF\0\0\0\x03" + bytes(16)]
)
def test_what_is_no_gguf_is_refused(tmp_path, raw):
    path = tmp_path / "m.gguf"
    path.write_bytes(raw)
    with pytest.raises(ConfigError, match=r"m\.gguf is not a GGUF file"):
        read_header(path)


def test_a_file_cut_anywhere_in_its_header_is_refused(tmp_path):
    whole = write_gguf(tmp_path / "m.gguf", {"token_embd.weight": (0, (2, 3), floats(range(6)))}).read_bytes()
    ends_of_header = len(whole) - 32
    cut = tmp_path / "cut.gguf"
    for size in range(ends_of_header - 32):
        cut.write_bytes(whole[:size])
        with pytest.raises(ConfigError, match="not a GGUF file"):
            read_header(cut)


def test_a_file_that_ends_within_the_matrix_is_refused(tmp_path):
    path = write_gguf(tmp_path / "m.gguf", {"token_embd.weight": (0, (2, 3), floats(range(6)))})
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(ConfigError, match="fetch it again"):
        read_matrix(path, output_tensor(read_header(path), path))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.gguf cannot be read"):
        read_header(tmp_path / "none.gguf")


@pytest.mark.slow
def test_the_matrix_of_the_default_model():
    path = smollm2_path()
    tensor = output_tensor(read_header(path), path)
    assert (tensor.shape, TYPES[tensor.type].name) == ((49152, 576), "Q8_0")
    # as the package gguf 0.19.0 reads them
    expected = [-0.10654449, 0.03297806, 0.0481987]
    np.testing.assert_allclose(read_matrix(path, tensor)[0, :3], expected, rtol=1e-6)
