"""The template engine as both pages use it: names are keys, absent values stay quiet, nothing is trusted."""

from collections.abc import Callable, Mapping
from inspect import isfunction
from types import ModuleType
from typing import Any

import jinja2

from pairsmith.report import text, view

__all__ = ["functions", "template_environment", "templates"]


class _ByKey(jinja2.Environment):
    """Looks names up in mappings by key only, so that `annotation.items` is a count and never a method of dict."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Mapping):
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, Mapping):
            return obj[argument] if argument in obj else self.undefined(obj=obj, name=argument)
        return super().getitem(obj, argument)


def templates() -> jinja2.PackageLoader:
    """The loader of the templates that ship with this package."""
    return jinja2.PackageLoader("pairsmith.report", "templates")


def functions(module: ModuleType) -> dict[str, Callable[..., Any]]:
    """The public functions of a module by name."""
    return {name: each for name in module.__all__ if isfunction(each := getattr(module, name))}


def template_environment(finalize: Callable[[Any], Any], *, html: bool) -> jinja2.Environment:
    """An environment with the filters of `text` and `view`; `finalize` sees the value of every expression.

    A path into the metrics that does not exist is undefined however deep it goes, and `finalize` decides what it
    looks like. With `html`, whatever is not `Markup` is escaped after that.
    """
    environment = _ByKey(
        loader=templates(),
        autoescape=html,
        undefined=jinja2.ChainableUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= functions(text) | functions(view)
    environment.globals |= {"against": text.against, "states": view.STATES}
    return environment
