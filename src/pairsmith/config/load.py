"""Reading `pairsmith.yaml`: a safe loader with limits, and errors that carry file:line and the nearest key."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from pairsmith.config.places import CONFIG_FILE, place_of
from pairsmith.config.schema import Config
from pairsmith.config.secrets import literal_secrets
from pairsmith.errors import ConfigError

__all__ = ["CONFIG_FILE", "load_config", "no_config", "parse_config"]

MAX_CONFIG_BYTES = 1024 * 1024
MAX_CONFIG_DEPTH = 20
MAX_CONFIG_NODES = 100_000  # aliases expanded
_MAY_HOLD_SECRETS = (("base_url",), ("api_key_env",))  # never quoted: a key may have been put there by mistake

Path_ = tuple[str | int, ...]


def load_config(project: Path, overrides: Sequence[str] = ()) -> Config:
    """The configuration of a project folder, with `--set a.b=c` overrides applied last.

    Raises:
        ConfigError: for a missing or malformed file, an unknown key, or a value of the wrong type or range.
    """
    path = project / CONFIG_FILE
    try:
        size = path.stat().st_size
        if size > MAX_CONFIG_BYTES:
            raise ConfigError(f"{CONFIG_FILE}: {size} bytes is more than a configuration ever needs; is this the file?")
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise no_config(project) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{CONFIG_FILE}: not UTF-8 at byte {error.start}; save the file as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    return parse_config(text, overrides)


def no_config(project: Path) -> ConfigError:
    """What is said about a folder without a configuration."""
    return ConfigError(
        f"{project}: no {CONFIG_FILE} here; run `pairsmith init` to make one, or name the project with -C DIR"
    )


def parse_config(text: str, overrides: Sequence[str] = ()) -> Config:
    """The configuration in `text`. See `load_config`."""
    values, lines = _read_yaml(text)
    for override in overrides:
        key, value = _parse_override(override)
        _put(values, key, value, override)
        for end in range(1, len(key) + 1):
            lines.setdefault(key[:end], f"--set {'.'.join(map(str, key))}")
        lines[key] = f"--set {'.'.join(map(str, key))}"
    if found := [_refused(path, lines) for path in literal_secrets(values)]:
        raise ConfigError("\n".join(found))
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(problem, lines) for problem in error.errors())) from None
    return config.standing_at(lines)


def _read_yaml(text: str) -> tuple[dict[str, Any], dict[Path_, str]]:
    """Plain values and, for every key path, where it stands (`pairsmith.yaml:LINE`)."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is None:
            return {}, {}
        lines: dict[Path_, str] = {}
        for path, place in _positions(node, ()):
            lines[path] = place
            if len(lines) > MAX_CONFIG_NODES:
                raise ConfigError(f"{CONFIG_FILE}: more than {MAX_CONFIG_NODES} values; do its aliases multiply?")
        values = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{CONFIG_FILE}:{line}: not valid YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{CONFIG_FILE}: not valid YAML: {error}") from None
    except RecursionError:
        raise ConfigError(f"{CONFIG_FILE}: nested deeper than {MAX_CONFIG_DEPTH} levels") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{CONFIG_FILE}:1: expected `key: value` lines, found a {type(values).__name__}")
    return values, lines


def _positions(node: yaml.Node, path: Path_) -> Iterator[tuple[Path_, str]]:
    line = node.start_mark.line + 1
    if len(path) > MAX_CONFIG_DEPTH:
        raise ConfigError(f"{CONFIG_FILE}:{line}: nested deeper than {MAX_CONFIG_DEPTH} levels (a YAML alias loop?)")
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            key, key_line = str(key_node.value), key_node.start_mark.line + 1
            if key in seen:
                raise ConfigError(
                    f"{CONFIG_FILE}:{key_line}: {'.'.join(map(str, (*path, key)))}: given twice "
                    f"(first on line {seen[key]}); keep one"
                )
            seen[key] = key_line
            yield (*path, key), f"{CONFIG_FILE}:{key_line}"
            yield from _positions(value_node, (*path, key))
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield (*path, index), f"{CONFIG_FILE}:{item.start_mark.line + 1}"
            yield from _positions(item, (*path, index))


def _parse_override(override: str) -> tuple[Path_, Any]:
    key, equals, raw = override.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set {override}: expected KEY=VALUE, for example --set gate.min_pairs=100")
    try:
        value = yaml.safe_load(raw)
    except yaml.YAMLError:
        value = raw
    parts = tuple(int(part) if part.isdigit() else part for part in key.strip().split("."))
    return parts, value


def _put(values: Any, key: tuple[Any, ...], value: Any, override: str) -> None:
    for depth, part in enumerate(key):
        if not (isinstance(values, dict) or (isinstance(values, list) and part in range(len(values)))):
            named = override.partition("=")[0]  # the value may be a secret
            raise ConfigError(f"--set {named}: there is no {'.'.join(map(str, key[: depth + 1]))!r} to set")
        if depth == len(key) - 1:
            values[part] = value
        elif isinstance(values, dict):
            values = values.setdefault(part, {})
        else:
            values = values[part]


def _refused(path: Path_, lines: Mapping[Path_, str]) -> str:
    """One line for one secret; its value is never quoted."""
    return (
        f"{place_of(path, lines)}: {'.'.join(map(str, path))}: a key seems to stand here, and every build repeats its "
        "configuration; put it into an environment variable and give the variable's name, as in `api_key_env: MY_KEY`"
    )


def _explain(problem: Mapping[str, Any], lines: Mapping[Path_, str]) -> str:
    """One line for one pydantic error: where, which key, what is wrong, what to do."""
    location: Path_ = tuple(problem["loc"])
    where = place_of(location, lines)
    key = ".".join(str(part) for part in location) or "configuration"
    if problem["type"] == "extra_forbidden":
        nearest = difflib.get_close_matches(str(location[-1]), _known_keys(location[:-1]), n=1, cutoff=0.5)
        hint = (
            f"; did you mean '{nearest[0]}'?" if nearest else f"; known here: {', '.join(_known_keys(location[:-1]))}"
        )
        return f"{where}: {key}: not permitted{hint}"
    message = str(problem["msg"]).removeprefix("Value error, ")
    given = problem.get("input")
    plain = isinstance(given, (str, int, float, bool)) and repr(given) not in message
    shown = f" (given: {given!r})" if plain and location[-1:] not in _MAY_HOLD_SECRETS else ""
    return f"{where}: {key}: {message}{shown}"


def _known_keys(section: Path_) -> list[str]:
    """The keys allowed in the section at this path."""
    model: type[BaseModel] | None = Config
    for part in section:
        model = _model_of_field(model, part) if model and isinstance(part, str) else model
    return [field.alias or name for name, field in model.model_fields.items()] if model else []


def _model_of_field(model: type[BaseModel], key: str) -> type[BaseModel] | None:
    for name, field in model.model_fields.items():
        if key in (name, field.alias):
            return _first_model(field.annotation)
    return model if model is not Config else None  # a name chosen by the user, as under `models`


def _first_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    arguments = getattr(annotation, "__args__", ())
    return next((found for each in arguments if (found := _first_model(each))), None)
