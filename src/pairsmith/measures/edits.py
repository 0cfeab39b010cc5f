"""How a text was edited, word by word: what stays, and what became of the rest."""

import re
from difflib import SequenceMatcher
from typing import Any, Final

__all__ = ["word_edits"]

_MAX_DIFF_TOKENS: Final = 20_000  # beyond this, comparing word by word takes seconds


def word_edits(before: str, after: str) -> dict[str, Any]:
    """How a text was edited: `kept` is the share of its words that stay, `changes` what became of the others.

    A change is `[was, now]`, either of them possibly empty. Long texts are compared line by line.

    >>> word_edits("the cat sat", "the black cat slept")
    {'kept': 0.67, 'changes': [['', 'black '], ['sat', 'slept']]}
    """
    one, other = _tokens(before), _tokens(after)
    if len(one) + len(other) > _MAX_DIFF_TOKENS:
        one, other = before.splitlines(keepends=True), after.splitlines(keepends=True)
    operations = SequenceMatcher(None, one, other, autojunk=False).get_opcodes()
    changes = [["".join(one[a:b]), "".join(other[c:d])] for kind, a, b, c, d in operations if kind != "equal"]
    kept = sum(b - a for kind, a, b, _, _ in operations if kind == "equal")
    return {"kept": round(kept / len(one), 2) if one else 0.0, "changes": changes}


def _tokens(text: str) -> list[str]:
    """Words with the white space after them, so that joining them gives the text back."""
    return re.findall(r"\S+\s*|\s+", text)
