"""The annotation guidelines of a project: `guidelines/v1.md`, `v2.md`, ...; the newest is in force."""

import hashlib
import re
from pathlib import Path

__all__ = ["GUIDELINES_FOLDER", "guideline_version"]

GUIDELINES_FOLDER = "guidelines"


def guideline_version(project: Path) -> str:
    """Name and content hash of the guidelines in force, such as `v2-1a2b3c4d`; empty if there are none.

    It is part of every vote's id: changed guidelines ask every question anew.
    """
    numbered = [
        (int(match[1]), path)
        for path in (project / GUIDELINES_FOLDER).glob("v*.md")
        if (match := re.fullmatch(r"v(\d+)", path.stem))
    ]
    if not numbered:
        return ""
    _, newest = max(numbered)
    return f"{newest.stem}-{hashlib.sha256(newest.read_bytes()).hexdigest()[:8]}"
