"""Rows of an XML file: each child of the root is one; streamed, and without anything that XML lets a file define."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Any, cast

from pairsmith.errors import InputError
from pairsmith.formats.lines import MAX_LINE_BYTES
from pairsmith.formats.opening import ByteSource
from pairsmith.formats.rows import BadRow, Row

__all__ = ["read_xml"]

MAX_DEPTH = 64

_FEED_BYTES = 64 * 1024
_DECLARATIONS = re.compile(rb"<!(?:DOCTYPE|ENTITY)")
_LONGEST_DECLARATION = len(b"<!DOCTYPE")


def read_xml(source: ByteSource) -> Iterator[Row | BadRow]:
    """One row per child of the root, numbered from 1; its children are the fields, by tag.

    An element without children is its text; one with children is a dict; elements of one tag side by side are a list.
    Attributes are ignored. A row longer than 16 MiB or nested more than 64 levels deep ends the file.

    Raises:
        InputError: for a file with a DOCTYPE or an entity declaration, which can pull in other files or grow without
            bound, or whose first row is no XML.
    """
    number, depth, row_started_at = 0, 0, 0
    root: ET.Element | None = None
    try:
        for event, element, position in _events(source):
            root = element if root is None else root
            depth += 1 if event == "start" else -1
            if depth > MAX_DEPTH or position - row_started_at > MAX_LINE_BYTES:
                reason = "nested_too_deep" if depth > MAX_DEPTH else "line_too_long"
                yield BadRow(number + 1, "", reason, "the rest of the file was not read")
                return
            if event == "end" and depth == 1:
                number, row_started_at = number + 1, position
                yield _row(number, element)
                root.clear()
    except ET.ParseError as error:
        if not number:
            raise InputError(f"{source.path}: is not XML that can be read ({error}); check the file") from None
        yield BadRow(number + 1, "", "invalid_xml", f"{error}; the rest of the file was not read")


def _events(source: ByteSource) -> Iterator[tuple[str, ET.Element, int]]:
    """Starts and ends of elements, each with how many bytes were read by then."""
    parser: ET.XMLPullParser[Any] = ET.XMLPullParser(events=("start", "end"))
    tail, position = b"", 0
    while data := source.read(_FEED_BYTES):
        if _DECLARATIONS.search(tail + data):
            raise InputError(
                f"{source.path}: declares a DOCTYPE or an entity; such files can pull in others or grow without bound. "
                "Remove the declaration"
            )
        tail, position = (tail + data)[-_LONGEST_DECLARATION:], position + len(data)
        parser.feed(data)
        yield from _read(parser, position)
    parser.close()
    yield from _read(parser, position)


def _read(parser: "ET.XMLPullParser[Any]", position: int) -> Iterator[tuple[str, ET.Element, int]]:
    for item in parser.read_events():
        event, element = cast("tuple[str, ET.Element]", item)
        yield event, element, position


def _row(number: int, element: ET.Element) -> Row | BadRow:
    value = _value(element)
    if isinstance(value, dict):
        return Row(number, value)
    return BadRow(number, element.tag, "not_an_object", "an element without children")


def _value(element: ET.Element) -> Any:
    """Text of a leaf; else a dict by tag, where a tag that occurs several times holds a list."""
    if not len(element):
        return element.text or ""
    found: dict[str, list[Any]] = {}
    for child in element:
        found.setdefault(child.tag, []).append(_value(child))
    return {tag: values[0] if len(values) == 1 else values for tag, values in found.items()}
