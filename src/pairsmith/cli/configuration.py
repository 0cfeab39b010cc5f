"""`pairsmith config check` and `pairsmith config schema`."""

import json

import typer

from pairsmith.cli.context import settings_of

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Check the configuration, or print its schema.")


@app.command(epilog="Example: pairsmith config check")
def check(context: typer.Context) -> None:
    """Read pairsmith.yaml and say whether it is right, and whether models, annotators and benchmarks can be opened."""
    from pairsmith.cli.output import Output
    from pairsmith.pipeline.checking import check_inputs

    settings = settings_of(context)
    config = settings.config()
    check_inputs(settings.project, config)
    output = Output(settings)
    output.document({"valid": True, "config": config.identity()})
    output.line(f"{settings.project / 'pairsmith.yaml'}: valid")


@app.command(epilog="Example: pairsmith config schema > pairsmith.schema.json")
def schema() -> None:
    """Print the JSON Schema of pairsmith.yaml, for editors that complete and check."""
    from pairsmith.config import Config

    typer.echo(json.dumps(Config.model_json_schema(by_alias=True), indent=1, ensure_ascii=False))
