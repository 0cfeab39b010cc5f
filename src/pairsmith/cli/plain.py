"""Verbs on plain files, without a project: decontaminate, dedup, and split with files."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pairsmith.cli.context import Settings, settings_of

if TYPE_CHECKING:
    from pairsmith.cli.output import Output
    from pairsmith.pipeline.plain_files import Request

__all__ = ["EngineName", "check_split", "register", "split_files"]


class EngineName(StrEnum):
    """How work is executed."""

    serial = "serial"
    processes = "processes"
    ray = "ray"


class _Mode(StrEnum):
    drop = "drop"
    flag = "flag"
    report = "report"


_Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="JSON Lines (also .gz, .zst), Parquet, folders.")]
_Output = Annotated[Path, typer.Option("-o", "--output", metavar="OUT", help="Folder to write.")]
_Force = Annotated[bool, typer.Option("--force", help="Replace the folder of an earlier run.")]
_Field = Annotated[
    list[str] | None, typer.Option("--field", metavar="NAME", help="Column to read; guessed if left out. Repeatable.")
]
_Engine = Annotated[EngineName, typer.Option(help="How to execute; the output is the same.")]
_Workers = Annotated[int, typer.Option(min=0, max=1024, help="Processes or Ray workers; 0: one per core.")]
_Similarity = Annotated[float, typer.Option(min=0.05, max=1.0, help="Jaccard similarity of word 3-grams that is near.")]


def register(app: typer.Typer) -> None:
    """Add the verbs; `split` is one of the stages' and calls `split_files`."""
    app.command(epilog="Example: pairsmith decontaminate pairs.jsonl --against gsm8k_test.jsonl -o clean")(
        decontaminate
    )
    app.command(epilog="Example: pairsmith dedup pairs-*.parquet -o unique")(dedup)


def decontaminate(
    context: typer.Context,
    files: _Files,
    against: Annotated[list[Path], typer.Option(metavar="BENCH", help="Benchmark file or folder. Repeatable.")],
    output: _Output,
    mode: Annotated[_Mode, typer.Option(help="Leave rows out, add a field to them, or only report.")] = _Mode.drop,
    ngram: Annotated[int, typer.Option(min=2, max=50, help="Words per n-gram.")] = 5,
    coverage: Annotated[
        float, typer.Option(min=0.01, max=1.0, help="Share of a long item that must be there; shorter ones need more.")
    ] = 0.4,
    field: _Field = None,
    force: _Force = False,
    engine: _Engine = EngineName.processes,
    workers: _Workers = 0,
) -> None:
    """Find benchmark items in plain files of training rows, and leave these rows out."""
    from pairsmith.cli.output import Output
    from pairsmith.pipeline import decontaminating

    settings = settings_of(context)
    shown = Output(settings)
    benchmarks = decontaminating.read_benchmarks(against)
    with shown.bar("rows") as notify:
        request = _request(files, output, force, field, engine, workers, notify)
        report = decontaminating.decontaminate(request, benchmarks, mode=mode.value, ngram=ngram, coverage=coverage)
    shown.document(report)
    _say_inputs(shown, report)
    rows: list[tuple[str, ...]] = [
        (each["name"], f"{each['items']:,}", ", ".join(each["fields"]), f"{each['rows_contaminated']:,}")
        for each in report["benchmarks"]
    ]
    shown.table("", ("benchmark", "items", "read from", "rows contaminated"), rows)
    counts = report["rows"]
    score = "not evaluated" if report["score"] is None else f"{report['score']:.4f}"
    done = "" if mode is _Mode.report else f", {counts['written']:,} written"
    shown.line(f"{counts['contaminated']:,} of {counts['read']:,} rows contaminated{done}; score {score}")
    _say_end(shown, report, output)


def dedup(
    context: typer.Context,
    files: _Files,
    output: _Output,
    similarity: _Similarity = 0.8,
    field: _Field = None,
    force: _Force = False,
    engine: _Engine = EngineName.processes,
    workers: _Workers = 0,
) -> None:
    """Leave out rows of plain files that nearly repeat an earlier row in all their texts."""
    from pairsmith.cli.output import Output
    from pairsmith.pipeline.deduplicating import deduplicate

    shown = Output(settings_of(context))
    with shown.bar("steps") as notify:
        request = _request(files, output, force, field, engine, workers, notify)
        report = deduplicate(request, threshold=similarity)
    shown.document(report)
    _say_inputs(shown, report)
    counts = report["rows"]
    shown.line(
        f"{counts['near_duplicates']:,} of {counts['read']:,} rows nearly repeat an earlier one, "
        f"{counts['written']:,} written; largest group {report['largest_group']:,}"
    )
    _say_end(shown, report, output)


def split_files(
    settings: Settings,
    files: Sequence[Path],
    output: Path,
    *,
    parts: str,
    similarity: float,
    stratify: str | None,
    seed: int,
    after: Path | None,
    field: Sequence[str],
    force: bool,
    engine: EngineName,
    workers: int,
) -> None:
    """Split plain files; see `pairsmith.pipeline.dividing`."""
    from pairsmith.cli.output import Output
    from pairsmith.pipeline.dividing import divide, read_parts

    shown = Output(settings)
    shares = read_parts(parts)
    columns = None if stratify is None else [name.strip() for name in stratify.split(",") if name.strip()]
    with shown.bar("steps") as notify:
        request = _request(files, output, force, field, engine, workers, notify)
        report = divide(request, shares, threshold=similarity, stratify=columns, seed=seed, after=after)
    shown.document(report)
    _say_inputs(shown, report)
    rows: list[tuple[str, ...]] = [
        (name, f"{report['rows']['written'][name]:,}", f"{report['shares'][name]:.4f}", f"{shares[name]:g}")
        for name in shares
    ]
    shown.table("", ("part", "rows written", "share of all", "asked for"), rows)
    deviation = report["max_deviation"]
    shown.line(
        f"{report['groups']:,} groups of near prompts, the largest of {report['largest_group']:,} rows; "
        f"{report['rows']['quarantined']:,} rows quarantined; near prompts across parts: {report['leaks']}"
    )
    by = ", ".join(report["stratify"]) or "nothing: no column category, difficulty or source"
    shown.line(
        f"stratified by {by}; largest deviation " + ("-" if deviation is None else f"{100 * deviation:.1f} points")
    )
    _say_end(shown, report, output)


def check_split(settings: Settings, folders: Sequence[Path], engine: EngineName, workers: int) -> None:
    """Look for near prompts across the parts of a split as written."""
    from pairsmith.cli.output import Output
    from pairsmith.engine import available_cores
    from pairsmith.pipeline.checking_parts import check_parts

    shown = Output(settings)
    result = check_parts(folders, engine=engine.value, workers=workers or available_cores())
    shown.document(result)
    counts = ", ".join(f"{name} {rows:,}" for name, rows in result["parts"].items())
    shown.line(f"{counts} rows; no prompts of similarity {result['similarity']:g} or more across the parts")


def _request(
    files: Sequence[Path],
    output: Path,
    force: bool,
    field: Sequence[str] | None,
    engine: EngineName,
    workers: int,
    notify: Any,
) -> "Request":
    from pairsmith.engine import available_cores
    from pairsmith.pipeline.plain_files import Request

    return Request(tuple(files), output, force, tuple(field or ()), engine.value, workers or available_cores(), notify)


def _say_inputs(shown: "Output", report: Mapping[str, Any]) -> None:
    """Which columns were read as what; files that were read alike share a line."""
    alike: dict[str, list[str]] = {}
    for each in report["inputs"]:
        fields = ", ".join(role if role == name else f"{role}={name}" for role, name in each["fields"].items())
        alike.setdefault(fields, []).append(each["name"])
    for fields, names in alike.items():
        more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
        shown.line(f"{names[0]}{more}: read {fields}", style="dim")


def _say_end(shown: "Output", report: Mapping[str, Any], output: Path) -> None:
    for warning in report["warnings"]:
        shown.line(f"warning: {warning}", style="yellow")
    shown.line(f"{output} (report.json, findings.jsonl)")
