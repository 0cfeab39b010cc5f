"""Is another process still there?"""

import os

__all__ = ["is_alive"]


def is_alive(pid: int) -> bool:
    """Whether a process with this number runs on this host, whoever owns it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
