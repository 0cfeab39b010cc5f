"""The report: one HTML file that needs no network, no script and no other file, made from metrics and gate alone."""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup

from pairsmith.report import svg, text, view
from pairsmith.report.environment import functions, template_environment, templates

__all__ = ["render_report"]

SECTIONS = (
    ("funnel", "From rows to pairs"),
    ("gap", "Preference gap"),
    ("quality", "Quality matrix"),
    ("agreement", "Agreement"),
    ("consensus", "Consensus and conflicts"),
    ("lengths", "Lengths"),
    ("decontamination", "Decontamination"),
    ("split", "Splits and format"),
    ("diversity", "Diversity"),
    ("models", "Models and annotators"),
    ("anchor", "Labels of models against people"),
    ("samples", "Samples"),
    ("provenance", "Provenance"),
)
"""Identifier (also the template) and title of every section after the verdict, in reading order."""

HITS_SHOWN = 25
"""Examples of contamination on the page; all of them are in `metrics.json`."""

ANNOTATORS_SHOWN = 12
"""Annotators listed at first sight; the others are folded."""


def render_report(metrics: Mapping[str, Any], gate: Mapping[str, Any]) -> str:
    """The report as HTML: the same arguments give the same bytes, on any machine.

    Args:
        metrics: content of `metrics.json`. A section that is missing, and a figure whose value is null, is shown as
            not evaluated, with its reason where it has one.
        gate: content of `gate.json`. The gate counts as passed only if it says so and every criterion passed.

    Returns:
        A whole document. Prompts, answers and names in it are text and nothing else: markup is escaped, characters
        that reorder or hide text are written as code points, and the page's own policy forbids scripts and requests.
    """
    style, _, _ = templates().get_source(_environment(), "report.css")
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            metrics=metrics,
            gate=gate,
            verdict=view.verdict(gate),
            gap_threshold=view.gap_threshold(gate),
            sections=SECTIONS,
            style=Markup(style),  # noqa: S704 - our own file, no value goes into it
            style_digest=digest,
        )
    )


@cache
def _environment() -> jinja2.Environment:
    environment = template_environment(_shown, html=True)
    environment.globals |= functions(svg) | {"hit_limit": HITS_SHOWN, "people_limit": ANNOTATORS_SHOWN}
    environment.globals["ui"] = environment.get_template("macros.html.j2").module
    return environment


def _shown(value: Any) -> Any:
    """What an expression of a template becomes: absent is "not evaluated", hidden characters are visible."""
    if value is None or isinstance(value, jinja2.Undefined):
        return text.NOT_EVALUATED
    if isinstance(value, str) and not isinstance(value, Markup):
        return text.visible(value)
    return text.decimal(value) if isinstance(value, (float, bool)) else value
