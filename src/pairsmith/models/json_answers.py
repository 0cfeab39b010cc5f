"""Any question to a server that answers with a JSON object: what rewards and embeddings have in common."""

import json
from collections.abc import Mapping
from typing import Any, Final

from pairsmith.models.client import ServerClient, Unusable

__all__ = ["ask_object"]

_NOT_OFFERED: Final = {400, 404, 405, 415, 422, 501}
"""Statuses about this address or this text, not about the server."""


async def ask_object(client: ServerClient, url: str, question: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON object that the server answers.

    Raises:
        ModelError: the server refuses this question, or never answers it usably.
        ModelUnavailable: it is down, refuses everybody, or did not answer after all attempts.
    """
    return await client.ask(url, json.dumps(question).encode("ascii"), _read_object, excused=_NOT_OFFERED)


def _read_object(raw: bytes) -> tuple[dict[str, Any], float] | Unusable:
    try:
        whole = json.loads(raw)
    except (ValueError, RecursionError):
        whole = None
    return (whole, 1.0) if isinstance(whole, dict) else Unusable("the answer is not a JSON object")
