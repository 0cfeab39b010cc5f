"""The section `generate`: strategies, budget, and when a sample repeats another."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from pairsmith.config.section import Section

__all__ = ["BudgetConfig", "DistinctConfig", "GenerateConfig", "MemberConfig", "PriceConfig", "StrategyConfig"]

StrategyName = Literal["sample", "models", "hybrid", "edit", "strong_weak", "contrast"]
Corruption = Literal["truncate", "drop_words", "shuffle_words"]

Count = Annotated[int, Field(ge=1, le=256)]
Temperature = Annotated[float, Field(ge=0.0, le=5.0)]
TopP = Annotated[float, Field(gt=0.0, le=1.0)]
Tokens = Annotated[int, Field(ge=1)]

_SAMPLING: Final = frozenset({"name", "n", "temperature", "temperatures", "top_p", "max_tokens", "system"})
_KEYS: Final[Mapping[StrategyName, frozenset[str]]] = MappingProxyType(
    {
        "sample": _SAMPLING | {"models"},
        "models": frozenset({"name", "members"}),
        "hybrid": _SAMPLING | {"strong", "weak", "prompts"},
        "edit": _SAMPLING | {"model", "of", "instruction"},
        "strong_weak": _SAMPLING | {"strong", "weak", "corruptions"},
        "contrast": _SAMPLING | {"model", "guideline"},
    }
)
_NEEDED: Final[Mapping[StrategyName, tuple[tuple[str, ...], ...]]] = MappingProxyType(
    {
        "sample": (),
        "models": (("members",),),
        "hybrid": (("strong", "weak"),),
        "edit": (("model",), ("of",)),
        "strong_weak": (("strong",), ("weak", "corruptions")),
        "contrast": (("model",), ("guideline",)),
    }
)


class PriceConfig(Section):
    """What a model costs, in any currency, per million tokens."""

    input: Annotated[float, Field(ge=0.0)]
    """Price of a million prompt tokens."""
    output: Annotated[float, Field(ge=0.0)]
    """Price of a million completion tokens."""


class MemberConfig(Section):
    """One voice of the strategy `models`: a model with settings of its own; what is left out is as in `generate`."""

    model: str = Field(min_length=1)
    """Name from `models`."""
    n: Count | None = None
    """Candidates per prompt."""
    temperature: Temperature | None = None
    """Sampling temperature."""
    temperatures: tuple[Temperature, ...] = ()
    """A ladder: sample k takes step k, from the start again after the last."""
    top_p: TopP | None = None
    """Nucleus sampling."""
    max_tokens: Tokens | None = None
    """Longest answer, in tokens."""
    system: str | None = None
    """System prompt put before prompts that have none."""


class StrategyConfig(Section):
    """One way to come by candidates; what is left out is as in `generate`. See docs/stages/generate.md."""

    name: StrategyName
    """Which one; the keys below belong to those named in brackets."""
    models: tuple[str, ...] = ()
    """[sample] Names from `models`; empty: those of `generate.models`."""
    members: tuple[MemberConfig, ...] = ()
    """[models] Models with settings of their own."""
    strong: tuple[str, ...] = ()
    """[hybrid, strong_weak] Models meant for the better side."""
    weak: tuple[str, ...] = ()
    """[hybrid, strong_weak] Models meant for the worse side; with `corruptions`, by default those of `strong`."""
    corruptions: tuple[Corruption, ...] = ()
    """[strong_weak] The weak side gets a spoilt prompt; sample k takes step k, from the start again after the last."""
    prompts: Literal["all", "answered"] = "all"
    """[hybrid] `answered`: only prompts that came with a response."""
    model: str = ""
    """[edit, contrast] The model that is asked."""
    of: tuple[str, ...] = ()
    """[edit] Whose responses are improved: names of models, origins such as `weak`, or `rejected`: those that lost."""
    instruction: str = ""
    """[edit] What the editor is told; empty: to improve the response with as few changes as possible."""
    guideline: str = ""
    """[contrast] The guideline that one response follows and the other violates."""
    n: Count | None = None
    """[all but models] Candidates per prompt, model and side; for `edit`, responses improved per prompt."""
    temperature: Temperature | None = None
    """[all but models] Sampling temperature."""
    temperatures: tuple[Temperature, ...] = ()
    """[all but models] A ladder: sample k takes step k, from the start again after the last."""
    top_p: TopP | None = None
    """[all but models] Nucleus sampling."""
    max_tokens: Tokens | None = None
    """[all but models] Longest answer, in tokens."""
    system: str | None = None
    """[all but models] System prompt put before prompts that have none."""

    @model_validator(mode="after")
    def _keys_fit(self) -> "StrategyConfig":
        foreign = sorted(self.model_fields_set - _KEYS[self.name])
        if foreign:
            known = ", ".join(sorted(_KEYS[self.name] - {"name"}))
            raise ValueError(f"strategy {self.name!r} has no key {foreign[0]!r}; it takes {known}")
        for keys in _NEEDED[self.name]:
            if not any(getattr(self, key) for key in keys):
                raise ValueError(f"strategy {self.name!r} needs {' or '.join(repr(key) for key in keys)}")
        return self

    def asks(self) -> Iterator[str]:
        """The names of the models it asks."""
        yield from (*self.models, *(each.model for each in self.members), *self.strong, *self.weak)
        if self.model:
            yield self.model


class BudgetConfig(Section):
    """How much `generate` may spend: the run stops before it would cross a limit, and raising it carries on."""

    max_calls: Annotated[int, Field(ge=0)] | None = None
    """Candidates asked for, in all runs of this project together."""
    max_tokens: Annotated[int, Field(ge=0)] | None = None
    """Tokens of prompts and answers, in all runs together."""
    max_cost: Annotated[float, Field(ge=0.0)] | None = None
    """Cost by `models.NAME.price`, in all runs together."""
    max_minutes: Annotated[float, Field(ge=0.0)] | None = None
    """Minutes of one run."""


class DistinctConfig(Section):
    """When a sample counts as a repetition of another one of its prompt, and what is done then."""

    similarity: Annotated[float, Field(gt=0.0, le=1.0)] = 0.9
    """From this Jaccard similarity of word 3-grams on, the later of two samples is asked again."""
    attempts: Annotated[int, Field(ge=0, le=10)] = 1
    """How often it is asked again; 0: never."""
    hotter: Annotated[float, Field(ge=0.0, le=5.0)] = 0.3
    """How much is added to the temperature each time, up to 2 in all."""


class GenerateConfig(Section):
    """Stage 2: N samples per prompt from each model, or whatever `strategies` say."""

    models: tuple[str, ...] = ()
    """Names from `models`; empty: nothing is sampled."""
    n: Count = 4
    """Candidates per prompt and model."""
    temperature: Temperature = 0.8
    """Sampling temperature."""
    top_p: TopP = 0.9
    """Nucleus sampling."""
    max_tokens: Tokens = 512
    """Longest answer, in tokens."""
    system: str = ""
    """System prompt put before prompts that have none."""
    strategies: tuple[StrategyConfig, ...] = (StrategyConfig(name="sample"),)
    """How candidates are come by; all that are named are used."""
    distinct: DistinctConfig = DistinctConfig()
    """When a sample counts as a repetition of another one, and what is done then."""
    budget: BudgetConfig = BudgetConfig()
    """How much may be spent; never part of a dataset's identity."""

    def asks(self) -> tuple[str, ...]:
        """The names of all models that are asked, each once."""
        named: dict[str, None] = {}
        for strategy in self.strategies:
            sampled = self.models if strategy.name == "sample" and not strategy.models else ()
            named |= dict.fromkeys((*sampled, *strategy.asks()))
        return tuple(named)
