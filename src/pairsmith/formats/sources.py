"""From the paths in the configuration to files: one file, a folder, or a pattern, and the name each goes by."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pairsmith.config import SourceConfig
from pairsmith.errors import InputError
from pairsmith.formats.files import SUFFIXES

__all__ = ["SourceFile", "find_files"]

_WILDCARDS = frozenset("*?[")
_PACKED = (".gz", ".gzip", ".zst", ".zstd")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a source. `name` is its own among the files of a run; `leaves_project`: a link led outside."""

    path: Path
    name: str
    config: SourceConfig
    leaves_project: bool = False


def find_files(sources: Sequence[SourceConfig], project: Path) -> list[SourceFile]:
    """All files of all sources: sources in their order, the files of one source by name; each file once.

    Raises:
        InputError: if a folder or pattern holds no file that can be read, or two files go by the same name.
    """
    found = [
        SourceFile(path, name, source, _leaves(path, project))
        for source in sources
        for path, name in _files_of(source, project)
    ]
    by_name: dict[str, SourceFile] = {}
    for file in found:
        first = by_name.setdefault(file.name, file)
        if (first.path, first.config) != (file.path, file.config):
            # made-up numbers would change with the order of sources, and with them who is said to have voted
            raise InputError(f"{first.path} and {file.path}: both are called {file.name!r}; give one source a `name`")
    return list(by_name.values())


def _files_of(source: SourceConfig, project: Path) -> Iterator[tuple[Path, str]]:
    path = project / Path(source.path).expanduser()
    if path.is_dir():
        base, files = path, [each for each in path.rglob("*") if each.is_file() and _is_known(each)]
    elif _WILDCARDS.intersection(source.path) and not path.exists():
        fixed = Path(*_fixed_parts(path))
        base, files = fixed, [each for each in fixed.glob(str(path.relative_to(fixed))) if each.is_file()]
    else:
        yield path, source.name or path.name
        return
    if not files:
        raise InputError(f"{path}: holds no file that can be read; expected names ending in {', '.join(SUFFIXES)}")
    for file in sorted(files):
        yield file, f"{source.name or base.name}/{file.relative_to(base).as_posix()}"


def _fixed_parts(path: Path) -> list[str]:
    """The parts of a path before the first one with a wildcard."""
    parts: list[str] = []
    for part in path.parts:
        if _WILDCARDS.intersection(part):
            break
        parts.append(part)
    return parts


def _is_known(path: Path) -> bool:
    name = path.name.lower()
    for suffix in _PACKED:
        name = name.removesuffix(suffix)
    return not name.startswith(".") and Path(name).suffix in SUFFIXES


def _leaves(path: Path, project: Path) -> bool:
    """Whether a path that looks as if it lay in the project leads outside by a link."""
    inside = path.absolute().is_relative_to(project.absolute())
    try:
        return inside and not path.resolve().is_relative_to(project.resolve())
    except (OSError, RuntimeError):  # a loop of links: opening the file will say so
        return False
