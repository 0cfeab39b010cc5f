"""What waits for people, as a sheet for one person: blind, sides in random order, in an order drawn by seed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pairsmith.builds import write_atomically
from pairsmith.config import Config
from pairsmith.errors import UsageError
from pairsmith.formats.sheets import SheetRow, sheet_text
from pairsmith.ids import seed_for
from pairsmith.ledger import Ledger
from pairsmith.pipeline.building import derive_now
from pairsmith.pipeline.facts import Facts
from pairsmith.pipeline.guidelines import guideline
from pairsmith.records import Candidate, Message, Queued, Side

__all__ = ["make_sheet"]

_SUFFIXES: Final = (".csv", ".jsonl")


def make_sheet(
    project: Path, config: Config, ledger: Ledger, annotator: str, path: Path, *, why: str = "", force: bool = False
) -> list[SheetRow]:
    """Write what waits for a vote and this person has not voted on; returns the rows.

    Args:
        project: the project folder.
        config: its configuration.
        ledger: its facts.
        annotator: name of the person, who stands in every row.
        path: file to write, `.csv` or `.jsonl`.
        why: only what waits for this reason; by default everything.
        force: overwrite the file.

    Raises:
        UsageError: for a file that is there already, another kind of file, or an empty name.
    """
    name = annotator.strip()
    if not name:
        raise UsageError("the name of the annotator is empty; give the name or pseudonym that votes are stored under")
    if path.suffix.lower() not in _SUFFIXES:
        raise UsageError(f"{path}: a sheet is a .csv or a .jsonl file; end the name with one of these")
    if path.exists() and not force:
        raise UsageError(f"{path}: exists already, maybe with answers in it; choose another name, or --force")
    derived, facts = derive_now(project, config, ledger)
    voted = {vote.comparison_id for vote in facts.annotations if vote.annotator == name}
    waiting = [
        each
        for each in derived.queued
        if each.needs == "vote" and each.comparison_id not in voted and why in ("", each.why)
    ]
    rows = _rows(config.seed, facts, waiting, name, guideline(project)[0])
    if rows:
        try:
            write_atomically(path, sheet_text(rows, table=path.suffix.lower() == ".csv").encode("utf-8"))
        except OSError as error:
            raise UsageError(f"{path}: cannot be written ({error.strerror}); choose another place") from None
    return rows


def _rows(seed: int, facts: Facts, waiting: Sequence[Queued], name: str, version: str) -> list[SheetRow]:
    prompts = {prompt.id: prompt for prompt in facts.prompts}
    comparisons = {comparison.id: comparison for comparison in facts.comparisons}
    rows = []
    # Neither why a comparison waits nor which side is whose shows in the order.
    for each in sorted(waiting, key=lambda one: (seed_for(seed, "sheet.order", one.comparison_id), one.comparison_id)):
        comparison = comparisons[each.comparison_id]
        turned = seed_for(seed, "sheet.sides", f"{comparison.id}:{name}") % 2
        shown: Side = "b" if turned else "a"
        sides = [facts.candidates[comparison.a], facts.candidates[comparison.b]]
        first, second = (_text(side) for side in (reversed(sides) if turned else sides))
        asked = _turns(prompts[comparison.prompt_id].messages)
        rows.append(SheetRow(comparison.id, name, shown, asked, first, second, version))
    return rows


def _text(candidate: Candidate) -> str:
    return _turns(candidate.completion)


def _turns(messages: Sequence[Message]) -> str:
    """One turn as it is; several with the role before each."""
    if len(messages) == 1:
        return messages[0].content
    return "\n\n".join(f"[{turn.role}]\n{turn.content}" for turn in messages)
