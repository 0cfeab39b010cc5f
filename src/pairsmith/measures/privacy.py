"""Find personal data in text and replace it by consistent pseudonyms, deterministically and without a model.

What each class covers, and how much of it is found on labelled text, is in `docs/reference/privacy.md`.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pairsmith.measures import personal_contacts, personal_data
from pairsmith.measures.personal_data import Found

__all__ = ["KINDS", "Pseudonymiser", "Span", "find_personal_data"]

_DETECTORS: Mapping[str, Callable[[str], Iterator[Found]]] = MappingProxyType(
    {
        "secret": personal_data.secrets,
        "url_credentials": personal_data.url_credentials,
        "email": personal_data.emails,
        "iban": personal_data.ibans,
        "mac": personal_data.mac_addresses,
        "ip": personal_data.ip_addresses,
        "us_ssn": personal_data.social_security_numbers,
        "credit_card": personal_data.credit_cards,
        "phone": personal_contacts.phone_numbers,
        "person": personal_contacts.person_names,
    }
)

KINDS: tuple[str, ...] = tuple(_DETECTORS)
"""The classes, in order of precedence: where two overlap, the first one wins."""

_INVISIBLE = frozenset("\u00ad\u200b\u200c\u200d\u2060\ufeff")
_MOST_PASSES = 8
_PSEUDONYM_BYTES = 4  # 65,000 values share a pseudonym by chance about once


@dataclass(frozen=True, slots=True)
class Span:
    """One piece of personal data: `text[start:end]` is `value`.

    `key` is the same for all ways of writing one value; `kind` is one of `KINDS`.
    """

    start: int
    end: int
    kind: str
    value: str
    key: str


def find_personal_data(text: str) -> tuple[Span, ...]:
    """All personal data in `text`, by position, without overlaps.

    >>> [(span.kind, span.value) for span in find_personal_data("mail jo@example.org from 10.0.0.1")]
    [('email', 'jo@example.org'), ('ip', '10.0.0.1')]
    """
    visible, places = _without_invisible(text)
    plain = personal_data.fold(visible)
    taken = bytearray(len(plain))
    spans = []
    for kind, detector in _DETECTORS.items():
        for start, end, key in detector(plain):
            if end <= start or any(taken[start:end]):
                continue
            taken[start:end] = b"\x01" * (end - start)
            first, last = (places[start], places[end - 1] + 1) if places else (start, end)
            spans.append(Span(first, last, kind, text[first:last], key))
    return tuple(sorted(spans, key=lambda span: span.start))


def _without_invisible(text: str) -> tuple[str, list[int]]:
    """The text without characters that only hide something, and where each other one was; [] if nothing changed."""
    if text.isascii() or _INVISIBLE.isdisjoint(text):
        return text, []
    places = [place for place, char in enumerate(text) if char not in _INVISIBLE]
    return "".join(text[place] for place in places), places


class Pseudonymiser:
    """Replaces personal data by pseudonyms like `[EMAIL_5f0c2a91]`.

    A pseudonym is a keyed hash of what it stands for: one value has one pseudonym in all rows and all runs with the
    same secret, whatever the order. Whoever knows the secret can test guesses (all phone numbers of a country are
    quickly tried), so keep it apart from the data it protects.
    """

    __slots__ = ("_secret",)

    def __init__(self, secret: str | int | bytes) -> None:
        as_bytes = secret if isinstance(secret, bytes) else str(secret).encode("utf-8")
        self._secret = hashlib.blake2b(as_bytes, digest_size=32).digest()

    def pseudonym(self, span: Span) -> str:
        """What stands in the place of `span`."""
        # surrogatepass: text read from broken JSON can hold lone surrogates.
        message = f"{span.kind}:{span.key}".encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(message, key=self._secret, digest_size=_PSEUDONYM_BYTES)
        return f"[{span.kind.upper()}_{digest.hexdigest()}]"

    def replace(self, text: str) -> tuple[str, dict[str, int]]:
        """The text with pseudonyms, and how many pieces of each kind were replaced (kinds with none are left out).

        Replacing twice is the same as replacing once: a value that only shows when its neighbour is gone is replaced
        too.
        """
        counts: Counter[str] = Counter()
        for _ in range(_MOST_PASSES):
            spans = find_personal_data(text)
            if not spans:
                break
            pieces, position = [], 0
            for span in spans:
                pieces += [text[position : span.start], self.pseudonym(span)]
                position = span.end
            text = "".join([*pieces, text[position:]])
            counts.update(span.kind for span in spans)
        return text, dict(sorted(counts.items()))
