"""From a section of `models` to a model that answers. Engines and clients are imported when a model needs them."""

from pathlib import Path

from pairsmith.config import ModelConfig, RuntimeConfig
from pairsmith.errors import ConfigError
from pairsmith.models.plugins import load_object
from pairsmith.models.protocols import ChatModel, Embedder

__all__ = ["open_chat_model", "open_embedder"]


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


def open_embedder(name: str, config: ModelConfig, runtime: RuntimeConfig, *, project: Path = Path()) -> Embedder:
    """The embedder called `name` in the configuration; nothing is fetched or asked yet.

    `kind` is `minilm`, `openai`, `sentence_transformers`, or a class of your own, called as
    `Class(name, config, runtime)`. Relative paths start at the `project` folder.

    Raises:
        ConfigError: the section is not enough to reach an embedder, or its class cannot be loaded.
    """
    if config.kind == "minilm":
        from pairsmith.models.minilm import MiniLMEmbedder

        return MiniLMEmbedder.from_config(name, config, runtime)
    if config.kind == "openai":
        from pairsmith.models.openai_embeddings import OpenAIEmbedder

        return OpenAIEmbedder(name, config, runtime)
    if config.kind == "sentence_transformers":
        from pairsmith.models.sentence_embedder import SentenceEmbedder

        return SentenceEmbedder(name, config, project=project)
    made = load_object(config.kind, f"models.{name}.kind")(name, config, runtime)
    if not isinstance(made, Embedder):
        raise ConfigError(f"models.{name}.kind: {config.kind} is no embedder; it needs name, revision, embed")
    return made
