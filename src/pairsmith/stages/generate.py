"""Stage 2: draw N samples per prompt from each model and store every one as a fact the moment it is there.

What is left to draw is what is wanted minus what the ledger holds, so that stopping anywhere and running again,
adding prompts, and running twice are one and the same thing.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from pairsmith.config import GenerateConfig
from pairsmith.errors import ModelError, ModelUnavailable, UsageError
from pairsmith.ids import seed_for
from pairsmith.ledger import Appended, Committer, Ledger, lease
from pairsmith.models.protocols import ChatModel, ChatRequest
from pairsmith.records import Candidate, Message, Progress, Prompt

__all__ = ["generate", "samples_missing"]

STAGE = "generate"
BACKLOG = 256
"""Answers waiting for the disk; beyond this many the models wait too."""
GRACE_S = 10.0
"""How long requests in flight may finish after the run is stopped, in seconds: they are paid for."""

_SHOWN_ERROR_CHARS = 200


async def generate(
    cfg: GenerateConfig,
    ledger: Ledger,
    models: Mapping[str, ChatModel],
    *,
    seed: int,
    notify: Callable[[int, int], None] | None = None,
) -> Progress:
    """Draw the samples that are wanted and not in the ledger.

    A sample that a model cannot answer is stored with its error and not asked for again. When a model becomes
    unavailable, or the task is cancelled, requests in flight get `GRACE_S` to finish and everything that came is
    stored before the exception goes on.

    Args:
        cfg: which models, how many samples, which sampling settings.
        ledger: where prompts come from and candidates go.
        models: the opened models by their names in the configuration; the caller closes them.
        seed: the project's seed; every sample draws its own from it.
        notify: called as (present, wanted) at the start and after every sample.

    Returns:
        Counts of samples, with `details`: `prompt_tokens`, `completion_tokens`, `seconds`, `tokens_per_second`.

    Raises:
        ModelUnavailable: a model is down or refuses us; running again carries on.
        LeaseHeld: another process is generating in this project.
        UsageError: a model of `cfg.models` is not in `models`.
    """
    unknown = [name for name in cfg.models if name not in models]
    if unknown:
        raise UsageError(f"generate.models names {unknown[0]!r}, which was not opened; define it under `models`")
    if not cfg.models:
        return Progress(STAGE, wanted=0, present=0, new=0, notes=("generate.models is empty: nothing to generate",))
    with lease(ledger, STAGE):
        plan = _plan(cfg, ledger, seed)
        tally = _Tally(plan.wanted, plan.present, notify)
        await _draw_all(plan, ledger, models, tally)
    return tally.progress()


def samples_missing(cfg: GenerateConfig, ledger: Ledger, *, seed: int) -> int:
    """How many samples `generate` would draw."""
    plan = _plan(cfg, ledger, seed)
    return plan.wanted - plan.present


@dataclass(frozen=True, slots=True)
class _Sample:
    """One answer to ask for."""

    id: str
    prompt: Prompt
    model: str
    number: int
    params: Mapping[str, Any]

    def request(self) -> ChatRequest:
        """What the model is asked."""
        messages = self.prompt.messages
        if "system" in self.params:
            messages = (Message("system", self.params["system"]), *messages)
        settings = {key: self.params[key] for key in ("temperature", "top_p", "max_tokens", "seed")}
        return ChatRequest(messages, **settings)

    def candidate(self, **outcome: Any) -> Candidate:
        """The fact that the question with this id came out like this."""
        return Candidate(self.id, self.prompt.id, model=self.model, params=self.params, sample=self.number, **outcome)


@dataclass(frozen=True, slots=True)
class _Plan:
    """How much is wanted, how much of it is there, and per model the numbers of each prompt's missing samples."""

    cfg: GenerateConfig
    seed: int
    wanted: int
    present: int
    missing: Mapping[str, Sequence[tuple[Prompt, Sequence[int]]]]

    def units(self, model: str, together: bool) -> Iterator[Sequence[_Sample]]:
        """What one slot does in one go: the missing samples of a prompt, if they belong `together`, else one."""
        for prompt, numbers in self.missing[model]:
            samples = [_sample(self.cfg, prompt, model, number, self.seed) for number in numbers]
            yield from [samples] if together else ([sample] for sample in samples)


def _plan(cfg: GenerateConfig, ledger: Ledger, seed: int) -> _Plan:
    there = ledger.ids(Candidate)
    missing: dict[str, list[tuple[Prompt, Sequence[int]]]] = {name: [] for name in cfg.models}
    wanted = left = 0
    for prompt in ledger.read(Prompt):
        for name in missing:
            wanted += cfg.n
            numbers = [each for each in range(cfg.n) if _sample(cfg, prompt, name, each, seed).id not in there]
            left += len(numbers)
            if numbers:
                missing[name].append((prompt, numbers))
    return _Plan(cfg, seed, wanted, wanted - left, missing)


def _sample(cfg: GenerateConfig, prompt: Prompt, model: str, number: int, seed: int) -> _Sample:
    params: dict[str, Any] = {"temperature": cfg.temperature, "top_p": cfg.top_p, "max_tokens": cfg.max_tokens}
    if cfg.system and all(turn.role != "system" for turn in prompt.messages):
        params["system"] = cfg.system
    params["seed"] = seed_for(seed, STAGE, prompt.id + model, number)
    return _Sample(Candidate.asked_id(prompt.id, model, params, number), prompt, model, number, params)


@dataclass(slots=True)
class _Tally:
    """What has come of the run so far."""

    wanted: int
    present: int
    notify: Callable[[int, int], None] | None
    new: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)
    started: float = field(default_factory=time.perf_counter)

    def __post_init__(self) -> None:
        self._tell()

    def add(self, candidate: Candidate) -> None:
        """Count one candidate."""
        self.tokens.update(candidate.usage)
        if candidate.error:
            self.errors[candidate.error] += 1
        else:
            self.new += 1
        self._tell()

    def progress(self) -> Progress:
        """The result of the stage."""
        failed = self.errors.total()
        seconds = time.perf_counter() - self.started
        notes = []
        if not self.wanted:
            notes.append("the ledger holds no prompts: nothing to generate")
        if failed:
            (most, _), *_ = self.errors.most_common(1)
            notes.append(f"{failed} samples could not be had; most often: {most[:_SHOWN_ERROR_CHARS]}")
        details = {
            "prompt_tokens": self.tokens["prompt_tokens"],
            "completion_tokens": self.tokens["completion_tokens"],
            "seconds": seconds,
            "tokens_per_second": self.tokens["completion_tokens"] / seconds if seconds else 0.0,
        }
        return Progress(STAGE, self.wanted, self.present, self.new, failed, tuple(notes), details)

    def _tell(self) -> None:
        if self.notify is not None:
            self.notify(self.present + self.new + self.errors.total(), self.wanted)


class _Shelf:
    """Hands candidates to the ledger's writer, and makes whoever brings them wait when the disk falls behind."""

    def __init__(self, committer: Committer, tally: _Tally) -> None:
        self._committer = committer
        self._tally = tally
        self._pending: deque[Future[Appended]] = deque()

    async def put(self, candidate: Candidate) -> None:
        """Store a candidate; it is on disk at the latest when the committer closes."""
        self._pending.append(self._committer.add(candidate))
        self._tally.add(candidate)
        if len(self._pending) > BACKLOG:
            # Shielded: a future cancelled under the writer's hands would stop the writer.
            await asyncio.shield(asyncio.wrap_future(self._pending.popleft()))


async def _draw_all(plan: _Plan, ledger: Ledger, models: Mapping[str, ChatModel], tally: _Tally) -> None:
    """Keep every slot of every model busy until nothing is missing."""
    stopping = asyncio.Event()
    with ledger.committer() as committer:
        shelf = _Shelf(committer, tally)
        tasks = []
        for name in plan.missing:
            # Samples of a prompt that is cheap to reuse follow each other; else each goes its own way.
            queue = plan.units(name, together=models[name].shares_prompt)
            slots = (_slot(models[name], queue, shelf, stopping) for _ in range(models[name].slots))
            tasks += [asyncio.create_task(slot) for slot in slots]
        await _until_done(tasks, stopping)


async def _slot(model: ChatModel, queue: Iterator[Sequence[_Sample]], shelf: _Shelf, stopping: asyncio.Event) -> None:
    """One request after the other from the common queue, until it is empty or the run stops."""
    for unit in queue:
        for sample in unit:
            if stopping.is_set():
                return
            await shelf.put(await _draw(model, sample))


async def _draw(model: ChatModel, sample: _Sample) -> Candidate:
    try:
        completion = await model.complete(sample.request())
    except ModelUnavailable:
        raise
    except ModelError as error:
        return sample.candidate(text="", error=_storable(str(error)))
    text = _storable(completion.text)
    return sample.candidate(
        text=text,
        finish_reason=_storable(completion.finish_reason),
        usage=completion.usage,
        engine=completion.engine,
        error="" if text.strip() else "empty",
    )


async def _until_done(tasks: Sequence[asyncio.Task[None]], stopping: asyncio.Event) -> None:
    """Wait for all tasks. Once one fails, or we are cancelled, the others finish what they are at within `GRACE_S`."""
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        stopping.set()
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
