"""What has come of a run of `generate` so far: counts, speed, and what the servers bore, for the result and the bar."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from pairsmith.records import Candidate, Progress

__all__ = ["LOOPING", "Tally"]

STAGE: Final = "generate"
LOOPING: Final = "looping"
"""The finish reason of a response that repeats itself to its end; the server's own is kept in `engine`."""
_SHOWN_ERROR_CHARS: Final = 200
_LIVE_EVERY_S: Final = 0.5


@dataclass(slots=True)
class Tally:
    """What has come of the run so far."""

    notify: Callable[[int, int], None] | None
    wanted: int = 0
    present: int = 0
    new: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)
    origins: Counter[str] = field(default_factory=Counter)
    samples_of: Counter[str] = field(default_factory=Counter)
    tokens_of: Counter[str] = field(default_factory=Counter)
    marked: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    started: float = field(default_factory=time.perf_counter)

    def want(self, wanted: int, present: int) -> None:
        """So many more are wanted, so many of them are there."""
        self.wanted += wanted
        self.present += present
        self._tell()

    def add(self, candidate: Candidate) -> None:
        """Count one candidate."""
        self.tokens.update(candidate.usage)
        self.samples_of[candidate.model] += 1
        self.tokens_of[candidate.model] += candidate.usage.get("completion_tokens", 0)
        if candidate.error:
            self.errors[candidate.error] += 1
        else:
            self.new += 1
            self.origins[candidate.origin] += 1
            self.repeated += "instead_of" in candidate.params
            if candidate.finish_reason in ("length", "content_filter", LOOPING):
                self.marked[candidate.finish_reason] += 1
        self._tell()

    def progress(self) -> Progress:
        """The result of the stage."""
        failed = self.errors.total()
        seconds = time.perf_counter() - self.started
        details = {
            "prompt_tokens": self.tokens["prompt_tokens"],
            "completion_tokens": self.tokens["completion_tokens"],
            "lost_calls": self.tokens["lost_calls"],
            "lost_tokens": self.tokens["lost_prompt_tokens"] + self.tokens["lost_completion_tokens"],
            "seconds": seconds,
            "tokens_per_second": self.tokens["completion_tokens"] / seconds if seconds else 0.0,
            "samples_per_second": (self.new + failed) / seconds if seconds else 0.0,
            "models": {
                name: {
                    "samples": samples,
                    "completion_tokens": self.tokens_of[name],
                    "tokens_per_second": self.tokens_of[name] / seconds if seconds else 0.0,
                }
                for name, samples in sorted(self.samples_of.items())
            },
            "origins": dict(sorted(self.origins.items())),
            "marked": dict(sorted(self.marked.items())),
            "asked_again": self.repeated,
        }
        return Progress(STAGE, self.wanted, self.present, self.new, failed, tuple(self._notes(failed)), details)

    def _notes(self, failed: int) -> Iterator[str]:
        if not self.wanted:
            yield "the ledger holds no prompts: nothing to generate"
        if failed:
            (most, _), *_ = self.errors.most_common(1)
            yield f"{failed} samples could not be had; most often: {most[:_SHOWN_ERROR_CHARS]}"
        if self.repeated:
            yield f"{self.repeated} samples repeated another one of their prompt and were asked again, hotter"
        if self.marked:
            kinds = ", ".join(f"{count} {reason}" for reason, count in sorted(self.marked.items()))
            yield f"not eligible as chosen: {kinds}"

    def _tell(self) -> None:
        if self.notify is not None:
            self.notify(self.present + self.new + self.errors.total(), self.wanted)
