"""Write docs/reference/configuration.md from the configuration classes; the house tests check that it is current."""

import sys
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pairsmith.config import Config

TARGET = Path(__file__).resolve().parents[1] / "docs" / "reference" / "configuration.md"

HEAD = """# Configuration: every key of pairsmith.yaml

Written by `scripts/make_configuration_reference.py` from the classes in `src/pairsmith/config/schema.py`.
All sections but `runtime` decide the content of the dataset and are hashed into every build. Unknown keys are errors.
Any key can be overridden on the command line: `--set gate.min_pairs=400`. An editor gets completion from
`pairsmith config schema`.
"""


def render() -> str:
    """The page."""
    parts = [HEAD]
    _section("(top level)", Config, parts)
    return "\n".join(parts)


def _section(title: str, model: type[BaseModel], parts: list[str]) -> None:
    nested: list[tuple[str, type[BaseModel]]] = []
    prefix = "" if model is Config else f"{title}."
    parts += [
        f"## {title}",
        "",
        (model.__doc__ or "").strip(),
        "",
        "| key | type | default | meaning |",
        "|---|---|---|---|",
    ]
    for name, field in model.model_fields.items():
        key = field.alias or name
        inner = _model_in(field.annotation)
        if inner is not None:
            nested.append((prefix + key + ("" if inner is field.annotation else "[]"), inner))
        parts.append(f"| `{prefix}{key}` | {_type(field)} | {_default(field)} | {_cell(field.description or '')} |")
    parts.append("")
    for inner_title, inner in nested:
        _section(inner_title, inner, parts)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := _model_in(each))), None)


def _type(field: FieldInfo) -> str:
    text = str(field.annotation) if get_args(field.annotation) else getattr(field.annotation, "__name__", "")
    for long, short in (
        ("typing.", ""),
        ("pairsmith.config.schema.", ""),
        ("pairsmith.config.annotating.", ""),
        ("Literal", "one of "),
        ("NoneType", "None"),
    ):
        text = text.replace(long, short)
    bounds = [str(each) for each in field.metadata if type(each).__name__ in {"Ge", "Gt", "Le", "Lt"}]
    signs = {"Ge(ge=": ">= ", "Gt(gt=": "> ", "Le(le=": "<= ", "Lt(lt=": "< "}
    for index, bound in enumerate(bounds):
        for sign, symbol in signs.items():
            bound = bound.replace(sign, symbol)
        bounds[index] = bound.rstrip(")")
    return _cell(f"{text} {', '.join(bounds)}".strip())


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if isinstance(field.default, BaseModel):
        return "see below"
    value = list(field.default) if isinstance(field.default, tuple) else field.default
    return _cell(f"`{value!r}`")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(TARGET.read_text() != render())
    TARGET.write_text(render())
