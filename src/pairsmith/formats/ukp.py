"""Format `ukp`: pairs of arguments and the votes of crowd workers on which convinces more (UKPConvArg1, XML).

Habernal and Gurevych 2016, "Which argument is more convincing?". Each worker has a name, a verdict, a reason and the
time taken. The `goldLabel` of the files is another model's consensus of the same votes: it is no fact and is not read.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from pairsmith.formats.fields import RowProblem, label_of, optional_text, parse_each, prompt_of, required
from pairsmith.formats.pairing import Ballots, voted_pair
from pairsmith.formats.rows import BadRow, Parsed, Row, SourceContext
from pairsmith.records import AnnotatorKind, Candidate, Label, Message, flip

__all__ = ["LABELS", "parse_ukp"]

LABELS: Mapping[str, Label] = {"a1": "a", "a2": "b", "equal": "tie"}

_CLOCK = "%Y-%m-%d %H:%M:%S.%f UTC"


def parse_ukp(rows: Iterator[Row | BadRow], context: SourceContext) -> Iterator[Parsed | BadRow]:
    """One comparison per pair of arguments and one vote per worker; the prompt asks for an argument for the stance."""
    return parse_each(rows, functools.partial(_pair, context=context, ballots=Ballots()))


def _pair(row: Row, context: SourceContext, ballots: Ballots) -> Parsed:
    values = row.values
    arguments = [_part(values, name) for name in ("arg1", "arg2")]
    title = required(_part(values, "debatemetadata"), "title").strip()
    stance = optional_text(arguments[0], "stance")
    request = f"{title}\n\nGive a convincing argument" + (f" for this position: {stance}" if stance else ".")
    prompt = prompt_of((Message("user", request),), values, context)
    # Some arguments were posted twice word for word; their numbers keep them and the votes on them apart.
    first, second = (
        Candidate.imported(prompt.id, required(each, "text"), model=required(each, "id")) for each in arguments
    )
    parsed = voted_pair(row.line, prompt, first, second, [], ballots)
    straight = parsed.comparisons[0].a == first.id
    kind: AnnotatorKind = "human" if context.annotator_kind == "imported" else context.annotator_kind
    votes, warnings = [], list(parsed.warnings)
    for each in _assignments(values):
        label = label_of(each.get("value"), "value", LABELS)
        vote, found = ballots.cast(
            parsed.comparisons[0].id,
            required(each, "turkID").strip(),
            kind,
            label if straight else flip(label),
            rationale=optional_text(each, "reason"),
            seconds=_seconds(each),
        )
        votes.append(vote)
        warnings += found
    return dataclasses.replace(parsed, annotations=tuple(votes), warnings=tuple(dict.fromkeys(warnings)))


def _part(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = values.get(name)
    if part is None:
        raise RowProblem("missing_field", name, "not there")
    if not isinstance(part, Mapping):
        raise RowProblem("wrong_type", name, "expected an element with children")
    return part


def _assignments(values: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = _part(values, "mturkassignments").get("mTurkAssignment")
    several: list[Any] = found if isinstance(found, list) else [found]
    if not several or not all(isinstance(each, Mapping) for each in several):
        raise RowProblem("missing_field", "mTurkAssignment", "no votes, or a vote without fields")
    return several


def _seconds(vote: Mapping[str, Any]) -> float | None:
    """From accepting to submitting, all pairs of the worker's batch together; `None` if the times cannot be read."""
    times = [vote.get("assignmentAcceptTime"), vote.get("assignmentSubmitTime")]
    if not all(isinstance(time, str) for time in times):
        return None
    try:
        start, end = (datetime.strptime(str(time), _CLOCK) for time in times)  # noqa: DTZ007 - a difference of two
    except ValueError:
        return None
    return max(0.0, (end - start).total_seconds())
