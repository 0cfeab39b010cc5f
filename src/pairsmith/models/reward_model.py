"""Reward models of Hugging Face transformers in this process: sequence classification with the model's chat template.

Needs the extra `reward` and torch. Weights are read as safetensors only, and code that comes with a model is never run.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from pairsmith.errors import ConfigError, MissingExtra, ModelError
from pairsmith.models.batching import Item

__all__ = ["Rewards", "TransformersReward", "folder_revision", "load_transformers"]

Turns = list[dict[str, str]]
Rewards = Callable[[Sequence[Turns]], list[float]]
"""The reward of each conversation, one forward pass for all."""

_MAX_TOKENS: Final = 4096


class TransformersReward:
    """Scores responses with a sequence classification model of one output.

    Args:
        path: a folder, or a name on the Hugging Face hub.
        revision: commit of the hub; a folder has its own (see `folder_revision`).
        load: what makes the model ready; called once, in a thread.
    """

    scale: tuple[float, float] | None = None

    def __init__(self, path: str, *, revision: str = "", load: "Callable[[str, str], Rewards] | None" = None) -> None:
        if not path:
            raise ConfigError("annotate.annotators: a reward_model needs `model:`, a folder or a name on the hub")
        folder = Path(path)
        if not folder.is_dir() and not revision:
            raise ConfigError(
                f"annotate.annotators: reward_model {path!r} is no folder here; for a name on the hub give the commit, "
                "`options: {revision: ...}`, so that scores are of one model for good"
            )
        self.name = f"reward:{folder.name}"
        self.revision = revision or folder_revision(folder)
        self._path = path
        self._commit = revision
        self._load = load or load_transformers
        self._rewards: Rewards | None = None
        self._lock = asyncio.Lock()  # one forward pass at a time: two only share the same cores

    async def score_many(self, items: Sequence[Item]) -> Sequence[float]:
        """The reward of each response, in their order.

        Raises:
            MissingExtra: transformers or torch are not installed.
            ModelError: the model cannot score these.
        """
        conversations = [
            [{"role": turn.role, "content": turn.content} for turn in (*prompt.messages, *candidate.completion)]
            for prompt, candidate in items
        ]
        async with self._lock:
            if self._rewards is None:
                self._rewards = await asyncio.to_thread(self._load, self._path, self._commit)
            try:
                return await asyncio.to_thread(self._rewards, conversations)
            except (ValueError, RuntimeError, IndexError) as error:
                raise ModelError(f"{self.name}: {type(error).__name__}: {error}") from error

    def describe(self) -> dict[str, Any]:
        """Which model this is."""
        return {"name": self.name, "revision": self.revision, "path": self._path}


def folder_revision(folder: Path) -> str:
    """A digest of a model folder: its configuration, and names and sizes of its weights."""
    digest = hashlib.sha256()
    config = folder / "config.json"
    if config.is_file():
        digest.update(config.read_bytes())
    for path in sorted(folder.glob("*.safetensors")):
        digest.update(f"\0{path.name}\0{path.stat().st_size}".encode())
    return digest.hexdigest()[:12]


def load_transformers(path: str, revision: str) -> Rewards:
    """The model at `path`, ready to score.

    Raises:
        MissingExtra: transformers or torch are not installed.
        ConfigError: the model has no chat template, or more than one output.
    """
    try:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer
    except ImportError as error:
        raise MissingExtra(
            f"annotate.annotators: a reward_model needs transformers and torch ({error}); "
            "see docs/how-to/install.md, then: pip install 'pairsmith[reward]'"
        ) from error
    where = {"revision": revision} if revision else {}
    tokenizer = AutoTokenizer.from_pretrained(path, **where)
    model = AutoModelForSequenceClassification.from_pretrained(path, use_safetensors=True, **where).eval()
    if tokenizer.chat_template is None:
        raise ConfigError(f"annotate.annotators: reward_model {path!r} has no chat template, so its input is unknown")
    if model.config.num_labels != 1:
        raise ConfigError(
            f"annotate.annotators: {path!r} has {model.config.num_labels} outputs; a reward is one number"
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.config.pad_token_id = tokenizer.pad_token_id

    def rewards(conversations: Sequence[Turns]) -> list[float]:
        texts = [tokenizer.apply_chat_template(turns, tokenize=False) for turns in conversations]
        # the template has put its special tokens already
        inputs = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
        longest = int(inputs["input_ids"].shape[1])
        if longest > _MAX_TOKENS:
            raise ValueError(f"{longest} tokens, at most {_MAX_TOKENS} are scored")
        with torch.no_grad():
            logits = model(**inputs).logits
        return [float(value) for value in logits[:, 0]]

    return rewards
