"""What every verb starts from: the project folder, the overrides, and how to print."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from pairsmith.config import Config
    from pairsmith.ledger import Ledger

__all__ = ["Settings", "printable", "settings_of"]

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """Text from data or from a file name without what could move the cursor, colour the screen or reverse the line."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


@dataclass(frozen=True, slots=True)
class Settings:
    """The global options."""

    project: Path
    overrides: tuple[str, ...] = ()
    json: bool = False
    verbosity: int = 0

    def config(self) -> "Config":
        """The configuration of the project, overrides applied."""
        from pairsmith.config import load_config

        return load_config(self.project, self.overrides)

    def check_project(self) -> None:
        """Refuse a folder that is no project, so that nothing is created in one that was named by mistake."""
        from pairsmith.config import CONFIG_FILE, no_config

        if not (self.project / CONFIG_FILE).exists():
            raise no_config(self.project)

    @contextmanager
    def ledger(self) -> Iterator["Ledger"]:
        """The ledger of the project, created if it is not there."""
        from pairsmith.ledger import LEDGER_FILE, Ledger

        self.check_project()
        with Ledger.open(self.project / LEDGER_FILE) as ledger:
            yield ledger

    @contextmanager
    def ledger_to_read(self) -> Iterator["Ledger"]:
        """The same for verbs that write nothing: they work where nothing may be written."""
        from pairsmith.ledger import LEDGER_FILE, Ledger

        path = self.project / LEDGER_FILE
        if not path.exists() or (os.access(path, os.W_OK) and os.access(self.project, os.W_OK)):
            with self.ledger() as ledger:
                yield ledger
            return
        self.check_project()
        with Ledger.open_read_only(path) as ledger:
            yield ledger


def settings_of(context: typer.Context) -> Settings:
    """The global options of a running command."""
    settings = context.obj
    if not isinstance(settings, Settings):
        raise TypeError("the command was started without its global options")
    return settings
