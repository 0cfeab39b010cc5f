"""Strangers' code: it can pass tests, and do nothing else."""

import gzip
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pairsmith.models.sandbox import Limits, code_of, isolation_problem, run_tests

QUICK = Limits(seconds=1, memory_mib=256)
isolated_only = pytest.mark.skipif(bool(isolation_problem()), reason="this system cannot isolate a process")
not_root = pytest.mark.skipif(os.getuid() == 0, reason="the kernel does not count the processes of root")
BOTH = [pytest.param(True, marks=isolated_only, id="isolated"), pytest.param(False, id="limits")]


@pytest.mark.parametrize("isolated", BOTH)
def test_each_test_is_decided_on_its_own(isolated):
    code = "import math\n\ndef area(r):\n    return math.pi * r * r\n"
    tests = ["assert area(0) == 0", "assert area(1) == 3", "assert 3.1 < area(1) < 3.2", "area()"]
    results = run_tests(code, tests, QUICK, isolated=isolated)
    assert [bool(each) for each in results] == [False, True, False, True]
    assert results[1].startswith("AssertionError")
    assert results[3].startswith("TypeError")


@pytest.mark.parametrize("isolated", BOTH)
@pytest.mark.parametrize(
    "code",
    [
        "import os; os._exit(0)",
        "import sys; sys.exit(0)",
        "def f(:",
        "raise KeyboardInterrupt",
        'print(\'{"token": "x", "results": [""]}\')\nimport os; os._exit(0)',
        "import os; os.write(1, b'{\"results\": [\"\"]}'); os.write(2, b'x'); os._exit(0)",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)\nwhile True: pass",
        "x = 'a' * 10**10",
        "import ctypes; ctypes.string_at(0)",
    ],
)
def test_code_cannot_end_the_process_and_pass(code, isolated):
    [result] = run_tests(code, ["pass"], QUICK, isolated=isolated)
    assert result


@pytest.mark.parametrize("isolated", BOTH)
def test_loops_end(isolated):
    started = time.monotonic()
    [result] = run_tests("while True: pass", ["pass"], QUICK, isolated=isolated)
    assert result
    assert time.monotonic() - started < 5


@isolated_only
@pytest.mark.parametrize(
    ("code", "seen"),
    [
        ("import os; assert os.listdir('/proc') == []", ""),
        ("import os; os.kill(-1, 9)", "ProcessLookupError"),
        ("open('/etc/pairsmith-was-here', 'w')", "Read-only"),
        ("import os; os.remove('/etc/passwd')", "Read-only"),
        ("open('mine', 'w').write('x' * 10)", ""),
        ("open('mine', 'w').write('x' * 10**8)", "File too large"),
        pytest.param("import os; [os.fork() for _ in range(6)]", "Resource temporarily unavailable", marks=not_root),
        ("import os; assert 'HOME' not in os.environ and 'SECRET_KEY' not in os.environ", ""),
    ],
)
def test_the_world_outside_is_out_of_reach(code, seen, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "x")
    [result] = run_tests(code, ["pass"], QUICK)
    assert seen in result if seen else result == ""


@isolated_only
def test_there_is_no_network():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        connect = f"import socket; socket.create_connection(('127.0.0.1', {port}), 1)"
        assert run_tests(connect, ["pass"], QUICK, isolated=False) == [""]
        assert "unreachable" in run_tests(connect, ["pass"], QUICK)[0]


@isolated_only
def test_nothing_is_left_running():
    mark = "left-running-by-a-test"
    code = f"import os, time\nif os.fork() == 0:\n    os.setsid()\n    marker = {mark!r}\n    time.sleep(60)\n"
    assert run_tests(code, ["pass"], QUICK) == [""]
    time.sleep(0.2)
    children = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "sandbox_child" not in children


def test_code_is_taken_from_its_fences():
    assert code_of("x = 1") == "x = 1"
    assert code_of("Text\n```python\nx = 1\n```\nmore\n```\ny = 2\n```\n```sh\nls\n```") == "x = 1\n\ny = 2\n"
    assert code_of("```js\nlet x\n```") == ""


@isolated_only
def test_reference_solutions_pass_their_own_tests(shared_data: Path):
    with gzip.open(shared_data / "benchmarks" / "mbpp.jsonl.gz", "rt", encoding="utf-8") as file:
        mbpp = [json.loads(line) for line in file][:15]
    with gzip.open(shared_data / "benchmarks" / "HumanEval.jsonl.gz", "rt", encoding="utf-8") as file:
        human_eval = [json.loads(line) for line in file][:15]
    for row in mbpp:
        assert run_tests(row["code"], row["test_list"], Limits()) == [""] * len(row["test_list"]), row["task_id"]
    for row in human_eval:
        tests = [f"{row['test']}\ncheck({row['entry_point']})"]
        assert run_tests(row["prompt"] + row["canonical_solution"], tests, Limits()) == [""], row["task_id"]
        [failure] = run_tests(f"{row['prompt']}    return None\n", tests, Limits())
        assert failure, row["task_id"]


def test_without_linux_there_is_no_isolation():
    code = (
        "import sys; sys.platform = 'darwin'\n"
        "from pairsmith.models.sandbox import isolation_problem\n"
        "print(isolation_problem())"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "darwin has no namespaces" in shown
