"""The house keeps its own rules: one word in seven places, small files, honest exports, documented codes."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import pairsmith.errors
from pairsmith.cli.main import app
from pairsmith.config import Config, parse_config
from pairsmith.pipeline import STAGES
from pairsmith.pipeline.deriving import derive
from pairsmith.pipeline.facts import Facts
from pairsmith.pipeline.gate import CRITERIA
from pairsmith.pipeline.summary import REASON_TEXTS

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src"
MODULES = sorted(path for path in SOURCE.rglob("*.py"))
REFERENCE = "\n".join(path.read_text() for path in sorted((ROOT / "docs" / "reference").glob("*.md")))


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_has_one_name_everywhere(stage):
    module = importlib.import_module(f"pairsmith.stages.{stage}")
    assert callable(getattr(module, stage))
    section = {field.alias or name: field for name, field in Config.model_fields.items()}[stage]
    assert section.annotation is not None
    assert section.annotation.__name__ == f"{stage.capitalize()}Config"
    assert CliRunner().invoke(app, [stage, "--help"]).exit_code == 0
    assert (ROOT / "tests" / f"test_{stage}.py").is_file()
    assert (ROOT / "docs" / "stages" / f"{stage}.md").is_file()
    assert f'"{stage}":' in (SOURCE / "pairsmith" / "pipeline" / "building.py").read_text()  # its folder in a build


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_files_are_short_and_say_what_they_export(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 300
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "a module says in one line what it is"
    public = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_")
    }
    exported = next(
        (
            ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id == "__all__"
        ),
        None,
    )
    if public:
        assert exported is not None, "__all__ is missing"
        assert public <= set(exported) | {"register", "main", "run"} or path.parent.name == "cli"


VERBS = sorted(command.callback.__name__ for command in app.registered_commands if command.callback)


@pytest.mark.parametrize("words", [[], ["config", "check"], ["config", "schema"], *([verb] for verb in VERBS)], ids=str)
def test_help_ends_with_an_example(words):
    shown = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    assert "Example: pairsmith" in shown.output


def test_every_configuration_key_is_documented():
    check = subprocess.run(
        [sys.executable, "scripts/make_configuration_reference.py", "--check"], cwd=ROOT, check=False
    )
    assert check.returncode == 0, "run: python scripts/make_configuration_reference.py"


@pytest.mark.parametrize("reason", sorted(REASON_TEXTS))
def test_every_reason_code_is_documented(reason):
    assert f"`{reason}`" in REFERENCE


@pytest.mark.parametrize("criterion", CRITERIA)
def test_every_gate_criterion_is_documented(criterion):
    assert f"`{criterion}`" in REFERENCE


def test_every_metric_is_documented():
    nothing = Facts(0, (), {}, (), (), (), (), (), ())
    dataset = dict.fromkeys(("name", "seed", "ledger_position", "code_version", "config_sha256"), "")
    metrics = derive(parse_config(""), nothing, [], dataset).metrics
    keys = set(metrics) | {key for section in metrics.values() if isinstance(section, dict) for key in section}
    undocumented = {key for key in keys if not re.search(rf"[`.]{key}`", REFERENCE)}
    plain = {"value", "interval", "n", "reason", "state", "kind", "threshold"}
    assert undocumented - plain == set()


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_documented(verb):
    assert re.search(rf"^\| `{verb}[ `]", (ROOT / "docs" / "reference" / "command-line.md").read_text(), re.M)


def test_every_exit_code_is_documented():
    codes = {0, 130, 143} | {getattr(pairsmith.errors, name).exit_code for name in pairsmith.errors.__all__}
    page = (ROOT / "docs" / "reference" / "exit-codes.md").read_text()
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.M)} == codes


@pytest.mark.parametrize("name", pairsmith.errors.__all__)
def test_every_error_is_also_a_standard_one(name):
    kind = getattr(pairsmith.errors, name)
    standard = (ValueError, RuntimeError)
    assert name == "PairsmithError" or issubclass(kind, standard)


def test_the_core_imports_fast_and_light():
    heavy = {"numpy", "sqlalchemy", "pydantic", "aiohttp", "pyarrow", "xllamacpp", "jinja2", "torch"}
    code = f"import sys, pairsmith, pairsmith.cli.main; print(sorted({heavy!r} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_the_repository_speaks_of_the_project_alone():
    forbidden = re.compile(r"/(wor[k]|far[m]|roo[t])/|pypi\.or[g]|files\.pythonhoste[d]")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    for name in filter(None, tracked):
        path = ROOT / name
        if path.suffix in {".py", ".md", ".yaml", ".toml", ".lock", ".j2", ".sh", ""} and path.is_file():
            assert not forbidden.search(path.read_text()), name
