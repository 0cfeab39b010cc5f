"""Stage collect: the laws of a collecting stage, the books of every source, and where bad rows are listed."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pairsmith.config import CollectConfig, SourceConfig
from pairsmith.errors import InputError, LeaseHeld
from pairsmith.formats.quarantine import Quarantine
from pairsmith.formats.rows import BadRow, Parsed
from pairsmith.ledger import FACT_TABLES, LEDGER_FILE, Appended, Ledger, lease
from pairsmith.records import Annotation, Comparison, Intake, Progress, Prompt, Rejected, Score
from pairsmith.stages.collect import collect


def pair(number: int, **more: Any) -> dict[str, Any]:
    return {"prompt": f"Question {number}?", "chosen": f"good answer {number}", "rejected": f"poor {number}", **more}


def write(path: Path, rows: Sequence[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@contextmanager
def opened(project: Path) -> Iterator[Ledger]:
    with Ledger.open(project / LEDGER_FILE) as ledger:
        yield ledger


def run(project: Path, *sources: str | SourceConfig, ledger: Ledger | None = None, **options: Any) -> Progress:
    given = tuple(SourceConfig(path=each) if isinstance(each, str) else each for each in sources)
    cfg = CollectConfig(sources=given, max_rejected=options.pop("max_rejected", 0.01))
    if ledger is not None:
        return asyncio.run(collect(cfg, ledger, project=project, **options))
    with opened(project) as own:
        return asyncio.run(collect(cfg, own, project=project, **options))


def contents(project: Path) -> list[tuple[int, str]]:
    """Position and id of every fact, in order."""
    with opened(project) as ledger, ledger.engine.connect() as connection:
        found = [
            (row.position, row.id)
            for table in FACT_TABLES.values()
            for row in connection.execute(sa.select(table.table.c.position, table.table.c.id))
        ]
    return sorted(found)


def facts(project: Path, kind: type[Any]) -> list[Any]:
    with opened(project) as ledger:
        return list(ledger.read(kind))


class Dying(Ledger):
    """A ledger whose process dies just before or just after the k-th append."""

    calls = 0
    last = -1
    after = False

    def append(self, facts: Any) -> Appended:
        self.calls += 1
        if self.calls == self.last and not self.after:
            raise KeyboardInterrupt
        done = super().append(facts)
        if self.calls == self.last:
            raise KeyboardInterrupt
        return done


# -- laws -----------------------------------------------------------------------------------------------------------


def two_sources(project: Path) -> tuple[str, str]:
    write(project / "pairs.jsonl", [*(pair(number) for number in range(7)), {"prompt": "x"}, pair(3), pair(8)])
    write(project / "prompts.jsonl", [{"prompt": f"Ask {number}"} for number in range(5)])
    return "pairs.jsonl", "prompts.jsonl"


def test_run_twice_is_run_once(tmp_path: Path) -> None:
    sources = two_sources(tmp_path)
    first = run(tmp_path, *sources)
    before = contents(tmp_path)
    second = run(tmp_path, *sources)
    assert contents(tmp_path) == before
    assert (first.wanted, first.present, first.new, first.failed) == (15, 0, 14, 1)
    assert (second.wanted, second.present, second.new, second.failed) == (15, 14, 0, 1)


@pytest.mark.parametrize("after", [False, True])
def test_killed_at_any_append_and_run_again_is_one_clean_run(tmp_path: Path, after: bool) -> None:
    clean = tmp_path / "clean"
    sources = two_sources(clean)
    run(clean, *sources, batch_rows=3)
    expected = contents(clean)
    for last in range(1, 20):
        project = tmp_path / f"killed-{last}"
        two_sources(project)
        with Dying.open(project / LEDGER_FILE) as ledger:
            ledger.last, ledger.after = last, after
            try:
                run(project, *sources, ledger=ledger, batch_rows=3)
            except KeyboardInterrupt:
                assert len(contents(project)) < len(expected) or after
            else:
                break  # there was no k-th append
        run(project, *sources, batch_rows=3)
        assert contents(project) == expected
        listed = (project / "quarantine" / "pairs.jsonl").read_text()
        assert listed == (clean / "quarantine" / "pairs.jsonl").read_text()
        assert not list((project / "quarantine").glob(".*"))
    assert last == 8  # 3 batches and an intake of one source, 2 and 1 of the other: there is no 8th append


def test_more_input_adds_only_the_new(tmp_path: Path) -> None:
    rows = [pair(number) for number in range(4)]
    write(tmp_path / "a.jsonl", rows)
    run(tmp_path, "a.jsonl")
    before = contents(tmp_path)
    write(tmp_path / "a.jsonl", [*rows, pair(9)])
    write(tmp_path / "b.jsonl", [{"prompt": "new"}])
    run(tmp_path, "a.jsonl", "b.jsonl")
    now = contents(tmp_path)
    assert now[: len(before)] == before
    # one pair is a prompt, two candidates, a comparison and a vote; two intakes; one prompt
    assert len(now) - len(before) == 5 + 2 + 1


def test_other_settings_read_the_file_again(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [{"prompt": f"Ask {number}"} for number in range(5)])
    assert run(tmp_path, SourceConfig(path="a.jsonl", limit=2)).new == 2
    assert run(tmp_path, SourceConfig(path="a.jsonl")).new == 5
    assert [intake.rows for intake in facts(tmp_path, Intake)] == [2, 5]
    assert len(facts(tmp_path, Prompt)) == 5


def test_two_processes_do_not_collect_at_once(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [{"prompt": "x"}])
    with opened(tmp_path) as ledger, lease(ledger, "collect"), pytest.raises(LeaseHeld):
        run(tmp_path, "a.jsonl", ledger=ledger)


# -- the books ------------------------------------------------------------------------------------------------------

NASTY: dict[str, tuple[int, dict[int, str]]] = {
    "annotations_conflicts.jsonl": (8, {8: "unknown_label", 9: "empty_text"}),
    "broken_lines.jsonl": (6, {4: "invalid_json", 6: "invalid_json", 8: "invalid_json", 9: "not_a_number"}),
    "concatenated_objects.jsonl": (0, {1: "several_objects"}),
    "contradictions_cycle.jsonl": (4, {}),
    "crlf.jsonl": (10, {}),
    "deep_nesting_100k.jsonl": (1, {1: "nested_too_deep"}),
    "duplicate_ids.jsonl": (3, {3: "duplicate_id"}),
    "duplicate_keys.jsonl": (1, {1: "duplicate_key"}),
    "emoji_rtl_combining.jsonl": (6, {}),
    "html_in_text.jsonl": (3, {}),
    "huge_line_12MB.jsonl.gz": (2, {}),
    "ids_as_paths.jsonl": (7, {}),
    "json_array_named_jsonl.jsonl": (3, {}),
    "latin1.jsonl": (9, {1: "invalid_utf8"}),
    "lone_surrogate.jsonl": (1, {1: "lone_surrogate"}),
    "mixed_line_ends_blank_lines.jsonl": (4, {}),
    "null_bytes.jsonl": (2, {2: "nul_character", 3: "nul_character", 4: "nul_character"}),
    "pii_obfuscated.jsonl": (7, {}),
    "prompt_injection.jsonl": (3, {}),
    "quoted_newlines.csv": (3, {6: "too_few_columns"}),
    "utf8_bom.jsonl": (10, {}),
    "wrong_types_and_fields.jsonl": (
        1,
        {
            1: "null_value",
            2: "wrong_type",
            3: "wrong_type",
            4: "missing_field",
            5: "empty_text",
            6: "blank_text",
            7: "identical_answers",
            8: "equal_after_normalising",
            9: "not_an_object",
            10: "not_an_object",
            11: "not_an_object",
        },
    ),
}
NASTY_ERRORS = {
    "empty_file.jsonl": "is empty",
    "only_newlines.jsonl": "blank lines",
    "truncated.jsonl.gz": "cut off",
    "utf16le_bom.jsonl": "UTF-16",
}


@pytest.mark.parametrize("name", NASTY)
def test_nasty_files_give_exactly_the_good_rows_and_the_bad_lines(shared_data: Path, tmp_path: Path, name: str) -> None:
    good, bad = NASTY[name]
    progress = run(tmp_path, str(shared_data / "nasty" / name))
    (intake,) = facts(tmp_path, Intake)
    assert (intake.good, intake.rejected, intake.rows) == (good, len(bad), good + len(bad))
    assert {row.line: row.reason for row in facts(tmp_path, Rejected)} == bad
    listed = tmp_path / "quarantine" / (name if name.endswith(".jsonl") else f"{name}.jsonl")
    assert listed.exists() == bool(bad)
    if bad:
        entries = [json.loads(line) for line in listed.read_text().splitlines()]
        assert {entry["line"]: entry["reason"] for entry in entries} == bad
        assert all(set(entry) == {"line", "field", "reason", "detail"} for entry in entries)
        assert progress.notes[0].startswith("red: ")


@pytest.mark.parametrize("name", NASTY_ERRORS)
def test_nasty_files_that_cannot_be_used_leave_nothing_behind(shared_data: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=NASTY_ERRORS[name]):
        run(tmp_path, str(shared_data / "nasty" / name))
    assert contents(tmp_path) == []


def test_every_nasty_file_is_tested_and_agrees_with_its_description(shared_data: Path) -> None:
    expected = json.loads((shared_data / "nasty" / "expected.json").read_text())
    assert set(expected) == set(NASTY) | set(NASTY_ERRORS)
    for name, (_, bad) in NASTY.items():
        lines = {int(line) for line in expected[name].get("bad_lines", {}) if line.isdigit()}
        assert lines == set(bad) or name in (
            "annotations_conflicts.jsonl",  # described in words: an unknown label, no annotator
            "concatenated_objects.jsonl",  # one line that holds several objects
            "duplicate_ids.jsonl",  # line 3 is to be reported as a conflict
            "quoted_newlines.csv",  # counts rows, not lines
        )


def test_texts_come_through_unchanged(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "nasty" / "emoji_rtl_combining.jsonl"
    run(tmp_path, str(path))
    originals = [json.loads(line)["prompt"] for line in path.read_text(encoding="utf-8").split("\n") if line]
    assert [prompt.text for prompt in facts(tmp_path, Prompt)] == originals


def test_a_cycle_is_stored_as_three_comparisons_of_one_prompt(shared_data: Path, tmp_path: Path) -> None:
    run(tmp_path, str(shared_data / "nasty" / "contradictions_cycle.jsonl"))
    comparisons: list[Comparison] = facts(tmp_path, Comparison)
    assert len(comparisons) == 4
    assert len({comparison.prompt_id for comparison in comparisons[:3]}) == 1
    assert len({side for comparison in comparisons[:3] for side in (comparison.a, comparison.b)}) == 3


def test_conflicting_votes_are_kept_in_order_and_said_by_name(shared_data: Path, tmp_path: Path) -> None:
    progress = run(tmp_path, str(shared_data / "nasty" / "annotations_conflicts.jsonl"))
    votes: list[Annotation] = facts(tmp_path, Annotation)
    of_ann1 = [vote for vote in votes if vote.annotator == "ann1" and vote.comparison_id == votes[0].comparison_id]
    assert [(vote.label, vote.revision) for vote in of_ann1] == [("a", 0), ("b", 1)]
    assert [vote.label for vote in votes] == ["a", "b", "a", "b", "tie", "both_bad", "a", "a"]
    assert "changed_vote 1" in progress.notes[0]


def test_exact_copies_are_counted_and_add_nothing(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [pair(1), pair(1), pair(2), pair(1)])
    progress = run(tmp_path, "a.jsonl")
    (intake,) = facts(tmp_path, Intake)
    assert (intake.rows, intake.good, intake.rejected) == (4, 4, 0)
    assert intake.warnings == {"duplicate_row": 2}
    assert [vote.revision for vote in facts(tmp_path, Annotation)] == [0, 0]
    assert progress.details["a.jsonl"]["warnings"] == {"duplicate_row": 2}


def test_one_answer_cannot_have_two_scores_by_one_scorer(tmp_path: Path) -> None:
    scored = {"scale": [0, 1], "score_rejected": 0.1}
    rows = [
        pair(1, score_chosen=0.9, **scored),
        pair(1, score_chosen=0.8, **scored, note="again"),
        pair(1, score_chosen=0.9, **scored, note="third"),
    ]
    write(tmp_path / "a.jsonl", rows)
    run(tmp_path, "a.jsonl")
    assert [(row.line, row.reason) for row in facts(tmp_path, Rejected)] == [(2, "conflicting_fact")]
    assert sorted(score.value for score in facts(tmp_path, Score)) == [0.1, 0.9]


def test_another_source_with_another_score_is_said_and_changes_nothing(tmp_path: Path) -> None:
    scored = {"scale": [0, 1], "scorer": "rm", "score_rejected": 0.1}
    write(tmp_path / "a.jsonl", [pair(1, score_chosen=0.9, **scored)])
    write(tmp_path / "b.jsonl", [pair(1, score_chosen=0.2, **scored)])
    run(tmp_path, "a.jsonl", "b.jsonl")
    assert [intake.warnings.get("stored_otherwise") for intake in facts(tmp_path, Intake)] == [None, 1]
    assert sorted(score.value for score in facts(tmp_path, Score)) == [0.1, 0.9]


def test_hh_rlhf_accounts_for_every_row(shared_data: Path, tmp_path: Path) -> None:
    (path,) = (shared_data / "preferences/hh_rlhf").glob("*.gz")
    progress = run(tmp_path, SourceConfig(path=str(path), annotator_kind="human"))
    assert (progress.wanted, progress.new, progress.failed) == (1410, 1407, 3)
    assert progress.details[path.name]["format"] == "hh"
    assert not progress.details[path.name]["red"]  # 0.2 % is below 1 %
    votes = facts(tmp_path, Annotation)
    assert (len(votes), {vote.kind for vote in votes}) == (1407, {"human"})


# -- transform, files, places ---------------------------------------------------------------------------------------


def test_transform_sees_every_row_and_may_refuse_it(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [pair(1), pair(2), {"prompt": "broken"}])
    seen: list[Parsed] = []

    def refuse_second(parsed: Parsed) -> Parsed | BadRow:
        seen.append(parsed)
        return BadRow(parsed.line, "prompt", "unsafe", "x") if len(seen) == 2 else parsed

    run(tmp_path, "a.jsonl", transform=refuse_second)
    assert [parsed.line for parsed in seen] == [1, 2]
    assert {row.line: row.reason for row in facts(tmp_path, Rejected)} == {2: "unsafe", 3: "missing_field"}
    assert len(facts(tmp_path, Prompt)) == 1


@pytest.mark.parametrize(("wish", "chat", "expected"), [(None, True, True), (None, False, False), (False, True, False)])
def test_chat_logs_are_to_be_anonymised_unless_told_otherwise(
    tmp_path: Path, wish: bool | None, chat: bool, expected: bool
) -> None:
    messages = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y z"}]
    write(tmp_path / "a.jsonl", [{"messages": messages} if chat else {"prompt": "x"}])
    seen: list[bool] = []

    def look(parsed: Parsed) -> Parsed:
        seen.append(parsed.anonymise)
        return parsed

    run(tmp_path, SourceConfig(path="a.jsonl", anonymise=wish), transform=look)
    assert seen == [expected]


def test_a_file_changed_while_it_is_read_is_not_taken_for_done(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [pair(1), pair(2)])

    def meddle(parsed: Parsed) -> Parsed:
        with path.open("a") as file:
            file.write(json.dumps(pair(3)) + "\n")
        return parsed

    with pytest.raises(InputError, match="changed while"):
        run(tmp_path, "a.jsonl", transform=meddle)
    assert facts(tmp_path, Intake) == []
    assert run(tmp_path, "a.jsonl").new == 4


def test_one_bad_file_stops_the_run_before_anything_is_stored(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [pair(1)])
    with pytest.raises(InputError, match="no such file"):
        run(tmp_path, "a.jsonl", "absent.jsonl")
    assert contents(tmp_path) == []


def test_folders_and_patterns_give_their_files_in_order(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl", "deep/c.jsonl"):
        write(tmp_path / "data" / name, [{"prompt": name}])
    (tmp_path / "data" / "notes.pdf").write_bytes(b"%PDF")
    run(tmp_path, "data")
    assert [prompt.text for prompt in facts(tmp_path, Prompt)] == ["a.jsonl", "b.jsonl", "deep/c.jsonl"]
    assert [intake.source for intake in facts(tmp_path, Intake)] == [
        "data/a.jsonl",
        "data/b.jsonl",
        "data/deep/c.jsonl",
    ]
    other = tmp_path / "other"
    write(other / "data" / "x1.jsonl", [{"prompt": "x1"}])
    write(other / "data" / "y1.jsonl", [{"prompt": "y1"}])
    run(other, SourceConfig(path="data/x*.jsonl", name="exes"))
    assert [intake.source for intake in facts(other, Intake)] == ["exes/x1.jsonl"]
    with pytest.raises(InputError, match="holds no file"):
        run(other, "data/z*.jsonl")


def test_two_files_of_one_name_need_telling_apart(tmp_path: Path) -> None:
    write(tmp_path / "a" / "x.jsonl", [{"prompt": "a"}])
    write(tmp_path / "b" / "x.jsonl", [{"prompt": "b"}])
    with pytest.raises(InputError, match="both are called"):
        run(tmp_path, "a/x.jsonl", "b/x.jsonl")
    assert run(tmp_path, "a/x.jsonl", SourceConfig(path="b/x.jsonl", name="bx"), "a/x.jsonl").new == 2


@pytest.mark.parametrize("name", ["../../evil", "/abs/evil", "..", ".hidden", "a/b", "x" * 400, "ünï"])
def test_bad_rows_are_listed_inside_the_project_whatever_the_name(tmp_path: Path, name: str) -> None:
    project = tmp_path / "outer" / "project"
    write(project / "a.jsonl", [{"prompt": ""}])
    run(project, SourceConfig(path="a.jsonl", name=name))
    everywhere = {path for path in tmp_path.rglob("*") if path.is_file()}
    listed = {path for path in everywhere if path.suffix == ".jsonl" and path != project / "a.jsonl"}
    assert {path.parent for path in listed} == {project / "quarantine"}
    assert all(path.is_relative_to(project) for path in everywhere)


def test_names_that_look_alike_once_plain_do_not_share_a_list(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [{"prompt": ""}])
    run(tmp_path, *(SourceConfig(path="a.jsonl", name=name) for name in ("a/b", "a b", "a_b")))
    assert len(list((tmp_path / "quarantine").iterdir())) == 3


def test_every_name_has_a_list_of_its_own_and_no_ending_is_doubled() -> None:
    names = [
        "a",
        "a.jsonl",
        "a.rows.jsonl",
        "a.csv",
        "a.csv.jsonl",
        "a.jsonl.gz",
        "A/a",
        "a.jsonl.jsonl",
        "",
        "a-b.jsonl",
    ]
    places = [Quarantine.place(name).name for name in names]
    assert len(set(places)) == len(names)
    assert places[:2] == ["a.rows.jsonl", "a.jsonl"]
    assert not any(".jsonl.jsonl" in place for place in places)


def test_a_mended_source_loses_its_list(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [pair(1), {"prompt": ""}])
    run(tmp_path, "a.jsonl")
    listed = tmp_path / "quarantine" / "a.jsonl"
    assert listed.exists()
    write(tmp_path / "a.jsonl", [pair(1)])
    run(tmp_path, "a.jsonl")
    assert not listed.exists()


def test_a_quarantine_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [{"prompt": ""}])
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "quarantine").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="plain folder"):
        run(tmp_path, "a.jsonl")


def test_a_link_out_of_the_project_is_said(tmp_path: Path) -> None:
    write(tmp_path / "outside.jsonl", [{"prompt": "x"}])
    project = tmp_path / "project"
    project.mkdir()
    (project / "a.jsonl").symlink_to(tmp_path / "outside.jsonl")
    assert "outside_project 1" in run(project, "a.jsonl").notes[0]


def test_texts_and_limits(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n\ntwo\nthree\n")
    progress = run(tmp_path, SourceConfig(path="a.txt", limit=2, category="c", language="en", licence="CC0-1.0"))
    prompts: list[Prompt] = facts(tmp_path, Prompt)
    assert [prompt.text for prompt in prompts] == ["one", "two"]
    assert {(p.category, p.language, p.licence, p.source) for p in prompts} == {("c", "en", "CC0-1.0", "a.txt")}
    assert progress.details["a.txt"]["format"] == "text"


def test_red_begins_above_the_limit(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [*(pair(number) for number in range(99)), {"prompt": ""}])
    assert not run(tmp_path, "a.jsonl").notes[0].startswith("red")
    assert run(tmp_path, "a.jsonl", max_rejected=0.005).notes[0].startswith("red: a.jsonl: read before, 99 of 100")


def test_progress_is_told_and_never_exceeds_its_total(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [{"prompt": f"p{number}"} for number in range(10)])
    told: list[tuple[int, int]] = []
    run(tmp_path, "a.jsonl", batch_rows=4, notify=lambda done, total: told.append((done, total)))
    assert told == [(4, 10), (8, 10), (10, 10)]
