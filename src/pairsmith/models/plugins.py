"""Loading classes named in the configuration: `package.module:Class`, or the name of an entry point."""

import importlib
from importlib.metadata import entry_points
from typing import Any

from pairsmith.errors import ConfigError

__all__ = ["load_object"]

ENTRY_POINT_GROUP = "pairsmith"


def load_object(kind: str, key: str) -> Any:
    """The object that `kind` names; `key` is the configuration key, for the error message.

    Raises:
        ConfigError: if there is no such module, attribute or entry point.
    """
    for entry in entry_points(group=ENTRY_POINT_GROUP, name=kind):
        return entry.load()
    module_name, colon, attribute = kind.partition(":")
    if not colon:
        raise ConfigError(f"{key}: unknown kind {kind!r}; use a built-in name or `package.module:Class`")
    try:
        return getattr(importlib.import_module(module_name), attribute)
    except ImportError as error:
        raise ConfigError(f"{key}: cannot import {module_name!r} for {kind!r}: {error}") from error
    except AttributeError:
        raise ConfigError(f"{key}: module {module_name!r} has no {attribute!r}") from None
