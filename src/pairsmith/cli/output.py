"""Printing: results on standard output, everything else on standard error; colour and bars only on a terminal."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pairsmith.cli.context import Settings, printable
from pairsmith.records import Progress

__all__ = ["Output"]

WIDTH_OF_FILES = 160  # for tables when nobody says how wide the page is
_STATE_STYLE = {"pass": "green", "fail": "bold red", "not_evaluated": "yellow"}


class Output:
    """Where a verb says what it did: as text for people, or with `--json` as one JSON document."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._out = Console(highlight=False)
        self._err = Console(stderr=True, highlight=False)
        if not self._out.is_terminal:
            self._out.width = WIDTH_OF_FILES

    def document(self, value: Mapping[str, Any]) -> None:
        """Print the JSON document, if that was asked for."""
        if self._settings.json:
            plain = (self._out.encoding or "").lower().replace("-", "") != "utf8"
            self._out.file.write(json.dumps(value, indent=1, ensure_ascii=plain, allow_nan=False) + "\n")

    def line(self, text: str = "", style: str = "") -> None:
        """One line for a person."""
        if self._talks:
            self._out.print(escape(printable(text)), style=style or None, soft_wrap=True)

    def note(self, text: str) -> None:
        """A remark on standard error, shown with `-v`."""
        if self._settings.verbosity > 0:
            self._err.print(escape(printable(text)), style="dim", soft_wrap=True)

    def table(self, title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
        """A small table for a person."""
        if self._talks and rows:
            table = Table(title=escape(title), title_justify="left", box=None, pad_edge=False, title_style="bold")
            for index, column in enumerate(columns):
                table.add_column(column, overflow="fold", no_wrap=index == 0)
            for row in rows:
                table.add_row(*(escape(printable(cell)) for cell in row))
            self._out.print(table)

    def progress_of(self, progress: Progress) -> None:
        """What a collecting stage did."""
        done = f"{progress.new:,} new, {progress.present:,} there before, {progress.wanted:,} wanted"
        failed = f", {progress.failed:,} failed" if progress.failed else ""
        idle = not progress.wanted and progress.notes
        self.line(f"{progress.stage:<9} {'nothing to do' if idle else done + failed}")
        for note in progress.notes:
            self.line(f"          {note}", style="dim")

    def gate(self, gate: Mapping[str, Any]) -> None:
        """The verdict and every criterion."""
        self.line()
        self.line("Gate: PASSED" if gate["passed"] else "Gate: FAILED", "bold green" if gate["passed"] else "bold red")
        if not self._talks:
            return
        table = Table(box=None, pad_edge=False)
        for column in ("criterion", "value", "target", "state", ""):
            table.add_column(column, overflow="fold")
        for each in gate["criteria"]:
            state = each["state"]
            words = " ".join(filter(None, (each["reason"], each["remedy"] and f"-> {each['remedy']}")))
            table.add_row(
                each["name"],
                _number(each["value"]),
                _target(each["threshold"]),
                f"[{_STATE_STYLE[state]}]{state.replace('_', ' ')}[/]",
                escape(printable(words)),
            )
        self._out.print(table)

    @contextmanager
    def bar(self, what: str) -> Iterator[Callable[[int, int, str], None]]:
        """A progress bar on standard error while the block runs; call what it yields with (done, total, remark)."""
        if not (self._talks and self._err.is_terminal):
            yield lambda *_: None
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description:<9}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[remark]}", style="dim", markup=False),
        )
        with Progress(*columns, console=self._err, transient=True) as bars:
            task = bars.add_task(what, total=None, remark="")
            yield lambda done, total, remark: bars.update(task, completed=done, total=total, remark=remark)

    @property
    def _talks(self) -> bool:
        return not self._settings.json and self._settings.verbosity >= 0


def _number(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


def _target(value: Any) -> str:
    return "yes" if value is True else f">= {value:,}" if isinstance(value, int) else f">= {value:g}"
