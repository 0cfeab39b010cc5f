"""Runs strangers' code: shuts itself in, then runs the code and its tests. A script, started by `sandbox`.

It is started with nothing of Pairsmith on its path. One JSON object comes in on stdin; the result goes out on what was
stdout when it started, marked with a token that came with the job, so that the code cannot end the process and pass.
"""

import ctypes
import json
import os
import resource
import signal
import sys
from typing import Any

__all__ = ["main"]

_NEW = {"user": 0x10000000, "net": 0x40000000, "mount": 0x00020000, "pid": 0x20000000, "ipc": 0x08000000}
_MS_REC, _MS_PRIVATE, _MS_NOSUID, _MS_NODEV = 0x4000, 0x40000, 0x2, 0x4
_AT_FDCWD, _AT_RECURSIVE, _ATTR_RDONLY = -100, 0x8000, 0x1
_SYS_MOUNT_SETATTR = 442
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_NOBODY = 65534
_HIDDEN = ("/proc", "/run", "/dev/shm")  # noqa: S108 - processes of others, sockets, shared memory
_SCRATCH = "/tmp"  # noqa: S108 - its own, in memory


def main() -> None:
    """Read the job, shut the door, run it."""
    job = json.loads(sys.stdin.buffer.read())
    out = os.dup(1)
    try:
        if job["isolated"]:
            _leave_the_world(job["scratch_mib"])
        _limit(job)
    except OSError as error:
        os.write(out, json.dumps({"token": job["token"], "refused": str(error)}).encode())
        return
    _silence()
    result = _run(job)
    os.write(out, json.dumps({"token": job["token"], "results": result}).encode())
    os._exit(0)


def _leave_the_world(scratch_mib: int) -> None:
    """No network, no other processes, nothing on disk to change: new namespaces, and a fork to enter the last."""
    libc = ctypes.CDLL(None, use_errno=True)
    # The kernel does not count the processes of root, and root may read everything.
    if os.getuid() == 0 and _nobody_can_import():
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)
        libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)  # else its own uid_map would not be its own
    uid, gid = os.getuid(), os.getgid()
    _check(libc, libc.unshare(sum(_NEW.values())), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123 - pathlib would be one more import to trust
            file.write(text)
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        os._exit(0)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _check(libc, libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None), "private mounts")
    attributes = (ctypes.c_uint64 * 4)(_ATTR_RDONLY, 0, 0, 0)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    done = libc.syscall(_SYS_MOUNT_SETATTR, _AT_FDCWD, b"/", _AT_RECURSIVE, ctypes.byref(attributes), size)
    _check(libc, done, "read-only mounts")
    inside_scratch = sys.base_prefix.startswith(_SCRATCH + "/")
    for place in (*_HIDDEN, *(() if inside_scratch else (_SCRATCH,))):
        if os.path.isdir(place):  # noqa: PTH112
            options = f"size={scratch_mib}m,mode=700".encode()
            _check(libc, libc.mount(b"none", place.encode(), b"tmpfs", _MS_NOSUID | _MS_NODEV, options), place)
    os.chdir("/" if inside_scratch else _SCRATCH)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _nobody_can_import() -> bool:
    """Whether the standard library can be read without being root; it may lie in the home of root."""
    os.seteuid(_NOBODY)
    try:
        os.listdir(os.path.dirname(os.__file__))  # noqa: PTH120, PTH208
    except OSError:
        return False
    finally:
        os.seteuid(0)
    return True


def _check(libc: Any, result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    del libc


def _limit(job: dict[str, Any]) -> None:
    memory, files = job["memory_mib"] * 2**20, job["scratch_mib"] * 2**20
    limits = {
        resource.RLIMIT_CPU: job["seconds"],
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_FSIZE: files,
        resource.RLIMIT_NOFILE: 32,
        resource.RLIMIT_CORE: 0,
    }
    for which, most in limits.items():
        resource.setrlimit(which, (most, most))
    if job["isolated"]:  # elsewhere the limit would count all processes of the user
        resource.setrlimit(resource.RLIMIT_NPROC, (16, 16))


def _silence() -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)


def _run(job: dict[str, Any]) -> list[str]:
    """For each test an empty text, or why it failed; one text alone if the code itself failed."""
    space: dict[str, Any] = {"__name__": "solution"}
    problem = _problem(job["code"], space)
    if problem:
        return [f"the code fails: {problem}"] * len(job["tests"])
    return [_problem(test, space) for test in job["tests"]]


def _problem(code: str, space: dict[str, Any]) -> str:
    try:
        exec(compile(code, "response", "exec"), space)  # noqa: S102 - what this process is for
    except BaseException as error:  # SystemExit and KeyboardInterrupt of strangers are failures like any other
        return f"{type(error).__name__}: {str(error)[:200]}"
    return ""


if __name__ == "__main__":
    main()
