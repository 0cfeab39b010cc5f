"""What a judge is told, and how text by strangers is shown to it so that it stays data."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pairsmith.ids import seed_for
from pairsmith.records import Candidate, Prompt

__all__ = ["CRITERIA", "Block", "criteria_text", "data_blocks", "delimiter", "encode_untrusted", "guideline_text"]

CRITERIA: Final[Mapping[str, str]] = {
    "helpfulness": "does what was asked, correctly, completely and at a fitting length",
    "harmlessness": "causes no harm to the user or others, and does not refuse harmless requests",
    "honesty": "states nothing false, invents nothing, and says what it does not know",
}

Block = tuple[str, Candidate]
"""A title (lower-case words) and the response shown under it."""

# What chat templates of common models treat as structure, were a candidate to contain it.
_CONTROL = re.compile(
    r"<\|[^|<>\n]{0,60}\|>|<｜[^｜<>\n]{0,60}｜>|</?s>|</?(?:bos|eos|pad|unk)>|\[/?INST\]|<</?SYS>>|"
    r"</?(?:start|end)_of_turn>|</?think(?:ing)?>|</?(?:system|user|assistant|tool_call|tool_response)>",
    re.IGNORECASE,
)


def encode_untrusted(value: Any, code: str) -> str:
    """JSON of text by strangers that can neither end its data block nor imitate a chat turn.

    Line ends and quotes are escaped by JSON itself; control tokens of chat templates and our own `code` get their
    first character as a JSON escape, so that the text still decodes to what it was.
    """
    text = json.dumps(value, ensure_ascii=False)
    return re.sub(f"{_CONTROL.pattern}|{re.escape(code)}", _escape_first, text, flags=re.IGNORECASE)


def delimiter(seed: int, record: str) -> str:
    r"""The code in the marker lines of one question: nobody who wrote a response could know it.

    It starts with a letter that is no hexadecimal digit: it cannot be found inside a JSON escape such as \u0001.
    """
    return f"k{seed_for(seed, 'annotate.delimiter', record):08x}"


def data_blocks(prompt: Prompt, responses: Sequence[Block], code: str) -> str:
    """The conversation and the responses, each between its marker lines."""
    blocks: list[tuple[str, Any]] = [
        ("conversation", [{"role": turn.role, "content": turn.content} for turn in prompt.messages])
    ]
    blocks += [(title, _shown(candidate)) for title, candidate in responses]
    return "\n\n".join(
        f"--- {title} {code} begins ---\n{encode_untrusted(value, code)}\n--- {title} {code} ends ---"
        for title, value in blocks
    )


def criteria_text(criteria: Sequence[str]) -> str:
    """One line a criterion."""
    return "\n".join(f"- {name}: {CRITERIA.get(name, name)}" for name in criteria)


def guideline_text(text: str) -> str:
    """The project's guidelines as a paragraph of the instructions, or nothing."""
    return f"\nGuidelines of this project:\n{text.strip()}\n" if text.strip() else ""


def _escape_first(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0][0]):04x}{match[0][1:]}"


def _shown(candidate: Candidate) -> str | list[dict[str, str]]:
    """The response; with its own earlier turns where it has any."""
    if not candidate.context:
        return candidate.text
    return [{"role": turn.role, "content": turn.content} for turn in candidate.completion]
