"""Format `edits`: responses that people improved, in the file that `pairsmith edits` writes for them."""

import re
from collections.abc import Iterator

from pairsmith.formats.fields import RowProblem, normal_form, optional_text, parse_each, required, row_warnings, text_of
from pairsmith.formats.rows import BadRow, Edit, Parsed, Row, SourceContext

__all__ = ["EDIT_FIELDS", "parse_edits"]

EDIT_FIELDS = ("candidate_id", "edited")
"""What a row must have: which response, and what became of it; `response` and `conversation` are for the reader."""

_OUR_ID = re.compile(r"cnd_[0-9a-f]{24}")


def parse_edits(rows: Iterator[Row | BadRow], context: SourceContext) -> Iterator[Parsed | BadRow]:
    """One improved response per row; rows that were left as they are say nothing."""
    del context  # an edit belongs to a prompt that is there already, with all its attributes
    return parse_each(rows, _edit)


def _edit(row: Row) -> Parsed:
    values = row.values
    candidate_id = required(values, "candidate_id").strip()
    if not _OUR_ID.fullmatch(candidate_id):
        raise RowProblem("unknown_response", "candidate_id", f"{candidate_id[:50]!r} is no id of a candidate")
    written = optional_text(values, "edited")
    if not written or normal_form(written) == normal_form(optional_text(values, "response")):
        return Parsed(row.line, None, warnings=(*row_warnings(values), "not_edited"))
    edit = Edit(candidate_id, text_of(values["edited"], "edited"), optional_text(values, "editor"))
    return Parsed(row.line, None, edits=(edit,), warnings=row_warnings(values))
