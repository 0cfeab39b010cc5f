"""Detectors of phone numbers and of person names after labels: no checksum helps here, so context decides."""

import re
from collections.abc import Iterator

from pairsmith.measures.personal_data import Found

__all__ = ["person_names", "phone_numbers"]

_RUN = re.compile(r"(?<!\w)(?<!\d[.,])(?:\+|\(\+?)?\d(?:[ \-./()]{0,3}\d){6,}+(?!\w)")
_NORTH_AMERICAN = re.compile(
    r"(?<![\w.-])(?:(?:\+?1[-. ]{0,2})?\([2-9]\d\d\)[-. ]{0,2}|(?:\+?1[-. ])?[2-9]\d\d([-. ]))"
    r"[2-9]\d\d(?(1)\1|[-. ])\d{4}(?![\w-])"
)
_LABEL_BEFORE = re.compile(
    r"\b(?:tel|telephone|phone|mobile|cell|cellphone|call|called|calling|dial|ring|fax|whatsapp|text (?:me|us|to)|sms"
    r"|messages?|hotline|contact|reach)\b[^\d\n]{0,40}$",
    re.IGNORECASE,
)
_LABEL_AFTER = re.compile(r"\s?-?\s?\(?(?:office|fax|mobile|home|cell|work)\b", re.IGNORECASE)
_INTERNATIONAL = re.compile(r"\(?\+|00[1-9]")
_DATE = re.compile(r"(?:19|20)\d\d[-/. ][01]?\d[-/. ][0-3]?\d|[0-3]?\d[-/.][01]?\d[-/.](?:19|20)\d\d")
_LOOK_BACK = 60


def phone_numbers(text: str) -> Iterator[Found]:
    """Phone numbers: international ones, national ones with a leading zero, North American ones, others by their label.

    A number without `+`, `00`, a leading zero or the North American grouping counts only beside a word like "call",
    "tel" or "-Fax", because nothing else tells it from an order number.
    """
    for match in _NORTH_AMERICAN.finditer(text):
        yield match.start(), match.end(), _phone_key(match[0])
    for match in _RUN.finditer(text):
        written = match[0]
        digits = re.sub(r"\D", "", written)
        if 7 <= len(digits) <= 15 and _is_phone(text, match.start(), match.end(), written, digits):
            yield match.start(), match.end(), _phone_key(written)


def _is_phone(text: str, start: int, end: int, written: str, digits: str) -> bool:
    if _INTERNATIONAL.match(written):
        return len(digits) >= 8
    if _DATE.match(written):
        return False
    # One digit alone in front is a decimal ("0.123456789") or a book number ("0-306-40615-2").
    if digits[0] == "0" and len(digits) in range(9, 13) and not re.match(r"0[./-]", written):
        return True
    labelled = _LABEL_BEFORE.search(text, max(0, start - _LOOK_BACK), start) or _LABEL_AFTER.match(text, end)
    return bool(labelled)


def _phone_key(written: str) -> str:
    national = re.sub(r"(?<=\d)\s?\(0\)", "", written)  # +49 (0)89 is dialled +49 89
    digits = re.sub(r"\D", "", national)
    return digits[2:] if digits.startswith("00") and "+" not in written else digits


# "MS" is a company and "miss" a verb, so the case of titles counts.
_TITLES = r"(?-i:(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|MR|MRS|mr|mrs|ms|dr|prof)\b\.?)"
_NAME_LABEL = re.compile(
    r"(?<!\w)(?:my (?:full |first |last )?name(?: is|'s|’s)|(?:i am|i'm|this is) called"
    r"|(?:full|first|last|contact|account|patient|passenger|cardholder|customer)[ _]name\s?(?:is|[:=])"
    r"|name on (?:the|my) (?:account|card)\s?(?:is|[:=])"
    rf"|dear|{_TITLES}|sincerely,?|regards,)\s{{1,3}}",
    re.IGNORECASE,
)
_TITLE = re.compile(rf"{_TITLES}\s{{1,3}}")
_NAME_WORD = re.compile(r"[^\W\d_](?:[\w'’-]{0,38}\w|\.)?")
_GAP = re.compile(r"[ \t]{1,2}")
_NOT_A_NAME = re.compile(
    r"(?:a|all|an|and|are|at|both|but|by|colleague|colleagues|customer|customers|diary|editor|everyone|family|"
    r"father|folks|for|friend|friends|from|god|guest|guests|hiring|i|in|is|it|ladies|lord|madam|manager|me|"
    r"members|mom|mother|my|no|not|of|on|one|or|our|parents|professor|recruiter|reviewer|santa|sir|sirs|so|"
    r"student|students|sure|team|the|their|there|this|to|user|users|very|was|what|will|with|you|your)",
    re.IGNORECASE,
)


def person_names(text: str) -> Iterator[Found]:
    """Names after "my name is", "Dear", "Mr", "first name:" and the like; best effort."""
    for label in _NAME_LABEL.finditer(text):
        title = _TITLE.match(text, label.end())
        start = position = title.end() if title else label.end()
        stated = label[0].rstrip().lower().endswith(("is", "'s", "’s", ":", "=", "called"))
        words: list[str] = []
        while len(words) < 4 and (word := _NAME_WORD.match(text, position)):
            # Chat users write "my name is john": the first word after such a label may be in small letters.
            capital = word[0][0].isupper() or (stated and not words)
            if not capital or _NOT_A_NAME.fullmatch(word[0]):
                break
            words.append(word[0])
            end = word.end()
            gap = _GAP.match(text, end)
            if not gap:
                break
            position = gap.end()
        if words:
            yield start, end, " ".join(words).casefold()
