"""The verbs around the stages: init, run, build, gate, status, show, demo."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from pairsmith.cli.context import Settings, settings_of
from pairsmith.cli.stages import collecting
from pairsmith.errors import GateFailed

if TYPE_CHECKING:
    from pairsmith.builds import Build
    from pairsmith.cli.output import Output

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command(epilog="Example: pairsmith init my-dataset")(init)
    app.command(epilog="Example: pairsmith -C my-dataset run")(run)
    app.command(epilog="Example: pairsmith build --as-of 1200")(build)
    app.command(epilog="Example: pairsmith gate || echo 'not ready'")(gate)
    app.command(epilog="Example: pairsmith status --json")(status)
    app.command(epilog="Example: pairsmith show pair_0123456789abcdef01234567")(show)
    app.command(epilog="Example: pairsmith demo /tmp/demo")(demo)


def init(
    context: typer.Context,
    directory: Annotated[Path | None, typer.Argument(help="Folder to make; the project folder if left out.")] = None,
) -> None:
    """Start a project: pairsmith.yaml, guidelines and a place for benchmarks."""
    from pairsmith.cli.output import Output
    from pairsmith.cli.scaffold import start_project

    settings = settings_of(context)
    project = settings.project if directory is None else settings.project / directory
    output = Output(settings)
    made = start_project(project)
    output.document({"project": str(project), "files": [str(path) for path in made]})
    for path in made:
        output.line(str(path))
    output.line(f"Next: put your prompts into {project / 'prompts.jsonl'}, then: pairsmith -C {project} run")


def run(context: typer.Context) -> None:
    """All seven stages, the report and the gate; what is done already is not done again."""
    _raise_if_failed(_run(settings_of(context)))


def build(
    context: typer.Context,
    as_of: Annotated[int | None, typer.Option(help="Rebuild the dataset as of this ledger position.")] = None,
) -> None:
    """The deriving stages and the report, written as one immutable folder under builds/."""
    from pairsmith.cli.output import Output
    from pairsmith.pipeline.building import build as make_build

    settings = settings_of(context)
    output = Output(settings)
    config = settings.config()
    with settings.ledger() as ledger:
        made, new = make_build(settings.project, config, ledger, as_of)
    verdict = made.read_json("gate.json")
    output.document({"build": str(made.path), "new": new, "manifest": dict(made.manifest), "gate": verdict})
    _say_build(output, made, new)
    output.gate(verdict)


def gate(
    context: typer.Context,
    name: Annotated[str, typer.Option("--build", help="Which build to judge, such as 0003.")] = "latest",
) -> None:
    """The verdict on a build; exit code 3 if it did not pass."""
    from pairsmith.builds import latest_build
    from pairsmith.cli.output import Output

    settings = settings_of(context)
    output = Output(settings)
    settings.check_project()
    made = latest_build(settings.project, name)
    verdict = made.read_json("gate.json")
    output.document({"build": str(made.path), **verdict})
    output.gate(verdict)
    _raise_if_failed(verdict)


def status(context: typer.Context) -> None:
    """What the ledger holds, what is left to do, and how the last build stands."""
    from pairsmith.cli.output import Output
    from pairsmith.cli.standing import standing

    settings = settings_of(context)
    output = Output(settings)
    config = settings.config()
    with settings.ledger_to_read() as ledger:
        found = standing(settings.project, config, ledger)
    output.document(found)
    output.line(f"{config.name}: {found['position']:,} facts in {settings.project / 'ledger.sqlite'}")
    rows: list[tuple[str, ...]] = [(kind, f"{count:,}") for kind, count in found["facts"].items()]
    output.table("Facts", ("kind", "count"), rows)
    output.table("Left to do", ("stage", "work"), [(stage, text) for stage, text in found["left"].items()])
    if found["build"] is None:
        output.line("No build yet: pairsmith build")
    else:
        fresh = "up to date" if found["build"]["current"] else "older than the ledger, the configuration or the code"
        verdict = "passed" if found["build"]["gate"] else "failed"
        parts = ", ".join(f"{pairs:,} {name}" for name, pairs in found["build"]["parts"].items())
        output.line(f"Latest build: {found['build']['path']} ({fresh}){parts and f': {parts}'}; gate {verdict}")
        for problem in found["build"]["problems"]:
            output.line(problem, style="red")


def show(context: typer.Context, id: Annotated[str, typer.Argument(help="Id of a pair or of any fact.")]) -> None:  # noqa: A002 - the word users type
    """The lineage of one pair, back to every fact behind it."""
    from pairsmith.cli.lineage import lineage, lineage_lines
    from pairsmith.cli.output import Output

    settings = settings_of(context)
    output = Output(settings)
    with settings.ledger_to_read() as ledger:
        found = lineage(settings.project, ledger, id)
    output.document(found)
    for text in lineage_lines(found):
        output.line(text)


def demo(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(help="Folder for the demonstration.")] = Path("demo-dataset"),
) -> None:
    """Run everything on real prompts with a real small model, in a few minutes, offline once it is fetched."""
    from pairsmith.cli.output import Output
    from pairsmith.cli.scaffold import start_demo

    settings = settings_of(context)
    project = settings.project / directory
    start_demo(project)
    output = Output(settings)
    output.line(f"Demonstration in {project}")
    verdict = _run(Settings(project, settings.overrides, settings.json, settings.verbosity))
    if any(each["name"] == "gap" and each["state"] == "not_evaluated" for each in verdict["criteria"]):
        output.line("The gate is right: pairs that only a demonstration scorer judged prove nothing. To do as it says:")
        output.line(f"  pairsmith -C {directory} build --set validate.unmeasured=drop")


def _run(settings: Settings) -> dict[str, Any]:
    from pairsmith.cli.output import Output
    from pairsmith.pipeline import COLLECTING
    from pairsmith.pipeline.building import build as make_build
    from pairsmith.pipeline.checking import check_inputs

    output = Output(settings)
    config = settings.config()
    check_inputs(settings.project, config)
    with settings.ledger() as ledger:
        done = [asdict(collecting(stage, settings.project, config, ledger, output)) for stage in COLLECTING]
        made, new = make_build(settings.project, config, ledger)
    verdict = made.read_json("gate.json")
    output.document({"stages": done, "build": str(made.path), "new": new, "gate": verdict})
    _say_build(output, made, new)
    output.gate(verdict)
    output.line(f"\nReport: {made.path / 'report.html'}")
    return cast(dict[str, Any], verdict)


def _say_build(output: "Output", made: "Build", new: bool) -> None:
    metrics = made.read_json("metrics.json")
    for step in metrics["funnel"]:
        dropped = ", ".join(f"{count:,} {reason}" for reason, count in step["dropped"].items())
        output.line(f"  {step['count']:>9,} {step['step']}{f'  (left out: {dropped})' if dropped else ''}")
    parts = ", ".join(f"{part['pairs']:,} {name}" for name, part in metrics["split"]["parts"].items())
    output.line(f"build     {made.path}{'' if new else ' (was there already)'}: {parts}")


def _raise_if_failed(verdict: dict[str, Any]) -> None:
    failed = [each["name"] for each in verdict["criteria"] if each["state"] != "pass"]
    if failed:
        raise GateFailed(f"the gate did not pass: {', '.join(failed)}; the remedies stand beside each criterion")
