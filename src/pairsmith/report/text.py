"""Texts and numbers as a page shows them: nothing invisible, nothing rounded into a lie, nothing endless."""

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from markupsafe import Markup, escape

__all__ = [
    "NOT_EVALUATED",
    "Clipped",
    "against",
    "clip",
    "compact",
    "count",
    "decimal",
    "formatted",
    "interval",
    "is_number",
    "marked",
    "one_line",
    "percent",
    "points",
    "visible",
]

NOT_EVALUATED = "not evaluated"

HEAD_CHARACTERS = 700
HEAD_LINES = 14
TEXT_CHARACTERS = 20_000

# Characters that change what a reader sees without being seen: controls but tab and newline, soft hyphen, fillers,
# bidirectional marks, overrides and isolates, zero-width space and byte order mark, line separators, tags and
# supplementary variation selectors, lone surrogates. The joiners stay where they join emoji or non-Latin letters.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u070f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\u2800\u3164\ud800-\udfff\ufeff\uffa0\ufff9-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
    "|(?<![^\x00-\u024f\u200c\u200d])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\u024f\u200c\u200d])"
)


def visible(text: str) -> str:
    r"""`text` with every hidden character written as its code point; line ends become newlines.

    >>> visible("safe\u202egnp.exe\r\n")
    'safe⟨U+202E⟩gnp.exe\n'
    """
    return _HIDDEN.sub(lambda match: _code_point(match[0]), text.replace("\r\n", "\n"))


def marked(text: str) -> Markup:
    """Like `visible`, escaped for HTML, with each code point in a badge that names the character."""
    text = text.replace("\r\n", "\n")
    parts, end = [], 0
    for match in _HIDDEN.finditer(text):
        badge = Markup('<span class="hidden-char" title="{}">{}</span>')
        name = unicodedata.name(match[0], "control character").lower()
        parts += [escape(text[end : match.start()]), badge.format(name, _code_point(match[0]))]
        end = match.end()
    return Markup("").join([*parts, escape(text[end:])])


def one_line(text: str) -> str:
    """`visible` text on one line, for names and table cells."""
    return " ".join(visible(text).split())


def _code_point(character: str) -> str:
    return f"⟨U+{ord(character):04X}⟩"


@dataclass(frozen=True, slots=True)
class Clipped:
    """A long text in two parts, and how many characters of it are not shown at all."""

    head: str
    rest: str
    left_out: int


def clip(text: str) -> Clipped:
    """Split after 700 characters or 14 lines, at a space if one is near; nothing past 20,000 characters is kept."""
    shown = text[:TEXT_CHARACTERS]
    cut = min(_line_end(shown), HEAD_CHARACTERS)
    if len(shown) <= cut:
        return Clipped(shown, "", 0)
    space = max(shown.rfind(" ", cut - 80, cut), shown.rfind("\n", cut - 80, cut + 1))
    cut = space if space > 0 else cut
    return Clipped(shown[:cut], shown[cut:].removeprefix("\n"), len(text) - len(shown))


def _line_end(text: str) -> int:
    end = -1
    for _ in range(HEAD_LINES):
        end = text.find("\n", end + 1)
        if end < 0:
            return len(text)
    return end


def count(value: Any) -> str:
    """A whole number with thousands separators; whatever is not a number is not evaluated.

    >>> count(12345), count(None)
    ('12,345', 'not evaluated')
    """
    return f"{round(value):,}".replace("-", "−") if is_number(value) else NOT_EVALUATED


def decimal(value: Any, digits: int = 3) -> str:
    """A number with at least `digits` decimals, and more where fewer would show a whole number that it is not.

    >>> decimal(0.84353), decimal(0.99996), decimal(-0.5), decimal(True), decimal(float("nan"))
    ('0.844', '0.99996', '−0.500', 'yes', 'not evaluated')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not is_number(value):
        return NOT_EVALUATED
    while digits < 8 and value != round(value) == round(value, digits):
        digits += 1
    return f"{value:,.{digits}f}".replace("-", "−")


def percent(value: Any) -> str:
    """A share in [0, 1] as a percentage; 0 % and 100 % mean none and all.

    >>> percent(0.677), percent(1), percent(0.9999), percent(0.0001)
    ('67.7 %', '100 %', '>99.9 %', '<0.1 %')
    """
    if not is_number(value):
        return NOT_EVALUATED
    if value in (0, 1):
        return f"{value * 100:.0f} %"
    if 0 < value < 0.001 or 0.999 < value < 1:
        return "<0.1 %" if value < 0.5 else ">99.9 %"
    return f"{value * 100:,.1f} %".replace("-", "−")


def against(value: Any, threshold: Any) -> str:
    """`value` with as many decimals as it takes to see on which side of `threshold` it lies.

    >>> against(0.149996, 0.15), against(0.412, 0.15), against(855, 1000)
    ('0.149996', '0.412', '855')
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return count(value)
    digits = 3
    if is_number(value) and is_number(threshold):
        while digits < 8 and value != threshold and round(value, digits) == round(threshold, digits):
            digits += 1
    return decimal(value, digits)


def compact(value: Any) -> str:
    """A number in as few characters as an axis needs.

    >>> compact(1200.0), compact(0.25), compact(-1.0), compact(3)
    ('1,200', '0.25', '−1', '3')
    """
    if not is_number(value):
        return NOT_EVALUATED
    if abs(value) >= 100 or value == round(value):
        return count(value)
    return f"{value:.2f}".rstrip("0").replace("-", "−")


def points(value: Any) -> str:
    """A difference of two shares, in percentage points with its sign.

    >>> points(0.0124), points(-0.2), points(0.0001)
    ('+1.2 pp', '−20.0 pp', '0.0 pp')
    """
    if not is_number(value):
        return NOT_EVALUATED
    rounded = round(value * 100, 1)
    return f"{rounded:+.1f} pp".replace("-", "−") if rounded else "0.0 pp"


def formatted(value: Any, form: str = "decimal") -> str:
    """`value` as `decimal`, `percent`, `count` or `auto` (whole numbers as counts, others as shares)."""
    if form == "auto":
        form = "count" if isinstance(value, int) else "percent"
    return {"percent": percent, "count": count}.get(form, decimal)(value)


def interval(bounds: Any, form: str = "decimal") -> str:
    """Both ends of an interval, or a dash where there is none.

    >>> interval([0.8216, 0.8661]), interval(None)
    ('0.822 to 0.866', '–')
    """
    if not isinstance(bounds, Sequence) or len(bounds) != 2:
        return "–"
    return f"{formatted(bounds[0], form)} to {formatted(bounds[1], form)}"


def is_number(value: Any) -> TypeGuard[float]:
    """Whether `value` is a finite number; truth values are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
