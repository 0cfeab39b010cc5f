"""The ledger: appending twice is harmless, positions grow by one, damage and rivals are noticed."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql, sqlite

from pairsmith.errors import LeaseHeld, LedgerError
from pairsmith.ledger import FACT_TABLES, LEDGER_FILE, Ledger, lease
from pairsmith.ledger.appending import Statement
from pairsmith.records import (
    AnchorDraw,
    Annotation,
    Candidate,
    Check,
    Comparison,
    Intake,
    Message,
    Prompt,
    Rejected,
    Ruling,
    Score,
)

PROMPT = Prompt.of([Message("user", "Why is the sky blue?")], category="qa", checks=(Check("max_words", {"n": 5}),))
ONE = Candidate.imported(PROMPT.id, "Rayleigh.", model="m", context=[Message("assistant", "Hm.")])
OTHER = Candidate(
    Candidate.asked_id(PROMPT.id, "z", {"t": 0.8}, 0), PROMPT.id, "…", "z", {"t": 0.8}, usage={"tokens": 3}
)
COMPARISON = Comparison.of(ONE, OTHER)
FACTS = (
    PROMPT,
    ONE,
    OTHER,
    COMPARISON,
    Score.of(ONE.id, "s", 0.5, (0.0, 1.0)),
    Annotation.of(COMPARISON.id, "ann", "human", "a", strength=0.5, shown_first="b", criteria={"helpfulness": "a"}),
    Ruling.of(COMPARISON.id, "b", "lead", "tie-break"),
    Intake("int_1", "file", "0" * 64, 3, 2, 1, warnings={"echo": 1}),
    Rejected.of("file", "0" * 64, 3, "chosen", "empty", "''"),
    AnchorDraw.of(COMPARISON.id, "random", 0.25),
)


@pytest.fixture
def ledger(tmp_path):
    with Ledger.open(tmp_path / LEDGER_FILE) as opened:
        yield opened


def test_every_kind_of_fact_comes_back_as_it_was(ledger):
    assert {type(fact) for fact in FACTS} == set(FACT_TABLES)
    assert ledger.append(FACTS).new == len(FACTS)
    for fact in FACTS:
        assert fact in list(ledger.read(type(fact)))
        assert ledger.get(type(fact), [fact.id]) == {fact.id: fact}


def test_appending_twice_changes_nothing(ledger):
    ledger.append(FACTS)
    again = ledger.append(FACTS + FACTS)
    assert (again.new, again.present, again.conflicts) == (0, 2 * len(FACTS), ())
    assert ledger.position() == len(FACTS)


def test_the_same_question_with_another_answer_is_a_conflict_and_the_first_stays(ledger):
    vote = Annotation.of(COMPARISON.id, "ann", "human", "a")
    ledger.append([vote])
    done = ledger.append([Annotation.of(COMPARISON.id, "ann", "human", "b")])
    assert (done.new, done.conflicts) == (0, (vote.id,))
    assert [each.label for each in ledger.read(Annotation)] == ["a"]


@pytest.mark.parametrize("count", [1, 2, 3, 255, 256, 257, 700])
def test_what_is_there_is_found_among_any_number(ledger, count):
    prompts = [Prompt.of([Message("user", str(number))]) for number in range(count)]
    ledger.append(prompts[1::2])
    done = ledger.append(prompts)
    assert (done.new, done.present) == ((count + 1) // 2, count // 2)
    assert list(ledger.read(Prompt)) == prompts[1::2] + prompts[::2]
    with ledger.engine.connect() as connection:
        positions = connection.execute(sa.text("SELECT position FROM prompts ORDER BY 1")).scalars()
        assert list(positions) == list(range(1, count + 1))
    assert ledger.position() == count


def test_conflicts_of_several_kinds_in_one_append_are_all_named(ledger):
    vote, score = Annotation.of(COMPARISON.id, "ann", "human", "a"), Score.of(ONE.id, "s", 0.5, (0.0, 1.0))
    ledger.append([PROMPT, vote, score])
    others = [Annotation.of(COMPARISON.id, "ann", "human", "b"), replace(score, value=0.25), ONE, PROMPT, PROMPT]
    done = ledger.append(others)
    assert (done.new, done.present, done.conflicts) == (1, 4, (vote.id, score.id))


def test_numbers_are_stored_as_what_the_column_says(ledger):
    value: Any = np.float32(0.25)
    ledger.append([replace(Score.of(ONE.id, "s", 0.5, (0.0, 1.0)), value=value)])
    with ledger.engine.connect() as connection:
        assert connection.execute(sa.text("SELECT value, typeof(value) FROM scores")).one() == (0.25, "real")


def test_appending_speaks_the_dialect_of_its_database():
    """PostgreSQL wants its parameters by name; nothing but what is run differs."""
    table = FACT_TABLES[Score].table
    names = [column.name for column in table.columns]
    run: list[tuple[str, object]] = []

    class Driver:
        def exec_driver_sql(self, sql: str, parameters: object) -> None:
            run.append((sql, parameters))

    driver: Any = Driver()
    row = dict.fromkeys(names, "x")
    for dialect in (sqlite.dialect(), postgresql.dialect()):
        statement = Statement(sa.insert(table), dialect)
        statement.run(driver, [row])
        statement.run(driver, [row, row])
    (in_places, one), (_, two), (by_name, named), (_, both) = run
    assert in_places.count("?") == len(names)
    assert (one, two) == (("x",) * len(names), [("x",) * len(names)] * 2)
    assert all(f"%({name})s" in by_name for name in names)
    assert (named, both) == (row, [row, row])


def test_as_of_shows_the_past(ledger):
    for fact in FACTS:
        ledger.append([fact])
    assert list(ledger.read(Candidate, as_of=2)) == [ONE]
    assert list(ledger.read(Candidate, as_of=3)) == [ONE, OTHER]
    assert list(ledger.read(Score, as_of=4)) == []


@given(st.lists(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), unique=True))
def test_any_text_survives(tmp_path_factory, texts):
    prompts = [Prompt.of([Message("user", text)]) for text in texts]
    with Ledger.open(tmp_path_factory.mktemp("ledger") / LEDGER_FILE) as ledger:
        ledger.append(prompts)
        assert list(ledger.read(Prompt)) == prompts


def test_group_commit_stores_everything_in_the_order_given(ledger):
    prompts = [Prompt.of([Message("user", str(number))]) for number in range(500)]
    with ledger.committer() as committer:
        futures = [committer.add(prompt) for prompt in prompts]
    assert all(future.done() for future in futures)
    assert list(ledger.read(Prompt)) == prompts


def test_facts_that_trickle_in_share_commits_and_nobody_waits_who_hurries(ledger):
    commits: list[object] = []
    sa.event.listen(ledger.engine, "commit", commits.append)
    with ledger.committer() as committer:
        for number in range(40):
            committer.add(Prompt.of([Message("user", f"trickle {number}")]))
            time.sleep(0.005)
    assert 1 <= len(commits) <= 10
    assert ledger.counts()["prompts"] == 40

    async def all_at_once() -> None:
        for number in range(5):
            with ledger.committer() as one_by_one:
                for turn in range(4):
                    stored = one_by_one.add(Prompt.of([Message("user", f"hurry {number} {turn}")]))
                    await one_by_one.durable(stored)
                    assert stored.done()

    asyncio.run(all_at_once())
    assert ledger.counts()["prompts"] == 60


def test_group_commit_hands_on_what_stopped_it(ledger):
    broken = Prompt.of([Message("user", "x")], category=object())
    with pytest.raises(Exception, match="object"), ledger.committer() as committer:
        future = committer.add(broken)
        future.exception(timeout=5)
        committer.add(PROMPT)
    assert ledger.position() == 0


def test_many_writers_lose_nothing(ledger):
    def write(writer: int) -> None:
        for number in range(20):
            ledger.append([Prompt.of([Message("user", f"{writer}-{number}")])])

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.position() == ledger.counts()["prompts"] == 160
    with ledger.engine.connect() as connection:
        positions = list(connection.execute(sa.text("SELECT position FROM prompts ORDER BY 1")).scalars())
    assert positions == list(range(1, 161))


def test_a_person_can_read_it_with_sqlite(ledger):
    ledger.append(FACTS)
    with ledger.engine.connect() as connection:
        row = connection.execute(sa.text("SELECT label, shown_first, strength FROM annotations")).one()
    assert tuple(row) == ("a", "b", 0.5)


@pytest.mark.parametrize("damage", ["truncate", "flip", "text"])
def test_a_damaged_ledger_is_refused_with_a_hint(tmp_path, damage):
    path = tmp_path / LEDGER_FILE
    with Ledger.open(path) as ledger:
        ledger.append([Prompt.of([Message("user", "x" * 200 + str(number))]) for number in range(500)])
    data = bytearray(path.read_bytes())
    if damage == "truncate":
        data = data[: len(data) // 2]
    elif damage == "flip":
        for place in range(4096, len(data), 997):
            data[place] ^= 0xFF
    else:
        data = bytearray(b"this is not a database at all, " * 100)
    path.write_bytes(bytes(data))
    with pytest.raises(LedgerError, match=r"ledger\.sqlite: .*restore your last copy"):
        Ledger.open(path)


def test_a_ledger_of_another_format_is_refused(tmp_path):
    path = tmp_path / LEDGER_FILE
    with Ledger.open(path) as ledger, ledger.engine.begin() as connection:
        connection.execute(sa.text("UPDATE ledger SET schema_version = 99"))
    with pytest.raises(LedgerError, match="format 99"):
        Ledger.open(path)


def test_a_folder_that_cannot_be_written_says_so(tmp_path):
    with pytest.raises(LedgerError, match=r"nowhere.*check free space and permissions"):
        Ledger.open(tmp_path / "nowhere" / LEDGER_FILE)


def test_a_full_disk_stops_cleanly_and_keeps_what_was_there(ledger):
    ledger.append([PROMPT])
    with ledger.engine.begin() as connection:
        pages = connection.execute(sa.text("PRAGMA page_count")).scalar_one()
    sa.event.listen(
        ledger.engine, "checkout", lambda connection, *_: connection.execute(f"PRAGMA max_page_count={pages}")
    )
    ledger.close()
    with pytest.raises(LedgerError, match="full"):
        ledger.append([Prompt.of([Message("user", "x" * 5000 + str(number))]) for number in range(100)])
    assert list(ledger.read(Prompt)) == [PROMPT]


def test_a_lease_is_held_by_one(ledger):
    with (
        lease(ledger, "generate"),
        lease(ledger, "collect"),
        pytest.raises(LeaseHeld, match=f"process {os.getpid()} on"),
        lease(ledger, "generate"),
    ):
        raise AssertionError("two holders")
    with lease(ledger, "generate"):
        pass


HOLDER = """
import sys, time
from pathlib import Path
from pairsmith.ledger import Ledger, lease
with Ledger.open(Path(sys.argv[1])) as ledger, lease(ledger, "generate"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_killed_holder_gives_way(ledger: Ledger, tmp_path: Path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(ledger.path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LeaseHeld, match=f"process {holder.pid}"), lease(ledger, "generate"):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with lease(ledger, "generate"):
        pass


def test_a_holder_elsewhere_that_fell_silent_gives_way(ledger):
    values = {"o": "x", "p": 1, "h": "another-host", "b": "", "t": time.time() - 3600}
    with ledger.engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO leases VALUES ('generate', :o, :p, :h, :b, :t)"), values)
    with lease(ledger, "generate"):
        pass


def test_a_reader_in_the_middle_keeps_nobody_from_reading_or_writing(tmp_path):
    with Ledger.open(tmp_path / LEDGER_FILE) as ledger:
        ledger.append(Prompt.of([Message("user", f"{number}?")]) for number in range(1500))  # more than one fetch
        reading = ledger.read(Prompt)
        next(reading)
        started = time.monotonic()
        assert len(list(ledger.where(Candidate, "prompt_id", [PROMPT.id]))) == 0
        ledger.append([PROMPT])
        assert time.monotonic() - started < 5
        assert len(list(reading)) == 1499  # as it was when reading began


def test_a_ledger_that_may_only_be_read_is_read_and_left_alone(tmp_path):
    folder = tmp_path / "a folder? with #odd% names"
    folder.mkdir()
    path = folder / "ledger.sqlite"
    prompt = Prompt.of([Message("user", "Hello?")])
    with Ledger.open(path) as ledger:
        ledger.append([prompt])
        with Ledger.open_read_only(path) as reader:  # while the writer is there
            assert list(reader.read(Prompt)) == [prompt]
    before = path.read_bytes()
    with Ledger.open_read_only(path) as reader:
        assert reader.counts()["prompts"] == 1
        with pytest.raises(LedgerError, match="readonly"):
            reader.append([Prompt.of([Message("user", "More?")])])
    assert path.read_bytes() == before


def test_a_read_only_folder_is_enough():
    """As another user, since root may write anywhere."""
    if os.geteuid() != 0:
        pytest.skip("only root may become somebody else")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        with Ledger.open(folder / "ledger.sqlite") as ledger:
            ledger.append([Prompt.of([Message("user", "Hello?")])])
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.setuid(65534)
                with Ledger.open_read_only(folder / "ledger.sqlite") as reader:
                    code = 0 if reader.position() == 1 and not os.access(folder, os.W_OK) else 2
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        assert [each.name for each in folder.iterdir()] == ["ledger.sqlite"]
