"""What every door to an OpenAI-compatible server needs: its address, its key, and answers of bounded size."""

import os

import httpx

from pairsmith.errors import ConfigError

__all__ = ["MAX_ANSWER_BYTES", "key_from_environment", "read_capped", "server_address"]

MAX_ANSWER_BYTES = 8 * 2**20


async def read_capped(response: httpx.Response) -> bytes | None:
    """The whole body, or `None` if it is too large."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.aiter_bytes():
        size += len(chunk)
        if size > MAX_ANSWER_BYTES:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


def server_address(base_url: str, key: str) -> str:
    """The address without a slash at its end.

    Raises:
        ConfigError: not an http(s) address, or credentials stand in it.
    """
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise ConfigError(f"{key}: not an address ({error})") from None
    if url.userinfo:
        raise ConfigError(f"{key}: holds a user name or password; put the key into the environment, see api_key_env")
    if url.scheme not in {"http", "https"} or not url.host:
        raise ConfigError(f"{key}: expected http://HOST/v1 or https://HOST/v1 (given: {base_url!r})")
    if url.query or url.fragment:
        raise ConfigError(f"{key}: must end with the path, without ? or #")
    return base_url.rstrip("/")


def key_from_environment(variable: str, key: str) -> str:
    """The value of the environment variable, or nothing if none is named.

    Raises:
        ConfigError: the variable is not set, or holds what no key can.
    """
    if not variable:
        return ""
    value = os.environ.get(variable, "").strip()
    if not value:
        raise ConfigError(f"{key}: the environment variable {variable} is not set; export the server's key in it")
    if not (value.isascii() and value.isprintable()):
        raise ConfigError(f"{key}: {variable} holds characters that no key has; set it again")
    return value
