"""Embedding models of sentence-transformers in this process. Needs the extra `sentences` and torch.

Weights are read as safetensors only, and code that comes with a model is never run.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pairsmith.config import ModelConfig
from pairsmith.errors import ConfigError, MissingExtra, ModelError
from pairsmith.models.embedders import Vectors, embed_distinct, take_options
from pairsmith.models.reward_model import folder_revision

__all__ = ["SentenceEmbedder", "load_sentence_transformer"]

Encode = Callable[[Sequence[str]], Any]
"""The vectors of some texts, shape (texts, dimensions)."""


class SentenceEmbedder:
    """A model of sentence-transformers.

    Args:
        name: the section's name.
        config: the section: `model`, a folder or a name on the hub; options `revision` (commit of the hub; required
            there), `device` (default `cpu`), `batch` (texts at once, default 32).
        project: relative folders start here.
        load: what makes the model ready; called once, on the first text.

    Raises:
        ConfigError: there is no model, or a name on the hub without its commit.
    """

    def __init__(
        self,
        name: str,
        config: ModelConfig,
        *,
        project: Path = Path(),
        load: "Callable[[str, str, str, int], Encode] | None" = None,
    ) -> None:
        options = take_options(name, config, {"revision": str, "device": str, "batch": int})
        if not config.model:
            raise ConfigError(f"models.{name}.model: missing; give a folder, or a name on the Hugging Face hub")
        folder = project / config.model
        self._commit: str = options.get("revision", "")
        if not folder.is_dir() and not self._commit:
            raise ConfigError(
                f"models.{name}.model: {config.model!r} is no folder here; for a name on the hub give the commit, "
                "`options: {revision: ...}`, so that vectors are of one model for good"
            )
        self.name = name
        self.revision = self._commit or f"{folder.name}:{folder_revision(folder)}"
        self._path = str(folder) if folder.is_dir() else config.model
        self._device: str = options.get("device", "cpu")
        self._batch: int = options.get("batch", 32)
        self._load = load or load_sentence_transformer
        self._encode: Encode | None = None

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder.embed`.

        Raises:
            MissingExtra: sentence-transformers or torch are not installed.
            ModelError: the model cannot embed these.
        """
        return embed_distinct(texts, self._ask)

    def _ask(self, texts: Sequence[str]) -> Any:
        if self._encode is None:
            self._encode = self._load(self._path, self._commit, self._device, self._batch)
        try:
            return self._encode(texts)
        except (ValueError, RuntimeError, IndexError) as error:
            raise ModelError(f"models.{self.name}: {type(error).__name__}: {error}") from error


def load_sentence_transformer(path: str, revision: str, device: str, batch: int) -> Encode:
    """The model at `path`, ready to encode.

    Raises:
        MissingExtra: sentence-transformers or torch are not installed.
    """
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise MissingExtra(
            f"an embedder of kind sentence_transformers needs sentence-transformers and torch ({error}); "
            "see docs/how-to/install.md, then: pip install 'pairsmith[sentences]'"
        ) from error
    model = SentenceTransformer(
        path,
        revision=revision or None,
        device=device,
        trust_remote_code=False,
        model_kwargs={"use_safetensors": True},
    )
    return lambda texts: model.encode(
        list(texts), batch_size=batch, convert_to_numpy=True, normalize_embeddings=True, show_progress_bar=False
    )
