"""How a project stands: what its ledger holds, what is left to do, and whether the last build is up to date."""

from pathlib import Path
from typing import Any

from pairsmith.builds import Build, builds_of
from pairsmith.config import Config
from pairsmith.ledger import Ledger
from pairsmith.pipeline.building import fingerprint_now
from pairsmith.pipeline.collecting import left_to_do

__all__ = ["standing"]


def standing(project: Path, config: Config, ledger: Ledger) -> dict[str, Any]:
    """The content of `pairsmith status`."""
    newest = next(builds_of(project), None)
    problems = newest.problems() if newest else []
    return {
        "position": ledger.position(),
        "facts": ledger.counts(),
        "left": left_to_do(project, config, ledger),
        "build": newest
        and {
            "path": str(newest.path),
            "current": newest.fingerprint == fingerprint_now(project, config, ledger),
            "gate": newest.read_json("gate.json")["passed"],
            "parts": {} if problems else _parts(newest),
            "problems": problems,
        },
    }


def _parts(build: Build) -> dict[str, int]:
    """Pairs by part."""
    parts = build.read_json("split/metrics.json")["split"]["parts"]
    return {name: part["pairs"] for name, part in parts.items()}
