"""Stage 1, collect: read files of prompts, candidates and votes, and store what they hold as facts.

A file is done when its `Intake` is in the ledger, and that is written last: a run that was killed reads the file
again, and every fact that is there already is recognised by its id.
"""

import asyncio
import dataclasses
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pairsmith.config import CollectConfig
from pairsmith.errors import InputError
from pairsmith.formats.files import read_rows
from pairsmith.formats.opening import check_file, sha256_of, verify
from pairsmith.formats.parsers import PARSERS, guess_format, guesses
from pairsmith.formats.quarantine import Quarantine
from pairsmith.formats.repeats import without_repeats
from pairsmith.formats.rows import BadRow, Parsed, ReadTally, Row, SourceContext
from pairsmith.formats.sources import SourceFile, find_files
from pairsmith.ledger import Ledger, lease
from pairsmith.records import Fact, Intake, Progress, Rejected

__all__ = ["collect", "unread_files"]

BATCH_ROWS = 500
HEAD_ROWS = 200
READER_VERSION = 3  # part of the id of an intake: raise it when files would be read differently

Transform = Callable[[Parsed], Parsed | BadRow]


@dataclass(slots=True)
class _Reading:
    """What reading one file came to so far."""

    file: SourceFile
    intake_id: str
    sha256: str
    stamp: tuple[int, ...]
    format: str = ""
    good: int = 0
    rejected: int = 0
    new_facts: int = 0
    tally: ReadTally = field(default_factory=ReadTally)
    warnings: Counter[str] = field(default_factory=Counter)
    score_values: dict[str, float] = field(default_factory=dict)

    @property
    def context(self) -> SourceContext:
        """What the configuration says about the source, under the name of this file."""
        config = self.file.config
        return SourceContext(self.file.name, config.licence, config.category, config.language, config.annotator_kind)

    def intake(self) -> Intake:
        """The fact that closes the file."""
        warnings = self.warnings + self.tally.notes
        counted = {code: warnings[code] for code in sorted(warnings)}
        name, tally = self.file.name, self.tally
        return Intake(self.intake_id, name, self.sha256, tally.rows, self.good, self.rejected, tally.blank, counted)


async def collect(
    cfg: CollectConfig,
    ledger: Ledger,
    *,
    project: Path,
    transform: Transform | None = None,
    notify: Callable[[int, int], None] | None = None,
    batch_rows: int = BATCH_ROWS,
) -> Progress:
    """Read every source that was not read before, with the same content and settings.

    Args:
        cfg: the sources, in order.
        ledger: where the facts go, in the order of the files.
        project: folder that paths start from; unusable rows are listed in its `quarantine` folder.
        transform: applied to every good row with a prompt or an edit before it is stored; may refuse the row.
        notify: called with rows done and the estimated total.
        batch_rows: rows stored in one transaction; changes the order of facts within a batch, and nothing else.

    Returns:
        `wanted`, `present` (good rows of files read before), `new` (good rows) and `failed` (rejected) in rows;
        `details` holds the figures of every file, `notes` one line per file for people.

    Raises:
        InputError: if a file cannot be used as a whole; facts of earlier files stay.
        LeaseHeld: if another process is collecting in this project.
    """
    with lease(ledger, "collect"):
        files = find_files(cfg.sources, project)
        known = {intake.id: intake for intake in ledger.read(Intake)}
        readings = [_begin(file, cfg) for file in files]
        todo = [reading for reading in readings if reading.intake_id not in known]
        lines = {reading.intake_id: verify(reading.file.path) for reading in todo}
        meter = _Meter(sum(lines.values()), notify)
        done = dict(known)
        for reading in todo:
            if reading.intake_id not in done:  # the same file may be named twice
                done[reading.intake_id] = await _read(reading, ledger, project, transform, meter, batch_rows)
        return _progress(cfg, readings, known, done)


def unread_files(cfg: CollectConfig, ledger: Ledger, project: Path) -> list[str]:
    """The names of the files `collect` would read.

    Raises:
        InputError: if a file cannot be used as a whole.
    """
    known = ledger.ids(Intake)
    readings = [_begin(file, cfg) for file in find_files(cfg.sources, project)]
    return [reading.file.name for reading in readings if reading.intake_id not in known]


def _begin(file: SourceFile, cfg: CollectConfig) -> _Reading:
    settings = {
        **file.config.model_dump(mode="json", exclude={"path", "name"}),
        "unsafe": cfg.unsafe,
        "reader": READER_VERSION,
    }
    check_file(file.path)
    stamp = _stamp(file.path)
    sha256 = sha256_of(file.path)
    return _Reading(file, Intake.asked_id(file.name, sha256, settings), sha256, stamp)


def _stamp(path: Path) -> tuple[int, ...]:
    """Changes when somebody writes to the file."""
    info = path.stat()
    return info.st_size, info.st_mtime_ns, info.st_ino


class _Meter:
    """Counts rows for a progress bar; the total is an estimate that is never exceeded."""

    def __init__(self, total: int, notify: Callable[[int, int], None] | None) -> None:
        self._total = total
        self._done = 0
        self._notify = notify

    def add(self, rows: int) -> None:
        """Some more rows are done."""
        self._done += rows
        if self._notify is not None:
            self._notify(self._done, max(self._total, self._done))


async def _read(
    reading: _Reading,
    ledger: Ledger,
    project: Path,
    transform: Transform | None,
    meter: _Meter,
    batch_rows: int,
) -> Intake:
    with Quarantine(project, reading.file.name) as quarantine:
        items = _parsed(reading)
        while batch := list(itertools.islice(items, batch_rows)):
            facts: list[Fact] = []
            for item in batch:
                checked = _check(item, reading, transform)
                if isinstance(checked, BadRow):
                    reading.rejected += 1
                    quarantine.add(checked)
                    facts.append(_rejected(checked, reading))
                else:
                    reading.good += 1
                    reading.warnings.update(checked.warnings)
                    facts += _facts(checked)
            appended = ledger.append(facts)
            reading.new_facts += appended.new
            if appended.conflicts:
                reading.warnings["stored_otherwise"] += len(appended.conflicts)
            meter.add(len(batch))
            await asyncio.sleep(0)  # lets a progress display or an interrupt through
        _settle(reading)
    intake = reading.intake()
    ledger.append([intake])
    return intake


def _settle(reading: _Reading) -> None:
    """The books of a file must balance, and the file must be the one that was hashed."""
    path = reading.file.path
    if _stamp(path) != reading.stamp:
        raise InputError(f"{path}: was changed while it was read; run again when nothing writes to it")
    reading.good += reading.warnings["duplicate_row"]  # accounted for by the row they repeat
    if reading.tally.rows != reading.good + reading.rejected:
        raise InputError(
            f"{path}: {reading.tally.rows} rows read, but {reading.good} good and {reading.rejected} rejected: "
            "the parser of this format loses or invents rows; please report it"
        )


def _parsed(reading: _Reading) -> Iterator[Parsed | BadRow]:
    config = reading.file.config
    rows = read_rows(reading.file.path, tally=reading.tally, as_text=config.format == "text")
    if config.limit is not None:
        rows = itertools.islice(rows, config.limit)
    head = list(itertools.islice(rows, HEAD_ROWS))
    reading.format = config.format if config.format != "auto" else _guess(head, reading)
    if reading.file.leaves_project:
        reading.warnings["outside_project"] += 1
    rest = without_repeats(itertools.chain(head, rows), reading.warnings, ids_are_unique=reading.format != "votes")
    return PARSERS[reading.format](rest, reading.context)


def _guess(head: list[Row | BadRow], reading: _Reading) -> str:
    good = [row for row in head if isinstance(row, Row)]
    try:
        guessed = guess_format(good)
    except InputError as error:
        raise InputError(f"{reading.file.path}: {error}") from None
    reading.warnings["mixed_schemas"] += len(guesses(good)) > 1
    return "text" if guessed == "prompts" and reading.file.path.suffix == ".txt" else guessed


def _check(item: Parsed | BadRow, reading: _Reading, transform: Transform | None) -> Parsed | BadRow:
    """A row after `transform`, unless it contradicts an earlier one."""
    if isinstance(item, BadRow):
        return item
    wished = reading.file.config.anonymise
    item = dataclasses.replace(item, anonymise=reading.format == "chat" if wished is None else wished)
    if transform is not None and (item.prompt is not None or item.edits):
        changed = transform(item)
        if isinstance(changed, BadRow):
            return changed
        item = changed
    for score in item.scores:
        if reading.score_values.setdefault(score.id, score.value) != score.value:
            detail = f"{score.value} here, {reading.score_values[score.id]} in an earlier row, by {score.scorer}"
            return BadRow(item.line, "score", "conflicting_fact", detail)
    return item


def _facts(parsed: Parsed) -> Iterator[Fact]:
    if parsed.prompt is not None:
        yield parsed.prompt
    yield from parsed.candidates
    yield from parsed.comparisons
    yield from parsed.scores
    yield from parsed.annotations


def _rejected(row: BadRow, reading: _Reading) -> Rejected:
    return Rejected.of(reading.file.name, reading.sha256, row.line, row.field, row.reason, row.detail)


def _progress(
    cfg: CollectConfig, readings: list[_Reading], known: Mapping[str, Intake], done: Mapping[str, Intake]
) -> Progress:
    unique = list({reading.intake_id: reading for reading in readings}.values())
    intakes = [done[reading.intake_id] for reading in unique]
    return Progress(
        "collect",
        wanted=sum(intake.rows for intake in intakes),
        present=sum(intake.good for intake in intakes if intake.id in known),
        new=sum(intake.good for intake in intakes if intake.id not in known),
        failed=sum(intake.rejected for intake in intakes),
        notes=tuple(_note(reading, done[reading.intake_id], reading.intake_id in known, cfg) for reading in unique),
        details={
            intake.source: {
                "format": reading.format,
                "rows": intake.rows,
                "good": intake.good,
                "rejected": intake.rejected,
                "blank": intake.blank,
                "new_facts": reading.new_facts,
                "warnings": dict(intake.warnings),
                "red": _is_red(intake, cfg),
            }
            for reading, intake in zip(unique, intakes, strict=True)
        },
    )


def _is_red(intake: Intake, cfg: CollectConfig) -> bool:
    return intake.rejected > cfg.max_rejected * intake.rows


def _note(reading: _Reading, intake: Intake, was_known: bool, cfg: CollectConfig) -> str:
    how = "read before" if was_known else f"read as {reading.format}"
    note = f"{intake.source}: {how}, {intake.good:,} of {intake.rows:,} rows good"
    if intake.rejected:
        note += f", {intake.rejected:,} rejected (listed in {Quarantine.place(intake.source)})"
    if intake.warnings:
        note += "; warnings: " + ", ".join(f"{code} {count:,}" for code, count in sorted(intake.warnings.items()))
    if _is_red(intake, cfg):
        note = f"red: {note}; more than {cfg.max_rejected:.1%} of the rows are unusable (collect.max_rejected)"
    return note
