"""HTTP as every door to a server uses it: addresses, keys, proxies, total deadlines, answers of bounded size."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from pairsmith.errors import ConfigError

__all__ = ["MAX_ANSWER_BYTES", "Http", "Lost", "Reply", "key_from_environment", "server_address"]

MAX_ANSWER_BYTES: Final = 8 * 2**20
KEEP_ALIVE_S: Final = 60.0
_EXCERPT_CHARS: Final = 300
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Lost:
    """No whole answer, and why. `reached`: the server had the request, so that it may have worked, and charge."""

    cause: str
    reached: bool = True
    too_large: bool = False
    timed_out: bool = False


class Http:
    """One server, and the connections to it: as many as there are requests at once, kept open between them."""

    def __init__(self, base_url: str, key: str, *, api_key: str = "", timeout_s: float = 120.0) -> None:
        """A server that no connection goes to yet.

        Args:
            base_url: address up to and including `/v1`.
            key: the place of that address in the configuration, for messages.
            api_key: sent as bearer token unless empty; never shown in any message.
            timeout_s: time for one call from first byte sent to last byte read, in seconds.

        Raises:
            ConfigError: for an address that cannot be used.
        """
        self.base_url = server_address(base_url, key)
        self.timeout_s = timeout_s
        self._api_key = api_key
        self._headers = {"Accept-Encoding": "identity", "User-Agent": "pairsmith"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._proxy = _proxy_for(self.base_url)
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def post_json(self, url: str, body: bytes) -> Reply | Lost:
        """Send JSON that is bytes already, and read the whole answer."""
        return await self.send("POST", url, data=body, headers={"Content-Type": "application/json"})

    async def send(self, method: str, url: str, **content: Any) -> Reply | Lost:
        """One call to a whole address. Redirects are not followed: the key must not travel to another host."""
        try:
            async with (
                asyncio.timeout(self.timeout_s),
                self._opened().request(
                    method, URL(url), allow_redirects=False, proxy=self._proxy, **content
                ) as response,
            ):
                raw = await _read_capped(response)
        except TimeoutError:
            return Lost(f"no complete answer within {self.timeout_s:g} s", timed_out=True)
        except aiohttp.ClientError as error:
            if isinstance(error, aiohttp.ClientConnectorError):
                return Lost(f"no connection ({error.os_error})", reached=False)
            return Lost(_in_words(error))
        except OSError as error:  # a connection that breaks while the request is being written
            return Lost(_in_words(error))
        if raw is None:
            return Lost(f"the answer is larger than {MAX_ANSWER_BYTES} bytes", too_large=True)
        return Reply(response.status, response.headers, raw)

    async def stream(self, url: str) -> AsyncIterator[bytes]:
        """The lines of a file of any size, each within the time of one call.

        Raises:
            aiohttp.ClientError: the connection broke, or the status is no success.
            TimeoutError: no line came in time.
        """
        async with self._opened().get(URL(url), allow_redirects=False, proxy=self._proxy) as response:
            response.raise_for_status()
            rest = b""
            while True:
                async with asyncio.timeout(self.timeout_s):
                    chunk = await response.content.readany()
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield line
                if not chunk:
                    break
            if rest:
                yield rest

    async def close(self) -> None:
        """Close all connections."""
        session, self._session = self._session, None
        if session is not None and self._loop is asyncio.get_running_loop():
            await session.close()

    def excerpt(self, raw: bytes) -> str:
        """The beginning of what a server sent, on one line, without the key."""
        text = " ".join(raw[: 4 * _EXCERPT_CHARS].decode("utf-8", "replace").split())
        if self._api_key:
            text = text.replace(self._api_key, "***")
        return repr(text[:_EXCERPT_CHARS]) if text else "(nothing)"

    def _opened(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._session is None or self._loop is not loop:  # connections cannot move from one event loop to another
            self._loop = loop
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S),
                headers=self._headers,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),  # there is one deadline, and it is ours
            )
        return self._session


async def _read_capped(response: aiohttp.ClientResponse) -> bytes | None:
    """The whole body, or `None` if it is too large."""
    if (response.content_length or 0) > MAX_ANSWER_BYTES:
        response.close()
        return None
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > MAX_ANSWER_BYTES:
            response.close()
            return None
        chunks.append(chunk)
    return b"".join(chunks)


def _in_words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _proxy_for(base_url: str) -> str | None:
    """The proxy that the environment names for this address; none can reach this machine's own ports."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if host in _LOCAL or proxy_bypass(host):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")


def server_address(base_url: str, key: str) -> str:
    """The address without a slash at its end.

    Raises:
        ConfigError: not an http(s) address, or credentials stand in it.
    """
    try:
        url = urlsplit(base_url)
        port = url.port
    except ValueError as error:
        raise ConfigError(f"{key}: not an address ({error})") from None
    if url.username or url.password:
        raise ConfigError(f"{key}: holds a user name or password; put the key into the environment, see api_key_env")
    if url.scheme not in {"http", "https"} or not url.hostname or port == 0:
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
