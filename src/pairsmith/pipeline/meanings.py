"""The semantic stage of decontamination: vectors are asked for here, so that the stages stay pure."""

from collections.abc import Sequence
from pathlib import Path

from pairsmith.config import Config, ModelConfig
from pairsmith.measures.near_items import build_near, cosines_of, decide, propose, to_embed
from pairsmith.models.loading import open_embedder
from pairsmith.models.protocols import Embedder
from pairsmith.models.vector_cache import CachedEmbedder
from pairsmith.records import Benchmark, PreferencePair
from pairsmith.stages.contamination import NearFindings, prompt_texts

__all__ = ["compare_meanings", "semantic_embedder"]


def semantic_embedder(config: Config, project: Path) -> Embedder | None:
    """The embedder of `validate.semantic`, with its vectors kept in the cache folder; None if it is `off`.

    Raises:
        ConfigError: the section in `models` is not enough.
    """
    name = config.validation.semantic
    if name == "off" or config.validation.near == "off":
        return None
    section = config.models.get(name, ModelConfig(kind="minilm"))
    return CachedEmbedder(open_embedder(name, section, config.runtime, project=project), project / config.runtime.cache)


def compare_meanings(
    embedder: Embedder, pairs: Sequence[PreferencePair], benchmarks: Sequence[Benchmark]
) -> NearFindings:
    """What the prompts come near to by their words, and by the embedder's vectors where words leave it open.

    Raises:
        ModelUnavailable: the embedder is down, or its files are not to be had; nothing is passed over in silence.
        MissingExtra: what it needs is not installed.
    """
    index = build_near([(each.name, each.items) for each in benchmarks])
    texts = sorted({text for pair in pairs for text in prompt_texts(pair)})
    found = propose(index, texts)
    wanted = to_embed(index, texts, found)
    vectors = dict(zip(wanted, embedder.embed(wanted), strict=True)) if wanted else {}
    hits = decide(index, texts, found, cosines_of(index, texts, found, vectors))
    semantic = {"model": embedder.name, "revision": embedder.revision, "texts": len(wanted)}
    return NearFindings(hits, {"state": "evaluated", "reason": "", **semantic})
