"""Hidden characters, clipping and numbers."""

import pytest

from pairsmith.report.text import against, clip, count, decimal, interval, marked, percent, visible


@pytest.mark.parametrize(
    "code", [0x00, 0x08, 0x1B, 0x7F, 0x85, 0xAD, 0x061C, 0x200B, 0x200E, 0x202E, 0x2066, 0x2028, 0x3164, 0xFEFF]
)
def test_hidden_characters_become_code_points(code: int) -> None:
    assert visible(f"a{chr(code)}b") == f"a⟨U+{code:04X}⟩b"


def test_lone_surrogates_can_be_written_as_utf8() -> None:
    assert visible("\ud800x").encode("utf-8").decode() == "⟨U+D800⟩x"


@pytest.mark.parametrize("kept", ["👩‍👩‍👧‍👦", "🏳️‍🌈", "می‌خواهم", "क्‍ष", "tab\tand\nnewline", "é vs é", "解释"])
def test_joiners_emoji_and_accents_are_left_alone(kept: str) -> None:
    assert visible(kept) == kept


@pytest.mark.parametrize("text", ["pass\u200dword", "pay\u200cpal", "\u200dx", "x\u200c", "a\u200d\u200d\u200db"])
def test_joiners_in_latin_words_are_shown(text: str) -> None:
    assert not {"\u200c", "\u200d"} & set(visible(text))


def test_marked_escapes_the_text_and_names_the_character() -> None:
    assert marked("<i>\u202e&") == (
        '&lt;i&gt;<span class="hidden-char" title="right-to-left override">⟨U+202E⟩</span>&amp;'
    )


def test_clipping_loses_nothing_below_the_limit_and_counts_what_is_above() -> None:
    text = "\n".join(f"line {number} of some answer" for number in range(400))
    parts = clip(text)
    assert parts.head.count("\n") <= 14
    assert (parts.head + parts.rest).replace("\n", "") == text.replace("\n", "")
    assert clip("short").rest == ""
    assert clip("x" * 50_000).left_out == 30_000
    assert len(clip("x" * 50_000).head) == 700


def test_numbers_are_not_rounded_into_a_lie() -> None:
    assert percent(0.99996) == ">99.9 %"
    assert percent(0.00004) == "<0.1 %"
    assert decimal(0.99996) == "0.99996"
    assert decimal(1.0) == "1.000"
    assert against(0.8999999, 0.9) == "0.8999999"
    assert count(999) == "999"
    assert interval([-0.2, 0.1]) == "−0.200 to 0.100"
    assert interval([0.1]) == interval(None) == "–"
