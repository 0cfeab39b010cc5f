"""Commands on plain files, as their users meet them."""

import gzip
import hashlib
import json
import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from pairsmith.cli.main import run
from pairsmith.errors import GateFailed
from pairsmith.measures.similarity import cross_pairs
from pairsmith.pipeline.checking_parts import check_parts
from pairsmith.pipeline.dividing import divide
from pairsmith.pipeline.plain_files import Request

Command = Callable[..., tuple[int, str, str]]
Rows = list[dict[str, Any]]

ITEM = "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. How many in all?"


@pytest.fixture
def pairsmith(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Command]:
    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(signal.SIGTERM)

    def command(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            run(list(words))
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out, shown.err

    yield command
    signal.signal(signal.SIGTERM, before)


def pair(number: int, prompt: str, chosen: str = "", rejected: str = "") -> dict[str, Any]:
    chosen, rejected = chosen or f"good answer {number}", rejected or f"bad reply {number}"
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected, "meta": {"n": number, "x": 1.50}}


def write(path: Path, rows: Rows) -> Path:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if path.name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    elif path.suffix == ".parquet":
        parquet.write_table(pyarrow.Table.from_pylist(rows), path, row_group_size=7)
    else:
        path.write_text(text)
    return path


def read(path: Path) -> Rows:
    if path.suffix == ".parquet":
        found: Rows = parquet.read_table(path).to_pylist()
        return found
    opened = gzip.decompress(path.read_bytes()) if path.name.endswith(".gz") else path.read_bytes()
    return [json.loads(line) for line in opened.splitlines()]


def random_rows(seed: int, count: int) -> Rows:
    rng = random.Random(seed)
    vocabulary = [f"word{n}" for n in range(300)]
    texts: list[list[str]] = []
    for _ in range(count):
        if texts and rng.random() < 0.5:
            tokens = rng.choice(texts)[:16]
            if rng.random() < 0.25:
                tokens = tokens + rng.choice(texts)[:16]  # as near to one as to the other
            else:
                for _ in range(rng.randrange(3)):
                    tokens[rng.randrange(len(tokens))] = rng.choice(vocabulary)
        else:
            tokens = rng.choices(vocabulary, k=rng.randint(12, 16))
        texts.append(tokens)
    return [pair(n, " ".join(t)) | {"category": rng.choice("abc")} for n, t in enumerate(texts)]


def findings(folder: Path) -> Rows:
    return read(folder / "findings.jsonl")


def assert_whole(folder: Path) -> None:
    """The manifest names every other file with its digest, and nothing is left beside the folder."""
    manifest = json.loads((folder / "manifest.json").read_text())["files"]
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert set(manifest) == there - {"manifest.json"}
    for name, written in manifest.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == written["sha256"]
    assert not [p for p in folder.parent.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.parquet"])
@pytest.mark.parametrize("mode", ["drop", "flag", "report"])
def test_decontaminate(pairsmith, tmp_path, name, mode):
    rows = [pair(n, f"an innocent question number {n}") for n in range(20)]
    rows[3]["prompt"] = f"Please solve this. {ITEM} Thanks!"
    rows[8]["chosen"] = ITEM.upper()
    write(tmp_path / name, rows)
    write(tmp_path / "bench.jsonl", [{"question": ITEM, "answer": "72"}])
    code, out, err = pairsmith(
        "decontaminate", name, "--against", "bench.jsonl", "-o", "out", "--mode", mode, "--engine", "serial"
    )
    assert (code, err) == (0, "")
    assert "prompt, chosen, rejected" in out
    assert "2 of 20 rows contaminated" in out
    assert_whole(tmp_path / "out")
    assert [(each["line"], each["field"]) for each in findings(tmp_path / "out")] == [(4, "prompt"), (9, "chosen")]
    first = findings(tmp_path / "out")[0]
    assert first["benchmark"] == "bench"
    assert first["item"] == 0
    assert first["text"] == ITEM
    assert first["span"] in rows[3]["prompt"]
    if mode == "report":
        assert not (tmp_path / "out" / name).exists()
        return
    kept = read(tmp_path / "out" / name)
    if mode == "drop":
        assert kept == [row for n, row in enumerate(rows) if n not in (3, 8)]
        return
    assert [n for n, row in enumerate(kept) if row["contamination"]] == [3, 8]
    assert [{k: v for k, v in row.items() if k != "contamination"} for row in kept] == rows


def test_shards_in_shards_out_and_json(pairsmith, tmp_path):
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / "part.jsonl", [pair(n, f"{folder} question {n} of this kind") for n in range(3)])
    write(tmp_path / "bench.jsonl", [{"question": ITEM}])
    code, out, _ = pairsmith("decontaminate", "x", "y/part.jsonl", "--against", "bench.jsonl", "-o", "out", "--json")
    assert code == 0
    report = json.loads(out)
    assert report["score"] == 1.0
    assert report["rows"] == {"read": 6, "contaminated": 0, "written": 6, "unreadable": 0, "without_text": 0}
    assert (tmp_path / "out/x/part.jsonl").read_bytes() == (tmp_path / "x/part.jsonl").read_bytes()
    assert (tmp_path / "out/y/part.jsonl").exists()
    assert json.loads((tmp_path / "out/report.json").read_text()) == report


def test_bad_rows_are_left_out_and_named(pairsmith, tmp_path):
    (tmp_path / "a.jsonl").write_text(
        '{"prompt": "fine one"}\n\n{"prompt": broken\n{"other": 3}\n{"prompt": "fine two"}\n'
    )
    write(tmp_path / "bench.jsonl", [{"question": ITEM}])
    code, out, _ = pairsmith("decontaminate", "a.jsonl", "--against", "bench.jsonl", "-o", "out")
    assert code == 0
    assert "1 rows cannot be read" in out
    assert "1 rows hold no text" in out
    assert [(each["line"], each["reason"]) for each in findings(tmp_path / "out")] == [(3, "invalid_json")]
    assert len(read(tmp_path / "out/a.jsonl")) == 3


def test_the_training_file_as_benchmark_is_a_warning(pairsmith, tmp_path):
    write(tmp_path / "a.jsonl", [{"question": f"{ITEM} {n}"} for n in range(4)])
    code, out, _ = pairsmith("decontaminate", "a.jsonl", "--against", "a.jsonl", "-o", "out")
    assert code == 0
    assert "is the benchmark a itself" in out
    assert not (tmp_path / "out/a.jsonl").exists()  # no file without rows


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("decontaminate", "none.jsonl", "--against", "b.jsonl", "-o", "out"), "no such file"),
        (("decontaminate", "a.jsonl", "--against", "empty.jsonl", "-o", "out"), "is empty"),
        (("decontaminate", "a.jsonl", "--against", "b.jsonl", "-o", "clean.jsonl"), "names a folder"),
        (("decontaminate", "a.jsonl", "a.jsonl", "--against", "b.jsonl", "-o", "out"), "given twice"),
        (("decontaminate", "a.jsonl", "--against", "b.jsonl", "-o", "."), "holds the input"),
        (("decontaminate", "a.jsonl", "--against", "b.jsonl", "-o", "mine"), "is there already"),
        (("decontaminate", "a.jsonl", "--against", "b.jsonl", "-o", "mine", "--force"), "not written by Pairsmith"),
        (("dedup", "a.jsonl", "--field", "nope", "-o", "out"), "no field 'nope'"),
        (("dedup", "report.json", "-o", "out"), "rename the input"),
        (("split", "a.jsonl"), "name the folder"),
        (("split", "-o", "out"), "name the files"),
        (("split", "--check"), "needs the output folder"),
        (("split", "a.jsonl", "-o", "out", "--parts", "train=0.8"), "add up to 0.8"),
        (("split", "a.jsonl", "-o", "out", "--parts", "train=1"), "one part is no split"),
        (("split", "a.jsonl", "-o", "out", "--parts", "train=1.2,test=-0.2"), "above 0 and at most 1"),
        (("split", "a.jsonl", "-o", "out", "--parts", "train=1,test=0"), "above 0 and at most 1"),
        (("split", "a.jsonl", "-o", "out", "--parts", "train=nan,test=0.5"), "above 0 and at most 1"),
        (("split", "a.jsonl", "-o", "out", "--parts", "../x=0.5,y=0.5"), "name of a folder"),
        (("split", "a.jsonl", "-o", "out", "--parts", "a,b"), "NAME=SHARE"),
        (("split", "a.jsonl", "-o", "out", "--stratify", "nope"), "no column 'nope'"),
        (("split", "a.jsonl", "-o", "out", "--after", "mine"), "--after names the output"),
        (("split", "--check", "mine"), "--check takes"),
    ],
)
def test_mistakes_are_refused_before_anything_is_written(pairsmith, tmp_path, words, said):
    write(tmp_path / "a.jsonl", [pair(n, f"question {n} about something") for n in range(5)])
    write(tmp_path / "b.jsonl", [{"question": ITEM}])
    (tmp_path / "empty.jsonl").touch()
    write(tmp_path / "report.json", [pair(0, "hi")])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("do not delete")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    code, out, err = pairsmith(*words)
    assert (code, out) == (2, "")
    assert said in err
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_fewer_groups_than_parts_is_an_error_with_a_remedy(pairsmith, tmp_path):
    write(tmp_path / "a.jsonl", [pair(n, "the very same prompt text as ever" + "!" * n) for n in range(9)])
    code, _, err = pairsmith("split", "a.jsonl", "-o", "out")
    assert code == 2
    assert "9 rows belong to 1 group of near prompts" in err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.jsonl"]


def test_one_giant_group_is_a_warning(pairsmith, tmp_path):
    rows = [pair(n, "the very same prompt text as ever") for n in range(9)]
    write(tmp_path / "a.jsonl", rows + [pair(n, f"other{n} matter{n} here{n}") for n in range(12)])
    code, out, _ = pairsmith("split", "a.jsonl", "-o", "out")
    assert code == 0
    assert "holds 9 rows (43 %)" in out


def test_a_category_with_one_row_is_a_warning(pairsmith, tmp_path):
    rows = [pair(n, f"other{n} matter{n} here{n}") | {"category": "usual"} for n in range(12)]
    write(tmp_path / "a.jsonl", [*rows, pair(12, "the only one of its kind") | {"category": "rare"}])
    code, out, _ = pairsmith("split", "a.jsonl", "-o", "out")
    assert code == 0
    assert "1 of 2 strata have fewer rows than there are parts" in " ".join(out.split())


def test_force_replaces_an_earlier_output(pairsmith, tmp_path):
    write(tmp_path / "a.jsonl", [pair(n, f"question{n} about thing{n}") for n in range(8)])
    assert pairsmith("dedup", "a.jsonl", "-o", "out")[0] == 0
    assert pairsmith("dedup", "a.jsonl", "-o", "out")[0] == 2
    write(tmp_path / "a.jsonl", [pair(n, f"question{n} about thing{n}") for n in range(3)])
    assert pairsmith("dedup", "a.jsonl", "-o", "out", "--force")[0] == 0
    assert len(read(tmp_path / "out/a.jsonl")) == 3
    assert_whole(tmp_path / "out")


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_dedup_drops_a_row_only_if_every_text_is_near(pairsmith, tmp_path, name):
    long = "please write a short and cheerful poem about the autumn wind in the old oak forest near my home"
    rows = [
        pair(0, long, "chosen text number one", "rejected words of another kind"),
        pair(1, long.upper(), "Chosen text, number one!", "rejected words of another kind"),
        pair(2, long, "rejected words of another kind", "chosen text number one"),  # the opposite preference
        pair(3, long, "chosen text number one", "nothing like the other reply at all"),
        pair(4, "something else", "chosen text number one", "rejected words of another kind"),
        pair(5, "\N{THUMBS UP SIGN}", "chosen text number one", "rejected words of another kind"),
        pair(6, "\N{THUMBS DOWN SIGN}", "chosen text number one", "rejected words of another kind"),
        pair(7, "\N{THUMBS DOWN SIGN}", "chosen text number one", "rejected words of another kind"),
    ]
    write(tmp_path / name, rows)
    code, _, _ = pairsmith("dedup", name, "-o", "out")
    assert code == 0
    assert [row["meta"]["n"] for row in read(tmp_path / "out" / name)] == [0, 2, 3, 4, 5, 6]
    found = findings(tmp_path / "out")
    assert [(each["line"], each["kept"]["line"]) for each in found] == [(2, 1), (8, 7)]
    assert all(each["similarity"] >= 0.8 for each in found)
    assert pairsmith("dedup", name, "--field", "prompt", "-o", "by_prompt")[0] == 0
    assert [row["meta"]["n"] for row in read(tmp_path / "by_prompt" / name)] == [0, 4, 5, 6, 7]


def test_a_split_shares_no_near_prompt_and_the_check_proves_it(pairsmith, tmp_path):
    rows = random_rows(1, 400)
    for n in range(4):
        write(tmp_path / f"s{n}.jsonl", rows[n * 100 : n * 100 + 100])
    shards = [f"s{n}.jsonl" for n in range(4)]
    words = ("--parts", "train=0.7,validation=0.2,test=0.1", "--similarity", "0.4", "-o", "out", "--engine", "serial")
    code, out, _ = pairsmith("split", *shards, *words)
    assert code == 0
    assert "near prompts across parts: 0" in out
    assert_whole(tmp_path / "out")
    parts = {
        part: [r for s in shards for r in read(tmp_path / "out" / part / s)] for part in ("train", "validation", "test")
    }
    quarantined = [each for each in findings(tmp_path / "out") if each["reason"] == "near_both_parts"]
    assert sum(map(len, parts.values())) + len(quarantined) == 400
    assert quarantined
    for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert cross_pairs([r["prompt"] for r in parts[one]], [r["prompt"] for r in parts[other]], 0.4) == []
    for n, shard in enumerate(shards):
        for part in parts:
            order = [row["meta"]["n"] for row in read(tmp_path / "out" / part / shard)]
            assert order == sorted(order)
            assert all(n * 100 <= each < n * 100 + 100 for each in order)
    code, out, _ = pairsmith("split", "--check", "out", "--engine", "serial")
    assert code == 0
    assert "no prompts of similarity 0.4 or more" in out
    moved = read(tmp_path / "out/train/s0.jsonl")[0]
    with (tmp_path / "out/test/s1.jsonl").open("a") as file:
        file.write(json.dumps(moved) + "\n")
    assert "was changed" in pairsmith("split", "--check", "out", "--engine", "serial")[2]
    (tmp_path / "out/manifest.json").write_text('{"files": {}}')
    code, _, err = pairsmith("split", "--check", "out", "--engine", "serial")
    assert code == 3
    assert "out/train/s0.jsonl:1" in err


def divided(files: list[Path], output: Path, after: Path | None, threshold: float = 0.4) -> dict[str, Any]:
    parts = {"train": 0.7, "validation": 0.2, "test": 0.1}
    request = Request(tuple(files), output, engine="serial")
    return divide(request, parts, threshold=threshold, seed=4, after=after)


def sides(folders: list[Path]) -> dict[int, str]:
    """Part of each row, by its number; quarantined ones are in none."""
    return {
        row["meta"]["n"]: part
        for folder in folders
        for part in ("train", "validation", "test")
        for path in sorted((folder / part).glob("*.jsonl"))
        for row in read(path)
    }


def check_growth(seed: int, folder: Path) -> Counter[str]:
    """One random history: rows come in lots, once added to the split so far, once all is split anew."""
    rng = random.Random(seed)
    rows = random_rows(seed, rng.randint(40, 90))
    folder.mkdir()
    files, outputs = list[Path](), list[Path]()
    done, before = 0, dict[int, str]()
    gone: set[int] = set()
    quarantined = 0
    while done < len(rows):
        size = min(len(rows) - done, rng.randint(12, 40))
        lot = len(files)
        files.append(write(folder / f"lot{lot}.jsonl", rows[done : done + size]))
        done += size
        report = divided(files[-1:], folder / f"out{lot}", outputs[-1] if outputs else None)
        assert report["leaks"] == 0
        quarantined += report["rows"]["quarantined"]
        outputs.append(folder / f"out{lot}")
        after = sides(outputs)
        assert before.items() <= after.items(), "a row moved"
        assert not gone & set(after), "a quarantined row came back"
        gone, before = set(range(done)) - set(after), after
        assert sides([divided_anew(files, folder, lot)]) == after
    by_part = {
        part: [rows[n]["prompt"] for n in before if before[n] == part] for part in ("train", "validation", "test")
    }
    for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert cross_pairs(by_part[one], by_part[other], 0.4) == []
    assert check_parts(outputs)["near_pairs"] == 0
    error = max(abs(len(by_part[p]) / len(before) - s) for p, s in (("train", 0.7), ("validation", 0.2), ("test", 0.1)))
    return Counter(rows=len(rows), quarantined=quarantined, error_in_ten_thousandths=round(error * 1e4))


def divided_anew(files: list[Path], folder: Path, lot: int) -> Path:
    divided(files, folder / f"anew{lot}", None)
    return folder / f"anew{lot}"


@pytest.mark.parametrize("seed", range(4))
def test_growth_never_moves_a_row(seed, tmp_path):
    check_growth(seed, tmp_path / "history")


@pytest.mark.slow
def test_three_hundred_histories_never_move_a_row(tmp_path):
    totals = Counter[str]()
    for seed in range(300):
        totals += check_growth(1000 + seed, tmp_path / f"history{seed}")
    assert 0 < totals["quarantined"] / totals["rows"] < 0.25
    assert totals["error_in_ten_thousandths"] / 300 < 500


def test_another_question_than_before_is_refused(tmp_path):
    one = write(tmp_path / "one.jsonl", random_rows(1, 40))
    two = write(tmp_path / "two.jsonl", random_rows(2, 40))
    divided([one], tmp_path / "first", None)
    with pytest.raises(ValueError, match=r"similarity 0\.4, not 0\.6"):
        divided([two], tmp_path / "second", tmp_path / "first", threshold=0.6)


def test_an_addition_never_replaces_the_split_it_adds_to(tmp_path):
    one = write(tmp_path / "one.jsonl", random_rows(1, 40))
    divided([one], tmp_path / "first", None)
    request = Request((one,), tmp_path / "first", force=True, engine="serial")
    with pytest.raises(ValueError, match="write the new ones to another folder"):
        divide(request, {"train": 0.5, "validation": 0.5}, after=tmp_path / "first")
    assert sides([tmp_path / "first"])


def test_the_check_finds_what_an_addition_would_leak(tmp_path):
    """Two splits that know nothing of each other, of the same rows in another order."""
    rows = random_rows(3, 60)
    divided([write(tmp_path / "one.jsonl", rows)], tmp_path / "first", None)
    divided([write(tmp_path / "two.jsonl", rows[::-1])], tmp_path / "second", None)
    with pytest.raises(GateFailed, match="pairs of near prompts lie in different parts"):
        check_parts([tmp_path / "first", tmp_path / "second"])


@pytest.mark.parametrize("columns", [("category",), ("category", "difficulty", "source")])
def test_strata_are_within_two_points(tmp_path, columns):
    rng = random.Random(5)
    values = {"category": "abc", "difficulty": "12", "source": "xy"}
    rows = [
        pair(n, f"unique{n} topic{n} matter{n}") | {name: rng.choice(values[name]) for name in columns}
        for n in range(1500)
    ]
    report = divided([write(tmp_path / "a.jsonl", rows)], tmp_path / "out", None)
    assert report["stratify"] == list(columns)
    assert report["max_deviation"] < 0.02
    assert report["max_share_error"] < 0.002
