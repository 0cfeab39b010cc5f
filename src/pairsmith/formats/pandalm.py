"""Format `pandalm`: two responses and the labels of several people (PandaLM's test set)."""

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pairsmith.formats.fields import (
    RowProblem,
    label_of,
    optional_text,
    parse_each,
    prompt_of,
    required,
    row_warnings,
    text_of,
)
from pairsmith.formats.pairing import Ballots, voted_pair
from pairsmith.formats.prompts import with_input
from pairsmith.formats.rows import BadRow, Parsed, Row, SourceContext
from pairsmith.records import AnnotatorKind, Candidate, Label, Message, Prompt

__all__ = ["parse_pandalm"]

LABELS: Mapping[str, Label] = {"1": "a", "2": "b", "0": "tie"}

_ANNOTATOR = re.compile(r"annotator_?\d+")


def parse_pandalm(rows: Iterator[Row | BadRow], context: SourceContext) -> Iterator[Parsed | BadRow]:
    """One comparison per row and one vote per column `annotator1`, `annotator2`, ..."""
    return parse_each(rows, functools.partial(_comparison, context=context, ballots=Ballots()))


def _comparison(row: Row, context: SourceContext, ballots: Ballots) -> Parsed:
    values = row.values
    extra = optional_text(values, "input")
    blank = extra and not str(values.get("instruction") or "").strip()  # some rows ask by their input alone
    text = extra if blank else with_input(required(values, "instruction"), extra)
    prompt = prompt_of((Message("user", text),), values, context)
    models = _models(values)
    first, second = (_response(values, field, prompt, model) for field, model in zip(_RESPONSES, models, strict=True))
    annotators = sorted(name for name in values if _ANNOTATOR.fullmatch(name))
    if not annotators:
        raise RowProblem("missing_field", "annotator1", "no column annotator1, annotator2, ...")
    kind: AnnotatorKind = "human" if context.annotator_kind == "imported" else context.annotator_kind
    votes = [(name, kind, label_of(values[name], name, LABELS)) for name in annotators]
    return voted_pair(row.line, prompt, first, second, votes, ballots, warnings=row_warnings(values))


_RESPONSES = ("response1", "response2")


def _models(values: Mapping[str, Any]) -> tuple[str, str]:
    """The two models named in `cmp_key`, joined by an underscore; without the key, their places."""
    first, underscore, second = optional_text(values, "cmp_key").partition("_")
    return (first, second) if underscore and second and "_" not in second else _RESPONSES


def _response(values: Mapping[str, Any], field: str, prompt: Prompt, model: str) -> Candidate:
    """An answer that people voted on. One that is empty or no text keeps its votes, but can be in no pair."""
    if field not in values:
        raise RowProblem("missing_field", field, "not there")
    value = values[field]
    if isinstance(value, bool | int | float):
        shown = str(value).lower()
        known = Candidate.imported(prompt.id, f"\0{shown}", model=model)  # NUL: an id that no text can have
        return replace(known, text="", error=f"not a text: the file holds the JSON value {shown}")
    if isinstance(value, str) and not value.strip():
        return Candidate.imported(prompt.id, value, model=model)
    return Candidate.imported(prompt.id, text_of(value, field), model=model)
