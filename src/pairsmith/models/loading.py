"""From a section of `models` to a model that answers. Engines and clients are imported when a model needs them."""

from pathlib import Path

from pairsmith.config import ModelConfig, RuntimeConfig
from pairsmith.errors import ConfigError
from pairsmith.models.plugins import load_object
from pairsmith.models.protocols import ChatModel

__all__ = ["open_chat_model"]


def open_chat_model(name: str, config: ModelConfig, runtime: RuntimeConfig, *, project: Path = Path()) -> ChatModel:
    """The model called `name` in the configuration; no request is made yet.

    `kind` is `local`, `openai`, or a class of your own, called as `Class(name, config, runtime)`. Relative paths
    start at the `project` folder.

    Raises:
        ConfigError: the section is not enough to reach a model, or its class cannot be loaded.
        MissingExtra: an optional dependency of this kind is not installed.
    """
    if config.kind == "local":
        from pairsmith.models.local import LocalChatModel

        return LocalChatModel.from_config(name, config, runtime, project)
    if config.kind == "openai" and config.batch:
        from pairsmith.models.batch import OpenAIBatchModel

        return OpenAIBatchModel.from_config(name, config, runtime, project)
    if config.kind == "openai" and config.base_urls:
        from pairsmith.models.balanced import BalancedChatModel

        return BalancedChatModel.from_config(name, config, runtime)
    if config.kind == "openai":
        from pairsmith.models.openai import OpenAIChatModel

        return OpenAIChatModel.from_config(name, config, runtime)
    model = load_object(config.kind, f"models.{name}.kind")(name, config, runtime)
    if not isinstance(model, ChatModel):
        raise ConfigError(
            f"models.{name}.kind: {config.kind} is no chat model; it needs name, slots, shares_prompt, complete, close"
        )
    return model
