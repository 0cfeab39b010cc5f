import pytest

from pairsmith.measures.text import normalise, squash, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello,  WORLD!\n", "hello world"),
        ("snake_case-and-kebab", "snake case and kebab"),
        ("Ｆｕｌｌ ｗｉｄｔｈ １２", "full width 12"),
        ("zero\u200bwidth \u202eoverride soft\u00adhyphen", "zerowidth override softhyphen"),
        ("STRASSE Straße", "strasse strasse"),
        ("e\u0301te\u0301", "été"),
        ("2\ufe0f\u20e3 three", "2 three"),
        ("今天 is 3 号", "今 天 is 3 号"),
        ("नमस्ते दुनिया।", "नमस्ते दुनिया"),
        ("한국어 텍스트", "한국어 텍스트"),
        ("?!... --", ""),
        ("", ""),
    ],
)
def test_normal_form(text: str, expected: str) -> None:
    assert normalise(text) == expected


def test_normalising_twice_changes_nothing() -> None:
    text = "Ünïcode ﬁ ½ x² “quotes” 今天 ИГОРЬ"
    assert normalise(normalise(text)) == normalise(text)


def test_letters_that_look_latin_are_latin_only_in_latin_text() -> None:
    assert words("Whаt is thе сарital of France?") == words("What is the capital of France?")
    assert words("сор и вор") == ["сор", "и", "вор"]
    assert words("The word сор and вор are Russian: игра") != words("The word cop and Bop are Russian: игра")


def test_squash_keeps_what_a_reader_sees() -> None:
    assert squash("x =\u00a0-2 ") == "x = -2"
    assert squash("x = 2") != squash("x = -2")
    assert squash("Yes") != squash("YES")
    assert squash("\u200b \ufeff\n\t") == ""
