"""The page in a real browser: no text of a dataset runs, whatever it says."""

import shutil
import subprocess
from pathlib import Path

import pytest

from pairsmith.report.html import render_report
from tests.report.example import XSS, gate, metrics
from tests.report.pages import hostile

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --virtual-time-budget=2000"
)


def _dump(page: Path, profile: Path) -> str:
    command = [str(CHROMIUM), *FLAGS.split(), f"--user-data-dir={profile}", "--dump-dom", page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_nothing_runs_in_a_browser(tmp_path: Path) -> None:
    control = tmp_path / "control.html"
    control.write_text(f"<title>calm</title>{XSS[0]}", encoding="utf-8")
    assert "<title>owned</title>" in _dump(control, tmp_path / "profile")

    found = hostile(metrics())
    found["samples"]["random"] += [
        {"pair_id": payload, "prompt": payload, "chosen": payload, "rejected": payload, "level": payload}
        for payload in XSS
    ]
    found["dataset"]["name"] = "calm"
    page = tmp_path / "report.html"
    page.write_text(render_report(found, hostile(gate("fail"))), encoding="utf-8")
    dom = _dump(page, tmp_path / "profile")
    assert "<title>Gate failed – calm – Pairsmith report</title>" in dom
    assert "<script" not in dom.lower()
    assert "<h1>broken page" not in dom
