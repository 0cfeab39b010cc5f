"""Content ids and seeds: the same question always gets the same id, on any machine, in any order."""

import hashlib
import json
from typing import Any

__all__ = ["canonical_json", "content_id", "seed_for"]

_ID_HEX_DIGITS = 24  # 96 bits: a billion facts collide with probability below 1e-11
# json.dumps makes an encoder per call, which takes as long as encoding a small value
_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def canonical_json(value: Any) -> str:
    """JSON with sorted keys, no spaces and no escapes beyond what JSON needs.

    Raises:
        ValueError: for NaN and infinities, which are not JSON.

    >>> canonical_json({"b": 1, "a": [True, None, "é"]})
    '{"a":[true,null,"é"],"b":1}'
    """
    return _CANONICAL.encode(value)


def content_id(prefix: str, value: Any) -> str:
    """`prefix` and 24 hexadecimal digits of the SHA-256 of the canonical JSON of `value`.

    >>> content_id("prm", ["hello"])
    'prm_c7a0f7154e64cd96c617f251'
    """
    digest = hashlib.sha256(canonical_json(value).encode("utf-8")).hexdigest()
    return f"{prefix}_{digest[:_ID_HEX_DIGITS]}"


def seed_for(project_seed: int, stage: str, record_id: str, draw: int = 0) -> int:
    """A seed in [0, 2**31) that depends on the record, never on order or sharding."""
    digest = hashlib.sha256(canonical_json([project_seed, stage, record_id, draw]).encode("utf-8")).digest()
    return int.from_bytes(digest[:4], "big") >> 1
