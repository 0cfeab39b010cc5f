"""What `init` and `demo` put into a new project folder."""

import shutil
from importlib import resources
from pathlib import Path

from pairsmith.builds import write_atomically
from pairsmith.config import CONFIG_FILE
from pairsmith.errors import UsageError
from pairsmith.pipeline.facts import BENCHMARKS_FOLDER
from pairsmith.pipeline.guidelines import GUIDELINES_FOLDER

__all__ = ["start_demo", "start_project"]


def start_project(project: Path) -> list[Path]:
    """Make a project folder with a commented configuration and first guidelines; returns what was made.

    Raises:
        UsageError: if there is a configuration already, or the folder cannot be made.
    """
    template = resources.files("pairsmith.cli") / "templates"
    files = {
        project / CONFIG_FILE: (template / CONFIG_FILE).read_bytes(),
        project / GUIDELINES_FOLDER / "v1.md": (template / "guidelines.md").read_bytes(),
        project / BENCHMARKS_FOLDER / "README.md": (template / "benchmarks.md").read_bytes(),
    }
    taken = [path for path in files if path.exists()]
    if taken:
        raise UsageError(f"{taken[0]}: exists already; choose another folder, nothing was changed")
    try:
        for path, data in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, data)
    except OSError as error:
        raise UsageError(f"{project}: cannot be written ({error.strerror}); choose a folder you may write to") from None
    return list(files)


def start_demo(project: Path) -> None:
    """Put the demonstration into a folder; a demonstration that is there already is continued.

    Raises:
        UsageError: if the folder holds something else, or cannot be made.
    """
    source = resources.files("pairsmith.demo")
    with resources.as_file(source) as folder:
        config = (folder / CONFIG_FILE).read_bytes()
        present = project / CONFIG_FILE
        if present.exists():
            if present.read_bytes() != config:
                raise UsageError(f"{present}: is not the demonstration's; choose another folder")
            return
        try:
            project.mkdir(parents=True, exist_ok=True)
            for name in ("prompts.jsonl", "LICENCES.md"):
                write_atomically(project / name, (folder / name).read_bytes())
            shutil.copytree(folder / BENCHMARKS_FOLDER, project / BENCHMARKS_FOLDER, dirs_exist_ok=True)
            write_atomically(present, config)  # last: its presence says that the rest is there
        except OSError as error:
            raise UsageError(f"{project}: cannot be written ({error.strerror}); choose another folder") from None
