"""`pairsmith edits`: rejected responses in a file for people to improve, read back by `collect`."""

from pathlib import Path
from typing import Annotated

import typer

from pairsmith.cli.context import settings_of
from pairsmith.errors import UsageError

__all__ = ["edits"]


def edits(
    context: typer.Context,
    to: Annotated[Path, typer.Option(help="File to write, relative to the project folder.")] = Path("edits.jsonl"),
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many responses, those that lost most.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file, and what was edited in it.")] = False,
) -> None:
    """Write rejected responses that nobody edited yet into a file, for people to improve."""
    from pairsmith.builds import write_atomically
    from pairsmith.cli.output import Output
    from pairsmith.pipeline.losing import responses_to_edit
    from pairsmith.stages.export import to_jsonl

    settings = settings_of(context)
    config = settings.config()
    target = settings.project / to
    if target.exists() and not force:
        raise UsageError(f"{target}: exists already; collect what is in it first, name another file, or use --force")
    with settings.ledger_to_read() as ledger:
        rows = responses_to_edit(config, ledger, limit)
    output = Output(settings)
    if rows:
        try:
            write_atomically(target, to_jsonl(rows))
        except OSError as error:
            raise UsageError(f"{target}: cannot be written ({error.strerror}); choose another file") from None
    output.document({"file": str(target) if rows else None, "responses": len(rows)})
    if not rows:
        output.line("edits     no response lost a comparison, or all that lost were edited; annotate first")
        return
    output.line(f"edits     {len(rows):,} responses in {target}")
    output.line('          write the better response into "edited", your name into "editor", then add the file to')
    output.line(f"          collect.sources as {{path: {to}, format: edits}} and run: pairsmith collect")
