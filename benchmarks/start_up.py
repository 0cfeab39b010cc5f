"""How long `pairsmith --help` takes from start to end: the median of several starts, beside a bare interpreter.

python benchmarks/start_up.py [STARTS]
"""

import statistics
import subprocess
import sys
import time

STARTS = int(sys.argv[1]) if len(sys.argv) > 1 else 15
TARGET_S = 0.8
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "pairsmith --help": [sys.executable, "-m", "pairsmith", "--help"],
    "pairsmith --version": [sys.executable, "-m", "pairsmith", "--version"],
}


def seconds(command: list[str]) -> float:
    """The duration of one start."""
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def main() -> None:
    """Measure each command in turn, so that a busy machine slows all of them alike."""
    for command in COMMANDS.values():
        seconds(command)  # compiles and warms the file cache
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(STARTS):
        for name, command in COMMANDS.items():
            taken[name].append(seconds(command))
    for name, times in taken.items():
        print(f"{name:<22} median {statistics.median(times):.3f} s, fastest {min(times):.3f} s, {STARTS} starts")
    median = statistics.median(taken["pairsmith --help"])
    print(f"target for --help: below {TARGET_S} s: {'met' if median < TARGET_S else 'MISSED'}")


if __name__ == "__main__":
    main()
