"""What `generate` asks for: from strategies and prompts to the list of answers wanted. Neither ledger nor model.

Most of it follows from a prompt alone (`planned`). The rest depends on answers that are there (`follow_ups`): samples
that repeat another one are asked again hotter, and responses are edited. Both are functions of the facts, whatever
order these came in, so a run that was killed wants exactly what one clean run wants.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from pairsmith.config import GenerateConfig, MemberConfig, StrategyConfig
from pairsmith.ids import seed_for
from pairsmith.measures.similarity import NearDuplicates
from pairsmith.records import Candidate, Origin, Prompt
from pairsmith.stages.asking import EDIT_INSTRUCTION, Ask, corrupted, guideline_system

__all__ = ["follow_ups", "follows_from_planned", "has_follow_ups", "needs_answered", "planned"]

STAGE: Final = "generate"


def planned(cfg: GenerateConfig, prompt: Prompt, *, seed: int, answered: bool = False) -> list[Ask]:
    """The answers wanted of a prompt whatever comes back, in the order of the strategies; each question once.

    Args:
        cfg: the strategies.
        prompt: what is asked.
        seed: the project's seed.
        answered: whether the prompt came with a response.
    """
    asks: dict[str, Ask] = {}
    for strategy in cfg.strategies:
        for ask in _PLANS[strategy.name](cfg, strategy, prompt, seed, answered):
            asks.setdefault(ask.id, ask)
    return list(asks.values())


def has_follow_ups(cfg: GenerateConfig) -> bool:
    """Whether answers can call for more questions."""
    return cfg.distinct.attempts > 0 or any(strategy.name == "edit" for strategy in cfg.strategies)


def follows_from_planned(cfg: GenerateConfig) -> bool:
    """Whether the planned answers of a prompt alone tell that nothing follows: edits hang on other responses too."""
    return has_follow_ups(cfg) and all(strategy.name != "edit" for strategy in cfg.strategies)


def needs_answered(cfg: GenerateConfig) -> bool:
    """Whether it matters which prompts came with a response."""
    return any(strategy.prompts == "answered" for strategy in cfg.strategies)


def follow_ups(
    cfg: GenerateConfig,
    prompt: Prompt,
    asks: Sequence[Ask],
    there: Mapping[str, Candidate],
    *,
    seed: int,
    lost: Mapping[str, int] = MappingProxyType({}),
) -> list[Ask]:
    """The further answers wanted, given the candidates of this prompt that are there; those may be among them.

    `lost` are ids of candidates that lost, and how much more often than they won.

    Nothing as long as one of `asks`, the planned answers, is not there. Asking for what comes back and calling again
    ends after finitely many rounds.
    """
    if any(ask.id not in there for ask in asks):
        return []
    heads, again = _distinct(cfg, asks, there, seed)
    if any(ask.id not in there for ask in again):
        return again
    return again + _edits(cfg, prompt, [*heads, *_imported(there)], there, lost, seed)


def _distinct(
    cfg: GenerateConfig, asks: Sequence[Ask], there: Mapping[str, Candidate], seed: int
) -> tuple[list[Candidate], list[Ask]]:
    """The answers that stand, and all second attempts they call for.

    An answer near one that stands before it is replaced by its next attempt. While that is awaited, later answers
    are held against those that stand already: what repeats one of them will still do so in the end.
    """
    near = NearDuplicates(cfg.distinct.similarity)
    heads: list[Candidate] = []
    again: list[Ask] = []
    for first in asks:
        ask, head = first, there[first.id]
        for attempt in range(1, cfg.distinct.attempts + 1):
            if head.error or not near.neighbours(head.text):
                break
            ask = ask.again(attempt, cfg.distinct.hotter, seed)
            again.append(ask)
            if ask.id not in there:
                break
            if not there[ask.id].error:
                head = there[ask.id]
        else:
            ask = first  # no attempt is left, or none is allowed: the last answer stands
        if not head.error and (ask is first or ask.id in there):
            near.add(head.text)
            heads.append(head)
    return heads, again


def _edits(
    cfg: GenerateConfig,
    prompt: Prompt,
    sources: Sequence[Candidate],
    there: Mapping[str, Candidate],
    lost: Mapping[str, int],
    seed: int,
) -> list[Ask]:
    asks: dict[str, Ask] = {}
    for strategy in cfg.strategies:
        if strategy.name != "edit":
            continue
        most = strategy.n or cfg.n
        mine = [each for each in sources if each.model in strategy.of or each.origin in strategy.of][:most]
        found = [_edit_of(cfg, strategy, prompt, source, number, seed) for number, source in enumerate(mine)]
        if "rejected" in strategy.of:
            named = {each.id for each in mine}
            rest = [each for each in _improvable(there) if each.id not in named]
            asked = [(_edit_of(cfg, strategy, prompt, source, 0, seed), source.id) for source in rest]
            # Who lost changes as votes come: edits that are there count, so that no prompt gets more than `n`.
            asked.sort(key=lambda each: (each[0].id not in there, -lost.get(each[1], 0), each[1]))
            found += [ask for ask, source in asked if source in lost or ask.id in there]
        for ask in found[:most]:
            asks.setdefault(ask.id, ask)
    return list(asks.values())


def _edit_of(
    cfg: GenerateConfig, strategy: StrategyConfig, prompt: Prompt, source: Candidate, number: int, seed: int
) -> Ask:
    """The edit of one response; the number only picks a step of the ladder of temperatures."""
    params = _sampling(cfg, strategy, prompt, number)
    params |= {"instruction": strategy.instruction or EDIT_INSTRUCTION, "of": source.id}
    params["seed"] = seed_for(seed, STAGE, source.id + strategy.model)
    # the number counts in the id; the source alone says which edit this is
    return Ask.of(prompt, strategy.model, 0, params, origin="edited", source=source)


def _improvable(there: Mapping[str, Candidate]) -> list[Candidate]:
    return [each for each in there.values() if each.origin != "edited" and each.text.strip() and not each.error]


def _imported(there: Mapping[str, Candidate]) -> list[Candidate]:
    brought = (each for each in there.values() if each.origin in ("imported", "human") and each.text.strip())
    return sorted((each for each in brought if not each.error), key=lambda each: each.id)


def _sample(cfg: GenerateConfig, strategy: StrategyConfig, prompt: Prompt, seed: int, _: bool) -> Iterable[Ask]:
    for model in strategy.models or cfg.models:
        yield from _draws(cfg, strategy, prompt, model, seed)


def _models(cfg: GenerateConfig, strategy: StrategyConfig, prompt: Prompt, seed: int, _: bool) -> Iterable[Ask]:
    for member in strategy.members:
        yield from _draws(cfg, member, prompt, member.model, seed)


def _hybrid(cfg: GenerateConfig, strategy: StrategyConfig, prompt: Prompt, seed: int, answered: bool) -> Iterable[Ask]:
    if strategy.prompts == "answered" and not answered:
        return
    for model in strategy.strong:
        yield from _draws(cfg, strategy, prompt, model, seed, "strong")
    for model in strategy.weak:
        yield from _draws(cfg, strategy, prompt, model, seed, "weak")


def _edit(*_: Any) -> Iterable[Ask]:
    return ()  # edits follow from what is there


def _strong_weak(cfg: GenerateConfig, strategy: StrategyConfig, prompt: Prompt, seed: int, _: bool) -> Iterable[Ask]:
    for model in strategy.strong:
        yield from _draws(cfg, strategy, prompt, model, seed, "strong")
    for model in strategy.weak or strategy.strong:
        if not strategy.corruptions:
            yield from _draws(cfg, strategy, prompt, model, seed, "weak")
            continue
        for number in range(strategy.n or cfg.n):
            kind = strategy.corruptions[number % len(strategy.corruptions)]
            asked = corrupted(prompt, kind, seed_for(seed, f"{STAGE}.corrupt", prompt.id + kind, number))
            if asked:
                yield _draw(cfg, strategy, prompt, model, number, seed, "corrupted", corruption=kind, asked=asked)


def _contrast(cfg: GenerateConfig, strategy: StrategyConfig, prompt: Prompt, seed: int, _: bool) -> Iterable[Ask]:
    for number in range(strategy.n or cfg.n):
        for side in ("follow", "violate"):
            extra = {"guideline": strategy.guideline, "side": side}
            yield _draw(cfg, strategy, prompt, strategy.model, number, seed, "contrast", **extra)


_PLANS: Final = {
    "sample": _sample,
    "models": _models,
    "hybrid": _hybrid,
    "edit": _edit,
    "strong_weak": _strong_weak,
    "contrast": _contrast,
}


def _draws(
    cfg: GenerateConfig,
    settings: StrategyConfig | MemberConfig,
    prompt: Prompt,
    model: str,
    seed: int,
    origin: Origin = "model",
) -> Iterable[Ask]:
    for number in range(settings.n or cfg.n):
        yield _draw(cfg, settings, prompt, model, number, seed, origin)


def _draw(
    cfg: GenerateConfig,
    settings: StrategyConfig | MemberConfig,
    prompt: Prompt,
    model: str,
    number: int,
    seed: int,
    origin: Origin,
    **extra: Any,
) -> Ask:
    params = _sampling(cfg, settings, prompt, number) | extra
    if "side" in extra:
        told = guideline_system(extra["guideline"], extra["side"])
        params["system"] = "\n\n".join(filter(None, (params.get("system"), told)))
    # Another side of a strategy is another draw: with one seed, one model would say the same twice.
    record = prompt.id + model + ("" if origin == "model" else f":{origin}{extra.get('side', '')}")
    params["seed"] = seed_for(seed, STAGE, record, number)
    return Ask.of(prompt, model, number, params, origin=origin)


def _sampling(
    cfg: GenerateConfig, settings: StrategyConfig | MemberConfig, prompt: Prompt, number: int
) -> dict[str, Any]:
    """The sampling settings of one draw: those of the strategy, else those of `generate`."""
    temperature = cfg.temperature if settings.temperature is None else settings.temperature
    if settings.temperatures:
        temperature = settings.temperatures[number % len(settings.temperatures)]
    params: dict[str, Any] = {
        "temperature": temperature,
        "top_p": cfg.top_p if settings.top_p is None else settings.top_p,
        "max_tokens": settings.max_tokens or cfg.max_tokens,
    }
    system = cfg.system if settings.system is None else settings.system
    if system and all(turn.role != "system" for turn in prompt.messages):
        params["system"] = system
    return params
