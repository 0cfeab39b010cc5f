"""numba where it is installed (extra `fast`): the same functions, compiled, cached on disk, without the GIL."""

from collections.abc import Callable
from functools import cache
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
def with_numba(function: Callable[..., Any], *helpers: Callable[..., Any]) -> Callable[..., Any]:
    """`function` compiled on its first call (seconds; then from a cache on disk); it calls the plain `helpers`.

    Raises:
        ImportError: without numba.
    """
    import numba
    from numba.extending import register_jitable

    for helper in helpers:
        register_jitable(helper)
    compiled: Callable[..., Any] = numba.njit(function, cache=True, nogil=True)
    return compiled
