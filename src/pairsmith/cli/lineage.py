"""Where a pair comes from: every fact behind it, as far back as the row of the source."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pairsmith.builds import builds_of
from pairsmith.errors import UsageError
from pairsmith.ledger import FACT_TABLES, Ledger
from pairsmith.records import Annotation, Candidate, Comparison, Prompt, Ruling, Score

__all__ = ["lineage", "lineage_lines"]

_CLIPPED = 200


def lineage(project: Path, ledger: Ledger, wanted: str) -> dict[str, Any]:
    """The record with id `wanted` and, for pairs and comparisons, every fact it rests on.

    Raises:
        UsageError: if neither the ledger nor the newest build knows the id.
    """
    if wanted.startswith("pair_"):
        row = _row_of(project, wanted)
        return {"pair": row, **_facts_behind(ledger, row["comparison_id"])}
    if wanted.startswith("cmp_"):
        return _facts_behind(ledger, wanted)
    for kind in FACT_TABLES:
        fact = ledger.get(kind, [wanted]).get(wanted)
        if fact is not None:
            return {kind.__name__.lower(): asdict(fact)}
    raise UsageError(f"{wanted}: no such id in {ledger.path}; ids stand in preference_pairs.jsonl and dropped.jsonl")


def lineage_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The lineage as indented text."""
    for name, value in found.items():
        if isinstance(value, list):
            yield f"{name} ({len(value)})"
            for each in value:
                yield from _record_lines(each, "  - ", "    ")
        else:
            yield name
            yield from _record_lines(value, "  ", "  ")


def _row_of(project: Path, wanted: str) -> dict[str, Any]:
    for build in builds_of(project):
        for name in ("preference_pairs.jsonl", "dropped.jsonl"):
            for line in (build.path / name).read_bytes().splitlines():
                row: dict[str, Any] = json.loads(line)
                if row.get("pair_id", row.get("id")) == wanted:
                    return {"build": build.name, **row}
        break  # the newest build; older ones have their own ids of the same form
    raise UsageError(f"{wanted}: the newest build has no such pair; run `pairsmith build`, or look in preference_pairs.jsonl")


def _facts_behind(ledger: Ledger, comparison_id: str) -> dict[str, Any]:
    comparison = ledger.get(Comparison, [comparison_id]).get(comparison_id)
    if comparison is None:
        raise UsageError(f"{comparison_id}: no such comparison in {ledger.path}")
    sides = (comparison.a, comparison.b)
    candidates = ledger.get(Candidate, sides)
    return {
        "prompt": asdict(ledger.get(Prompt, [comparison.prompt_id])[comparison.prompt_id]),
        "comparison": asdict(comparison),
        "candidates": [asdict(candidates[side]) for side in sides],
        "scores": [asdict(each) for each in ledger.where(Score, "candidate_id", sides)],
        "annotations": [asdict(each) for each in ledger.where(Annotation, "comparison_id", [comparison_id])],
        "rulings": [asdict(each) for each in ledger.where(Ruling, "comparison_id", [comparison_id])],
    }


def _record_lines(record: Mapping[str, Any], first: str, indent: str) -> Iterator[str]:
    lead = first
    for key, value in record.items():
        if value in (None, "", [], {}, ()):
            continue
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        text = " ".join(text.split())
        yield f"{lead}{key}: {text[:_CLIPPED]}{'…' if len(text) > _CLIPPED else ''}"
        lead = indent
