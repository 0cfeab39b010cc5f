"""The style sheet: its colours can be read in light and in dark."""

import re

import pytest

from pairsmith.report.environment import template_environment, templates


def _palettes() -> list[dict[str, str]]:
    source, _, _ = templates().get_source(template_environment(str, html=True), "report.css")
    roots = re.findall(r":root \{(.*?)\}", source, re.DOTALL)[:2]
    light, dark = (dict(re.findall(r"--([a-z-]+): ([^;]+);", root)) for root in roots)
    return [light, light | dark]


def _rgb(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))


def _luminance(rgb: tuple[float, ...]) -> float:
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("palette", _palettes(), ids=["light", "dark"])
def test_text_has_a_contrast_of_at_least_4_5(palette: dict[str, str]) -> None:
    pairs = [(text, ground) for text in ("ink", "soft", "unsure") for ground in ("page", "surface", "sunken")]
    pairs += [(state, ground) for state in ("pass", "fail") for ground in ("surface", f"{state}-soft")]
    pairs += [("surface", state) for state in ("pass", "fail", "unsure")] + [("unsure", "unsure-soft")]
    pairs += [("ink", f"{state}-soft") for state in ("pass", "fail", "unsure")]
    found = {pair: round(_contrast(*(_rgb(palette[name]) for name in pair)), 2) for pair in pairs}
    assert {pair: value for pair, value in found.items() if value < 4.5} == {}


@pytest.mark.parametrize("palette", _palettes(), ids=["light", "dark"])
def test_the_darkest_cell_of_the_heat_map_can_be_read(palette: dict[str, str]) -> None:
    accent = [int(part) / 255 for part in palette["accent-rgb"].split(",")]
    ground = tuple(0.52 * top + 0.48 * below for top, below in zip(accent, _rgb(palette["page"]), strict=True))
    assert _contrast(_rgb(palette["ink"]), ground) >= 4.5
