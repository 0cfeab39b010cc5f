"""Builds: immutable directories whose manifest is written last."""

from pairsmith.builds.files import write_atomically
from pairsmith.builds.store import (
    BUILDS_FOLDER,
    LATEST,
    MANIFEST_FILE,
    Build,
    builds_of,
    find_build,
    latest_build,
    make_latest,
    write_build,
)

__all__ = [
    "BUILDS_FOLDER",
    "LATEST",
    "MANIFEST_FILE",
    "Build",
    "builds_of",
    "find_build",
    "latest_build",
    "make_latest",
    "write_atomically",
    "write_build",
]
