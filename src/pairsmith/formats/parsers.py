"""Which parser reads which format, and how a format is recognised by its field names."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pairsmith.errors import InputError
from pairsmith.formats.arena import parse_arena
from pairsmith.formats.chat import CHAT_FIELDS, parse_chat
from pairsmith.formats.edits import EDIT_FIELDS, parse_edits
from pairsmith.formats.hh import is_transcript, parse_hh
from pairsmith.formats.pandalm import parse_pandalm
from pairsmith.formats.preference import CHOSEN_FIELDS, REJECTED_FIELDS, parse_preference
from pairsmith.formats.prompts import PROMPT_FIELDS, parse_prompts
from pairsmith.formats.rows import Parser, Row
from pairsmith.formats.ukp import parse_ukp
from pairsmith.formats.votes import PAIR_FIELDS, VOTE_FIELDS, VOTER_FIELDS, parse_votes

__all__ = ["PARSERS", "guess_format", "guesses"]

PARSERS: Mapping[str, Parser] = {
    "prompts": parse_prompts,
    "text": parse_prompts,
    "chat": parse_chat,
    "preference": parse_preference,
    "hh": parse_hh,
    "arena": parse_arena,
    "pandalm": parse_pandalm,
    "ukp": parse_ukp,
    "votes": parse_votes,
    "edits": parse_edits,
}


def guess_format(rows: Sequence[Row]) -> str:
    """The format that most of `rows` look like; the earlier one if two are as frequent.

    Raises:
        InputError: if none of them looks like any format, or one side of a pair has two names; names the fields.
    """
    if not rows:
        return "prompts"  # every row was unreadable; whoever reads them on will find the same
    _refuse_two_names(rows)
    counts = guesses(rows)
    if not counts:
        fields = ", ".join(sorted(map(str, rows[0].values))[:20])
        raise InputError(
            f"line {rows[0].line}: cannot tell the format from the fields {fields}; set `format` to one of "
            f"{', '.join(PARSERS)}, or rename the fields as docs/reference/formats.md has them"
        )
    return counts.most_common(1)[0][0]


def guesses(rows: Sequence[Row]) -> Counter[str]:
    """How many of `rows` look like each format."""
    return Counter(name for row in rows if (name := _looks_like(row.values)))


def _refuse_two_names(rows: Sequence[Row]) -> None:
    for row in rows:
        for names in (CHOSEN_FIELDS, REJECTED_FIELDS):
            there = [name for name in names if name in row.values]
            if len(there) > 1:
                raise InputError(f"line {row.line}: {' and '.join(there)} mean the same; remove one of the columns")


def _looks_like(values: Mapping[str, Any]) -> str:
    names = {name.strip().lower(): name for name in values}

    def has(*wanted: str) -> str:
        return next((names[name] for name in wanted if name in names), "")

    chosen = has(*CHOSEN_FIELDS)
    if chosen or has(*REJECTED_FIELDS):
        return "hh" if chosen and not has(*PROMPT_FIELDS) and is_transcript(values[chosen]) else "preference"
    if all(has(field) for field in EDIT_FIELDS):
        return "edits"
    if has("winner") and has("model_a"):
        return "arena"
    if has("annotator1") and has("response1"):
        return "pandalm"
    if has("arg1") and has("mturkassignments"):
        return "ukp"
    if has(*VOTE_FIELDS) and has(*VOTER_FIELDS) and (has(*PAIR_FIELDS) or has("response_a")):
        return "votes"
    chat = has(*CHAT_FIELDS)
    if chat and isinstance(values[chat], list):
        return "prompts" if chat == "messages" and _ends_with_user(values[chat]) else "chat"
    return "prompts" if has(*PROMPT_FIELDS, "turns") else ""


def _ends_with_user(messages: Sequence[Any]) -> bool:
    last = messages[-1] if messages else None
    return isinstance(last, dict) and last.get("role") in ("user", "human")
