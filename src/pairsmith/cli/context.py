"""What every verb starts from: the project folder, the overrides, and how to print."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from pairsmith.config import Config
    from pairsmith.ledger import Ledger

__all__ = ["Settings", "settings_of"]

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

    @contextmanager
    def ledger(self) -> Iterator["Ledger"]:
        """The ledger of the project, created if it is not there."""
        from pairsmith.ledger import LEDGER_FILE, Ledger

        with Ledger.open(self.project / LEDGER_FILE) as ledger:
            yield ledger


def settings_of(context: typer.Context) -> Settings:
    """The global options of a running command."""
    settings = context.obj
    if not isinstance(settings, Settings):
        raise TypeError("the command was started without its global options")
    return settings
