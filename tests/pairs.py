"""Small pairs for tests of the deriving stages."""

from typing import Any

from pairsmith.ids import content_id
from pairsmith.records import Message, PreferencePair, Prompt


def make_prompt(text: str, **attributes: Any) -> Prompt:
    return Prompt.of([Message("user", text)], **attributes)


def make_pair(prompt: Prompt | str, chosen: str, rejected: str, **attributes: Any) -> PreferencePair:
    """A pair whose id its texts decide; strong unless `attributes` say otherwise."""
    if isinstance(prompt, str):
        prompt = make_prompt(prompt)
    key = [prompt.id, ascii(chosen), ascii(rejected), attributes.pop("copy", 0)]  # half surrogates have no id
    evidence: dict[str, Any] = {"gap": 1.0, "gap_kind": "votes", "agreement": 1.0, "votes": {"chosen": 3}}
    origin = {name: getattr(prompt, name) for name in ("category", "difficulty", "source")}
    return PreferencePair(
        id=content_id("pair", key),
        prompt=prompt.messages,
        chosen=(Message("assistant", chosen),),
        rejected=(Message("assistant", rejected),),
        prompt_id=prompt.id,
        comparison_id=content_id("cmp", key),
        chosen_id=content_id("cnd", [prompt.id, ascii(chosen)]),
        rejected_id=content_id("cnd", [prompt.id, ascii(rejected)]),
        **{**origin, **evidence, **attributes},
    )
