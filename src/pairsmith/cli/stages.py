"""One verb per stage. Collecting verbs append facts; deriving verbs compute from facts and show what comes out."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pairsmith.cli.context import Settings, settings_of
from pairsmith.cli.plain import EngineName, check_split, split_files
from pairsmith.errors import UsageError

if TYPE_CHECKING:
    from pairsmith.cli.output import Output
    from pairsmith.config import Config
    from pairsmith.ledger import Ledger
    from pairsmith.records import Outcome, Progress

__all__ = ["collecting", "register"]


def register(app: typer.Typer) -> None:
    """Add the seven verbs."""
    app.command(epilog="Example: pairsmith collect")(collect)
    app.command(epilog="Example: pairsmith generate --set generate.n=8")(generate)
    app.command(epilog="Example: pairsmith annotate")(annotate)
    app.command(epilog="Example: pairsmith resolve --set resolve.min_agreement=0.7")(resolve)
    app.command(epilog="Example: pairsmith validate --set validate.contaminated=flag")(validate)
    app.command(epilog="Example: pairsmith split pairs.jsonl --parts train=0.8,validation=0.2 -o parts")(split)
    app.command(epilog="Example: pairsmith export --to out/")(export)


def collect(context: typer.Context) -> None:
    """Read prompts, and candidates and votes that exist already, into the ledger."""
    _one_stage(settings_of(context), "collect")


def generate(
    context: typer.Context,
    estimate: Annotated[bool, typer.Option("--estimate", help="Only say what it would take; ask nothing.")] = False,
) -> None:
    """Draw the candidate responses that are missing."""
    if estimate:
        _estimate(settings_of(context))
    else:
        _one_stage(settings_of(context), "generate")


def annotate(context: typer.Context) -> None:
    """Ask for the votes that are missing."""
    _one_stage(settings_of(context), "annotate")


def resolve(context: typer.Context) -> None:
    """Show what the votes come to: agreement, winners, and what is left undecided. Writes nothing."""
    _derive(settings_of(context), "resolve")


def validate(context: typer.Context) -> None:
    """Show gap, decontamination and quality of the pairs. Writes nothing."""
    _derive(settings_of(context), "validate")


def split(  # the options are those of plain files
    context: typer.Context,
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE...", help="Plain files; none: the project.")
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="OUT", help="Folder to write.")] = None,
    parts: Annotated[str, typer.Option(metavar="NAME=SHARE,...", help="Any number.")] = "train=0.8,validation=0.2",
    similarity: Annotated[float, typer.Option(min=0.05, max=1.0, help="Near prompts stay together.")] = 0.8,
    stratify: Annotated[
        str | None, typer.Option(metavar="A,B", help="Columns to balance; category, difficulty, source if there.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another split.")] = 0,
    after: Annotated[Path | None, typer.Option(metavar="DIR", help="Earlier split these rows are added to.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="FILEs are splits: look for near prompts across parts.")
    ] = False,
    field: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Column with the prompt. Repeatable.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the folder of an earlier run.")] = False,
    engine: Annotated[EngineName, typer.Option(help="How to execute; same output.")] = EngineName.processes,
    workers: Annotated[int, typer.Option(min=0, max=1024, help="0: one per core.")] = 0,
) -> None:
    """Split plain files into parts that share no near prompts; without files, show the parts of the project."""
    settings = settings_of(context)
    if check:
        if not files:
            raise UsageError("--check needs the output folder of a split, as in: pairsmith split --check parts")
        check_split(settings, files, engine, workers)
    elif files and output is None:
        raise UsageError("name the folder to write with -o, as in: pairsmith split pairs.jsonl -o parts")
    elif files and output is not None:
        split_files(
            settings,
            files,
            output,
            parts=parts,
            similarity=similarity,
            stratify=stratify,
            seed=seed,
            after=after,
            field=field or (),
            force=force,
            engine=engine,
            workers=workers,
        )
    elif output is not None or after is not None:
        raise UsageError(
            "name the files to split; without files, split shows the parts of the project and writes nothing"
        )
    else:
        _derive(settings, "split")


def export(
    context: typer.Context,
    to: Annotated[Path | None, typer.Option(help="Also copy the JSONL files into this new folder.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files in that folder.")] = False,
) -> None:
    """Write the rows: a build with preference_pairs.jsonl and a file for each part, such as train.jsonl."""
    from pairsmith.cli.output import Output
    from pairsmith.pipeline.building import build, copy_rows

    settings = settings_of(context)
    output = Output(settings)
    config = settings.config()
    with settings.ledger() as ledger:
        made, new = build(settings.project, config, ledger)
    inputs = [settings.project / source.path for source in config.collect.sources]
    copied = copy_rows(made, to, force=force, inputs=inputs) if to is not None else []
    metrics = made.read_json("export/metrics.json")
    output.document({"build": str(made.path), "new": new, "copied": [str(path) for path in copied], **metrics})
    output.line(f"export    {metrics['format']['rows']:,} rows in {made.path}{'' if new else ' (was there already)'}")
    for path in copied:
        output.line(f"          {path}")


def collecting(stage: str, project: Path, config: "Config", ledger: "Ledger", output: "Output") -> "Progress":
    """Run one collecting stage with a progress bar and say what it did."""
    from pairsmith.pipeline import collecting as pipeline

    if stage == "generate":
        from pairsmith.pipeline.estimating import estimate, in_words

        before = estimate(project, config, ledger)
        if before["calls"]:
            output.line(f"{stage:<9} {in_words(before)}", style="dim")
    run = {"collect": pipeline.run_collect, "generate": pipeline.run_generate, "annotate": pipeline.run_annotate}[stage]
    with output.bar(stage) as notify:
        progress = asyncio.run(run(project, config, ledger, notify))
    output.progress_of(progress)
    return progress


def _one_stage(settings: Settings, stage: str) -> None:
    from pairsmith.cli.output import Output

    output = Output(settings)
    config = settings.config()
    if stage != "collect":
        from pairsmith.pipeline.checking import check_doors

        check_doors(settings.project, config)
    with settings.ledger() as ledger:
        output.document(asdict(collecting(stage, settings.project, config, ledger, output)))


def _estimate(settings: Settings) -> None:
    from pairsmith.cli.output import Output
    from pairsmith.pipeline.estimating import estimate, in_words

    output = Output(settings)
    config = settings.config()
    with settings.ledger_to_read() as ledger:
        estimated = estimate(settings.project, config, ledger)
    output.document(estimated)
    output.line(f"generate  {in_words(estimated)}")
    columns = ("model", "calls", "prompt tokens", "answer tokens", "at most", "cost", "at most", "tokens/s", "time")
    keys = ("calls", "prompt_tokens", "completion_tokens", "completion_tokens_at_most", "cost", "cost_at_most")
    rows = [
        (each["name"], *(_amount(each[key]) for key in (*keys, "tokens_per_second", "seconds")))
        for each in estimated["models"]
    ]
    output.table("", columns, rows)


def _amount(value: float | None) -> str:
    return "not known" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def _derive(settings: Settings, stage: str) -> None:
    from pairsmith.cli.output import Output
    from pairsmith.cli.resolve_lines import resolve_lines
    from pairsmith.pipeline.building import derive_now

    output = Output(settings)
    config = settings.config()
    with settings.ledger_to_read() as ledger:
        derived, _ = derive_now(settings.project, config, ledger)
    outcomes: Mapping[str, Outcome[Any]] = {
        "resolve": derived.resolved,
        "validate": derived.validated,
        "split": derived.split,
    }
    outcome = outcomes[stage]
    dropped: dict[str, int] = {}
    for each in outcome.dropped:
        dropped[each.reason] = dropped.get(each.reason, 0) + 1
    output.document(
        {
            "stage": stage,
            "kept": len(outcome.kept),
            "dropped": dropped,
            "queued": len(outcome.queued),
            **outcome.metrics,
        }
    )
    output.line(f"{stage:<9} {len(outcome.kept):,} kept, {len(outcome.dropped):,} dropped")
    if stage == "resolve":
        for text in resolve_lines(outcome.metrics):
            output.line(f"          {text}")
    for reason, count in sorted(dropped.items(), key=lambda item: (-item[1], item[0])):
        output.line(f"          {count:,} {reason}: {derived.metrics['reason_texts'].get(reason, '')}", style="dim")
    if stage == "validate":
        for line, style in _benchmark_lines(derived.metrics["decontamination"]):
            output.line(f"          {line}", style=style)
    if stage == "split":
        for line, style in _split_lines(outcome.metrics["split"]):
            output.line(f"          {line}", style=style)
    if outcome.queued:
        votes = sum(each.votes_needed for each in outcome.queued if each.needs == "vote")
        rulings = sum(each.needs == "ruling" for each in outcome.queued)
        text = f"of the dropped wait for people: {votes:,} votes and {rulings:,} rulings (queue.jsonl of a build)"
        output.line(f"          {len(outcome.queued):,} {text}")
    output.table("", ("figure", "value", "95 % interval", "n", ""), _figures(outcome.metrics))


def _benchmark_lines(decontamination: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was compared, from which fields, and what was not looked for; each with its style."""
    lines = []
    for each in decontamination["benchmarks"]:
        fields = ", ".join(each["fields"])
        found = (
            f"{each['items']:,} items (from {fields}), {each['pairs_hit']:,} pairs repeat {each['items_hit']:,} of them"
        )
        lines.append((f"benchmark {each['name']}: {found}", "dim"))
        if each["same_as_source"]:
            lines.append((f"benchmark {each['name']} is the very file of the source {each['same_as_source']}", "red"))
    near = decontamination["near"]
    if near["state"] == "evaluated":
        model = near["semantic"].get("model")
        how = f"by words and by meaning ({model})" if model else "by words; meanings were not compared"
        lines.append((f"{near['pairs']:,} more pairs come near an item {how}", "dim"))
    return lines


def _split_lines(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The pairs of each part, why they are no usable split, and what keeps the shares from being met."""
    parts = ", ".join(f"{part['pairs']:,} {name}" for name, part in found["parts"].items())
    lines = [(f"{parts}; similar prompts in different parts: {found['leaks']}", "dim")]
    lines += [(found["reason"], "red")] if found["reason"] else []
    return lines + [(f"warning: {each}", "yellow") for each in found["warnings"]]


def _figures(metrics: Mapping[str, Any], prefix: str = "") -> list[tuple[str, ...]]:
    """Every figure in the metrics of a stage, by its path."""
    rows: list[tuple[str, ...]] = []
    for key, value in metrics.items():
        if not isinstance(value, dict):
            continue
        if "interval" in value and "n" in value:
            number = value.get("value", value.get("mean"))
            interval = value["interval"]
            shown = f"{interval[0]:.3f} to {interval[1]:.3f}" if interval else ""
            words = "not evaluated" if number is None else f"{number:.3f}"
            rows.append((prefix + key, words, shown, f"{value['n'] or 0:,}", value.get("reason") or ""))
        else:
            rows += _figures(value, f"{prefix}{key}.")
    return rows
