"""The engine `ray`: plain Ray tasks on a local cluster made for the run, or on the one that RAY_ADDRESS names."""

import logging
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pairsmith.engine import Mapper
from pairsmith.errors import Incomplete, MissingExtra, UsageError

__all__ = ["MAX_RETRIES", "OBJECT_STORE_BYTES", "ray_session"]

MAX_RETRIES = 3
OBJECT_STORE_BYTES = 200 * 2**20
"""Of a local cluster. Tasks exchange what is large through files, so this is enough at any size."""

_AHEAD = 2
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is sent anywhere
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
}


@contextmanager
def ray_session(workers: int) -> Iterator[Mapper]:
    """A mapper that runs tasks on Ray; a task whose worker dies is run again, up to `MAX_RETRIES` times.

    Raises:
        MissingExtra: without ray.
        UsageError: if RAY_ADDRESS names no cluster that can be used.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError:
        raise MissingExtra(
            "the engine ray needs ray; run `pip install 'pairsmith[ray]'`, or use --engine processes"
        ) from None
    handler = signal.getsignal(signal.SIGTERM)
    options: dict[str, Any] = {"include_dashboard": False, "logging_level": logging.ERROR, "log_to_driver": False}
    if not os.environ.get("RAY_ADDRESS"):
        options |= {"address": "local", "num_cpus": workers, "object_store_memory": OBJECT_STORE_BYTES}
    else:
        options.pop("include_dashboard")
    try:
        try:
            ray.init(**options)
        except ConnectionError as error:
            raise UsageError(
                f"RAY_ADDRESS={os.environ.get('RAY_ADDRESS', '')}: no Ray cluster lets us in ({error}); start it, "
                "give this process its token (RAY_AUTH_MODE), or unset RAY_ADDRESS to use a local one"
            ) from None
        signal.signal(signal.SIGTERM, handler)  # Ray puts its own in place, which would skip our clean-up
        yield _mapper(ray, workers)
    finally:
        ray.shutdown()


def _mapper(ray: Any, workers: int) -> Mapper:
    def over_ray(function: Callable[[Any, Any], Any], shared: Any, items: Sequence[Any]) -> Iterator[Any]:
        task = ray.remote(max_retries=MAX_RETRIES, num_cpus=1)(function)
        common = ray.put(shared)
        pending: deque[Any] = deque()
        ahead = _AHEAD * max(workers, int(ray.cluster_resources().get("CPU", workers)))
        for item in items:
            pending.append(task.remote(common, item))
            if len(pending) > ahead:
                yield _result(ray, pending.popleft())
        while pending:
            yield _result(ray, pending.popleft())

    return over_ray


def _result(ray: Any, reference: Any) -> Any:
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None  # the error as the task raised it, without Ray's account of where
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError) as error:
        what = str(error).partition("\n")[0]
        raise Incomplete(f"a Ray worker died {MAX_RETRIES + 1} times on one task ({what}); run it again") from None
