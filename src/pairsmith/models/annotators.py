"""From a line of the configuration to an annotator."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from pairsmith.config import AnnotatorConfig, ModelConfig, RuntimeConfig
from pairsmith.errors import ConfigError
from pairsmith.measures.families import model_family
from pairsmith.models.judge import DEFAULT_MAX_TOKENS, Judge
from pairsmith.models.plugins import load_object
from pairsmith.models.protocols import Annotator, BatchScorer, ChatModel, Scorer
from pairsmith.models.reward_model import TransformersReward
from pairsmith.models.reward_wire import DIALECTS
from pairsmith.models.rubric import Rubric
from pairsmith.models.scorers import SURFACE_V0, BatchScorerAnnotator, ScorerAnnotator, SurfaceScorer
from pairsmith.models.verifier import SANDBOXES, Verifier
from pairsmith.records import Annotation, Candidate, Comparison, Prompt, Score

__all__ = ["CHAT_KINDS", "SomePrompts", "close_annotator", "expand_panels", "open_annotator"]

CHAT_KINDS: Final = ("judge", "rubric")
"""The kinds of annotators that need an open chat model."""

DEFAULT_BATCH: Final = 16
_KEY: Final = "annotate.annotators"


async def close_annotator(annotator: Annotator) -> None:
    """Close an annotator's connections, if it has any of its own."""
    close = getattr(annotator, "close", None)
    if close is not None:
        await close()


def expand_panels(
    configs: Sequence[AnnotatorConfig], sections: Mapping[str, ModelConfig]
) -> tuple[AnnotatorConfig, ...]:
    """The annotators with every panel replaced by its judges, and the family of every judge's model in its options.

    Args:
        configs: `annotate.annotators`.
        sections: `models`.

    Raises:
        ConfigError: the models of a panel are all of one family, which would agree for the wrong reason.
    """
    expanded: list[AnnotatorConfig] = []
    for config in configs:
        members = [_with_family(member, sections) for member in config.members()]
        families = {member.options.get("family") for member in members}
        if config.kind == "panel" and len(families) < 2:
            raise ConfigError(
                f"{_KEY}: the models of the panel {', '.join(config.models)} are all of the family {families.pop()!r}; "
                "judges favour their own kind, so take models of different families (or name another `family` among "
                "the `options` of a model, if its name misleads)"
            )
        expanded += members
    return tuple(expanded)


def _with_family(config: AnnotatorConfig, sections: Mapping[str, ModelConfig]) -> AnnotatorConfig:
    section = sections.get(config.model)
    if config.kind not in ("judge", "rubric") or section is None or "family" in config.options:
        return config
    family = section.options.get("family") or model_family(section.model or section.path or config.model)
    return config.model_copy(update={"options": {**config.options, "family": str(family)}})


def open_annotator(
    config: AnnotatorConfig,
    models: Mapping[str, ChatModel],
    *,
    seed: int,
    guideline: str = "",
    guideline_text: str = "",
    sections: Mapping[str, ModelConfig] | None = None,
    runtime: RuntimeConfig | None = None,
    project: Path = Path(),
) -> Annotator:
    """The annotator that `config` describes.

    Args:
        config: one entry of `annotate.annotators`.
        models: open chat models by their name in the configuration; only judges need one.
        seed: the project's seed.
        guideline: version of the project's annotation guidelines. Only judges follow them: a new version asks a
            judge anew, and leaves verifiers and scorers alone.
        guideline_text: the guidelines themselves, shown to judges.
        sections: `models` of the configuration; reward servers and log-likelihoods need it.
        runtime: how patient to be with servers, and where the cache is.
        project: the project's folder, which holds fitted scorers and the cache.

    Raises:
        ConfigError: if the kind, its model or an option is not known, or your class is not an annotator or scorer.
    """
    if config.kind in ("reward_server", "reward_model"):
        annotator = _open_reward(config, sections or {}, runtime or RuntimeConfig())
    elif config.kind == "fitted":
        annotator = _open_fitted(config, runtime or RuntimeConfig(), project)
    elif config.kind == "loglik":
        annotator = _open_loglik(config, sections or {}, runtime or RuntimeConfig(), project)
    else:
        annotator = _open(config, models, seed, guideline, guideline_text)
    return annotator if config.prompts == "all" else SomePrompts(annotator, config.prompts)


class SomePrompts:
    """An annotator that is asked only about prompts with checks, or only about prompts without."""

    def __init__(self, annotator: Annotator, prompts: Literal["checked", "unchecked"]) -> None:
        self._annotator = annotator
        self._checked = prompts == "checked"
        self.name = annotator.name
        self.guideline = annotator.guideline
        self.audited: bool = getattr(annotator, "audited", False)

    def wants(self, prompt: Prompt) -> bool:
        """Whether the prompt is one of those, and the annotator can judge it."""
        return bool(prompt.checks) is self._checked and self._annotator.wants(prompt)

    async def annotate(
        self, prompt: Prompt, comparison: Comparison, a: Candidate, b: Candidate
    ) -> tuple[Sequence[Annotation], Sequence[Score]]:
        """What the annotator says."""
        return await self._annotator.annotate(prompt, comparison, a, b)

    def recall(self, scores: Iterable[Score]) -> None:
        """Hand the scores of earlier runs on."""
        recall = getattr(self._annotator, "recall", None)
        if recall is not None:
            recall(scores)

    async def close(self) -> None:
        """Close the annotator's connections, if it has any."""
        await close_annotator(self._annotator)

    def describe(self) -> dict[str, Any]:
        """What the annotator says about itself, if it does."""
        describe = getattr(self._annotator, "describe", None)
        return dict(describe()) if describe else {"name": self.name}


def _open(
    config: AnnotatorConfig, models: Mapping[str, ChatModel], seed: int, guideline: str, guideline_text: str
) -> Annotator:
    if config.kind == "verifier":
        options = _take_options(config, {"sandbox": lambda value: value in SANDBOXES})
        return Verifier(config.name or "verifier", options.get("sandbox", SANDBOXES[0]))
    if config.kind == "scorer":
        return _open_surface(config)
    if config.kind in ("judge", "rubric"):
        options = _take_options(config, {"max_tokens": _is_count, "family": _is_text})
        common: dict[str, Any] = {
            "name": config.name or f"{config.kind}:{config.model}",
            "criteria": config.criteria,
            "seed": seed,
            "guideline": guideline,
            "guideline_text": guideline_text,
            "max_tokens": options.get("max_tokens", DEFAULT_MAX_TOKENS),
            "audit": config.audit,
            "family": options.get("family", ""),
        }
        model = _judge_model(config, models)
        if config.kind == "rubric":
            return Rubric(model, scale=config.scale, **common)
        return Judge(model, verdict=config.verdict, **common)
    return _open_plugin(config)


def _open_reward(config: AnnotatorConfig, sections: Mapping[str, ModelConfig], runtime: RuntimeConfig) -> Annotator:
    allowed: dict[str, Callable[[Any], bool]] = {"revision": _is_text, "batch": _is_count}
    if config.kind == "reward_server":
        allowed["dialect"] = lambda value: value in DIALECTS
    options = _take_options(config, allowed)
    revision, batch = options.get("revision", ""), options.get("batch", DEFAULT_BATCH)
    scorer: BatchScorer
    if config.kind == "reward_model":
        scorer = TransformersReward(config.model, revision=revision)
    elif config.model not in sections:
        raise ConfigError(f"{_KEY}: a reward_server needs `model:`, a name from `models` (given: {config.model!r})")
    else:
        from pairsmith.models.reward_server import RewardServer

        dialect = options.get("dialect", "")
        scorer = RewardServer(config.model, sections[config.model], runtime, dialect=dialect, revision=revision)
    return BatchScorerAnnotator(scorer, name=config.name, min_confidence=config.min_confidence, batch=batch)


def _open_fitted(config: AnnotatorConfig, runtime: RuntimeConfig, project: Path) -> Annotator:
    from pairsmith.models.fitted import FittedAnnotator, FittedScorer
    from pairsmith.models.fitted_files import find_scorer

    _take_options(config, {})
    file = find_scorer(config.model, project, f"{_KEY}: fitted")
    scorer = FittedScorer(file, project / runtime.cache, workers=runtime.workers)
    return FittedAnnotator(scorer, name=config.name, min_confidence=config.min_confidence)


def _open_loglik(
    config: AnnotatorConfig, sections: Mapping[str, ModelConfig], runtime: RuntimeConfig, project: Path
) -> Annotator:
    from pairsmith.models.loglik import REDUCTIONS, LoglikScorer

    options = _take_options(config, {"reduce": lambda value: value in REDUCTIONS})
    section = sections.get(config.model)
    if section is None or section.kind != "local":
        raise ConfigError(
            f"{_KEY}: loglik needs `model:`, a name from `models` whose kind is `local` (given: {config.model!r}); "
            "servers do not tell the log-probabilities of given text alike"
        )
    scorer = LoglikScorer.from_config(
        config.model, section, runtime, project, reduction=options.get("reduce", REDUCTIONS[0])
    )
    return BatchScorerAnnotator(
        scorer, name=config.name, min_confidence=config.min_confidence, provenance=scorer.provenance()
    )


def _open_surface(config: AnnotatorConfig) -> Annotator:
    _take_options(config, {})
    if config.model not in ("", SURFACE_V0):
        raise ConfigError(f"{_KEY}: there is no scorer {config.model!r}; the one that ships is {SURFACE_V0!r}")
    scorer = SurfaceScorer()
    return ScorerAnnotator(
        scorer,
        name=config.name,
        min_confidence=config.min_confidence,
        temperature=scorer.temperature,
        provenance=scorer.provenance(),
    )


def _judge_model(config: AnnotatorConfig, models: Mapping[str, ChatModel]) -> ChatModel:
    if config.model not in models:
        raise ConfigError(f"{_KEY}: a {config.kind} needs `model:`, a name from `models` (given: {config.model!r})")
    if not config.criteria:
        raise ConfigError(f"{_KEY}: {config.kind} {config.model!r} has no criteria to weigh")
    return models[config.model]


def _open_plugin(config: AnnotatorConfig) -> Annotator:
    made = load_object(config.kind, f"{_KEY}.kind")
    try:
        made = made(**config.options) if callable(made) else made
    except TypeError as error:
        raise ConfigError(f"{_KEY}: {config.kind} does not take these options: {error}") from error
    if isinstance(made, BatchScorer) and not isinstance(made, Annotator):
        return BatchScorerAnnotator(made, name=config.name, min_confidence=config.min_confidence)
    if isinstance(made, Scorer) and not isinstance(made, Annotator):
        return ScorerAnnotator(made, name=config.name, min_confidence=config.min_confidence)
    if not isinstance(made, Annotator):
        raise ConfigError(
            f"{_KEY}: {config.kind} is neither an annotator (name, guideline, wants, annotate) "
            "nor a scorer (name, scale, score; or name, scale, revision, score_many)"
        )
    if config.name and made.name != config.name:
        raise ConfigError(
            f"{_KEY}: {config.kind} calls itself {made.name!r}, the configuration {config.name!r}; "
            "pass the name among its `options`, or leave `name` out"
        )
    return made


def _is_count(value: Any) -> bool:
    return type(value) is int and value > 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _take_options(config: AnnotatorConfig, allowed: Mapping[str, Callable[[Any], bool]]) -> dict[str, Any]:
    for key, value in config.options.items():
        if key not in allowed:
            known = ", ".join(allowed) or "none"
            raise ConfigError(f"{_KEY}: {config.kind} has no option {key!r} (options: {known})")
        if not allowed[key](value):
            raise ConfigError(f"{_KEY}: {config.kind} option {key!r} cannot be {value!r}")
    return dict(config.options)
