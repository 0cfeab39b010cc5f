"""Write docs/reference/configuration.md from the configuration classes; the house tests check that it is current."""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pairsmith.config import Config

TARGET = Path(__file__).resolve().parents[1] / "docs" / "reference" / "configuration.md"

HEAD = """# Configuration: every key of pairsmith.yaml

Written by `scripts/make_configuration_reference.py` from the classes in `src/pairsmith/config/`.
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
            nested.append((prefix + key + ("[]" if get_origin(field.annotation) in (tuple, dict) else ""), inner))
        parts.append(f"| `{prefix}{key}` | {_type(field)} | {_default(field)} | {_cell(field.description or '')} |")
    parts.append("")
    for inner_title, inner in nested:
        _section(inner_title, inner, parts)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := _model_in(each))), None)


def _type(field: FieldInfo) -> str:
    return _cell(" ".join(filter(None, (_annotation(field.annotation), _bounds(field.metadata)))))


def _annotation(kind: Any) -> str:
    """A type as a person would write it."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        bounds = [each for part in inner[1:] for each in getattr(part, "metadata", [part])]
        return " ".join(filter(None, (_annotation(inner[0]), _bounds(bounds))))
    if origin is Literal:
        return f"one of {list(inner)}"
    if origin in (Union, UnionType):
        return " | ".join(_annotation(each) for each in inner)
    if inner:
        return f"{origin.__name__}[{', '.join(_annotation(each) for each in inner)}]"
    return "..." if kind is ... else "None" if kind is type(None) else getattr(kind, "__name__", str(kind))


def _bounds(metadata: Sequence[Any]) -> str:
    bounds = [str(each) for each in metadata if type(each).__name__ in {"Ge", "Gt", "Le", "Lt"}]
    signs = {"Ge(ge=": ">= ", "Gt(gt=": "> ", "Le(le=": "<= ", "Lt(lt=": "< "}
    for index, bound in enumerate(bounds):
        for sign, symbol in signs.items():
            bound = bound.replace(sign, symbol)
        bounds[index] = bound.rstrip(")")
    return ", ".join(bounds)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if isinstance(field.default, BaseModel):
        return "see below"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, tuple):
        value = [each.model_dump(exclude_defaults=True) if isinstance(each, BaseModel) else each for each in value]
    return _cell(f"`{value!r}`")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(TARGET.read_text() != render())
    TARGET.write_text(render())
