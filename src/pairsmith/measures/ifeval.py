"""IFEval instructions as checks, where both mean the same.

IFEval (Zhou et al. 2023, arXiv 2311.07911) names its instructions like `length_constraints:number_words`. An
instruction is translated only if the check agrees with IFEval's own verdict on at least 97 % of real responses; the
measured rates are in `docs/reference/checks.md`. The two letter-case instructions are left out because IFEval also
asks a language detector whether the text is English, and disagrees on 5 to 9 % of responses for that reason alone.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pairsmith.measures.languages import LANGUAGES

__all__ = ["IFEVAL_INSTRUCTIONS", "ifeval_checks"]

Call = tuple[str, dict[str, Any]]

_CONSTRAINED_RESPONSES = ["My answer is yes.", "My answer is no.", "My answer is maybe."]


def _count(unit: str, limit_name: str) -> Callable[[Mapping[str, Any]], list[Call]]:
    def translate(kwargs: Mapping[str, Any]) -> list[Call]:
        limit = int(kwargs[limit_name])
        if kwargs["relation"] == "less than":
            return [(f"max_{unit}", {"n": limit - 1})]
        return [(f"min_{unit}", {"n": limit})]

    return translate


def _texts(values: Sequence[Any]) -> list[str]:
    return [str(value) for value in values if value]


_TRANSLATIONS: Mapping[str, Callable[[Mapping[str, Any]], list[Call]]] = MappingProxyType(
    {
        "combination:repeat_prompt": lambda kwargs: [("starts_with", {"text": kwargs["prompt_to_repeat"]})],
        "detectable_format:constrained_response": lambda _kwargs: [("choice", {"options": _CONSTRAINED_RESPONSES})],
        "detectable_format:json_format": lambda _kwargs: [("json", {})],
        "detectable_format:number_bullet_lists": lambda kwargs: [("bullets", {"n": int(kwargs["num_bullets"])})],
        "keywords:existence": lambda kwargs: [("contains_all", {"words": _texts(kwargs["keywords"]), "whole": False})],
        "keywords:forbidden_words": lambda kwargs: [("contains_none", {"words": _texts(kwargs["forbidden_words"])})],
        "length_constraints:number_paragraphs": lambda kwargs: [
            ("paragraphs", {"n": int(kwargs["num_paragraphs"]), "separator": "***"})
        ],
        "length_constraints:number_sentences": _count("sentences", "num_sentences"),
        "length_constraints:number_words": _count("words", "num_words"),
        "language:response_language": lambda kwargs: [("language", {"code": str(kwargs["language"])})],
        "punctuation:no_comma": lambda _kwargs: [("no_commas", {})],
        "startend:end_checker": lambda kwargs: [("ends_with", {"text": kwargs["end_phrase"]})],
        "startend:quotation": lambda _kwargs: [("starts_with", {"text": '"'}), ("ends_with", {"text": '"'})],
    }
)

IFEVAL_INSTRUCTIONS: tuple[str, ...] = tuple(_TRANSLATIONS)
"""The instructions that can be translated."""


def ifeval_checks(instruction_ids: Sequence[str], kwargs: Sequence[Mapping[str, Any]]) -> list[Call] | None:
    """The checks (kind, arguments) of one IFEval prompt, or `None` if any of its instructions has no equal here.

    A language that `measures.languages` does not know has none.

    Args:
        instruction_ids: `instruction_id_list` of the row; a language prefix like `en:` is ignored.
        kwargs: `kwargs` of the row, one mapping an instruction; keys with the value null are ignored.

    Raises:
        ValueError: the two lists differ in length, or an instruction lacks an argument it needs.
    """
    if len(instruction_ids) != len(kwargs):
        raise ValueError(f"{len(instruction_ids)} IFEval instructions, but {len(kwargs)} sets of arguments")
    calls: list[Call] = []
    for instruction_id, given in zip(instruction_ids, kwargs, strict=True):
        name = ":".join(instruction_id.split(":")[-2:])
        if name not in _TRANSLATIONS:
            return None
        try:
            calls += _TRANSLATIONS[name]({key: value for key, value in given.items() if value is not None})
        except (KeyError, TypeError) as error:
            raise ValueError(f"IFEval instruction {instruction_id!r}: missing or unusable argument {error}") from error
    foreign = any(kind == "language" and args["code"] not in LANGUAGES for kind, args in calls)
    return None if foreign else calls
