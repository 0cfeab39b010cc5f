"""When to ask a server again, when to wait for it, and when to give it up."""

import asyncio
import math
import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from pairsmith.errors import ModelUnavailable

__all__ = ["Circuit", "RetryPolicy", "retry_after_s"]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How patient a client is.

    `attempts` per request, 429 not counted while others get through; waits double from `base_s` up to `cap_s`; a
    server that asks for more than `retry_after_cap_s` does not get it. After `trip_after` failures in a row on all
    requests together, one request at a time probes the server, `attempts` times at most.
    """

    attempts: int = 6
    base_s: float = 1.0
    cap_s: float = 30.0
    retry_after_cap_s: float = 60.0
    trip_after: int = 20

    def backoff_s(self, failures: int) -> float:
        """Seconds to wait after so many failures (1 or more): full jitter, so that clients do not march in step."""
        return random.uniform(0.0, self.ceiling_s(failures))

    def ceiling_s(self, failures: int) -> float:
        """The longest wait after so many failures."""
        return min(self.cap_s, self.base_s * 2.0 ** min(failures - 1, 32))


def retry_after_s(header: str | None, cap_s: float, now: datetime | None = None) -> float | None:
    """Seconds the header `Retry-After` asks for (a number or a date), within [0, cap_s]; `None` if it says nothing.

    >>> retry_after_s("2.5", 60.0), retry_after_s("1e9", 60.0), retry_after_s("-3", 60.0), retry_after_s("soon", 60.0)
    (2.5, 60.0, 0.0, None)
    """
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            date = parsedate_to_datetime(header)
        except ValueError:
            return None
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        seconds = (date - (now or datetime.now(UTC))).total_seconds()
    return None if math.isnan(seconds) else min(max(seconds, 0.0), cap_s)


class Circuit:
    """What the requests to one server learn from each other.

    Every attempt passes `admit`, then reports `succeeded`, `failed` or `abandoned`. While the circuit is open only
    probes pass; all other requests wait without using up their attempts.
    """

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._not_before = 0.0
        self._in_a_row = 0
        self._open = False
        self._probing = False
        self._probes = 0
        self._given_up = ""
        self._answered_at = 0.0

    async def admit(self) -> bool:
        """Wait until asking makes sense. True: this attempt is a probe, and its report decides for all.

        Raises:
            ModelUnavailable: every probe failed.
        """
        self._answered_at = self._answered_at or time.monotonic()
        while True:
            if self._given_up:
                raise ModelUnavailable(self._given_up)
            wait = self._not_before - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait + random.uniform(0.0, min(1.0, wait / 10)))
            elif not self._open:
                return False
            elif self._probing:
                await asyncio.sleep(min(0.1, self._policy.base_s))
            else:
                self._probing = True
                return True

    def slow_down(self, seconds: float) -> None:
        """No request starts before `seconds` from now."""
        self._not_before = max(self._not_before, time.monotonic() + seconds)

    def idle_s(self) -> float:
        """Seconds since the server last answered anyone; before its first answer, since the first request."""
        return time.monotonic() - self._answered_at

    def succeeded(self) -> None:
        """The server answered, if only to refuse."""
        self._answered_at = time.monotonic()
        self._in_a_row = self._probes = 0
        self._open = self._probing = False

    def failed(self, probe: bool, cause: str) -> None:
        """No usable answer came; `cause` is what the final message will say."""
        self._in_a_row += 1
        if probe:
            self._probing = False
            self._probes += 1
            self.slow_down(self._policy.ceiling_s(self._probes + 1))
        elif not self._open and self._in_a_row >= self._policy.trip_after:
            self._open = True
            self.slow_down(self._policy.ceiling_s(1))
        if self._probes >= self._policy.attempts:
            self._given_up = f"{cause}; {self._in_a_row} failures in a row"

    def give_up(self, cause: str) -> None:
        """Nobody needs to ask again; `cause` is what they are told."""
        self._given_up = self._given_up or cause
        self._probing = False

    def abandoned(self, probe: bool) -> None:
        """The attempt ended without a verdict, for example because it was cancelled."""
        if probe:
            self._probing = False
