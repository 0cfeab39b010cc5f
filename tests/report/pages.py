"""What tests of the pages share: a strict reader of HTML, and metrics in which every text is hostile."""

from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import count
from typing import Any

from tests.report.example import XSS

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Page(HTMLParser):
    """The elements, attributes and texts of a page; raises where tags do not nest."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()} closes another element"

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.texts.append(data)

    @property
    def text(self) -> str:
        """All visible text, a space between elements, whitespace collapsed."""
        return " ".join(" ".join(self.texts).split())


def hostile(value: Any, numbers: Iterator[int] | None = None) -> Any:
    """`value` with every text in it, keys of counts too, replaced by the next payload."""
    numbers = numbers or count()
    if isinstance(value, str):
        return XSS[next(numbers) % len(XSS)]
    if isinstance(value, list):
        return [hostile(each, numbers) for each in value]
    if isinstance(value, dict):
        counted = {"dropped", "labels", "kinds", "by_kind", "categories", "difficulty", "licences", "warnings"}
        return {
            key: {XSS[next(numbers) % len(XSS)]: each for each in inner.values()}
            if key in counted and isinstance(inner, dict)
            else hostile(inner, numbers)
            for key, inner in value.items()
        }
    return value
