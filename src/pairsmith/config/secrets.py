"""Refusing keys in `pairsmith.yaml`: every build repeats its configuration, so what stands there is published."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

__all__ = ["literal_secrets"]

_NAMES: Final = frozenset(
    {
        "apikey", "authorization", "bearer", "credential", "credentials", "passphrase", "passwd", "password", "pwd",
        "secret", "secrets",
    }
)  # fmt: skip
_AMBIGUOUS: Final = frozenset({"key", "token"})  # a field of a record, a mark such as </s>, or a secret
_NAMED_KEYS: Final = re.compile(r"(^|_)(api|access|auth|private|secret|service|account|signing|encryption)_keys?(_|$)")
_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_VALUES: Final = re.compile(
    r"""
    \b(sk|rk|pk)-[A-Za-z0-9_-]{16,}              # OpenAI, Anthropic and those who follow them
    | \bhf_[A-Za-z0-9]{20,}                      # Hugging Face
    | \b(ghp|gho|ghs|ghu|ghr)_[A-Za-z0-9]{30,} | \bgithub_pat_\w{20,} | \bglpat-[\w-]{20,}
    | \bgsk_[A-Za-z0-9]{20,} | \br8_[A-Za-z0-9]{30,} | \bxai-[A-Za-z0-9]{20,} | \bnvapi-[\w-]{20,}
    | \b(AKIA|ASIA)[0-9A-Z]{16}\b                # AWS
    | \bAIza[\w-]{35}                            # Google
    | \bxox[abprs]-[\w-]{10,}                    # Slack
    | \beyJ[\w-]{8,}\.[\w-]{8,}\.                # a JSON web token
    | -----BEGIN\ [A-Z\ ]*PRIVATE\ KEY
    | (?i:\bbearer\s+)[\w.~+/=-]{16,}
    | ://[^/\s:@]+:[^/\s@]+@                     # a password in an address
    """,
    re.VERBOSE,
)
_RANDOM: Final = re.compile(r"(?=\w*[a-z])(?=\w*[A-Z])(?=\w*\d)[A-Za-z0-9]{32,}")
_LIKE_A_KEY: Final = re.compile(r"(?=.*\d)[A-Za-z0-9_.+/=-]{8,}")

Path_ = tuple[str | int, ...]


def literal_secrets(values: Any) -> Iterator[Path_]:
    """Where in a configuration a key seems to stand: the paths alone, never the values.

    Under `options`, whose keys are not ours, a text under a name such as `api_key` or `password` counts, and under one
    such as `key` or `token` if it has digits; names that end in `_env` hold the name of a variable. Anywhere, a value
    counts that has the form of a key of a known service; under `options` also a random-looking string.
    """
    yield from _walk(values, (), inside=False)


def _walk(value: Any, path: Path_, *, inside: bool) -> Iterator[Path_]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            here = (*path, str(key))
            if inside and _is_named_secret(str(key), each):
                yield here
            elif _VALUES.search(str(key)):
                yield (*path, "(a key that looks like a secret)")
            else:
                yield from _walk(each, here, inside=inside or key == "options")
    elif isinstance(value, str):
        if _VALUES.search(value) or (inside and _RANDOM.fullmatch(value.strip())):
            yield path
    elif isinstance(value, Sequence):
        for index, each in enumerate(value):
            yield from _walk(each, (*path, index), inside=inside)


def _is_named_secret(name: str, value: Any) -> bool:
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words or words[-1] in ("env", "variable", "file", "path"):
        return False
    if not _NAMES.isdisjoint(words) or _NAMED_KEYS.search("_".join(words)):
        return any(text.strip() for text in _texts(value))
    return not _AMBIGUOUS.isdisjoint(words) and any(_LIKE_A_KEY.fullmatch(text.strip()) for text in _texts(value))


def _texts(value: Any) -> Iterator[str]:
    """The texts in a value; `secret: true` and `token: 512` hold none."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, Sequence):
        for each in value:
            yield from _texts(each)
