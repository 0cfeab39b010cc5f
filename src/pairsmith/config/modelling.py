"""The section `models`: every model that writes, judges or embeds, by name."""

from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from pairsmith.config.generating import PriceConfig
from pairsmith.config.kinds import MODEL_KINDS, known_kind
from pairsmith.config.section import Section

__all__ = ["ModelConfig"]


class ModelConfig(Section):
    """One model that can write candidates, judge them, or turn texts into vectors."""

    kind: str = "openai"
    """`local` (in process), `openai` (any OpenAI-compatible server), `package.module:Class` of your own; embedders:
    `minilm`, `openai`, `sentence_transformers`."""
    model: str = ""
    """Model name sent to the server; for `local`, a name for the records."""
    base_url: str = ""
    """Address of the server up to and including `/v1`."""
    base_urls: tuple[str, ...] = ()
    """Addresses of several servers of this one model, instead of `base_url`; requests go to the least busy."""
    batch: bool = False
    """Ask through the server's batch API: cheaper, answered within a day, and the run may end meanwhile."""
    price: PriceConfig | None = None
    """What it costs; never part of a dataset's identity."""
    api_key_env: str = ""
    """Name of the environment variable that holds the key; the key itself never stands in this file."""
    path: str = ""
    """GGUF file for `local`; empty: SmolLM2-135M-Instruct, fetched once."""
    context_tokens: Annotated[int, Field(ge=256)] = 2048
    """Context window of `local`, prompt and answer together."""
    options: dict[str, Any] = Field(default={})
    """Settings of an embedder or of your own model class."""

    @field_validator("kind")
    @classmethod
    def _kind_is_known(cls, kind: str) -> str:
        return known_kind(kind, MODEL_KINDS)

    @field_validator("base_url")
    @classmethod
    def _address_without_secrets(cls, address: str) -> str:
        url = urlsplit(address)
        if "@" in url.netloc or url.query or url.fragment:  # every build repeats its configuration
            raise ValueError("must end with the path, without a password, ? or #; name the key in api_key_env")
        return address

    @field_validator("base_urls")
    @classmethod
    def _addresses_without_secrets(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(cls._address_without_secrets(each) for each in addresses)

    @field_validator("api_key_env")
    @classmethod
    def _name_not_key(cls, name: str) -> str:
        if name and not (name.isascii() and name.isidentifier()):
            raise ValueError("must be the name of an environment variable; is this the key itself? Then change the key")
        return name
