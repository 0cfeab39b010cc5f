"""Whether models and annotators can be opened at all: asked before any work starts, without a request or a process."""

import inspect
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pairsmith.config import AnnotatorConfig, ModelConfig, RuntimeConfig
from pairsmith.config.kinds import ANNOTATOR_KINDS, MODEL_KINDS
from pairsmith.errors import ConfigError, MissingExtra, ModelError
from pairsmith.models.annotators import expand_panels, open_annotator
from pairsmith.models.loading import open_chat_model
from pairsmith.models.plugins import load_object
from pairsmith.models.protocols import ChatModel, ChatRequest, Completion

__all__ = ["check_annotator", "check_chat_model"]

_NEEDS: Mapping[str, tuple[str, ...]] = {"reward_model": ("transformers", "torch")}


async def check_chat_model(name: str, section: ModelConfig, runtime: RuntimeConfig, project: Path) -> None:
    """Make sure that the model can be opened: its key is set, its address usable, its file readable, its extra there.

    Your own class is imported and its arguments are compared with what it takes; it is not made, as that may load
    a model.

    Raises:
        ConfigError: what is wrong, after its key.
        MissingExtra: an optional dependency is not installed.
    """
    if section.kind not in MODEL_KINDS:
        key = f"models.{name}.kind"
        _check_own(load_object(section.kind, key), key, section.kind, (name, section, runtime), {}, ("complete",))
        return
    model = open_chat_model(name, section, runtime, project=project)
    await model.close()


async def check_annotator(
    config: AnnotatorConfig, sections: Mapping[str, ModelConfig], runtime: RuntimeConfig, project: Path
) -> Sequence[str]:
    """Make sure that the annotator can be opened, and return the names its votes will carry; of your own class none.

    Raises:
        ConfigError: what is wrong with kind, model or options, after the key.
        MissingExtra: an optional dependency is not installed.
    """
    key = "annotate.annotators"
    if config.kind not in ANNOTATOR_KINDS:
        made, methods = load_object(config.kind, f"{key}.kind"), ("annotate", "score", "score_many")
        if callable(made):
            _check_own(made, key, config.kind, (), config.options, methods)
        return (config.name,) if config.name else ()
    absent = [module for module in _NEEDS.get(config.kind, ()) if find_spec(module) is None]
    if absent:
        raise MissingExtra(
            f"{key}: a {config.kind} needs {' and '.join(absent)}; see docs/how-to/install.md, then: "
            "pip install 'pairsmith[reward]'"
        )
    unopened: Mapping[str, ChatModel] = {name: _Unopened(name) for name in sections}
    names = []
    for each in expand_panels([config], sections):
        annotator = open_annotator(each, unopened, seed=0, sections=sections, runtime=runtime, project=project)
        names.append(annotator.name)
        close = getattr(annotator, "close", None)
        if close is not None:
            await close()
    return names


class _Unopened:
    """Stands in for a chat model, so that a judge can be made without one."""

    slots = 1
    shares_prompt = False

    def __init__(self, name: str) -> None:
        self.name = name

    async def complete(self, request: ChatRequest) -> Completion:  # noqa: ARG002 - the protocol's signature
        """Never asked."""
        raise ModelError(f"models.{self.name}: is only being checked")

    async def close(self) -> None:
        """Nothing to release."""


def _check_own(
    made: Any, key: str, kind: str, arguments: tuple[Any, ...], options: Mapping[str, Any], methods: Sequence[str]
) -> None:
    """Whether a class of your own has one of the methods that are called, and can be called as it will be."""
    if inspect.isclass(made) and not any(hasattr(made, method) for method in methods):
        raise ConfigError(
            f"{key}: {kind} has no {' or '.join(methods)}; see docs/reference/annotators.md and models.md"
        )
    try:
        inspect.signature(made).bind(*arguments, **options)
    except TypeError as error:
        given = "these options" if options else "what it is given"
        raise ConfigError(f"{key}: {kind} does not take {given}: {error}") from None
    except ValueError:
        return  # a class without a signature, such as one written in C
