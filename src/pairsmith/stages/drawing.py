"""Keeping the models busy: from answers to ask for to candidates on disk, whatever ends the run."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final

from pairsmith.errors import Incomplete, ModelError, ModelUnavailable
from pairsmith.ledger import Appended, Committer, Ledger
from pairsmith.measures.checks import degenerate
from pairsmith.measures.edits import word_edits
from pairsmith.models.protocols import BatchModel, ChatModel, Completion, SamplingModel
from pairsmith.records import Candidate
from pairsmith.stages.asking import Ask
from pairsmith.stages.budget import Bill, Budget
from pairsmith.stages.drawn import LOOPING, Tally

__all__ = ["Units", "draw_all"]

BACKLOG: Final = 256
"""Answers of a batch on their way to the disk."""
GRACE_S: Final = 10.0
"""How long requests in flight may finish after the run is stopped, in seconds: they are paid for."""

Units = Mapping[str, Iterator[Sequence[Ask]]]
"""By model: what one slot does in one go."""


async def draw_all(
    units: Units,
    ledger: Ledger,
    models: Mapping[str, ChatModel],
    tally: Tally,
    budget: Budget,
    drawn: Callable[[Candidate], None],
) -> None:
    """Keep every slot of every model busy until nothing is left, or the budget ends.

    `drawn` is called with every candidate that comes, on its way to the disk.

    Raises:
        Incomplete: a batch is not answered yet; all other models have finished.
        ModelUnavailable: a model is down or refuses us.
    """
    with ledger.committer() as committer:
        run = _Run(committer, tally, budget, drawn)
        tasks, batches = [], []
        for name, queue in units.items():
            model = models[name]
            if isinstance(model, BatchModel):
                batches.append(asyncio.create_task(_batch(model, queue, run)))
                continue
            tasks += [asyncio.create_task(_slot(model, queue, run)) for _ in range(model.slots)]
        await _until_done(tasks, batches, run, [models[name] for name in units])
    if run.awaited:
        raise Incomplete(run.awaited)


@dataclass(slots=True)
class _Run:
    """What the slots of a run share. `awaited`: what a later run has to ask for again, in words."""

    committer: Committer
    tally: Tally
    budget: Budget
    drawn: Callable[[Candidate], None]
    stopping: bool = False
    awaited: str = ""

    def put(self, candidates: Sequence[Candidate]) -> Future[Appended]:
        """Hand candidates to the ledger's writer, all or none; they are on disk when the future is done."""
        future = self.committer.add(*candidates)
        for candidate in candidates:
            self.tally.add(candidate)
            self.drawn(candidate)
        return future


async def _slot(model: ChatModel, queue: Iterator[Sequence[Ask]], run: _Run) -> None:
    """One request after the other from the common queue, until it is empty or the run stops."""
    stored: Future[Appended] | None = None
    sampling = model if isinstance(model, SamplingModel) else None
    for unit in queue:
        for group in _groups(unit) if sampling is not None else ([ask] for ask in unit):
            if not await run.budget.admit(group) or run.stopping:
                return
            before, (made, stored) = stored, await _drawn(model, sampling, group, run)
            await run.committer.durable(before)  # never more than one on its way to the disk: they are paid for
            if made < len(group):
                return


def _groups(unit: Sequence[Ask]) -> Iterator[Sequence[Ask]]:
    """What is asked for by one request: all answers that differ in nothing but their seeds."""
    if len(unit) == 1:
        yield unit
        return
    alike: dict[str, list[Ask]] = {}
    for ask in unit:
        settings = {key: value for key, value in ask.params.items() if key != "seed"}
        alike.setdefault(f"{settings} {ask.source.id if ask.source else ''}", []).append(ask)
    yield from alike.values()


async def _drawn(
    model: ChatModel, sampling: SamplingModel | None, group: Sequence[Ask], run: _Run
) -> tuple[int, Future[Appended] | None]:
    """How many answers of a group came, and what tells that they are stored; fewer if the budget ends meanwhile."""
    made: dict[str, Candidate] = {}
    stored: Future[Appended] | None = None
    bill = Bill(run.budget)
    started = time.monotonic()
    try:
        if sampling is not None and len(group) > 1:
            await _ask_together(sampling, group, bill, made)
        for ask in group:
            if ask.id not in made:
                made[ask.id] = await _draw(model, ask, Bill(run.budget) if made else bill)
    except Incomplete:
        pass  # the budget said so, and says it again to whoever started this
    finally:
        if made:
            stored = run.put([made[ask.id] for ask in group if ask.id in made])
        for ask in group:
            await run.budget.settle(ask, made.get(ask.id), (time.monotonic() - started) / len(group))
    return len(made), stored


async def _ask_together(model: SamplingModel, group: Sequence[Ask], bill: Bill, made: dict[str, Candidate]) -> None:
    """Fill in the candidates that one request brings; what its lost attempts cost stands with the first of them."""
    lost = bill.of(group)
    answers = await model.complete_together([ask.request(lost) for ask in group])
    for ask, answer in zip(group, answers, strict=True):
        if answer is not None:
            made[ask.id] = _outcome(ask, answer, {} if made else bill.usage())


async def _batch(model: BatchModel, queue: Iterator[Sequence[Ask]], run: _Run) -> None:
    """Everything at once: what is handed in is paid for, so the budget decides before."""
    under_way = model.under_way()
    asks: dict[str, Ask] = {}
    for ask in (each for unit in queue for each in unit):
        if run.budget.admit_now(ask, anyway=ask.id in under_way):
            asks[ask.id] = ask
    stored: deque[Future[Appended]] = deque()
    try:
        async for key, outcome in model.complete_many({key: ask.request() for key, ask in asks.items()}):
            candidate = _outcome(asks[key], outcome, {})
            await run.budget.settle(asks[key], candidate)
            stored.append(run.put([candidate]))
            if len(stored) > BACKLOG:
                await run.committer.durable(stored.popleft())
    except Incomplete as waiting:
        run.awaited = str(waiting)


async def _draw(model: ChatModel, ask: Ask, bill: Bill) -> Candidate:
    try:
        completion: Completion | ModelError = await model.complete(ask.request(bill.of([ask])))
    except ModelUnavailable:
        raise
    except ModelError as error:
        completion = error
    return _outcome(ask, completion, bill.usage())


def _outcome(ask: Ask, completion: Completion | ModelError, lost: Mapping[str, int]) -> Candidate:
    """The candidate, with what is wrong with it: `empty` is an error, looping a finish reason."""
    if isinstance(completion, ModelError):
        return ask.candidate(text="", error=_storable(str(completion)), usage=lost)
    text, reason = _storable(completion.text), _storable(completion.finish_reason)
    engine: dict[str, Any] = dict(completion.engine)
    empty = not text.strip()
    if not empty and reason != "content_filter" and degenerate(text) == LOOPING:
        engine["finish_reason"] = reason
        reason = LOOPING
    if ask.source is not None and not empty:
        engine["edit"] = word_edits(ask.source.text, text)
    usage = {**completion.usage, **lost}
    return ask.candidate(text=text, finish_reason=reason, usage=usage, engine=engine, error="empty" if empty else "")


async def _until_done(
    slots: Sequence[asyncio.Task[None]],
    batches: Sequence[asyncio.Task[None]],
    run: _Run,
    models: Sequence[ChatModel],
) -> None:
    """Wait for all tasks. Once one fails, or we are cancelled, the others finish what they are at within `GRACE_S`.

    What was not sent yet stays unsent. Batches are not waited for then: they go on without us, and the next run finds
    them.
    """
    tasks = [*slots, *batches]
    if not tasks:
        return
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        run.stopping = True
        if not all(task.done() for task in tasks):
            for halt in (getattr(model, "halt", None) for model in models):
                if halt is not None:
                    halt()
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
