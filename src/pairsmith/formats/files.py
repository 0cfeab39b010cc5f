"""Reading the rows of any supported file: what it is, is decided by its content first and its name second."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pairsmith.errors import InputError
from pairsmith.formats.json_files import read_json
from pairsmith.formats.lines import HEAD_BYTES, MAX_LINE_BYTES, iter_lines, line_end
from pairsmith.formats.opening import ByteSource, open_bytes
from pairsmith.formats.rows import BadRow, ReadTally, Row
from pairsmith.formats.tables import read_csv, read_parquet
from pairsmith.formats.xml_files import read_xml

__all__ = ["SUFFIXES", "detect_kind", "read_rows"]

Kind = Literal["json", "csv", "parquet", "text", "xml"]

SUFFIXES: dict[str, Kind] = {
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".xml": "xml",
    ".txt": "text",
    ".text": "text",
    ".md": "text",
}
"""File name endings that are known, besides those of compression."""

_PACKED_SUFFIXES = (".gz", ".gzip", ".zst", ".zstd")
_BOM = b"\xef\xbb\xbf"
_UTF16_AND_32 = (b"\xff\xfe\0\0", b"\0\0\xfe\xff", b"\xff\xfe", b"\xfe\xff")
_REFUSED = {
    b"PK\x03\x04": "a zip archive or an Excel file; unpack it, or save the sheet as CSV",
    b"BZh": "compressed with bzip2; unpack it with `bunzip2`",
    b"\xfd7zXZ\0": "compressed with xz; unpack it with `unxz`",
}


def read_rows(path: Path, *, tally: ReadTally | None = None, as_text: bool = False) -> Iterator[Row | BadRow]:
    """The rows of a file, one at a time, good and bad ones in their order.

    Args:
        path: JSON Lines, a JSON array, a JSON object with one list of rows, XML whose root holds the rows, CSV,
            tab-separated values, Parquet or plain text (one prompt per line); gzip and zstd are recognised by content.
        tally: filled in while reading; `tally.rows` is the number of items handed over.
        as_text: take every line for a text, whatever the file looks like.

    Raises:
        InputError: if the file as a whole cannot be used; the message names the file and the remedy. A compressed
            file that was cut off raises it after the rows before the cut; `verify` finds that out beforehand.
        MissingExtra: for Parquet or zstd without pyarrow.
    """
    tally = ReadTally() if tally is None else tally
    with open_bytes(path) as source:
        head = source.peek(HEAD_BYTES)
        _refuse_encodings(path, head)
        if head.startswith(_BOM):
            source.read(len(_BOM))
            head = head[len(_BOM) :]
            tally.notes["byte_order_mark"] += 1
        for item in _open_kind("text" if as_text else _kind(path, head), source, tally):
            tally.rows += 1
            tally.bad += isinstance(item, BadRow)
            yield item
    if not tally.rows:
        raise InputError(f"{path}: has no rows, only blank lines or a header; there is nothing to read in it")


def detect_kind(path: Path, head: bytes) -> Kind:
    """What the file is, from its first bytes (unpacked, without a byte order mark) and its name.

    Raises:
        InputError: if it is of a kind or an encoding that is not read.
    """
    _refuse_encodings(path, head)
    return _kind(path, head)


def _open_kind(kind: Kind, source: ByteSource, tally: ReadTally) -> Iterator[Row | BadRow]:
    if kind == "parquet":
        return read_parquet(source.path)
    if kind == "csv":
        return read_csv(source, tally)
    if kind == "xml":
        return read_xml(source)
    return read_json(source, tally) if kind == "json" else _read_text(source, tally)


def _refuse_encodings(path: Path, head: bytes) -> None:
    zeros = head.count(b"\0")
    if head.startswith(_UTF16_AND_32) or (zeros > 8 and zeros * 4 > len(head) and not head.startswith(b"PAR1")):
        encoding = "UTF-32" if head.startswith(_UTF16_AND_32[:2]) or zeros * 2 > len(head) + 2 else "UTF-16"
        raise InputError(f"{path}: is {encoding} text; convert it: `iconv -f {encoding} -t UTF-8 FILE > NEW`")
    for magic, what in _REFUSED.items():
        if head.startswith(magic):
            raise InputError(f"{path}: is {what}")


def _kind(path: Path, head: bytes) -> Kind:
    name = path.name.lower()
    for suffix in _PACKED_SUFFIXES:
        name = name.removesuffix(suffix)
    named = SUFFIXES.get(Path(name).suffix)
    start = head.lstrip()[:1]
    found: Kind | None = "parquet" if head.startswith(b"PAR1") else "json" if start in (b"{", b"[") else None
    if named is None and found is None:
        raise InputError(f"{path}: cannot tell what kind of file this is; name it with one of {', '.join(SUFFIXES)}")
    if found == "parquet" and path.name.lower() != name:
        raise InputError(f"{path}: is a compressed Parquet file; unpack it first")
    if found != named and "parquet" in (found, named):
        what = "is Parquet" if found == "parquet" else "is not Parquet"
        raise InputError(f"{path}: {what}, whatever its name says; rename it")
    if named == "csv" and found == "json":
        raise InputError(f"{path}: is JSON, not a table; name it .jsonl")
    if (start == b"<") != (named == "xml") and named in ("xml", "json"):
        raise InputError(f"{path}: {'is not XML' if named == 'xml' else 'is XML'}, whatever its name says; rename it")
    if named == "json" and found is None and not _any_json_line(head):
        raise InputError(
            f"{path}: no line of it starts like JSON; if it is a table, name it .csv or .tsv, "
            "and if it is one prompt per line, .txt"
        )
    return named or found or "text"


def _any_json_line(head: bytes) -> bool:
    lines = [line.strip() for line in head.replace(b"\r", b"\n").split(b"\n")]
    return not any(lines) or any(line[:1] in (b"{", b"[") for line in lines)


def _read_text(source: ByteSource, tally: ReadTally) -> Iterator[Row | BadRow]:
    """One row `{"text": line}` per line that is not blank, without the white space around it."""
    for line in iter_lines(source, line_end(source)):
        if line.data is None:
            yield BadRow(line.number, "", "line_too_long", f"more than {MAX_LINE_BYTES:,} bytes")
            continue
        if not line.data.strip():
            tally.blank += 1
            continue
        try:
            text = line.data.decode("utf-8").strip()
        except UnicodeDecodeError as error:
            detail = f"byte 0x{line.data[error.start]:02x} at offset {error.start}"
            yield BadRow(line.number, "", "invalid_utf8", detail)
            continue
        if "\0" in text:
            yield BadRow(line.number, "", "nul_character", f"NUL at character {text.index(chr(0))}")
            continue
        yield Row(line.number, {"text": text})
