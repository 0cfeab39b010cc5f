"""What the templates ask of the metrics: a fixed order, labels for names, and whether there is anything to show."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pairsmith.report.text import (
    NOT_EVALUATED,
    count,
    decimal,
    formatted,
    interval,
    is_number,
    one_line,
)

__all__ = [
    "STATES",
    "bins",
    "by_votes",
    "facts",
    "figure_state",
    "gap_threshold",
    "label",
    "largest",
    "listed",
    "names",
    "part_names",
    "ranked",
    "share_of",
    "split_at",
    "total",
    "verdict",
]

STATES = {"pass": "Pass", "fail": "Fail", "not_evaluated": "Not evaluated"}


def verdict(gate: Mapping[str, Any]) -> dict[str, str]:
    """State, headline and one sentence on a gate; contradictions count against the dataset."""
    criteria = [each for each in gate.get("criteria") or () if isinstance(each, Mapping)]
    named = {state: [label(each.get("name")) for each in criteria if each.get("state") == state] for state in STATES}
    if not criteria:
        return {"state": "not_evaluated", "headline": "Gate not evaluated", "sentence": "No criterion was checked."}
    if gate.get("passed") is True and len(named["pass"]) == len(criteria):
        return {"state": "pass", "headline": "Gate passed", "sentence": f"All {len(criteria)} criteria hold."}
    parts = [f"{len(named['pass'])} of {len(criteria)} criteria hold."]
    if named["fail"]:
        parts.append(f"Failed: {listed(named['fail'])}.")
    if named["not_evaluated"]:
        parts.append(f"Not evaluated, and so not passed: {listed(named['not_evaluated'])}.")
    return {"state": "fail", "headline": "Gate failed", "sentence": " ".join(parts)}


def gap_threshold(gate: Mapping[str, Any]) -> float | None:
    """The gap the gate asks for, if one of its criteria is about the gap."""
    for criterion in gate.get("criteria") or ():
        if isinstance(criterion, Mapping) and "gap" in str(criterion.get("name")):
            return float(criterion["threshold"]) if is_number(criterion.get("threshold")) else None
    return None


def label(name: Any) -> str:
    """A machine name as words.

    >>> label("krippendorff_alpha")
    'Krippendorff alpha'
    """
    words = one_line(name).replace("_", " ").strip() if isinstance(name, str) else NOT_EVALUATED
    return words[:1].upper() + words[1:] if words else "(no name)"


def names(mapping: Any, first: Sequence[str] = ()) -> list[str]:
    """The keys of a mapping: those of `first` in its order, the others by name; empty for anything else."""
    keys = [str(key) for key in mapping] if isinstance(mapping, Mapping) else []
    return [key for key in first if key in keys] + sorted(key for key in keys if key not in first)


def part_names(parts: Any) -> list[str]:
    """The parts of the split: train, validation, then the others by name."""
    return names(parts, ("train", "validation"))


def ranked(mapping: Any) -> list[tuple[str, float]]:
    """The counts of a mapping, largest first, then by name; empty for anything else."""
    found = [(key, mapping[key]) for key in names(mapping) if is_number(mapping[key])]
    return sorted(found, key=lambda item: -item[1])


def by_votes(annotators: Any) -> list[Mapping[str, Any]]:
    """Annotators with the most votes first, then by name."""
    people = [person for person in _items(annotators) if isinstance(person, Mapping)]
    return sorted(people, key=lambda person: (-_number(person.get("votes")), str(person.get("name"))))


def total(rows: Any, key: Any = 1) -> float:
    """The sum of one number per row, by key or position; rows without it count 0."""
    return sum(_column(rows, key))


def largest(rows: Any, key: Any = 1) -> float:
    """The largest absolute number per row, by key or position; 0 without any."""
    return max(map(abs, _column(rows, key)), default=0)


def share_of(part: Any, whole: Any) -> float:
    """`part` of `whole`, kept within 0 and 1; 0 of nothing."""
    return min(1.0, max(0.0, _number(part) / _number(whole))) if _number(whole) > 0 else 0.0


def figure_state(figure: Any) -> str:
    """`known` if there is a finite number to show, else `unknown`."""
    value = figure.get("value") if isinstance(figure, Mapping) else figure
    return "known" if is_number(value) else "unknown"


def bins(histogram: Any) -> list[tuple[Any, Any, Any]]:
    """Lower edge, upper edge and count of every bin, for the table behind a chart."""
    edges, counts = (histogram.get(key) for key in ("edges", "counts")) if isinstance(histogram, Mapping) else ((), ())
    if not isinstance(edges, Sequence) or not isinstance(counts, Sequence) or len(edges) != len(counts) + 1:
        return []
    return list(zip(edges[:-1], edges[1:], counts, strict=True))


def listed(values: Any) -> str:
    """Several names in one text, separated by commas."""
    return ", ".join(one_line(str(value)) for value in _items(values)) or "–"


def facts(mapping: Any) -> list[tuple[str, str]]:
    """The entries of a mapping of any shape as labelled texts, by name."""
    return [(label(key), _fact(mapping[key])) for key in names(mapping)]


def _fact(value: Any) -> str:
    if isinstance(value, Mapping):
        if "value" not in value:
            return ", ".join(f"{name}: {fact}" for name, fact in facts(value))
        extra = [f"95 % interval {interval(value['interval'])}"] if value.get("interval") else []
        extra += [f"n = {count(value['n'])}"] if is_number(value.get("n")) else []
        extra += [one_line(str(value["reason"]))] if value.get("reason") else []
        return decimal(value["value"]) + (f" ({', '.join(extra)})" if extra else "")
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, Sequence):
        return (" to " if len(value) == 2 else ", ").join(_fact(each) for each in value)
    return formatted(value, "count" if isinstance(value, int) and not isinstance(value, bool) else "decimal")


def _items(values: Any) -> Iterable[Any]:
    return values if isinstance(values, Sequence) and not isinstance(values, str) else ()


def _column(rows: Any, key: Any) -> list[float]:
    found: list[float] = []
    for row in _items(rows):
        value = row.get(key) if isinstance(row, Mapping) else row[key]
        if is_number(value):
            found.append(float(value))
    return found


def _number(value: Any) -> float:
    return float(value) if is_number(value) else 0.0


def split_at(value: str, spans: Any) -> list[dict[str, Any]]:
    """The text in parts: `shared` are those inside `spans` (begin and end of each, ascending); junk is left out."""
    parts: list[dict[str, Any]] = []
    done = 0
    for span in spans if isinstance(spans, Sequence) and not isinstance(spans, str) else ():
        if not (isinstance(span, Sequence) and len(span) == 2 and all(type(each) is int for each in span)):
            continue
        begin, end = span
        if done <= begin < end <= len(value):
            parts += [{"text": value[done:begin], "shared": False}, {"text": value[begin:end], "shared": True}]
            done = end
    return [part for part in (*parts, {"text": value[done:], "shared": False}) if part["text"]]
