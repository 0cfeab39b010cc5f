"""The manner of a response: how it hedges, declines, asks back, advises, and how its length fits what was asked.

Counts of word lists and a few shapes, English only: in other languages most columns are 0. A block of its own for a
reward head, beside `surface.surface_features`.
"""

import math
import re
import zlib
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["MANNER", "manner_features"]

Vector: TypeAlias = npt.NDArray[np.float64]


def _words(*alternatives: str) -> re.Pattern[str]:
    return re.compile(r"\b(?:" + "|".join(alternatives) + r")\b")


_COUNTED: Final = {
    "apology": _words("sorry", "apologi[sz]e", "afraid", "forgive", "regret"),
    "declining": _words(
        "i (?:can't|cannot|can not|couldn't|won't|don't|do not|am not|wouldn't)",
        "i'm (?:not|unable)",
        "not (?:able|comfortable|sure|appropriate|something i)",
        "unable",
        "no comment",
    ),
    "warning": _words(
        "illegal",
        "dangerous",
        "harm(?:ful|s|ing)?",
        "risk[sy]?",
        "unsafe",
        "wrong",
        "unethical",
        "careful",
        "against the law",
        "bad idea",
        "hurt",
        "serious",
        "consequences",
    ),
    "understanding": _words("understand", "sounds like", "i see", "i hear", "feel(?:ing|s)?", "tough", "difficult"),
    "offer": _words("help", "support", "talk", "let me know", "happy to", "glad to", "let's", "together"),
    "asking_back": _words(
        "what do you", "do you", "did you", "are you", "can you", "could you", "why", "would you", "you mean"
    ),
    "advice": _words(
        "you (?:could|can|should|might|may|need|want|will)", "try", "consider", "make sure", "recommend", "suggest"
    ),
    "hedge": _words(
        "maybe", "perhaps", "might", "probably", "possibly", "i think", "i guess", "seems?", "likely", "kind of"
    ),
    "example": _words("for example", "for instance", "such as", "like", "e\\.g"),
    "reason": _words("because", "since", "so that", "therefore", "due to", "in order", "thus", "reasons?"),
    "generalising": _words("they", "them", "their", "people", "everyone", "all", "always", "never", "most", "many"),
    "negation": _words("not", "no", "never", "nothing", "none", "\\w+n't"),
    "agreement": _words("yes", "sure", "yeah", "of course", "absolutely", "okay", "ok", "right"),
    "thanks": _words("thanks?", "thank you", "please", "welcome", "appreciate"),
    "profanity": _words(
        "fuck\\w*", "shit\\w*", "ass(?:hole)?", "bitch\\w*", "damn", "crap", "idiots?", "stupid", "dumb", "sluts?"
    ),
    "violence": _words(
        "kill\\w*",
        "murder\\w*",
        "guns?",
        "weapons?",
        "bombs?",
        "poison\\w*",
        "steal\\w*",
        "drugs?",
        "attack\\w*",
        "knife",
    ),
    "second_person": _words("you", "your", "yours", "yourself"),
    "self": _words("i", "i'm", "i'd", "me", "my"),
    "contrast": _words("but", "however", "although", "though", "instead", "while", "whereas"),
    "addition": _words("also", "and", "additionally", "moreover", "in addition", "furthermore", "as well"),
}

_KNOTS: Final = (40, 160, 640)
_PLACEHOLDER = re.compile(r"\[[^\]\n]{2,40}\]|_{3,}|<[a-z_ ]{2,30}>", re.IGNORECASE)
_MARKER = re.compile(
    r"^\s*(?:#+\s|(?:input|output|instruction|response|question|answer)\s*:)", re.IGNORECASE | re.MULTILINE
)
_LIST_WISH = _words(
    "list", "examples?", "steps?", "ideas", "ways", "reasons", "tips", "names?", "generate", "write", "story", "essay"
)
_SHORT_WISH = _words(
    "classify", "which", "is", "who", "when", "rewrite", "edit", "correct", "fix", "convert", "translate", "identify"
)

MANNER: Final = (
    *_COUNTED,
    *(f"log_characters_past_{knot}" for knot in _KNOTS),
    "compressibility",
    "log_placeholders",
    "log_markers",
    "beyond_ascii",
    "prompt_repeated",
    "length_times_prompt_length",
    "length_times_open_prompt",
    "length_times_closed_prompt",
    "length_times_question",
)
"""Names of the columns of `manner_features`, in order."""


def manner_features(prompt: str, response: str) -> Vector:
    """The manner of one response to one prompt.

    Returns:
        float64, shape (len(MANNER),), finite for any two texts. Counts are ln(1 + count) over the square root of the
        number of words, so that a long text does not win by length; products are with ln(1 + characters).
    """
    text = response.strip()
    lowered = text.lower().replace("’", "'")
    spread = math.sqrt(1 + len(lowered.split()))
    length = math.log1p(len(text))
    asked = prompt.strip().lower()
    start = " ".join(asked.split()[-60:])
    values = [len(pattern.findall(lowered)) / spread for pattern in _COUNTED.values()]
    values += [max(0.0, length - math.log1p(knot)) for knot in _KNOTS]
    raw = text.encode("utf-8", "replace")
    values += [
        len(zlib.compress(raw, 1)) / (len(raw) + 12) if raw else 0.0,
        math.log1p(len(_PLACEHOLDER.findall(text))),
        math.log1p(len(_MARKER.findall(text))),
        sum(character > "\x7f" for character in text) / len(text) if text else 0.0,
        float(bool(text) and lowered in asked),
        length * (math.log1p(len(asked)) - 5.0),
        length * float(_LIST_WISH.search(start) is not None),
        length * float(_SHORT_WISH.search(start) is not None),
        length * float(asked.endswith("?")),
    ]
    return np.array(values, dtype=np.float64)
