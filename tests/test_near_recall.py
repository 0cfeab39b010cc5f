"""The bars of decontamination with all its stages, as the benchmark measures them (docs/reference/benchmarks.md)."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pairsmith.models.minilm import MiniLMEmbedder
from tests.models.test_embedders import minilm

__all__ = ["minilm"]

BENCHMARK = Path(__file__).resolve().parents[1] / "benchmarks" / "contamination_recall.py"


@pytest.mark.slow
def test_recall_and_false_accusations_of_all_stages(
    shared_data: Path, tmp_path_factory: pytest.TempPathFactory, minilm: MiniLMEmbedder
) -> None:
    cache = tmp_path_factory.mktemp("vectors")
    command = [sys.executable, str(BENCHMARK), str(shared_data), "--semantic", str(cache), "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    recall, accused = found["recall"], found["accused"]
    assert min(recall[kind] for kind in ("exact", "case", "wrapped", "in_response")) >= 0.98
    assert min(recall[kind] for kind in ("short_exact", "short_wrapped")) >= 0.92
    assert recall["edit10"] >= 0.75
    assert recall["edit30"] >= 0.95
    assert recall["rephrased_gsm8k"] >= 0.90
    assert accused["generic"] <= 0.003
    assert accused["hard"] <= 0.004
    assert found["arena_leaks"] == [8, 8]
