"""The command line as its users meet it: happy paths, the commonest mistakes, and what goes to which stream."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pairsmith import __version__
from pairsmith.cli.main import run
from pairsmith.models.fake import FakeServer

VOTES = "ABAABBAB"
VERBS: Mapping[str, tuple[str, ...]] = {
    "collect": ("collect",),
    "generate": ("generate",),
    "annotate": ("annotate",),
    "resolve": ("resolve",),
    "validate": ("validate",),
    "split": ("split",),
    "export": ("export",),
    "build": ("build",),
    "run": ("run",),
    "status": ("status",),
    "config check": ("config", "check"),
    "config schema": ("config", "schema"),
}


class Ended:
    """How a command ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def document(self) -> Any:
        """Standard output as one JSON document."""
        return json.loads(self.out)


Command = Callable[..., Ended]


@pytest.fixture
def pairsmith(capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """The command line in this process: fast, and with its real exit codes."""
    before = signal.getsignal(signal.SIGTERM)

    def command(*words: str | Path) -> Ended:
        with pytest.raises(SystemExit) as ended:
            run([str(word) for word in words])
        code = ended.value.code
        assert isinstance(code, int) or code is None
        return Ended(code or 0, *capsys.readouterr())

    yield command
    signal.signal(signal.SIGTERM, before)


def write_project(folder: Path, config: str = "") -> Path:
    """A project whose pairs, with three votes each, come with its source."""
    folder.mkdir(parents=True, exist_ok=True)
    topics = ("tides", "bread", "prime numbers", "old clocks", "violins", "winter", "maps", "glass")
    rows = [
        {
            "pair_id": f"p{number}",
            "prompt": f"What should a beginner know about {topic}?",
            "response_a": f"{topic}: a full answer with an example and a reason.",
            "response_b": f"{topic}: it depends.",
            "annotator": annotator,
            "preference": vote,
        }
        for number, (topic, vote) in enumerate(zip(topics, VOTES, strict=True))
        for annotator in ("ann1", "ann2", "ann3")
    ]
    (folder / "votes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    text = "version: 1\nname: tried\nseed: 7\ncollect: {sources: [{path: votes.jsonl, format: votes}]}\n"
    (folder / "pairsmith.yaml").write_text(text + (config or "gate: {min_pairs: 8}\n"), encoding="utf-8")
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path / "project")


# What works


def test_a_dataset_from_first_verb_to_last(pairsmith, project):
    assert "24 new" in pairsmith("-C", project, "collect").out
    assert "nothing to do" in pairsmith("-C", project, "generate").out
    assert "annotate" in pairsmith("-C", project, "annotate").out
    resolved = pairsmith("-C", project, "resolve").out
    assert "8 kept, 0 dropped" in resolved
    assert "decided by counting votes: 8" in resolved
    assert "8 kept, 0 dropped" in pairsmith("-C", project, "validate").out
    assert "8 kept, 0 dropped" in pairsmith("-C", project, "split").out
    assert not (project / "builds").exists()  # so far nothing was derived that stays
    assert "8 rows in" in pairsmith("-C", project, "export").out
    built = pairsmith("-C", project, "build")
    assert built.code == 0
    assert "was there already" in built.out
    judged = pairsmith("-C", project, "gate")
    assert judged.code == 3  # no benchmarks: what was not evaluated does not pass
    assert "not evaluated" in judged.out
    assert "decontamination" in judged.err
    assert "up to date" in pairsmith("-C", project, "status").out


def test_every_verb_prints_one_document_and_nothing_else_with_json(pairsmith, project):
    for verb, words in VERBS.items():
        ended = pairsmith("-C", project, "--json", *words)
        assert isinstance(ended.document, dict), verb
        assert ended.code == (3 if verb == "run" else 0), verb
        assert bool(ended.err) == (ended.code != 0), verb
    ended = pairsmith("-C", project, "gate", "--json")
    assert (ended.code, ended.document["passed"]) == (3, False)
    assert ended.err.startswith("error: the gate did not pass")
    row = json.loads((project / "builds/latest/preference_pairs.jsonl").read_text().splitlines()[0])
    assert len(pairsmith("-C", project, "show", row["pair_id"], "--json").document["annotations"]) == 3
    assert pairsmith("-C", project, "--json", "init", "other").document["files"]


def test_an_error_leaves_standard_output_empty_even_with_json(pairsmith, tmp_path):
    ended = pairsmith("-C", tmp_path, "--json", "status")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: ")


@pytest.mark.parametrize(
    "words",
    [
        ("-C", "{}", "--set", "name=other", "--json", "status"),
        ("status", "--json", "--set", "name=other", "-C", "{}"),
        ("status", "--json", "--set=name=other", "--directory={}"),
        ("status", "-C{}", "--json", "--set=name=other"),
        ("--directory", "{}", "status", "--json"),
    ],
)
def test_global_options_stand_before_or_after_the_verb(pairsmith, project, words):
    ended = pairsmith(*(word.format(project) for word in words))
    assert ended.code == 0, ended.err
    assert ended.document["position"] == 0


def test_quiet_prints_errors_only(pairsmith, project):
    ended = pairsmith("-q", "-C", project, "run")
    assert (ended.code, ended.out) == (3, "")
    assert len(ended.err.splitlines()) == 1
    assert pairsmith("-C", project, "status", "-q").out == ""


def test_verbose_adds_a_traceback_and_keeps_the_exit_code(pairsmith, project, tmp_path):
    pairsmith("-C", project, "run")
    ended = pairsmith("-v", "-C", project, "gate")
    assert ended.code == 3
    assert "Traceback" in ended.err
    assert ended.err.splitlines()[-1].startswith("error: the gate did not pass")
    assert pairsmith("-v", "-C", tmp_path, "gate").code == 2


@pytest.mark.parametrize("words", [("--version",), ("status", "--version"), ("-C", "nowhere", "--version")])
def test_version(pairsmith, words):
    ended = pairsmith(*words)
    assert (ended.code, ended.out) == (0, f"{__version__}\n")


def test_no_verb_shows_the_help(pairsmith):
    ended = pairsmith()
    assert "Example: pairsmith init" in ended.out + ended.err


# What goes wrong most often


def test_a_misspelt_key_names_the_line_and_the_nearest_key(pairsmith, tmp_path):
    (tmp_path / "pairsmith.yaml").write_text("version: 1\nname: x\nannotate: {overlaps: 2}\n")
    for words in (("status",), ("run",), ("config", "check"), ("generate", "--json")):
        ended = pairsmith("-C", tmp_path, *words)
        assert ended.err == "error: pairsmith.yaml:3: annotate.overlaps: not permitted; did you mean 'overlap'?\n"
        assert (ended.code, ended.out) == (2, "")
    assert [path.name for path in tmp_path.iterdir()] == ["pairsmith.yaml"]


@pytest.mark.parametrize(
    ("override", "answer"),
    [
        ("gates.min_pairs=1", "--set gates.min_pairs: gates: not permitted; did you mean 'gate'?"),
        ("gate.min_pair=1", "--set gate.min_pair: gate.min_pair: not permitted; did you mean 'min_pairs'?"),
        ("gate.min_pairs", "--set gate.min_pairs: expected KEY=VALUE"),
        ("gate.min_pairs=many", "--set gate.min_pairs: gate.min_pairs: "),
        ("gate.min_gap=3.0", "did you mean 0.30?"),
        ("split.train=1.5", "--set split.train: split.train: "),
        ("split.train=0", "--set split.train: split.train: "),
        ("seed.x=1", "--set seed.x: there is no 'seed.x' to set"),
        ("collect.sources.4.path=x", "there is no 'collect.sources.4' to set"),
        ("generate.models=[big]", "generate.models names the model 'big'"),
    ],
)
def test_a_wrong_override_is_answered_by_name(pairsmith, project, override, answer):
    ended = pairsmith("-C", project, "--set", override, "status")
    assert ended.code == 2
    assert answer in ended.err


@pytest.mark.parametrize(
    "words", [*VERBS.values(), ("gate",), ("show", "pair_0"), ("show", "cmp_0")], ids=lambda words: " ".join(words)
)
def test_a_folder_that_is_no_project_is_refused_and_left_alone(pairsmith, tmp_path, words):
    if words == ("config", "schema"):
        return  # needs no project
    for folder in (tmp_path, tmp_path / "nowhere"):
        ended = pairsmith("-C", folder, *words)
        assert (ended.code, ended.out) == (2, "")
        assert f"{folder}: no pairsmith.yaml here; run `pairsmith init`" in ended.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [("statsu",), ("status", "--no-such"), ("build", "--as-of", "x"), ("show",)])
def test_usage_errors_end_with_2_and_name_the_help(pairsmith, project, words):
    ended = pairsmith("-C", project, *words)
    assert (ended.code, ended.out) == (2, "")
    assert "-h" in ended.err


def test_a_missing_source_is_named_and_a_fresh_project_still_has_a_status(pairsmith, tmp_path):
    pairsmith("-C", tmp_path, "init")
    ended = pairsmith("-C", tmp_path, "collect")
    assert ended.code == 2
    assert f"{tmp_path / 'prompts.jsonl'}: no such file" in ended.err
    ended = pairsmith("-C", tmp_path, "status")
    assert ended.code == 0
    assert "prompts.jsonl: no such file" in ended.out
    assert "No build yet" in ended.out


def test_init_never_overwrites(pairsmith, tmp_path):
    assert pairsmith("init", tmp_path / "new").code == 0
    path = tmp_path / "new" / "pairsmith.yaml"
    path.write_text("name: mine\n")
    ended = pairsmith("init", tmp_path / "new")
    assert ended.code == 2
    assert "exists already" in ended.err
    assert path.read_text() == "name: mine\n"
    (tmp_path / "file").write_text("")
    assert pairsmith("init", tmp_path / "file").code == 2


def test_export_never_overwrites_unless_forced(pairsmith, project, tmp_path):
    to = tmp_path / "out"
    pairsmith("-C", project, "collect")
    assert pairsmith("-C", project, "export", "--to", to).code == 0
    (to / "train.jsonl").write_text("mine")
    ended = pairsmith("-C", project, "export", "--to", to)
    assert ended.code == 2
    assert "--force" in ended.err
    assert (to / "train.jsonl").read_text() == "mine"
    assert pairsmith("-C", project, "export", "--to", to, "--force").code == 0
    assert (to / "train.jsonl").read_text() != "mine"
    ended = pairsmith("-C", project, "export", "--to", project / "votes.jsonl")
    assert ended.code == 2
    assert "choose another folder" in ended.err


def set_split(project: Path, section: str) -> None:
    text = "version: 1\nname: tried\nseed: 7\ncollect: {sources: [{path: votes.jsonl, format: votes}]}\n"
    (project / "pairsmith.yaml").write_text(f"{text}gate: {{min_pairs: 8}}\n{section}\n", encoding="utf-8")


def test_a_dataset_of_three_parts(pairsmith, project, tmp_path):
    set_split(project, "split: {parts: {train: 0.5, test: 0.25, validation: 0.25}}")
    ended = pairsmith("-C", project, "run")
    assert "builds/0001: 4 train, 2 validation, 2 test" in ended.out
    assert (
        "4 train, 2 validation, 2 test; similar prompts in different parts: 0" in pairsmith("-C", project, "split").out
    )
    assert "(up to date): 4 train, 2 validation, 2 test; gate failed" in pairsmith("-C", project, "status").out
    (project / "builds" / "0001" / "split" / "metrics.json").write_text("{}")
    damaged = pairsmith("-C", project, "status")
    assert (damaged.code, "changed since it was written" in damaged.out) == (0, True)
    to = tmp_path / "out"
    assert pairsmith("-C", project, "export", "--to", to).code == 0
    names = ["preference_pairs", "test", "train", "validation"]
    assert sorted(path.stem for path in to.iterdir()) == names
    parts = {name: (to / f"{name}.jsonl").read_text(encoding="utf-8").splitlines() for name in names}
    assert all(json.loads(row)["part"] == name for name in names[1:] for row in parts[name])
    assert sorted(row for name in names[1:] for row in parts[name]) == sorted(parts["preference_pairs"])
    (criterion,) = (
        each
        for each in json.loads((project / "builds" / "latest" / "gate.json").read_text())["criteria"]
        if each["name"] == "splits_created"
    )
    assert criterion["state"] == "pass"
    assert "path: test.jsonl" in (project / "builds" / "latest" / "README.md").read_text(encoding="utf-8")


def test_the_order_of_the_parts_means_nothing(pairsmith, project):
    set_split(project, "split: {parts: {train: 0.5, test: 0.25, validation: 0.25}}")
    pairsmith("-C", project, "run")
    set_split(project, "split: {parts: {validation: 0.25, test: 0.25, train: 0.5}}")
    assert "builds/0001 (was there already)" in pairsmith("-C", project, "build").out


def test_export_leaves_no_part_of_another_split_beside_its_own(pairsmith, project, tmp_path):
    to = tmp_path / "out"
    set_split(project, "split: {parts: {train: 0.5, test: 0.25, validation: 0.25}}")
    pairsmith("-C", project, "collect")
    assert pairsmith("-C", project, "export", "--to", to).code == 0
    (to / "notes.jsonl").write_text('{"part": "train"}\n')
    before = {path: path.read_bytes() for path in to.iterdir()}
    set_split(project, "split: {train: 0.5}")
    ended = pairsmith("-C", project, "export", "--to", to, "--force")
    assert (ended.code, "test.jsonl: a part of an earlier export" in ended.err) == (2, True)
    assert {path: path.read_bytes() for path in to.iterdir()} == before
    (to / "test.jsonl").unlink()
    assert pairsmith("-C", project, "export", "--to", to, "--force").code == 0


def test_fewer_groups_than_parts_fail_the_gate_with_the_reason(pairsmith, tmp_path):
    project = write_project(tmp_path / "project")
    rows = [json.loads(line) for line in (project / "votes.jsonl").read_text().splitlines()]
    for row in rows:
        row["prompt"] = "What should a beginner know about this" + "?" * int(row["pair_id"][1:])
    (project / "votes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    set_split(project, "split: {parts: {train: 0.5, test: 0.25, validation: 0.25}}")
    pairsmith("-C", project, "collect")
    said = "1 group of similar prompts, which cannot be divided into 3 parts"
    shown = pairsmith("-C", project, "split").out
    assert said in shown
    assert "warning: one group of near prompts holds" in shown
    pairsmith("-C", project, "build")
    (criterion,) = (
        each
        for each in json.loads((project / "builds" / "latest" / "gate.json").read_text())["criteria"]
        if each["name"] == "splits_created"
    )
    assert (criterion["state"], said in criterion["reason"]) == ("fail", True)


def test_export_never_overwrites_a_source_even_if_forced(pairsmith, project):
    data = (project / "votes.jsonl").read_bytes()
    (project / "votes.jsonl").rename(project / "train.jsonl")
    override = ("--set", "collect.sources.0.path=train.jsonl")
    pairsmith("-C", project, *override, "collect")
    ended = pairsmith("-C", project, *override, "export", "--to", project, "--force")
    assert (ended.code, "is a source of this dataset" in ended.err) == (2, True)
    assert (project / "train.jsonl").read_bytes() == data
    assert not (project / "validation.jsonl").exists()


@pytest.mark.parametrize("name", ["missing.jsonl", "empty.jsonl", "wrong.jsonl", "binary.jsonl", "."])
def test_a_benchmark_that_cannot_be_read_stops_a_run_before_any_work(pairsmith, project, name):
    (project / "empty.jsonl").write_text("")
    (project / "wrong.jsonl").write_text('{"nothing": "of use"}\n')
    (project / "binary.jsonl").write_bytes(bytes(range(256)))
    ended = pairsmith("-C", project, "--set", f"validate.benchmarks=[{name}]", "run")
    assert (ended.code, ended.out) == (2, "")
    assert str(project / name) in ended.err
    assert not (project / "ledger.sqlite").exists()


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("name: !!python/object/apply:os.system [id]\n", "pairsmith.yaml:1: not valid YAML"),
        ("name: x\nname: y\n", "pairsmith.yaml:2: name: given twice (first on line 1)"),
        ("gate:\n\tmin_pairs: 1\n", "pairsmith.yaml:2: not valid YAML"),
        ("- a\n", "pairsmith.yaml:1: expected `key: value` lines"),
        ("name: ../../etc\n", "pairsmith.yaml:1: name: "),
        ("gate: {min_gap: 3.0}\n", "did you mean 0.30?"),
        ("split: {train: -1}\n", "pairsmith.yaml:1: split.train: "),
        (
            "a: &a [x, x]\n"
            + "".join(f"b{n}: &b{n} [{', '.join(['*' + (f'b{n - 1}' if n else 'a')] * 9)}]\n" for n in range(6)),
            "aliases",
        ),
        ("x" * 2_000_000, "more than a configuration ever needs"),
    ],
)
def test_a_configuration_that_is_none(pairsmith, tmp_path, text, answer):
    (tmp_path / "pairsmith.yaml").write_text(text)
    ended = pairsmith("-C", tmp_path, "run")
    assert (ended.code, ended.out) == (2, "")
    assert answer in ended.err


@pytest.mark.parametrize("position", ["99999", "-1"])
def test_a_position_the_ledger_never_had(pairsmith, project, position):
    pairsmith("-C", project, "collect")
    ended = pairsmith("-C", project, "build", f"--as-of={position}")
    assert ended.code == 2
    assert "give a number up to that" in ended.err
    assert not (project / "builds").exists()


def test_an_unknown_id_or_build_says_where_to_look(pairsmith, project):
    for wanted in ("pair_0123456789abcdef01234567", "cmp_0", "nonsense", "", "../../etc/passwd", "pair_' OR 1=1"):
        ended = pairsmith("-C", project, "show", wanted)
        assert (ended.code, ended.out) == (2, ""), wanted
    ended = pairsmith("-C", project, "gate")
    assert (ended.code, "run `pairsmith build` first" in ended.err) == (2, True)
    pairsmith("-C", project, "build")
    for name in ("0009", "..", "../..", ""):
        assert pairsmith("-C", project, "gate", "--build", name).code == 2, name


def test_damaged_files_of_the_project_are_named(pairsmith, project):
    pairsmith("-C", project, "build")
    (project / "builds/0001/manifest.json").write_text("{")
    ended = pairsmith("-C", project, "gate")
    assert (ended.code, "damaged" in ended.err) == (1, True)
    (project / "ledger.sqlite").write_bytes(b"not a database" * 100)
    ended = pairsmith("-C", project, "status")
    assert ended.code == 1
    assert "ledger.sqlite" in ended.err


def test_control_characters_of_others_do_not_reach_the_terminal(pairsmith, tmp_path):
    project = write_project(tmp_path)
    nasty = "\x1b[31mred\x1b]0;title\x07 \u202egnp"
    (project / "votes.jsonl").write_text(json.dumps({nasty: 1}) + "\n")
    ended = pairsmith("-C", project, "--set", "collect.sources.0.format=auto", "collect")
    assert ended.code == 2
    row = {"prompt": nasty, "chosen": f"{nasty} yes", "rejected": f"{nasty} no", "category": nasty}
    (project / "votes.jsonl").write_text(json.dumps(row) + "\n")
    told = ended.err
    for words in (("collect",), ("resolve",), ("validate",), ("split",), ("run",), ("status",)):
        ended = pairsmith("-C", project, "--set", "collect.sources.0.format=preference", *words)
        told += ended.out + ended.err
    row = json.loads((project / "builds/latest/preference_pairs.jsonl").read_text())
    told += pairsmith("-C", project, "show", row["pair_id"]).out
    assert "red" in told
    assert not [character for character in "\x1b\x07\u202e" if character in told]


# Models


def test_generate_and_annotate_ask_only_what_is_missing(pairsmith, tmp_path):
    with FakeServer() as server:
        text = f"""name: asked
collect: {{sources: [{{path: prompts.txt, format: text}}]}}
models: {{writer: {{base_url: "{server.base_url}", model: fake}}}}
generate: {{models: [writer], n: 2, max_tokens: 20}}
annotate: {{annotators: [{{kind: judge, model: writer}}]}}
"""
        (tmp_path / "pairsmith.yaml").write_text(text)
        (tmp_path / "prompts.txt").write_text("Why is the sky blue?\nHow do magnets work?\n")
        pairsmith("-C", tmp_path, "collect")
        assert "4 calls" in pairsmith("-C", tmp_path, "status").out
        done = pairsmith("-C", tmp_path, "generate", "--json")
        assert (done.code, done.document["new"]) == (0, 4)
        done = pairsmith("-C", tmp_path, "annotate", "--json")
        assert (done.code, done.document["new"]) == (0, 2)
        calls = sum(server.calls.values())
        assert pairsmith("-C", tmp_path, "run", "--json").document["stages"][1]["new"] == 0
        assert sum(server.calls.values()) == calls == 6 + 2 + 2 * 2  # six to learn what the server can do; both orders


def test_a_server_that_is_not_there_ends_with_5(pairsmith, tmp_path):
    with FakeServer() as server:
        address = server.base_url
    text = f"""collect: {{sources: [{{path: prompts.txt, format: text}}]}}
models: {{writer: {{base_url: "{address}", model: fake}}}}
generate: {{models: [writer], n: 1}}
runtime: {{attempts: 1, timeout_s: 2}}
"""
    (tmp_path / "pairsmith.yaml").write_text(text)
    (tmp_path / "prompts.txt").write_text("Why is the sky blue?\n")
    pairsmith("-C", tmp_path, "collect")
    ended = pairsmith("-C", tmp_path, "generate")
    assert ended.code == 5
    assert address in ended.err


# Odd surroundings


def start(words: tuple[str, ...], **options: Any) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.environ["PATH"], **options.pop("env", {})}
    command = [sys.executable, "-m", "pairsmith", *words]
    return subprocess.run(command, env=environment, text=True, errors="surrogateescape", check=False, **options)


@pytest.mark.parametrize(
    "name", ["with space", "gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n", "two\nlines", "-dash", "a'b\"c$d", "[red]"]
)
def test_any_folder_name_will_do(pairsmith, tmp_path, name):
    project = write_project(tmp_path / name)
    ended = pairsmith("-C", project, "run")
    assert ended.code == 3, ended.err
    assert str(project) in ended.out
    assert pairsmith("-C", project, "gate", "--json").document["build"] == str(project / "builds" / "0001")


def test_poor_surroundings(tmp_path):
    """No home, no locale, an unknown time zone, a terminal that knows only ASCII, and a name it cannot show."""
    project = write_project(tmp_path / "gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n")
    poor = {"LC_ALL": "C", "TZ": "Nowhere/At:all", "PYTHONIOENCODING": "ascii", "COLUMNS": "7"}
    ended = start(("-C", str(project), "run"), env=poor, capture_output=True)
    assert ended.returncode == 3, ended.stderr
    assert "Traceback" not in ended.stderr
    ended = start(("-C", str(project), "--json", "gate"), env=poor, capture_output=True)
    assert json.loads(ended.stdout)["build"] == str(project / "builds" / "0001")


def test_a_reader_who_leaves_early_is_no_error(project):
    for verb in ("status --json", "build", "config schema"):
        command = f'"{sys.executable}" -m pairsmith -C "{project}" {verb} | head -c 1'
        environment = {"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.environ["PATH"]}
        ended = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, check=True)
        assert ended.stderr == "", verb


def test_a_full_disk_and_a_closed_output_are_told_shortly(project):
    full = Path("/dev/full")
    if full.exists():
        with full.open("w") as stdout:
            ended = start(("-C", str(project), "status"), stdout=stdout, stderr=subprocess.PIPE)
        assert ended.returncode == 1
        assert "No space left" in ended.stderr
        assert "Traceback" not in ended.stderr
    ended = start(("-C", str(project), "status"), stderr=subprocess.PIPE, preexec_fn=lambda: os.close(1))
    assert "Traceback" not in ended.stderr


def test_colour_only_on_a_terminal(pairsmith, project):
    assert "\x1b" not in pairsmith("-C", project, "run").out
    shown, theirs = pty.openpty()
    start(("-C", str(project), "gate"), stdout=theirs, stderr=subprocess.DEVNULL, env={"TERM": "xterm"})
    os.close(theirs)
    assert b"\x1b[" in os.read(shown, 65536)
    os.close(shown)
