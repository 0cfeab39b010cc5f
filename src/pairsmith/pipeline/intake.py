"""What happens to a row between its file and the ledger: personal data goes, traits come, harmful requests are seen."""

import dataclasses
import os
import secrets
from collections.abc import Callable
from functools import cache
from pathlib import Path

from pairsmith.config import Config
from pairsmith.formats.rows import BadRow, Edit, Parsed
from pairsmith.ledger import Ledger
from pairsmith.measures.edits import word_edits
from pairsmith.measures.privacy import Pseudonymiser
from pairsmith.measures.prompts import classify_prompt
from pairsmith.records import Annotation, Candidate, Comparison, Message, Prompt, Score, flip

__all__ = ["KEY_FILE", "intake"]

KEY_FILE = "pseudonyms.key"
"""The project's secret: without it nobody can find out whose pseudonym a given address has. Keep it, or delete it."""

UNSAFE = "unsafe_request"

Replace = Callable[[str], str]


def intake(project: Path, config: Config, ledger: Ledger) -> Callable[[Parsed], Parsed | BadRow]:
    """The transformation `collect` applies to every row, as the configuration wants it; edits find their originals."""

    @cache
    def pseudonymiser() -> Pseudonymiser:
        return Pseudonymiser(_key(project))

    def transform(parsed: Parsed) -> Parsed | BadRow:
        if parsed.prompt is None:
            replace = (lambda text: pseudonymiser().replace(text)[0]) if parsed.anonymise else str
            return _with_originals(parsed, ledger, replace) if parsed.edits else parsed
        if parsed.anonymise:
            parsed = _anonymised(parsed, parsed.prompt, lambda text: pseudonymiser().replace(text)[0])
        return _with_traits(parsed, config.collect.unsafe)

    return transform


def _with_originals(parsed: Parsed, ledger: Ledger, replace: Replace) -> Parsed | BadRow:
    """The edits as candidates of the prompts of their originals, each with the original's id and the difference."""
    originals = ledger.get(Candidate, [edit.of for edit in parsed.edits])
    edited = []
    for edit in parsed.edits:
        original = originals.get(edit.of)
        if original is None:
            return BadRow(parsed.line, "candidate_id", "unknown_response", f"{edit.of} is not in {ledger.path.name}")
        edited.append(_edited(edit, original, replace(edit.text)))
    return dataclasses.replace(parsed, candidates=(*parsed.candidates, *edited), edits=())


def _edited(edit: Edit, original: Candidate, text: str) -> Candidate:
    bare = Candidate.imported(original.prompt_id, text, context=original.context, origin="edited")
    by = {"by": edit.by} if edit.by else {}
    changes = {"edit": word_edits(original.text, text)}
    return dataclasses.replace(bare, params={"of": original.id, **by}, engine=changes)


def _with_traits(parsed: Parsed, unsafe: str) -> Parsed | BadRow:
    """Fill in what the source does not say about its prompt, by rules, and act on requests for harm."""
    prompt = parsed.prompt
    if prompt is None:
        return parsed
    question = next((turn.content for turn in reversed(prompt.messages) if turn.role == "user"), prompt.text)
    traits = classify_prompt(question)
    warnings = tuple(code for code in traits.warnings if code != UNSAFE or unsafe != "keep")
    if UNSAFE in warnings and unsafe == "drop":
        return BadRow(parsed.line, "prompt", UNSAFE, question[:200])
    filled = dataclasses.replace(
        prompt,
        category=prompt.category or traits.category,
        difficulty=prompt.difficulty or traits.difficulty,
        form=prompt.form or traits.form,
    )
    return dataclasses.replace(parsed, prompt=filled, warnings=parsed.warnings + warnings)


def _anonymised(parsed: Parsed, prompt: Prompt, replace: Replace) -> Parsed:
    """The same row with personal data replaced in every text, and the ids its new content gives it."""
    clean = dataclasses.replace(prompt, id=Prompt.of(turns := _turns(prompt.messages, replace)).id, messages=turns)
    candidates = {each.id: _candidate(each, clean.id, replace) for each in parsed.candidates}
    comparisons: dict[str, tuple[Comparison, bool]] = {}
    for each in parsed.comparisons:
        comparison = Comparison.of(candidates[each.a], candidates[each.b])
        comparisons[each.id] = comparison, comparison.a != candidates[each.a].id
    return dataclasses.replace(
        parsed,
        prompt=clean,
        candidates=tuple(candidates.values()),
        comparisons=tuple(comparison for comparison, _ in comparisons.values()),
        annotations=tuple(_annotation(each, *comparisons[each.comparison_id], replace) for each in parsed.annotations),
        scores=tuple(
            Score.of(candidates[each.candidate_id].id, each.scorer, each.value, each.scale) for each in parsed.scores
        ),
    )


def _turns(turns: tuple[Message, ...], replace: Replace) -> tuple[Message, ...]:
    return tuple(Message(turn.role, replace(turn.content)) for turn in turns)


def _candidate(candidate: Candidate, prompt_id: str, replace: Replace) -> Candidate:
    clean = Candidate.imported(
        prompt_id,
        replace(candidate.text),
        model=candidate.model,
        context=_turns(candidate.context, replace),
        origin=candidate.origin,
        finish_reason=candidate.finish_reason,
    )
    return dataclasses.replace(clean, params=candidate.params)


def _annotation(annotation: Annotation, comparison: Comparison, flipped: bool, replace: Replace) -> Annotation:
    """The vote on the comparison with new ids, whose sides may have changed names."""
    shown = annotation.shown_first
    return dataclasses.replace(
        annotation,
        id=Annotation.asked_id(comparison.id, annotation.annotator, annotation.guideline, annotation.revision),
        comparison_id=comparison.id,
        label=flip(annotation.label) if flipped else annotation.label,
        shown_first=shown if shown is None or not flipped else "b" if shown == "a" else "a",
        rationale=replace(annotation.rationale),
    )


def _key(project: Path) -> bytes:
    path = project / KEY_FILE
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_hex(32).encode())
        file.flush()
        os.fsync(file.fileno())
    return path.read_bytes()
