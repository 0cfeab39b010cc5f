"""The dataset card: README.md with the metadata block that the Hugging Face hub reads, and a page for people.

Metadata keys follow https://github.com/huggingface/hub-docs/blob/main/datasetcard.md.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import jinja2
import yaml
from markupsafe import Markup

from pairsmith.report import text, view
from pairsmith.report.environment import template_environment

__all__ = ["render_card"]

# Identifiers the hub knows, as far as prompts and answers come under them.
_HUB_LICENCES = (
    "apache-2.0 mit bsd-2-clause bsd-3-clause cc0-1.0 cc-by-2.0 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 "
    "cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cc-by-nd-4.0 cc-by-nc-nd-4.0 "
    "odc-by pddl odbl cdla-permissive-1.0 cdla-permissive-2.0 cdla-sharing-1.0 gpl-3.0 lgpl-3.0 agpl-3.0 mpl-2.0 "
    "isc unlicense openrail"
)
_HUB_ALIASES = {"odc-by-1.0": "odc-by", "cc0": "cc0-1.0", "apache2": "apache-2.0", "apache 2.0": "apache-2.0"}
_SIZES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B", "1B<n<10B")

_PART_NAME = re.compile(r"[a-z][a-z0-9_]*")

# What Markdown or HTML could read as markup. Names are one line, so marks that only count at a line's start do not
# matter, but addresses that a renderer would turn into links by itself do.
_MARKUP = re.compile(r"[\\`*_{}\[\]<>|&~#$@]|(?<=:)//|(?<=\bwww)\.")


def render_card(metrics: Mapping[str, Any], gate: Mapping[str, Any]) -> str:
    """README.md of a build, a pure function of `metrics.json` and `gate.json`.

    Names and reasons in it are text: they can neither end the metadata block nor become Markdown, HTML or links.
    """
    licences = _licences(metrics)
    template = _environment().get_template("card.md.j2")
    page = template.render(
        metrics=metrics,
        gate=gate,
        verdict=view.verdict(gate),
        licences=licences,
        parts=_parts(metrics),
        limits=_limits(metrics),
        figures=_figures(metrics),
    )
    header = yaml.safe_dump(_metadata(metrics, licences), sort_keys=False, allow_unicode=True, width=1000)
    body = re.sub(r"\n{3,}", "\n\n", page.strip())
    return f"---\n{header}---\n\n{body}\n"


def _figures(metrics: Mapping[str, Any]) -> list[tuple[str, Any, str]]:
    """Label, figure and number form of the rows of the table of figures."""
    votes, gap = metrics.get("annotation"), _at(metrics, "gap")
    return [
        ("Agreement without ties", _at(votes, "agreement", "without_ties"), "decimal"),
        ("Agreement with ties", _at(votes, "agreement", "with_ties"), "decimal"),
        ("Krippendorff’s alpha, nominal", _at(votes, "krippendorff_alpha"), "decimal"),
        ("Mean preference gap", {**(gap or {}), "value": _at(gap, "mean")}, "decimal"),
        (
            "Mean gap, two or more votes",
            {**(_at(gap, "multi_vote") or {}), "value": _at(gap, "multi_vote", "mean")},
            "decimal",
        ),
        ("Longer answer chosen", _at(metrics, "lengths", "chosen_longer"), "percent"),
        ("Quality score", _at(metrics, "quality_score"), "decimal"),
        ("Label accuracy", _at(metrics, "label_accuracy"), "decimal"),
    ]


def _metadata(metrics: Mapping[str, Any], licences: list[tuple[str, float]]) -> dict[str, Any]:
    total = _at(metrics, "pairs", "total")
    found: dict[str, Any] = {"pretty_name": _name(metrics), **_licence_metadata([name for name, _ in licences])}
    found["task_categories"] = ["text-generation"]
    if text.is_number(total):
        found["size_categories"] = [_SIZES[min(len(str(int(total) // 1000)), len(_SIZES) - 1) if total >= 1000 else 0]]
    found["tags"] = ["dpo", "preference", "pairsmith"]
    parts = _parts(metrics)
    if parts:
        files = [{"split": part, "path": f"{part}.jsonl"} for part in parts]
        found["configs"] = [{"config_name": "default", "data_files": files}]
    return found


def _licence_metadata(names: list[str]) -> dict[str, Any]:
    known = [_HUB_ALIASES.get(name.lower(), name.lower()) for name in names]
    if not known:
        return {"license": "unknown"}
    if all(name in _HUB_LICENCES.split() for name in known):
        return {"license": known[0] if len(known) == 1 else sorted(set(known))}
    slug = re.sub(r"[^a-z0-9.]+", "-", "-and-".join(sorted(known))).strip("-.")[:80]
    return {"license": "other", "license_name": slug or "unnamed", "license_details": ", ".join(sorted(names))}


def _licences(metrics: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Licences with their pairs, most first; rows without one are not in the list."""
    return [(text.one_line(name), pairs) for name, pairs in view.ranked(metrics.get("licences")) if name.strip()]


def _parts(metrics: Mapping[str, Any]) -> list[str]:
    """The parts that have pairs, and so a file with rows."""
    parts = _at(metrics, "split", "parts")
    names = [name for name in view.part_names(parts) if _PART_NAME.fullmatch(name)]
    return [name for name in names if text.is_number(pairs := _at(parts, name, "pairs")) and pairs > 0]


def _name(metrics: Mapping[str, Any]) -> str:
    name = _at(metrics, "dataset", "name")
    return text.one_line(name) if isinstance(name, str) and name.strip() else "Unnamed preference dataset"


def _limits(metrics: Mapping[str, Any]) -> list[str]:
    """What a user of the data must know, each sentence only if the figures call for it."""
    found = [
        _limit_of_votes(metrics),
        _limit_of_length(metrics),
        _limit_of_decontamination(metrics),
        _limit_of_labels(metrics),
        _limit_of_models(metrics),
        _limit_of_licences(metrics),
    ]
    return [sentence for sentence in found if sentence]


def _limit_of_votes(metrics: Mapping[str, Any]) -> str:
    single = _at(metrics, "gap", "single_vote")
    single = _at(single, "value") if isinstance(single, Mapping) else single
    if isinstance(single, int) and text.is_number(single) and single > 0:
        return f"{text.count(single)} pairs rest on a single vote: nothing says whether a second annotator agrees."
    if text.is_number(single) and single > 0:
        return f"{text.percent(single)} of the pairs rest on a single vote: nothing says whether a second one agrees."
    return ""


def _limit_of_length(metrics: Mapping[str, Any]) -> str:
    longer = _at(metrics, "lengths", "chosen_longer", "value")
    if not text.is_number(longer):
        return "Whether longer answers were preferred is not evaluated."
    if longer > 0.6:
        return f"The longer answer is the chosen one in {text.percent(longer)} of the pairs; a model may learn length."
    return ""


def _limit_of_decontamination(metrics: Mapping[str, Any]) -> str:
    if not text.is_number(_at(metrics, "decontamination", "value")):
        return "The data were not compared with evaluation benchmarks; scores on public benchmarks may be inflated."
    how, escapes = "by their words", "a rephrased or translated item can escape"
    semantic = _at(metrics, "decontamination", "near", "semantic")
    if _at(semantic, "state") == "evaluated":
        model = _at(semantic, "model")
        named = f" ({text.one_line(model)})" if isinstance(model, str) else ""
        how, escapes = f"{how} and, in prompts, by their meaning{named}", f"{escapes} all the same"
    return f"Only the benchmarks listed above were searched for, {how}: {escapes}."


def _limit_of_labels(metrics: Mapping[str, Any]) -> str:
    if text.is_number(_at(metrics, "label_accuracy", "value")):
        return ""
    return "The accuracy of the labels was not measured; the quality score is therefore unknown as well."


def _limit_of_models(metrics: Mapping[str, Any]) -> str:
    unmeasured = _at(metrics, "ai_labels", "unmeasured")
    if not text.is_number(unmeasured) or unmeasured <= 0:
        return ""
    return f"{text.count(unmeasured)} pairs rest on models alone whose votes were never compared with people's labels."


def _limit_of_licences(metrics: Mapping[str, Any]) -> str:
    total, known = _at(metrics, "pairs", "total"), sum(pairs for _, pairs in _licences(metrics))
    if not known:
        return "No licence is recorded for these texts: settle that before sharing them."
    if text.is_number(total) and known < total:
        return f"No licence is recorded for {text.count(total - known)} of the pairs."
    return ""


def _at(values: Any, *path: str) -> Any:
    for key in path:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values


def _plain(value: Any) -> str:
    """Any value as Markdown that shows it and does nothing else."""
    if value is None or isinstance(value, jinja2.Undefined):
        return text.NOT_EVALUATED
    if isinstance(value, Markup):
        return value
    shown = text.decimal(value) if isinstance(value, (bool, float)) else re.sub(r"\s+", " ", text.visible(str(value)))
    return _MARKUP.sub(lambda match: "".join(f"\\{character}" for character in match[0]), shown)


def _code(value: Any) -> Markup:
    """A code span; backticks become apostrophes, because no escape exists inside one."""
    known = text.one_line(value).replace("`", "'").replace("|", "¦") if isinstance(value, str) else ""
    return Markup(f"`{known}`" if known else text.NOT_EVALUATED)  # noqa: S704 - Markdown, made safe for it here


@cache
def _environment() -> jinja2.Environment:
    environment = template_environment(_plain, html=False)
    environment.filters["code"] = _code
    environment.globals["name_of"] = _name
    return environment
