"""numba where it is installed (extra `fast`): the same functions, compiled, cached on disk, without the GIL."""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any

__all__ = ["has_numba", "with_numba"]


@cache
def has_numba() -> bool:
    """Whether numba can be used here."""
    try:
        import numba  # noqa: F401
    except ImportError:
        return False
    return True


@cache
def with_numba(function: FunctionType, *helpers: FunctionType) -> Callable[..., Any]:
    """`function` compiled on its first call (seconds; then from a cache on disk); it calls the plain `helpers`.

    Raises:
        ImportError: without numba.
    """
    import numba
    from numba.extending import register_jitable

    for helper in helpers:
        register_jitable(helper)
    compiled: Callable[..., Any] = numba.njit(_named_after_sources(function, helpers), cache=True, nogil=True)
    return compiled


def _named_after_sources(function: FunctionType, helpers: tuple[FunctionType, ...]) -> FunctionType:
    """A twin of `function` by whose name numba's cache sees when a helper in another file has changed."""
    digest = hashlib.sha256()
    for path in sorted({each.__code__.co_filename for each in (function, *helpers)}):
        digest.update(Path(path).read_bytes())
    twin = FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__)
    twin.__qualname__ = f"{function.__qualname__}_{digest.hexdigest()[:12]}"
    twin.__module__ = function.__module__
    return twin
