"""The tables of codes: every code used in the source stands in them and in the documentation, and none beside."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pairsmith
from pairsmith.formats.parsers import PARSERS
from pairsmith.formats.reasons import REASONS, WARNINGS

SOURCE = Path(pairsmith.__file__).parent
PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "formats.md"
MODULES = [*sorted((SOURCE / "formats").glob("*.py")), SOURCE / "stages" / "collect.py"]


def texts(skip: str) -> Iterator[str]:
    for module in MODULES:
        if module.name != skip:
            for node in ast.walk(ast.parse(module.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value


def raised() -> Iterator[str]:
    """First codes given to RowProblem and JsonProblem, and third ones to BadRow, where written out."""
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                at = {"RowProblem": 0, "JsonProblem": 0, "BadRow": 2}.get(node.func.id)
                if at is not None and len(node.args) > at and isinstance(code := node.args[at], ast.Constant):
                    yield str(code.value)


def test_every_code_that_is_raised_is_in_the_table() -> None:
    found = set(raised())
    assert len(found) > 25
    assert found <= set(REASONS)


def test_every_code_in_the_tables_is_used() -> None:
    used = set(texts(skip="reasons.py"))
    assert set(REASONS) | set(WARNINGS) <= used
    assert not set(REASONS) & set(WARNINGS)


def test_every_code_has_one_sentence() -> None:
    for meaning in (*REASONS.values(), *WARNINGS.values()):
        assert meaning.endswith(".")
        assert ". " not in meaning.rstrip(".")


def test_the_page_lists_every_format_and_code_with_its_meaning() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for code, meaning in {**REASONS, **WARNINGS}.items():
        assert f"| `{code}` | {meaning} |" in page
    for name in PARSERS:
        assert f"| `{name}` |" in page
