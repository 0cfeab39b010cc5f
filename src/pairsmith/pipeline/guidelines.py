"""The annotation guidelines of a project: `guidelines/v1.md`, `v2.md`, ...; the newest is in force."""

import hashlib
import re
from pathlib import Path

__all__ = ["GUIDELINES_FOLDER", "guideline"]

GUIDELINES_FOLDER = "guidelines"


def guideline(project: Path) -> tuple[str, str]:
    """Version and text of the guidelines in force; both empty if there are none.

    The version is file name and content hash, such as `v2-1a2b3c4d`. It is part of the id of every vote of people and
    judges: changed guidelines ask their questions anew.
    """
    numbered = [
        (int(match[1]), path)
        for path in (project / GUIDELINES_FOLDER).glob("v*.md")
        if (match := re.fullmatch(r"v(\d+)", path.stem))
    ]
    if not numbered:
        return "", ""
    _, newest = max(numbered)
    content = newest.read_bytes()
    return f"{newest.stem}-{hashlib.sha256(content).hexdigest()[:8]}", content.decode("utf-8", "replace")
