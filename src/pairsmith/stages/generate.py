"""Stage 2: ask models for the candidates that the strategies want, and store each as a fact the moment it is there.

What is left to ask is what is wanted minus what the ledger holds, so that stopping anywhere and running again,
adding prompts, and running twice are one and the same thing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import islice

from pairsmith.config import GenerateConfig, PriceConfig
from pairsmith.errors import Incomplete, UsageError
from pairsmith.ledger import Ledger, lease
from pairsmith.models.protocols import ChatModel
from pairsmith.records import Candidate, Progress, Prompt
from pairsmith.stages.asking import Ask
from pairsmith.stages.budget import Budget
from pairsmith.stages.drawing import Units, draw_all
from pairsmith.stages.drawn import Tally
from pairsmith.stages.strategies import follow_ups, has_follow_ups, needs_answered, planned
from pairsmith.stages.watching import Watch

__all__ = ["asks_missing", "generate"]

STAGE = "generate"
_PROMPTS_PER_QUERY = 500


async def generate(
    cfg: GenerateConfig,
    ledger: Ledger,
    models: Mapping[str, ChatModel],
    *,
    seed: int,
    prices: Mapping[str, PriceConfig | None] | None = None,
    lost: Mapping[str, int] | None = None,
    notify: Callable[[int, int], None] | None = None,
) -> Progress:
    """Ask for the answers that are wanted and not in the ledger: first the planned ones, then what follows from them.

    A question that a model cannot answer is stored with its error and not asked again. When a model becomes
    unavailable, or the task is cancelled, requests in flight get 10 s to finish and everything that came is stored
    before the exception goes on.

    Args:
        cfg: which strategies, how many samples, which sampling settings, which budget.
        ledger: where prompts come from and candidates go.
        models: the opened models by their names in the configuration; the caller closes them.
        seed: the project's seed; every sample draws its own from it.
        prices: of the models, by name, for `budget.max_cost`.
        lost: ids of candidates that lost, and how much more often than they won, for edits of what was `rejected`.
        notify: called as (present, wanted) at the start and after every sample.

    Returns:
        Counts of samples, with `details`: `prompt_tokens`, `completion_tokens`, what attempts without an answer may
        have cost at most (`lost_calls`, `lost_tokens`), `seconds`, `tokens_per_second`,
        `samples_per_second`, speed by model (`models`), and how many are new by origin (`origins`), not eligible as
        chosen (`marked`), and asked again because they repeated another (`asked_again`).

    Raises:
        Incomplete: one more request could cross the budget; running again with a larger one carries on.
        ModelUnavailable: a model is down or refuses us; running again carries on.
        LeaseHeld: another process is generating in this project.
        UsageError: a model that is asked is not in `models`.
    """
    unknown = [name for name in cfg.asks() if name not in models]
    if unknown:
        raise UsageError(f"generate.models names {unknown[0]!r}, which was not opened; define it under `models`")
    if not cfg.asks():
        return Progress(STAGE, wanted=0, present=0, new=0, notes=("generate.models is empty: nothing to generate",))
    with lease(ledger, STAGE):
        tally = Tally(notify)
        budget = Budget.of(cfg.budget, prices or {}, ledger)
        plan = _plan(cfg, ledger, seed)
        tally.want(plan.wanted, plan.present)
        watch = Watch(cfg, seed, set(plan.begun))
        await _draw(plan.units(models, watch), ledger, models, tally, budget, watch.drawn)
        rounds = _FollowUps(cfg, ledger, seed, plan.answered, lost or {}, watch.all_done())
        asks = rounds.start(tally)
        while asks:
            await _draw(_by_model(asks, models), ledger, models, tally, budget, lambda _: None)
            asks = rounds.go_on(tally)
    return tally.progress()


def asks_missing(
    cfg: GenerateConfig, ledger: Ledger, *, seed: int, lost: Mapping[str, int] | None = None
) -> Iterator[Ask]:
    """Every question that `generate` would ask, as far as that is known now."""
    plan = _plan(cfg, ledger, seed)
    for name in plan.missing:
        for unit in plan.asks(name):
            yield from unit
    yield from _FollowUps(cfg, ledger, seed, plan.answered, lost or {}).start(Tally(None))


async def _draw(
    units: Units,
    ledger: Ledger,
    models: Mapping[str, ChatModel],
    tally: Tally,
    budget: Budget,
    drawn: Callable[[Candidate], None],
) -> None:
    await draw_all(units, ledger, models, tally, budget, drawn)
    if budget.exhausted:
        done = tally.progress()
        left = done.wanted - done.present - done.new - done.failed
        raise Incomplete(
            f"generate: {budget.exhausted}; {done.new:,} candidates are new, {left:,} are left to ask for. "
            "Everything is stored; raise the limit and run again"
        )


@dataclass(frozen=True, slots=True)
class _Plan:
    """How much is planned, how much of it is there, and per model where each prompt's missing answers stand."""

    cfg: GenerateConfig
    seed: int
    wanted: int
    present: int
    missing: Mapping[str, Sequence[tuple[Prompt, Sequence[int]]]]
    answered: frozenset[str]
    begun: Set[str]
    """The ids of prompts some of whose answers are there and some not."""

    def asks(self, model: str, watch: Watch | None = None) -> Iterator[Sequence[Ask]]:
        """The missing answers of one prompt after the other; made again here, for all of them at once are many."""
        for prompt, places in self.missing[model]:
            asks = planned(self.cfg, prompt, seed=self.seed, answered=prompt.id in self.answered)
            if watch is not None:
                watch.expect(prompt, asks)
            yield [asks[place] for place in places]

    def units(self, models: Mapping[str, ChatModel], watch: Watch) -> Units:
        """What is to be done, by model."""
        return {name: _units(self.asks(name, watch), models[name]) for name in self.missing}


def _plan(cfg: GenerateConfig, ledger: Ledger, seed: int) -> _Plan:
    there = ledger.ids(Candidate)
    answered: frozenset[str] = frozenset()
    if needs_answered(cfg):
        brought = (each for each in ledger.read(Candidate) if each.origin in ("imported", "human"))
        answered = frozenset(each.prompt_id for each in brought if each.text.strip())
    missing: dict[str, list[tuple[Prompt, Sequence[int]]]] = {name: [] for name in cfg.asks()}
    begun: set[str] = set()
    wanted = left = 0
    for prompt in ledger.read(Prompt):
        asks = planned(cfg, prompt, seed=seed, answered=prompt.id in answered)
        wanted += len(asks)
        places: dict[str, list[int]] = {}
        for place, ask in enumerate(asks):
            if ask.id not in there:
                places.setdefault(ask.model, []).append(place)
        for name, some in places.items():
            left += len(some)
            missing[name].append((prompt, some))
        if 0 < sum(map(len, places.values())) < len(asks):
            begun.add(prompt.id)
    return _Plan(cfg, seed, wanted, wanted - left, missing, answered, begun)


def _units(asks: Iterable[Sequence[Ask]], model: ChatModel) -> Iterator[Sequence[Ask]]:
    """Samples of a prompt that is cheap to reuse follow each other; else each goes its own way."""
    for together in asks:
        yield from [together] if model.shares_prompt else ([ask] for ask in together)


def _by_model(asks: Sequence[Ask], models: Mapping[str, ChatModel]) -> Units:
    grouped: dict[str, dict[str, list[Ask]]] = {}
    for ask in asks:
        grouped.setdefault(ask.model, {}).setdefault(ask.prompt.id, []).append(ask)
    return {name: _units(by_prompt.values(), models[name]) for name, by_prompt in grouped.items()}


@dataclass(slots=True)
class _FollowUps:
    """The answers that follow from answers, round by round; after the first, only for prompts that had any."""

    cfg: GenerateConfig
    ledger: Ledger
    seed: int
    answered: frozenset[str]
    lost: Mapping[str, int]
    done: Set[str] = frozenset()
    counted: dict[str, int] = field(default_factory=dict)
    open: list[Prompt] = field(default_factory=list)

    def start(self, tally: Tally) -> list[Ask]:
        """What is missing now, of all prompts but those that are `done`."""
        if not has_follow_ups(self.cfg):
            return []
        return self._look((each for each in self.ledger.read(Prompt) if each.id not in self.done), tally)

    def go_on(self, tally: Tally) -> list[Ask]:
        """What is missing after the last round was drawn."""
        return self._look(self.open, tally)

    def _look(self, prompts: Iterable[Prompt], tally: Tally) -> list[Ask]:
        waiting = iter(prompts)
        missing: list[Ask] = []
        still_open: list[Prompt] = []
        while some := list(islice(waiting, _PROMPTS_PER_QUERY)):
            there: dict[str, dict[str, Candidate]] = {prompt.id: {} for prompt in some}
            for candidate in self.ledger.where(Candidate, "prompt_id", list(there)):
                there[candidate.prompt_id][candidate.id] = candidate
            for prompt in some:
                left = self._of(prompt, there[prompt.id], tally)
                if left:
                    missing += left
                    still_open.append(prompt)
        self.open = still_open
        return missing

    def _of(self, prompt: Prompt, there: Mapping[str, Candidate], tally: Tally) -> list[Ask]:
        asks = planned(self.cfg, prompt, seed=self.seed, answered=prompt.id in self.answered)
        wanted = follow_ups(self.cfg, prompt, asks, there, seed=self.seed, lost=self.lost)
        left = [ask for ask in wanted if ask.id not in there]
        more = len(wanted) - self.counted.get(prompt.id, 0)
        self.counted[prompt.id] = len(wanted)
        if more:
            tally.want(more, more - len(left))
        return left
