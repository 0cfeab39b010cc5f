"""Keeping the models busy: from answers to ask for to candidates on disk, whatever ends the run."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final

from pairsmith.errors import Incomplete, ModelError, ModelUnavailable
from pairsmith.ledger import Appended, Committer, Ledger
from pairsmith.measures.checks import degenerate
from pairsmith.measures.edits import word_edits
from pairsmith.models.protocols import BatchModel, ChatModel, Completion
from pairsmith.records import Candidate, Progress
from pairsmith.stages.asking import Ask
from pairsmith.stages.budget import Budget

__all__ = ["LOOPING", "Tally", "Units", "draw_all"]

STAGE: Final = "generate"
LOOPING: Final = "looping"
"""The finish reason of a response that repeats itself to its end; the server's own is kept in `engine`."""
BACKLOG: Final = 256
"""Answers waiting for the disk; beyond this many the models wait too."""
GRACE_S: Final = 10.0
"""How long requests in flight may finish after the run is stopped, in seconds: they are paid for."""

_SHOWN_ERROR_CHARS: Final = 200

Units = Mapping[str, Iterator[Sequence[Ask]]]
"""By model: what one slot does in one go."""


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


async def draw_all(units: Units, ledger: Ledger, models: Mapping[str, ChatModel], tally: Tally, budget: Budget) -> None:
    """Keep every slot of every model busy until nothing is left, or the budget ends.

    Raises:
        Incomplete: a batch is not answered yet; all other models have finished.
        ModelUnavailable: a model is down or refuses us.
    """
    stopping = asyncio.Event()
    with ledger.committer() as committer:
        shelf = _Shelf(committer, tally)
        tasks, batches = [], []
        for name, queue in units.items():
            model = models[name]
            if isinstance(model, BatchModel):
                batches.append(asyncio.create_task(_batch(model, queue, shelf, budget)))
                continue
            slots = (_slot(model, queue, shelf, budget, stopping) for _ in range(model.slots))
            tasks += [asyncio.create_task(slot) for slot in slots]
        await _until_done(tasks, batches, stopping)
    if shelf.awaited:
        raise Incomplete(shelf.awaited)


class _Shelf:
    """Hands candidates to the ledger's writer, and makes whoever brings them wait when the disk falls behind."""

    def __init__(self, committer: Committer, tally: Tally) -> None:
        self._committer = committer
        self._tally = tally
        self._pending: deque[Future[Appended]] = deque()
        self.awaited = ""
        """What a later run has to ask for again, in words."""

    async def put(self, candidate: Candidate) -> None:
        """Store a candidate; it is on disk at the latest when the committer closes."""
        self._pending.append(self._committer.add(candidate))
        self._tally.add(candidate)
        if len(self._pending) > BACKLOG:
            # Shielded: a future cancelled under the writer's hands would stop the writer.
            await asyncio.shield(asyncio.wrap_future(self._pending.popleft()))


async def _slot(
    model: ChatModel, queue: Iterator[Sequence[Ask]], shelf: _Shelf, budget: Budget, stopping: asyncio.Event
) -> None:
    """One request after the other from the common queue, until it is empty or the run stops."""
    for unit in queue:
        for ask in unit:
            if not await budget.admit(ask) or stopping.is_set():
                return
            candidate, started = None, time.monotonic()
            try:
                candidate = await _draw(model, ask)
            finally:
                await budget.settle(ask, candidate, time.monotonic() - started)
            await shelf.put(candidate)


async def _batch(model: BatchModel, queue: Iterator[Sequence[Ask]], shelf: _Shelf, budget: Budget) -> None:
    """Everything at once: what is handed in is paid for, so the budget decides before."""
    under_way = model.under_way()
    asks: dict[str, Ask] = {}
    for ask in (each for unit in queue for each in unit):
        if budget.admit_now(ask, anyway=ask.id in under_way):
            asks[ask.id] = ask
    try:
        async for key, outcome in model.complete_many({key: ask.request() for key, ask in asks.items()}):
            candidate = _outcome(asks[key], outcome)
            await budget.settle(asks[key], candidate)
            await shelf.put(candidate)
    except Incomplete as waiting:
        shelf.awaited = str(waiting)


async def _draw(model: ChatModel, ask: Ask) -> Candidate:
    try:
        return _outcome(ask, await model.complete(ask.request()))
    except ModelUnavailable:
        raise
    except ModelError as error:
        return _outcome(ask, error)


def _outcome(ask: Ask, completion: Completion | ModelError) -> Candidate:
    """The candidate, with what is wrong with it: `empty` is an error, looping a finish reason."""
    if isinstance(completion, ModelError):
        return ask.candidate(text="", error=_storable(str(completion)))
    text, reason = _storable(completion.text), _storable(completion.finish_reason)
    engine: dict[str, Any] = dict(completion.engine)
    empty = not text.strip()
    if not empty and reason != "content_filter" and degenerate(text) == LOOPING:
        engine["finish_reason"] = reason
        reason = LOOPING
    if ask.source is not None and not empty:
        engine["edit"] = word_edits(ask.source.text, text)
    return ask.candidate(
        text=text, finish_reason=reason, usage=completion.usage, engine=engine, error="empty" if empty else ""
    )


async def _until_done(
    slots: Sequence[asyncio.Task[None]], batches: Sequence[asyncio.Task[None]], stopping: asyncio.Event
) -> None:
    """Wait for all tasks. Once one fails, or we are cancelled, the others finish what they are at within `GRACE_S`.

    Batches are not waited for then: they go on without us, and the next run finds them.
    """
    tasks = [*slots, *batches]
    if not tasks:
        return
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        stopping.set()
        for task in batches:
            task.cancel()
        _, late = await asyncio.wait(tasks, timeout=GRACE_S)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
    failures = [error for task in tasks if not task.cancelled() and (error := task.exception()) is not None]
    if failures:
        raise failures[0]


def _storable(text: str) -> str:
    """The text with lone surrogates and NUL, which databases refuse, replaced by U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")
