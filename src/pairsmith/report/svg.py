"""Small charts as inline SVG: horizontal positions in percent, so they stretch while their text keeps its size.

Colours come from the classes of the style sheet; there are no style attributes, which the page's policy forbids.
Bins are drawn equally wide whatever their edges, and the ticks say where the edges are.
"""

from collections.abc import Sequence

from markupsafe import Markup

from pairsmith.report.text import compact, count

__all__ = ["Mark", "bar", "deviation", "heat", "histogram", "mirrored", "position", "whisker"]

Mark = tuple[float, str]
"""A vertical line in a chart: its value on the horizontal axis and its class (`mean`, `threshold`)."""

_TOP, _PLOT, _AXIS = 22, 150, 24  # pixels: room for the highest label, the bars, the ticks below them
HEAT_STEPS = 6


def histogram(
    edges: Sequence[float],
    counts: Sequence[int],
    label: str,
    *,
    unit: str = "pairs",
    marks: Sequence[Mark] = (),
    band: Sequence[float] | None = None,
    threshold: float | None = None,
) -> Markup:
    """Bars of `counts` between the n+1 `edges`; empty if they do not fit together.

    Args:
        edges: increasing bin edges.
        counts: rows per bin.
        label: what the chart shows, read out by screen readers.
        unit: what is counted.
        marks: vertical lines.
        band: an interval to shade, such as that of the mean.
        threshold: bins below it are drawn in a weaker colour.
    """
    if not _is_chart(edges, counts):
        return Markup("")
    ceiling = _ceiling(max(counts))
    parts = [_grid(ceiling)]
    if band is not None:
        left, right = position(band[0], edges), position(band[1], edges)
        parts.append(_rect("band", left, max(right - left, 0.4), _TOP, _PLOT))
    for index, height in enumerate(counts):
        weak = threshold is not None and edges[index + 1] <= threshold + 1e-9
        parts.append(_column(edges, counts, index, height / ceiling, "column weak" if weak else "column", unit))
    for value, kind in marks:
        parts.append(_line(f"mark {kind}", position(value, edges), _TOP - 8, _TOP + _PLOT))
    parts += [_line("axis", 0, _TOP + _PLOT, _TOP + _PLOT, to=100), _ticks(edges, _TOP + _PLOT + 18)]
    return _chart(label, _TOP + _PLOT + _AXIS, parts)


def mirrored(edges: Sequence[float], upper: Sequence[int], lower: Sequence[int], label: str, unit: str) -> Markup:
    """Two histograms over the same edges, one upwards and one downwards; empty if they do not fit together."""
    if not (_is_chart(edges, upper) and _is_chart(edges, lower)):
        return Markup("")
    half = _PLOT // 2 + 15
    ceiling = _ceiling(max(*upper, *lower))
    middle = _TOP + half
    parts = []
    for index, (up, down) in enumerate(zip(upper, lower, strict=True)):
        for kind, value, sign in (("chosen", up, -1), ("rejected", down, 1)):
            height = round(value / ceiling * half, 2)
            top = middle - height if sign < 0 else middle
            title = f"{kind}, {_span(edges, index)}: {count(value)} {unit}"
            parts.append(_bin(index, len(upper), f"column {kind}", top, height, title))
    parts.append(_line("axis", 0, middle, middle, to=100))
    parts.append(_text("grid-label", 0, _TOP - 6, f"{count(ceiling)} {unit}", "start"))
    parts.append(_text("grid-label", 0, middle + half + 12, f"{count(ceiling)} {unit}", "start"))
    parts.append(_ticks(edges, middle + half + 30))
    return _chart(label, middle + half + 36, parts)


def bar(share: float, kind: str = "") -> Markup:
    """A horizontal bar filled to `share` of its width, for a table cell beside the number it shows."""
    fill = _rect(f"fill {kind}".strip(), 0, _clamp(share) * 100, 0, 8)
    return Markup('<svg class="bar" height="8" aria-hidden="true">{}{}</svg>').format(
        _rect("track", 0, 100, 0, 8), fill if share > 0 else Markup("")
    )


def deviation(value: float, scale: float) -> Markup:
    """A bar from the middle to the left or right; `scale` is the deviation that fills its half."""
    width = _clamp(abs(value) / scale if scale > 0 else 0.0) * 50
    return Markup('<svg class="bar" height="12" aria-hidden="true">{}{}{}</svg>').format(
        _rect("track", 0, 100, 5, 2),
        _rect("fill", 50 - width if value < 0 else 50, width, 1, 10),
        _line("axis", 50, 0, 12),
    )


def whisker(value: float, interval: Sequence[float] | None, low: float = 0.0, high: float = 1.0) -> Markup:
    """A tick with its interval on a track from `low` to `high`; what lies outside is drawn at the end."""

    def place(number: float) -> float:
        return _clamp((number - low) / (high - low)) * 100

    parts = [_rect("track", 0, 100, 7, 2)]
    if interval is not None:
        left, right = place(interval[0]), place(interval[1])
        parts.append(_rect("reach", left, max(right - left, 0.5), 4, 8))
    parts.append(_line("point", place(value), 1, 15))
    return Markup('<svg class="bar whisker" height="16" aria-hidden="true">{}</svg>').format(Markup("").join(parts))


def heat(value: float, largest: float) -> int:
    """The shade of a heat map's cell: 0 for nothing, then 1 to 6 up to the largest value.

    >>> heat(0, 90), heat(1, 90), heat(45, 90), heat(90, 90)
    (0, 1, 3, 6)
    """
    if value <= 0 or largest <= 0:
        return 0
    return min(HEAT_STEPS, max(1, -int(-value * HEAT_STEPS // largest)))


def position(value: float, edges: Sequence[float]) -> float:
    """Where `value` lies across equally wide bins, in percent; outside the edges it is put at the end.

    >>> position(0.5, [0, 1, 10]), position(10, [0, 1, 10]), position(-3, [0, 1, 10])
    (25.0, 100.0, 0.0)
    """
    bins = len(edges) - 1
    for index in range(bins):
        low, high = edges[index], edges[index + 1]
        if value < high:
            inside = (value - low) / (high - low) if high > low else 0.0
            return (index + _clamp(inside)) / bins * 100
    return 100.0


def _is_chart(edges: Sequence[float], counts: Sequence[int]) -> bool:
    return len(counts) > 0 and len(edges) == len(counts) + 1 and max(counts) > 0


def _ceiling(largest: float) -> int:
    """The next round number that is not much larger and, past ten, halves to a round number too."""
    if largest <= 10:
        return next(step for step in (1, 2, 4, 6, 8, 10) if step >= largest)
    power = 1
    while power * 100 < largest:
        power *= 10
    return next(step * power for step in (12, 16, 20, 30, 40, 50, 60, 80, 100) if step * power >= largest)


def _grid(ceiling: int) -> Markup:
    lines = []
    for share in (1.0, 0.5) if ceiling > 1 else (1.0,):
        y = _TOP + _PLOT * (1 - share)
        lines += [_line("grid", 0, y, y, to=100), _text("grid-label", 0, y - 5, compact(ceiling * share), "start")]
    return Markup("").join(lines)


def _column(edges: Sequence[float], counts: Sequence[int], index: int, share: float, kind: str, unit: str) -> Markup:
    height = round(share * _PLOT, 2)
    title = f"{_span(edges, index)}: {count(counts[index])} {unit}"
    return _bin(index, len(counts), kind, _TOP + _PLOT - height, height, title)


def _span(edges: Sequence[float], index: int) -> str:
    return f"{compact(edges[index])} to {compact(edges[index + 1])}"


def _bin(index: int, bins: int, kind: str, top: float, height: float, title: str) -> Markup:
    if height <= 0:
        return Markup("")
    shape = _rect(kind, index / bins * 100, 100 / bins, top, max(height, 1.5))
    return Markup("<g>{}<title>{}</title></g>").format(shape, title)


def _ticks(edges: Sequence[float], y: float) -> Markup:
    bins = len(edges) - 1
    wanted = sorted({round(bins * step / 4) for step in range(5)})
    anchors = {0: "start", bins: "end"}
    return Markup("").join(
        _text("tick", index / bins * 100, y, compact(edges[index]), anchors.get(index, "middle")) for index in wanted
    )


def _chart(label: str, height: float, parts: Sequence[Markup]) -> Markup:
    return Markup('<svg class="chart" height="{}" role="img" aria-label="{}">{}</svg>').format(
        _number(height), label, Markup("").join(parts)
    )


def _rect(kind: str, x: float, width: float, y: float, height: float) -> Markup:
    return Markup('<rect class="{}" x="{}%" width="{}%" y="{}" height="{}"/>').format(
        kind, *map(_number, (x, width, y, height))
    )


def _line(kind: str, x: float, top: float, bottom: float, *, to: float | None = None) -> Markup:
    return Markup('<line class="{}" x1="{}%" x2="{}%" y1="{}" y2="{}"/>').format(
        kind, *map(_number, (x, x if to is None else to, top, bottom))
    )


def _text(kind: str, x: float, y: float, text: str, anchor: str) -> Markup:
    return Markup('<text class="{}" x="{}%" y="{}" text-anchor="{}">{}</text>').format(
        kind, _number(x), _number(y), anchor, text
    )


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _clamp(share: float) -> float:
    return min(1.0, max(0.0, share))
