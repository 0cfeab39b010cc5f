"""XML files of argument pairs: what is read, and what an XML file may not do."""

import gzip
from pathlib import Path

import pytest

from pairsmith.errors import InputError
from pairsmith.formats.files import read_rows
from pairsmith.formats.lines import MAX_LINE_BYTES
from pairsmith.formats.parsers import PARSERS, guess_format
from pairsmith.formats.rows import BadRow, Parsed, Row
from tests.formats.helpers import CONTEXT, read

PAIR = """<annotatedArgumentPair><id>one_two</id>
<arg1><stance>Yes</stance><text>First &amp; foremost</text><id>arg1</id></arg1>
<arg2><stance>Yes</stance><text>Secondly this</text><id>arg2</id></arg2>
<debateMetaData><title>Is it?</title></debateMetaData>
<mTurkAssignments>{votes}</mTurkAssignments><goldLabel>a1</goldLabel></annotatedArgumentPair>"""
VOTE = """<mTurkAssignment><turkID>{who}</turkID><value>{value}</value><reason>because</reason>
<assignmentAcceptTime>2016-02-01 20:00:46.0 UTC</assignmentAcceptTime>
<assignmentSubmitTime>2016-02-01 20:06:14.0 UTC</assignmentSubmitTime></mTurkAssignment>"""


def pair(*votes: tuple[str, str]) -> str:
    return PAIR.format(votes="".join(VOTE.format(who=who, value=value) for who, value in votes))


def document(*pairs: str) -> str:
    return '<?xml version="1.0"?>\n<list>' + "".join(pairs) + "</list>\n"


def parsed(path: Path) -> list[Parsed | BadRow]:
    return list(PARSERS["ukp"](read_rows(path), CONTEXT))


def test_a_pair_and_its_votes(tmp_path: Path) -> None:
    path = tmp_path / "debate.xml.gz"
    path.write_bytes(gzip.compress(document(pair(("W1", "a1"), ("W2", "a2"), ("W3", "equal"))).encode()))
    rows, bad, _ = read(path)
    assert not bad
    assert guess_format(rows) == "ukp"
    (item,) = parsed(path)
    assert isinstance(item, Parsed)
    assert item.prompt is not None
    assert item.prompt.messages[0].content == "Is it?\n\nGive a convincing argument for this position: Yes"
    assert {each.text for each in item.candidates} == {"First & foremost", "Secondly this"}
    text_of = {each.id: each.text for each in item.candidates}
    (comparison,) = item.comparisons
    for vote, expected in zip(item.annotations, ("First & foremost", "Secondly this", None), strict=True):
        chosen = {"a": comparison.a, "b": comparison.b}.get(vote.label)
        assert (text_of[chosen] if chosen else None) == expected
        assert (vote.kind, vote.seconds, vote.rationale) == ("human", 328.0, "because")
    assert [vote.annotator for vote in item.annotations] == ["W1", "W2", "W3"]
    assert not item.warnings


@pytest.mark.parametrize(
    ("damage", "reason", "field"),
    [
        (("<value>a1</value>", "<value>a3</value>"), "unknown_label", "value"),
        (("<turkID>W1</turkID>", ""), "missing_field", "turkID"),
        (("<title>Is it?</title>", "<title> </title>"), "blank_text", "title"),
        (("<text>Secondly this</text>", "<text></text>"), "empty_text", "text"),
        (("<arg2>", "<other>"), "missing_field", "arg2"),
    ],
)
def test_a_bad_pair_is_one_bad_row(tmp_path: Path, damage: tuple[str, str], reason: str, field: str) -> None:
    broken = pair(("W1", "a1")).replace(*damage)
    if damage[0] == "<arg2>":
        broken = broken.replace("</arg2>", "</other>")
    path = tmp_path / "debate.xml"
    path.write_text(document(broken, pair(("W1", "a1"))), encoding="utf-8")
    first, second = parsed(path)
    assert isinstance(first, BadRow)
    assert (first.line, first.reason, first.field) == (1, reason, field)
    assert isinstance(second, Parsed)


@pytest.mark.parametrize("early", [b"", b"<!-- " + b"x" * 70_000 + b" -->"], ids=["at once", "in a later piece"])
@pytest.mark.parametrize(
    "declaration",
    [b'<!DOCTYPE list [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>', b'<!DOCTYPE list SYSTEM "file:///etc/passwd">'],
)
def test_declarations_are_refused_before_anything_is_read(tmp_path: Path, early: bytes, declaration: bytes) -> None:
    path = tmp_path / "debate.xml"
    path.write_bytes(early + declaration + document(pair(("W1", "a1"))).split("\n", 1)[1].encode())
    with pytest.raises(InputError, match="DOCTYPE"):
        list(read_rows(path))


def test_a_declaration_across_two_pieces_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "debate.xml"
    for before in range(64 * 1024 - 12, 64 * 1024 + 2):
        path.write_bytes(b"<!--" + b"x" * (before - 7) + b"-->" + b"<!DOCTYPE list>" + b"<list></list>")
        with pytest.raises(InputError, match="DOCTYPE"):
            list(read_rows(path))


def test_a_file_cut_off_keeps_what_was_complete(tmp_path: Path) -> None:
    whole = document(pair(("W1", "a1")), pair(("W2", "a2")))
    path = tmp_path / "debate.xml"
    path.write_text(whole[: whole.rindex("<goldLabel>")], encoding="utf-8")
    first, second = read_rows(path)
    assert isinstance(first, Row)
    assert isinstance(second, BadRow)
    assert (second.line, second.reason) == (2, "invalid_xml")


def test_what_is_no_xml_is_named(tmp_path: Path) -> None:
    path = tmp_path / "debate.xml"
    path.write_text("<list><a></list>", encoding="utf-8")
    with pytest.raises(InputError, match="not XML that can be read"):
        list(read_rows(path))
    path.write_text('{"prompt": "hello"}\n', encoding="utf-8")
    with pytest.raises(InputError, match="is not XML"):
        list(read_rows(path))
    renamed = tmp_path / "debate.jsonl"
    renamed.write_text(document(pair(("W1", "a1"))), encoding="utf-8")
    with pytest.raises(InputError, match="is XML"):
        list(read_rows(renamed))


def test_depth_and_size_of_a_row_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "deep.xml"
    path.write_text("<list>" + "<a>" * 100_000, encoding="utf-8")
    (row,) = read_rows(path)
    assert isinstance(row, BadRow)
    assert row.reason == "nested_too_deep"
    path.write_bytes(b"<list><a><b>" + b"x" * (MAX_LINE_BYTES + 100_000) + b"</b></a></list>")
    (row,) = read_rows(path)
    assert isinstance(row, BadRow)
    assert row.reason == "line_too_long"


def test_real_files_lose_no_pair_and_no_vote(shared_data: Path) -> None:
    path = sorted((shared_data / "preferences/ukpconvarg1/full-XML").iterdir())[0]
    items = parsed(path)
    assert len(items) == 496
    assert sum(len(item.annotations) for item in items if isinstance(item, Parsed)) == sum(
        len(row.values["mTurkAssignments"]["mTurkAssignment"]) for row in read_rows(path) if isinstance(row, Row)
    )
