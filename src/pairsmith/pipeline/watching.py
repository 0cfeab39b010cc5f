"""What a run looks like while it goes on: speed, and how much the servers bear."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from pairsmith.models.protocols import ChatModel

__all__ = ["live_line", "traffic"]

_SPEED_AFTER_S: Final = 1.0


def traffic(models: Mapping[str, ChatModel]) -> dict[str, dict[str, Any]]:
    """By model behind a server: requests at once, requests, retries, refusals as too busy, and timeouts of the run."""
    told = {name: getattr(model, "traffic", None) for name, model in models.items()}
    return {name: dict(tell()) for name, tell in told.items() if tell is not None}


def live_line(
    notify: Callable[[int, int, str], None] | None, models: Mapping[str, ChatModel]
) -> Callable[[int, int], None] | None:
    """What stages call with (done, total), made to say the speed and the state of the servers, too."""
    if notify is None:
        return None
    tell = notify
    started: tuple[float, int] | None = None

    def live(done: int, total: int) -> None:
        nonlocal started
        now = time.monotonic()
        started = started or (now, done)
        seconds, new = now - started[0], done - started[1]
        words = [f"{new / seconds:,.1f}/s"] if seconds > _SPEED_AFTER_S and new else []
        tell(done, total, ", ".join([*words, *_in_words(traffic(models))]))

    return live


def _in_words(of_models: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The traffic of all servers together, trouble only if there was any."""
    totals = {
        key: sum(each.get(key, 0) for each in of_models.values())
        for key in ("concurrency", "retries", "throttled", "timeouts")
    }
    words = [f"{totals['concurrency']:,} at once"] if totals["concurrency"] else []
    return words + [f"{totals[key]:,} {key}" for key in ("retries", "throttled", "timeouts") if totals[key]]
