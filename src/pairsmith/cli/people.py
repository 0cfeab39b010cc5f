"""The verbs for working with people: sheets to fill in."""

from pathlib import Path
from typing import Annotated

import typer

from pairsmith.cli.context import settings_of

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command(epilog="Example: pairsmith sheet anna --why anchor --to anna.csv")(sheet)


def sheet(
    context: typer.Context,
    annotator: Annotated[str, typer.Argument(help="Name or pseudonym of the person who will fill it in.")],
    to: Annotated[Path, typer.Option(help="The file to write: .csv for a spreadsheet, or .jsonl.")],
    why: Annotated[str, typer.Option(help="Only what waits for this reason, such as anchor.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Write what waits for people as a sheet for one of them: blind, sides shuffled. `collect` reads it back."""
    from pairsmith.cli.output import Output
    from pairsmith.pipeline.sheets import make_sheet

    settings = settings_of(context)
    output = Output(settings)
    config = settings.config()
    path = settings.project / to
    with settings.ledger() as ledger:
        rows = make_sheet(settings.project, config, ledger, annotator, path, why=why, force=force)
    output.document({"sheet": str(path) if rows else None, "rows": len(rows)})
    if not rows:
        output.line(f"nothing waits for {annotator}{f' with the reason {why}' if why else ''}; no sheet was written")
        return
    output.line(f"sheet     {len(rows):,} comparisons in {path}")
    output.line("          fill in `preference`: first, second, tie, both_bad or unsure")
    output.line(f"          then add {{path: {to}, format: votes}} to collect.sources, and: pairsmith collect")
